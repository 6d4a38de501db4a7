"""A run as a SMART site model (IARPA Space-based Machine Automated Recognition Technique), for its scorers and viewers.

Strict mode keeps to the published vocabulary: programme ids, originators and sensors. Native mode keeps the site's own
id, says `sitewatch`, and carries both dates of every interval. A look between the two scenes that bound the beginning
of a phase is `Unknown`: the programme allows that only between two different phases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import shapely
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.errors import UsageError
from geo.grid import mgrs_square
from pipelines import __version__
from pipelines.assess import Findings
from pipelines.assess.findings import PhaseFinding, SceneUse

REGION = re.compile(r"[A-Z]{2}_([RST]\d{3}|C[0-7]\d{2}|[RC][Xx]{3})", re.ASCII)
_SENSORS = {"sentinel-2": "Sentinel-2", "landsat-8": "Landsat 8"}
_BUILDING = ("Site Preparation", "Active Construction")


def site_model(findings: Findings, *, strict: bool, region: str | None = None, number: int = 1) -> dict[str, Any]:
    """The site, and one observation a look with the phase that it shows, as a GeoJSON FeatureCollection.

    Args:
        findings: of a series, with phases, of a site with an outline.
        strict: keep to the programme's ids and words.
        region: the programme's region, such as KH_R001 (KH_Rxxx where there is none); needed if strict.
        number: of the site in its region, 1 to 9999.

    Raises:
        UsageError: the run has no phases or no outline, or the region is none of the programme's.
    """
    if not findings.phases or findings.site.geometry is None:
        raise UsageError(f"The run {findings.run_id} tells no phases; a site model needs a series over a known site.")
    if strict and (region is None or not REGION.fullmatch(region) or not 1 <= number <= 9999):
        raise UsageError("A strict site model needs --region such as KH_R001 (or KH_Rxxx), and a number up to 9999.")
    outline = _outline(shape(findings.site.geometry))
    seen = [s for s in findings.scenes if s.used and s.time is not None]
    seen = [s for s in seen if s.role != "radar" and s.state != "not-observed"]
    if not seen:
        raise UsageError(f"The run {findings.run_id} has no look that a site model could name.")
    site = _site(findings, outline, strict=strict, region=region, number=number)
    looks = [_observation(findings, scene, outline, strict=strict) for scene in seen]
    return {"type": "FeatureCollection", "features": [site, *looks]}


def phase_at(phases: list[PhaseFinding], time: datetime) -> str:
    """The phase of a look: the last that had provably begun; `Unknown` within the interval of the next beginning."""
    name = phases[0].phase
    for before, phase in pairwise(phases):
        if phase.not_after is None or time >= phase.not_after:
            name = phase.phase
        elif phase.not_before is not None and time > phase.not_before:
            return "Unknown" if before.phase != phase.phase else name
    return name


def _site(findings: Findings, outline: Polygon, *, strict: bool, region: str | None, number: int) -> dict[str, Any]:
    start, end = _span(findings.phases)
    middle = outline.centroid
    told = min((e.p for e in findings.events if e.confirmed), default=1.0)
    properties: dict[str, Any] = {
        "type": "site",
        "site_id": f"{region}_{number:04d}" if strict else findings.site.id,
        "region_id": region,
        "version": ".".join((*re.findall(r"\d+", __version__), "0", "0", "0")[:3]),
        "mgrs": mgrs_square(middle.x, middle.y),
        "status": "system_proposed",
        "model_content": "proposed",
        "start_date": None if start is None else f"{start:%Y-%m-%d}",
        "end_date": None if end is None else f"{end:%Y-%m-%d}",
        "originator": "acc" if strict else "sitewatch",
        "score": round(1 - min(1.0, told), 6),
        "validated": "False",
    }
    facts = {
        "software": findings.software,
        "run_id": findings.run_id,
        "simulated": findings.simulated,
        "phases": [phase.model_dump(mode="json") for phase in findings.phases],
    }
    properties["cache"] = facts
    return {"type": "Feature", "properties": properties, "geometry": _plain(outline)}


def _observation(findings: Findings, scene: SceneUse, outline: Polygon, *, strict: bool) -> dict[str, Any]:
    assert scene.time is not None  # noqa: S101 - chosen by the caller
    clear = scene.clear_fraction or 0.0
    facts: dict[str, Any] = {"sha256": scene.sha256, "clear_fraction": clear}
    properties = {
        "type": "observation",
        "observation_date": f"{scene.time:%Y-%m-%d}",
        "source": scene.id,
        "sensor_name": _sensor(scene) if strict else scene.sensor,
        "current_phase": phase_at(findings.phases, scene.time),
        "is_occluded": str(clear < 1),
        "is_site_boundary": "True",
        "score": 1.0,
        "cache": facts,
    }
    return {"type": "Feature", "properties": properties, "geometry": _plain(outline)}


def _span(phases: list[PhaseFinding]) -> tuple[datetime | None, datetime | None]:
    """The last look without activity, and the first after all construction, as the programme defines the two dates."""
    start = next((p.not_before or p.not_after for p in phases if p.phase in _BUILDING), None)
    end = next((p.not_after for p in phases if p.phase == "Post Construction"), None)
    return start, end


def _sensor(scene: SceneUse) -> str | None:
    return next((name for start, name in _SENSORS.items() if scene.sensor.startswith(start)), None)


def _outline(geometry: BaseGeometry) -> Polygon:
    """One polygon, counter-clockwise: of several the hull, as a site model knows only one."""
    parts = [part for part in getattr(geometry, "geoms", [geometry]) if isinstance(part, Polygon)]
    if not parts:
        raise UsageError("The site has no outline, only a point; a site model needs one.")
    ring = parts[0].exterior if len(parts) == 1 else geometry.convex_hull.boundary
    return shapely.orient_polygons(Polygon(ring.coords))


def _plain(outline: Polygon) -> Mapping[str, Any]:
    ring = [[round(x, 7), round(y, 7)] for x, y, *_ in mapping(outline)["coordinates"][0]]
    return {"type": "Polygon", "coordinates": [ring]}
