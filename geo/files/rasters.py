"""Local rasters as pixel sources: what a file holds, in physical units, window by window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import MaskFlags
from rasterio.windows import Window as FileWindow

from geo.errors import InputError
from geo.files.cog import write_cog, write_tiled
from geo.files.encoding import Encoding, decode
from geo.files.guessing import Facts, Numbers, Told, guess_encoding
from geo.files.opening import reading
from geo.files.times import parse_time, time_in_name, time_in_tags
from geo.grid import Grid, Window
from geo.kernels import clouds
from geo.raster import Flag

__all__ = ["Encoding", "RasterFile", "capture_time", "describe", "write_cog", "write_tiled"]

Float = NDArray[np.float32]
Flags = NDArray[np.uint8]

_SAMPLES = 5
_SAMPLE_PX = 64
_CORNER_PX = 16
_MASKS = {
    "scl": clouds.scl,
    "qa_pixel": clouds.qa_pixel,
    "qa_pixel_c1": clouds.pixel_qa,
    "fmask": clouds.fmask,
    "valid": clouds.valid,
    "cloud": clouds.cloud,
}


@dataclass(frozen=True)
class RasterFile:
    """A raster on disk, read by windows; the lazy twin of `geo.raster.Raster`.

    It holds a path and no handle, so it pickles and may be read from any thread or process: each opens for itself.

    Attributes:
        path: the local file.
        grid: where its pixels lie.
        encoding: how its numbers become physical units, and every guess made about them.
    """

    path: Path
    grid: Grid
    encoding: Encoding

    @property
    def bands(self) -> tuple[str, ...]:
        """STAC common names, one a band."""
        return self.encoding.bands

    def select(self, bands: Sequence[str]) -> RasterFile:
        """Return the same file with only these bands, in this order; InputError where one is missing."""
        try:
            return replace(self, encoding=self.encoding.select(tuple(bands)))
        except InputError as error:
            raise InputError(f"{self.path.name}: {error}") from None

    def read(self, window: Window) -> Float:
        """Return the pixels of a window in physical units.

        NaN is where the file has no data, where its alpha or inner mask hides a pixel, and outside the image. Clouds
        are not hidden: they are in `read_flags`, since what to do about them is not for a file to decide.

        Args:
            window: (rows, cols); it may reach beyond the image.

        Returns:
            float32 (band, row, col).

        Raises:
            InputError: the file is damaged there, or gone.
        """
        return self._read(window, mask=False)[0]

    def read_flags(self, window: Window) -> Flags:
        """Return uint8 (row, col) of `Flag` bits: OUTSIDE where any band is NaN, else what the mask band says."""
        return self._read(window, mask=True)[1]

    def read_both(self, window: Window) -> tuple[Float, Flags]:
        """Return `read` and `read_flags` of a window, decoding the file once."""
        return self._read(window, mask=True)

    def _read(self, window: Window, *, mask: bool) -> tuple[Float, Flags]:
        rows, cols = window
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        inside, place = _clip(window, self.grid.shape)
        if inside is None:
            empty = np.full((len(self.bands), *shape), np.nan, np.float32)
            return empty, np.full(shape, Flag.OUTSIDE, np.uint8)
        with reading(self.path) as dataset:
            if dataset.shape != self.grid.shape:
                raise InputError(f"{self.path.name} has changed since it was described; start again.")
            data = self._pixels(dataset, inside)
            flags = self._flags(dataset, inside, data) if mask else np.zeros(data.shape[1:], np.uint8)
        if data.shape[1:] == shape:
            return data, flags
        whole = np.full((len(self.bands), *shape), np.nan, np.float32)
        whole[(slice(None), *place)] = data
        all_flags = np.full(shape, Flag.OUTSIDE, np.uint8)
        all_flags[place] = flags
        return whole, all_flags

    def _pixels(self, dataset: Any, window: FileWindow) -> Float:
        encoding = self.encoding
        data = decode(dataset.read(list(encoding.indexes), window=window), encoding)
        if encoding.alpha_index is not None:
            data[:, dataset.read(encoding.alpha_index, window=window) == 0] = np.nan
        if encoding.dataset_mask:
            data[:, dataset.read_masks(encoding.indexes[0], window=window) == 0] = np.nan
        return data

    def _flags(self, dataset: Any, window: FileWindow, data: Float) -> Flags:
        flags = np.where(np.isnan(data).any(axis=0), np.uint8(Flag.OUTSIDE), np.uint8(0))
        if self.encoding.mask_index is not None and self.encoding.mask_kind is not None:
            flags |= _MASKS[self.encoding.mask_kind](dataset.read(self.encoding.mask_index, window=window))
        return flags


def describe(
    path: str | os.PathLike[str],
    *,
    bands: Sequence[str] | None = None,
    scale: Numbers = None,
    offset: Numbers = None,
    nodata: Numbers = None,
    law: str | None = None,
) -> RasterFile:
    """Look at a local GeoTIFF, JPEG 2000, PNG or JPEG: its grid, bands and units. Reads the header and a small sample.

    Args:
        path: a local file.
        bands: names of all bands of the file in order, common names or the product's own; `-` leaves one out.
        scale: of the image bands, one number or one a band; physical = law(stored * scale + offset).
        offset: of the image bands, likewise.
        nodata: stored value that means no data, likewise.
        law: `linear`, `decibel` or `amplitude` (power = x ** 2).

    Returns:
        The raster; every guess is a sentence in `encoding.notes`.

    Raises:
        InputError: the file is no such image, is damaged, declares too much, or does not fit what was told.
    """
    where = Path(path)
    with reading(where) as dataset:
        grid, notes = _grid(dataset)
        facts = _facts(dataset, where.name, grid)
    encoding = guess_encoding(facts, Told(bands, scale, offset, nodata, law))
    return RasterFile(where, grid, replace(encoding, notes=(*notes, *encoding.notes)))


def capture_time(path: str | os.PathLike[str]) -> datetime | None:
    """When a local image was taken, as aware UTC; None where nothing says it.

    The date in the name counts first (a tag of the same day may add the time of day), then tags that speak of the
    acquisition, and last TIFF's DateTime, which may be the time of processing.

    Raises:
        InputError: the name holds an impossible date, or the file cannot be opened.
    """
    name = Path(path).name
    named = time_in_name(name)
    with reading(path) as dataset:
        tags = dataset.tags()
    tagged = time_in_tags(tags)
    if named is not None:
        midnight = named.replace(hour=0, minute=0, second=0)
        return tagged if named == midnight and tagged is not None and tagged.date() == named.date() else named
    return tagged if tagged is not None else parse_time(tags.get("TIFFTAG_DATETIME", ""))


def _grid(dataset: Any) -> tuple[Grid, tuple[str, ...]]:
    """The grid of an open dataset, and what had to be left out of it."""
    transform = Affine(*tuple(dataset.transform)[:6])
    shape = (dataset.height, dataset.width)
    if transform == Affine.identity():
        notes = ("There are only ground control points in the file; it is used without georeference.",)
        return Grid(None, Affine.identity(), shape), notes if dataset.gcps[0] else ()
    crs, note = _crs(dataset)
    try:
        return Grid(crs, transform, shape), note
    except ValueError:
        return Grid(None, Affine.identity(), shape), ("Its geotransform is unusable; it has no georeference.",)


def _crs(dataset: Any) -> tuple[str | None, tuple[str, ...]]:
    """`EPSG:n`, WKT, or None with a note."""
    found = dataset.crs
    if not found:
        return None, ("The file states a position but no coordinate system; it is used without georeference.",)
    code = found.to_epsg()
    text = f"EPSG:{code}" if code else found.to_wkt()
    try:
        system = CRS.from_user_input(text)
    except CRSError:
        return None, ("Its coordinate system cannot be understood; it is used without georeference.",)
    if not (system.is_projected or system.is_geographic):
        return None, ("Its coordinate system is a local one; it is used without georeference.",)
    return text, ()


def _facts(dataset: Any, name: str, grid: Grid) -> Facts:
    tags = dataset.tags()
    size = grid.pixel_size_m
    values, corners = _sample(dataset)
    own_mask = any(MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags for flags in dataset.mask_flag_enums)
    return Facts(
        name=name,
        dtype=str(np.result_type(*dataset.dtypes)),
        descriptions=tuple(dataset.descriptions),
        colours=tuple(c.name for c in dataset.colorinterp),
        nodata=tuple(dataset.nodatavals),
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        values=values,
        corners=corners,
        hint=" ".join([name, *(str(v) for k, v in sorted(tags.items()) if k not in ("TIFFTAG_DATETIME",))]),
        gsd_m=None if size is None else max(size),
        dataset_mask=own_mask,
    )


def _sample(dataset: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Stored values of a few small windows, each inside one block: (band, pixel), and of the corners."""
    height, width = dataset.shape
    block = dataset.block_shapes[0]
    starts = [_starts(height, block[0]), _starts(width, block[1])]
    parts = []
    for top in starts[0]:
        for left in starts[1]:
            size = (min(_SAMPLE_PX, width - left), min(_SAMPLE_PX, height - top))
            parts.append(dataset.read(window=FileWindow(left, top, *size)))
    edge_rows, edge_cols = min(_CORNER_PX, height), min(_CORNER_PX, width)
    corners = [
        dataset.read(window=FileWindow(left, top, edge_cols, edge_rows)).reshape(dataset.count, -1)
        for top in (0, height - edge_rows)
        for left in (0, width - edge_cols)
    ]
    return np.concatenate([p.reshape(dataset.count, -1) for p in parts], axis=1), np.stack(corners)


def _starts(length: int, block: int) -> list[int]:
    """Where windows start along one axis: first, last, and between, moved into one block."""
    last = max(0, length - _SAMPLE_PX)
    found = set()
    for step in range(_SAMPLES):
        start = last * step // (_SAMPLES - 1)
        if block >= _SAMPLE_PX:
            start = min(start, start // block * block + block - _SAMPLE_PX)
        found.add(start)
    return sorted(found)


def _clip(window: Window, shape: tuple[int, int]) -> tuple[FileWindow | None, Window]:
    """The part of a window that lies in the image, and where that part lies in the window."""
    parts = [(max(0, w.start), min(n, w.stop)) for w, n in zip(window, shape, strict=True)]
    (top, bottom), (left, right) = parts
    if bottom <= top or right <= left:
        return None, window
    place = tuple(slice(a - w.start, b - w.start) for (a, b), w in zip(parts, window, strict=True))
    return FileWindow(left, top, right - left, bottom - top), (place[0], place[1])
