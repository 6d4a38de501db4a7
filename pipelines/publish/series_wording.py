"""The report's four answers for a series: every event has its own interval, and every date its own state."""

from __future__ import annotations

from collections import Counter

from pipelines.assess import Findings
from pipelines.assess.findings import Event
from pipelines.assess.words import LEVELS, day
from pipelines.publish.shapes import Numbered, concerns
from pipelines.publish.wording import area, chance, event_title, percent, smallest

TOLD = 5


def is_series(findings: Findings) -> bool:
    """True where more than two looks were compared."""
    return any(scene.used and scene.role == "series" for scene in findings.scenes)


def series_answers(findings: Findings, events: list[Numbered]) -> list[tuple[str, list[str]]]:
    """(question, sentences) in the order of the page."""
    return [
        ("What changed?", _what(findings, events)),
        ("Since when?", _since(findings, events)),
        ("How sure is it?", _how_sure(findings, events)),
        ("What could not be seen?", _not_seen(findings)),
    ]


def between(event: Event) -> str:
    """`between 5 August 2017 and 1 September 2017`, open at the side that no look bounds."""
    if event.not_after is None:
        return "at a time that no look bounds" if event.not_before is None else f"after {day(event.not_before)}"
    if event.not_before is None:
        return f"by {day(event.not_after)}; no look shows the state before"
    return f"between {day(event.not_before)} and {day(event.not_after)}"


def _firm(events: list[Numbered]) -> list[Numbered]:
    return [item for item in events if concerns(item.event) and item.event.confidence != "possible"]


def _what(findings: Findings, events: list[Numbered]) -> list[str]:
    seen, here = findings.observability, _firm(events)
    waiting = sum(concerns(i.event) and i.event.confidence == "possible" for i in events)
    if here:
        counts = Counter(item.event.confidence for item in here)
        levels = ", ".join(f"{counts[level]} {level}" for level in LEVELS if counts[level])
        said = [f"{_plural(len(here), 'change')} at the site: {levels}."]
        said += [f"{_number(i)}{event_title(i.event)}, {_size(i.event)} ({i.event.direction})." for i in here[:TOLD]]
        if len(here) > TOLD:
            said.append(f"The other {len(here) - TOLD} are in the table below.")
    elif seen.state == "no-change":
        said = [f"No change was found on {seen.clear_scenes} clear looks at the site."]
        said.append(f"A change smaller than {smallest(findings)} would not have been reported.")
    elif seen.state == "pending":
        said = ["The latest looks differ from all before, but too few clear ones have shown it to be called a change."]
    else:
        said = [f"Nothing can be said: {seen.state_reason}.", "That is a gap in what is known, not a finding."]
    if waiting and here:
        said.append(f"{_plural(waiting, 'more place')} may have changed, but too few looks show it.")
    beside = sum(not concerns(i.event) and i.event.confidence != "possible" for i in events)
    if beside:
        said.append(f"Around the site or on control ground, {_plural(beside, 'more change')}; see the table.")
    return said


def _since(findings: Findings, events: list[Numbered]) -> list[str]:
    here = _firm(events)
    if not here:
        first, last = findings.period.from_, findings.period.to
        span = "" if first is None or last is None else f" from {day(first)} to {day(last)}"
        return [f"The looks cover the time{span}; no beginning was found in it."]
    ordered = sorted(here, key=lambda i: str(i.event.not_after))
    said = [f"{_number(i)}{i.event.kind} began {between(i.event)} ({i.event.gap_reason})." for i in ordered[:TOLD]]
    onsets = [p for p in findings.phases if p.not_after is not None]
    said += [
        f"{p.phase} began " + (f"between {day(p.not_before)} and " if p.not_before else "by ") + f"{day(p.not_after)}."
        for p in onsets
        if p.not_after is not None
    ]
    return said


def _how_sure(findings: Findings, events: list[Numbered]) -> list[str]:
    facts, here = findings.calibration, _firm(events)
    said = []
    if here:
        best = min(item.event.p for item in here)
        said.append(f"The most certain change has a chance of {chance(best)} of being a false alarm.")
    asked, rate = facts.asked_false_alarms_per_site_year, facts.expected_false_alarms_per_site_year
    if asked is not None:
        said.append(f"The threshold was set for at most {asked:g} false alarms a year on ground like this.")
    if rate is not None:
        said.append(f"By the spread of unchanged ground, at most {rate:.2g} a year are to be expected.")
    shown = facts.controls_false_alarms_per_site_year
    if shown is not None:
        upper = facts.controls_upper_per_site_year
        limit = "" if upper is None else f" (95 % sure of at most {upper:.2g})"
        said.append(f"The control ground showed {shown:.2g} a year{limit}.")
    said.append("Not checked on the ground.")
    return said


def _not_seen(findings: Findings) -> list[str]:
    seen = findings.observability
    blind = sum(scene.state == "not-observed" for scene in findings.scenes)
    told = sum(scene.state is not None for scene in findings.scenes)
    said = [f"Of {told} acquisitions looked at, {blind} did not show the site."]
    if seen.longest_gap_days is not None:
        said.append(f"The longest time without a clear look was {seen.longest_gap_days:.0f} days.")
    if seen.last_clear is not None:
        said.append(f"The last clear look is from {day(seen.last_clear)}; nothing is known after it.")
    if seen.clear_fraction < 1:
        said.append(f"{percent(1 - seen.clear_fraction)} of the site was seen too seldom to be judged.")
    perimeter = findings.perimeter
    if perimeter is not None and not perimeter.observable:
        said.append(f"The wall is not observable here: {perimeter.reason}.")
    unknown = sum(building.status is None for building in findings.buildings)
    if unknown:
        said.append(f"For {unknown} of {len(findings.buildings)} buildings nothing can be told.")
    said.append(f"Nothing smaller than {smallest(findings)} is reported.")
    return said


def _number(item: Numbered) -> str:
    return "" if item.number is None else f"No. {item.number}: "


def _size(event: Event) -> str:
    return area(event.area_m2, event.area_px)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
