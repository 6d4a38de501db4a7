"""Is the 1000 that Sentinel-2's processing adds since baseline 04.00 in the numbers of this file, or not?

Metadata lie in both directions: copies of the archive took the offset off and say so, or do not, or say so and did
not. An offset left in, or taken off twice, changes every index, and looks like a change of the ground. So pixels are
asked as well: what is sure is used, what contradicts itself is refused, nothing is ever subtracted on a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geo.errors import InputError

ADDED = 1000.0
FIRST_BASELINE = (4, 0)
FIRST_DAY = datetime(2022, 1, 25, tzinfo=UTC)
"""From this day on every product carries the offset (ESA, Sentinel-2 processing baseline 04.00)."""
VISIBLE = ("blue", "green", "red", "swir22", "swir16")
_CLEAR_CLASSES = (4, 5, 6, 7)
_DARK_PERCENT = 1.0
_ENOUGH_PX = 400
# Surface reflectance below -0.02 is rarer than one pixel in a hundred; above 0.05 something is not dark.
_SURELY_WITHOUT = ADDED - 200
_WITH = (ADDED - 100, ADDED + 500)
_SPREAD = 450

Says = Literal["present", "absent", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What metadata say of one item.

    Attributes:
        offset: in reflectance, as the asset states it; None where it states none.
        baseline: of the processor, (0, 0) if unknown.
        applied: whether the offset was taken off already (`earthsearch:boa_offset_applied`), None where not said.
        time: of the acquisition.
    """

    offset: float | None = None
    baseline: tuple[int, int] = (0, 0)
    applied: bool | None = None
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The offset in counts to add to the numbers (0 or -1000), and a sentence on what it rests."""

    counts: float
    note: str


def settle(stated: Stated, pixels: Says) -> Settled:
    """Decide by metadata and pixels whether 1000 has to be taken off.

    Raises:
        InputError: they contradict each other, or neither says it.
    """
    told = told_by_metadata(stated)
    if pixels == "absent":
        lied = " although the metadata say that 1000 was added" if told == "present" else ""
        return Settled(counts=0.0, note=f"The darkest ground shows that no offset is in the numbers{lied}.")
    if told == "present":
        return Settled(counts=-ADDED, note="1000 counts, added by the processing, are taken off in reading.")
    if told == "absent" and pixels == "unknown":
        return Settled(counts=0.0, note="By its metadata no offset is in the numbers.")
    if told == "absent":
        raise InputError(
            "Its metadata say that no offset is in the numbers, but its darkest ground lies about 1000 counts up in "
            "every band; it is left out rather than corrected on a guess."
        )
    if pixels == "present" and stated.time >= FIRST_DAY and stated.applied is not True:
        note = (
            "Metadata do not tell it; date and darkest ground say that 1000 was added, which is taken off in reading."
        )
        return Settled(counts=-ADDED, note=note)
    raise InputError(
        "Neither its metadata nor its pixels tell whether 1000 was added to its numbers; it is left out rather than "
        "read on a guess."
    )


def told_by_metadata(stated: Stated) -> Says:
    """What metadata say; `unknown` where they say nothing or contradict each other."""
    known = stated.baseline != (0, 0)
    late = stated.baseline >= FIRST_BASELINE
    if stated.applied:
        return "absent"
    if stated.offset:
        return "unknown" if known and not late else "present"
    if stated.offset is None or stated.applied is False:
        return "present" if late else "absent" if known else "unknown"
    return "unknown" if late else "absent"


def shown_by_pixels(counts: Mapping[str, NDArray[np.generic]], classes: NDArray[np.generic] | None) -> Says:
    """What the darkest ground shows.

    Args:
        counts: band name to stored numbers (row, col), 0 = no data.
        classes: scene classification (row, col) where there is one; only ground and water that it calls clear count.

    Returns:
        `absent` where more than 1 % of the pixels would have a reflectance below -0.02 if 1000 had been added;
        `present` where the darkest ground of all bands lies just above 1000; `unknown` where nothing dark is seen
        (cloud, sand, snow) or too little.
    """
    levels = [level for band in VISIBLE if band in counts for level in [_dark_level(counts[band], classes)]]
    if len(levels) < 2 or any(level is None for level in levels):
        return "unknown"
    known = np.array(levels, np.float64)
    if known.min() < _SURELY_WITHOUT:
        return "absent"
    if _WITH[0] <= known.min() and known.max() <= _WITH[1] and np.ptp(known) <= _SPREAD:
        return "present"
    return "unknown"


def _dark_level(band: NDArray[np.generic], classes: NDArray[np.generic] | None) -> float | None:
    """The first percentile of the clear pixels, None where there are too few."""
    valid = band != 0
    if classes is not None:
        valid &= np.isin(classes, _CLEAR_CLASSES)
    return float(np.percentile(band[valid], _DARK_PERCENT)) if np.count_nonzero(valid) >= _ENOUGH_PX else None
