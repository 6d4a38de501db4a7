"""Pixels in memory on a grid: Raster, and Stack for several times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geo.grid import Grid, Window
from geo.tiles import PixelSource

Float = NDArray[np.float32]


class Flag(IntFlag):
    """Why a pixel is not clear. No bit set means: observed, clear."""

    OUTSIDE = 1
    CLOUD = 2
    SHADOW = 4
    SATURATED = 8
    UNREGISTERED = 16
    SNOW = 32
    HAZE = 64
    SUSPECT = 128


@dataclass(frozen=True, eq=False)
class Raster:
    """One look at the ground, held in memory.

    Attributes:
        data: float32 (band, row, col); reflectance 0-1, radar linear power, or plain values as `unit` says.
        flags: uint8 (row, col) of `Flag` bits; 0 is clear.
        grid: where the pixels lie.
        bands: STAC common names, one a band.
        time: aware UTC, or None where nothing states it.
        scene_id: id of the scene that the pixels come from.
    """

    data: Float
    flags: NDArray[np.uint8]
    grid: Grid
    bands: tuple[str, ...]
    time: datetime | None = None
    scene_id: str = ""

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit and times without a zone."""
        if self.data.shape != (len(self.bands), *self.grid.shape):
            raise ValueError(f"data {self.data.shape} do not fit {len(self.bands)} bands on {self.grid.shape}")
        if self.flags.shape != self.grid.shape:
            raise ValueError(f"flags {self.flags.shape} do not fit the grid {self.grid.shape}")
        if self.data.dtype != np.float32 or self.flags.dtype != np.uint8:
            raise ValueError(f"data must be float32 and flags uint8, not {self.data.dtype} and {self.flags.dtype}")
        if self.time is not None and self.time.tzinfo is None:
            raise ValueError("a raster's time must be aware UTC")

    @cached_property
    def pixels(self) -> Float:
        """The data with NaN wherever a flag is set."""
        return np.where(self.flags == 0, self.data, np.float32(np.nan))

    def read(self, window: Window) -> Float:
        """Return `pixels` in a window; see `geo.tiles.PixelSource`."""
        return self.pixels[:, window[0], window[1]]


@dataclass(frozen=True)
class Stack:
    """Several looks at one grid, oldest first. Times rise strictly."""

    layers: tuple[PixelSource, ...]
    times: tuple[datetime, ...]

    def __post_init__(self) -> None:
        """Refuse layers on different grids and times that do not rise."""
        if len(self.layers) != len(self.times) or not self.layers:
            raise ValueError(f"a stack needs as many times as layers, not {len(self.times)} and {len(self.layers)}")
        if any(layer.grid != self.grid for layer in self.layers):
            raise ValueError("all layers of a stack must share one grid")
        if any(b <= a for a, b in zip(self.times, self.times[1:], strict=False)):
            raise ValueError("the times of a stack must rise strictly")

    @property
    def grid(self) -> Grid:
        """The grid that all layers share."""
        return self.layers[0].grid
