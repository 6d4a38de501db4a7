"""The measured half of a reference: spreads, tails and terms are those of the sample."""

import numpy as np
import pytest
from series_cases import make, sample

from geo.kernels.series import fit_reference
from geo.kernels.series_reference import SeriesSettings

RULES = SeriesSettings(classes=1)


def noise(seed=0, pixels=800, times=40, bands=3):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, 1, (pixels, times, bands)).astype(np.float32),
        18_000 + 15.0 * np.arange(times),
        np.zeros(times, np.int64),
    )


def test_plain_noise_needs_no_mending() -> None:
    """Scale, spread and tail of Gaussian noise are one."""
    values, days, group = noise()
    found = fit_reference(values, days, group, RULES)
    np.testing.assert_allclose(found.scale, 1, atol=0.06)
    np.testing.assert_allclose(np.sqrt(found.spread2), 1, atol=0.25)
    assert found.tail[0] < 1.15
    assert found.harmonic_variance[0] < 0.2


def test_a_bad_day_is_known_for_it() -> None:
    """A date on which honest ground strays four times as far has that spread, and no other date has."""
    values, days, group = noise(1)
    values[:, 30] *= 4
    found = fit_reference(values, days, group, RULES)
    spread = np.sqrt(found.spread2[0])
    assert spread[30] == pytest.approx(4, rel=0.15)
    assert np.delete(spread, 30).max() < 1.4


def test_a_scene_wide_shift_is_in_the_curve() -> None:
    """Haze over everything is the scene's, not the pixels'."""
    values, days, group = noise(2)
    values[:, 20] += 7
    found = fit_reference(values, days, group, RULES)
    np.testing.assert_allclose(found.curve[0, 20], 7, atol=0.3)


def test_own_seasons_and_orbits_are_measured() -> None:
    """Pixels with seasons and orbit offsets of their own, in noise variances."""
    values, days, _ = noise(3, times=80)
    rng = np.random.default_rng(4)
    group = np.arange(80) % 2
    angle = 2 * np.pi * days / 365.2425
    for wave in (np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)):
        values += (wave[None, :, None] * rng.normal(0, 2, (800, 1, 3))).astype(np.float32)
    offset = rng.normal(0, 3, (800, 1, 3))
    values += np.where(group[None, :, None] == 1, offset, -offset).astype(np.float32)
    found = fit_reference(values, days, group, RULES)
    per_noise = found.scale.mean() ** 2
    assert found.harmonic_variance[0] * per_noise == pytest.approx(4, rel=0.35)
    assert found.group_variance[0] * per_noise == pytest.approx(9, rel=0.35)


def test_a_tenth_of_changed_ground_hardly_moves_it() -> None:
    """Medians: spreads and tails with a tenth of the ground cleared stay within a fifth."""
    with_change, days, group, _ = make(seed=6, change=0.1, haze=0)
    without, *_ = make(seed=6, change=0.0, haze=0)
    changed = fit_reference(sample(with_change), days, group, RULES)
    quiet = fit_reference(sample(without), days, group, RULES)
    np.testing.assert_allclose(changed.scale, quiet.scale, rtol=0.2)
    assert changed.tail[0] < 1.3 * quiet.tail[0]


def test_too_few_votes_leave_a_date_out() -> None:
    """A date that hardly any of the sample shows has no curve: it is not judged by guesswork."""
    values, days, group = noise(5)
    values[8:, 10] = np.nan
    found = fit_reference(values, days, group, RULES)
    assert np.isnan(found.curve[0, 10]).all()
    assert np.isfinite(np.delete(found.curve[0], 10, axis=0)).all()
