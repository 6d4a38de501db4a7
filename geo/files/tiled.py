"""Writing a plain tiled GeoTIFF window by window: an intermediate that only we read again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

from geo.files.atomic import atomic_path, writing
from geo.files.environment import OPTIONS
from geo.files.opening import open_quietly
from geo.files.readback import Readback, room_for
from geo.grid import Grid, Tile, Window

BLOCK = 512


def write_parts(
    final: Path,
    grid: Grid,
    parts: Iterable[tuple[Window | Tile, NDArray[Any]]],
    *,
    names: tuple[str, ...],
    dtype: str,
    nodata: float | None,
) -> None:
    """Write windows as they come into a plain tiled GeoTIFF; see `geo.files.rasters.write_tiled`."""
    rows, cols = grid.shape
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": rows, "width": cols, "count": len(names), "dtype": dtype, "nodata": nodata,
        "crs": grid.crs, "transform": grid.transform, "interleave": "band", "bigtiff": "IF_SAFER",
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK,
    }  # fmt: skip
    needed = rows * cols * len(names) * np.dtype(dtype).itemsize
    written = Readback(dtype)
    with room_for(final, needed), writing(final), atomic_path(final) as temporary, rasterio.Env(**OPTIONS):
        with open_quietly(temporary, "w", **profile) as target:
            target.descriptions = names
            for where, array in parts:
                window = where.core if isinstance(where, Tile) else where
                part = array if array.ndim == 3 else array[None]
                target.write(part, window=_file_window(window))
                written.note(part, window[0].start, window[1].start)
        written.check(temporary, str(final))


def _file_window(window: Window) -> FileWindow:
    rows, cols = window
    return FileWindow(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
