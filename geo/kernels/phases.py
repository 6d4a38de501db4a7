"""Which phase of construction a site is in, and between which two looks each phase began.

The vocabulary and the order are those of IARPA SMART (Goldberg et al. 2023): No Activity, Site Preparation, Active
Construction, Post Construction. A phase is never left backwards, unless what was built is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_ACTIVITY, SITE_PREPARATION, ACTIVE, POST, UNKNOWN = (
    "No Activity", "Site Preparation", "Active Construction", "Post Construction", "Unknown",
)  # fmt: skip
Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PhaseSettings:
    """When a phase counts as begun.

    Attributes:
        seen: share of the ground that a look must show to count.
        opened: share of the ground that is bare or built in Site Preparation.
        built: share of the ground that is built in Active Construction: a first house or yard on a large site.
        finished: least share that is built of a site that is finished; with less, a lull is no end.
        complete: share of all that stands in the end, from which on nothing more is being built.
        quiet_days: how long nothing more must have been built before the end of the series.
        k, n: a phase has begun when k of n looks show it.
    """

    seen: float = 0.5
    opened: float = 0.05
    built: float = 0.006
    finished: float = 0.03
    complete: float = 0.9
    quiet_days: float = 365.0
    k: int = 3
    n: int = 4


class PhaseOnset(NamedTuple):
    """A phase and the looks that bound its beginning: indices, -1 where none does."""

    phase: str
    not_before: int
    not_after: int


def decide(
    days: Float, bare: Float, built: Float, seen: Float, settings: PhaseSettings | None = None
) -> list[PhaseOnset]:
    """Phases in order of time; empty where no look shows enough of the ground.

    Args:
        days: (time,) rising.
        bare: (time,) share of the seen ground that has been opened and is not built, 0-1; anything where not seen.
        built: (time,) share that is built, likewise.
        seen: (time,) share of the ground that the look shows, 0-1.
        settings: see `PhaseSettings`.

    Returns:
        The first phase has no beginning (-1, -1) where the series opens in it. Looks that show too little bound none.
    """
    s = settings or PhaseSettings()
    looks = np.flatnonzero(seen >= s.seen)
    if looks.size == 0:
        return []
    opened, stands = (bare + built)[looks], built[looks]
    prepared = _onset(opened >= s.opened, opened < s.opened / 2, s)
    begun = _onset(stands >= s.built, stands < s.built / 2, s)
    found = []
    start = -1
    for phase, onset in ((SITE_PREPARATION, prepared), (ACTIVE, begun)):
        if onset is not None and onset[1] > start:
            found.append(PhaseOnset(phase, *onset))
            start = onset[1]
    if prepared is not None and begun is not None and begun[1] <= prepared[1]:
        found = [PhaseOnset(ACTIVE, *begun)]
    if begun is not None:
        found += _after(days[looks], stands, begun[1], s)
    if not found or found[0].not_after > 0:
        found.insert(0, PhaseOnset(NO_ACTIVITY, -1, -1))
    elif found[0].not_after == 0:
        found[0] = PhaseOnset(found[0].phase, -1, -1)
    place = [*looks.tolist(), -1]
    return [PhaseOnset(p.phase, int(place[p.not_before]), int(place[p.not_after])) for p in found]


def _onset(holds: NDArray[np.bool_], without: NDArray[np.bool_], s: PhaseSettings) -> tuple[int, int] | None:
    """(last look without, first look with) of a condition that k of n looks confirm; None where it never begins."""
    total = np.concatenate([[0], np.cumsum(holds)])
    ahead = total[np.minimum(np.arange(len(holds)) + s.n, len(holds))] - total[:-1]
    starts = np.flatnonzero(holds & (ahead >= s.k))
    if starts.size == 0:
        return None
    first = int(starts[0])
    before = np.flatnonzero(without[:first])
    return (int(before[-1]) if before.size else -1), first


def _after(days: Float, stands: Float, begun: int, s: PhaseSettings) -> list[PhaseOnset]:
    """Post Construction where nothing more was built for long enough; No Activity where all that stood is gone."""
    last = stands[-s.n :]
    gone = _onset(stands[begun:] < s.built / 2, stands[begun:] >= s.built, s)
    if gone is not None and np.median(last) < s.built / 2:
        return [PhaseOnset(NO_ACTIVITY, gone[0] + begun if gone[0] >= 0 else begun, gone[1] + begun)]
    final = float(np.median(last))
    if final < s.finished:
        return []
    # The running largest: a look in haze does not undo what stood before.
    grown = np.maximum.accumulate(stands)
    short = np.flatnonzero(grown < s.complete * final)
    done = int(short[-1]) + 1 if short.size else begun
    if done <= begun or done >= len(days) or days[-1] - days[done] < s.quiet_days or len(days) - done < s.k:
        return []
    return [PhaseOnset(POST, done - 1, done)]
