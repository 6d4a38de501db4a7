"""Findings as features: findings.geojson for exchange, findings.gpkg for QGIS."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.files import reviews
from geo.files.atomic import atomic_path
from geo.files.geopackage import Column, Table, write_geopackage
from geo.files.qgis import Layer, style_xml
from geo.files.text import cleaned
from geo.grid import Grid
from pipelines.assess import Findings
from pipelines.assess.findings import Geometry
from pipelines.publish.settings import Lineage
from pipelines.publish.shapes import Numbered, footprint, grid_of, in_grid
from pipelines.publish.wording import event_title

FILE = "findings.gpkg"

_EVENT: dict[str, Column] = {
    "number": "integer", "id": "text", "name": "text", "title": "text", "kind": "text", "direction": "text",
    "zone": "text", "confidence": "text", "confidence_reason": "text", "confirmed": "boolean", "p": "real",
    "score": "real", "area_m2": "real", "area_px": "integer", "not_before": "time", "not_after": "time",
    "gap_reason": "text", "before_scene": "text", "after_scene": "text", "verdict": "text", "reviewer": "text",
    "stacked": "integer", "simulated": "boolean",
}  # fmt: skip
_SEGMENT: dict[str, Column] = {
    "id": "text", "look": "text", "status": "text", "material": "text", "start_m": "real", "end_m": "real", "p": "real",
    "changed_fraction": "real", "observed_fraction": "real", "not_before": "time", "not_after": "time",
    "simulated": "boolean",
}  # fmt: skip
_BUILDING: dict[str, Column] = {
    "id": "text", "label": "text", "planned": "boolean", "status": "text", "status_reason": "text", "area_m2": "real",
    "p": "real", "changed_fraction": "real", "observed_fraction": "real", "not_before": "time", "not_after": "time",
    "simulated": "boolean",
}  # fmt: skip
_SITE: dict[str, Column] = {
    "id": "text", "name": "text", "location_class": "text", "location_source": "text", "state": "text",
    "state_reason": "text", "run_id": "text", "simulated": "boolean",
}  # fmt: skip
_SCENE: dict[str, Column] = {
    "id": "text", "time": "time", "sensor": "text", "role": "text", "used": "boolean", "reason": "text",
    "clear_fraction": "real", "registration": "text", "sha256": "text", "simulated": "boolean",
}  # fmt: skip
_CONTROL: dict[str, Column] = {
    "id": "text", "area_m2": "real", "observed_fraction": "real", "flagged_fraction": "real",
    "flagged_objects": "integer",
}  # fmt: skip


def tables(findings: Findings, events: Sequence[Numbered], layers: Sequence[Layer]) -> list[Table]:
    """All tables of findings.gpkg, in the coordinates of the run's grid; a layer without features stays, empty.

    Args:
        findings: the run's.
        events: in the order in which they are numbered.
        layers: the project's layers; each table takes its style from the layer of its name.
    """
    grid = grid_of(findings)
    styles = {layer.name: style_xml(layer) for layer in layers if layer.kind == "vector"}
    perimeter = findings.perimeter
    lines = [s.geometry for s in perimeter.segments] + list(perimeter.gaps) if perimeter else []
    controls = [c for c in findings.calibration.controls if c.geometry is not None]
    site = [] if findings.site.geometry is None else [findings.site.geometry]

    rows, cols = grid.shape
    frame: Geometry = footprint(grid) or dict(mapping(box(0, 0, cols, rows)))
    frames = [frame] * len(findings.scenes)

    def table(name: str, columns: dict[str, Column], rows: list[dict[str, Any]], places: Sequence[Any]) -> Table:
        made = [in_grid(place, grid) for place in places]
        kind = "MultiLineString" if name == "perimeter_segments" else "MultiPolygon"
        if kind == "MultiPolygon":
            made = [_as_area(geometry, grid) for geometry in made]
        return Table(name=name, columns=columns, rows=rows, geometries=made, geometry_type=kind, style=styles.get(name))

    return [
        table("changes", _EVENT, event_rows(findings, events), [item.event.geometry for item in events]),
        table("perimeter_segments", _SEGMENT, segment_rows(findings), lines),
        table("buildings", _BUILDING, building_rows(findings), [b.geometry for b in findings.buildings]),
        table("site", _SITE, site_rows(findings) if site else [], site),
        table("scenes", _SCENE, [s.model_dump(include=set(_SCENE)) for s in findings.scenes], frames),
        table("controls", _CONTROL, [c.model_dump() for c in controls], [c.geometry for c in controls]),
    ]


def write_features(
    folder: Path, findings: Findings, events: Sequence[Numbered], layers: Sequence[Layer], lineage: Lineage
) -> None:
    """Write findings.geojson and findings.gpkg; where verdicts have no file of their own, also a table for them."""
    _write_json(folder / "findings.geojson", collection(findings, events))
    made = tables(findings, events, layers)
    if lineage.review is None:
        style = next((style_xml(layer) for layer in layers if layer.name == reviews.TABLE), None)
        made.append(Table(name=reviews.TABLE, columns=reviews.COLUMNS, rows=[], style=style))
    write_geopackage(folder / FILE, made, crs=findings.grid.crs, now=findings.created)


def collection(findings: Findings, events: Sequence[Numbered]) -> dict[str, Any]:
    """All features as one GeoJSON FeatureCollection in longitude, latitude; `role` tells them apart.

    Without georeference the coordinates are pixels (col, row), and the collection says so.
    """
    perimeter = findings.perimeter
    features = [
        _feature("change", row, item.event.geometry)
        for row, item in zip(event_rows(findings, events), events, strict=True)
    ]
    if perimeter is not None:
        lines = [s.geometry for s in perimeter.segments] + list(perimeter.gaps)
        rows = segment_rows(findings)
        features += [_feature("perimeter", row, line) for row, line in zip(rows, lines, strict=True)]
    features += [
        _feature("building", row, b.geometry)
        for row, b in zip(building_rows(findings), findings.buildings, strict=True)
    ]
    if findings.site.geometry is not None:
        features.append(_feature("site", site_rows(findings)[0], findings.site.geometry))
    features += [
        _feature("control", c.model_dump(exclude={"geometry"}), c.geometry)
        for c in findings.calibration.controls
        if c.geometry is not None
    ]
    system = "longitude, latitude (WGS 84)" if findings.grid.crs else "pixels (col, row) of the image; no georeference"
    head = {
        "type": "FeatureCollection", "name": "findings", "coordinates": system, "run_id": findings.run_id,
        "simulated": findings.simulated,
    }  # fmt: skip
    return {**head, "features": features}


def event_rows(findings: Findings, events: Sequence[Numbered]) -> list[dict[str, Any]]:
    """One row an event. `stacked` counts the numbered events before it whose middle is the same, for its label."""
    stacked = _stacked(events)
    return [
        {
            **item.event.model_dump(exclude={"geometry", "area_series"}),
            "number": item.number,
            "verdict": item.verdict.verdict if item.verdict else None,
            "reviewer": item.verdict.reviewer if item.verdict else None,
            "name": f"{item.number or '–'}: {event_title(item.event)}",
            "title": event_title(item.event),
            "stacked": stacked.get(item.event.id, 0),
            "simulated": findings.simulated,
        }
        for item in events
    ]


def _stacked(events: Sequence[Numbered]) -> dict[str, int]:
    middles: dict[tuple[float, float], int] = {}
    found = {}
    for item in events:
        if item.number is not None:
            ground = shape(item.event.geometry)
            near = math.sqrt(ground.area) / 4 or 1.0
            middle = round(ground.centroid.x / near), round(ground.centroid.y / near)
            found[item.event.id] = middles.get(middle, 0)
            middles[middle] = found[item.event.id] + 1
    return found


def segment_rows(findings: Findings) -> list[dict[str, Any]]:
    """One row a segment of the perimeter, then one a gap. `look` joins what it is and how it stands, for styles."""
    perimeter = findings.perimeter
    if perimeter is None:
        return []
    line = "fence" if perimeter.material == "fence" else "wall"
    dates = {"not_before": perimeter.not_before, "not_after": perimeter.not_after}
    shared = {"material": perimeter.material, "simulated": findings.simulated}
    rows = []
    for segment in perimeter.segments:
        row = {**segment.model_dump(exclude={"geometry"}), **shared, "look": f"{line}, {segment.status}"}
        # A pair dates the line as a whole; a series dates each segment.
        undated = segment.not_before is None and segment.not_after is None
        rows.append(row | dates if undated and segment.status == "changed" else row)
    gaps = [
        {"id": f"gap {place}", "status": "gap", "look": "gap", **shared, **dates}
        for place, _ in enumerate(perimeter.gaps, start=1)
    ]
    return rows + gaps


def building_rows(findings: Findings) -> list[dict[str, Any]]:
    """One row a building; a status that cannot be told says so in words."""
    return [
        {
            **building.model_dump(exclude={"geometry"}),
            "status": building.status or "cannot be told",
            "simulated": findings.simulated,
        }
        for building in findings.buildings
    ]


def site_rows(findings: Findings) -> list[dict[str, Any]]:
    """The one row of the site."""
    seen = findings.observability
    return [
        {
            **findings.site.model_dump(exclude={"geometry", "sensitive"}), "state": seen.state,
            "state_reason": seen.state_reason, "run_id": findings.run_id, "simulated": findings.simulated,
        }
    ]  # fmt: skip


def _feature(role: str, properties: dict[str, Any], geometry: Geometry) -> dict[str, Any]:
    plain = {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in properties.items()
    }
    return {"type": "Feature", "properties": {"role": role, **plain}, "geometry": geometry}


def _as_area(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """A site that is only a point becomes a mark of two pixels round it, so that its layer has one kind."""
    return geometry if geometry.area > 0 else geometry.buffer(2 * math.sqrt(abs(grid.transform.determinant)))


def _write_json(path: Path, document: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        text = json.dumps(cleaned(document), ensure_ascii=False, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
