"""What really happened, for scoring only: JSON-ready, never read by the pipeline."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.providers.simulator import optics, surface, weather, world
from geo.providers.simulator.orbits import HALF_METRE, OPTICAL, RADAR, SENSORS, Pass, passes, shift_m, sun
from geo.providers.simulator.plan import Parcel, Plan, Scenario
from geo.providers.simulator.scenes import PIXEL_M, scene_id

SCHEMA = "sitewatch-truth/1"
CADENCE_DAYS = 5


def truth(scenario: Scenario, start: datetime, end: datetime, *, sensors: tuple[str, ...] = SENSORS) -> dict[str, Any]:
    """Return everything that is true of a scenario and of its scenes in the half-open span [start, end).

    Geometries are longitude, latitude. A date that took days is an interval {from, to}. A scene's `shift_px` is
    [rows down, columns right]: how far its content lies from where it should, in its own pixels; `cloud_fraction` is
    that of the site and of the world, by true opacity above one half; `shadow_fraction` that of the site.
    """
    plan = world.build(scenario)
    geo = _Degrees(plan)
    compound = plan.compound
    known: dict[str, Any] = {
        "schema": SCHEMA,
        "simulated": True,
        "site": scenario.site_id,
        "seed": scenario.seed,
        "kind": scenario.kind,
        "epsg": scenario.epsg,
        "outline": geo(plan.site),
        "area_m2": round(plan.site.area, 1),
        "replanted": [_felled(geo, name, *what) for name, what in plan.replanted.items()],
        "other_changes": [_other(geo, p) for p in plan.ground if p.group in ("recoated", "farm")],
        "controls": [geo(c) for c in plan.controls],
        "phases": [], "perimeter": None, "buildings": [],
        "scenes": [_weather(plan, p) for s in sensors for p in passes(scenario, s) if start <= p.time < end],
    }  # fmt: skip
    if compound is not None:
        days = compound.dates
        known["clearing"] = {"from": _iso(days["clearing"]), "to": _iso(days["cleared"])}
        known["perimeter"] = {
            "geometry": geo(compound.wall),
            "length_m": round(compound.wall.length, 1),
            "height_m": scenario.wall_height_m,
            "built": {"from": _iso(days["wall_start"]), "to": _iso(days["wall_end"])},
            "segments": [_section(geo, w) for w in compound.works if w.group == "wall"],
        }
        known["buildings"] = [_building(geo, w) for w in compound.works if w.group == "building"]
        known["phases"] = [
            {"phase": "No Activity", "to": _iso(days["clearing"])},
            {"phase": "Site Preparation", "from": _iso(days["clearing"]), "to": _iso(days["construction"])},
            {"phase": "Active Construction", "from": _iso(days["construction"]), "to": _iso(days["inaugurated"])},
            {"phase": "Post Construction", "from": _iso(days["inaugurated"])},
        ]
    return known


def site_collection(scenario: Scenario) -> dict[str, Any]:
    """Return the site as a FeatureCollection like those in `aois/`: outline, perimeter, planned buildings, controls."""
    plan = world.build(scenario)
    geo = _Degrees(plan)
    since = plan.compound.dates["clearing"] if plan.compound else date(2017, 8, 10)
    site = {
        "role": "site",
        "id": scenario.site_id,
        "name": f"SIMULATED {_NAMES[scenario.kind]} (seed {scenario.seed})",
        "location": {"class": "exact", "source": "simulator", "as_of": since.isoformat()},
        "cadence_days": CADENCE_DAYS,
        "sensors": [OPTICAL, RADAR, HALF_METRE],
        "since": date(since.year - 1, 1, 1).isoformat(),
        "sensitive": False,
    }
    features = [_feature(geo(plan.site), site)]
    if plan.compound is not None:
        features.append(_feature(geo(plan.compound.wall), {"role": "perimeter", "material": "wall"}))
        for work in plan.compound.works:
            if work.group == "building":
                label = f"{work.facts['label']} {work.name[-2:]}"
                features.append(_feature(geo(work.shape), {"role": "building", "planned": True, "label": label}))
    features += [
        _feature(geo(c), {"role": "control", "id": f"control-{n}"}) for n, c in enumerate(plan.controls, start=1)
    ]
    return {"type": "FeatureCollection", "features": features}


_NAMES = {
    "centre": "walled centre in a palm plantation",
    "control": "plantation where nothing is built",
    "replant": "plantation block that is felled and replanted",
}


class _Degrees:
    """Geometries to longitude and latitude, rounded to about a centimetre."""

    def __init__(self, plan: Plan) -> None:
        self._to = Transformer.from_crs(plan.scenario.epsg, 4326, always_xy=True)

    def __call__(self, shape: BaseGeometry) -> dict[str, Any]:
        def degrees(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.round(np.column_stack(self._to.transform(points[:, 0], points[:, 1])), 7)

        plain: dict[str, Any] = _lists(mapping(shapely.transform(shape, degrees)))
        return plain


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _lists(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_lists(v) for v in value]
    return float(value) if isinstance(value, float) else value


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _iso(day: date) -> str:
    return day.isoformat()


def _felled(geo: _Degrees, name: str, shape: BaseGeometry, first: date, last: date, planted: date) -> dict[str, Any]:
    return {
        "id": name,
        "geometry": geo(shape),
        "area_m2": round(shape.area, 1),
        "felled": {"from": _iso(first), "to": _iso(last)},
        "planted": {"from": _iso(last), "to": _iso(planted)},
        "green_again": {"from": _iso(last + timedelta(100)), "to": _iso(last + timedelta(280))},
    }


def _other(geo: _Degrees, parcel: Parcel) -> dict[str, Any]:
    day = parcel.covers[-1][0]
    kind = "roof recoated" if parcel.group == "recoated" else "small clearing, grows back"
    return {"id": parcel.name, "kind": kind, "geometry": geo(parcel.shape), "date": None if day is None else _iso(day)}


def _section(geo: _Degrees, work: Parcel) -> dict[str, Any]:
    line = work.facts["line"]
    assert isinstance(line, BaseGeometry)  # noqa: S101 - put there by compound
    return {
        "id": work.name,
        "geometry": geo(line),
        "length_m": round(line.length, 1),
        "built": {"from": work.facts["start"], "to": work.facts["end"]},
    }


def _building(geo: _Degrees, work: Parcel) -> dict[str, Any]:
    return {
        "id": work.name,
        "label": work.facts["label"],
        "geometry": geo(work.shape),
        "area_m2": round(work.shape.area, 1),
        "height_m": work.height_m,
        "roof": work.facts["roof"],
        "built": {"from": work.facts["start"], "to": work.facts["roofed"]},
    }


def _weather(plan: Plan, scene: Pass) -> dict[str, Any]:
    """Truth of one scene: shift, haze, cloud over the site and over the world, on 40 m points."""
    scenario = plan.scenario
    known: dict[str, Any] = {
        "id": scene_id(scenario, scene),
        "time": scene.time.isoformat(),
        "sensor": scene.sensor,
        "relative_orbit": scene.orbit,
        "shift_px": [round(v / PIXEL_M[scene.sensor], 4) for v in shift_m(scenario, scene)],
    }
    if scene.sensor != OPTICAL:
        return known
    over = weather.sky(scenario, scene)
    where = sun(scene.time, scenario.lon, scenario.lat)
    site, whole = (_points(bounds, scenario.epsg) for bounds in (plan.site.bounds, plan.bounds))
    covered = [optics.swath(plan, scene, grid) for grid in (site, whole)]
    return known | {
        "haze": round(over.haze, 4),
        "cloud_fraction": {
            "site": _share(over.opacity(*surface.centres(site)) > 0.5),
            "world": _share(over.opacity(*surface.centres(whole)) > 0.5),
        },
        "shadow_fraction": {"site": _share(over.shade(*surface.centres(site), where) > 0.5)},
        "covered_fraction": {"site": _share(covered[0]), "world": _share(covered[1])},
    }


def _points(bounds: tuple[float, float, float, float], epsg: int) -> Grid:
    return surface.cells_around(bounds, 0.0, 40.0, epsg)


def _share(mask: Any) -> float:
    return round(float(np.mean(mask)), 4)
