"""What analysts said of the events of a run: by the event's id, or of the same ground in an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict
from shapely.geometry import shape

from geo.files.reviews import NOT_REVIEWED, Review, as_rows
from pipelines.assess.findings import Event
from pipelines.assess.words import day

CONFIRMED, REJECTED, UNSURE = "confirmed", "rejected", "unsure"
SAME_SHARE = 0.5  # a finding grows from run to run, and still is the same


class Verdict(BaseModel):
    """An analyst's verdict as a run records it.

    `carried_from` is the id it was given under, where that is another; `about` tells of the finding as it was last
    seen, where this run does not have it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: str
    confidence: str
    reason: str
    reviewer: str
    reviewed_at: str
    carried_from: str | None = None
    about: str | None = None


Verdicts = Mapping[str, Verdict]
Judge = Callable[[Sequence[Event]], Verdicts]


def unjudged(_events: Sequence[Event]) -> Verdicts:
    """No verdict for any event."""
    return {}


def judged(events: Sequence[Event], reviews: Mapping[str, Review], known: Mapping[str, Event]) -> dict[str, Verdict]:
    """The verdict of each event that has one, and of those that this run does not find; no verdict is passed over.

    One that was taken back (`not reviewed`) is none.

    A verdict on an event that is gone goes over to an event of this run that is the same by `is_same`, where that has
    no word of its own.

    Args:
        events: of this run.
        reviews: the review that counts, by the id of its event.
        known: events of earlier runs by id, as last seen.
    """
    here = {event.id for event in events}
    gone = [
        known[name]
        for name, review in sorted(reviews.items())
        if name not in here and name in known and review.verdict != NOT_REVIEWED
    ]
    found: dict[str, Verdict] = {}
    for event in events:
        if event.id in reviews:
            if reviews[event.id].verdict != NOT_REVIEWED:
                found[event.id] = _verdict(reviews[event.id])
            continue
        same = [old for old in gone if is_same(event, old, rejected=reviews[old.id].verdict == REJECTED)]
        if same:
            best = max(same, key=lambda old: _shared(event, old)[0])
            found[event.id] = _verdict(reviews[best.id], carried_from=best.id)
    used = found.keys() | {verdict.carried_from for verdict in found.values()}
    for name, review in sorted(reviews.items()):
        if name not in here | used and review.verdict != NOT_REVIEWED:
            found[name] = _verdict(review, about=_about(known.get(name)))
    return found


def is_same(event: Event, old: Event, *, rejected: bool) -> bool:
    """True where a verdict on `old` holds for `event`: of one kind, at one time, on half of the smaller one's ground.

    A rejection speaks only of the ground that was looked at, so that it must cover half of the larger one, too: else
    what is built in or around a false alarm later would be hidden by it.
    """
    if event.kind != old.kind:
        return False
    apart = [
        early is not None and late is not None and early > late
        for early, late in ((event.not_before, old.not_after), (old.not_before, event.not_after))
    ]
    smaller, larger = _shared(event, old)
    return not any(apart) and (larger if rejected else smaller) >= SAME_SHARE


def _verdict(review: Review, carried_from: str | None = None, about: str | None = None) -> Verdict:
    (row,) = as_rows([review])
    said = {name: text for name, text in row.items() if name != "event_id"}
    return Verdict(**said, carried_from=carried_from, about=about)


def _about(event: Event | None) -> str:
    if event is None:
        return "no run here tells of it"
    size = f"{event.area_px:,} pixels" if event.area_m2 is None else f"{event.area_m2:,.0f} m²"
    seen = "" if event.not_after is None else f", first seen on {day(event.not_after)}"
    return f"{event.kind} ({event.direction}), {size}{seen}"


def _shared(one: Event, other: Event) -> tuple[float, float]:
    """The common ground as a share of the smaller and of the larger one."""
    first, second = shape(one.geometry), shape(other.geometry)
    if not first.intersects(second):
        return 0.0, 0.0
    common, areas = first.intersection(second).area, sorted((first.area, second.area))
    return (common / areas[0], common / areas[1]) if areas[0] > 0 else (0.0, 0.0)
