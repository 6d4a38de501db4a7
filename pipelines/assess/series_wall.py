"""What the wall monitor saw, as a finding: presence, completeness, gaps, and since when, segment by segment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shapely.geometry import mapping

from geo.sites import Perimeter
from geo.zones import Segment as Piece
from geo.zones import part_of, segments
from pipelines.assess.findings import Geometry, PerimeterFinding, Segment, SegmentStatus
from pipelines.assess.words import day
from pipelines.detect.wall_seen import SegmentSeen, WallSeen


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
