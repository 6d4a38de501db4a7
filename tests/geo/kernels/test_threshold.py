"""Nulls, false-discovery control, hysteresis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geo.kernels import threshold


def test_log_logistic_recovers_its_parameters() -> None:
    """Fitted to its own random numbers."""
    rng = np.random.default_rng(0)
    u = rng.random(200_000)
    sample = 3.0 * (u / (1 - u)) ** (1 / 2.5)
    law = threshold.fit_log_logistic(sample, floor=0.01)
    assert law.median == pytest.approx(3, rel=0.01)
    assert law.slope == pytest.approx(2.5, rel=0.02)


def test_massive_change_does_not_break_the_null() -> None:
    """With 30 % of the ground changed the median moves by less than a quarter of the spread to the change."""
    rng = np.random.default_rng(1)
    quiet = np.abs(rng.normal(size=70_000)) + 0.2
    both = np.concatenate([quiet, 50 + rng.random(30_000)])
    a, b = (threshold.fit_log_logistic(v, floor=0.01) for v in (quiet, both))
    assert b.median < 1.8 * a.median
    assert b.evidence(np.array([50.0]))[0] > 4 > np.quantile(b.evidence(quiet), 0.99)


def test_floor_slope_and_empty_samples() -> None:
    """Rounding errors and nothing at all end in the floor."""
    assert threshold.fit_log_logistic(np.full(100, 1e-9), floor=0.5).median == 0.5
    assert threshold.fit_log_logistic(np.array([np.nan]), floor=0.5) == (0.5, 8.0)
    assert threshold.fit_fused(np.array([])) > 0
    with pytest.raises(ValueError, match="floor"):
        threshold.fit_log_logistic(np.ones(3), floor=0)


def test_table_looks_up_what_the_function_computes() -> None:
    """To a tenth of a percent over twelve decades; zero, NaN and infinity are themselves."""
    table = threshold.Table.of(np.sqrt)
    x = np.geomspace(1e-6, 1e6, 1000).astype(np.float32)
    np.testing.assert_allclose(table(x), np.sqrt(x.astype(float)), rtol=1e-3)
    out = table(np.float32([0, np.nan, np.inf]))
    assert out[0] == 0
    assert np.isnan(out[1])
    assert out[2] == table(np.float32([1e30]))[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 3000), st.floats(0, 0.5), st.sampled_from([0.01, 0.05, 0.2]))
def test_benjamini_hochberg_is_the_textbook_procedure(seed: int, n: int, share: float, rate: float) -> None:
    """Claims nothing the exact procedure would not, keeps its inequality, loses at most a bin's width."""
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    p[rng.random(n) < share] **= 6
    p = np.maximum(p, 1e-28)
    order = np.sort(p)
    below = np.nonzero(order <= rate * np.arange(1, n + 1) / n)[0]
    exact = order[below[-1]] if below.size else 0.0
    found = threshold.benjamini_hochberg(threshold.score_histogram((-np.log10(p)).astype(np.float32)), rate)
    step = 10 ** (1 / threshold.P_BINS_PER_DECADE)
    claimed = int((p <= found).sum())
    assert claimed <= int((p <= exact).sum())
    assert claimed == 0 or found <= rate * claimed / n * 1.0001
    generous = np.nonzero(order * step**2 <= rate * np.arange(1, n + 1) / n)[0]
    assert claimed >= (generous[-1] + 1 if generous.size else 0)


def test_histograms_of_tiles_add_up_and_nothing_is_claimed_of_pure_chance() -> None:
    """Uniform p, any split: the same histogram and no discovery."""
    p = (np.arange(100_000) + 0.5) / 100_000
    score = (-np.log10(p)).astype(np.float32)
    halves = threshold.score_histogram(score[::2]) + threshold.score_histogram(score[1::2])
    np.testing.assert_array_equal(halves, threshold.score_histogram(score))
    assert threshold.benjamini_hochberg(halves, 0.05) == 0
    assert threshold.benjamini_hochberg(np.zeros(10, np.int64), 0.05) == 0
    with pytest.raises(ValueError, match="rate"):
        threshold.benjamini_hochberg(halves, 1)


def test_hysteresis_keeps_seeded_pieces_of_the_minimum_size() -> None:
    """Against a plain loop over the pieces."""
    rng = np.random.default_rng(2)
    field = ndimage.gaussian_filter(rng.normal(size=(80, 90)), 2)
    weak, strong = field > 0.15, field > 0.4
    labels, count = ndimage.label(weak, np.ones((3, 3)))
    expected = np.zeros_like(weak)
    for k in range(1, count + 1):
        piece = labels == k
        if (piece & strong).any() and piece.sum() >= 12:
            expected |= piece
    assert expected.any()
    np.testing.assert_array_equal(threshold.hysteresis(strong, weak, 12), expected)


@pytest.mark.parametrize("changed", [0.0, 0.08, 0.15, 0.28])
@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_tail_does_not_mistake_much_change_for_noise(changed: float, seed: int) -> None:
    """Up to three tenths of the ground changed strongly: the threshold stays between noise and change."""
    rng = np.random.default_rng(seed)
    values = rng.exponential(1.0, 20_000)
    values[rng.random(20_000) < changed] += 40.0
    at = threshold.fit_exponential_tail(values, floor=0.1).quantile(1e-5)
    assert np.log(1e5) * 0.9 < at < 40


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
def test_a_heavy_tail_of_one_population_is_read_from_its_upper_deciles(sigma: float) -> None:
    values = np.random.default_rng(0).lognormal(0, sigma, 50_000)
    law = threshold.fit_exponential_tail(values, floor=0.1)
    assert law.start == pytest.approx(np.quantile(values, 0.9))
