"""One case per call, for `tests.benchmarks.run`: `python -m tests.benchmarks.cases CASE BEFORE AFTER OUT`.

All write tiled GeoTIFFs with DEFLATE level 1 and read with two threads, so that the encoding is the same everywhere.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from geo.files.environment import harden

harden(os.environ)

import numpy as np
import rasterio

from geo.files.rasters import RasterFile, describe
from geo.kernels.cva import magnitude
from geo.tiles import map_tiles

THREADS = 2
PROFILE = {
    "driver": "GTiff", "dtype": "float32", "nodata": np.nan, "compress": "deflate", "zlevel": 1, "predictor": 1,
    "tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "if_safer", "num_threads": THREADS,
}  # fmt: skip


def create(path: Path, like: rasterio.DatasetReader, count: int) -> rasterio.io.DatasetWriter:
    """Open the output of every case."""
    return rasterio.open(
        path, "w", **PROFILE, count=count, width=like.width, height=like.height, crs=like.crs, transform=like.transform
    )


def floor(before: Path, after: Path, out: Path, count: int) -> None:
    """Decode both inputs block by block in two threads and encode `count` bands that look like a result."""
    local = threading.local()

    def decode(window: rasterio.windows.Window) -> np.ndarray:
        if not hasattr(local, "pair"):
            local.pair = rasterio.open(before), rasterio.open(after)
        first, second = (dataset.read(window=window) for dataset in local.pair)
        return second[0].astype(np.float32) - first[0]

    with rasterio.open(before) as like, create(out, like, count) as target, ThreadPoolExecutor(THREADS) as pool:
        windows = [w for _, w in target.block_windows(1)]
        for window, band in zip(windows, pool.map(decode, windows), strict=True):
            target.write(np.broadcast_to(band, (count, *band.shape)), window=window)


def cva(before: Path, after: Path, out: Path) -> None:
    """Change-vector magnitude through our sources, tiles and kernel."""
    sources = describe(before), describe(after)
    _write(out, sources[0], map_magnitude(*sources))


def map_magnitude(before: RasterFile, after: RasterFile) -> Iterator[tuple[object, np.ndarray]]:
    """The tiles of the magnitude, in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield from map_tiles(magnitude, before, after, size=512, executor=pool)


def irmad(before: Path, after: Path, out: Path) -> None:
    """Converged IR-MAD: fitted on the lattice sample that `detect` uses, then chi-square of every pixel."""
    from geo.kernels import irmad as mad  # its linear algebra is not what the other cases wait for

    sources = describe(before), describe(after)
    step = 2 ** max(0, math.ceil(math.log2(sources[0].grid.shape[0] * sources[0].grid.shape[1] / 1_000_000) / 2))
    with ThreadPoolExecutor(THREADS) as pool:
        thin = [part for _, part in map_tiles(partial(_thin, step), *sources, size=512, executor=pool, trim=False)]
        sample = np.concatenate(thin, axis=1)
        sample = sample[:, np.isfinite(sample).all(axis=0)]
        bands = len(sample) // 2
        model = mad.fit(sample[:bands], sample[bands:])
        kernel = partial(mad.chi2, model)
        _write(out, sources[0], map_tiles(kernel, *sources, size=512, executor=pool))


def _thin(step: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    both = np.concatenate([before, after])[:, ::step, ::step]
    return both.reshape(len(both), -1)


def rasterio_threads(before: Path, after: Path, out: Path) -> None:
    """The concurrent pattern of rasterio's documentation: windows through a thread pool, locks round the files."""
    with rasterio.open(before) as a, rasterio.open(after) as b, create(out, a, 1) as target:
        reading, writing = threading.Lock(), threading.Lock()

        def work(window: rasterio.windows.Window) -> None:
            with reading:
                x, y = a.read(window=window), b.read(window=window)
            difference = y.astype(np.float32) - x
            result = np.sqrt((difference * difference).sum(axis=0))
            with writing:
                target.write(result, 1, window=window)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, [w for _, w in target.block_windows(1)]))


def _write(out: Path, like: RasterFile, tiles: Iterator[tuple[object, np.ndarray]]) -> None:
    with rasterio.open(like.path) as dataset, create(out, dataset, 1) as target:
        for tile, band in tiles:
            rows, cols = tile.core
            target.write(band, 1, window=rasterio.windows.Window.from_slices(rows, cols))


CASES = {
    "floor1": lambda *paths: floor(*paths, 1),
    "floor6": lambda *paths: floor(*paths, 6),
    "cva": cva,
    "irmad": irmad,
    "rasterio": rasterio_threads,
}

if __name__ == "__main__":
    CASES[sys.argv[1]](*map(Path, sys.argv[2:5]))
