"""Runs to publish, made up: two dates, a change map on disk, and findings that fit them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage
from shapely.geometry import LineString, box, mapping
from shapely.geometry.base import BaseGeometry

from geo.files.rasters import write_tiled
from geo.grid import Grid
from geo.raster import Raster
from geo.scene import Provenance, Scene, SceneRecord
from geo.zones import from_pixels, to_lonlat
from pipelines.assess import Findings
from pipelines.detect import Calibration, ChangeMap
from pipelines.prepare import Pair, Prepared

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
BEFORE, AFTER = datetime(2017, 12, 4, 3, 25, 11, tzinfo=UTC), datetime(2019, 1, 3, 3, 24, 59, tzinfo=UTC)
ROTATED_WKT = (
    'PROJCRS["Local \\"grid\\" <of a plan>",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",'
    'ELLIPSOID["WGS 84",6378137,298.257223563]]],CONVERSION["c",METHOD["Transverse Mercator"],'
    'PARAMETER["Latitude of natural origin",10],PARAMETER["Longitude of natural origin",103],'
    'PARAMETER["Scale factor at natural origin",1],PARAMETER["False easting",0],PARAMETER["False northing",0]],'
    'CS[Cartesian,2],AXIS["easting",east],AXIS["northing",north],LENGTHUNIT["metre",1]]'
).replace('\\"', "'")


@dataclass(frozen=True)
class Case:
    """One made-up run and what is true of it."""

    findings: Findings
    pair: Pair
    change_map: ChangeMap


def grid_named(name: str, shape: tuple[int, int] = (180, 240)) -> Grid:
    """The same few kilometres in several systems."""
    return {
        "utm": Grid("EPSG:32648", Affine(10, 0, 358000, 0, -10, 1196000), shape),
        "degrees": Grid("EPSG:4326", Affine(0.0001, 0, 103.7, 0, -0.00008, 10.82), shape),
        "wkt": Grid(ROTATED_WKT, Affine(8, 3, 76000, 3, -8, 91000), shape),
        "none": Grid(None, Affine.identity(), shape),
    }[name]


def make_case(
    folder: Path,
    *,
    system: str = "utm",
    dated: bool = True,
    simulated: bool = False,
    events: int = 3,
    shape: tuple[int, int] = (180, 240),
    bands: tuple[str, ...] = ("blue", "green", "red", "nir"),
    text: str = "Kaev Phos centre",
    seen: bool = True,
    site: bool = True,
) -> Case:
    """Make one run; its change map lies in `folder`. `text` goes into every field that comes from outside."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = grid_named(system, shape)
    rng = np.random.default_rng(7)
    before, after, mask, boxes = _pixels(rng, shape, bands, events)
    if not seen:
        after[:] = np.nan
        mask[:] = 255
    looks = [
        _look(grid, before, "before", BEFORE if dated else None, simulated, bands, text),
        _look(grid, after, "after", AFTER if dated else None, simulated, bands, text),
    ]
    pair = Pair(grid=grid, before=looks[0], after=looks[1], gsd_m=None if grid.crs is None else 10.0)
    change_map = _change_map(folder, grid, mask, rng)
    findings = _findings(pair, change_map, boxes if seen else [], text, site and grid.crs is not None, seen)
    return Case(findings, pair, change_map)


def _pixels(rng: np.random.Generator, shape: tuple[int, int], bands: tuple[str, ...], events: int) -> Any:
    """Plantation rows and a road; then `events` bright squares; a cloud on the second date."""
    rows, cols = np.indices(shape)
    base = 0.06 + 0.015 * np.sin(cols / 2.5) * np.sin(rows / 2.5) + rng.normal(0, 0.004, shape)
    base += ndimage.gaussian_filter(rng.normal(0, 1, shape), 6) * 0.12
    base[np.abs(rows - cols * 0.5 - 20) < 2] = 0.2
    tint = np.linspace(0.7, 1.3, len(bands))[:, None, None]
    before = (base * tint).astype(np.float32)
    after = before * np.float32(1.02)
    mask = np.zeros(shape, dtype=np.uint8)
    boxes = []
    side = max(4, min(shape) // (6 if events < 10 else 30))
    for number in range(events):
        across = max(1, shape[1] // (2 * side))
        top, left = side + (number // across) * 2 * side, side // 2 + (number % across) * 2 * side
        if top + side >= shape[0] or left + side >= shape[1]:
            break
        after[:, top : top + side, left : left + side] += 0.2
        mask[top : top + side, left : left + side] = 1
        boxes.append(box(left, top, left + side, top + side))
    cloud = (rows - shape[0] * 0.85) ** 2 + (cols - shape[1] * 0.85) ** 2 < (min(shape) * 0.14) ** 2
    after[:, cloud] = np.nan
    mask[cloud] = 255
    return before, after, mask, boxes


def _look(
    grid: Grid, data: Any, name: str, time: datetime | None, simulated: bool, bands: tuple[str, ...], text: str
) -> Prepared:
    scene = Scene(id=f"S2A_{name}_{text}", time=time, sensor="sentinel-2-l2a", href=f"{name}.tif", simulated=simulated)
    record = SceneRecord(
        scene=scene,
        provenance=Provenance(provider="folder", request={"file": f"{name}.tif", "note": text}, received=NOW),
        path=Path("/somewhere/secret-user") / f"{name}.tif",
        sha256={"before": "ab", "after": "cd"}[name] * 32,
        size_bytes=12345,
    )
    clear = np.isfinite(data).all(axis=0)
    raster = Raster(np.nan_to_num(data), np.where(clear, 0, 2).astype(np.uint8), grid, bands, time, scene.id)
    return Prepared(
        source=raster, record=record, bands=bands, unit="reflectance", clear_fraction=float(clear.mean()),
        flag_fractions={"cloud": float(1 - clear.mean())}, shift_px=(0.1, -0.2), notes=(f"Guessed: {text}",),
    )  # fmt: skip


def _change_map(folder: Path, grid: Grid, mask: Any, rng: np.random.Generator) -> ChangeMap:
    changed = mask == 1
    score = np.where(changed, 9, 1) + rng.gamma(1, 0.5, grid.shape)
    layers = np.stack([score, np.exp(-score), np.where(changed, 3, 0)]).astype(np.float32)
    layers[:, mask == 255] = np.nan
    whole = (slice(0, grid.shape[0]), slice(0, grid.shape[1]))
    names = ("score", "p", "direction")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        write_tiled(folder / "layers.tif", grid, [(whole, layers)], names=names, dtype="float32", nodata=np.nan)
        write_tiled(folder / "mask.tif", grid, [(whole, mask[None])], names=("mask",), dtype="uint8", nodata=255)
    metres = grid.pixel_area_m2
    calibration = Calibration(
        method="robust tail of the pair's own unchanged ground", fdr=0.01, p_strong=1e-4, p_weak=1e-2, min_area_px=4,
        min_area_m2=None if metres is None else 4 * metres, expected_false_objects=0.12,
        observed_px=int((mask != 255).sum()), flagged_px=int(changed.sum()),
    )  # fmt: skip
    return ChangeMap(
        grid=grid, layers=folder / "layers.tif", mask=folder / "mask.tif", objects=(), calibration=calibration,
        method="cva", parameters={"fdr": 0.01, "context_px": 2.0},
    )  # fmt: skip


def _findings(pair: Pair, change_map: ChangeMap, boxes: list[BaseGeometry], text: str, site: bool, seen: bool) -> Any:
    grid, facts = pair.grid, change_map.calibration
    times = pair.before.record.scene.time, pair.after.record.scene.time

    def outside(pixels: BaseGeometry) -> dict[str, Any]:
        return dict(mapping(pixels if grid.crs is None else to_lonlat(from_pixels(pixels, grid), grid)))

    rows, cols = grid.shape
    events = [
        {
            "id": f"e-{place:04d}", "kind": ("construction", "clearing", "other")[place % 3],
            "direction": "bare to built", "zone": ("inside", "inside", "surroundings")[place % 3],
            "geometry": outside(item), "area_m2": item.area * grid.pixel_area_m2 if grid.pixel_area_m2 else None,
            "area_px": int(item.area), "not_before": times[0], "not_after": times[1],
            "gap_reason": f"only two scenes {text}", "p": 10.0 ** -(6 - place % 5), "score": 9.0 - place / 100,
            "confirmed": False, "confidence": ("probable", "possible")[place % 2],
            "confidence_reason": f"because {text}", "before_scene": pair.before.record.scene.id,
            "after_scene": pair.after.record.scene.id,
        }
        for place, item in enumerate(boxes)
    ]  # fmt: skip
    used = [
        {
            "id": look.record.scene.id, "time": look.record.scene.time, "sensor": "sentinel-2-l2a", "role": role,
            "used": True, "reason": "compared", "clear_fraction": look.clear_fraction, "shift_px": look.shift_px,
            "registration": look.registration, "sha256": look.record.sha256, "size_bytes": 12345,
            "file": look.record.path.name, "licence": text, "credit": "", "simulated": pair.simulated,
            "bands": list(look.bands), "notes": list(look.notes),
        }
        for role, look in (("before", pair.before), ("after", pair.after))
    ]  # fmt: skip
    refused = {
        **used[0], "id": f"refused {text}", "role": "none", "used": False, "reason": f"cloud: {text}", "sha256": "",
        "clear_fraction": 0.02, "shift_px": None, "registration": "not measured", "file": "", "size_bytes": 0,
    }  # fmt: skip
    state = "not-observed" if not seen else "change" if boxes else "no-change"
    fraction = facts.observed_px / (rows * cols)
    return Findings.model_validate(
        {
            "site": {
                "id": "kaev-phos", "name": text, "location_class": "commune" if site else None,
                "location_source": text, "sensitive": False,
                "geometry": outside(box(10, 10, cols - 10, rows - 10)) if site else None,
            },
            "run_id": "20240506T070809Z-0badcafe", "created": NOW, "software": "sitewatch 0.1.0",
            "simulated": pair.simulated, "summary": f"summary of {text}",
            "period": {"from": times[0], "to": times[1]},
            "grid": {
                "crs": grid.crs, "epsg": grid.epsg, "transform": tuple(grid.transform)[:6], "shape": grid.shape,
                "pixel_size_m": grid.pixel_size_m, "gsd_m": pair.gsd_m,
            },
            "observability": {
                "state": state, "state_reason": "clouds over the ground" if not seen else "clear ground on both dates",
                "clear_scenes": 2, "last_clear": times[1], "longest_gap_days": 395.0, "clear_fraction": fraction,
            },
            "scenes": [*used, refused], "events": events,
            "perimeter": _perimeter(outside, rows, cols, text, times) if site else None,
            "buildings": _buildings(outside, text, times) if site else [],
            "phases": [], "method": "cva", "parameters": {"detect": {"fdr": 0.01}, "note": text},
            "limits": [f"Two images cannot show when: {text}"], "candidates": [],
            "calibration": {
                "method": facts.method, "fdr": 0.01, "p_strong": 1e-4, "p_weak": 1e-2, "min_area_px": 4,
                "min_area_m2": facts.min_area_m2, "expected_false_objects": 0.12,
                "expected_false_alarms_per_site_year": None,
                "controls": [{"id": "palms", "area_m2": 9e4, "observed_fraction": 0.9, "flagged_fraction": 0.0,
                              "flagged_objects": 0, "geometry": outside(box(4, rows - 30, 30, rows - 4))}]
                if site else [],
            },
        }
    )  # fmt: skip


def _perimeter(outside: Any, rows: int, cols: int, text: str, times: Any) -> dict[str, Any]:
    corners = [(20, 20), (cols - 20, 20), (cols - 20, rows - 20), (20, rows - 20), (20, 20)]
    states = ("changed", "no change seen", "not observed", "not observable")
    segments = [
        {
            "id": f"s{place}", "start_m": 100.0 * place, "end_m": 100.0 * place + 100, "status": states[place],
            "geometry": outside(LineString(corners[place : place + 2])), "p": 0.01, "changed_fraction": 0.5,
            "observed_fraction": 1.0,
        }
        for place in range(4)
    ]  # fmt: skip
    return {
        "observable": False, "reason": f"10 m is too coarse: {text}", "material": "fence", "length_m": 400.0,
        "observed_m": 300.0, "built_m": None, "completeness": None, "closed": None, "not_before": times[0],
        "not_after": times[1], "p": 0.02, "segments": segments, "gaps": [outside(LineString([(20, 40), (20, 60)]))],
    }  # fmt: skip


def _buildings(outside: Any, text: str, times: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": f"b{place}", "label": f"Hall {place} {text}", "planned": bool(place), "status": status,
            "status_reason": f"why {text}", "area_m2": 900.0,
            "geometry": outside(box(60 * place + 5, 90, 60 * place + 35, 110)),
            "not_before": times[0], "not_after": times[1], "p": 0.03, "changed_fraction": 0.8, "observed_fraction": 1.0,
        }
        for place, status in enumerate(("changed", "no change seen", None))
    ]  # fmt: skip
