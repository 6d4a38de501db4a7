"""Cloud Optimised GeoTIFFs from a stream of tiles, with overviews made on the way.

GDAL's own overviews cost several times as much as the file itself, and for a mask their nearest neighbour drops
small changes. Here every tile is reduced as it passes, each level goes into a plain tiled GeoTIFF that GDAL
accepts as an existing overview (`.ovr`, `.ovr.ovr`, ...), and the COG driver only compresses.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window as FileWindow

from geo.files.atomic import atomic_path, writing
from geo.files.environment import OPTIONS
from geo.files.readback import Readback, room_for
from geo.grid import Grid, Tile

BLOCK = 512
IN_MEMORY_BYTES = 128 * 2**20
Reduce = Callable[[NDArray[Any]], NDArray[Any]]


Write = Callable[[Tile, NDArray[Any]], None]


@contextmanager
def pyramid(
    path: str | os.PathLike[str],
    grid: Grid,
    *,
    names: tuple[str, ...],
    dtype: str,
    nodata: float | None,
    tags: Mapping[str, str] | None = None,
    reduce: Reduce | None = None,
) -> Iterator[Write]:
    """Give a function that writes one tile; at the end of the `with` the COG stands under its name, whole.

    The grid must be walked in row order in tiles of 512 pixels (or a multiple). On any failure nothing stays.

    Args:
        path: the final name.
        grid: the whole image.
        names: band descriptions; four uint8 bands are written as RGB and alpha.
        dtype: of the file.
        nodata: declared value, or None.
        tags: written into the header, sorted; never a path or a host's name.
        reduce: halves a (band, row, col) array with even rows and cols; every second pixel if None.

    Yields:
        `write(tile, array)`, the array being (band, row, col) or (row, col) of the tile's core.

    Raises:
        NoSpaceError: the disk is full; ConfigurationError: the folder cannot be written.
    """
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": len(names), "dtype": dtype, "nodata": nodata, "interleave": "band",
        "bigtiff": "IF_SAFER", "sparse_ok": "TRUE", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK,
    }  # fmt: skip
    if len(names) == 4 and dtype == "uint8":
        profile |= {"photometric": "RGB", "alpha": "YES"}
    final = Path(path)
    size = _bytes(grid, len(names), dtype)
    with room_for(final, size), writing(final), atomic_path(final) as temporary, rasterio.Env(**OPTIONS):
        # Named after the temporary file, so that it is swept away with it.
        base = f"{temporary}.parts.tif"
        with ExitStack() as files:
            levels = []
            for level, (rows, cols) in enumerate(_shapes(grid.shape)):
                place = {"crs": grid.crs, "transform": grid.transform} if level == 0 and grid.crs is not None else {}
                with _without_georeference():
                    target = rasterio.open(base + ".ovr" * level, "w", height=rows, width=cols, **profile, **place)
                levels.append(files.enter_context(target))
            levels[0].descriptions = names
            levels[0].update_tags(**dict(sorted((tags or {}).items())))
            written = Readback(dtype)
            yield partial(_write, levels, written, reduce or nearest)
        _compress(base, temporary, size)
        written.check(temporary, str(final))


def _compress(base: str, cog: Path, size: int) -> None:
    """Let GDAL make the COG; what is small in memory, since our own writes to the disk do not fail unsaid."""
    made = MemoryFile(ext=".tif") if size <= IN_MEMORY_BYTES else None
    try:
        # Only this one call may see the .ovr files that lie beside it.
        with _without_georeference(), rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"):
            copy_raster(
                base, str(cog) if made is None else made.name, driver="COG", compress="DEFLATE", level=1,
                predictor="YES", blocksize=BLOCK, bigtiff="IF_SAFER", num_threads="2", overviews="FORCE_USE_EXISTING",
            )  # fmt: skip
        if made is not None:
            cog.write_bytes(made.getbuffer())
    finally:
        if made is not None:
            made.close()


def _bytes(grid: Grid, bands: int, dtype: str) -> int:
    rows, cols = grid.shape
    return rows * cols * bands * np.dtype(dtype).itemsize


def _write(levels: list[Any], written: Readback, reduce: Reduce, tile: Tile, array: NDArray[Any]) -> None:
    part = array if array.ndim == 3 else array[None]
    top, left = tile.core[0].start, tile.core[1].start
    for level, target in enumerate(levels):
        if level:
            part = reduce(_even(part))
        rows, cols = part.shape[1:]
        target.write(part, window=FileWindow(left >> level, top >> level, cols, rows))
        written.note(part, top >> level, left >> level, level)


@contextmanager
def _without_georeference() -> Iterator[None]:
    """Images without georeference are legal here; rasterio need not warn of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def nearest(array: NDArray[Any]) -> NDArray[Any]:
    """Every second pixel: values stay values that were there."""
    return array[:, ::2, ::2]


def mean_rgba(array: NDArray[Any]) -> NDArray[Any]:
    """Mean of 2 x 2 uint8 RGBA pixels, colours weighted by alpha, so that what was not seen does not darken edges."""
    quads = _quads(array).astype(np.uint32)
    weight = quads[3].sum(axis=0)
    colour = (quads[:3] * quads[3]).sum(axis=1)
    safe = np.maximum(weight, 1)
    alpha = (weight + 2) // 4
    return np.concatenate([(colour + safe // 2) // safe, alpha[None]]).astype(np.uint8)


def keep_change(array: NDArray[Any]) -> NDArray[Any]:
    """Reduce a mask of 0, 1, 255: change wins, so that zooming out hides none; then not observed from two in four."""
    quads = _quads(array)
    blind = (quads == 255).sum(axis=1) >= 2
    return np.where((quads == 1).any(axis=1), 1, np.where(blind, 255, 0)).astype(np.uint8)


def _quads(array: NDArray[Any]) -> NDArray[Any]:
    """(band, row, col) to (band, 4, row / 2, col / 2)."""
    return np.stack([array[:, r::2, c::2] for r in (0, 1) for c in (0, 1)], axis=1)


def _even(array: NDArray[Any]) -> NDArray[Any]:
    """Repeat the last row or column where there is an odd one."""
    rows, cols = array.shape[1] % 2, array.shape[2] % 2
    return np.pad(array, ((0, 0), (0, rows), (0, cols)), mode="edge") if rows or cols else array


def _shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Shapes of all levels: halves, rounded up, until one block holds the image."""
    shapes = [shape]
    while max(shapes[-1]) > BLOCK:
        rows, cols = shapes[-1]
        shapes.append(((rows + 1) // 2, (cols + 1) // 2))
    return shapes
