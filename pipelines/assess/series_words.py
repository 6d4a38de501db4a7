"""The sentences of a series: the one that a run boils down to, how it was found, and what it cannot show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pipelines.assess.findings import Event, Observability
from pipelines.assess.words import LEVELS, day, roughly
from pipelines.detect.series import SeriesMap
from pipelines.prepare import Series


def series_summary(events: list[Event], seen: Observability, series: SeriesMap, simulated: bool) -> str:
    """Say what began when, how sure, and until when the ground was seen."""
    prefix = "SIMULATED: " if simulated else ""
    if seen.state == "not-observed":
        return f"{prefix}not observed: {seen.state_reason}."
    last = "" if seen.last_clear is None else f"; last clear look {day(seen.last_clear)}"
    firm = [e for e in events if e.confidence != "possible"]
    if not firm:
        waiting = f"; {len(events)} possible, not yet confirmed" if events else ""
        return f"{prefix}no confirmed change on {seen.clear_scenes} clear looks{waiting}{last}."
    levels = Counter(e.confidence for e in firm)
    told = ", ".join(f"{levels[level]} {level}" for level in LEVELS if levels[level])
    first = min(firm, key=lambda e: (e.confidence != "confirmed", str(e.not_after)))
    years = max((series.days[-1] - series.days[0]) / 365.25, 0.1)
    rate = series.settings.false_alarms_per_site_year
    noun = "change" if len(firm) == 1 else "changes"
    return (
        f"{prefix}{len(firm)} {noun} ({told}); the first, {first.confidence} {first.kind} of {_size(first)}, began"
        f" {_when(first)}; at most {roughly(rate * years)} false alarms are to be expected here by chance{last}."
    )


def _when(event: Event) -> str:
    if event.not_after is None:
        return "at an unknown time" if event.not_before is None else f"after {day(event.not_before)}"
    if event.not_before is None:
        return f"by {day(event.not_after)}"
    return f"between {day(event.not_before)} and {day(event.not_after)}"


def _size(event: Event) -> str:
    if event.area_m2 is None:
        return f"{event.area_px} pixels"
    return f"{event.area_m2 / 10_000:.1f} ha" if event.area_m2 >= 10_000 else f"{event.area_m2:,.0f} m²"


def series_method(seen: SeriesMap) -> str:
    """How change was found, in one or two sentences."""
    s = seen.settings
    if seen.unit == "linear-power":
        size = seen.grid.pixel_size_m
        wide = f"{seen.square_px * max(size):.0f} m" if size is not None else f"{seen.square_px} pixels"
        return (
            f"Every pixel's series of {len(seen.days)} radar looks in {', '.join(seen.bands)}, averaged over squares of"
            f" {wide}, was searched for the lasting step that explains it best, and look by look for {s.k} of {s.n}"
            " that leave its own past and ground of the same kind around it; a change counts where unchanged ground of"
            f" the scene would show the like less often than once in {10**seen.z_threshold:,.0f} squares."
        )
    return (
        f"Every pixel's series of {len(seen.days)} looks in the bands {', '.join(seen.bands)} was compared with its own"
        " stable past and with ground of the same kind around it on the same date; a change counts when"
        f" {s.k} of {s.n} clear looks show it beyond {seen.z_threshold:.1f} robust standard deviations."
    )


def series_limits(looks: Series, seen: SeriesMap, times: Sequence[datetime]) -> list[str]:
    """What this series cannot show, in sentences for the report."""
    area = seen.grid.pixel_area_m2
    limits = []
    if area is not None:
        limits.append(f"Changes smaller than about {seen.settings.min_area_px * area:,.0f} m2 are not reported.")
    if looks.gsd_m is not None and looks.gsd_m > 2:
        limits.append(
            f"At {looks.gsd_m:.3g} m masonry, fences, watchtowers and gates are not observable; only the ground beside"
            " them, and a wall's shadow and strip along its whole line, are."
        )
    if (times[-1] - times[0]).days < 365:
        limits.append(
            "The series is shorter than a year, so the season was not learnt from this ground's own past but taken"
            " from ground of the same kind around it."
        )
    if seen.unit == "value":
        limits.append("The numbers are brightness for display, not reflectance: kinds of change are named with care.")
    if seen.unit == "linear-power":
        limits.append("Radar alone tells that ground changed and how its echo did; it does not tell what was built.")
    limits.append(f"Nothing is known about the ground before {day(times[0])}.")
    return limits
