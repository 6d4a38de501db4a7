"""From changed objects to events: what kind, where, between which two scenes, how sure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from pipelines.assess.cloudlike import cloudlike
from pipelines.assess.findings import Confidence, Event, Kind
from pipelines.detect import ChangeObject, Direction
from pipelines.prepare import Pair

KINDS: dict[Direction, Kind] = {
    Direction.VEGETATION_TO_BARE: "clearing",
    Direction.VEGETATION_TO_BUILT: "construction",
    Direction.BARE_TO_BUILT: "construction",
    Direction.BUILT_TO_BARE: "demolition",
    Direction.BUILT_TO_VEGETATION: "demolition",
    Direction.BARE_TO_VEGETATION: "regrowth",
}
# Half of an object's pixels may be its edge; a name needs more than a bare majority behind it.
CLEAR_MAJORITY = 0.6
PROBABLE_P = 0.01
PROBABLE_AREA = 2  # minimum mapping units
MOST_ASKED = 500  # pieces that are asked whether they are clouds, the surest first


@dataclass(frozen=True, kw_only=True)
class Framing:
    """What all events of a pair share.

    Attributes:
        to_lonlat: geometry of the grid to longitude, latitude (unchanged without georeference).
        zone_of: name of the zone that a grid geometry lies in.
        site_id: enters the events' ids.
        min_area_px: minimum mapping unit.
    """

    to_lonlat: Callable[[BaseGeometry], BaseGeometry]
    zone_of: Callable[[BaseGeometry], str]
    site_id: str
    min_area_px: int


def events_of(objects: Iterable[ChangeObject], pair: Pair, framing: Framing) -> list[Event]:
    """One event per object, in the order given (most certain first).

    Two dates show that something changed and between which scenes; they cannot show that it lasts. So no event of a
    pair is `confirmed`.
    """
    reason = gap_reason(pair)
    taken: set[str] = set()
    found: list[Event] = []
    for item in objects:
        outline = framing.to_lonlat(item.polygon)
        event_id = _stable_id(framing.site_id, outline, taken)
        taken.add(event_id)
        level, why = confidence_of(item, framing.min_area_px)
        doubt = cloudlike(pair, item.polygon) if len(found) < MOST_ASKED else None
        if doubt is not None:
            level, why = "possible", f"in {doubt} it looks like a cloud or its shadow, and no mask came with it"
        found.append(
            Event(
                id=event_id,
                kind=kind_of(item) if doubt is None else "other",
                direction=item.direction.name.lower().replace("_", " "),
                zone=framing.zone_of(item.polygon),
                geometry=dict(mapping(outline)),
                area_m2=item.area_m2,
                area_px=item.area_px,
                not_before=pair.before.record.scene.time,
                not_after=pair.after.record.scene.time,
                gap_reason=reason,
                p=item.p,
                score=item.score,
                confirmed=False,
                confidence=level,
                confidence_reason=why,
                before_scene=pair.before.record.scene.id,
                after_scene=pair.after.record.scene.id,
            )
        )
    return found


def kind_of(item: ChangeObject) -> Kind:
    """Name the kind only where most pixels agree on what became what; else `other`."""
    if item.direction_share < CLEAR_MAJORITY:
        return "other"
    return KINDS.get(item.direction, "other")


def confidence_of(item: ChangeObject, min_area_px: int) -> tuple[Confidence, str]:
    """`probable` or `possible`, with the rule that decided."""
    if item.p > PROBABLE_P:
        return "possible", f"the chance of a false alarm is {item.p:.2g}, above {PROBABLE_P}"
    if item.area_px < PROBABLE_AREA * min_area_px:
        return "possible", f"only {item.area_px} pixels, near the smallest area that can be told apart"
    return "probable", "strong and large enough, but seen on one date only: two dates cannot show that it lasts"


def gap_reason(pair: Pair) -> str:
    """Why the interval is as wide as it is."""
    before, after = pair.before.record.scene.time, pair.after.record.scene.time
    if before is None or after is None:
        return "the images state no dates; the change lies between the two, whenever they were taken"
    days = (after - before).total_seconds() / 86400
    return f"only these two scenes, {days:.0f} days apart, were compared"


def _stable_id(site_id: str, outline: BaseGeometry, taken: set[str]) -> str:
    """An id from the place alone, so that the same finding keeps it when the run is repeated."""
    point = outline.representative_point()
    text = f"{site_id} {point.x:.5f} {point.y:.5f}"
    for attempt in range(len(taken) + 1):
        name = "e-" + hashlib.sha256(f"{text} {attempt}".encode()).hexdigest()[:10]
        if name not in taken:
            return name
    raise AssertionError("more names than events")
