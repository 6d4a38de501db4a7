"""Radar tests of change: against other people's numbers, and against simulated speckle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from geo.kernels import sar

GOLDEN = Path(__file__).parents[2] / "golden" / "omnibus.json"


def gamma(rng: np.random.Generator, looks: float, shape: tuple[int, ...], mean: float = 0.1) -> np.ndarray:
    return rng.gamma(looks, mean / looks, shape)


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text(encoding="utf-8")))
def test_omnibus_equals_the_slow_way(case: dict[str, object]) -> None:
    power = np.array(case["power"])[..., None]
    found = sar.omnibus(power, float(case["looks"]))  # type: ignore[arg-type]
    np.testing.assert_allclose(found.p, [case["p"]], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(found.p_step[:, 0], case["p_step"], rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    ("dates", "size", "critical"),
    [(2, 3, 0.3123), (3, 3, 0.3058), (2, 4, 0.4780), (3, 4, 0.4699), (2, 5, 0.5845), (3, 5, 0.5762)],
)
def test_omnibus_at_the_critical_values_of_bartletts_test(dates: int, size: int, critical: float) -> None:
    """For one polarisation the test is Bartlett's, whose exact 5 % points Dyer & Keating (1980, JASA 75) tabulate:

    the ratio of geometric to arithmetic mean variance of `dates` samples of `size`, each with size - 1 = 2 looks.
    """
    looks = (size - 1) / 2
    # The first date is brighter and the others equal: solve for the ratio that the table gives.
    ratios = np.geomspace(1, 4000, 400_000)
    quotient = ratios ** (1 / dates) / ((ratios + dates - 1) / dates)
    ratio = float(ratios[np.argmin(np.abs(quotient - critical))])
    power = np.array([ratio, *([1.0] * (dates - 1))])[:, None, None]
    p = float(sar.omnibus(power, looks).p[0])
    assert p == pytest.approx(0.05, abs=0.003 if looks >= 1.5 else 0.012)  # the approximation is for looks above 2


@pytest.mark.parametrize("ratio", [1.3, 2.0, 5.0])
def test_two_dates_are_the_exact_ratio_test(ratio: float) -> None:
    looks = 5.0
    exact = 2 * stats.f.sf(ratio, 2 * looks, 2 * looks)
    found = sar.omnibus(np.array([ratio, 1.0])[:, None, None], looks)
    assert float(found.p[0]) == pytest.approx(exact, rel=0.02, abs=1e-4)
    np.testing.assert_allclose(found.p_step[0], found.p, rtol=0.02)


@pytest.mark.parametrize(("dates", "pols", "looks"), [(4, 1, 4.4), (10, 2, 4.4), (25, 2, 12.0)])
def test_speckle_alone_gives_even_p(dates: int, pols: int, looks: float) -> None:
    """False alarms at 5 %, 1 % and 0.1 % are as many as said, for all tests; the steps do not depend on each other."""
    rng = np.random.default_rng(dates)
    power = gamma(rng, looks, (dates, pols, 60_000))
    found = sar.omnibus(power, looks)
    for level in (0.05, 0.01, 0.001):
        noise = 4 * np.sqrt(level / 60_000)
        assert (found.p < level).mean() == pytest.approx(level, abs=noise + 0.05 * level)
        assert (found.p_step < level).mean() == pytest.approx(level, abs=noise + 0.05 * level)
        half = dates // 2
        first, last = (sar.decibel(part) for part in (power[:half], power[half:]))
        assert np.isfinite(first).all()
        assert np.isfinite(last).all()
        tests = [[sar.t_statistic(power[:half, p], power[half:, p])] for p in range(pols)]
        assert (sar.combine(tests) < level).mean() == pytest.approx(level, abs=noise + 0.15 * level)
    assert abs(np.corrcoef(found.p_step[0], found.p_step[1])[0, 1]) < 0.02


def test_the_step_that_changes_is_named() -> None:
    rng = np.random.default_rng(1)
    power = gamma(rng, 60, (9, 2, 2000))
    power[5:, 0] *= 2.5
    found = sar.omnibus(power, 60)
    assert (found.p < 1e-6).mean() > 0.999
    assert (np.argmax(found.p_step < 1e-4, axis=0) == 4).mean() > 0.99  # the sixth date, against the five before


def test_orbits_agree_and_polarisations_may_part() -> None:
    """Opposite signs of two orbits cancel, of two polarisations do not; an unseen layer takes nothing away."""
    rng = np.random.default_rng(3)
    before, after = gamma(rng, 30, (6, 500)), gamma(rng, 30, (6, 500))
    up, down = (sar.t_statistic(before, after * f) for f in (2.0, 0.5))
    blind = sar.t_statistic(np.full((6, 500), np.nan), after)
    assert np.isnan(blind.t).all()
    same, apart = sar.combine([[up, up]]), sar.combine([[up, down]])
    assert np.median(same) < np.median(sar.combine([[up]])) < 1e-4
    assert np.median(apart) > 0.01
    assert np.median(sar.combine([[up], [down]])) < np.median(sar.combine([[up]]))
    np.testing.assert_allclose(sar.combine([[up, blind], [blind]]), sar.combine([[up]]))
    assert np.isnan(sar.combine([[blind]])).all()


def test_welch_students_t_is_scipys() -> None:
    rng = np.random.default_rng(4)
    before, after = gamma(rng, 5, (7, 3, 4)), gamma(rng, 5, (9, 3, 4))
    expected = stats.ttest_ind(np.log(after), np.log(before), axis=0)
    found = sar.t_statistic(before, after)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_array_equal(found.dof, 14)
    np.testing.assert_allclose(sar.combine([[found]]), expected.pvalue)


@pytest.mark.parametrize("looks", [1.0, 4.4, 20.0])
def test_looks_are_recovered_under_texture_rain_and_change(looks: float) -> None:
    rng = np.random.default_rng(int(looks))
    power = gamma(rng, looks, (12, 8000)) * rng.lognormal(0, 1, 8000) * rng.lognormal(0, 0.2, (12, 1))
    power[6:, :800] *= 3
    assert sar.estimate_enl(power, share=0.3) == pytest.approx(looks, rel=0.12)  # a tenth of the ground changed
    assert sar.speckle_db(looks) == pytest.approx(np.std(sar.decibel(gamma(rng, looks, (200_000,)))), rel=0.02)
    assert np.isnan(sar.estimate_enl(power[:2]))


def test_the_scenes_part_goes_and_an_events_part_stays() -> None:
    rng = np.random.default_rng(5)
    db = sar.decibel(gamma(rng, 200, (8, 50, 50)))
    rain = np.array([0, 0, 2.0, 1, 0, 0, -1, 0])
    db += rain[:, None, None]
    db[4:, :8] -= 4
    flat = sar.level(db)
    assert np.ptp(np.median(flat[:, 8:], axis=(1, 2))) < 0.3
    assert np.median(flat[4:, :8]) - np.median(flat[:4, :8]) < -3.7


def test_zones_and_looks_take_power_not_decibel() -> None:
    power = np.array([[[1.0, 3.0, 100.0], [np.nan, 1.0, 1.0]]])
    weights = np.array([[[1, 1, 0], [0, 0, 0]], [[0, 0, 0], [1, 0.5, 0]], [[0, 0, 0.5], [0, 0, 0]]], float)
    np.testing.assert_allclose(sar.zone_power(power, weights), [[2.0, np.nan, 100.0]])
    np.testing.assert_allclose(sar.zone_power(power[:, None], weights, least=0.3), [[[2.0, 1.0, 100.0]]])
    looked = sar.multilook(power, 1)
    assert looked[0, 0, 0] == pytest.approx(5 / 3)
    assert np.isnan(looked[0, 1, 0])
    np.testing.assert_array_equal(sar.multilook(power, 0), power)


def test_what_is_not_seen_is_not_judged() -> None:
    power = gamma(np.random.default_rng(0), 5, (5, 2, 3))
    power[2, 0, 1] = np.nan
    power[3, 1, 2] = 0  # no power: no observation
    kept = power.copy()
    found = sar.omnibus(power, 5)
    np.testing.assert_array_equal(power, kept)
    assert np.isfinite(found.p).tolist() == [True, False, False]
    assert np.isfinite(found.p_step[:, 1]).tolist() == [True, False, False, False]
    with pytest.raises(ValueError, match="looks > 0"):
        sar.omnibus(power, 0)
    with pytest.raises(ValueError, match="different pixels"):
        sar.t_statistic(power, power[:, :, :2])
    with pytest.raises(ValueError, match="nothing"):
        sar.combine([])
