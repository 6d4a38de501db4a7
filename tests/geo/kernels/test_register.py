"""Registration: shifts are found under masks, and where there is nothing to find it says so."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from geo.kernels.register import Shift, chips, correlate, estimate_shift, shift_of_chips

Array = NDArray[np.float32]
PAD = 48


def ground(seed: int, size: int = 256, tilt: float = 1.3) -> NDArray[np.complex128]:
    """Spectrum of a field with the power law of land (amplitude falls as frequency ** -tilt)."""
    rng = np.random.default_rng(seed)
    n = size + 2 * PAD
    radius = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)[None, :])
    radius[0, 0] = np.inf
    blur = np.exp(-2 * (np.pi * 0.6 * radius) ** 2)  # an instrument's own blur
    spectrum: NDArray[np.complex128] = np.fft.fft2(rng.standard_normal((n, n))) * radius**-tilt * blur
    return spectrum


def seen(spectrum: NDArray[np.complex128], row: float = 0.0, col: float = 0.0) -> Array:
    """The ground moved by (row, col) pixels, exactly, one standard deviation = 1."""
    n = spectrum.shape[0]
    k = np.fft.fftfreq(n)
    moved = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (k[:, None] * row + k[None, :] * col))).real
    field: Array = (moved / moved.std())[PAD:-PAD, PAD:-PAD].astype(np.float32)
    return field


def clouds(shape: tuple[int, ...], share: float, seed: int) -> NDArray[np.bool_]:
    """Blobs that cover `share` of the image."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 10)
    return field > np.quantile(field, 1 - share)


def second_date(image: Array, seed: int, noise: float = 0.15) -> Array:
    """Another light, sensor noise, and patches of ground that became something else."""
    rng = np.random.default_rng(seed)
    other = (1.3 * image + 0.4 + noise * rng.standard_normal(image.shape)).astype(np.float32)
    for _ in range(12):
        row, col = rng.integers(0, np.array(image.shape) - 30)
        other[row : row + rng.integers(5, 30), col : col + rng.integers(5, 30)] += 4
    return other


def error(shift: Shift, row: float, col: float) -> float:
    assert shift.found, shift.reason
    return float(np.hypot(shift.row - row, shift.col - col))


@pytest.mark.parametrize("kind", ["clouds on both dates", "scattered pixels"])
def test_injected_shifts_come_back_under_forty_percent_masks(kind: str) -> None:
    """Shifts of 0.1 to 2 px are recovered with rms <= 0.1 px; the stated uncertainty is neither vain nor blind."""
    rng = np.random.default_rng(5)
    errors, stated = [], []
    for seed in range(8):
        row, col = rng.uniform(0.1, 2.0, 2) * rng.choice([-1, 1], 2)
        spectrum = ground(seed)
        before, after = seen(spectrum), second_date(seen(spectrum, row, col), seed)
        if kind == "scattered pixels":
            before[rng.random(before.shape) < 0.2] = np.nan
            after[rng.random(after.shape) < 0.25] = np.nan
        else:
            before[clouds(before.shape, 0.22, 100 + seed)] = np.nan
            after[clouds(after.shape, 0.22, 200 + seed)] = np.nan
        assert 0.35 < np.mean(~np.isfinite(before + after)) < 0.45
        shift = estimate_shift(before, after, max_shift_px=3)
        errors.append(error(shift, row, col))
        stated.append(shift.uncertainty_px)
    assert np.sqrt(np.mean(np.square(errors))) <= 0.1
    assert np.max(np.divide(errors, stated)) < 4
    assert np.max(stated) < 0.15


@settings(max_examples=12, deadline=None)
@given(row=st.floats(-2, 2), col=st.floats(-2, 2), seed=st.integers(0, 10_000))
def test_any_small_shift_is_found(row: float, col: float, seed: int) -> None:
    """Without a mask any shift up to 2 px is found to 0.1 px, though a quarter of the ground has changed."""
    spectrum = ground(seed, 128)
    shift = estimate_shift(seen(spectrum), second_date(seen(spectrum, row, col), seed, 0.05), max_shift_px=3)
    assert error(shift, row, col) < 0.1


@pytest.mark.parametrize(("row", "col"), [(37.4, -21.3), (-3.0, 44.0), (12.5, 12.5)])
def test_shifts_of_tens_of_pixels_are_found(row: float, col: float) -> None:
    """Hand-made imagery may be off by tens of pixels."""
    spectrum = ground(3)
    assert (
        error(estimate_shift(seen(spectrum), second_date(seen(spectrum, row, col), 1), max_shift_px=50), row, col)
        < 0.05
    )


def test_low_pass_noise_field_beats_plain_phase_correlation() -> None:
    """Smooth texture with independent noise above it: < 0.02 px, where skimage is off by more."""
    rng = np.random.default_rng(9)
    n, sigma = 512 + 2 * PAD, 1.2
    spectrum = np.fft.fft2(ndimage.gaussian_filter(rng.standard_normal((n, n)), sigma, mode="wrap"))
    before, after = (
        (1000 + 200 * seen(spectrum, *at) + 5 * rng.standard_normal((512, 512))).astype(np.float32)
        for at in ((0.0, 0.0), (-0.62, 0.37))
    )
    ours = error(estimate_shift(before, after, max_shift_px=1.5), -0.62, 0.37)
    theirs = -phase_cross_correlation(before, after, upsample_factor=100)[0]
    assert ours < 0.02
    assert ours < np.hypot(*(theirs - np.array([-0.62, 0.37])))


def test_agrees_with_scikit_image_on_clean_imagery() -> None:
    """The sign and the size of a shift are those of an independent implementation."""
    spectrum = ground(21)
    before, after = seen(spectrum), seen(spectrum, 1.4, -0.8)
    window = np.outer(np.hanning(256), np.hanning(256))
    theirs = -phase_cross_correlation(before * window, after * window, upsample_factor=50, normalization=None)[0]
    ours = estimate_shift(before, after, max_shift_px=3)
    assert np.hypot(ours.row - theirs[0], ours.col - theirs[1]) < 0.1


def test_a_mask_that_stands_still_does_not_pull() -> None:
    """The same swath edge and the same clouds on both dates do not pull the shift towards zero."""
    spectrum = ground(4)
    before, after = seen(spectrum), seen(spectrum, 1.5, -1.0)
    mask = clouds(before.shape, 0.3, 8)
    mask[:, 200:] = True
    before[mask] = after[mask] = np.nan
    assert error(estimate_shift(before, after, max_shift_px=3), 1.5, -1.0) < 0.05


def test_fields_that_swap_brightness_still_register() -> None:
    """Ploughed against green: where contrast is inverted, the edges are the same."""
    rng = np.random.default_rng(2)
    seeds = np.zeros((300, 300), bool)
    seeds[tuple(rng.integers(0, 300, (2, 250)))] = True
    places = ndimage.distance_transform_edt(~seeds, return_distances=False, return_indices=True)
    fields = places[0] * 300 + places[1]  # irregular fields, each with a number of its own
    before, after = (ndimage.gaussian_filter(rng.uniform(0, 9, 90_000)[fields], 1) for _ in range(2))
    before, after = before[20:260, 20:260].astype(np.float32), after[18:258, 21:261].astype(np.float32)
    assert error(estimate_shift(before, after, max_shift_px=3), 2.0, -1.0) < 0.15


def lines(angle: float) -> Array:
    rows, cols = np.mgrid[:200, :200]
    edge = np.tanh((rows - 100) * np.cos(angle) + (cols - 100) * np.sin(angle))
    return (5 * edge + 0.05 * np.random.default_rng(int(angle * 10)).standard_normal(edge.shape)).astype(np.float32)


NOTHING = {
    "different ground": (seen(ground(1)), seen(ground(2))),
    "different smooth fields": (seen(ground(1, tilt=2.2)), seen(ground(2, tilt=2.2))),
    "sensor noise only": (seen(ground(1, tilt=0.0)), seen(ground(2, tilt=0.0))),
    "flat": (np.full((100, 100), 3, np.float32), np.full((100, 100), 5, np.float32)),
    "nothing seen": (np.full((100, 100), np.nan, np.float32), seen(ground(1))[:100, :100]),
    "nothing in common": (
        np.where(np.arange(256) < 128, seen(ground(1)), np.float32(np.nan)),
        np.where(np.arange(256) >= 128, seen(ground(1)), np.float32(np.nan)),
    ),
    "one straight edge": (lines(0.3), lines(0.3)[::-1, ::-1] * -1),
    "rows of palms": (np.tile(np.hanning(16)[:, None] * np.hanning(16), (16, 16)).astype(np.float32),) * 2,
    "tiny": (seen(ground(1))[:20, :20],) * 2,
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_clear_peak_is_said(name: str) -> None:
    """Where there is nothing to register on there is no shift, and the reason is a sentence."""
    shift = estimate_shift(*NOTHING[name], max_shift_px=3)
    assert not shift.found
    assert np.isnan([shift.row, shift.col, shift.uncertainty_px]).all()
    assert shift.reason


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), tilt=st.floats(0, 2.5), share=st.floats(0, 0.6))
def test_different_ground_never_registers(seed: int, tilt: float, share: float) -> None:
    """Two unrelated looks never yield a shift, whatever their texture and cloud."""
    before, after = seen(ground(seed, 128, tilt)), seen(ground(seed + 1, 128, tilt))
    after[clouds(after.shape, share, seed)] = np.nan
    assert not estimate_shift(before, after, max_shift_px=3).found


def test_chips_cover_small_images_and_bound_large_ones() -> None:
    """Small images are measured whole; a whole tile costs nine chips, edges included."""
    assert chips((900, 1000)) == ((slice(0, 900), slice(0, 1000)),)
    many = chips((10980, 10980))
    assert len(many) == 9
    assert {w[0].start for w in many} == {0, 10 * 512, 20 * 512}
    assert len(chips((100_000, 600), most=25)) == 5
    assert all(w[0].start % 512 == 0 and w[1].stop <= 600 for w in chips((100_000, 600), most=25))


def test_chips_agree_with_the_whole_and_report_spread() -> None:
    """Chips that move differently widen the uncertainty; chips that agree do not."""
    spectra = [ground(seed, 128) for seed in range(6)]
    still = [(seen(s), seen(s, 0.5, 0.5)) for s in spectra]
    torn = [(seen(s), seen(s, 0.5 + 0.3 * (i - 2.5), 0.5)) for i, s in enumerate(spectra)]
    one, other = (shift_of_chips(pairs, max_shift_px=3) for pairs in (still, torn))
    assert error(one, 0.5, 0.5) < 0.02
    assert one.spread_px < 0.05
    assert other.spread_px > 0.3
    assert other.uncertainty_px > 3 * one.uncertainty_px


def test_surface_is_exact_at_whole_lags() -> None:
    """The Fourier route gives what the definition of masked correlation gives, lag by lag."""
    before, after = seen(ground(1))[:40, :44].copy(), seen(ground(1), 1, 2)[:40, :44].copy()
    before[5:15, 8:20] = np.nan
    surface = correlate(before, after, reach_px=4)
    from geo.kernels.register import _edges  # the same edges, correlated by hand

    (a, seen_a), (b, seen_b) = _edges(before, (0, 0)), _edges(after, (0, 0))
    for down, right in itertools.product((-4, 0, 1, 3), (-3, 0, 2)):
        rows, cols = before.shape
        here = np.s_[max(0, -down) : rows - max(0, down), max(0, -right) : cols - max(0, right)]
        there = np.s_[max(0, down) : rows + min(0, down), max(0, right) : cols + min(0, right)]
        both = seen_a[here] & seen_b[there]
        x, y = (
            part[:, both].astype(float) - part[:, both].mean(axis=1, keepdims=True)
            for part in (a[:, *here], b[:, *there])
        )
        expected = (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())
        assert surface.weight[4 + down, 4 + right] == both.sum()
        assert surface.ncc[4 + down, 4 + right] == pytest.approx(expected, abs=1e-4)


def test_refuses_other_shapes_and_leaves_its_input_alone() -> None:
    """Arrays of two shapes are a caller's mistake; inputs are never written to."""
    image = seen(ground(1))
    image[:9] = np.nan
    kept = image.copy()
    estimate_shift(image, image, max_shift_px=2)
    np.testing.assert_array_equal(image, kept)
    with pytest.raises(ValueError, match="one shape"):
        estimate_shift(image, image[1:], max_shift_px=2)


def band(path: Path, index: int) -> Array:
    with rasterio.open(path) as dataset:
        data: Array = dataset.read(index).astype(np.float32)
        if dataset.nodata is not None:
            data[data == dataset.nodata] = np.nan
    return data


@pytest.mark.real
def test_real_dates_close_the_loop(real_data: Path) -> None:
    """Over ten aerial dates of changing crops and water the shifts a-b, b-c, c-a add up to nothing."""
    files = sorted((real_data / "naip_prairie_2009_2020").glob("2*.tif"))[::3]
    looks = [band(file, 2)[100:612, 200:712] for file in files]
    shifts = {}
    for a, b in itertools.combinations(range(len(looks)), 2):
        shift = estimate_shift(looks[a], looks[b], max_shift_px=1.5)
        assert shift.found
        shifts[a, b] = np.array([shift.row, shift.col])
    for a, b, c in itertools.combinations(range(len(looks)), 3):
        assert np.hypot(*(shifts[a, b] + shifts[b, c] - shifts[a, c])) < 0.3


@pytest.mark.real
def test_real_tornado_pair_registers_on_what_stands(real_data: Path) -> None:
    """Half-metre ground destroyed and seen under another angle still has one shift in all three scenes."""
    found = [
        estimate_shift(
            *(band(real_data / "vhr_xbd_joplin" / scene / f"{t}.tif", 2) for t in ("pre", "post")), max_shift_px=8
        )
        for scene in "012"
    ]
    assert all(shift.found for shift in found)
    assert np.ptp([shift.row for shift in found]) < 0.8
    assert np.ptp([shift.col for shift in found]) < 0.8


@pytest.mark.real
def test_real_but_different_ground_never_registers(real_data: Path) -> None:
    """Parts of one scene against other parts of it: real texture, nothing in common."""
    scenes = [band(real_data / "vhr_xbd_joplin" / s / "pre.tif", 2) for s in "012"]
    scenes += [band(p, 2)[:720, :930] for p in sorted((real_data / "naip_prairie_2009_2020").glob("2*.tif"))[:2]]
    for one, other in itertools.product(scenes, scenes):
        assert not estimate_shift(one[:240, :240], other[-240:, -240:], max_shift_px=8).found
