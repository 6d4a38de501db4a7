"""Ground that a stand-in of Sentinel Hub shows: each pixel's number follows from where it lies, whatever is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from services.sentinel_hub import Hub, entry

from geo.grid import Grid
from geo.providers.sentinel_hub import Credentials, Endpoint, SentinelHub
from geo.providers.simulator import OPTICAL, Simulator
from geo.providers.web import Limits
from geo.scene import Query

UTM = "EPSG:32648"
FIRST = "2019-01-05T03:21:30Z"
TILE = "S2A_MSIL2A_20190105T032121_N0211_R118_T48PUS_20190105T070000.SAFE"
RADAR = "S1A_IW_GRDH_1SDV_20190106T111111_20190106T111136_025352_02CE5B_0A1B.SAFE"
NOW = datetime(2024, 1, 1, tzinfo=UTC)
HASTY = Limits(
    connect_s=2, read_s=0.8, answer_s=1.6, total_s=5, tries=3, backoff_s=0.05, longest_pause_s=0.3, milliseconds=True
)
WATER_COLS = 3


def site(size: int = 120, *, left: float = 300_000, top: float = 1_200_000) -> Grid:
    return Grid(UTM, Affine(10, 0, left, 0, -10, top), (size, size))


def ground(band: str, grid: Grid) -> NDArray[Any]:
    """Numbers of a band (row, col) that depend on the place alone."""
    rows, cols = np.indices(grid.shape)
    size = abs(grid.transform.a)
    x = np.rint(grid.transform.c / size + cols).astype(np.int64)
    y = np.rint(grid.transform.f / size - rows).astype(np.int64)
    if band in ("SCL", "BQA"):
        return np.where((x + y) % 7 == 0, 8, 4) if band == "SCL" else np.full(grid.shape, 21824)
    mixed = (x * 7919 + y * 104_729 + sum(map(ord, band)) * 31) % 4001
    if band in ("VV", "VH"):
        return (mixed + 1) / 16384.0
    # Dark ground is no data for nobody: some pixels are 0.
    return np.where(mixed < 40, 0, mixed)


def paint(
    collection: str, grid: Grid, span: tuple[datetime, datetime], bands: tuple[str, ...]
) -> Mapping[str, NDArray[Any]]:
    """Even ground, of which the first columns of the usual site lie outside of the image."""
    _, cols = np.indices(grid.shape)
    x = grid.transform.c + (cols + 0.5) * grid.transform.a
    mask = (x > 300_000 + WATER_COLS * 10).astype(np.uint8)
    return {band: mask if band == "dataMask" else np.where(mask, ground(band, grid), 0) for band in bands}


def hub_provider(hub: Hub, **words: Any) -> SentinelHub:
    endpoint = Endpoint(name="test", base_url=hub.url, token_url=hub.token_url)
    given = {"clock": lambda: NOW, "limits": HASTY, "token_limits": HASTY, **words}
    return SentinelHub(endpoint, Credentials(hub.client_id, hub.client_secret), **given)


class SimulatorPainter:
    """Images of a simulator, cut as asked; the offset that the service takes off is taken off."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator, self.folder = simulator, folder

    def __call__(
        self, collection: str, grid: Grid, span: tuple[datetime, datetime], bands: tuple[str, ...]
    ) -> Mapping[str, NDArray[Any]]:
        query = Query(grid=grid, start=span[0], end=span[1])
        (scene,) = [s for s in self.simulator.search(query) if s.sensor == collection]
        path, _ = self.simulator.fetch(scene, query, self.folder)
        with rasterio.open(path) as image:
            assert image.bounds == grid.bounds
            names = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "SCL")
            if collection != OPTICAL:
                names = ("VV", "VH")
            data = dict(zip(names, image.read(), strict=True))
            added = round(image.offsets[0] * 1e4)
        path.unlink()
        if collection != OPTICAL:
            data["dataMask"] = np.isfinite(data["VV"]) & np.isfinite(data["VH"])
            return {band: np.nan_to_num(data[band]) if band != "dataMask" else data[band] for band in bands}
        data["dataMask"] = data["B02"] != 0
        for band in bands:
            if band not in ("SCL", "dataMask"):
                data[band] = np.maximum(data[band].astype(np.int32) + added, 0)
        return {band: data[band] for band in bands}


def publish_simulated(hub: Hub, simulator: Simulator, query: Query) -> int:
    """Put every pass of the span into the catalogue."""
    scenes = simulator.search(query)
    for scene in scenes:
        assert scene.time is not None
        when, orbit = scene.time, int(str(scene.properties["relative_orbit"]))
        optical = scene.sensor == OPTICAL
        name = (
            f"S2A_MSIL2A_{when:%Y%m%dT%H%M%S}_N0211_R{orbit:03d}_T48PUS_{when:%Y%m%dT%H%M%S}.SAFE"
            if optical
            else f"S1A_IW_GRDH_1SDV_{when:%Y%m%dT%H%M%S}_{when:%Y%m%dT%H%M%S}_{72 + orbit + 175 * 100:06d}_0000AB_0A1B"
        )
        facts = {} if optical else {"sat:orbit_state": scene.properties["orbit_state"]}
        made = entry(name, when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), scene.sensor, **facts)
        hub.items.setdefault(scene.sensor, []).append(made)
    return len(scenes)
