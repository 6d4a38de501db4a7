"""Plain sentences for people. "No change" and "not observed" never share a phrase.

Hedged words have one meaning each, and it is printed wherever they are used.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from pipelines.assess import Findings
from pipelines.assess.findings import Event, SceneUse
from pipelines.assess.words import LEVELS, day
from pipelines.publish.shapes import Numbered, concerns

UNDATED = "date not stated"
MEANING = {
    "confirmed": "seen on several independent dates",
    "probable": "strong and large enough, but not yet seen a second time",
    "possible": "weak, small or unclear; needs a second look",
}
_CREDITS = (
    ("sentinel", "Contains modified Copernicus Sentinel data {year}"),
    ("landsat", "Landsat image courtesy of the U.S. Geological Survey"),
    ("naip", "NAIP image courtesy of the U.S. Department of Agriculture"),
)


def when(time: datetime | None) -> str:
    """`2017-12-04 03:25 UTC`, or that nothing states it; a day alone where no hour is stated."""
    if time is None:
        return UNDATED
    return short_day(time) + " (UTC)" if has_no_hour(time) else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def has_no_hour(time: datetime) -> bool:
    """Whether a time is a midnight: that of a date alone, since satellites that look by daylight have none."""
    utc = time.astimezone(UTC)
    return (utc.hour, utc.minute, utc.second) == (0, 0, 0)


def short_day(time: datetime | None) -> str:
    """`2017-12-04`, or that nothing states it."""
    return UNDATED if time is None else f"{time.astimezone(UTC):%Y-%m-%d}"


def interval(not_before: datetime | None, not_after: datetime | None) -> str:
    """`2017-12-04 to 2018-01-03`, open at the side that is not known."""
    if not_before is None and not_after is None:
        return "between the two images (no date stated)"
    if not_before is None:
        return f"by {short_day(not_after)} (start not known)"
    if not_after is None:
        return f"after {short_day(not_before)} (end not known)"
    return f"{short_day(not_before)} to {short_day(not_after)}"


def area(area_m2: float | None, area_px: int | None = None) -> str:
    """`2.1 ha`, `850 m²`, or pixels where there is no georeference."""
    if area_m2 is None:
        return "area not known" if area_px is None else f"{area_px:,} px"
    return f"{area_m2 / 10_000:,.1f} ha" if area_m2 >= 10_000 else f"{area_m2:,.0f} m²"


def chance(p: float | None) -> str:
    """A probability as people read it: `1 in 3,000`."""
    if p is None:
        return "not known"
    if p <= 0:
        return "below 1 in 1,000,000"
    if p > 0.2:
        return f"{p:.0%}"
    return f"1 in {1 / p:,.0f}" if p >= 1e-6 else "below 1 in 1,000,000"


def percent(fraction: float | None) -> str:
    """Share of a whole; never rounded to all or to nothing."""
    if fraction is None:
        return "not known"
    if 0 < fraction < 0.001:
        return "under 0.1 %"
    if 0.999 < fraction < 1:
        return "over 99.9 %"
    return f"{fraction * 100:.3g} %"


def smallest(findings: Findings) -> str:
    """The smallest change that the run could have reported."""
    facts = findings.calibration
    pixels = f"{facts.min_area_px} pixel{'' if facts.min_area_px == 1 else 's'}"
    return pixels if facts.min_area_m2 is None else f"about {area(facts.min_area_m2)} ({pixels})"


def what_changed(findings: Findings, events: list[Numbered]) -> list[str]:
    """The first answer of the report."""
    state = findings.observability.state
    reason = findings.observability.state_reason
    here = [item for item in events if concerns(item.event)]
    beside = len(events) - len(here)
    if here:
        counts = Counter(item.event.confidence for item in here)
        levels = ", ".join(f"{counts[level]} {level}" for level in LEVELS if counts[level])
        said = [f"{_plural(len(here), 'change')} found: {levels}."]
        said += [_told(item) for item in here[:3]]
        if len(here) > 3:
            said.append(f"The other {len(here) - 3} are in the table below.")
    elif state == "no-change":
        said = ["No change was found on the ground that was seen on both dates."]
        said.append(f"A change smaller than {smallest(findings)} would not have been reported.")
    elif state == "not-distinguishable":
        said = [f"The ground was seen, but these images cannot tell the two states apart: {reason}."]
    elif state == "not-observed":
        said = [
            f"Nothing can be said: the ground was not sufficiently seen. Reason: {reason}.",
            "This is a gap in what is known about this place, and says nothing about whether it stayed the same.",
        ]
    else:
        said = [f"This observation is {state}: {reason}. Nothing can be said about change."]
    if beside:
        said.append(f"Beside the site or on control ground, {_plural(beside, 'more change')} flagged; see the table.")
    return said


def since_when(findings: Findings, events: list[Numbered]) -> list[str]:
    """The interval, and the two scenes that bound it."""
    before, after = scene_of(findings, "before"), scene_of(findings, "after")
    if before is None or after is None:
        return ["No pair of scenes could be compared."]
    if before.time is None or after.time is None:
        which = "The images state no dates" if before.time is None and after.time is None else "One image has no date"
        said = [f"{which}: “before” and “after” are the order in which they were given."]
        said += [f"{role}: {when(scene.time)}" for role, scene in (("Before", before), ("After", after)) if scene.time]
        return said
    days = (after.time - before.time).total_seconds() / 86400
    span = f"{days:,.0f} days" if days >= 2 else f"{days * 24:,.1f} hours"
    first = "Between" if events else "The two looks are from"
    said = [f"{first} {day(before.time)} and {day(after.time)} ({span})."]
    if events:
        said.append("Within that interval these two images cannot say when.")
    return said


def how_sure(findings: Findings, events: list[Numbered]) -> list[str]:
    """What the confidence rests on, and how many false alarms to expect."""
    facts = findings.calibration
    expected = facts.expected_false_objects
    if findings.observability.state in ("not-observed", "failed", "pending") and not events:
        return ["There is no statement to be sure of."]
    if events:
        best = min(item.event.p for item in events)
        said = [f"The most certain change has a chance of {chance(best)} of being a false alarm."]
        said.append(f"Of {len(events)} reported, about {expected:.2g} are expected to be false.")
    else:
        said = [f"About {expected:.2g} false alarms were to be expected on this ground; none came."]
    rate = facts.expected_false_alarms_per_site_year
    if rate is not None:
        said.append(f"That is {rate:.2g} a year for this site.")
    said.append("Not checked on the ground.")
    return said


def not_seen(findings: Findings, observed: float) -> list[str]:
    """What could not be seen: ground, wall, buildings, time."""
    place = "site" if findings.site.location_class else "image"
    seen = findings.observability.clear_fraction
    said = []
    if seen < 1:
        said.append(f"{percent(1 - seen)} of the {place} was not seen clearly on both dates; nothing is known there.")
    else:
        said.append(f"All of the {place} was seen on both dates.")
    if observed < 1 and abs(observed - seen) > 0.005:
        said.append(f"On the whole map, {percent(1 - observed)} was not observed.")
    perimeter = findings.perimeter
    if perimeter is not None and not perimeter.observable:
        said.append(f"The wall itself is not observable here: {perimeter.reason}.")
    unknown = sum(1 for building in findings.buildings if building.status is None)
    if unknown:
        said.append(f"For {unknown} of {len(findings.buildings)} buildings nothing can be told.")
    said.append(f"Nothing smaller than {smallest(findings)} is reported.")
    return said


def scene_of(findings: Findings, role: str) -> SceneUse | None:
    """The used scene with a role, or None."""
    return next((scene for scene in findings.scenes if scene.used and scene.role == role), None)


def event_title(event: Event) -> str:
    """`probable construction`; a kind that is not known is a change."""
    return f"{event.confidence} {'change' if event.kind == 'other' else event.kind}"


def credit(scene: SceneUse) -> str:
    """The line that the image's licence asks for: as told with the scene, else by sensor."""
    if scene.simulated:
        return "Simulated; no satellite saw this"
    if scene.credit:
        return scene.credit
    for name, line in _CREDITS:
        if scene.sensor.lower().startswith(name):
            return line.format(year="" if scene.time is None else scene.time.year).strip()
    return "Source of the image not stated"


def credits_of(scenes: list[SceneUse]) -> str:
    """The credit lines of several scenes, each once."""
    return "; ".join(dict.fromkeys(credit(scene) for scene in scenes))


def _told(item: Numbered) -> str:
    event = item.event
    number = "" if item.number is None else f"No. {item.number}: "
    return f"{number}{event_title(event)}, {area(event.area_m2, event.area_px)} ({event.direction})."


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
