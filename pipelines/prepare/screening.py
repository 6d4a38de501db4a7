"""Clouds once more, now that there is a series: what the mask of one date missed, and what it took for cloud.

A bright roof that stays on the same pixels is not a cloud, whatever its class says; and haze that no mask names shows
as a date brighter than its neighbours. Files without any mask are screened by their own pixels first.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from math import ceil, log2, sqrt

import numpy as np
from numpy.typing import NDArray

from geo.kernels import cloudiness
from geo.raster import Flag
from geo.tiles import map_tiles
from pipelines.prepare.cube import Cube, hide

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

SAMPLE_PX = 4000
CUBE_BYTES = 64_000_000
NEEDED = {"blue", "green", "red", "nir"}
WEATHER = np.uint8(Flag.CLOUD | Flag.HAZE | Flag.SHADOW)


def screen(
    cube: Cube, days: NDArray[np.float64], bands: tuple[str, ...], unmasked: Sequence[int], *, gsd_m: float,
    executor: Executor | None,
) -> None:  # fmt: skip
    """Rewrite the flags of a cube of reflectance.

    Args:
        cube: numbers as received, and flags; the flags are changed.
        days: (time,) rising.
        bands: of the cube; without blue nothing is done.
        unmasked: dates whose files bring no mask.
        gsd_m: pixel size.
        executor: threads or processes; None works here. No flag depends on it.
    """
    if "blue" not in bands:
        return
    flags = np.load(cube.flags, mmap_mode="r+")
    if set(cloudiness.with_nir(bands)) >= NEEDED:
        numbers = np.load(cube.numbers, mmap_mode="r")
        for index in unmasked:
            found = cloudiness.spectral(np.array(numbers[index]), cloudiness.with_nir(bands), gsd_m=gsd_m)
            flags[index] |= found & WEATHER
        flags.flush()
    scene = cloudiness.fit_guard(_sample(cube), days, bands)
    work = partial(_tile, days, cube.clear_fractions(), scene, len(bands))
    size = int(np.clip(2 ** int(log2(sqrt(CUBE_BYTES / (4 * len(days) * len(bands))))), 32, 512))
    for tile, part in map_tiles(work, _Both(cube), executor=executor, tiles=cube.grid.tiles(size), trim=False):
        flags[:, tile.core[0], tile.core[1]] = part
    flags.flush()


class _Both:
    """A cube's numbers and flags as one source: flags ride as further bands."""

    def __init__(self, cube: Cube) -> None:
        self.cube, self.grid = cube, cube.grid

    def read(self, window: tuple[slice, slice]) -> Float32:
        numbers, flags = self.cube.cut_both(window)
        return np.concatenate([numbers.reshape(-1, *numbers.shape[2:]), flags.astype(np.float32)])


def _tile(
    days: NDArray[np.float64], clear: NDArray[np.float64], scene: cloudiness.Guard, bands: int, both: Float32
) -> UInt8:
    times = len(days)
    numbers = both[: times * bands].reshape(times, bands, *both.shape[1:])
    flags = both[times * bands :].astype(np.uint8)
    flags = cloudiness.retest(flags, numbers, days, clear_fraction=clear)
    weather = cloudiness.guard(hide(numbers.copy(), flags), days, scene) & WEATHER
    return flags | weather


def _sample(cube: Cube) -> Float32:
    """Pixels (n, time, band) on a lattice of the grid."""
    rows, cols = cube.grid.shape
    thin = cube.thinned(max(1, ceil(sqrt(rows * cols / SAMPLE_PX))))
    return np.ascontiguousarray(np.moveaxis(thin.reshape(*thin.shape[:2], -1), 2, 0))
