"""`sitewatch export`: what was found, for other programs and other people; with `--public`, only what may be told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pyproj import Transformer
from shapely.geometry import mapping, shape

from geo.errors import ConfigurationError
from geo.files.atomic import atomic_path
from geo.files.reviews import newest, read_reviews
from geo.files.vectors import read_sites
from geo.sites import RADIUS_M, Site
from geo.zones import circle, utm_of
from pipelines.assess import Event, Findings
from pipelines.assess.words import day
from pipelines.publish.listing import Listed, catalogue, to_atom, to_csv, to_geojson
from pipelines.publish.shapes import concerns
from pipelines.publish.wording import area
from pipelines.reviewed import reviews_path

CONFIRMED, REJECTED = "confirmed", "rejected"


@dataclass(frozen=True)
class Exported:
    """What was written, and what was left out and why."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def export(workspace: Path, out: Path, *, public: bool, now: datetime) -> Exported:
    """Write findings.csv, findings.geojson and feed.atom of every site's latest run into `out`; stac/ if not public.

    For the public nothing finer than the class of a site's location is told, nothing that no person confirmed, nothing
    of sensitive sites, no scene's name and no path.

    Raises ConfigurationError where the workspace has no site or `out` cannot be written.
    """
    outputs = workspace / "outputs"
    found = read_sites(workspace / "aois")
    if not found.sites:
        raise ConfigurationError(f"{workspace / 'aois'} holds no site.")
    listed: list[Listed] = []
    left_out = list(found.faults)
    for site in found.sites.values():
        if public and site.sensitive:
            left_out.append("a sensitive site is left out")
            continue
        findings = _latest(outputs / "runs" / site.id)
        if findings is None:
            left_out.append(f"{site.id}: no complete run")
            continue
        reviewed = newest(read_reviews(reviews_path(outputs, site.id)))
        verdicts = {name: review.verdict for name, review in reviewed.items()}
        listed += _public(site, findings, verdicts) if public else _all(findings, verdicts, outputs, out)
    texts = {
        "findings.csv": to_csv(listed),
        "findings.geojson": to_geojson(listed),
        "feed.atom": to_atom(
            [item for item in listed if CONFIRMED in (item.values["confidence"], item.values["verdict"])
             and item.values["verdict"] != REJECTED],
            feed_id="tag:sitewatch,2019:confirmed", updated=max((item.told for item in listed), default=now),
        ),
    }  # fmt: skip
    if not public:
        texts |= _catalogue(outputs, out / "stac", {site.id: site.name for site in found.sites.values()})
    written = []
    for name, text in texts.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        written.append(out / name)
    return Exported(files=tuple(written), left_out=tuple(left_out))


def _all(findings: Findings, verdicts: Mapping[str, str], outputs: Path, out: Path) -> Iterator[Listed]:
    report = outputs / "runs" / findings.site.id / findings.run_id / "report.html"
    for event in findings.events:
        middle = shape(event.geometry).representative_point()
        values = _values(findings, event, verdicts) | {
            "zone": event.zone, "before_scene": event.before_scene, "after_scene": event.after_scene,
            "longitude": round(middle.x, 6), "latitude": round(middle.y, 6),
            "report": os.path.relpath(report, out).replace(os.sep, "/"),
        }  # fmt: skip
        yield Listed(values=values, geometry=event.geometry, title=_title(findings, event), told=findings.created)


def _public(site: Site, findings: Findings, verdicts: Mapping[str, str]) -> Iterator[Listed]:
    """Events at the site that a person confirmed, each on ground as coarse as the place may be told."""
    ground = _coarse(site)
    for event in findings.events:
        if verdicts.get(event.id) != CONFIRMED or not concerns(event):
            continue
        geometry = event.geometry if site.location.kind == "exact" else ground
        middle = shape(geometry).centroid
        values = _values(findings, event, verdicts) | {
            "longitude": round(middle.x, 5), "latitude": round(middle.y, 5), "run": None,
        }  # fmt: skip
        yield Listed(values=values, geometry=geometry, title=_title(findings, event), told=findings.created)


def _coarse(site: Site) -> dict[str, Any]:
    """A circle that holds the site and cannot be undone: its middle lies on a net as wide as the place may be off."""
    radius = RADIUS_M[site.location.kind]
    middle = site.geometry.centroid
    metric = utm_of(site.geometry)
    there = Transformer.from_crs("OGC:CRS84", metric, always_xy=True)
    x, y = there.transform(middle.x, middle.y)
    lon, lat = there.transform(round(x / radius) * radius, round(y / radius) * radius, direction="INVERSE")
    return dict(mapping(circle(round(lon, 5), round(lat, 5), 2 * radius)))


def _values(findings: Findings, event: Event, verdicts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "site": findings.site.id, "name": findings.site.name, "run": findings.run_id, "event": event.id,
        "kind": event.kind, "confidence": event.confidence, "verdict": verdicts.get(event.id, "not reviewed"),
        "area_m2": event.area_m2, "not_before": _iso(event.not_before), "not_after": _iso(event.not_after),
        "p": event.p, "simulated": findings.simulated,
    }  # fmt: skip


def _title(findings: Findings, event: Event) -> str:
    if event.not_before and event.not_after:
        since = f"begun between {day(event.not_before)} and {day(event.not_after)}"
    else:
        since = "begun at a date that is not known" if event.not_after is None else f"begun by {day(event.not_after)}"
    ground = "" if event.area_m2 is None else f" of {area(event.area_m2)}"
    simulated = "SIMULATED: " if findings.simulated else ""
    return f"{simulated}{findings.site.name}: {event.confidence} {event.kind}{ground}, {since}"


def _catalogue(outputs: Path, folder: Path, names: Mapping[str, str]) -> dict[str, str]:
    """Every run's own item, its files' addresses made relative to `folder`, under one catalogue."""
    texts: dict[str, str] = {}
    sites: dict[str, list[str]] = {}
    for path in sorted((outputs / "runs").glob("*/*/item.json")):
        site, run = path.parent.parent.name, path.parent.name
        if site not in names or not (path.parent / "manifest.json").is_file():
            continue
        item = json.loads(path.read_text(encoding="utf-8"))
        here = os.path.relpath(path.parent, folder / site).replace(os.sep, "/")
        for asset in item["assets"].values():
            asset["href"] = f"{here}/{asset['href'].removeprefix('./')}"
        item["links"] = [link for link in item["links"] if link["rel"] == "derived_from"] + [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "./catalog.json", "type": "application/json"},
        ]
        texts[f"stac/{site}/{run}.json"] = json.dumps(item, ensure_ascii=False, indent=1) + "\n"
        sites.setdefault(site, []).append(f"{run}.json")
    for name, document in catalogue(sites, names).items():
        texts[f"stac/{name}"] = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    return texts


def _latest(runs: Path) -> Findings | None:
    try:
        run = (runs / "latest").read_text(encoding="ascii").strip()
        return Findings.model_validate_json((runs / run / "findings.json").read_bytes())
    except (OSError, ValueError, ValidationError):
        return None


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
