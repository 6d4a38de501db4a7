"""What analysts said of the events of a run: by the event's id, or of the same ground in an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict
from shapely.geometry import shape

from geo.files.reviews import Review, as_rows
from pipelines.assess.findings import Event

CONFIRMED, REJECTED, UNSURE = "confirmed", "rejected", "unsure"
SAME_SHARE = 0.5  # of the smaller outline: a finding grows from run to run, and still is the same


class Verdict(BaseModel):
    """An analyst's verdict as a run records it. `carried_from` is the id it was given under, where that is another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: str
    confidence: str
    reason: str
    reviewer: str
    reviewed_at: str
    carried_from: str | None = None


Verdicts = Mapping[str, Verdict]
Judge = Callable[[Sequence[Event]], Verdicts]


def unjudged(_events: Sequence[Event]) -> Verdicts:
    """No verdict for any event."""
    return {}


def judged(events: Sequence[Event], reviews: Mapping[str, Review], known: Mapping[str, Event]) -> dict[str, Verdict]:
    """The verdict of each event that has one.

    Args:
        events: of this run.
        reviews: the review that counts, by the id of its event.
        known: events of earlier runs by id, as last seen; a verdict on one of them goes over to an event of this run of
            the same kind that shares half of the smaller one's ground, where that has none of its own.
    """
    found = {event.id: _verdict(reviews[event.id]) for event in events if event.id in reviews}
    gone = [known[name] for name in sorted(reviews) if name not in found and name in known]
    for event in events:
        if event.id in found or not gone:
            continue
        ground = shape(event.geometry)
        shares = [(_shared(ground, shape(old.geometry)), old) for old in gone if old.kind == event.kind]
        share, best = max(shares, key=lambda pair: pair[0], default=(0.0, None))
        if best is not None and share >= SAME_SHARE:
            found[event.id] = _verdict(reviews[best.id], carried_from=best.id)
    return found


def _verdict(review: Review, carried_from: str | None = None) -> Verdict:
    (row,) = as_rows([review])
    return Verdict(**{name: text for name, text in row.items() if name != "event_id"}, carried_from=carried_from)


def _shared(one: object, other: object) -> float:
    smaller = min(one.area, other.area)  # type: ignore[attr-defined]
    return float(one.intersection(other).area / smaller) if smaller > 0 else 0.0  # type: ignore[attr-defined]
