"""The phases of a site from what every look shows of its ground: opened, built, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from geo.kernels import cover
from geo.kernels.phases import decide
from pipelines.assess.findings import PhaseFinding, PhaseName
from pipelines.detect.series import NEW, NOT_SEEN, SeriesMap, cover_of, state_of

STRIP_PX = 20_000


def phase_findings(seen: SeriesMap, inside: NDArray[np.bool_], times: Sequence[datetime]) -> list[PhaseFinding]:
    """Phases of the ground `inside` (row, col); none where the bands cannot tell soil from roofs."""
    if seen.unit == "linear-power":
        return []
    bare, built, looked = shares(seen, inside)
    found = decide(seen.days, bare, built, looked)
    return [
        PhaseFinding(
            phase=_name(onset.phase),
            not_before=times[onset.not_before] if onset.not_before >= 0 else None,
            not_after=times[onset.not_after] if onset.not_after >= 0 else None,
            reason=_reason(onset.not_after, bare, built),
        )
        for onset in found
    ]


def shares(
    seen: SeriesMap, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the seen ground that are opened and not built, and built for good, and the share seen; (time,) each."""
    rows, cols = np.nonzero(inside)
    codes = np.load(seen.codes, mmap_mode="r")
    count = np.zeros((3, len(codes)))
    for start in range(0, rows.size, STRIP_PX):
        part = slice(start, start + STRIP_PX)
        own = np.array(codes[:, rows[part], cols[part]])
        states, land = state_of(own), cover_of(own)
        believed = seen.changed[rows[part], cols[part]]
        first = np.where(believed, seen.breaks.first[rows[part], cols[part]], -1).astype(np.int16)
        holds = np.where(land < 0, np.int8(-1), (land == cover.BUILT).astype(np.int8))
        onset, _ = cover.onset(holds[:, None], first[None], k=seen.settings.k, n=seen.settings.n)
        index = np.arange(len(codes))[:, None]
        shows = states != NOT_SEEN
        stands = shows & (onset >= 0) & (index >= onset)
        opened = (states == NEW) & believed & (land != cover.VEGETATION) & ~stands
        count += [opened.sum(axis=1), stands.sum(axis=1), shows.sum(axis=1)]
    total = np.maximum(count[2], 1)
    return count[0] / total, count[1] / total, count[2] / max(1, rows.size)


def _name(word: str) -> PhaseName:
    return word  # type: ignore[return-value]  # one vocabulary, SMART's, in both


def _reason(at: int, bare: NDArray[np.float64], built: NDArray[np.float64]) -> str:
    if at < 0:
        return "as at the beginning of the series"
    return f"{bare[at]:.0%} of the ground opened and {built[at]:.0%} built on that look"
