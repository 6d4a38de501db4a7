"""The only place that loops over tiles or sees an executor.

A kernel gets one array per source, covering the tile with its halo, and returns one array (or a tuple of arrays)
whose last two axes cover the same pixels. Nothing of the tiling shows in the result as long as the halo is at least
the kernel's reach: the tests hold this to the bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from geo.grid import Grid, Tile, Window

T = TypeVar("T")
IN_FLIGHT = 8


class PixelSource(Protocol):
    """Anything that gives the pixels of a window: a Raster in memory, a RasterFile on disk."""

    @property
    def grid(self) -> Grid:
        """The grid that windows refer to."""
        ...

    def read(self, window: Window) -> NDArray[Any]:
        """Return (band, row, col) of the window; NaN means no honest observation."""
        ...


def map_tiles(
    kernel: Callable[..., Any],
    *sources: PixelSource,
    size: int = 512,
    halo: int = 0,
    executor: Executor | None = None,
    tiles: Iterable[Tile] | None = None,
    trim: bool = True,
) -> Iterator[tuple[Tile, Any]]:
    """Yield (tile, kernel(arrays...)) for every tile in row order, trimmed to the tile's core.

    `tiles` names the tiles to visit, where not all of the grid is wanted (`size` and `halo` then mean nothing).
    `trim=False` yields whatever the kernel returns, untouched: a sample, a histogram.


    At most a few tiles are under way at once, so memory does not grow with the image. With an executor of processes
    the kernel and the sources must pickle. Raises ValueError where the sources' grids differ.
    """
    grid = _one_grid(sources)
    chosen = grid.tiles(size, halo) if tiles is None else tiles
    yield from _ordered(partial(_trimmed if trim else _whole, kernel, sources), chosen, executor)


def fold_tiles(
    kernel: Callable[..., T],
    combine: Callable[[T, T], T],
    *sources: PixelSource,
    size: int = 512,
    halo: int = 0,
    executor: Executor | None = None,
) -> T:
    """Combine kernel(arrays...) of all tiles, always in row order, so the worker count cannot change a bit.

    The kernel sees core and halo; it must not count the halo twice (use halo=0 for sums).
    """
    grid = _one_grid(sources)
    results = _ordered(partial(_whole, kernel, sources), grid.tiles(size, halo), executor)
    total: T = next(results)[1]
    for _, part in results:
        total = combine(total, part)
    return total


def _one_grid(sources: tuple[PixelSource, ...]) -> Grid:
    if not sources:
        raise ValueError("at least one source is needed")
    grid = sources[0].grid
    if any(source.grid != grid for source in sources[1:]):
        raise ValueError("all sources must share one grid")
    return grid


def _whole(kernel: Callable[..., Any], sources: tuple[PixelSource, ...], tile: Tile) -> Any:
    return kernel(*(source.read(tile.read) for source in sources))


def _trimmed(kernel: Callable[..., Any], sources: tuple[PixelSource, ...], tile: Tile) -> Any:
    result = _whole(kernel, sources, tile)
    if isinstance(result, tuple):
        return tuple(_cut(part, tile) for part in result)
    return _cut(result, tile)


def _cut(array: NDArray[Any], tile: Tile) -> NDArray[Any]:
    # A copy, so that a kept core does not hold its halo in memory or travel with it between processes.
    return np.ascontiguousarray(array[..., tile.trim[0], tile.trim[1]])


def _ordered(
    work: Callable[[Tile], Any], tiles: Iterable[Tile], executor: Executor | None
) -> Iterator[tuple[Tile, Any]]:
    if executor is None:
        for tile in tiles:
            yield tile, work(tile)
        return
    waiting: deque[tuple[Tile, Future[Any]]] = deque()
    try:
        for tile in tiles:
            waiting.append((tile, executor.submit(work, tile)))
            if len(waiting) >= IN_FLIGHT:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        for _, future in waiting:
            future.cancel()
