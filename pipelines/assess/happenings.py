"""From pieces of changed ground to what happened on them: clearing, construction, demolition, regrowth; each dated.

One piece may tell several stories: palms are felled, then something is built, or they grow again. Each is an event of
its own, with its own interval. Bare ground is never called built: that needs the look of built material on most clear
dates to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.kernels import cover
from pipelines.assess.dating import Bracket, bracket
from pipelines.assess.findings import Kind
from pipelines.detect.pieces import Piece
from pipelines.detect.series import NEW, NOT_SEEN, OLD, UNCLEAR, SeriesMap, cover_of, state_of

PART_OF_PIECE = 0.05
SAME_START_LOOKS = 2
MAJORITY = 0.5
FIRST_LOOKS = 4
STRONGER_DB = 3.0
WEAKER_DB = -2.0

NAMES = {
    cover.OTHER: "other", cover.VEGETATION: "vegetation", cover.WATER: "water", cover.BARE: "bare ground",
    cover.BUILT: "built",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing that happened to a piece of ground.

    Attributes:
        kind, direction: what, in a word, and from what to what.
        inside: (row, col) of the piece's window: the pixels that it happened to.
        states: (time, pixel) of those pixels: NOT_SEEN, OLD, NEW, UNCLEAR, as far as this happening goes.
        found: when it began.
        lasts: True if the ground is still so at the end, False if not, None if that was not seen.
    """

    kind: Kind
    direction: str
    window: tuple[slice, slice]
    inside: NDArray[np.bool_]
    states: NDArray[np.uint8]
    found: Bracket
    lasts: bool | None


def happenings(piece: Piece, seen: SeriesMap) -> list[Happening]:
    """What happened to a piece, in order of time."""
    codes = seen.read_codes(piece.window)[:, piece.inside]
    states, land = state_of(codes), cover_of(codes)
    first = np.asarray(piece.cut(seen.breaks.first), np.int64)
    confirmed = np.asarray(piece.cut(seen.breaks.confirmed), np.int64)
    least = seen.settings.min_area_px
    found = bracket(states, first, confirmed, least_px=least)
    told = [_change(piece, seen, states, land, found)]
    if seen.unit != "linear-power":
        told += _later(piece, seen, land, first, told[0])
    return told


def _change(
    piece: Piece, seen: SeriesMap, states: NDArray[np.uint8], land: NDArray[np.int8], found: Bracket
) -> Happening:
    """The break itself, named by what was there before and right after."""
    lasts = _lasts(states, found.not_after)
    if seen.unit == "linear-power":
        kind, direction = _radar_kind(piece, seen)
    else:
        before = _commonest(land[: found.not_after], (states[: found.not_after] == OLD), last=True)
        after = _commonest(land[found.not_after :], (states[found.not_after :] == NEW), last=False)
        kind, direction = _kind(before, after), f"{NAMES[before]} to {NAMES[after]}"
        if before == after:
            direction = f"{NAMES[before]} to other {NAMES[after]}"
    return Happening(
        kind=kind, direction=direction, window=piece.window, inside=piece.inside, states=states, found=found,
        lasts=lasts,
    )  # fmt: skip


def _later(
    piece: Piece, seen: SeriesMap, land: NDArray[np.int8], first: NDArray[np.int64], change: Happening
) -> list[Happening]:
    """What became of the ground after it had changed: something was built on it, or it is green again."""
    told = []
    wanted: tuple[tuple[int, Kind], ...] = ((cover.BUILT, "construction"), (cover.VEGETATION, "regrowth"))
    for land_cover, kind in wanted:
        onset, without = _since_for_good(land, first, land_cover, seen)
        # What was so before the break has not become so by it; plants come back after a time without.
        before = without >= first if land_cover == cover.VEGETATION else ~_was(land, first, land_cover)
        there = (onset >= 0) & before
        need = max(seen.settings.min_area_px, int(np.ceil(PART_OF_PIECE * first.size)))
        if np.count_nonzero(there) < need:
            continue
        states = np.where(land == cover.UNSEEN, np.uint8(NOT_SEEN), np.uint8(UNCLEAR))
        index = np.arange(len(land))[:, None]
        states[(land >= 0) & (land != land_cover) & (index <= without)] = OLD
        states[(land == land_cover) & (index >= onset)] = NEW
        states = states[:, there]
        sure = _kth(land[:, there] == land_cover, onset[there], seen.settings.k)
        found = bracket(states, onset[there], sure, least_px=seen.settings.min_area_px)
        if kind == change.kind and abs(found.not_after - change.found.not_after) <= SAME_START_LOOKS:
            continue  # built at once where plants or soil were: one event, not two
        inside = np.zeros_like(piece.inside)
        inside[piece.inside] = there
        told.append(
            Happening(
                kind=kind, direction=f"{NAMES[cover.BARE]} to {NAMES[land_cover]}", window=piece.window,
                inside=inside, states=states, found=found, lasts=_lasts(states, found.not_after),
            )
        )  # fmt: skip
    return told


def _since_for_good(
    land: NDArray[np.int8], first: NDArray[np.int64], wanted: int, seen: SeriesMap
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    holds = np.where(land == cover.UNSEEN, np.int8(-1), (land == wanted).astype(np.int8))
    onset, without = cover.onset(
        holds[:, None, :], first.astype(np.int16)[None, :], k=seen.settings.k, n=seen.settings.n
    )
    return onset[0].astype(np.int64), without[0].astype(np.int64)


def _was(land: NDArray[np.int8], first: NDArray[np.int64], wanted: int) -> NDArray[np.bool_]:
    """Pixels that mostly looked so before their break already."""
    before = np.arange(len(land))[:, None] < first[None]
    seen = (land >= 0) & before
    return np.asarray((seen & (land == wanted)).sum(axis=0) > MAJORITY * seen.sum(axis=0))


def _kth(holds: NDArray[np.bool_], onset: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Index of the k-th look from `onset` on which it holds, per pixel; -1 where there are fewer."""
    index = np.arange(len(holds))[:, None]
    count = np.cumsum(holds & (index >= onset[None]), axis=0)
    return np.where(count[-1] >= k, np.argmax(count >= k, axis=0), -1)


def _commonest(land: NDArray[np.int8], those: NDArray[np.bool_], *, last: bool) -> int:
    """The commonest cover over the first (or last) few looks of each pixel's own that count."""
    order = those[::-1] if last else those
    near = np.cumsum(order, axis=0) <= FIRST_LOOKS
    chosen = order & near
    values = (land[::-1] if last else land)[chosen]
    values = values[values >= 0]
    return int(np.bincount(values.astype(np.int64), minlength=5).argmax()) if values.size else cover.OTHER


def _kind(before: int, after: int) -> Kind:
    if after == cover.BUILT:
        return "construction" if before != cover.BUILT else "other"
    if before == cover.BUILT and after in (cover.BARE, cover.VEGETATION):
        return "demolition"
    if before == cover.VEGETATION and after == cover.BARE:
        return "clearing"
    if before == cover.BARE and after == cover.VEGETATION:
        return "regrowth"
    return "other"


def _radar_kind(piece: Piece, seen: SeriesMap) -> tuple[Kind, str]:
    """Radar shows plants going (VH falls) and walls and roofs coming (VV rises); it names nothing else."""
    change = {
        band: float(np.nanmedian(piece.cut(seen.breaks.after[k]) - piece.cut(seen.breaks.before[k])))
        for k, band in enumerate(seen.bands)
    }
    told = ", ".join(f"{band} {value:+.1f} dB" for band, value in change.items())
    if max(change.get("vv", 0.0), change.get("vh", 0.0)) >= STRONGER_DB:
        return "construction", f"radar echo stronger ({told})"
    if change.get("vh", 0.0) <= WEAKER_DB:
        return "clearing", f"radar echo weaker ({told})"
    return "other", f"radar echo changed ({told})"


def _lasts(states: NDArray[np.uint8], since: int) -> bool | None:
    """Whether the last looks that can tell still show the new state."""
    told = states[since:]
    seen = np.count_nonzero((told == NEW) | (told == OLD), axis=1) >= MAJORITY * states.shape[1]
    if not seen.any():
        return None
    last: Sequence[int] = np.flatnonzero(seen)[-3:].tolist()
    new = np.mean([(told[t] == NEW).sum() / max(1, int((told[t] != NOT_SEEN).sum())) for t in last])
    return bool(new > MAJORITY)
