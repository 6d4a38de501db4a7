"""The best pair of scenes to print: clear, of the same season, orbit and sun, close around what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from geo.errors import InputError
from geo.kernels.sun import sun_position
from geo.scene import SceneRecord
from pipelines.assess import Event, Findings
from pipelines.assess.findings import SceneUse
from pipelines.publish.wording import percent, short_day

YEAR = 365.25
SUN_DEGREES = 5.0
CLEAR = 0.95
MIDNIGHT = (0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a scene beside its pixels. The sun's elevation is None where the time of day is not known.

    `sun_stated` is True where the provider said it, False where it was computed from place and time.
    """

    use: SceneUse
    record: SceneRecord
    orbit: str | None
    sun: float | None
    sun_stated: bool

    @property
    def time(self) -> datetime:
        """When it was taken."""
        assert self.use.time is not None  # noqa: S101 - only dated scenes are offered
        return self.use.time

    @property
    def clear(self) -> float:
        """Clear share of the site."""
        return self.use.clear_fraction or 0.0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The pair, and in a sentence why."""

    before: Facts
    after: Facts
    why: str


def facts_of(use: SceneUse, record: SceneRecord, place: tuple[float, float]) -> Facts:
    """Orbit and sun of a kept scene, as stated, else (the sun) computed for `place` (longitude, latitude)."""
    stated = record.scene.properties
    orbit = stated.get("sat:relative_orbit", stated.get("relative_orbit"))
    sun = _number(stated.get("view:sun_elevation", stated.get("sun_elevation")))
    zenith = _number(stated.get("sun_zenith"))
    sun = 90 - zenith if sun is None and zenith is not None else sun
    is_stated = sun is not None
    time = use.time
    if sun is None and time is not None and (time.hour, time.minute, time.second) != MIDNIGHT:
        sun = sun_position(time, *place)[0]
    return Facts(use=use, record=record, orbit=None if orbit is None else str(orbit), sun=sun, sun_stated=is_stated)


def choose_pair(
    findings: Findings, scenes: Sequence[Facts], before: datetime | None = None, after: datetime | None = None
) -> Choice:
    """The pair that shows best what happened; where a date is given, the scene nearest to it.

    Raises InputError where there are not two dated scenes in order.
    """
    ordered = sorted(scenes, key=lambda item: (item.time, item.use.id))
    if len({item.time for item in ordered}) < 2:
        raise InputError("There are not two dated scenes to show; scan the site first.")
    asked_before = None if before is None else _nearest(ordered, before)
    asked_after = None if after is None else _nearest(ordered, after)
    events = [event for event in findings.events if event.confidence != "possible"] or list(findings.events)
    first, last = _span(events)
    befores = [asked_before] if asked_before else _sides(ordered, until=first)
    afters = [asked_after] if asked_after else _sides(ordered, since=last)
    pairs = [(b, a) for b in befores for a in afters if b.time < a.time]
    if not pairs:
        pairs = [(b, a) for b in ([asked_before] if asked_before else ordered)
                 for a in ([asked_after] if asked_after else ordered) if b.time < a.time]  # fmt: skip
    if not pairs:
        raise InputError("The scene before does not lie before the scene after; give other dates.")
    best = min(pairs, key=lambda p: (_cost(p[0], p[1], first, last), p[0].use.id, p[1].use.id))
    how = _how(best, len(pairs), asked_before is not None, asked_after is not None)
    return Choice(before=best[0], after=best[1], why=how)


def _sides(ordered: Sequence[Facts], *, until: datetime | None = None, since: datetime | None = None) -> list[Facts]:
    """The scenes on one side of what happened, the clear ones where there are any."""
    found = [f for f in ordered if (until is None or f.time <= until) and (since is None or f.time >= since)]
    return [item for item in found if item.clear >= CLEAR] or found


def _span(events: Sequence[Event]) -> tuple[datetime | None, datetime | None]:
    """Until when the old state stood, and from when on all of the new one did."""
    starts = [event.not_before for event in events if event.not_before is not None]
    ends = [event.not_after for event in events if event.not_after is not None]
    return min(starts, default=None), max(ends, default=None)


def _cost(before: Facts, after: Facts, first: datetime | None, last: datetime | None) -> float:
    """What speaks against a pair, in units of about a tenth of cloud over the site."""
    cost = 10 * (2 - before.clear - after.clear)
    cost += 4 * _season(before, after) / (YEAR / 2)
    cost += 0.5 * (before.orbit is None or before.orbit != after.orbit)
    if before.sun is not None and after.sun is not None:
        cost += max(0.0, abs(before.sun - after.sun) - SUN_DEGREES) / SUN_DEGREES
    far = [abs((item.time - end).days) for item, end in ((before, first), (after, last)) if end is not None]
    return cost + 0.5 * sum(far) / YEAR


def _season(before: Facts, after: Facts) -> float:
    """Days between the two within the year, 0 to 183."""
    apart = abs(before.time.timetuple().tm_yday - after.time.timetuple().tm_yday)
    return min(apart, YEAR - apart)


def _how(pair: tuple[Facts, Facts], count: int, given_before: bool, given_after: bool) -> str:
    before, after = pair
    facts = [
        f"clear over the site: {percent(before.clear)} and {percent(after.clear)}",
        f"{_season(before, after):.0f} days apart in the year",
        "orbit not stated" if before.orbit is None or after.orbit is None
        else f"same relative orbit ({before.orbit})" if before.orbit == after.orbit
        else f"different relative orbits ({before.orbit} and {after.orbit})",
    ]  # fmt: skip
    if before.sun is None or after.sun is None:
        facts.append("sun elevation not known, as the time of day is not")
    else:
        facts.append(f"sun elevation {before.sun:.0f}° and {after.sun:.0f}°")
    if given_before and given_after:
        chosen = "The pair was asked for by date (the scene nearest to each)"
    elif given_before or given_after:
        chosen = f"One scene was asked for by date, the other chosen as the best of {count}"
    else:
        chosen = "The only pair" if count == 1 else f"Chosen as the best of {count} pairs"
    return f"{chosen}: {short_day(before.time)} and {short_day(after.time)}; {'; '.join(facts)}."


def _nearest(scenes: Sequence[Facts], date: datetime) -> Facts:
    return min(scenes, key=lambda item: (abs(item.time - date), -item.clear, item.use.id))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def by_hash(records: Sequence[SceneRecord]) -> Mapping[str, SceneRecord]:
    """Kept scenes by the SHA-256 of their bytes."""
    return {record.sha256: record for record in records}
