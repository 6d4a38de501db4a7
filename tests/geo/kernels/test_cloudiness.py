"""Clouds, haze and shadows from pixels: what hides the ground is hidden, what is bright ground stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from geo.kernels import cloudiness as c
from geo.kernels.clouds import CLOUD, HAZE, OUTSIDE, SHADOW, SNOW

FOUR = ("blue", "green", "red", "nir")
PALM = np.array([0.03, 0.06, 0.04, 0.32], np.float32)
SOIL = np.array([0.10, 0.14, 0.20, 0.28], np.float32)
ROOF = np.array([0.34, 0.36, 0.37, 0.40], np.float32)
VEILED = CLOUD | HAZE


def ground(rng: np.random.Generator, side: int = 160) -> np.ndarray:
    """Plantation with bare fields, and a texture."""
    fields = ndimage.gaussian_filter(rng.standard_normal((side, side)), 8) > 0.02
    scene = np.where(fields, SOIL[:, None, None], PALM[:, None, None])
    return (scene * rng.normal(1, 0.08, (1, side, side))).astype(np.float32)


def sky(rng: np.random.Generator, side: int, cover: float) -> np.ndarray:
    """Opacity of broken cloud."""
    field = ndimage.gaussian_filter(rng.standard_normal((side, side)), 9)
    return np.clip((field / field.std() - np.quantile(field / field.std(), 1 - cover)) * 1.5, 0, 1)


def under(scene: np.ndarray, opacity: np.ndarray, shift: tuple[int, int] = (22, -14)) -> np.ndarray:
    """A scene below clouds and in their shadows."""
    shade = np.roll(opacity, shift, (0, 1))
    return ((scene * (1 - 0.6 * shade)) * (1 - opacity) + 0.65 * opacity).astype(np.float32)


def series(rng: np.random.Generator, dates: int, side: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Clear dates of one ground, 5 days apart, with gains that no correction removes."""
    scene = ground(rng, side)
    cube = np.stack([scene * rng.normal(1, 0.03) + rng.normal(0, 0.003, scene.shape) for _ in range(dates)])
    return cube.astype(np.float32), np.arange(dates) * 5.0


def sample(cube: np.ndarray) -> np.ndarray:
    return cube.reshape(*cube.shape[:2], -1).transpose(2, 0, 1)[::3]


def test_broken_cloud_and_its_shadow_are_found() -> None:
    rng = np.random.default_rng(5)
    scene, opacity = ground(rng, 240), sky(rng, 240, 0.25)
    flags = c.spectral(under(scene, opacity), FOUR)
    veiled = (flags & VEILED) != 0
    assert veiled[opacity > 0.3].mean() > 0.95
    clear = ndimage.distance_transform_edt(opacity == 0) > 8
    assert veiled[clear].mean() < 0.02
    shade = (np.roll(opacity, (22, -14), (0, 1)) > 0.5) & clear
    assert ((flags & SHADOW) != 0)[shade].mean() > 0.6
    open_ground = clear & (np.roll(opacity, (22, -14), (0, 1)) == 0)
    assert ((flags & SHADOW) != 0)[open_ground].mean() < 0.03


def test_clear_ground_soil_and_roofs_stay_clear() -> None:
    """A warehouse of 120 m by 100 m is no cloud, nor is a street of houses, nor bare soil however wide."""
    rng = np.random.default_rng(6)
    scene = ground(rng)
    scene[:, 20:32, 20:30] = ROOF[:, None, None]
    scene[:, 60:100:3, 60:100:2] = ROOF[:, None, None]
    scene[:, 110:150, 110:150] = 1.4 * SOIL[:, None, None]
    assert (c.spectral(scene, FOUR) == 0).all()


def test_short_wave_infrared_and_cirrus_bands_are_heard() -> None:
    """White water without light in the short-wave infrared is clear; faint cirrus shows in its own band."""
    white = np.full((4, 60, 60), 0.4, np.float32)
    assert (c.spectral(white, FOUR) & CLOUD).all()
    dark = np.full((1, 60, 60), 0.02, np.float32)
    assert (c.spectral(np.concatenate([white, dark]), (*FOUR, "swir16")) == 0).all()
    scene = ground(np.random.default_rng(1), 60)
    cirrus = np.zeros((1, 60, 60), np.float32)
    cirrus[:, :30] = 0.03
    flags = c.spectral(np.concatenate([scene, cirrus]), (*FOUR, "cirrus"))
    assert (flags[:30] == HAZE).all()
    assert (flags[30:] == 0).all()


def test_unobserved_is_outside_and_never_cloud() -> None:
    scene = np.full((4, 50, 50), 0.6, np.float32)
    scene[2, :20] = np.nan
    kept = scene.copy()
    flags = c.spectral(scene, FOUR)
    assert (flags[:20] == OUTSIDE).all()
    assert (flags[20:] == CLOUD).all()
    np.testing.assert_array_equal(scene, kept)
    assert (c.spectral(np.full((4, 9, 9), np.nan, np.float32), FOUR) == OUTSIDE).all()


@pytest.mark.parametrize(
    ("pixels", "bands", "gsd_m"),
    [(np.zeros((3, 9, 9)), FOUR[:3], 10), (np.zeros((3, 9, 9)), FOUR, 10), (np.zeros((4, 9, 9)), FOUR, 0)],
)
def test_what_cannot_be_judged_is_refused(pixels: np.ndarray, bands: tuple[str, ...], gsd_m: float) -> None:
    with pytest.raises(ValueError, match=r"needs|positive"):
        c.spectral(pixels.astype(np.float32), bands, gsd_m=gsd_m)


def test_scene_wide_haze_is_told_from_clear_dates() -> None:
    """Haze of 20 % on two of twelve dates; nothing on the others, though clouds cross them."""
    rng = np.random.default_rng(2)
    cube, days = series(rng, 12)
    for date in (4, 9):
        cube[date] += 0.2 * (np.array([0.22, 0.2, 0.18, 0.14])[:, None, None] - cube[date])
    cube[6, :, :16] = 0.5
    scene = c.fit_guard(sample(cube), days, FOUR)
    assert np.flatnonzero(scene.hazy).tolist() == [4, 9]
    flags = c.guard(cube, days, scene)
    assert (flags[[4, 9]] & HAZE).all()
    assert (flags[6, :16] & CLOUD).all()
    assert (flags[[0, 1, 2, 3, 5, 7, 8, 10, 11]] == 0).mean() > 0.999


def test_a_series_that_is_mostly_cloud_keeps_its_few_clear_dates() -> None:
    rng = np.random.default_rng(3)
    cube, days = series(rng, 20)
    clear = [3, 11, 16]
    for date in set(range(20)) - set(clear):
        cube[date] = np.float32(rng.uniform(0.3, 0.9)) * rng.normal(1, 0.05, cube.shape[1:])
    scene = c.fit_guard(sample(cube), days, FOUR)
    assert np.flatnonzero(~scene.hazy).tolist() == clear


def test_one_date_dark_is_shadow_a_lasting_change_is_not() -> None:
    rng = np.random.default_rng(4)
    cube, days = series(rng, 10)
    cube[5, :, :10] *= 0.45
    cube[6:, :, 20:30] = ROOF[:, None, None]  # built for good
    cube[9, :, 30:] = ROOF[:, None, None]  # seen on the last date only
    flags = c.guard(cube, days, c.fit_guard(sample(cube), days, FOUR))
    assert ((flags[5, :10] & SHADOW) != 0).mean() > 0.95
    flags[5, :10] = 0
    assert (flags == 0).mean() > 0.999


def test_dates_far_apart_do_not_judge_each_other() -> None:
    rng = np.random.default_rng(8)
    cube, days = series(rng, 5)
    cube[2, :, :10] = 0.5
    scene = c.fit_guard(sample(cube), days * 12, FOUR)
    assert (c.guard(cube, days * 12, scene) == 0).mean() > 0.999
    assert (c.guard(cube, days, scene)[2, :10] & CLOUD).all()


@pytest.mark.parametrize("dates", [1, 2])
def test_one_and_two_dates_are_served(dates: int) -> None:
    cube, days = series(np.random.default_rng(dates), dates)
    cube[0, 0, 0, 0] = np.nan
    scene = c.fit_guard(sample(cube), days, FOUR)
    flags = c.guard(cube, days, scene)
    assert flags[0, 0, 0] == OUTSIDE
    assert (flags == 0).mean() > 0.99
    unseen = np.full_like(cube, np.nan)
    blind = c.fit_guard(sample(unseen), days, FOUR)
    assert not blind.hazy.any()
    assert (c.guard(unseen, days, blind) == OUTSIDE).all()


@given(st.integers(1, 39), st.integers(1, 39))
def test_a_tile_says_what_the_whole_says(row: int, col: int) -> None:
    rng = np.random.default_rng(9)
    cube, days = series(rng, 8)
    cube[3, :, 5:20] = 0.6
    cube[5, :, 15:] *= 0.4
    cube[6, :, 2] = np.nan
    scene = c.fit_guard(sample(cube), days, FOUR)
    whole = c.guard(cube, days, scene)
    np.testing.assert_array_equal(c.guard(cube[:, :, :row, col:], days, scene), whole[:, :row, col:])
    fraction = (whole == 0).mean(axis=(1, 2))
    retested = c.retest(whole, cube, days, clear_fraction=fraction)
    part = c.retest(whole[:, :row, col:], cube[:, :, :row, col:], days, clear_fraction=fraction)
    np.testing.assert_array_equal(part, retested[:, :row, col:])


@pytest.mark.parametrize("seed", range(5))
def test_persistent_bright_roofs_come_back_and_clouds_do_not(seed: int) -> None:
    """Roofs and bright soil flagged on three or more clear dates: 95 % back; of true cloud at most 2 %."""
    rng = np.random.default_rng(100 + seed)
    cube, days = series(rng, 12, 120)
    roofs = np.zeros((120, 120), bool)
    for row, col in rng.integers(5, 105, (25, 2)):
        roofs[row : row + 3, col : col + 8] = True
    shade = rng.normal(1, 0.1, (120, 120))
    cloud = np.zeros((12, 120, 120), bool)
    for date in range(12):
        gain = rng.normal(1, 0.03) * rng.normal(1, 0.02, (120, 120))
        cube[date][:, roofs] = (ROOF[:, None, None] * shade * gain)[:, roofs]
        opacity = sky(rng, 120, rng.choice([0.02, 0.15, 0.3]))
        cube[date] = cube[date] * (1 - opacity) + np.float32(rng.uniform(0.55, 0.75)) * opacity
        cloud[date] = opacity > 0.1
    from_date = np.broadcast_to(roofs, cloud.shape).copy()
    from_date[:4] = False  # the processor calls them clear at first
    flags = np.where(cloud | from_date, np.uint8(CLOUD | SNOW), np.uint8(0))
    before = flags.copy()
    out = c.retest(flags, cube, days)
    np.testing.assert_array_equal(flags, before)
    assert ((out & CLOUD) == 0)[from_date & ~cloud].mean() > 0.95
    assert ((out & CLOUD) == 0)[cloud].mean() < 0.02
    assert (out & SNOW == before & SNOW).all()


def test_overcast_dates_testify_for_nothing() -> None:
    """A deck of one brightness for weeks is not a surface."""
    cube = np.full((6, 4, 20, 20), 0.6, np.float32)
    flags = np.full((6, 20, 20), CLOUD, np.uint8)
    np.testing.assert_array_equal(c.retest(flags, cube, np.arange(6) * 5.0), flags)


def test_margins_are_discs_of_each_bit_alone() -> None:
    flags = np.zeros((9, 9), np.uint8)
    flags[4, 4] = CLOUD | SNOW
    flags[4, 6] = OUTSIDE
    wide = c.dilate(flags, 2)
    assert wide[4, 2] == wide[2, 4] == wide[3, 3] == CLOUD
    assert wide[2, 2] == 0
    assert wide[4, 6] == OUTSIDE
    assert wide[4, 4] == CLOUD | SNOW
    np.testing.assert_array_equal(c.dilate(flags, 0), flags)
    with pytest.raises(ValueError, match="negative"):
        c.dilate(flags, -1)


def test_shapes_that_do_not_fit_are_refused() -> None:
    cube, days = series(np.random.default_rng(0), 3)
    with pytest.raises(ValueError, match="blue"):
        c.fit_guard(sample(cube), days, ("green", "blue", "red"))
    scene = c.fit_guard(sample(cube), days, FOUR)
    with pytest.raises(ValueError, match="fit"):
        c.guard(cube[:2], days, scene)
    with pytest.raises(ValueError, match="fit"):
        c.retest(np.zeros((3, 4, 4), np.uint8), cube, days)
