"""Intervals: what bounds a beginning, and what does not."""

from __future__ import annotations

import numpy as np

from pipelines.assess.dating import Bracket, bracket, share_new, why_so_wide
from pipelines.detect.series import NEW, NOT_SEEN, OLD, UNCLEAR

PIXELS = 100


def _states(*rows: int) -> np.ndarray:
    return np.repeat(np.array(rows, np.uint8)[:, None], PIXELS, axis=1)


def _bracket(states: np.ndarray, first: int, confirmed: int = -1) -> Bracket:
    pixels = states.shape[1]
    return bracket(states, np.full(pixels, first), np.full(pixels, confirmed), least_px=4)


def test_between_the_last_old_and_the_first_new() -> None:
    assert _bracket(_states(OLD, OLD, NEW, NEW, NEW), 2, 4) == Bracket(1, 2, 4)


def test_clouds_and_looks_that_cannot_tell_bound_nothing() -> None:
    assert _bracket(_states(OLD, NOT_SEEN, UNCLEAR, NOT_SEEN, NEW), 4) == Bracket(0, 4, -1)


def test_a_field_that_was_bare_anyway_gives_no_lower_bound() -> None:
    assert _bracket(_states(UNCLEAR, UNCLEAR, NEW), 2).not_before == -1


def test_a_look_that_shows_half_of_the_ground_is_no_lower_bound() -> None:
    states = _states(OLD, OLD, NEW)
    states[1, :50] = NOT_SEEN
    assert _bracket(states, 2).not_before == 0


def test_staged_work_begins_with_its_first_part() -> None:
    """A twentieth changes at look 2, the rest at look 5: the beginning lies before look 2."""
    states = _states(OLD, OLD, OLD, OLD, OLD, NEW)
    states[2:, :5] = NEW
    first = np.full(PIXELS, 5)
    first[:5] = 2
    assert bracket(states, first, first, least_px=4) == Bracket(1, 2, 2)


def test_a_handful_of_new_pixels_before_spoils_a_lower_bound() -> None:
    states = _states(OLD, OLD, NEW)
    states[1, :3] = NEW  # more than a quarter of what makes a beginning
    assert _bracket(states, 2).not_before == 0


def test_the_reason_counts_what_lies_between() -> None:
    states = _states(OLD, NOT_SEEN, UNCLEAR, NOT_SEEN, NEW)
    said = why_so_wide(states, Bracket(0, 4, -1), 3, [0, 5, 10, 15, 20])
    assert said == (
        "of 6 acquisitions in between, 5 did not show this ground and 1 showed it but could not tell the two states apart"
    )
    assert "consecutive acquisitions, 5 days" in why_so_wide(_states(OLD, NEW), Bracket(0, 1, -1), 0, [0, 5])
    assert "before the series" in why_so_wide(_states(UNCLEAR, NEW), Bracket(-1, 1, -1), 0, [0, 5])


def test_shares_are_of_what_could_be_told() -> None:
    states = _states(OLD, UNCLEAR, NEW)
    states[2, :50] = NOT_SEEN
    share, seen = share_new(states)
    assert share[0] == 0
    assert np.isnan(share[1])
    assert share[2] == 1
    assert seen.tolist() == [1.0, 1.0, 0.5]
