"""Kernels of the perimeter monitor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.kernels import perimeter as kernel


def test_rank_p_is_uniform_under_the_null_and_keeps_its_floor() -> None:
    rng = np.random.default_rng(0)
    p = np.array([float(kernel.rank_p(rng.standard_normal(), rng.standard_normal(99))) for _ in range(2000)])
    assert p.min() >= 0.01
    for level in (0.05, 0.2, 0.5):
        assert abs((p <= level + 1e-9).mean() - level) < 0.03


def test_a_distance_left_out_is_that_of_a_fit_without_the_neighbours() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((80, 3)) @ rng.standard_normal((3, 3))
    near = np.abs(np.subtract.outer(np.arange(80), np.arange(80))) < 4
    near[0, 1:] = near[1:, 0] = False
    found, null = kernel.line_distances(x, near)
    assert null is not None
    assert found[0] == pytest.approx(float(kernel.fit_null(x[1:]).distance(x[0])), rel=0.1)
    others = [k for k in range(1, 80) if not near[40, k]]
    assert found[40] == pytest.approx(float(kernel.fit_null(x[others]).distance(x[40])), rel=0.1)


def test_too_few_lines_judge_nothing() -> None:
    found, null = kernel.line_distances(np.zeros((8, 3)), np.eye(8, dtype=bool))
    assert null is None
    assert np.isnan(found).all()


def test_one_house_does_not_outvote_a_line() -> None:
    rng = np.random.default_rng(2)
    null = kernel.fit_null(rng.standard_normal((500, 2)))
    line = np.tile([0.8, 0.0], (30, 1)) + 0.3 * rng.standard_normal((30, 2))
    line[4] = (-200.0, 0.0)
    assert kernel.bounded_mean(line, null, 1.0)[0] > 0.5
    line[:10] = np.nan
    assert np.isnan(kernel.bounded_mean(line, null, 1.0)).all()


def test_what_the_earlier_date_foretells_is_no_change() -> None:
    rng = np.random.default_rng(3)
    before = rng.standard_normal((400, 2))
    true = np.array([[1.2, 0.1], [0.0, 0.8]])
    after = before @ true + 0.01 * rng.standard_normal((400, 2))
    after[:40] += 5.0
    assert kernel.fit_prediction(before, after) == pytest.approx(true, abs=0.05)


@given(st.integers(0, 59), st.integers(5, 55), st.booleans())
def test_the_built_part_is_found_wherever_it_lies(start: int, length: int, closed: bool) -> None:
    rng = np.random.default_rng(start * 100 + length)
    built = np.zeros(60, bool)
    built[(start + np.arange(length)) % 60] = True
    chance, level = kernel.standing(3.0 * built + rng.standard_normal(60), closed=closed)
    assert abs(chance.mean() - built.mean()) < 0.1
    assert 2 < level < 4


def test_a_segment_not_seen_follows_its_neighbours() -> None:
    y = np.where(np.arange(40) < 20, 4.0, 0.0)
    y[5], y[30] = np.nan, np.nan
    chance, _ = kernel.standing(y, closed=False)
    assert chance[5] > 0.9 > 0.1 > chance[30]


def test_dates_that_prove_nothing_bound_nothing() -> None:
    rng = np.random.default_rng(4)
    null = rng.standard_normal((8, 400))
    y = np.array([0.0, 0.1, np.nan, 5.0, 5.0, 10.0, 10.1, 9.9])  # half a wall's worth proves both: nothing
    assert kernel.interval(y, null, 10.0, 0.01) == (1, 5)
    assert kernel.interval(np.full(8, np.nan), null, 10.0, 0.01) == (-1, -1)
    assert kernel.interval(y, 20 * null, 10.0, 0.01)[1] in (-1, 7)


def test_dates_taken_together_prove_what_single_ones_cannot() -> None:
    rng = np.random.default_rng(5)
    null = rng.standard_normal((32, 400))
    y = np.where(np.arange(32) < 16, 0.0, 2.0)
    unchanged, first = kernel.interval(y, null, 2.0, 0.01)
    assert 0 <= unchanged <= 15
    assert 16 <= first <= 31


def test_a_passing_excursion_is_no_beginning() -> None:
    states = np.array([-1, 1, -1, -1, -1, 1, 1, 1], np.int8)
    assert kernel.first_seen(states) == (4, 5)


def test_a_ridge_is_no_step() -> None:
    step = np.where(np.arange(21) < 10, 0.1, 0.3)
    assert np.nanmax(np.abs(kernel.ridge(step, 2))) == 0
    wall = step.copy()
    wall[14] += 0.2
    assert np.nanargmax(kernel.ridge(wall, 2)) == 14
    dark = -wall
    assert np.nanargmin(kernel.ridge(dark, 2)) == 14


def test_ridge_response_keeps_what_was_not_seen() -> None:
    profile = np.full((2, 21), 0.2)
    profile[0, 10] = 0.5
    profile[1] = np.nan
    found = kernel.ridge_response(profile, np.array([0.1, 0.1]), (2,), slice(4, 17))
    assert found[0] == pytest.approx(3.0)
    assert np.isnan(found[1])
