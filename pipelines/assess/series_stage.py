"""The findings of a series: events with intervals, buildings, phases, and, date by date, what could be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from geo.zones import to_lonlat
from pipelines import __version__
from pipelines.assess.context import Context
from pipelines.assess.controls import chosen_controls
from pipelines.assess.findings import (
    CalibrationFinding,
    Event,
    Findings,
    Observability,
    PerimeterFinding,
    Period,
    Role,
    SceneUse,
    State,
)
from pipelines.assess.series_events import Telling, series_events
from pipelines.assess.series_phases import phase_findings
from pipelines.assess.series_wall import wall_event, wall_finding
from pipelines.assess.series_words import series_limits, series_method, series_summary
from pipelines.assess.series_zones import (
    building_series,
    built_area,
    control_rate,
    control_series,
    progress_of,
    site_pixels,
)
from pipelines.assess.stage import candidates_of, concerns, grid_finding, unused, used
from pipelines.assess.zoned import zone_namer
from pipelines.detect import WallSeen
from pipelines.detect.radar import RadarSteps
from pipelines.detect.series import SeriesMap
from pipelines.prepare import Series

LOOK = 0.5  # a date on which less of the ground is clear is no look at it
SEEN_FOR_NO_CHANGE = 0.8
SEEN_AT_ALL = 0.01
STALE_DAYS = 90.0


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The two looks that stand for before and after in pictures, by index."""

    before: int
    after: int


def assess_series(
    looks: Series,
    seen: SeriesMap,
    context: Context,
    *,
    run_id: str,
    now: datetime,
    earlier: Sequence[Event] = (),
    wall: tuple[WallSeen, Sequence[datetime]] | None = None,
    radar: Series | None = None,
) -> tuple[Findings, Shown]:
    """Turn a series map into findings about a place.

    Args:
        looks: the prepared series, with what was refused.
        seen: what `detect_series` made of it.
        context: the place, and scenes that were not even kept.
        run_id: id of the run.
        now: the run's clock, aware UTC.
        earlier: events of the site's run before this one; the same event keeps its id.
        wall: what the wall monitor saw, and the times it was given; None where there is no line to watch.
        radar: a radar series on the same grid, which narrows intervals; None where there is none.
    """
    times = looks.times
    inside = _ground(context, seen)
    refused = [r.record.scene.time for r in looks.refused if r.record.scene.time is not None]
    others = [*refused, *(c.scene.time for c in context.considered if c.scene.time is not None)]
    telling = _telling(looks, context, refused, inside)
    if radar is not None:
        telling = _with_radar(telling, radar, seen.changed | seen.waiting | inside)
    perimeter, standing = _perimeter(context, wall, looks, seen)
    events = series_events(seen, replace(telling, earlier=earlier), standing)
    scored = float(np.mean(np.isfinite(seen.p[inside])))
    observed = _observability(seen, events, times, others, scored)
    buildings = building_series(context, seen, times)
    shown = shown_pair(seen, events)
    findings = Findings(
        site=context.place,
        run_id=run_id,
        created=now,
        software=f"sitewatch {__version__}",
        simulated=looks.simulated,
        summary=series_summary([e for e in events if concerns(e)], observed, seen, looks.simulated),
        period=Period.model_validate({"from": min([*times, *others]), "to": max([*times, *others])}),
        grid=grid_finding(seen.grid, looks.gsd_m),
        observability=observed,
        scenes=_scenes(looks, seen, context, events, shown) + _radar_scenes(radar),
        events=events,
        perimeter=perimeter,
        buildings=buildings,
        progress=progress_of(buildings),
        built_area=built_area(events, times, seen.scene_ids),
        phases=[] if context.site is None or context.site.is_search else phase_findings(seen, inside, times),
        calibration=_calibration(seen, context, events, inside),
        candidates=candidates_of(context, events),
        method=series_method(seen),
        parameters=_parameters(seen),
        limits=series_limits(looks, seen, times),
    )
    return findings, shown


def _ground(context: Context, seen: SeriesMap) -> NDArray[np.bool_]:
    """Pixels of the ground that the run is about."""
    inside = np.ones(seen.grid.shape, bool)
    if context.area is not None and seen.grid.crs is not None:
        place = site_pixels(context.area, seen)
        inside[:] = False
        if place is not None:
            inside[place[0]] = place[1]
    return inside


def _telling(looks: Series, context: Context, refused: Sequence[datetime], inside: NDArray[np.bool_]) -> Telling:
    grid = looks.grid
    return Telling(
        times=looks.times,
        site_id=context.place.id,
        refused_times=refused,
        to_lonlat=lambda g: g if grid.crs is None else to_lonlat(g, grid),
        zone_of=zone_namer(context, grid, looks.gsd_m),
        site_px=float(np.count_nonzero(inside)),
        grid_px=float(inside.size),
    )


def _with_radar(telling: Telling, radar: Series, disturbed: NDArray[np.bool_]) -> Telling:
    return replace(telling, radar=RadarSteps(radar, disturbed).bracket)


def shown_pair(seen: SeriesMap, events: Sequence[Event]) -> Shown:
    """The last clear look, and before all events the clear look nearest to its season, the later the better."""
    clear = np.flatnonzero(seen.looks_clear >= 0.95 * seen.looks_clear.max())
    after = int(clear[-1])
    starts = [e.not_before for e in events if e.not_before is not None and concerns(e) and e.confidence != "possible"]
    limit = min(starts).timestamp() / 86400 if starts else seen.days[after] - 1
    early = [int(t) for t in clear if seen.days[t] <= limit + 1e-6] or [int(clear[0])]
    if early == [after]:
        early = [0]

    def apart(t: int) -> tuple[bool, float]:
        turn = abs((seen.days[t] - seen.days[after] + 182.6) % 365.25 - 182.6)
        return turn > 45, -seen.days[t]

    return Shown(before=min(early, key=apart), after=after)


def _observability(
    seen: SeriesMap, events: list[Event], times: Sequence[datetime], others: Sequence[datetime], scored: float
) -> Observability:
    clear = [t for t, share in zip(times, seen.looks_clear, strict=True) if share >= LOOK]
    to = max([*times, *others])
    gaps = [(b - a).total_seconds() / 86400 for a, b in zip([*clear], [*clear[1:], to], strict=True)]
    here = [e for e in events if concerns(e)]
    firm = [e for e in here if e.confidence != "possible"]
    state: State
    if not clear or scored < SEEN_AT_ALL:
        state, reason = "not-observed", f"{len(clear)} clear looks are too few to judge any of the ground"
    elif firm:
        state, reason = "change", "change was shown by several clear looks"
    elif here:
        state, reason = "pending", "the latest looks differ, but too few clear ones have shown it yet"
    elif scored < SEEN_FOR_NO_CHANGE:
        state = "not-observed"
        reason = f"only {scored:.0%} of the ground was seen often enough; on that part no change is seen"
    elif (to - clear[-1]) > timedelta(days=STALE_DAYS):
        state = "not-observed"
        reason = f"no change is seen until {clear[-1]:%Y-%m-%d}, and since then no look was clear"
    else:
        state, reason = "no-change", f"no change is seen on {len(clear)} clear looks"
    return Observability(
        state=state,
        state_reason=reason,
        clear_scenes=len(clear),
        last_clear=clear[-1] if clear else None,
        longest_gap_days=max(gaps, default=None),
        clear_fraction=scored,
    )


def _scenes(looks: Series, seen: SeriesMap, context: Context, events: list[Event], shown: Shown) -> list[SceneUse]:
    begun = min((e.not_after for e in events if e.confirmed and concerns(e) and e.not_after), default=None)
    found = []
    for t, look in enumerate(looks.looks):
        role: Role = "before" if t == shown.before else "after" if t == shown.after else "series"
        clear = float(seen.looks_clear[t])
        state: State = "not-observed"
        if clear >= LOOK:
            state = "change" if begun is not None and looks.times[t] >= begun else "no-change"
        reason = "one of the series" if clear >= LOOK else f"{clear:.0%} of the ground is clear in it"
        found.append(used(look, role).model_copy(update={"clear_fraction": clear, "state": state, "reason": reason}))
    for item in looks.refused:
        scene = unused(item.record.scene, item.clear_fraction, item.reason)
        found.append(scene.model_copy(update={"state": "not-observed", "sha256": item.record.sha256}))
    found += [unused(c.scene, c.clear_fraction, c.reason, broken=c.broken) for c in context.considered]
    return sorted(found, key=lambda s: (s.time is None, str(s.time), s.id))


def _radar_scenes(radar: Series | None) -> list[SceneUse]:
    if radar is None:
        return []
    compared = [used(look, "radar").model_copy(update={"reason": "narrows intervals"}) for look in radar.looks]
    left = [unused(item.record.scene, item.clear_fraction, item.reason) for item in radar.refused]
    return compared + [scene.model_copy(update={"state": "not-observed"}) for scene in left]


def _perimeter(
    context: Context, wall: tuple[WallSeen, Sequence[datetime]] | None, looks: Series, seen: SeriesMap
) -> tuple[PerimeterFinding | None, list[Event]]:
    """The perimeter as a finding, and the wall as an event where one may be claimed."""
    if wall is None or context.site is None or context.site.perimeter is None:
        return None, []
    told, times = wall
    finding = wall_finding(context.site.perimeter, told, times)
    scene_at = dict(zip(looks.times, seen.scene_ids, strict=True))
    event = wall_event(finding, told, [(time, scene_at[time]) for time in times], seen.grid)
    return finding, [] if event is None else [event]


def _calibration(
    seen: SeriesMap, context: Context, events: list[Event], inside: NDArray[np.bool_]
) -> CalibrationFinding:
    settings, area = seen.settings, seen.grid.pixel_area_m2
    site_px = float(np.count_nonzero(inside))
    years = max(float(seen.days[-1] - seen.days[0]) / 365.25, 0.1)
    p = float(np.exp(-seen.null.evidence(np.array([seen.z_threshold]))[0]))
    expected = site_px * p / settings.min_area_px
    given = context.site.controls if context.site is not None else ()
    controls = control_series(given or chosen_controls(seen, inside), seen, events, by_rule=not given)
    rate, upper = control_rate(controls, site_px * (area or 0.0), years)
    chosen = "" if given or not controls else (
        f" The {len(controls)} controls were chosen by rule from ground of the same kind around the site: what was"
        " flagged there counts as false, though some of it may be real."
    )  # fmt: skip
    return CalibrationFinding(
        method=(
            f"The score is judged against its own largest value over the series on {seen.null_from} ({seen.null_px:,}"
            " pixels), by a heavy-tailed law read from the middle of their values; the threshold is set so that, by"
            f" Markov's inequality, chance makes no more pieces than asked for.{chosen}"
        ),
        fdr=None,
        p_strong=p,
        p_weak=p,
        min_area_px=settings.min_area_px,
        min_area_m2=None if area is None else settings.min_area_px * area,
        expected_false_objects=expected,
        expected_false_alarms_per_site_year=expected / years,
        asked_false_alarms_per_site_year=settings.false_alarms_per_site_year,
        controls_false_alarms_per_site_year=rate,
        controls_upper_per_site_year=upper,
        controls=controls,
    )


def _parameters(seen: SeriesMap) -> dict[str, object]:
    return {
        "settings": asdict(seen.settings),
        "bands": list(seen.bands),
        "z_threshold": seen.z_threshold,
        "null": seen.null._asdict(),
        "null_px": seen.null_px,
        "square_px": seen.square_px,
    }
