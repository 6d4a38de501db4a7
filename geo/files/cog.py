"""Writing rasters: a plain tiled GeoTIFF window by window, and the final Cloud Optimised GeoTIFF from it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window as FileWindow

from geo.errors import SitewatchError
from geo.files.atomic import atomic_path, require_space, writing
from geo.files.environment import OPTIONS
from geo.files.opening import open_quietly
from geo.grid import Grid, Tile, Window

BLOCK = 512
CACHE = 32 * 2**20
SPARE = 2**20


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
    with (
        _room(final, needed),
        writing(final),
        atomic_path(final) as temporary,
        rasterio.Env(**OPTIONS),
        open_quietly(temporary, "w", **profile) as target,
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
        source: the intermediate; it gets the names, tags and overviews too, and may be removed afterwards.
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
    options = {**OPTIONS, "GDAL_CACHEMAX": CACHE}
    # The source lies there uncompressed: the compressed file and its overviews take less than that.
    needed = Path(source).stat().st_size
    with _room(final, needed), writing(final), atomic_path(final) as temporary, rasterio.Env(**options):
        # Overviews are made here, on the uncompressed bands one by one: the COG driver would make them from its own
        # compressed, pixel-interleaved blocks, which takes twice the time and memory that grows with the image.
        with open_quietly(Path(source), "r+", driver="GTiff") as target:
            target.update_tags(**dict(sorted((tags or {}).items())))
            if names is not None:
                target.descriptions = tuple(names)
            factors = _overviews(max(target.shape))
            if factors and not target.overviews(1):
                target.build_overviews(factors, Resampling[resampling])
        copy_raster(
            os.fspath(source), os.fspath(temporary), driver="COG", compress="DEFLATE", level=level, predictor="YES",
            blocksize=BLOCK, overviews="FORCE_USE_EXISTING", bigtiff="IF_SAFER", num_threads="2",
        )  # fmt: skip
    return final


@contextmanager
def _room(final: Path, needed_bytes: int) -> Iterator[None]:
    """Refuse to start without room for the file; tell GDAL's failures apart by the room that is left."""
    require_space(final.parent, needed_bytes + SPARE)
    try:
        yield
    except (CPLE_BaseError, RasterioError) as error:
        # GDAL removes what it could not finish, so that the disk need not look full any more.
        require_space(final.parent, needed_bytes + SPARE)
        raise SitewatchError(f"{final} could not be written: {error}.") from error


def _overviews(longest: int) -> list[int]:
    """Factors of two until the whole image fits into one block."""
    factors = [2]
    while longest / factors[-1] > BLOCK:
        factors.append(factors[-1] * 2)
    return factors if longest > BLOCK else []


def _file_window(window: Window) -> FileWindow:
    rows, cols = window
    return FileWindow(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
