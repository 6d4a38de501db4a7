"""Changed pixels become pieces in space and time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from pipelines.detect.pieces import pieces, sharpened


def test_neighbours_apart_in_time_are_two_events() -> None:
    changed = np.ones((3, 6), bool)
    days = np.zeros((3, 6))
    days[:, 3:] = 200.0
    found = pieces(changed, days, link_days=90, min_px=1)
    assert [piece.area_px for piece in found] == [9, 9]
    assert [piece.window[1] for piece in found] == [slice(0, 3), slice(3, 6)]


def test_a_change_that_walks_on_is_one_event() -> None:
    days = np.arange(0, 600, 60.0)[None, :].repeat(2, axis=0)
    assert [piece.area_px for piece in pieces(np.ones(days.shape, bool), days, link_days=61, min_px=1)] == [20]


def test_small_pieces_are_dropped_and_none_is_none() -> None:
    changed = np.zeros((5, 5), bool)
    assert pieces(changed, np.zeros((5, 5)), link_days=1, min_px=1) == []
    changed[0, 0] = changed[4, 4] = changed[3, 4] = True
    assert [piece.area_px for piece in pieces(changed, np.zeros((5, 5)), link_days=1, min_px=2)] == [2]


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_on_one_day_pieces_are_the_connected_components(changed: np.ndarray) -> None:
    found = pieces(changed, np.zeros(changed.shape), link_days=1, min_px=1)
    labels, count = ndimage.label(changed, np.ones((3, 3)))
    assert len(found) == count
    seen = np.zeros(changed.shape, int)
    for piece in found:
        seen[piece.window] += piece.inside
        assert len(np.unique(labels[piece.window][piece.inside])) == 1
    assert (seen == changed).all()


def test_edge_pixels_of_which_less_than_half_changed_are_left_out() -> None:
    """A square that ends within pixels: shares of 1 inside, 0.3 on one side, 0.7 on the other."""
    share = np.zeros((8, 8))
    share[2:6, 2:6] = 1
    share[2:6, 1], share[2:6, 6] = 0.3, 0.7
    change = np.array([0.1, -0.2])[:, None, None] * share
    (piece,) = pieces(share > 0, np.zeros((8, 8)), link_days=1, min_px=1)
    kept = sharpened(piece, change, min_px=4)
    assert kept.area_px == 20
    assert not kept.inside[:, 0].any()
    assert sharpened(piece, change * 0, min_px=4) is piece
    assert sharpened(piece, change, min_px=30) is piece


def test_dates_known_by_an_interval_are_as_far_apart_as_their_intervals() -> None:
    changed = np.ones((1, 3), bool)
    days, since = np.array([[300.0, 500.0, 900.0]]), np.array([[200.0, 280.0, 870.0]])
    found = pieces(changed, days, link_days=90, min_px=1, since=since)
    assert [piece.area_px for piece in found] == [2, 1]
    unknown = pieces(changed, days, link_days=90, min_px=1, since=np.full((1, 3), np.nan))
    assert [piece.area_px for piece in unknown] == [1, 1, 1]
