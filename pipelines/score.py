"""`sitewatch score`: results against a truth, by pixels, by objects, and by SMART site models.

Objects and sites are matched one to one by intersection over union, best first, from 0.2 on: what the SMART programme
calls a detected site. A site's dates must overlap in time as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geo import geojson
from geo.errors import InputError
from geo.files.opening import reading
from geo.files.vectors import read_aoi, read_capped
from geo.geojson import Fault
from geo.grid import Grid
from geo.kernels.scoring import Confusion, match_greedily, score_pixels
from geo.zones import project, to_grid, utm_of
from pipelines.assess import Findings

LEAST_IOU = 0.2
PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")


@dataclass(frozen=True)
class Scored:
    """Figures by name, in the order in which they are told."""

    title: str
    figures: Mapping[str, float | int | str | None]

    def lines(self) -> Iterator[str]:
        """One line a figure."""
        yield self.title
        width = max(map(len, self.figures))
        for name, value in self.figures.items():
            yield f"  {name:<{width}}  {_told(value)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is undefined is null."""
        plain = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in self.figures.items()}
        return {"score": self.title, **plain}


def score_mask(mask: Path, truth: Path) -> Scored:
    """A change mask against a raster on the same pixels, or against polygons (all else counts as unchanged).

    Raises InputError where the two cannot be compared.
    """
    with reading(mask) as dataset:
        found = dataset.read(1)
        grid = Grid(str(dataset.crs) if dataset.crs else None, dataset.transform, dataset.shape)
    known = _truth(truth, grid)
    try:
        result = score_pixels(found, known)
    except ValueError as error:
        raise InputError(f"{mask.name} and {truth.name} cannot be compared: {error}.") from error
    return Scored(
        "pixels",
        {
            **_figures(result.seen),
            "kappa": result.seen.kappa,
            "mcc": result.seen.mcc,
            "true negatives": result.seen.tn,
            "not observed, truly changed": result.unseen_changed,
            "not observed, unchanged": result.unseen_same,
            "truth not known": result.unknown,
        },
    )


def score_objects(found: Sequence[BaseGeometry], truth: Sequence[BaseGeometry], least: float = LEAST_IOU) -> Scored:
    """Polygons against polygons (lon/lat), one to one by intersection over union of their ground."""
    one, other = _metric([*found, *truth])[: len(found)], _metric([*found, *truth])[len(found) :]
    overlap = _overlaps(one, other)
    pairs = match_greedily(overlap, least)
    counts = Confusion(tp=len(pairs), fp=len(one) - len(pairs), fn=len(other) - len(pairs))
    mean = float(np.mean([overlap[r, c] for r, c in pairs])) if pairs else math.nan
    return Scored("objects", {**_figures(counts), "mean IoU of the matched": mean, "IoU asked for": least})


def score_run(run: Path, truth: Path) -> Scored:
    """A run's events against polygons, or against the truth of a simulated site: dates and replanting, too.

    Raises InputError where one of them cannot be read.
    """
    try:
        findings = Findings.model_validate_json((run / "findings.json").read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{run} holds no findings that can be read.") from error
    firm = [e for e in findings.events if e.confidence != "possible"]
    document = _json(truth)
    if "sitewatch-truth" not in str(document.get("schema", "")):
        return score_objects([shape(e.geometry) for e in firm], _parts(read_aoi(truth)))
    return _score_simulated(findings, document)


def score_sites(found: Path, truth: Path) -> Scored:
    """SMART site models against those of the truth: detection, dates, and the phase of each observed day.

    Raises InputError where one of them is no site model.
    """
    ours, theirs = _sites(found), _sites(truth)
    overlap = _overlaps(
        _metric([*(s.outline for s in ours), *(s.outline for s in theirs)])[: len(ours)],
        _metric([*(s.outline for s in ours), *(s.outline for s in theirs)])[len(ours) :],
    )
    for r, one in enumerate(ours):
        for c, other in enumerate(theirs):
            if not one.overlaps(other):
                overlap[r, c] = 0.0
    pairs = match_greedily(overlap, LEAST_IOU)
    counts = Confusion(tp=len(pairs), fp=len(ours) - len(pairs), fn=len(theirs) - len(pairs))
    figures: dict[str, float | int | str | None] = {**_figures(counts)}
    starts = [(ours[r].start, theirs[c].start) for r, c in pairs]
    late = [(one - other).days for one, other in starts if one and other]
    figures["median days late at the start"] = float(np.median(late)) if late else math.nan
    figures["days off at the start, absolute median"] = float(np.median(np.abs(late))) if late else math.nan
    for phase, confusion in _phases([(ours[r], theirs[c]) for r, c in pairs]).items():
        figures[f"F1 of {phase}"] = confusion.f1
    return Scored("SMART site models", figures)


@dataclass(frozen=True)
class _Site:
    outline: BaseGeometry
    start: date | None
    end: date | None
    phases: Mapping[date, str]

    def overlaps(self, other: _Site) -> bool:
        """True where their spans share a day; an open end goes on for ever."""
        starts = [s for s in (self.start, other.start) if s is not None]
        ends = [e for e in (self.end, other.end) if e is not None]
        return not starts or not ends or max(starts) <= min(ends)


def _phases(pairs: Sequence[tuple[_Site, _Site]]) -> dict[str, Confusion]:
    """One confusion a phase over the days of the truth; ours holds from its look until the next one."""
    counts = {phase: [0, 0, 0] for phase in PHASES}
    for ours, theirs in pairs:
        days = sorted(ours.phases)
        for day, true in theirs.phases.items():
            before = [d for d in days if d <= day]
            said = ours.phases[before[-1]] if before else "No Activity"
            if true not in counts or said == "Unknown":
                continue
            if said == true:
                counts[true][0] += 1
            else:
                counts[true][2] += 1
                if said in counts:
                    counts[said][1] += 1
    return {phase: Confusion(*numbers) for phase, numbers in counts.items()}


def _score_simulated(findings: Findings, known: Mapping[str, Any]) -> Scored:
    """Was the start inside its interval, was replanting called construction, which buildings were found?"""
    confirmed = [e for e in findings.events if e.confirmed]
    built = [shape(e.geometry) for e in confirmed if e.kind == "construction"]
    outline = shape(known["outline"])
    here = [e for e in confirmed if e.kind in ("clearing", "construction") and shape(e.geometry).intersects(outline)]
    first = min((e for e in here if e.not_after), key=lambda e: str(e.not_after), default=None)
    figures: dict[str, float | int | str | None] = {"events confirmed at the site": len(here)}
    if known.get("clearing"):
        begun = date.fromisoformat(known["clearing"]["from"])
        figures["true beginning"] = begun.isoformat()
        if first is not None and first.not_after is not None:
            low = first.not_before.date() if first.not_before else date.min
            figures["not before"] = low.isoformat() if first.not_before else None
            figures["not after"] = first.not_after.date().isoformat()
            figures["true beginning inside"] = int(low <= begun <= first.not_after.date())
    blocks = [shape(item["geometry"]) for item in known.get("replanted", ())]
    wrong = sum(any(b.intersection(e).area >= 0.1 * b.area for e in built) for b in blocks)
    figures |= {"replanted blocks": len(blocks), "of them called construction": wrong}
    halls = [shape(item["geometry"]) for item in known.get("buildings", ())]
    seen = sum(any(h.intersection(e).area >= 0.5 * h.area for e in built) for h in halls)
    return Scored("simulated site", {**figures, "true buildings": len(halls), "of them half or more found": seen})


def _truth(path: Path, grid: Grid) -> NDArray[np.uint8]:
    """The truth on the mask's pixels."""
    if path.suffix.lower() in (".geojson", ".json", ".gpkg", ".shp"):
        area = read_aoi(path)
        if grid.crs is None:
            raise InputError(f"{path.name} is in degrees, but the mask has no georeference.")
        return np.asarray(
            rasterize([to_grid(area, grid)], out_shape=grid.shape, transform=grid.transform, dtype="uint8")
        )
    with reading(path) as dataset:
        same = (str(dataset.crs) if dataset.crs else None) == grid.crs and dataset.transform == grid.transform
        if not same or dataset.shape != grid.shape:
            raise InputError(f"{path.name} does not lie on the pixels of the mask; warp it there first.")
        return np.asarray(dataset.read(1))


def _sites(path: Path) -> list[_Site]:
    """The sites of one site model, or of a folder of them."""
    files = sorted(path.glob("*.geojson")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no .geojson file.")
    return [site for file in files for site in _of_model(file)]


def _of_model(file: Path) -> Iterator[_Site]:
    try:
        features = geojson.features(_json(file))
        sites = [f for f in features if f["properties"].get("type") in ("site", "site_summary")]
        looks = [f["properties"] for f in features if f["properties"].get("type") == "observation"]
        if not sites:
            raise InputError(f"{file} holds no feature of type site.")
        phases = {
            date.fromisoformat(look["observation_date"]): str(look["current_phase"]).split(", ")[0]
            for look in looks
            if look.get("observation_date") and look.get("current_phase")
        }
        for site in sites:
            facts = site["properties"]
            yield _Site(shape(site["geometry"]), _date(facts.get("start_date")), _date(facts.get("end_date")), phases)
    except (Fault, KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise InputError(f"{file} is no SMART site model ({error}).") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        document = geojson.loads(read_capped(path))
    except Fault as fault:
        raise InputError(f"{path} {fault}.") from fault
    if not isinstance(document, dict):
        raise InputError(f"{path} is no JSON object.")
    return document


def _date(text: object) -> date | None:
    return date.fromisoformat(text[:10]) if isinstance(text, str) and text else None


def _metric(shapes: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Lon/lat geometries in the UTM zone of all of them, made valid."""
    if not shapes:
        return []
    system = utm_of(shapely.union_all([s.centroid for s in shapes]))
    return [shapely.make_valid(project(s, "OGC:CRS84", system)) for s in shapes]


def _overlaps(one: Sequence[BaseGeometry], other: Sequence[BaseGeometry]) -> NDArray[np.float64]:
    found = np.zeros((len(one), len(other)))
    for r, a in enumerate(one):
        for c, b in enumerate(other):
            union = a.union(b).area
            found[r, c] = a.intersection(b).area / union if union > 0 else 0.0
    return found


def _parts(area: BaseGeometry) -> list[BaseGeometry]:
    return list(getattr(area, "geoms", [area]))


def _figures(counts: Confusion) -> dict[str, float | int]:
    return {
        "precision": counts.precision, "recall": counts.recall, "F1": counts.f1, "IoU": counts.iou,
        "true positives": counts.tp, "false positives": counts.fp, "false negatives": counts.fn,
    }  # fmt: skip


def _told(value: float | int | str | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "not defined"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
