"""Pairs from arrays for the tests of detection, and what came of them."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from geo.grid import Grid
from geo.raster import Raster
from geo.scene import Provenance, Scene, SceneRecord
from pipelines.detect import ChangeMap, DetectSettings, detect
from pipelines.prepare.pair import Pair, Prepared

FOUR = ("blue", "green", "red", "nir")


def prepared(data: np.ndarray, grid: Grid, bands: tuple[str, ...], unit: str) -> Prepared:
    data = data.astype(np.float32)
    flags = np.isnan(data).any(axis=0).astype(np.uint8)
    scene = Scene(id="x", time=None, sensor="unknown", href="x")
    came = Provenance(provider="test", request={}, received=datetime(2026, 1, 1, tzinfo=UTC))
    record = SceneRecord(scene=scene, provenance=came, path=Path("x"), sha256="0" * 64, size_bytes=1)
    return Prepared(
        source=Raster(data, flags, grid, bands), record=record, bands=bands, unit=unit,
        clear_fraction=float((flags == 0).mean()),
    )  # fmt: skip


def pair_of(
    before: np.ndarray, after: np.ndarray, bands: tuple[str, ...] = FOUR, unit: str = "reflectance", pixel_m: float = 10
) -> Pair:
    grid = Grid("EPSG:32648", Affine(pixel_m, 0, 300000, 0, -pixel_m, 1200000), before.shape[1:])
    return Pair(
        grid=grid, before=prepared(before, grid, bands, unit), after=prepared(after, grid, bands, unit), gsd_m=pixel_m
    )


def run(pair: Pair, folder: Path, executor: Executor | None = None, **settings: float) -> ChangeMap:
    return detect(pair, folder=folder, settings=DetectSettings(**settings), executor=executor)


def read(found: ChangeMap) -> tuple[np.ndarray, np.ndarray]:
    with rasterio.open(found.layers) as layers, rasterio.open(found.mask) as mask:
        return layers.read(), mask.read(1)


def digest(found: ChangeMap) -> str:
    layers, mask = read(found)
    told = json.dumps(
        [[p.polygon.wkt, p.p, p.score, p.peak_score, p.area_px, p.direction, p.direction_share] for p in found.objects]
    )
    settings = repr({k: v for k, v in found.parameters.items() if k != "settings"}) + repr(found.calibration)
    return hashlib.sha256(layers.tobytes() + mask.tobytes() + told.encode() + settings.encode()).hexdigest()
