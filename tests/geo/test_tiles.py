"""Tiling must not show: tiled equals whole, bit for bit, in order, with bounded work under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from strategies import dtypes, grid_of, raster_of, shapes, tile_sizes

from geo.tiles import IN_FLIGHT, fold_tiles, map_tiles


class ArraySource:
    """A source of any dtype: the seam is a protocol, not a class."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.grid = grid_of(*data.shape[1:])

    def read(self, window: tuple[slice, slice]) -> np.ndarray:
        return self.data[:, window[0], window[1]]


def distance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A per-pixel kernel."""
    return np.abs(after.astype(np.float64) - before).sum(axis=0)


def local_maximum(array: np.ndarray, radius: int) -> np.ndarray:
    """A neighbourhood kernel with a reach of `radius`."""
    return ndimage.maximum_filter(array, size=(1, 2 * radius + 1, 2 * radius + 1), mode="nearest")


def two_results(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A kernel that returns a stack and a plane."""
    return array * 2, array[0]


def total(array: np.ndarray) -> int:
    """An exact sum."""
    return int(array.astype(np.int64).sum())


def assemble(parts: Iterator[tuple[Any, np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    """Put tiles back into one array; NaN where nothing was written."""
    whole = np.full(shape, np.nan)
    for tile, part in parts:
        whole[..., tile.core[0], tile.core[1]] = part
    return whole


def random_array(shape: tuple[int, int], dtype: type, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 250, (2, *shape)).astype(dtype)


@settings(deadline=None, max_examples=60)
@given(shapes, tile_sizes, dtypes, st.integers(1, 3), st.integers(0, 99))
def test_per_pixel_kernel_is_the_same_tiled(
    shape: tuple[int, int], size: int, dtype: type, workers: int, seed: int
) -> None:
    """Any tile size, dtype and worker count gives the bytes of the whole image."""
    a, b = random_array(shape, dtype, seed), random_array(shape, dtype, seed + 1)
    with ThreadPoolExecutor(workers) as pool:
        tiled = assemble(map_tiles(distance, ArraySource(a), ArraySource(b), size=size, executor=pool), shape)
    np.testing.assert_array_equal(tiled, distance(a, b))


@settings(deadline=None, max_examples=60)
@given(shapes, tile_sizes, st.integers(0, 4), st.integers(0, 3), dtypes)
def test_neighbourhood_kernel_is_the_same_tiled_if_the_halo_reaches(
    shape: tuple[int, int], size: int, radius: int, more: int, dtype: type
) -> None:
    """A halo at least as wide as the kernel hides the seams."""
    a = random_array(shape, dtype, 3)
    kernel = partial(local_maximum, radius=radius)
    tiled = assemble(map_tiles(kernel, ArraySource(a), size=size, halo=radius + more), a.shape)
    np.testing.assert_array_equal(tiled, kernel(a))


def test_a_halo_that_is_too_short_does_show() -> None:
    """The property above can fail: it is the halo that makes it hold."""
    a = random_array((40, 40), np.float32, 5)
    kernel = partial(local_maximum, radius=3)
    tiled = assemble(map_tiles(kernel, ArraySource(a), size=16, halo=1), a.shape)
    assert (tiled != kernel(a)).any()


@settings(deadline=None)
@given(shapes, tile_sizes, st.integers(1, 3))
def test_folding_counts_each_pixel_once(shape: tuple[int, int], size: int, workers: int) -> None:
    """An exact sum over tiles is the sum over the image."""
    a = random_array(shape, np.uint16, 7)
    with ThreadPoolExecutor(workers) as pool:
        assert fold_tiles(total, int.__add__, ArraySource(a), size=size, executor=pool) == total(a)


def test_folding_keeps_the_order_of_tiles() -> None:
    """Parts are combined row by row whatever worker finishes first, so float sums cannot differ."""
    a = np.arange(64.0).reshape(1, 8, 8)
    with ThreadPoolExecutor(4) as pool:
        corners = fold_tiles(lambda t: [t[0, 0, 0]], list.__add__, ArraySource(a), size=3, executor=pool)
    assert corners == [a[0, r, c] for r in (0, 3, 6) for c in (0, 3, 6)]


def test_several_results_are_all_trimmed() -> None:
    """A kernel may return a tuple."""
    a = random_array((20, 30), np.float32, 1)
    for tile, (double, plane) in map_tiles(two_results, ArraySource(a), size=7, halo=2):
        np.testing.assert_array_equal(double, 2 * a[:, tile.core[0], tile.core[1]])
        np.testing.assert_array_equal(plane, a[0][tile.core])


def test_spawned_processes_agree() -> None:
    """Sources and kernels travel to fresh interpreters."""
    a, b = (raster_of(random_array((50, 60), np.float32, s)) for s in (1, 2))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        tiled = assemble(map_tiles(distance_of_rasters, a, b, size=32, executor=pool), (50, 60))
    np.testing.assert_array_equal(tiled, distance_of_rasters(a.data, b.data))


def distance_of_rasters(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Defined by numpy alone, so that a spawned process can import nothing but numpy to run it."""
    return np.hypot(*(after - before))


@pytest.mark.slow
def test_dask_agrees() -> None:
    """Dask's executor is one argument away."""
    distributed = pytest.importorskip("distributed")
    a, b = (raster_of(random_array((50, 60), np.float32, s)) for s in (1, 2))
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=False,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            protocol="tcp://",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pool = client.get_executor()
        tiled = assemble(map_tiles(distance_of_rasters, a, b, size=32, executor=pool), (50, 60))
    np.testing.assert_array_equal(tiled, distance_of_rasters(a.data, b.data))


class CountingExecutor(Executor):
    """Runs at once in the caller and counts what was submitted but not yet taken."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_memory_does_not_grow_with_the_image() -> None:
    """However many tiles there are, only a few are under way."""
    a = np.zeros((1, 100, 100), np.float32)
    pool = CountingExecutor()
    for taken, _ in enumerate(map_tiles(lambda t: t, ArraySource(a), size=5, executor=pool), start=1):
        assert pool.submitted - taken <= IN_FLIGHT
    assert taken == 400


def test_a_failing_tile_stops_the_rest() -> None:
    """The error of a kernel reaches the caller; tiles that had not begun are dropped."""
    begun = threading.Semaphore(0)

    def fails(array: np.ndarray) -> np.ndarray:
        begun.release()
        raise ZeroDivisionError

    a = np.zeros((1, 50, 50), np.float32)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        list(map_tiles(fails, ArraySource(a), size=2, executor=pool))
    assert begun._value <= IN_FLIGHT + 1


def test_sources_on_different_grids_are_refused() -> None:
    """Pixels of different places are never compared."""
    with pytest.raises(ValueError, match="share one grid"):
        list(map_tiles(distance, raster_of(np.zeros((1, 4, 4))), raster_of(np.zeros((1, 4, 4)), 20.0)))
