"""Radar is judged in squares: what averaging over them does to a series, and the scene's own noise in them."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.grid import Grid
from geo.kernels import sar, sar_track, sar_windows
from geo.tiles import map_tiles
from pipelines.prepare import Cube

Float32 = NDArray[np.float32]

SQUARE_M = 50.0
MOST_RADIUS_PX = 3
FEWEST_DATES = 3  # of one orbit, to read the number of looks


class Speckle(NamedTuple):
    """Squares of 2 * radius_px + 1 pixels, the equivalent looks of their mean, and the scene's noise in them."""

    radius_px: int
    looks: float
    scene: sar_track.SceneNoise


def squares(
    cube: Cube, groups: NDArray[np.int64], most: int, tile_px: int, executor: Executor | None
) -> tuple[Float32, Speckle]:
    """Squares that do not overlap, on a lattice of the grid, and what they tell of the noise.

    Args:
        cube: linear power.
        groups: (time,) orbit codes.
        most: about so many squares at most.
        tile_px: side of the tiles in which the cube is read; the result does not depend on it.
        executor: threads, processes or Dask; None works in this thread.

    Returns:
        Decibel (n, time, band), and the speckle.
    """
    radius = _radius_px(cube.grid)
    step = max(_step(cube.grid, most), 2 * radius + 1)
    rows, cols = cube.grid.shape
    parts = []
    work = partial(_averaged, len(groups), radius)
    for tile, part in map_tiles(work, cube, executor=executor, tiles=cube.grid.tiles(tile_px, radius)):
        row, col = (np.arange(-(-span.start // step) * step, span.stop, step) for span in tile.core)
        picked = part[:, :, row - tile.core[0].start][..., col - tile.core[1].start]
        parts.append((np.ix_(row // step, col // step), picked))
    lattice = np.full((*parts[0][1].shape[:2], -(-rows // step), -(-cols // step)), np.nan, np.float32)
    for where, picked in parts:
        lattice[:, :, where[0], where[1]] = picked
    sample = np.ascontiguousarray(np.moveaxis(lattice.reshape(*lattice.shape[:2], -1), 2, 0))
    thin = cube.thinned(_step(cube.grid, most))[groups == np.bincount(groups).argmax(), 0]
    enl = sar.estimate_enl(thin) if len(thin) >= FEWEST_DATES else np.nan
    looks = sar_windows.window_looks(float(enl) if np.isfinite(enl) else 1.0, radius)
    power = 10.0 ** (np.moveaxis(sample, 0, 2).astype(np.float64) / 10)
    return sample, Speckle(radius, looks, sar_track.fit_scene(power, looks, groups))


def _radius_px(grid: Grid) -> int:
    """Of squares about 50 m wide, three pixels at least."""
    size = grid.pixel_size_m
    return 1 if size is None else int(np.clip(round(SQUARE_M / 2 / max(size)), 1, MOST_RADIUS_PX))


def _step(grid: Grid, most: int) -> int:
    rows, cols = grid.shape
    return max(1, ceil(sqrt(rows * cols / most)))


def _averaged(times: int, radius: int, flat: Float32) -> Float32:
    return sar_windows.averaged_db(flat.reshape(times, -1, *flat.shape[1:]), radius)
