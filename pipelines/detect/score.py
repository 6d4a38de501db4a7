"""The kernels of the passes over the pair: statistics of a sample, then score, p and direction of every pixel."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from numpy.typing import NDArray

from geo.grid import Grid, Tile
from geo.kernels import clusters, normalise
from geo.tiles import map_tiles
from pipelines.detect.change_map import Direction
from pipelines.detect.components import Method, Nulls, Tables, changed_itself, statistics
from pipelines.detect.direction import TEXTURE_REACH_PX, directions, texture
from pipelines.prepare.pair import Pair

Float32 = NDArray[np.float32]

PATCH_PX = 128
MOST_PATCHES = 100
_THIN = 2  # neighbours say nearly the same: every second row and column of a patch is enough


@dataclass(frozen=True, eq=False)
class Scorer:
    """Kernel of the main pass: (before, after) -> (score, p, direction), float32 (3, row, col)."""

    method: Method
    nulls: Nulls
    tables: Tables

    @property
    def reach_px(self) -> int:
        """How far a pixel's layers look, each way."""
        return reach_px(self.method)

    def __call__(self, before: Float32, after: Float32) -> Float32:
        """Score one tile with its halo; NaN in all three where either date was not seen."""
        c = self.method.calibrated
        x, y = c.looks(before, after)
        out = np.empty((3, *x.shape[1:]), np.float32)
        missing = np.isnan(x[0])
        if missing.all():
            out.fill(np.nan)
            return out
        planes = statistics(self.method, x, y)
        wide, near = self.tables.fuse(self.method, planes)
        out[0], out[1] = self.tables.score(wide), self.tables.p(wide)
        out[2] = directions(c, x, normalise.apply(c.lines, y), self.nulls.texture)
        out[2][~changed_itself(planes) | ~near | (wide == 0)] = Direction.UNCHANGED
        out[:, missing] = np.nan
        return out


def reach_px(method: Method) -> int:
    """How far a pixel's layers look, each way."""
    return max(method.reach_px, TEXTURE_REACH_PX)


def fit_nulls(pair: Pair, method: Method, executor: Executor | None) -> Nulls:
    """Learn what every statistic does on this pair's own ground, from patches spread evenly over the grid."""
    tiles = list(_patches(pair.grid, reach_px(method)))
    kernel = partial(_patch, method)
    parts = [
        part for tile, part in map_tiles(
            kernel, pair.before.compared, pair.after.compared, tiles=tiles, executor=executor
        )
    ]  # fmt: skip
    observed = [part for part in parts if np.isfinite(part[0]).any()]
    seen = [part[:, ::_THIN, ::_THIN].reshape(len(part), -1) for part in parts]
    stacked = np.concatenate(seen, axis=1)
    stacked = stacked[:, np.isfinite(stacked[0])]
    samples, at = {}, 0
    for name in method.names:
        samples[name] = list(stacked[at : at + method.levels])
        at += method.levels
    median = float(np.median(stacked[at])) if stacked.size else 0.0
    nulls = Nulls.fit(method, samples, median)
    tables = Tables.of(method, nulls)
    steps = [clusters.roughness(_chance(method, tables, part)) for part in observed]
    return nulls._replace(gradient=clusters.gradient_variance(np.concatenate([np.empty(0), *steps])))


def _chance(method: Method, tables: Tables, part: Float32) -> Float32:
    """P of the pixels of a patch, from its stacked statistics."""
    levels = iter(part)
    planes = {name: [next(levels) for _ in range(method.levels)] for name in method.names}
    p: Float32 = tables.p(tables.fuse(method, planes)[0])
    return np.where(np.isfinite(part[0]), p, np.float32(np.nan))


def _patch(method: Method, before: Float32, after: Float32) -> Float32:
    """All statistics of a patch at all levels, then its texture: (statistic, row, col)."""
    c = method.calibrated
    x, y = c.looks(before, after)
    found = statistics(method, x, y)
    planes = [level for name in method.names for level in found[name]]
    return np.stack([*planes, texture(c, x)])


def _patches(grid: Grid, halo: int) -> Iterator[Tile]:
    """At most `MOST_PATCHES` blocks of the grid, evenly spread, each with its halo."""
    rows, cols = (ceil(n / PATCH_PX) for n in grid.shape)
    stride = max(1, ceil((rows * cols / MOST_PATCHES) ** 0.5))
    for tile in grid.tiles(PATCH_PX, halo):
        row, col = tile.core[0].start // PATCH_PX, tile.core[1].start // PATCH_PX
        if row % stride == min(stride // 2, rows - 1) and col % stride == min(stride // 2, cols - 1):
            yield tile
