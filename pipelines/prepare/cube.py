"""All looks of a series as one file of numbers and one of flags: resampled once, read many times, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geo.files.atomic import writing
from geo.files.mapping import mapped
from geo.files.warp import warping_in_threads
from geo.grid import Grid, Window
from geo.kernels.cloudiness import dilate
from geo.raster import Flag
from geo.tiles import PixelSource, map_tiles
from pipelines.prepare.looks import HIDING

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

CHUNK_PX = 512


@dataclass(frozen=True)
class Cube:
    """Looks (time, band, row, col) and their flags (time, row, col) in two .npy files.

    It holds paths and no handles, so it pickles and may be read from any thread or process. As a pixel source its
    bands are all bands of all dates in turn.
    """

    numbers: Path
    flags: Path
    grid: Grid

    def read(self, window: Window) -> Float32:
        """Return float32 (time * band, row, col) of a window, NaN where a flag hides the ground."""
        part = self.cut(window)
        return part.reshape(-1, *part.shape[2:])

    def cut(self, window: Window) -> Float32:
        """Return float32 (time, band, row, col) of a window, NaN where a flag hides the ground."""
        return hide(*self.cut_both(window))

    def cut_both(self, window: Window) -> tuple[Float32, UInt8]:
        """Return the numbers as received and the flags of a window."""
        where = (slice(None), *window)
        return (
            np.array(np.load(self.numbers, mmap_mode="r")[:, :, window[0], window[1]]),
            np.array(np.load(self.flags, mmap_mode="r")[where]),
        )

    def thinned(self, step: int) -> Float32:
        """Return (time, band, row, col) of every step-th row and column, NaN where a flag hides the ground."""
        return hide(
            np.array(np.load(self.numbers, mmap_mode="r")[:, :, ::step, ::step]),
            np.array(np.load(self.flags, mmap_mode="r")[:, ::step, ::step]),
        )

    def clear_fractions(self, inside: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Share of the grid, or of the pixels `inside` (row, col), that each date shows clearly, (time,)."""
        flags = np.load(self.flags, mmap_mode="r")
        ground = np.ones(flags.shape[1:], bool) if inside is None else inside
        return np.array([float(np.mean((flags[t][ground] & HIDING) == 0)) for t in range(len(flags))])

    def layer(self, index: int) -> Layer:
        """One date as a pixel source."""
        return Layer(self, index)


@dataclass(frozen=True)
class Layer:
    """One date of a cube; see `geo.tiles.PixelSource`."""

    cube: Cube
    index: int

    @property
    def grid(self) -> Grid:
        """The cube's grid."""
        return self.cube.grid

    def read(self, window: Window) -> Float32:
        """Return float32 (band, row, col) of a window, NaN where a flag hides the ground."""
        numbers = np.load(self.cube.numbers, mmap_mode="r")[self.index, :, window[0], window[1]]
        flags = np.load(self.cube.flags, mmap_mode="r")[self.index, window[0], window[1]]
        return np.asarray(hide(np.array(numbers)[None], np.array(flags)[None])[0])


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One look, ready to be written: pixels and flags on the grid, and how far the flags' edges reach further."""

    pixels: PixelSource
    flags: PixelSource
    margin_px: int


def hide(numbers: Float32, flags: UInt8) -> Float32:
    """Put NaN where a flag hides the ground, in place, and return the numbers."""
    numbers[np.broadcast_to(((flags & HIDING) != 0)[:, None], numbers.shape)] = np.nan
    return numbers


def write_cube(folder: Path, looks: Sequence[Placed], bands: int, executor: Executor | None) -> Cube:
    """Read every look once and write its pixels and flags into `cube.npy` and `flags.npy`.

    Raises:
        NoSpaceError: the disk is full; InputError: a source cannot be read.
    """
    grid = looks[0].pixels.grid
    cube = Cube(folder / "cube.npy", folder / "flags.npy", grid)
    with writing(folder), warping_in_threads():
        held = mapped(cube.numbers, (len(looks), bands, *grid.shape), np.float32)
        told = mapped(cube.flags, (len(looks), *grid.shape), np.uint8)
        for index, look in enumerate(looks):
            halo = look.margin_px
            for tile, (part, flags) in map_tiles(
                _both, look.pixels, look.flags, size=CHUNK_PX, halo=halo, executor=executor, trim=False
            ):
                where = tile.trim
                held[index, :, tile.core[0], tile.core[1]] = part[:, where[0], where[1]]
                grown = dilate(flags, halo) if halo else flags
                told[index, tile.core[0], tile.core[1]] = grown[where[0], where[1]]
        held.flush()
        told.flush()
    return cube


def _both(pixels: Float32, flags: Float32) -> tuple[Float32, UInt8]:
    """Pixels, and flags as bits; what lies beyond the image or holds no number is OUTSIDE."""
    bits = np.where(np.isfinite(flags[0]), flags[0], np.float32(Flag.OUTSIDE)).astype(np.uint8)
    bits |= np.where(np.isfinite(pixels).all(axis=0), np.uint8(0), np.uint8(Flag.OUTSIDE))
    return pixels, bits
