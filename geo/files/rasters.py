"""Local rasters as pixel sources: what a file holds, in physical units, window by window."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

from geo.errors import InputError
from geo.files import blocks
from geo.files.encoding import Encoding, decode
from geo.files.facts import Numbers, Told
from geo.files.guessing import guess_encoding
from geo.files.headers import facts_of, grid_of
from geo.files.limits import sidecars
from geo.files.opening import reading
from geo.files.tiled import write_parts
from geo.files.times import parse_time, time_in_name, time_in_tags
from geo.grid import Grid, Tile, Window
from geo.kernels import clouds
from geo.raster import Flag

__all__ = ["Encoding", "RasterFile", "capture_time", "describe", "write_tiled"]

Float = NDArray[np.float32]
Flags = NDArray[np.uint8]

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

    def __fspath__(self) -> str:
        """The path, so that a RasterFile can be given where a path is asked for."""
        return os.fspath(self.path)

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
        data = decode(blocks.read(dataset, self.path, encoding.indexes, window), encoding)
        if encoding.alpha_index is not None:
            data[:, dataset.read(encoding.alpha_index, window=window) == 0] = np.nan
        if encoding.dataset_mask:
            data[:, dataset.read_masks(encoding.indexes[0], window=window) == 0] = np.nan
        return data

    def _flags(self, dataset: Any, window: FileWindow, data: Float) -> Flags:
        flags = np.where(np.isnan(data).any(axis=0), np.uint8(Flag.OUTSIDE), np.uint8(0))
        if self.encoding.mask_index is not None and self.encoding.mask_kind is not None:
            stored = blocks.read(dataset, self.path, (self.encoding.mask_index,), window)[0]
            flags |= _MASKS[self.encoding.mask_kind](stored)
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
        grid, notes = grid_of(dataset)
        facts = facts_of(dataset, where.name, grid)
    encoding = guess_encoding(facts, Told(bands, scale, offset, nodata, law))
    beside = sidecars(where)
    ignored = (f"Files beside the image have no influence and are ignored: {', '.join(beside)}.",) if beside else ()
    return RasterFile(where, grid, replace(encoding, notes=(*notes, *ignored, *encoding.notes)))


def write_tiled(
    path: str | os.PathLike[str],
    grid: Grid,
    parts: Iterable[tuple[Window | Tile, NDArray[Any]]],
    *,
    names: Sequence[str],
    dtype: str,
    nodata: float | None,
    unit: str = "value",
) -> RasterFile:
    """Write windows as they come into a plain tiled GeoTIFF, an intermediate that only we read again.

    Args:
        path: the final name; nothing appears under it until all parts are written.
        grid: the whole image.
        parts: (window or tile, array (band, row, col) or (row, col)); a tile stands for its core.
        names: one a band, written as band descriptions.
        dtype: of the file.
        nodata: declared value, or None.
        unit: what the numbers are; they are read back exactly as written, nothing is guessed.

    Returns:
        The raster (usable as a path too).

    Raises:
        NoSpaceError: the disk is full; ConfigurationError: the folder cannot be written.
    """
    final = Path(path)
    write_parts(final, grid, parts, names=tuple(names), dtype=dtype, nodata=nodata)
    count = len(names)
    value = None if nodata is None or np.isnan(nodata) else nodata
    encoding = Encoding(
        tuple(names), (1.0,) * count, (0.0,) * count, (value,) * count, unit, tuple(range(1, count + 1))
    )
    return RasterFile(final, grid, encoding)


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


def _clip(window: Window, shape: tuple[int, int]) -> tuple[FileWindow | None, Window]:
    """The part of a window that lies in the image, and where that part lies in the window."""
    parts = [(max(0, w.start), min(n, w.stop)) for w, n in zip(window, shape, strict=True)]
    (top, bottom), (left, right) = parts
    if bottom <= top or right <= left:
        return None, window
    place = tuple(slice(a - w.start, b - w.start) for (a, b), w in zip(parts, window, strict=True))
    return FileWindow(left, top, right - left, bottom - top), (place[0], place[1])
