"""The one sentence that a run boils down to, for a terminal, a mail, and the top of the report."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from pipelines.assess.findings import Confidence, Event, Observability

LEVELS: tuple[Confidence, ...] = ("confirmed", "probable", "possible")


def interval(not_before: datetime | None, not_after: datetime | None) -> str:
    """`between 12 March 2019 and 27 March 2019`, or that nothing states the dates."""
    if not_before is None or not_after is None:
        return "between two images that state no date"
    return f"between {day(not_before)} and {day(not_after)}"


def day(time: datetime) -> str:
    """A date that is read alike on both sides of the Atlantic: `12 March 2019`."""
    return f"{time.day} {time:%B %Y}"


def summary(events: list[Event], seen: Observability, expected_false: float, simulated: bool) -> str:
    """Say what changed, since when, how sure, and what was not seen."""
    prefix = "SIMULATED: " if simulated else ""
    share = f"{seen.clear_fraction:.0%}" if seen.clear_fraction < 0.995 else "all"
    if seen.state == "not-observed":
        return f"{prefix}not observed: {seen.state_reason}."
    if seen.state == "not-distinguishable":
        return f"{prefix}not distinguishable: {seen.state_reason}."
    if not events:
        return f"{prefix}no change seen on {share} of the ground, which both images show."
    levels = Counter(e.confidence for e in events)
    told = ", ".join(f"{levels[level]} {level}" for level in LEVELS if levels[level])
    kinds = Counter(e.kind for e in events)
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    noun = "change" if len(events) == 1 else "changes"
    when = interval(events[0].not_before, events[0].not_after)
    return (
        f"{prefix}{len(events)} {noun} {when} ({told}; {named}); up to {roughly(expected_false)} would be flagged"
        f" here by chance alone; {share} of the ground was seen on both dates."
    )


def roughly(number: float) -> str:
    """A count that is an estimate, without false precision.

    >>> roughly(0.0321), roughly(0.74), roughly(3.8), roughly(41.2)
    ('0.03', '0.7', '4', '41')
    """
    return f"{number:.1g}" if number < 1 else f"{number:.0f}"
