"""The findings of a pair: every claim with its interval, its chance of being wrong, and what was not seen."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geo.grid import Grid, Window
from geo.scene import Scene
from geo.tiles import PixelSource
from geo.zones import to_lonlat
from pipelines import __version__
from pipelines.assess.context import Context
from pipelines.assess.events import Framing, events_of
from pipelines.assess.findings import (
    CalibrationFinding,
    Candidate,
    ControlFinding,
    Event,
    Findings,
    GridFinding,
    Observability,
    Period,
    Role,
    SceneUse,
    State,
)
from pipelines.assess.words import day, summary
from pipelines.assess.zoned import (
    OUTSIDE,
    area_seen,
    building_findings,
    control_findings,
    perimeter_finding,
    zone_namer,
)
from pipelines.detect import ChangeMap
from pipelines.prepare import Pair, Prepared, share_over

# "No change" is said only of ground that was nearly all seen; below the second figure nothing is said at all.
SEEN_FOR_NO_CHANGE = 0.8
SEEN_AT_ALL = 0.01
# Built ground differs from plants by about the range of a scene; eight times the noise, in the best band, shows.
LEAST_CONTRAST = 8.0
CANDIDATES = 20
LOOK = 0.5  # a date on which less of the ground is clear is no look at it
DATES_REVERSED = "The files' own dates contradict the order given and were not used. "


def assess(pair: Pair, change_map: ChangeMap, context: Context, *, run_id: str, now: datetime) -> Findings:
    """Turn a change map into findings about a place.

    Args:
        pair: the two prepared scenes.
        change_map: what `detect` made of them.
        context: the place, and the scenes that were not used.
        run_id: id of the run.
        now: the run's clock, aware UTC.

    Returns:
        The findings, complete but for the files that `publish` will write.
    """
    grid = change_map.grid
    framing = Framing(
        to_lonlat=lambda g: g if grid.crs is None else to_lonlat(g, grid),
        zone_of=zone_namer(context, grid, pair.gsd_m),
        site_id=context.place.id,
        min_area_px=change_map.calibration.min_area_px,
    )
    events = events_of(change_map.objects, pair, framing)
    warned = any(warnings_of(look) for look in (pair.before, pair.after))
    fraction, own_share = area_seen(context, pair, change_map)
    seen = _observability(pair, events, fraction, change_map.calibration.contrast)
    controls = control_findings(context, change_map, events)
    times = [t for t in (pair.before.record.scene.time, pair.after.record.scene.time) if t is not None]
    return Findings(
        site=context.place,
        run_id=run_id,
        created=now,
        software=f"sitewatch {__version__}",
        simulated=pair.simulated,
        summary=(DATES_REVERSED if warned else "")
        + summary(
            [e for e in events if concerns(e)],
            seen,
            own_share * change_map.calibration.expected_false_objects,
            pair.simulated,
        ),
        period=Period.model_validate({"from": min(times, default=None), "to": max(times, default=None)}),
        grid=grid_finding(grid, pair.gsd_m),
        observability=seen,
        scenes=_scenes(pair, context),
        events=events,
        perimeter=perimeter_finding(context, pair, change_map),
        buildings=building_findings(context, pair, change_map),
        phases=[],
        calibration=_calibration(change_map, controls),
        candidates=candidates_of(context, events),
        method=change_map.method,
        parameters=dict(change_map.parameters),
        limits=limits_of(pair, change_map),
    )


def grid_finding(grid: Grid, gsd_m: float | None) -> GridFinding:
    """The run's grid as it is told."""
    return GridFinding(
        crs=grid.crs,
        epsg=grid.epsg,
        transform=tuple(grid.transform)[:6],
        shape=grid.shape,
        pixel_size_m=grid.pixel_size_m,
        gsd_m=gsd_m,
    )


def concerns(event: Event) -> bool:
    """True for an event on the run's own ground, not beside it or on a control."""
    return event.zone != OUTSIDE and not event.zone.startswith("control ")


def _observability(pair: Pair, events: list[Event], fraction: float, contrast: float | None) -> Observability:
    before, after = pair.before.record.scene.time, pair.after.record.scene.time
    state: State
    if fraction < SEEN_AT_ALL:
        state, reason = "not-observed", "hardly any ground is clear in both images"
    elif any(concerns(e) for e in events):
        state, reason = "change", "change was found on ground that both images show"
    elif fraction < SEEN_FOR_NO_CHANGE:
        state = "not-observed"
        reason = f"only {fraction:.0%} of the ground is clear in both images; on that part no change is seen"
    elif contrast is not None and contrast < LEAST_CONTRAST:
        state = "not-distinguishable"
        reason = (
            "the two images differ everywhere nearly as much as bright ground differs from dark, so season, light or"
            " haze would hide a change"
        )
    else:
        state, reason = "no-change", "no change is seen on ground that both images show"
    return Observability(
        state=state,
        state_reason=reason,
        clear_scenes=2 if fraction >= SEEN_AT_ALL else 0,
        last_clear=after if fraction >= SEEN_AT_ALL else None,
        longest_gap_days=None if before is None or after is None else (after - before).total_seconds() / 86400,
        clear_fraction=fraction,
    )


def _scenes(pair: Pair, context: Context) -> list[SceneUse]:
    compared = [used(pair.before, "before"), used(pair.after, "after")]
    if context.area is not None:
        compared = [
            use.model_copy(update={"clear_fraction": share_over(context.area, pair.grid, partial(_seen, look.source))})
            for use, look in zip(compared, (pair.before, pair.after), strict=True)
        ]
    return sorted(
        compared + [unused(c.scene, c.clear_fraction, c.reason, broken=c.broken) for c in context.considered],
        key=lambda s: (s.time is None, str(s.time), s.id),
    )


def _seen(source: PixelSource, window: Window) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(source.read(window)).all(axis=0))


def used(look: Prepared, role: Role) -> SceneUse:
    """How a scene that was compared is told."""
    record = look.record
    return SceneUse(
        id=record.scene.id,
        time=record.scene.time,
        sensor=record.scene.sensor,
        role=role,
        used=True,
        reason="compared",
        clear_fraction=look.clear_fraction,
        shift_px=look.shift_px,
        registration=look.registration,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        file=record.path.name,
        licence=record.provenance.licence,
        credit=record.provenance.credit,
        simulated=record.scene.simulated,
        bands=list(look.bands),
        notes=[*map(str, warnings_of(look)), *look.notes],
    )


def unused(scene: Scene, clear_fraction: float | None, reason: str, *, broken: bool = False) -> SceneUse:
    """How a scene that was found and not used is told."""
    return SceneUse(
        id=scene.id,
        time=scene.time,
        sensor=scene.sensor,
        role="none",
        used=False,
        reason=reason,
        clear_fraction=clear_fraction,
        shift_px=None,
        registration="not measured",
        sha256="",
        size_bytes=0,
        file="",
        licence="",
        credit="",
        simulated=scene.simulated,
        bands=[],
        notes=[],
        state=unused_state(clear_fraction, broken=broken),
    )


def unused_state(clear_fraction: float | None, *, broken: bool = False) -> State:
    """State of a scene that was not compared: unreadable, without a view of the ground, or still to be made use of."""
    if broken:
        return "failed"
    return "not-observed" if clear_fraction is not None and clear_fraction < LOOK else "pending"


def _calibration(change_map: ChangeMap, controls: list[ControlFinding]) -> CalibrationFinding:
    facts = change_map.calibration
    return CalibrationFinding(
        method=facts.method,
        fdr=facts.fdr,
        p_strong=facts.p_strong,
        p_weak=facts.p_weak,
        min_area_px=facts.min_area_px,
        min_area_m2=facts.min_area_m2,
        expected_false_objects=facts.expected_false_objects,
        expected_false_alarms_per_site_year=None,
        controls=controls,
    )


def candidates_of(context: Context, events: list[Event]) -> list[Candidate]:
    """For a place that is only roughly known: changes that could be the site, the largest and strongest first."""
    if context.site is None or not context.site.is_search:
        return []
    fitting = [e for e in events if e.zone == "inside" and e.kind in ("clearing", "construction", "other")]
    ranked = sorted(fitting, key=lambda e: (-e.score * (e.area_m2 or e.area_px) ** 0.5, e.id))
    return [
        Candidate(
            rank=rank,
            geometry=event.geometry,
            area_m2=event.area_m2,
            score=event.score,
            kind=event.kind,
            not_before=event.not_before,
            not_after=event.not_after,
            reason=f"{event.direction}, {(event.area_m2 or 0) / 10_000:.1f} ha, chance of a false alarm {event.p:.2g};"
            " ranked by strength and size",
        )
        for rank, event in enumerate(ranked[:CANDIDATES], start=1)
    ]


def warnings_of(look: Prepared) -> tuple[object, ...]:
    """What must be said of a scene before anything else."""
    stated = look.record.scene.properties.get("warnings", ())
    return tuple(stated) if isinstance(stated, list | tuple) else ()


def limits_of(pair: Pair, change_map: ChangeMap) -> list[str]:
    """What this pair cannot show, in sentences for the report."""
    facts = change_map.calibration
    before, after = pair.before.record.scene.time, pair.after.record.scene.time
    limits = [str(warning) for look in (pair.before, pair.after) for warning in warnings_of(look)]
    limits.append(
        "Two images show that the ground changed between them; they do not show when, nor that the change lasts."
        " No finding here is called confirmed."
    )
    if before is None or after is None:
        limits.append("At least one image states no date, so no finding can be placed in time.")
    else:
        limits.append(f"Nothing is known about the time between {day(before)} and {day(after)}.")
    if facts.min_area_m2 is not None:
        limits.append(f"Changes smaller than about {facts.min_area_m2:,.0f} m2 are not reported.")
    if pair.gsd_m is not None and pair.gsd_m > 2:
        limits.append(
            f"At {pair.gsd_m:.3g} m walls, fences, watchtowers and gates are not observable; only the ground beside"
            " them is."
        )
    if pair.gsd_m is None:
        limits.append("The images have no georeference: places and sizes are told in pixels.")
    for look in (pair.before, pair.after):
        if look.registration in ("refused", "not measurable"):
            limits.append(
                f"How well {look.record.path.name} lies over the other image could not be measured;"
                " edges may be flagged that did not change."
            )
    bare = [look.record.path.name for look in (pair.before, pair.after) if not look.masked]
    if bare and pair.unit != "linear-power":
        limits.append(f"No mask of clouds came with {' and '.join(bare)}: a cloud may be taken for a change.")
    if pair.unit == "value":
        limits.append("The numbers are brightness for display, not reflectance: kinds of change are named with care.")
    return limits
