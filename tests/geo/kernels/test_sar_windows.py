"""Lasting steps of squares: found, bracketed, the earliest of several; what returns or never was is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from geo.kernels import sar, sar_track, series
from geo.kernels import sar_windows as win

RADIUS, ENL = 1, 8.0
DAYS = 12.0 * np.arange(24)
ORBIT = np.zeros(24, np.int64)
SITE = (slice(20, 27), slice(20, 27))
MIDDLE = (slice(21, 26), slice(21, 26))


def ground(seed: int, size: int = 60) -> np.ndarray:
    """Linear power (T,2,row,col) under gamma speckle, with showers that the whole scene shares."""
    rng = np.random.default_rng(seed)
    level = np.array([-9.0, -15.0])[:, None, None] + rng.normal(0, 1.5, (2, size, size))
    rain = rng.normal(0, 0.4, (len(DAYS), 2, 1, 1))
    return 10 ** ((level + rain) / 10) * rng.gamma(ENL, 1 / ENL, (len(DAYS), 2, size, size))


def change(power: np.ndarray, dates: slice, db: tuple[float, float]) -> None:
    """Change the site on some dates."""
    power[dates, :, SITE[0], SITE[1]] *= 10 ** (np.array(db)[:, None, None] / 10)


def judged(power: np.ndarray) -> tuple[series.Breaks, np.ndarray, series.Breaks]:
    """Breaks and states of the squares, and what the look-by-look monitor said before."""
    cube = win.averaged_db(power, RADIUS)
    sample = cube[:, :, ::3, ::3].reshape(len(DAYS), 2, -1)
    enl = win.window_looks(sar.estimate_enl(power[:, 0]), RADIUS)
    scene = sar_track.fit_scene(10 ** (sample.astype(np.float64) / 10), enl, ORBIT)
    rules = series.SeriesSettings()
    reference = series.fit_reference(np.ascontiguousarray(sample.transpose(2, 0, 1)), DAYS, ORBIT, rules)
    before = series.monitor(cube, DAYS, ORBIT, reference, rules)
    states = series.states(cube, DAYS, ORBIT, reference, before, rules)
    looks = win.Looks(DAYS, ORBIT, enl, scene, sar_track.Rules(least_db=1.0))
    found, told = win.lasting_steps(cube, looks, before, states)
    return found, told, before


@pytest.mark.parametrize("seed", range(6))
def test_a_lasting_step_is_found_and_bracketed(seed: int) -> None:
    """Two noise widths of one pixel, anywhere in the series: the site's squares are found, the truth lies inside."""
    onset = int(np.random.default_rng(seed).integers(4, 18))
    power = ground(seed)
    change(power, slice(onset, None), (2.0, -4.0))
    found, states, _ = judged(power)
    sure = found.confirmed[MIDDLE] >= 0
    assert sure.mean() > 0.9
    inside = (found.unchanged[MIDDLE] < onset) & (found.first[MIDDLE] >= onset)
    assert inside[sure].mean() >= 0.9
    assert np.median((found.first - found.unchanged)[MIDDLE][sure]) <= 3
    assert (states[: onset - 2, MIDDLE[0], MIDDLE[1]][:, sure] != win.NEW).all()
    shift = (found.after - found.before)[:, MIDDLE[0], MIDDLE[1]][:, sure].mean(axis=1)
    np.testing.assert_allclose(shift, (2.0, -4.0), atol=0.8)
    away = np.ones(found.first.shape, bool)
    away[16:31, 16:31] = False
    assert (found.confirmed[away] >= 0).mean() < 0.01
    assert np.nanquantile(found.z_max[away], 0.999) < np.nanmedian(found.score[MIDDLE])


def test_it_finds_what_look_by_look_is_too_weak_for() -> None:
    """A step that no single look shows for sure is as sure as the number of looks makes it."""
    more, less = 0.0, 0.0
    for seed in range(4):
        power = ground(seed)
        change(power, slice(10, None), (-1.5, -2.0))
        found, _, before = judged(power)
        more += (found.confirmed[MIDDLE] >= 0).mean() / 4
        less += (before.confirmed[MIDDLE] >= 0).mean() / 4
    assert more > 0.8
    assert less < more / 2


@pytest.mark.parametrize("seed", range(4))
def test_of_two_steps_the_first_is_the_beginning(seed: int) -> None:
    """Bare ground first, strong echoes later: no date after the first step proves the old state."""
    power = ground(seed)
    change(power, slice(8, 15), (-2.0, -3.5))
    change(power, slice(15, None), (7.0, 6.0))
    found, states, _ = judged(power)
    sure = found.confirmed[MIDDLE] >= 0
    assert sure.mean() > 0.9
    assert (found.unchanged[MIDDLE][sure] < 8).mean() >= 0.95
    assert (states[8:, MIDDLE[0], MIDDLE[1]][:, sure] == win.OLD).mean() < 0.05


def test_what_comes_and_goes_is_no_lasting_step() -> None:
    power = ground(3)
    change(power, slice(8, 14), (-3.0, -5.0))
    found, _, before = judged(power)
    assert ((found.confirmed[MIDDLE] >= 0) & (found.returned[MIDDLE] < 0)).mean() < 0.1
    same = found.first == before.first
    assert same.mean() > 0.98, "left to the look-by-look monitor"


def test_unseen_ground_stays_unseen_and_a_halo_hides_the_tiling() -> None:
    power = ground(5)
    change(power, slice(12, None), (3.0, -4.0))
    power[:, :, :, 50:] = np.nan
    power[4, :, 18:30] = np.nan
    found, states, _ = judged(power)
    assert np.isnan(found.score[:, 50:]).all()
    assert (states[:, :, 50:] == win.UNSEEN).all()
    assert (states[4, 18:30] == win.UNSEEN).all()
    cube = win.averaged_db(power, RADIUS)
    part = win.averaged_db(power[:, :, 19:41, 9:31], RADIUS)
    np.testing.assert_array_equal(part[:, :, 1:-1, 1:-1], cube[:, :, 20:40, 10:30])
