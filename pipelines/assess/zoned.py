"""Findings by zone: the perimeter's segments, the buildings, the controls; and which zone an event lies in."""

from __future__ import annotations

from collections.abc import Callable

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.sites import Building, Perimeter
from geo.zones import area_m2, length_m, ribbons, to_grid
from pipelines.assess.context import Context
from pipelines.assess.findings import (
    BuildingFinding,
    BuildingStatus,
    ControlFinding,
    Event,
    PerimeterFinding,
    Segment,
    SegmentStatus,
)
from pipelines.assess.seen import ZoneSeen, zone_seen
from pipelines.detect import ChangeMap
from pipelines.prepare import Pair

SEEN_ENOUGH = 0.5
CHANGED_ENOUGH = 0.5
# At 10 m a 3 m wall's shadow, its track and its cleared strip lie within a pixel of the line.
LINE_REACH_PX = 1.0
LEAST_REACH_M = 3.0
COARSEST_FOR_LINES_M = 35.0
OUTSIDE = "surroundings"


def zone_namer(context: Context, grid: Grid, gsd_m: float | None) -> Callable[[BaseGeometry], str]:
    """Return a function that names the zone of a geometry in the grid's coordinates."""
    site = context.site
    if context.area is None:
        return lambda _: "image"
    area = to_grid(context.area, grid)
    buildings = [(b.id, to_grid(b.polygon, grid)) for b in (site.buildings if site else ())]
    controls = [(c.id, to_grid(c.polygon, grid)) for c in (site.controls if site else ())]
    line = to_grid(site.perimeter.line, grid) if site and site.perimeter else None
    reach = 2 * (gsd_m or 0.0) / _metres_per_unit(grid)

    def name(geometry: BaseGeometry) -> str:
        half = geometry.area / 2
        for kind, zones in (("building", buildings), ("control", controls)):
            for zone_id, zone in zones:
                if geometry.intersects(zone) and geometry.intersection(zone).area >= half:
                    return f"{kind} {zone_id}"
        if geometry.intersects(area):
            return "inside"
        if line is not None and geometry.distance(line) <= reach:
            return "perimeter"
        return OUTSIDE

    return name


def perimeter_finding(context: Context, pair: Pair, change_map: ChangeMap) -> PerimeterFinding | None:
    """What happened along the perimeter's line between the two dates. The wall itself is not claimed."""
    site = context.site
    if site is None or site.perimeter is None or site.is_search:
        return None
    perimeter, gsd = site.perimeter, pair.gsd_m or 0.0
    total = length_m(perimeter.line)
    times = pair.before.record.scene.time, pair.after.record.scene.time
    if gsd > COARSEST_FOR_LINES_M:
        found: list[Segment] = []
        reason = f"at {gsd:g} m the line of a wall cannot be told from the ground beside it"
    else:
        found = _segments(perimeter, gsd, change_map)
        changed = sum(s.end_m - s.start_m for s in found if s.status == "changed")
        reason = (
            f"two images at {gsd:g} m do not show a wall itself; the ground along its line changed on"
            f" {changed:,.0f} of {total:,.0f} m"
        )
    some = [s.p for s in found if s.p is not None]
    any_change = any(s.status == "changed" for s in found)
    return PerimeterFinding(
        observable=False,
        reason=reason,
        material=perimeter.material,
        length_m=total,
        observed_m=sum(s.end_m - s.start_m for s in found if s.status != "not observed"),
        built_m=None,
        completeness=None,
        closed=None,
        not_before=times[0] if any_change else None,
        not_after=times[1] if any_change else None,
        p=min(1.0, min(some) * len(some)) if some else None,
        segments=found,
        gaps=[],
    )


def _segments(perimeter: Perimeter, gsd_m: float, change_map: ChangeMap) -> list[Segment]:
    reach = max(LEAST_REACH_M, LINE_REACH_PX * gsd_m)
    found = []
    for ribbon in ribbons(perimeter, on_m=reach, near_m=max(15.0, reach), far_m=max(45.0, 3 * reach)):
        seen = zone_seen(to_grid(ribbon.on, change_map.grid), change_map)
        found.append(
            Segment(
                id=ribbon.segment.id,
                start_m=ribbon.segment.start_m,
                end_m=ribbon.segment.end_m,
                geometry=dict(mapping(ribbon.segment.line)),
                status=_segment_status(seen),
                p=seen.p,
                changed_fraction=seen.changed_fraction,
                observed_fraction=seen.observed_fraction,
            )
        )
    return found


def _segment_status(seen: ZoneSeen) -> SegmentStatus:
    if seen.changed_fraction is None or seen.observed_fraction < SEEN_ENOUGH:
        return "not observed"
    return "changed" if seen.changed_fraction >= CHANGED_ENOUGH else "no change seen"


def building_findings(context: Context, pair: Pair, change_map: ChangeMap) -> list[BuildingFinding]:
    """What happened at each building's place; none for a site whose place is not known."""
    if context.site is None or context.site.is_search:
        return []
    return [_building(b, pair, change_map) for b in context.site.buildings]


def _building(building: Building, pair: Pair, change_map: ChangeMap) -> BuildingFinding:
    seen = zone_seen(to_grid(building.polygon, change_map.grid), change_map)
    status, reason = _building_status(seen, area_m2(building.polygon), change_map)
    changed = status == "changed"
    return BuildingFinding(
        id=building.id,
        label=building.label,
        planned=building.planned,
        status=status,
        status_reason=reason,
        area_m2=area_m2(building.polygon),
        geometry=dict(mapping(building.polygon)),
        not_before=pair.before.record.scene.time if changed else None,
        not_after=pair.after.record.scene.time if changed else None,
        p=seen.p,
        changed_fraction=seen.changed_fraction,
        observed_fraction=seen.observed_fraction,
    )


def _building_status(seen: ZoneSeen, area: float, change_map: ChangeMap) -> tuple[BuildingStatus | None, str]:
    smallest = change_map.calibration.min_area_m2
    if seen.changed_fraction is None or seen.observed_fraction < SEEN_ENOUGH:
        return None, "not observed: it was not seen on both dates"
    if smallest is not None and area < smallest:
        return None, f"not observable: at {area:,.0f} m2 it is below the {smallest:,.0f} m2 that can be told apart"
    if seen.changed_fraction >= CHANGED_ENOUGH:
        return "changed", f"{seen.changed_fraction:.0%} of its ground changed between the two dates"
    return "no change seen", f"{seen.changed_fraction:.0%} of its ground changed between the two dates"


def control_findings(context: Context, change_map: ChangeMap, events: list[Event]) -> list[ControlFinding]:
    """What was flagged on ground that is held to be unchanged: false alarms, seen."""
    if context.site is None:
        return []
    found = []
    for control in context.site.controls:
        seen = zone_seen(to_grid(control.polygon, change_map.grid), change_map)
        found.append(
            ControlFinding(
                id=control.id,
                area_m2=area_m2(control.polygon),
                observed_fraction=seen.observed_fraction,
                flagged_fraction=seen.changed_fraction,
                flagged_objects=sum(e.zone == f"control {control.id}" for e in events),
                geometry=dict(mapping(control.polygon)),
            )
        )
    return found


def area_seen(context: Context, pair: Pair, change_map: ChangeMap) -> tuple[float, float]:
    """Share of the run's ground that both dates show, and that ground's share of all that both images show.

    Without an area of interest the ground is what the better of the two images shows at all: what lies outside of
    both was never promised.
    """
    observed_px = change_map.calibration.observed_px
    if context.area is not None:
        seen = zone_seen(to_grid(context.area, change_map.grid), change_map)
        own = seen.observed_fraction * seen.area_px / observed_px if observed_px else 0.0
        # What of the area lies beyond the images was not seen either.
        inside = seen.area_px / _pixels(context.area, change_map)
        return seen.observed_fraction * min(1.0, inside), min(1.0, own)
    rows, cols = change_map.grid.shape
    best = max(pair.before.clear_fraction, pair.after.clear_fraction)
    return (min(1.0, observed_px / (rows * cols) / best) if best > 0 else 0.0), 1.0


def _pixels(area: BaseGeometry, change_map: ChangeMap) -> float:
    return float(to_grid(area, change_map.grid).area / abs(change_map.grid.transform.determinant))


def _metres_per_unit(grid: Grid) -> float:
    size = grid.pixel_size_m
    if size is None:
        return 1.0
    return size[1] / abs(complex(grid.transform.a, grid.transform.d))
