"""Sentinel-2 as a catalogue has it, in small: one COG a band, an item a tile, all made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import transform_bounds
from services.stac import Store

from geo.grid import Grid

UTM = "EPSG:32648"
TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
BANDS = ("blue", "green", "red", "nir", "SCL")
WOOD = {"blue": 300, "green": 520, "red": 360, "nir": 3300, "swir16": 1500, "swir22": 700, "SCL": 4}


def write_cog(path: Path, data: NDArray[Any], grid: Grid, *, nodata: float | None = 0, block: int = 128) -> Path:
    """One band as a tiled file with overviews inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile: dict[str, Any] = {
        "driver": "COG", "dtype": data.dtype.name, "count": 1, "height": data.shape[0], "width": data.shape[1],
        "crs": grid.crs, "transform": grid.transform, "nodata": nodata, "compress": "deflate", "blocksize": block,
        "predictor": "YES",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(data, 1)
    return path


def tile_grid(
    size: int = 300, *, left: float = 299_000, top: float = 1_201_000, pixel: float = 10, crs: str = UTM
) -> Grid:
    """A tile around the site of `seriesworld`."""
    return Grid(crs, Affine(pixel, 0, left, 0, -pixel, top), (size, size))


def wood(band: str, shape: tuple[int, int], seed: int = 7) -> NDArray[np.uint16]:
    """Counts of an even wood, without offset."""
    if band == "SCL":
        return np.full(shape, 4, np.uint8)  # type: ignore[return-value]
    texture = np.random.default_rng(seed).normal(1, 0.08, shape)
    return np.maximum(WOOD[band] * texture, 1).astype(np.uint16)


def publish(
    store: Store,
    name: str,
    time: datetime | str,
    bands: Mapping[str, tuple[NDArray[Any], Grid]],
    *,
    properties: Mapping[str, Any] | None = None,
    collection: str = "sentinel-2-l2a",
    offset: float | None = None,
    updated: str = "2024-01-01T00:00:00Z",
    block: int = 128,
) -> dict[str, Any]:
    """Write the files of one item under the store and put the item into its catalogue (replacing one of that name)."""
    assets: dict[str, Any] = {}
    for band, (data, grid) in bands.items():
        nodata = -32768 if data.dtype.kind == "f" else 0
        write_cog(store.root / name / f"{band}.tif", data, grid, nodata=nodata, block=block)
        raster: dict[str, Any] = {"nodata": nodata, "data_type": data.dtype.name}
        if band != "SCL" and nodata == 0:
            raster |= {"scale": 0.0001, **({} if offset is None else {"offset": offset})}
        assets[band.lower()] = {
            "href": f"{store.url}/files/{name}/{band}.tif", "type": TYPE, "roles": ["data"],
            "eo:bands": [{"name": band.lower(), "common_name": band}], "raster:bands": [raster],
        }  # fmt: skip
    assets["thumbnail"] = {"href": f"{store.url}/files/{name}/t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}
    _, grid = next(iter(bands.values()))
    west, south, east, north = transform_bounds(grid.crs, "OGC:CRS84", *grid.bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection,
        "stac_extensions": [], "links": [], "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": stamp(time), "platform": "sentinel-2a", "constellation": "sentinel-2", "proj:epsg": grid.epsg,
            "eo:cloud_cover": 99.9, "updated": updated, "s2:processing_baseline": "02.07", **(properties or {}),
        },
        "assets": assets,
    }  # fmt: skip
    store.items[:] = [*(i for i in store.items if i.get("id") != name), item]
    return item


def stamp(time: datetime | str) -> str:
    """RFC 3339."""
    return time if isinstance(time, str) else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def publish_wood(
    store: Store,
    name: str,
    time: datetime | str,
    *,
    grid: Grid | None = None,
    added: int = 0,
    bands: Sequence[str] = BANDS,
    **words: Any,
) -> dict[str, Any]:
    """An item of even wood; `added` counts are in its numbers."""
    grid = grid or tile_grid()
    pixels = {}
    for band in bands:
        data = wood(band, grid.shape)
        pixels[band] = (data if band == "SCL" else (data + added).astype(np.uint16), grid)
    return publish(store, name, time, pixels, **words)
