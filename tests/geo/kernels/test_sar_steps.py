"""Several steps of one zone: each is found, bracketed, and judged between its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from geo.kernels.sar_steps import zone_steps
from geo.kernels.sar_track import Rules, SceneNoise, fit_scene

LOOKS = 110.0


def series(rng: np.random.Generator, zones: int, cycles: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power (T,2,Z) of two orbits, 6 days apart."""
    days = np.arange(2 * cycles) * 6.0
    orbit = np.arange(2 * cycles) % 2
    db = np.array([[-8.0, -14.0], [-9.0, -14.5]])[orbit][:, :, None] + rng.normal(0, 0.4, (2 * cycles, 2, 1))
    return 10 ** (db / 10) * rng.gamma(LOOKS, 1 / LOOKS, (2 * cycles, 2, zones)), days, orbit


def change(power: np.ndarray, start: int, vv_db: float, vh_db: float) -> np.ndarray:
    out = power.copy()
    out[start:] *= 10 ** (np.array([vv_db, vh_db])[:, None] / 10)
    return out


@pytest.fixture(scope="module")
def quiet() -> tuple[np.ndarray, np.ndarray, np.ndarray, SceneNoise]:
    power, days, orbit = series(np.random.default_rng(1), 260)
    return power[:, :, :60], days, orbit, fit_scene(power[:, :, 60:], LOOKS, orbit)


def test_cleared_then_built(quiet: tuple[np.ndarray, np.ndarray, np.ndarray, SceneNoise]) -> None:
    power, days, orbit, scene = quiet
    built = change(change(power, 14, -4, -7), 32, 7, 7)
    found = zone_steps(built, LOOKS, days, orbit, scene)
    counts = np.bincount(found.zone, minlength=60)
    assert (counts == 2).mean() > 0.9
    assert (np.diff(found.zone) >= 0).all()
    inside = [
        any(before < start <= after for start in (14, 32))
        for before, after in zip(found.not_before, found.not_after, strict=True)
    ]
    assert np.mean(inside) > 0.95
    first = np.flatnonzero(np.diff(found.zone, prepend=-1))
    np.testing.assert_allclose(np.median(found.change_db[first], axis=0), [-4, -7], atol=0.4)
    assert (found.p < 1e-4).all()


def test_nothing_on_quiet_ground_nor_before_a_month_has_passed(
    quiet: tuple[np.ndarray, np.ndarray, np.ndarray, SceneNoise],
) -> None:
    power, days, orbit, scene = quiet
    assert zone_steps(power, LOOKS, days, orbit, scene).zone.size == 0
    late = change(power, 47, 6, 3)
    assert zone_steps(late, LOOKS, days, orbit, scene).zone.size == 0
    rules = Rules(lasting_days=0)
    assert len(np.unique(zone_steps(late, LOOKS, days, orbit, scene, rules=rules).zone)) > 54


@pytest.mark.parametrize("start", [44, 46, 47, 48, 49])
def test_a_young_step_does_not_undo_the_one_before(
    quiet: tuple[np.ndarray, np.ndarray, np.ndarray, SceneNoise], start: int
) -> None:
    power, days, orbit, scene = quiet
    found = zone_steps(change(change(power, 14, -4, -7), start, 7, 7), LOOKS, days, orbit, scene)
    cleared = found.zone[(found.not_before < 14) & (found.not_after >= 14)]
    assert len(np.unique(cleared)) > 54


def test_a_zone_alone_says_the_same(quiet: tuple[np.ndarray, np.ndarray, np.ndarray, SceneNoise]) -> None:
    power, days, orbit, scene = quiet
    built = change(power, 20, 5, -3)
    kept = built.copy()
    whole = zone_steps(built, np.full(60, LOOKS), days, orbit, scene)
    np.testing.assert_array_equal(built, kept)
    alone = zone_steps(built[:, :, 7:8], LOOKS, days, orbit, scene)
    at = whole.zone == 7
    assert at.any()
    np.testing.assert_array_equal(alone.not_before, whole.not_before[at])
    np.testing.assert_array_equal(alone.change_db, whole.change_db[at])
