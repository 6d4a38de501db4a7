"""Writing rasters: a plain tiled GeoTIFF window by window, and the final Cloud Optimised GeoTIFF from it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import rasterio
from numpy.typing import NDArray
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window as FileWindow

from geo.files.atomic import atomic_path, writing
from geo.files.environment import OPTIONS
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
    with (
        writing(final),
        atomic_path(final) as temporary,
        rasterio.Env(**OPTIONS),
        rasterio.open(temporary, "w", **profile) as target,
    ):
        target.descriptions = names
        for where, array in parts:
            window = where.core if isinstance(where, Tile) else where
            target.write(array if array.ndim == 3 else array[None], window=_file_window(window))


def write_cog(
    source: str | os.PathLike[str],
    cog: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    resampling: str = "nearest",
    level: int = 1,
) -> Path:
    """Turn a GeoTIFF written by `write_tiled` into a Cloud Optimised GeoTIFF; the same input gives the same bytes.

    Args:
        source: the intermediate.
        cog: the final name; nothing appears under it until the file is whole.
        names: band descriptions; the source's own if None.
        tags: written into the file's header, sorted; never put a path or a host's name there.
        resampling: of the overviews; `nearest` keeps classes and dates what they are.
        level: of DEFLATE; 1 is nearly as small as 6 on noisy floats, and several times faster.

    Returns:
        The path.

    Raises:
        NoSpaceError: the disk is full; ConfigurationError: the folder cannot be written.
    """
    final = Path(cog)
    with atomic_path(final) as temporary, writing(final), rasterio.Env(**OPTIONS):
        with rasterio.open(source, "r+", driver="GTiff") as target:
            target.update_tags(**dict(sorted((tags or {}).items())))
            if names is not None:
                target.descriptions = tuple(names)
        copy_raster(
            str(source), str(temporary), driver="COG", compress="DEFLATE", level=level, predictor="YES",
            blocksize=BLOCK, overview_resampling=resampling.upper(), bigtiff="IF_SAFER", num_threads="2",
        )  # fmt: skip
    return final


def _file_window(window: Window) -> FileWindow:
    rows, cols = window
    return FileWindow(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
