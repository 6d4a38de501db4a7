"""What a provider received in parts becomes one file: numbers as delivered, lossless, and how to read them inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from geo.files.atomic import atomic_path, require_space
from geo.files.environment import OPTIONS
from geo.files.opening import open_quietly
from geo.grid import Grid


@dataclass(frozen=True, kw_only=True)
class Bands:
    """An image to keep.

    Attributes:
        grid: its pixels.
        names: one a band.
        stored: numbers (band, row, col).
        empty: the number that means no data.
        scales, offsets: physical = number x scale + offset, one a band; None where numbers are physical.
    """

    grid: Grid
    names: Sequence[str]
    stored: NDArray[Any]
    empty: float
    scales: Sequence[float] | None = None
    offsets: Sequence[float] | None = None


def write_bands(bands: Bands, path: Path, tags: Mapping[str, str]) -> None:
    """Write one tiled GeoTIFF, lossless; the same image gives the same bytes.

    Raises:
        NoSpaceError: the disk is full; ConfigurationError: the folder cannot be written.
    """
    stored, grid = np.asarray(bands.stored), bands.grid
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": stored.dtype.name, "count": len(stored), "height": grid.shape[0],
        "width": grid.shape[1], "crs": grid.crs, "transform": grid.transform, "nodata": bands.empty,
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "interleave": "band",
        "predictor": 3 if stored.dtype.kind == "f" else 2,
    }  # fmt: skip
    require_space(path.parent, stored.nbytes + 2**20)
    options = {name: value for name, value in OPTIONS.items() if name != "GDAL_CACHEMAX"}
    # GDAL may fail to write a block to a disk and not tell; into memory it cannot.
    with atomic_path(path) as temporary, rasterio.Env(**options), MemoryFile(ext=".tif") as memory:
        with open_quietly(Path(memory.name), "w", **profile) as file:
            file.write(stored)
            file.descriptions = list(bands.names)
            if bands.scales is not None and bands.offsets is not None:
                file.scales, file.offsets = list(bands.scales), list(bands.offsets)
            file.update_tags(**tags)
        temporary.write_bytes(memory.getbuffer())
