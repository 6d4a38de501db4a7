"""The site's window of one band of one tile, numbers as delivered, laid on the pixels that the scene is kept on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform_bounds
from rasterio.windows import Window as FileWindow

from geo.errors import InputError, SitewatchError
from geo.files.environment import OPTIONS
from geo.files.headers import grid_of
from geo.files.limits import check_header
from geo.files.opening import open_quietly
from geo.grid import Grid
from geo.providers.stac.ranges import Opener, RemoteFile

PAD_PX = 16
_AROUND_PX = 4
_OPTIONS = {name: value for name, value in OPTIONS.items() if name != "GDAL_CACHEMAX"}
_OPTIONS |= {"VSI_CACHE": "FALSE", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A window of one band: stored numbers on a grid of their own, and the value that means no data."""

    data: NDArray[Any]
    grid: Grid
    nodata: float | None


def read_piece(remote: RemoteFile, index: int, around: Grid) -> Piece | None:
    """Read the window of a remote GeoTIFF that covers `around`; None where the image does not reach it.

    Raises:
        InputError: the file is damaged, has no georeference, or promises too much; TemporaryError: the network.
    """
    name = remote.name_shown
    try:
        opener = Opener(remote)
        with rasterio.Env(**_OPTIONS), open_quietly(Path(opener.path), driver="GTiff", opener=opener) as dataset:
            check_header(dataset, name, remote.size)
            grid, _ = grid_of(dataset)
            if grid.crs is None or index > dataset.count:
                raise InputError(f"{name} has no georeference or lacks band {index}; it cannot be placed.")
            part = _covering(grid, around)
            if part is None:
                return None
            data = dataset.read(index, window=part)
            nodata = dataset.nodatavals[index - 1]
        if remote.fault is not None:
            # GDAL goes on where it can after a failed read, with zeros.
            raise remote.fault
    except SitewatchError as error:
        raise remote.fault or error from None
    except Exception as error:
        # GDAL tells of a failed read in its own words; the reason is what our file object kept.
        if remote.fault is not None:
            raise remote.fault from None
        raise InputError(f"{name} cannot be read as an image (truncated or damaged?).") from error
    window = (slice(part.row_off, part.row_off + part.height), slice(part.col_off, part.col_off + part.width))
    return Piece(data=data, grid=grid.window(window), nodata=nodata)


def lattice_for(tile: Grid, site: Grid) -> Grid:
    """The pixels to keep a scene on: the tile's own around the site where both share a system, else the site's.

    Pixels of the tile are whole, so that nothing is resampled; `PAD_PX` more on every side let a shift be put right.
    """
    padded = site.pad(PAD_PX)
    if tile.crs != site.crs:
        return padded
    to_px = ~tile.transform
    left, bottom, right, top = padded.bounds
    (c0, r0), (c1, r1) = to_px @ (left, top), to_px @ (right, bottom)
    cols, rows = slice(math.floor(c0 + 1e-6), math.ceil(c1 - 1e-6)), slice(math.floor(r0 + 1e-6), math.ceil(r1 - 1e-6))
    return tile.window((rows, cols))


def lay(piece: Piece, grid: Grid, *, classes: bool, empty: float) -> tuple[NDArray[Any], str]:
    """Lay a piece on `grid`: (numbers, how), `empty` where it does not reach.

    Pixels that coincide are copied; pixels a whole number of times coarser are repeated; anything else is warped,
    bilinear for images, nearest for classes.
    """
    factor = _factor(piece.grid, grid)
    target: NDArray[Any] = np.full(grid.shape, empty, piece.data.dtype)
    if factor is None:
        source = piece.data
        method = Resampling.nearest if classes else Resampling.bilinear
        with rasterio.Env(**_OPTIONS):
            reproject(
                source, target, src_transform=piece.grid.transform, src_crs=piece.grid.crs, src_nodata=empty,
                dst_transform=grid.transform, dst_crs=grid.crs, dst_nodata=empty, resampling=method,
                init_dest_nodata=True, num_threads=1,
            )  # fmt: skip
        return target, f"{'nearest' if classes else 'bilinear'} from {piece.grid.crs}"
    c0, r0 = ~piece.grid.transform @ (grid.transform.c, grid.transform.f)
    rows = np.floor((np.arange(grid.shape[0]) + 0.5) / factor + r0).astype(int)
    cols = np.floor((np.arange(grid.shape[1]) + 0.5) / factor + c0).astype(int)
    inside_r = (rows >= 0) & (rows < piece.data.shape[0])
    inside_c = (cols >= 0) & (cols < piece.data.shape[1])
    target[np.ix_(inside_r, inside_c)] = piece.data[np.ix_(rows[inside_r], cols[inside_c])]
    return target, "as delivered" if factor == 1 else f"each pixel repeated {factor} x {factor}"


def _covering(tile: Grid, around: Grid) -> FileWindow | None:
    bounds = around.bounds
    if tile.crs != around.crs:
        bounds = transform_bounds(around.crs, tile.crs, *bounds, densify_pts=21)
    to_px = ~tile.transform
    corners = [to_px @ (x, y) for x in bounds[::2] for y in bounds[1::2]]
    if not all(math.isfinite(v) for corner in corners for v in corner):
        return None
    cols, rows = [c[0] for c in corners], [c[1] for c in corners]
    left, right = max(0, math.floor(min(cols)) - _AROUND_PX), min(tile.shape[1], math.ceil(max(cols)) + _AROUND_PX)
    top, bottom = max(0, math.floor(min(rows)) - _AROUND_PX), min(tile.shape[0], math.ceil(max(rows)) + _AROUND_PX)
    return FileWindow(left, top, right - left, bottom - top) if right > left and bottom > top else None


def _factor(source: Grid, grid: Grid) -> int | None:
    """How many times coarser `source` is, if its pixels are whole numbers of `grid`'s and edges coincide; else None."""
    a, b = source.transform, grid.transform
    if source.crs != grid.crs or any(abs(v) > 1e-9 for v in (a.b, a.d, b.b, b.d)):
        return None
    factor = round(a.a / b.a)
    square = factor >= 1 and abs(a.a - factor * b.a) < 1e-6 and abs(a.e - factor * b.e) < 1e-6
    col, row = (a.c - b.c) / b.a, (a.f - b.f) / b.e
    return factor if square and abs(col - round(col)) < 1e-3 and abs(row - round(row)) < 1e-3 else None
