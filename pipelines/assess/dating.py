"""When did it begin? Between the last scene that provably shows the old state and the first that shows the new one.

A scene that was clear but could not tell the two apart bounds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.detect.series import NEW, NOT_SEEN, OLD, UNCLEAR

BEGUN_SHARE = 0.02
SEEN_SHARE = 0.8
OLD_SHARE = 0.9
HARDLY_NEW = 0.25


@dataclass(frozen=True)
class Bracket:
    """Indices into the looks.

    `not_before` is -1 where no look shows the old state, `sure` (the look that confirmed it) where none has yet.
    """

    not_before: int
    not_after: int
    sure: int


def bracket(
    states: NDArray[np.uint8], first: NDArray[np.integer], confirmed: NDArray[np.integer], *, least_px: int
) -> Bracket:
    """When a piece of ground began to change.

    It had begun on the first look on which at least `least_px` pixels (or 2 % of the piece) are in the new state for
    good. It had provably not begun on the last look before which shows nine tenths of the ground that changed first,
    all but a tenth of it provably in its old state, with no more than a quarter of `least_px` pixels new in the whole
    piece.

    Args:
        states: (time, pixel) of the piece: NOT_SEEN, OLD, NEW, UNCLEAR.
        first: (pixel,) index of the first look in the new state for good.
        confirmed: (pixel,) index of the look that confirmed it.
        least_px: how many pixels make a beginning.
    """
    need = max(least_px, int(np.ceil(BEGUN_SHARE * first.size)))
    need = min(need, first.size)
    begun = int(np.sort(first)[need - 1])
    early = first <= begun
    # What began with it: pixels that the first look of the new state shows changed, and their old selves.
    not_before = -1
    for t in range(begun - 1, -1, -1):
        now = states[t]
        seen = now[early] != NOT_SEEN
        if seen.mean() < SEEN_SHARE:
            continue
        old = np.count_nonzero(now[early] == OLD)
        new = np.count_nonzero(now == NEW)
        if old >= OLD_SHARE * np.count_nonzero(seen) and new <= max(1.0, HARDLY_NEW * need):
            not_before = t
            break
    sure = np.sort(confirmed[confirmed >= 0])
    return Bracket(not_before, begun, int(sure[need - 1]) if sure.size >= need else -1)


def why_so_wide(states: NDArray[np.uint8], found: Bracket, missed: int, times: Sequence[float]) -> str:
    """What lies in the gap, as words.

    Args:
        states: (time, pixel) of the piece.
        found: the interval.
        missed: acquisitions in the interval that were refused as a whole (cloud, place, damage).
        times: days of the looks.
    """
    if found.not_before < 0:
        return "no scene before it provably shows the earlier state, so the beginning may lie before the series"
    between = states[found.not_before + 1 : found.not_after]
    seen = (between != NOT_SEEN).mean(axis=1) >= SEEN_SHARE if between.size else np.zeros(0, bool)
    unclear = int(np.count_nonzero(seen))
    hidden = len(between) - unclear + missed
    days = times[found.not_after] - times[found.not_before]
    if unclear + hidden == 0:
        return f"the two scenes are consecutive acquisitions, {days:.0f} days apart"
    said = []
    if hidden:
        said.append(f"{hidden} did not show this ground")
    if unclear:
        said.append(f"{unclear} showed it but could not tell the two states apart")
    return f"of {unclear + hidden} acquisition{'s' if unclear + hidden > 1 else ''} in between, " + " and ".join(said)


def share_new(states: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(share of the piece in the new state among what could be told, share that was seen), both (time,); NaN unseen."""
    new = np.count_nonzero(states == NEW, axis=1)
    old = np.count_nonzero(states == OLD, axis=1)
    unclear = np.count_nonzero(states == UNCLEAR, axis=1)
    told = new + old
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(told > 0, new / told, np.nan)
    return share, (told + unclear) / states.shape[1]
