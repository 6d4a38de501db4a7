"""Findings by zone of a series: buildings and the progress of the plan, controls, how much of the ground was seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.kernels import cover
from geo.sites import Building, Control
from geo.zones import area_m2, coverage, to_grid
from pipelines.assess.context import Context
from pipelines.assess.dating import Bracket, bracket
from pipelines.assess.findings import (
    AreaPoint,
    BuildingFinding,
    BuildingStatus,
    ControlFinding,
    Event,
    Progress,
)
from pipelines.detect.series import NEW, NOT_SEEN, OLD, UNCLEAR, SeriesMap, cover_of, state_of

SEEN_ENOUGH = 0.5
BUILT_ENOUGH = 0.5
BEGUN_ENOUGH = 0.2
LAST_LOOKS = 4


def site_pixels(area: BaseGeometry, seen: SeriesMap) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
    """Window of the grid and the pixels in it that lie mostly in a lon/lat polygon; None beside the grid."""
    part = coverage(to_grid(area, seen.grid), seen.grid)
    if part is None:
        return None
    inside = part.weights >= 0.5
    if not inside.any():
        inside = part.weights == part.weights.max()
    return part.window, inside


def building_series(context: Context, seen: SeriesMap, times: tuple[datetime, ...]) -> list[BuildingFinding]:
    """What became of each planned or known building; none where the site's place is not known."""
    if context.site is None or context.site.is_search:
        return []
    return [_building(building, seen, times) for building in context.site.buildings]


def progress_of(buildings: list[BuildingFinding]) -> Progress | None:
    """How much of the plan stands; None without a plan."""
    planned = [b for b in buildings if b.planned]
    if not planned:
        return None
    built = [b for b in planned if b.status == "built"]
    known = [b for b in planned if b.status is not None]
    known_m2 = sum(b.area_m2 or 0.0 for b in known)
    built_m2 = sum(b.area_m2 or 0.0 for b in built)
    return Progress(
        planned=len(planned),
        planned_m2=sum(b.area_m2 or 0.0 for b in planned),
        built=len(built),
        built_m2=built_m2,
        unknown=len(planned) - len(known),
        share=built_m2 / known_m2 if known_m2 > 0 else None,
    )


def _building(building: Building, seen: SeriesMap, times: tuple[datetime, ...]) -> BuildingFinding:
    size = area_m2(building.polygon)
    status: BuildingStatus | None = None
    found: Bracket | None = None
    changed, share_seen, p = None, 0.0, None
    smallest = (seen.grid.pixel_area_m2 or 0.0) * seen.settings.min_area_px
    place = site_pixels(building.polygon, seen)
    if place is None:
        reason = "not observed: it lies outside of the images"
    elif seen.unit == "linear-power":
        reason = "not observable: radar alone does not tell a building from other strong echoes"
    elif size < smallest:
        reason = f"not observable: at {size:,.0f} m2 it is below the {smallest:,.0f} m2 that can be told apart"
    else:
        codes = seen.read_codes(place[0])[:, place[1]]
        share_seen = float(np.mean((state_of(codes) != NOT_SEEN).any(axis=0)))
        changed = float(np.mean(seen.changed[place[0]][place[1]]))
        values = seen.p[place[0]][place[1]]
        p = float(np.nanmedian(values)) if np.isfinite(values).any() else None
        status, reason, found = _status(building, codes, changed, seen)
    return BuildingFinding(
        id=building.id,
        label=building.label,
        planned=building.planned,
        status=status,
        status_reason=reason,
        area_m2=size,
        geometry=dict(mapping(building.polygon)),
        not_before=times[found.not_before] if found is not None and found.not_before >= 0 else None,
        not_after=times[found.not_after] if found is not None else None,
        p=p,
        changed_fraction=changed,
        observed_fraction=share_seen,
    )


def _status(
    building: Building, codes: NDArray[np.uint8], changed: float, seen: SeriesMap
) -> tuple[BuildingStatus | None, str, Bracket | None]:
    """Status, the reason in words, and the interval of what decided."""
    land = cover_of(codes)
    looks = np.flatnonzero((land >= 0).mean(axis=1) >= SEEN_ENOUGH)
    if looks.size < seen.settings.k:
        return None, f"not observed: only {looks.size} looks show it", None
    holds = np.where(land < 0, np.int8(-1), (land == cover.BUILT).astype(np.int8))
    start = np.zeros((1, land.shape[1]), np.int16)
    onset, without = (a[0] for a in cover.onset(holds[:, None, :], start, k=seen.settings.k, n=seen.settings.n))
    share = float((onset >= 0).mean())
    if share >= BUILT_ENOUGH:
        stood = bool(without[onset >= 0].max() < 0)
        reason = f"built material shows on {share:.0%} of its ground{' since the first look' if stood else ''}"
        return "built", reason, None if stood else _built_since(land, onset, without, seen)
    status, reason = _unbuilt(building, land[looks], share, changed)
    moved = status not in ("not started", "no change seen")
    return status, reason, _break(state_of(codes), seen) if moved else None


def _unbuilt(building: Building, land: NDArray[np.int8], share: float, changed: float) -> tuple[BuildingStatus, str]:
    """Status of ground on which most does not look built at the end; `land` holds the looks that show it."""

    def part(looks: NDArray[np.int8], wanted: int) -> float:
        return float((looks == wanted).sum()) / max(1, int((looks >= 0).sum()))

    first, last = land[:LAST_LOOKS], land[-LAST_LOOKS:]
    if part(first, cover.BUILT) > BUILT_ENOUGH and changed >= SEEN_ENOUGH:
        return "removed", "built material showed on it and does not any more"
    if share >= BEGUN_ENOUGH:
        return "under construction", f"built material shows on {share:.0%} of its ground"
    bare = part(last, cover.BARE)
    if changed >= SEEN_ENOUGH and bare >= SEEN_ENOUGH:
        return "cleared", f"{bare:.0%} of its ground is bare on the last looks"
    if changed >= SEEN_ENOUGH:
        return "changed", f"{changed:.0%} of its ground changed"
    return "not started" if building.planned else "no change seen", "its ground looks as it did before"


def _built_since(
    land: NDArray[np.int8], onset: NDArray[np.int16], without: NDArray[np.int16], seen: SeriesMap
) -> Bracket:
    """The interval in which half of what looks built in the end began to."""
    built = onset >= 0
    told = np.where(land < 0, np.uint8(NOT_SEEN), np.uint8(UNCLEAR))
    index = np.arange(len(land))[:, None]
    told[(land >= 0) & (land != cover.BUILT) & (index <= without)] = OLD
    told[(land == cover.BUILT) & (index >= onset) & built] = NEW
    since = onset[built].astype(np.int64)
    least = max(1, min(seen.settings.min_area_px, int(np.count_nonzero(built) * BUILT_ENOUGH)))
    return bracket(told[:, built], since, since, least_px=least)


def _break(states: NDArray[np.uint8], seen: SeriesMap) -> Bracket | None:
    new = states == NEW
    there = new.any(axis=0)
    if not there.any():
        return None
    first = np.argmax(new[:, there], axis=0).astype(np.int64)
    return bracket(states[:, there], first, first, least_px=max(1, min(seen.settings.min_area_px, first.size // 2)))


def control_series(
    controls: Sequence[Control], seen: SeriesMap, events: list[Event], *, by_rule: bool
) -> list[ControlFinding]:
    """What was flagged, confirmed or probable, on ground that is held to be unchanged.

    On ground chosen by rule an event counts where at least half of it, or half of the control, lies in the other.
    """
    found = []
    for control in controls:
        place = site_pixels(control.polygon, seen)
        changed = observed = None
        if place is not None:
            scored = np.isfinite(seen.p[place[0]][place[1]])
            observed = float(scored.mean())
            changed = float(np.mean(seen.changed[place[0]][place[1]][scored])) if scored.any() else None
        firm = [e for e in events if e.confidence != "possible"]
        found.append(
            ControlFinding(
                id=control.id,
                area_m2=area_m2(control.polygon),
                observed_fraction=observed or 0.0,
                flagged_fraction=changed,
                flagged_objects=sum(
                    _mostly_there(shape(e.geometry), control.polygon) if by_rule else e.zone == f"control {control.id}"
                    for e in firm
                ),
                geometry=dict(mapping(control.polygon)),
            )
        )
    return found


def _mostly_there(event: BaseGeometry, control: BaseGeometry) -> bool:
    shared = event.intersection(control).area
    return bool(shared > 0 and shared >= 0.5 * min(event.area, control.area))


def control_rate(controls: Sequence[ControlFinding], site_m2: float, years: float) -> tuple[float | None, float | None]:
    """False alarms a site and year that the controls showed, and the 95 % upper limit (exact, Garwood 1936).

    None for both where no control was seen.
    """
    ground = sum((c.area_m2 or 0.0) * c.observed_fraction for c in controls)
    exposure = ground / site_m2 * years if site_m2 > 0 else 0.0
    if exposure <= 0:
        return None, None
    flagged = sum(c.flagged_objects for c in controls)
    return flagged / exposure, float(chi2.ppf(0.95, 2 * flagged + 2)) / 2 / exposure


def built_area(events: Sequence[Event], times: Sequence[datetime], scenes: Sequence[str]) -> list[AreaPoint]:
    """What all construction of the site together had built on each look, confirmed and probable events alike.

    A look on which any of them was too little seen gives no sum: a part would look like a loss.
    """
    built = [e for e in events if e.kind == "construction" and e.confidence != "possible" and e.zone != "surroundings"]
    built = [e for e in built if not e.zone.startswith("control ")]
    if not built:
        return []
    known = [{point.time: point for point in event.area_series} for event in built]
    found = []
    for time, scene in zip(times, scenes, strict=True):
        points = [of.get(time) for of in known]
        areas = [None if point is None else point.area_m2 for point in points]
        told = [area for area in areas if area is not None]
        found.append(
            AreaPoint(
                time=time,
                scene=scene,
                area_m2=round(sum(told), 1) if len(told) == len(areas) else None,
                seen_fraction=min(0.0 if point is None else point.seen_fraction for point in points),
            )
        )
    return found
