"""Bringing pixels onto another grid: once, and without letting what was not seen bleed into what was.

Every resampled pixel belongs to one chunk of a fixed lattice and is computed from that chunk alone, so neither the
tile size nor the number of workers shows in it. What was not seen goes through the same kernel as the pixels do, as a
weight: a pixel counts where nothing but seen ground went into it (averaging: where half of it was seen).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import reproject

from geo.files.environment import OPTIONS
from geo.files.rasters import RasterFile, write_tiled
from geo.grid import Grid, Window
from geo.tiles import PixelSource, map_tiles

Float = NDArray[np.float32]
Double = NDArray[np.float64]

CHUNK_PX = 512
SOURCE_PX = 2200
"""Side of the largest piece of a source held at once."""
AVERAGE_FROM = 1.5
"""From this many source pixels to a target pixel on, the source is averaged; below, cubic convolution."""
COINCIDE_PX = 0.01
"""Grids whose pixels lie this near to each other all over are the same grid with rounded corners."""
TOLERANCE_PX = 0.01
"""Largest error of the interpolated coordinates between two coordinate systems."""
_ALL_SEEN = 0.999
_HALF_SEEN = 0.5
_OUTLINE = 17


@dataclass(frozen=True)
class Placed:
    """A source looked at through a grid whose pixels coincide with its own: no resampling, NaN beyond its edge.

    Attributes:
        source: what is looked at.
        grid: the grid that windows refer to.
        first: (row, col) in the source of the grid's pixel (0, 0).
    """

    source: PixelSource
    grid: Grid
    first: tuple[int, int]

    def read(self, window: Window) -> Float:
        """Return float32 (band, row, col) of the window; see `geo.tiles.PixelSource`."""
        rows, cols = (slice(w.start + f, w.stop + f) for w, f in zip(window, self.first, strict=True))
        return read_beyond(self.source, (rows, cols))


class _Held(NamedTuple):
    """Pixels of a source already read, and the (row, col) where they begin."""

    data: Float
    first: tuple[int, int]

    def part(self, window: Window) -> Float:
        """The pixels of a window inside."""
        rows, cols = (slice(w.start - f, w.stop - f) for w, f in zip(window, self.first, strict=True))
        return self.data[:, rows, cols]


@dataclass(frozen=True)
class Warped:
    """A source resampled onto a grid, chunk by chunk, whenever it is read.

    Attributes:
        source: what is resampled; any coordinate system, rotated and south-up grids included.
        grid: where to.
        shift_px: (row, col) by which the source's ground lies off on `grid`; it is put right in the same resampling.
        nearest: True for classes and flags, which cannot be averaged.
    """

    source: PixelSource
    grid: Grid
    shift_px: tuple[float, float] = (0.0, 0.0)
    nearest: bool = False

    def read(self, window: Window) -> Float:
        """Return float32 (band, row, col) of the window, the same numbers whatever the window."""
        size = self.chunk_px
        tops, lefts = (range(w.start // size * size, w.stop, size) for w in window)
        chunks = [[self._at(top, left) for left in lefts] for top in tops]
        needed = [where for strip in chunks for where in map(self._needed, strip) if where is not None]
        held = _together(self.source, needed)
        strips = [
            np.concatenate([_cut(self._chunk(held, chunk), chunk, window) for chunk in strip], 2) for strip in chunks
        ]
        return np.concatenate(strips, axis=1)

    @cached_property
    def chunk_px(self) -> int:
        """Side of the chunks: smaller where many source pixels go into one, so that memory stays flat."""
        fits = SOURCE_PX / max(1.0, *self.ratio)
        return int(np.clip(2.0 ** math.floor(math.log2(fits)), 8, CHUNK_PX))

    @cached_property
    def ratio(self) -> tuple[float, float]:
        """Source pixels to a target pixel, along the source's rows and columns, in the middle of the grid."""
        rows, cols = self.grid.shape
        step = 1.0
        middle = np.array([[cols / 2, rows / 2], [cols / 2 + step, rows / 2], [cols / 2, rows / 2 + step]])
        x, y = _to_source(self.source.grid, self.grid, Affine.identity(), middle)
        size = math.hypot(y[1] - y[0], y[2] - y[0]), math.hypot(x[1] - x[0], x[2] - x[0])
        return (size[0], size[1]) if all(map(math.isfinite, size)) and min(size) > 0 else (1.0, 1.0)

    def _kernel(self) -> Resampling:
        if self.nearest:
            return Resampling.nearest
        return Resampling.average if max(self.ratio) >= AVERAGE_FROM else Resampling.cubic

    def _at(self, top: int, left: int) -> Window:
        rows, cols = self.grid.shape
        return slice(top, min(top + self.chunk_px, rows)), slice(left, min(left + self.chunk_px, cols))

    def _moved(self, chunk: Window) -> Affine:
        return Affine.translation(chunk[1].start + self.shift_px[1], chunk[0].start + self.shift_px[0])

    def _chunk(self, source: PixelSource | _Held, chunk: Window) -> Float:
        """Resample one chunk of the lattice."""
        rows, cols = (w.stop - w.start for w in chunk)
        moved = self._moved(chunk)
        window = self._needed(chunk)
        if window is None:
            bands = self.source.read((slice(0, 1), slice(0, 1))).shape[0]
            return np.full((bands, rows, cols), np.nan, np.float32)
        data = source.part(window) if isinstance(source, _Held) else read_beyond(source, window)
        seen = np.isfinite(data)
        shared = seen[:1] if (seen == seen[:1]).all() else seen
        layers = np.concatenate([np.where(seen, data, np.float32(0)), shared.astype(np.float32)])
        if seen.all():  # nothing to weigh: an inner chunk of a whole image, by far the commonest
            layers = layers[: len(data)]
        out = self._reproject(layers, window, moved, (rows, cols))
        if seen.all():
            return out
        value, weight = out[: len(data)], out[len(data) :]
        least = _HALF_SEEN if self._kernel() is Resampling.average else _ALL_SEEN
        enough = np.broadcast_to(weight >= least, value.shape)
        return np.where(enough, value / np.where(enough, weight, np.float32(1)), np.float32(np.nan)).astype(np.float32)

    def _needed(self, chunk: Window) -> Window | None:
        """The source window that a chunk's pixels are made of, or None where the source is not there."""
        moved = self._moved(chunk)
        steps = [np.linspace(0, w.stop - w.start, _OUTLINE) for w in chunk]
        points = np.stack(np.meshgrid(steps[1], steps[0]), axis=-1).reshape(-1, 2)
        x, y = _to_source(self.source.grid, self.grid, moved, points)
        usable = np.isfinite(x) & np.isfinite(y)
        if not usable.any():
            return None
        window = []
        for at, ratio, length in (
            (y, self.ratio[0], self.source.grid.shape[0]),
            (x, self.ratio[1], self.source.grid.shape[1]),
        ):
            margin = 3 * math.ceil(max(ratio, 1.0)) + 2
            first, last = at[usable].min() - margin, at[usable].max() + margin
            if last <= 0 or first >= length:
                return None
            # A collar of unseen pixels around the source keeps its last row from being stretched beyond its edge.
            window.append(slice(max(math.floor(first), -margin), min(math.ceil(last), length + margin)))
        return window[0], window[1]

    def _reproject(self, layers: Float, window: Window, moved: Affine, shape: tuple[int, int]) -> Float:
        corner = Affine.translation(window[1].start, window[0].start)
        kernel = self._kernel()
        options: dict[str, object] = {}
        if kernel is Resampling.cubic:
            # GDAL would estimate these per chunk, and seams would show.
            options = {"YSCALE": min(1.0, 1 / self.ratio[0]), "XSCALE": min(1.0, 1 / self.ratio[1])}
        if self.source.grid.crs == self.grid.crs:
            # In pixels of the source: no coordinate system is needed, and no digits are lost.
            # Far from the origin, as GDAL takes a unit transform for none at all.
            crs, north = ("EPSG:3857",) * 2, Affine.translation(1e6, 1e6) @ Affine.scale(1, -1)
            transforms = (north @ corner, north @ ~self.source.grid.transform @ self.grid.transform @ moved)
            options["tolerance"] = 0
        else:
            crs = (str(self.source.grid.crs), str(self.grid.crs))
            transforms = (self.source.grid.transform @ corner, self.grid.transform @ moved)
            options["tolerance"] = TOLERANCE_PX
        out = np.zeros((len(layers), *shape), np.float32)
        with rasterio.Env(**OPTIONS):
            reproject(
                layers, out, src_transform=transforms[0], dst_transform=transforms[1], src_crs=crs[0], dst_crs=crs[1],
                resampling=kernel, num_threads=1, **options,
            )  # fmt: skip
        return out


def onto(
    source: PixelSource, grid: Grid, *, shift_px: tuple[float, float] = (0.0, 0.0), nearest: bool = False
) -> PixelSource:
    """Return a source on `grid`: itself where nothing is to be done, a view where pixels coincide, else `Warped`.

    Shifts by whole pixels of coinciding grids are views too.
    `shift_px` (row, col) is how far the source's ground lies off on `grid`, as `register.Shift` has it.
    """
    if shift_px == (0.0, 0.0) and source.grid == grid:
        return source
    first = coincides(source.grid, grid)
    if first is not None and (nearest or all(float(part).is_integer() for part in shift_px)):
        return Placed(source, grid, (first[0] + round(shift_px[0]), first[1] + round(shift_px[1])))
    return Warped(source, grid, shift_px, nearest)


def coincides(source: Grid, grid: Grid) -> tuple[int, int] | None:
    """The source's (row, col) of a grid's pixel (0, 0) if all pixels of both coincide, else None."""
    if source.crs != grid.crs:
        return None
    rows, cols = grid.shape
    between = ~source.transform @ grid.transform
    corners = np.array([between @ corner for corner in ((0, 0), (cols, 0), (0, rows), (cols, rows))])
    expected = np.rint(corners[0]) + np.array([(0, 0), (cols, 0), (0, rows), (cols, rows)])
    if np.abs(corners - expected).max() > COINCIDE_PX:
        return None
    return int(np.rint(corners[0][1])), int(np.rint(corners[0][0]))


def write_warped(
    source: PixelSource, path: Path, *, names: Sequence[str], unit: str, executor: Executor | None = None
) -> RasterFile:
    """Write a source, chunk by chunk, as a plain tiled float32 GeoTIFF and return it as a file to read.

    Raises:
        NoSpaceError: the disk is full; InputError: the source cannot be read.
    """
    with warping_in_threads():
        parts = map_tiles(_as_it_is, source, size=2 * CHUNK_PX, executor=executor)
        return write_tiled(path, source.grid, parts, names=names, dtype="float32", nodata=math.nan, unit=unit)


@contextmanager
def warping_in_threads() -> Iterator[None]:
    """Keep rasterio quiet: it hides a warning of its own making, but forgets how when several threads warp at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def outline(source: Grid, grid: Grid) -> tuple[float, float, float, float] | None:
    """Where a source's area lies in the pixels of `grid`: (top, left, bottom, right), or None if nowhere on Earth."""
    rows, cols = source.shape
    along = np.linspace(0, 1, 33)
    square = np.stack(np.meshgrid(along * cols, along * rows), axis=-1).reshape(-1, 2)
    x, y = _to_source(grid, source, Affine.identity(), square)
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        return None
    return float(y[usable].min()), float(x[usable].min()), float(y[usable].max()), float(x[usable].max())


def read_beyond(source: PixelSource, window: Window) -> Float:
    """Read a window that may reach beyond the source; NaN out there."""
    inside = tuple(
        slice(min(max(w.start, 0), n), min(max(w.stop, 0), n)) for w, n in zip(window, source.grid.shape, strict=True)
    )
    if all(i.stop > i.start for i in inside):
        data: Float = source.read((inside[0], inside[1]))
        if inside == window:
            return data
    else:
        data = source.read((slice(0, 1), slice(0, 1)))[:, :0, :0]
        inside = (slice(window[0].start, window[0].start), slice(window[1].start, window[1].start))
    rows, cols = (w.stop - w.start for w in window)
    whole = np.full((data.shape[0], rows, cols), np.nan, np.float32)
    at = tuple(slice(i.start - w.start, i.stop - w.start) for i, w in zip(inside, window, strict=True))
    whole[(slice(None), *at)] = data
    return whole


def _as_it_is(data: Float) -> Float:
    return data


def _together(source: PixelSource, windows: list[Window]) -> PixelSource | _Held:
    """Read the windows of neighbouring chunks at once, since each would decode its neighbours' blocks again."""
    if len(windows) < 2:
        return source
    rows, cols = (slice(min(w[axis].start for w in windows), max(w[axis].stop for w in windows)) for axis in (0, 1))
    if (rows.stop - rows.start) * (cols.stop - cols.start) > SOURCE_PX**2:
        return source
    return _Held(read_beyond(source, (rows, cols)), (rows.start, cols.start))


def _cut(data: Float, chunk: Window, window: Window) -> Float:
    """The part of a chunk's pixels that lies in `window`."""
    rows, cols = (
        slice(max(w.start - c.start, 0), max(w.stop - c.start, 0)) for c, w in zip(chunk, window, strict=True)
    )
    return data[:, rows, cols]


def _to_source(source: Grid, grid: Grid, moved: Affine, points: Double) -> tuple[Double, Double]:
    """Pixel (col, row) of `grid`, first moved, to pixel (col, row) of `source`; not finite where there is no way."""
    x, y = _apply(grid.transform @ moved, points[:, 0], points[:, 1])
    if source.crs != grid.crs:
        x, y = Transformer.from_crs(grid.crs, source.crs, always_xy=True).transform(x, y)
    return _apply(~source.transform, np.asarray(x, np.float64), np.asarray(y, np.float64))


def _apply(t: Affine, x: Double, y: Double) -> tuple[Double, Double]:
    with np.errstate(invalid="ignore"):  # what cannot be projected is infinite, and may become NaN
        return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
