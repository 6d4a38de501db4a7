"""New and vanished structure on drawn ground: houses count, season, light, view and noise do not."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geo.grid import Grid
from geo.kernels.structure import StructureScales, structure_change, structure_gain_loss, structure_reach_px
from geo.raster import Raster
from geo.tiles import map_tiles

SHAPE = (200, 240)
HOUSE = (slice(90, 114), slice(100, 136))  # 12 x 18 m at half a metre
HERE = (slice(96, 108), slice(106, 130))
GRASS, ROOF = np.array([70.0, 95.0, 55.0]), np.array([140.0, 125.0, 120.0])


def _ground(seed: int = 0, colour: np.ndarray = GRASS) -> np.ndarray:
    """Meadow with bushes: smooth texture, dark round crowns."""
    random = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(random.normal(0, 1, SHAPE), 2)
    image = colour[:, None, None] * (1 + 0.25 * texture / texture.std())
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for row, col, radius in random.uniform((0, 0, 4), (*SHAPE, 9), (30, 3)):
        crown = (rows - row) ** 2 + (cols - col) ** 2 < radius**2
        image[:, crown] = np.array([35.0, 55.0, 30.0])[:, None]
    return np.clip(image, 5, 255).astype(np.float32)


def _with_house(ground: np.ndarray, roof: np.ndarray = ROOF) -> np.ndarray:
    image = ground.copy()
    image[(slice(None), *HOUSE)] = roof[:, None, None]
    image[:, 114:118, 100:136] *= 0.4  # its shadow
    return image


def _seen_again(image: np.ndarray, seed: int) -> np.ndarray:
    """The same place on another day: sensor noise of its own."""
    return (image + np.random.default_rng(seed).normal(0, 3, image.shape)).clip(1).astype(np.float32)


BEFORE, AFTER = _seen_again(_ground(), 1), _seen_again(_with_house(_ground()), 2)


def test_a_new_house_is_gain_and_its_end_is_loss() -> None:
    """A house scores high on its own ground, low elsewhere; swapping the dates swaps gain and loss exactly."""
    change = structure_gain_loss(BEFORE, AFTER, gsd_m=0.5)
    assert change.gain[HERE].mean() > 0.1
    assert change.loss[HERE].mean() < 0.01
    far = np.ones(SHAPE, dtype=bool)
    far[55:150, 65:170] = False
    assert change.gain[far].max() < 0.05
    back = structure_gain_loss(AFTER, BEFORE, gsd_m=0.5)
    np.testing.assert_array_equal(back.loss, change.gain)
    np.testing.assert_array_equal(structure_change(BEFORE, AFTER, gsd_m=0.5), np.maximum(*change))


def test_nothing_is_found_between_an_image_and_itself() -> None:
    """The same pixels give a score of exactly zero."""
    assert structure_change(AFTER, AFTER, gsd_m=0.5).max() == 0


@pytest.mark.parametrize("look", ["gain", "offset", "gamma", "bands", "shift", "noise", "autumn", "haze"])
def test_another_look_at_unchanged_ground_scores_near_zero(look: str) -> None:
    """Light, sensor, small shifts and season change pixels everywhere, and structure nowhere."""
    image = _with_house(_ground())
    noise = np.random.default_rng(3).normal(0, 3, image.shape)
    shifted = ndimage.shift(image, (0, 2.5, -2.0), order=1, mode="nearest")
    autumn = image.copy()
    autumn[:, (image[1] > image[0])] *= np.array([1.7, 1.0, 1.1])[:, None]
    other = {
        "gain": image * 1.5,
        "offset": image + 15,
        "gamma": 255 * (image / 255) ** 0.7,
        "bands": image * np.array([0.7, 1.0, 1.4])[:, None, None],
        "shift": shifted,
        "noise": image + noise,
        "autumn": autumn,
        "haze": image * 0.7 + 60,
    }[look]
    score = structure_change(image, other.clip(1).astype(np.float32), gsd_m=0.5)
    assert np.quantile(score, 0.999) < 0.06


def test_a_repainted_roof_is_not_a_new_house() -> None:
    """Dark roof to bright roof keeps its outline: an order of magnitude below a new house."""
    painted = _seen_again(_with_house(_ground(), ROOF * 1.6), 4)
    house = structure_change(BEFORE, AFTER, gsd_m=0.5)[HERE].mean()
    assert structure_change(AFTER, painted, gsd_m=0.5)[HERE].mean() < house / 5


def test_a_single_line_counts_far_less_than_a_house() -> None:
    """A new track or fence points one way only; a house has right angles."""
    lined = _ground()
    lined[:, 100:103, :] = ROOF[:, None, None]
    line = structure_gain_loss(BEFORE, _seen_again(lined, 5), gsd_m=0.5).gain
    house = structure_gain_loss(BEFORE, AFTER, gsd_m=0.5).gain
    assert line[95:108, 60:180].mean() < house[HERE].mean() / 2


def test_new_bushes_are_not_structure() -> None:
    """Twice thirty new round crowns stay below a third of a house."""
    grown = np.minimum(_ground(), np.minimum(_ground(7), _ground(8)))
    score = structure_gain_loss(BEFORE, _seen_again(grown, 6), gsd_m=0.5).gain
    assert np.quantile(score, 0.99) < structure_gain_loss(BEFORE, AFTER, gsd_m=0.5).gain[HERE].mean() / 3


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_pixel_size_changes_little(factor: int) -> None:
    """The same house scores alike at 0.5 and 1 m, and keeps two fifths at 2 m, where it is six pixels by nine."""

    def coarse(image: np.ndarray) -> np.ndarray:
        rows, cols = SHAPE[0] // factor, SHAPE[1] // factor
        return image.reshape(3, rows, factor, cols, factor).mean(axis=(2, 4)).astype(np.float32)

    gain = structure_gain_loss(coarse(BEFORE), coarse(AFTER), gsd_m=0.5 * factor).gain
    there = gain[96 // factor : 108 // factor, 106 // factor : 130 // factor].mean()
    fine = structure_gain_loss(BEFORE, AFTER, gsd_m=0.5).gain[HERE].mean()
    assert 0.4 < there / fine < 1.5


@pytest.mark.parametrize("count", [1, 3, 4])
def test_any_number_of_bands_finds_the_house(count: int) -> None:
    """Luminance alone, colour, and colour with near infrared all find it, in two or three dimensions."""

    def bands(image: np.ndarray) -> np.ndarray:
        return {1: image.mean(axis=0), 3: image, 4: np.concatenate([image, image[1:2] * 1.4])}[count]

    gain = structure_gain_loss(bands(BEFORE), bands(AFTER), gsd_m=0.5).gain
    assert gain.shape == SHAPE
    assert gain.dtype == np.float32
    assert gain[HERE].mean() > 0.05


def test_a_gap_is_unobserved_and_draws_no_edges() -> None:
    """NaN in one date is NaN in the score, and the straight border of a gap is not a building."""
    gap = BEFORE.copy()
    gap[:, 30:70, 30:90] = np.nan
    gap[1, 150, 200] = np.nan
    kept = gap.copy()
    score = structure_change(gap, _seen_again(_ground(), 9), gsd_m=0.5)
    unseen = np.isnan(gap).any(axis=0)
    np.testing.assert_array_equal(np.isnan(score), unseen)
    assert np.nanmax(score) < 0.05
    np.testing.assert_array_equal(gap, kept)
    assert np.isnan(structure_change(np.full_like(BEFORE, np.nan), AFTER, gsd_m=0.5)).all()


@settings(max_examples=4, deadline=None)
@given(size=st.integers(40, 150), hole=st.integers(0, 150))
def test_tiles_give_the_bits_of_the_whole_image(size: int, hole: int) -> None:
    """Any tile size, with a halo of the stated reach, gives the same bytes, holes included."""
    scales = StructureScales(green_m=30, surround_m=15)
    before = BEFORE.copy()
    before[:, hole : hole + 9, hole : hole + 20] = np.nan
    grid = Grid("EPSG:32648", Affine(1, 0, 0, 0, -1, 0), SHAPE)
    sources = [Raster(image, np.zeros(SHAPE, np.uint8), grid, ("red", "green", "blue")) for image in (before, AFTER)]
    whole = structure_gain_loss(before, AFTER, gsd_m=1.0, scales=scales)
    built = [np.empty(SHAPE, np.float32) for _ in whole]

    def kernel(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, ...]:
        return structure_gain_loss(first, last, gsd_m=1.0, scales=scales)

    for tile, parts in map_tiles(kernel, *sources, size=size, halo=structure_reach_px(1.0, scales)):
        for target, part in zip(built, parts, strict=True):
            target[tile.core] = part
    for target, part in zip(built, whole, strict=True):
        assert target.tobytes() == part.tobytes()


@pytest.mark.slow
def test_tiles_give_the_bits_at_half_a_metre() -> None:
    """The default lengths at half a metre, on an image several reaches wide."""
    before, after = np.tile(BEFORE, (1, 3, 3)), np.tile(AFTER, (1, 3, 3))
    whole = structure_gain_loss(before, after, gsd_m=0.5)
    reach = structure_reach_px(0.5)
    row, col = 301 - reach, 353 - reach
    part = structure_gain_loss(before[:, row:, col:], after[:, row:, col:], gsd_m=0.5)
    for cut, full in zip(part, whole, strict=True):
        assert cut[reach:, reach:].tobytes() == full[301:, 353:].tobytes()


def test_input_that_cannot_be_compared_is_refused() -> None:
    """Shapes, names and pixel sizes that make no sense are errors that say so."""
    with pytest.raises(ValueError, match="one shape"):
        structure_change(BEFORE, AFTER[:, 1:], gsd_m=0.5)
    with pytest.raises(ValueError, match="as many names"):
        structure_change(BEFORE, AFTER, gsd_m=0.5, bands=("red",))
    with pytest.raises(ValueError, match="row, col"):
        structure_change(BEFORE[None], AFTER[None], gsd_m=0.5)
    with pytest.raises(ValueError, match="positive"):
        structure_change(BEFORE, AFTER, gsd_m=0)
    with pytest.raises(ValueError, match=r"at most 2\.5 m"):
        structure_change(BEFORE, AFTER, gsd_m=10)
