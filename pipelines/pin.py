"""`sitewatch sites pin`: a candidate of a search becomes the site's outline, drafted for a person to correct.

What was known before (where the site may be, its sources and notes) stays in the file; only the place gets finer, and
the file says who made it so and from what.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from geo.errors import ConfigurationError, UsageError
from geo.files.atomic import atomic_path
from geo.files.vectors import site_path
from geo.sites import parse_site
from geo.zones import project, utm_of
from pipelines.assess import Findings
from pipelines.registry import feature, find_site, pretty

SIMPLE_M = 10.0  # about a pixel: corners finer than the image are an invention
GAP_M = 25.0


def pin(workspace: Path, site_id: str, number: int, *, now: datetime) -> Path:
    """Turn candidate `number` of the site's latest run into a drafted outline, perimeter and buildings.

    The site file is replaced whole; what it was before lies in `outputs/review/<id>-before-pin.geojson`, which no
    later pin overwrites.

    Raises:
        ConfigurationError: there is no such site or run; UsageError: the run has no such candidate.
    """
    find_site(workspace, site_id)
    path = site_path(workspace / "aois", site_id)
    findings = latest_findings(workspace / "outputs" / "runs" / site_id, site_id)
    chosen = next((c for c in findings.candidates if c.rank == number), None)
    if chosen is None:
        there = ", ".join(str(c.rank) for c in findings.candidates) or "none"
        raise UsageError(f"The latest run of {site_id} has no candidate {number}; there are: {there}.")
    content = path.read_bytes()
    document = json.loads(content)
    _drafted(document, findings, shape(chosen.geometry), f"candidate {number} of run {findings.run_id}", now)
    parse_site(document, file=str(path))
    kept = workspace / "outputs" / "review" / f"{site_id}-before-pin.geojson"
    if not kept.exists():
        with atomic_path(kept) as temporary:
            temporary.write_bytes(content)
    with atomic_path(path) as temporary:
        temporary.write_text(pretty(document), encoding="utf-8")
    return path


def latest_findings(runs: Path, site_id: str) -> Findings:
    """Findings of a site's newest run; ConfigurationError where there is none."""
    try:
        run = (runs / "latest").read_text(encoding="ascii").strip()
        return Findings.model_validate_json((runs / run / "findings.json").read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(f"{site_id} has no complete run yet; scan it first.") from None


def _drafted(document: dict[str, Any], findings: Findings, found: BaseGeometry, source: str, now: datetime) -> None:
    """Change a site document in place."""
    outline = _outline(found)
    for item in document["features"]:
        if item["properties"]["role"] == "site":
            location = item["properties"]["location"]
            item["properties"]["location"] = {
                "class": "exact",
                "source": f"pinned by a person: {source}, drafted by sitewatch and to be corrected; before that: "
                f"{location['class']}, {location['source']}",
                "as_of": f"{now:%Y-%m-%d}",
            }
            item["geometry"] = feature({}, outline)["geometry"]
    document["features"] = [f for f in document["features"] if f["properties"]["role"] not in ("perimeter", "building")]
    label = f"draft from {source}; correct it"
    document["features"].append(feature({"role": "perimeter", "material": "planned", "label": label}, outline))
    built = [
        part
        for event in findings.events
        if event.kind == "construction"
        for part in _parts(shape(event.geometry))
        if part.representative_point().within(outline)
    ]
    for count, part in enumerate(sorted(built, key=lambda p: -p.area), start=1):
        properties = {"role": "building", "id": f"draft-{count}", "planned": False, "label": label}
        document["features"].append(feature(properties, part))


def _outline(found: BaseGeometry) -> Polygon:
    """The outer line of a candidate: gaps of two pixels closed, the largest part, corners no finer than a pixel."""
    metric = utm_of(found)
    ground = project(found, "OGC:CRS84", metric).buffer(GAP_M, join_style="mitre").buffer(-GAP_M, join_style="mitre")
    largest = max(_parts(ground), key=lambda part: part.area)
    simple = Polygon(largest.exterior).simplify(SIMPLE_M)
    drawn = project(simple, metric, "OGC:CRS84")
    assert isinstance(drawn, Polygon)  # noqa: S101 - one ring stays one ring
    return drawn


def _parts(geometry: BaseGeometry) -> list[Polygon]:
    return [part for part in getattr(geometry, "geoms", [geometry]) if isinstance(part, Polygon) and part.area > 0]
