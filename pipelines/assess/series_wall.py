"""What the wall monitor saw, as a finding: presence, completeness, gaps, and since when, segment by segment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from shapely.geometry import mapping, shape
from shapely.ops import unary_union

from geo.grid import Grid
from geo.sites import Perimeter
from geo.zones import Segment as Piece
from geo.zones import part_of, segments, to_grid, to_lonlat
from pipelines.assess.findings import Confidence, Event, Geometry, PerimeterFinding, Segment, SegmentStatus
from pipelines.assess.words import day
from pipelines.detect.wall_seen import SegmentSeen, WallSeen

CLAIMED_P = 0.01
SURE_LOOKS = 3


def wall_finding(perimeter: Perimeter, seen: WallSeen, times: Sequence[datetime]) -> PerimeterFinding:
    """Words, dates and geometries for what `watch_wall` returned; `times` are those it was given."""
    drawn = {piece.id: piece for piece in segments(perimeter)}
    lower, upper = _at(times, seen.unchanged), _at(times, seen.first)
    reason = seen.reason
    if not seen.traced and upper is not None:
        # What shows at 10 m is any line: a track or cleared strip may come long before the masonry.
        start = "the first look" if lower is None else day(lower)
        reason += (
            f"; some line first showed between {start} and {day(upper)}, which"
            " may be a track or strip before the wall: only the lower bound holds for the wall itself"
        )
    return PerimeterFinding(
        observable=seen.observable,
        reason=reason,
        material=perimeter.material,
        length_m=seen.length_m,
        observed_m=seen.observed_m,
        built_m=seen.built_m,
        completeness=seen.completeness,
        closed=seen.closed,
        not_before=lower,
        not_after=upper if seen.traced else None,
        p=seen.p,
        segments=[_segment(part, drawn[part.id], times) for part in seen.segments],
        gaps=[_gap(perimeter, start, end) for start, end in seen.gaps],
        minimum_width_m=seen.minimum_width_m,
        null_rings=seen.null_lines,
    )


def wall_event(
    finding: PerimeterFinding, seen: WallSeen, looks: Sequence[tuple[datetime, str]], grid: Grid
) -> Event | None:
    """The wall as an event: the standing segments, drawn two pixels wide; None where no wall may be claimed.

    It is confirmed where pixels of a metre or better trace the wall itself on three looks or more. Where only a line
    shows it is probable at most, and no look bounds it from above: a track or a strip may have come first.

    Args:
        finding: of `wall_finding`.
        seen: what the finding was made of.
        looks: (time, scene id) in the order that `watch_wall` was given them.
        grid: of the run.
    """
    standing = [s for s in seen.segments if s.present]
    if not finding.observable or not standing or seen.p is None or seen.p > CLAIMED_P or seen.first < 0:
        return None
    named = {segment.id: segment for segment in finding.segments}
    line = unary_union([to_grid(shape(named[s.id].geometry), grid) for s in standing])
    outline = line.buffer(float(min(abs(grid.transform.a), abs(grid.transform.e))), cap_style="flat")
    after = len(looks) - seen.first
    sure = seen.traced and after >= SURE_LOOKS
    told = (
        "the wall itself is traced" if seen.traced else "a line shows that a track or a cleared strip would show, too"
    )
    upper = "" if seen.traced else "; what first showed may be a track or a cleared strip, so no look bounds the wall"
    before = looks[seen.unchanged] if seen.unchanged >= 0 else None
    level: Confidence = "confirmed" if sure else "probable"
    pixels = outline.area / abs(grid.transform.determinant)
    return Event(
        id="", kind="wall", direction="line along the perimeter", zone="perimeter",
        geometry=dict(mapping(to_lonlat(outline, grid))),
        area_m2=None if grid.pixel_area_m2 is None else pixels * grid.pixel_area_m2, area_px=round(pixels),
        not_before=None if before is None else before[0], not_after=looks[seen.first][0] if seen.traced else None,
        gap_reason=f"judged on the looks that show the whole line{upper}", p=seen.p, score=-math.log10(seen.p),
        confirmed=sure, confidence=level,
        confidence_reason=f"{told}, on {after} looks; against {seen.null_lines} moved lines the chance of a false alarm"
        f" is {seen.p:.2g}",
        before_scene=None if before is None else before[1], after_scene=looks[seen.first][1],
        confirmed_by=looks[seen.first + SURE_LOOKS - 1][1] if sure else None, lasts=None,
    )  # fmt: skip


def _segment(seen: SegmentSeen, drawn: Piece, times: Sequence[datetime]) -> Segment:
    status: SegmentStatus = "not observable"
    if seen.p is None:
        status = "not observed"
    elif seen.present is not None:
        status = "changed" if seen.present else "no change seen"
    return Segment(
        id=seen.id,
        start_m=seen.start_m,
        end_m=seen.end_m,
        geometry=dict(mapping(drawn.line)),
        status=status,
        p=seen.p,
        changed_fraction=seen.chance,
        observed_fraction=seen.observed_fraction,
        not_before=_at(times, seen.unchanged),
        not_after=_at(times, seen.first),
    )


def _gap(perimeter: Perimeter, start_m: float, end_m: float) -> Geometry:
    return dict(mapping(part_of(perimeter, start_m, end_m)))


def _at(times: Sequence[datetime], index: int) -> datetime | None:
    return times[index] if index >= 0 else None
