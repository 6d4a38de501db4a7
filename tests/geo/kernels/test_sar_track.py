"""Radar series of zones: steps are found and bracketed, everything else is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from geo.kernels import sar_track as tr
from geo.kernels.sar import decibel, zone_power

LOOKS = 4.4
STEP = (4.5, -3.0)


def series(
    rng: np.random.Generator, zones: int, *, cycles: int = 12, orbits: int = 2, rain: float = 0.4, pixels: int = 25
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power (T,2,Z) of zones of 25 pixels under gamma speckle, two orbits of one geometry each, showers of rain."""
    days = np.concatenate([np.arange(cycles) * 12.0 + 5 * o for o in range(orbits)])
    orbit = np.repeat(np.arange(orbits), cycles)
    order = np.argsort(days, kind="stable")
    days, orbit = days[order], orbit[order]
    level = rng.normal(0, 2, (orbits, 2, zones)) + np.array([-9.0, -15.0])[:, None]
    db = level[orbit] + rng.normal(0, rain, (len(days), 2, 1))
    speckle = rng.gamma(LOOKS * pixels, 1 / (LOOKS * pixels), db.shape)
    return 10 ** (db / 10) * speckle, days, orbit


def step(power: np.ndarray, onset: np.ndarray, change_db: np.ndarray) -> np.ndarray:
    """Change the zones from their onset on: onset (Z,), change (2,Z)."""
    after = (np.arange(len(power))[:, None] >= onset)[:, None]
    return power * np.where(after, 10 ** (change_db / 10), 1)


@pytest.mark.parametrize("seed", range(10))
def test_steps_are_found_and_bracketed(seed: int) -> None:
    """Footprints of 0.25 ha, VV +3 to +6 dB and VH -2 to -4 dB, on any date: 95 % found, 93 % bracketed."""
    rng = np.random.default_rng(seed)
    power, days, orbit = series(rng, 500)
    scene = tr.fit_scene(power[:, :, 200:], LOOKS * 25, orbit)
    onset = rng.integers(3, len(days) - 5, 200)
    change = np.stack([rng.uniform(3, 6, 200), rng.uniform(-4, -2, 200)])
    track = tr.zone_track(step(power[:, :, :200], onset, change), LOOKS * 25, days, orbit, scene)
    assert track.confirmed.mean() >= 0.95
    at = track.confirmed
    assert ((track.not_before < onset) & (onset <= track.not_after))[at].mean() >= 0.93
    assert np.median((track.not_after - track.not_before)[at]) <= 2
    np.testing.assert_allclose(track.change_db[:, at], change[:, at], atol=1.5)
    quiet = tr.zone_track(power[:, :, 200:], LOOKS * 25, days, orbit, scene)
    assert quiet.confirmed.sum() == 0
    assert set(np.unique(quiet.states)) <= {tr.UNSEEN, tr.UNSURE}


def test_p_is_as_rare_as_it_says_on_quiet_ground() -> None:
    rng = np.random.default_rng(77)
    power, days, orbit = series(rng, 4000, cycles=10)
    scene = tr.fit_scene(power[:, :, ::2], LOOKS * 25, orbit)
    track = tr.zone_track(power[:, :, 1::2], LOOKS * 25, days, orbit, scene)
    for level in (0.1, 0.03, 0.01):
        assert (track.p < level).mean() <= level + 4 * np.sqrt(level / 2000)


def test_states_are_the_four_words() -> None:
    rng = np.random.default_rng(3)
    power, days, orbit = series(rng, 300, rain=0.0)
    scene = tr.fit_scene(power, LOOKS * 25, orbit)
    changed = step(power[:, :, :1], np.array([12]), np.array(STEP)[:, None])
    changed[8, :, 0] = np.nan
    changed[14, :, 0] /= 10 ** (0.7 * np.array(STEP) / 10)  # most of the way back: neither
    track = tr.zone_track(changed, LOOKS * 25, days, orbit, scene)
    line = track.states[:, 0]
    assert line[8] == tr.UNSEEN
    assert (np.delete(line[:12], 8) == tr.OLD).mean() > 0.8
    assert not (line[:12] == tr.NEW).any()
    assert (np.delete(line[12:], 2) == tr.NEW).all()
    assert line[14] == tr.UNSURE
    assert track.not_before[0] == 11
    assert track.not_after[0] == 12


def test_a_slow_change_is_bracketed_from_its_first_day() -> None:
    """Clearing that takes a month: half-way dates show neither state, and the interval reaches over them."""
    rng = np.random.default_rng(4)
    power, days, orbit = series(rng, 300, cycles=15)
    scene = tr.fit_scene(power, LOOKS * 25, orbit)
    start, end = 80.0, 110.0
    way = np.clip((days - start) / (end - start), 0, 1)
    slow = power[:, :, :50] * 10 ** (way[:, None] * np.array([-4.0, -7.0]) / 10)[:, :, None]
    track = tr.zone_track(slow, LOOKS * 25, days, orbit, scene)
    assert track.confirmed.mean() > 0.95
    before, after = days[track.not_before[track.confirmed]], days[track.not_after[track.confirmed]]
    assert (before <= start + 5).mean() > 0.93  # 15 % of the way is within noise
    assert (after >= start).all()
    assert (after <= end).mean() > 0.95


def test_what_comes_and_goes_is_not_confirmed() -> None:
    """A flood of two cycles, a crop that drifts up and down, and a state held for less than the rules ask."""
    rng = np.random.default_rng(5)
    power, days, orbit = series(rng, 300)
    scene = tr.fit_scene(power, LOOKS * 25, orbit)
    flood = power[:, :, :50].copy()
    flood[8:12] *= 10**-0.6
    crop = power[:, :, :50] * 10 ** (0.4 * np.sin(days / days[-1] * np.pi))[:, None, None]
    late = step(power[:, :, :50], np.full(50, len(days) - 3), np.repeat(np.array(STEP)[:, None], 50, 1))
    for case in (flood, crop, late):
        assert not tr.zone_track(case, LOOKS * 25, days, orbit, scene).confirmed.any()
    soon = tr.zone_track(late, LOOKS * 25, days, orbit, scene, rules=tr.Rules(lasting_days=0))
    assert soon.confirmed.mean() > 0.9


def test_orbits_of_different_geometry_are_no_change() -> None:
    """Even where half the series is of one orbit only, and where somebody calls two orbits one."""
    rng = np.random.default_rng(6)
    power, days, orbit = series(rng, 200)
    late = (orbit == 0) | (days > 70)
    for used in (orbit, np.zeros_like(orbit)):
        scene = tr.fit_scene(power[late], LOOKS * 25, used[late])
        assert not tr.zone_track(power[late], LOOKS * 25, days[late], used[late], scene).confirmed.any()


def test_a_noisy_scene_proves_little() -> None:
    """Where controls come and go by 3 dB, a step of 3 dB is not claimed."""
    rng = np.random.default_rng(7)
    power, days, orbit = series(rng, 300)
    power *= 10 ** (rng.normal(0, 3, power.shape) / 10)
    scene = tr.fit_scene(power[:, :, 100:], LOOKS * 25, orbit)
    assert (scene.spread_db > 2.5).all()
    changed = step(power[:, :, :100], np.full(100, 12), np.repeat(np.array([[3.0], [-2.0]]), 100, 1))
    track = tr.zone_track(changed, LOOKS * 25, days, orbit, scene)
    assert track.confirmed.mean() < 0.05


def test_controls_may_change_themselves() -> None:
    """One control in twelve is built upon: the rest still sets the noise."""
    rng = np.random.default_rng(8)
    power, days, orbit = series(rng, 360)
    changed = step(power[:, :, :60], np.full(60, 10), np.repeat(np.array(STEP)[:, None], 60, 1))
    controls = np.concatenate([changed[:, :, :25], power[:, :, 60:335]], axis=2)
    track = tr.zone_track(changed, LOOKS * 25, days, orbit, tr.fit_scene(controls, LOOKS * 25, orbit))
    assert track.confirmed.mean() > 0.95


def test_blind_zones_and_short_series_are_said_so() -> None:
    power, days, orbit = series(np.random.default_rng(9), 60)
    power[:, :, 0] = np.nan
    power[:, 1, 1] = np.nan  # one polarisation is enough
    kept = power.copy()
    scene = tr.fit_scene(power, LOOKS * 25, orbit)
    track = tr.zone_track(power, LOOKS * 25, days, orbit, scene)
    np.testing.assert_array_equal(power, kept)
    assert (track.states[:, 0] == tr.UNSEEN).all()
    assert np.isnan(track.p[0])
    assert (track.states[:, 1] == tr.UNSURE).all()
    assert (track.not_before == -1).all()
    few = tr.zone_track(power[:4], LOOKS * 25, days[:4], orbit[:4], tr.fit_scene(power[:4], LOOKS * 25, orbit[:4]))
    assert not few.confirmed.any()
    with pytest.raises(ValueError, match="do not fit"):
        tr.zone_track(power, LOOKS, days, orbit[:-1], scene)


def test_zones_do_not_know_of_each_other() -> None:
    power, days, orbit = series(np.random.default_rng(10), 120)
    power[12:, 0, :40] *= 2.5
    scene = tr.fit_scene(power, LOOKS * 25, orbit)
    whole = tr.zone_track(power, LOOKS * 25, days, orbit, scene)
    part = tr.zone_track(power[:, :, 30:70], LOOKS * 25, days, orbit, scene)
    np.testing.assert_array_equal(part.states, whole.states[:, 30:70])
    np.testing.assert_array_equal(part.p, whole.p[30:70])


def test_a_zone_is_the_mean_of_its_power() -> None:
    """Zone means first, logarithm after: looks add up."""
    rng = np.random.default_rng(12)
    power = rng.gamma(LOOKS, 1 / LOOKS, (2000, 5, 5))
    mean = zone_power(power, np.ones((1, 5, 5)))
    spread = decibel(mean).std()
    assert spread == pytest.approx(float(tr.speckle_db(LOOKS * 25)), rel=0.05)
