"""What the surroundings did: medians, order, classes, and that a change cannot found a class of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from series_cases import make, sample

from geo.kernels.series import fit_reference
from geo.kernels.series_reference import (
    SeriesSettings,
    check_times,
    design,
    first_clear,
    median,
    nearest_class,
    ordered,
    start,
)

VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan")))


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=VALUES))
def test_median_is_numpys(values: np.ndarray) -> None:
    """NaN left out; the input stays as it was."""
    kept = values.copy()
    found = median(values)
    np.testing.assert_array_equal(values, kept)
    for column, value in zip(values.T, found, strict=True):
        seen = column[np.isfinite(column)]
        if len(seen):
            assert value == pytest.approx(np.median(seen.astype(np.float64)), rel=1e-6, abs=1e-6)
        else:
            assert np.isnan(value)


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
def test_ordered_is_a_function_of_the_set(order: list[int], again: list[int]) -> None:
    """Order and repetition do not matter; ties of a day are kept apart by group."""
    days, group = np.array([3.0, 1, 2, 2, 5, 4]), np.array([0, 0, 1, 0, 1, 0])
    cube = np.arange(12, dtype=np.float32).reshape(6, 2) * 0.37
    cube[2, 0] = np.nan
    index = [*order, *again]
    for one, other in zip(ordered(cube[index], days[index], group[index]), ordered(cube, days, group), strict=True):
        np.testing.assert_array_equal(one, other)
    check_times(*ordered(cube, days, group)[1:], 6)


def test_twins_fill_each_others_gaps() -> None:
    """The same overpass from two tiles: what one does not show the other may."""
    cube = np.array([[1.0, np.nan], [np.nan, 2.0]], np.float32)
    merged, days, _ = ordered(cube, np.array([7.0, 7.0]), np.array([0, 0]))
    np.testing.assert_array_equal(merged, [[1.0, 2.0]])
    assert days.tolist() == [7.0]


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 6))), st.integers(1, 4))
def test_first_clear_marks_the_first_looks(clear: np.ndarray, count: int) -> None:
    """As a running count says it."""
    full = np.zeros_like(clear)
    cut = first_clear(clear, count)
    full[: len(cut)] = cut
    np.testing.assert_array_equal(full, clear & (np.cumsum(clear, axis=0) <= count))


def test_a_change_does_not_found_a_class() -> None:
    """A fifth of the ground is cleared: the curves of all classes stay those of unchanged ground."""
    cube, days, group, _ = make(seed=2, times=40, change=0.2, haze=0, after=12)
    quiet, *_ = make(seed=2, times=40, change=0, haze=0)
    some = sample(cube)
    draft, classes = start(some, days, group, SeriesSettings())
    assert draft.spatial
    pure = sample(quiet)
    for c in range(len(draft.curve)):
        truth_curve = np.nanmedian(pure[classes == c], axis=0)
        off = np.abs(draft.curve[c] - truth_curve)[np.isfinite(draft.curve[c])]
        assert np.median(off) < 0.01


def test_a_small_sample_has_no_surroundings() -> None:
    """Below fifty pixels the curve is flat, and said not to be spatial."""
    cube, days, group, _ = make(seed=2, times=30, size=8, cloud=0)
    draft, _ = start(sample(cube)[:10], days, group, SeriesSettings())
    assert not draft.spatial
    assert (np.ptp(draft.curve, axis=1) == 0).all()


def test_the_class_is_that_of_the_first_looks() -> None:
    """What a pixel becomes later has no say."""
    curve = np.stack([np.full((20, 1), 1.0), np.full((20, 1), 5.0)])
    values = np.full((20, 1, 3), 1.0, np.float32)
    values[6:, :, 1] = 5
    values[:, :, 2] = 5
    found = nearest_class(values, np.ones((20, 3), np.bool_), curve, np.ones((2, 1)), 6)
    assert found.tolist() == [0, 0, 1]


def test_columns_of_the_baseline() -> None:
    """Level, two harmonics and two orbits for a long series; the level alone for a short one."""
    cube, days, _, _ = make(seed=2, times=40, size=24)
    group = np.arange(40) % 2
    draft, _ = start(sample(cube), days, group, SeriesSettings())
    assert design(days, group, draft, 2).shape == (40, 7)
    short, _ = start(sample(cube[:8]), days[:8], np.zeros(8, np.int64), SeriesSettings())
    assert design(days[:8], np.zeros(8, np.int64), short, 2).shape == (8, 1)


def test_times_must_rise() -> None:
    """Ties, holes and disorder are told apart from what can be used."""
    none = np.zeros(2, np.int64)
    for days in ([2.0, 1.0], [1.0, 1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match=r"sorted|finite"):
            check_times(np.array(days), none, 2)
    with pytest.raises(ValueError, match="as many"):
        check_times(np.array([1.0, 2.0]), none, 3)
    check_times(np.array([1.0, 1.0]), np.array([22, 95]), 2)


@pytest.mark.parametrize("looks", [0, 3])
def test_ground_that_is_hardly_seen_changes_no_class(looks: int) -> None:
    """As much again of it, as beyond an image's edge, leaves the reference as it is."""
    cube, days, group, _ = make(seed=4, size=64)
    seen = sample(cube)
    blank = np.full_like(seen, np.nan)
    blank[:, :looks] = 0.3
    both = np.concatenate([blank, seen])
    alone = fit_reference(seen, days, group, SeriesSettings())
    beside = fit_reference(both, days, group, SeriesSettings())
    assert len(alone.curve) > 2
    np.testing.assert_array_equal(beside.curve, alone.curve)
    np.testing.assert_array_equal(beside.scale, alone.scale)
