"""Events of a series: every happening with its outline, its two scenes, its chance of being false, and its history."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.files.polygons import merged, outlines
from pipelines.assess.dating import share_new, why_so_wide
from pipelines.assess.findings import AreaPoint, Confidence, Event
from pipelines.assess.happenings import Happening, happenings
from pipelines.detect.pieces import Piece, pieces
from pipelines.detect.radar import RadarBracket
from pipelines.detect.series import SeriesMap

PROBABLE_P = 0.1
CONFIRMED_P = 0.01
SURE_AREA = 2  # smallest pieces
LEVELS = (0.0, 0.25, 0.5, 0.75)
SAME_EVENT_IOU = 0.3


_ECHO = {"construction": True, "clearing": False}
"""Whether the radar echo of ground becomes stronger."""


class ByRadar(Protocol):
    """What radar says of ground (row, col) that changed after one time and not after another."""

    def __call__(
        self, inside: NDArray[np.bool_], start: datetime | None, end: datetime, *, rising: bool | None
    ) -> RadarBracket | None:
        """Bracket the first step of the ground; None where radar does not show it."""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What all events of a run share.

    Attributes:
        times: of the looks; site_id: enters new ids.
        refused_times: acquisitions of the same sensor that gave no look.
        to_lonlat, zone_of: of geometries in the grid's coordinates.
        site_px: pixels of the ground that the run is about; grid_px: of all ground.
        earlier: events of the site's run before this one, whose ids go on where the event is the same.
        radar: what radar says of when ground changed; None where there is none.
    """

    times: Sequence[datetime]
    site_id: str
    refused_times: Sequence[datetime]
    to_lonlat: Callable[[BaseGeometry], BaseGeometry]
    zone_of: Callable[[BaseGeometry], str]
    site_px: float
    grid_px: float
    earlier: Sequence[Event] = ()
    radar: ByRadar | None = None


def series_events(seen: SeriesMap, telling: Telling, others: Sequence[Event] = ()) -> list[Event]:
    """All events, most certain first; those not yet confirmed by k of n looks come as `possible`.

    `others` come from elsewhere (the wall monitor) and get their ids here.
    """
    found = []
    for piece in seen.changed_pieces():
        p = piece_p(piece, seen, telling)
        found += [
            _narrowed(_event(item, piece, p, seen, telling), item, seen, telling) for item in happenings(piece, seen)
        ]
    found += [_waiting(piece, seen, telling) for piece in waiting_pieces(seen)]
    found += others
    return _named(sorted(found, key=_order), telling)


def piece_p(piece: Piece, seen: SeriesMap, telling: Telling) -> float:
    """Chance that unchanged ground makes such a piece anywhere on the ground it lies on, 0-1.

    If N pixels reach a score with probability p, N p / A pieces with A such pixels can be expected at most (Markov's
    inequality), whatever the correlation of neighbours. Of the piece's own levels the most telling counts, times the
    number of levels tried (Bonferroni).
    """
    zone = telling.zone_of(_polygon(piece.window, piece.inside, seen))
    ground = telling.site_px if zone in ("inside", "perimeter") or zone.startswith("building") else telling.grid_px
    values = np.sort(np.asarray(piece.cut(seen.p), np.float64))[::-1]
    bounds = [ground * values[int(level * (values.size - 1))] / max(1.0, (1 - level) * values.size) for level in LEVELS]
    return float(min(1.0, len(LEVELS) * min(bounds)))


def confidence(sure: int, p: float, area_px: int, min_px: int, *, k: int, n: int) -> tuple[Confidence, str]:
    """The word, and the rule that decided."""
    if sure < 0:
        return "possible", f"not yet shown by {k} of {n} clear looks"
    if p > PROBABLE_P:
        return "possible", f"the chance of a false alarm is {p:.2g}, above {PROBABLE_P}"
    if p > CONFIRMED_P:
        return "probable", f"shown by {k} of {n} clear looks; the chance of a false alarm is {p:.2g}"
    if area_px < SURE_AREA * min_px:
        return "probable", f"shown by {k} of {n} clear looks, but only {area_px} pixels, near the smallest area"
    return "confirmed", f"shown by {k} of {n} clear looks; the chance of a false alarm is {p:.2g}"


def waiting_pieces(seen: SeriesMap) -> list[Piece]:
    """Excursions at the end of the series that too few looks have confirmed."""
    day = np.where(seen.breaks.candidate >= 0, seen.days[np.maximum(seen.breaks.candidate, 0)], np.nan)
    strong = seen.waiting & ~seen.changed
    # Squares that overlap go astray together: what is smaller than one is chance.
    least = max(SURE_AREA * seen.settings.min_area_px, seen.square_px**2)
    return pieces(strong, day, link_days=seen.settings.link_days, min_px=least)


def _event(item: Happening, piece: Piece, p: float, seen: SeriesMap, telling: Telling) -> Event:
    found, settings = item.found, seen.settings
    outline = _polygon(item.window, item.inside, seen)
    area_px = int(np.count_nonzero(item.inside))
    level, why = confidence(found.sure, p, area_px, settings.min_area_px, k=settings.k, n=settings.n)
    if item.lasts is False and item.kind in ("construction", "other") and level == "confirmed":
        level, why = "probable", "it was shown by several looks, but the last ones show the earlier state again"
    times = telling.times
    missed = 0
    if found.not_before >= 0:
        low, high = times[found.not_before], times[found.not_after]
        missed = sum(low < t < high for t in telling.refused_times)
    return Event(
        id="",
        kind=item.kind,
        direction=item.direction,
        zone=telling.zone_of(outline),
        geometry=dict(mapping(telling.to_lonlat(outline))),
        area_m2=_area(area_px, seen),
        area_px=area_px,
        not_before=times[found.not_before] if found.not_before >= 0 else None,
        not_after=times[found.not_after],
        gap_reason=why_so_wide(item.states, found, missed, list(seen.days)),
        p=p,
        score=float(np.nanmean(np.asarray(piece.cut(seen.breaks.score), np.float64))),
        confirmed=level == "confirmed",
        confidence=level,
        confidence_reason=why,
        before_scene=seen.scene_ids[found.not_before] if found.not_before >= 0 else None,
        after_scene=seen.scene_ids[found.not_after],
        confirmed_by=seen.scene_ids[found.sure] if found.sure >= 0 else None,
        lasts=item.lasts,
        area_series=_history(item, seen, times),
    )


def _narrowed(event: Event, item: Happening, seen: SeriesMap, telling: Telling) -> Event:
    """The same event, its interval narrowed where radar bounds it more closely and does not contradict."""
    if telling.radar is None or event.not_after is None or event.kind == "regrowth":
        return event
    ground = np.zeros(seen.changed.shape, bool)
    ground[item.window] = item.inside
    by_radar = telling.radar(ground, event.not_before, event.not_after, rising=_ECHO.get(event.kind))
    if by_radar is None:
        return event
    start, end = event.not_before, event.not_after
    told: dict[str, object] = {}
    if (start is None or start < by_radar.not_before) and by_radar.not_before < end:
        told |= {"not_before": by_radar.not_before, "before_scene": by_radar.before_scene}
        start = by_radar.not_before
    if by_radar.not_after < end and (start is None or start < by_radar.not_after):
        told |= {"not_after": by_radar.not_after, "after_scene": by_radar.after_scene}
    if not told:
        return event
    return event.model_copy(update={**told, "gap_reason": f"narrowed by radar; without it, {event.gap_reason}"})


def _waiting(piece: Piece, seen: SeriesMap, telling: Telling) -> Event:
    first = np.sort(np.asarray(piece.cut(seen.breaks.candidate), np.int64))
    at = int(first[min(seen.settings.min_area_px, first.size) - 1])
    outline = _polygon(piece.window, piece.inside, seen)
    _, why = confidence(-1, 1.0, 0, 1, k=seen.settings.k, n=seen.settings.n)
    return Event(
        id="", kind="other", direction="not yet named", zone=telling.zone_of(outline),
        geometry=dict(mapping(telling.to_lonlat(outline))), area_m2=_area(piece.area_px, seen),
        area_px=piece.area_px, not_before=telling.times[at - 1] if at else None, not_after=telling.times[at],
        gap_reason="the latest looks; more clear ones will tell", p=1.0, score=0.0, confirmed=False,
        confidence="possible", confidence_reason=why, before_scene=seen.scene_ids[at - 1] if at else None,
        after_scene=seen.scene_ids[at],
    )  # fmt: skip


def _history(item: Happening, seen: SeriesMap, times: Sequence[datetime]) -> list[AreaPoint]:
    """Area in the new state on every look that shows some of the ground."""
    share, told = share_new(item.states)
    total = _area(int(np.count_nonzero(item.inside)), seen)
    return [
        AreaPoint(
            time=time,
            scene=seen.scene_ids[t],
            area_m2=None if told[t] < 0.5 or total is None or np.isnan(share[t]) else round(float(share[t]) * total, 1),
            seen_fraction=round(float(told[t]), 3),
        )
        for t, time in enumerate(times)
        if told[t] > 0
    ]


def _polygon(
    window: tuple[slice, slice], inside: np.ndarray[tuple[int, int], np.dtype[np.bool_]], seen: SeriesMap
) -> BaseGeometry:
    at = seen.grid.transform @ Affine.translation(window[1].start, window[0].start)
    return merged([polygon for _, polygon in outlines(inside.astype(np.int32), at)])


def _area(pixels: int, seen: SeriesMap) -> float | None:
    area = seen.grid.pixel_area_m2
    return None if area is None else pixels * area


_RANK = {"confirmed": 0, "probable": 1, "possible": 2}


def _order(event: Event) -> tuple[int, bool, float, float, str]:
    outside = event.zone == "surroundings" or event.zone.startswith("control")
    return _RANK[event.confidence], outside, event.p, -event.area_px, str(event.not_after)


def _named(events: list[Event], telling: Telling) -> list[Event]:
    """Give every event its id: that of the same event in the run before, or a new one from kind, place and time."""
    held = [(old, shape(old.geometry)) for old in telling.earlier]
    taken: set[str] = set()
    named = []
    for event in events:
        outline = shape(event.geometry)
        best = max(
            (
                (_overlap(outline, other), old.id)
                for old, other in held
                if old.kind == event.kind and old.id not in taken
            ),
            default=(0.0, ""),
        )
        name = best[1] if best[0] >= SAME_EVENT_IOU else _new_id(event, outline, telling.site_id, taken)
        taken.add(name)
        named.append(event.model_copy(update={"id": name}))
    return named


def _overlap(one: BaseGeometry, other: BaseGeometry) -> float:
    if not one.intersects(other):
        return 0.0
    shared = one.intersection(other).area
    return float(shared / (one.area + other.area - shared)) if shared else 0.0


def _new_id(event: Event, outline: BaseGeometry, site_id: str, taken: set[str]) -> str:
    point = outline.representative_point()
    text = f"{site_id} {event.kind} {point.x:.5f} {point.y:.5f} {event.not_after}"
    for attempt in range(len(taken) + 1):
        name = "e-" + hashlib.sha256(f"{text} {attempt}".encode()).hexdigest()[:10]
        if name not in taken:
            return name
    raise AssertionError("more names than events")
