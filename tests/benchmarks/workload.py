"""Seeded pairs of images, large enough that memory and speed show: `python -m tests.benchmarks.workload SIZE FOLDER`.

A pair has four uint16 bands (blue, green, red, nir; reflectance x 10,000), correlated texture, a gain and a seasonal
change between the dates, sensor noise, and changed rectangles. It is written strip by strip, so any size can be made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from scipy import ndimage

BANDS = ("blue", "green", "red", "nir")
LEVEL = np.array([700, 900, 1000, 3000], np.float32)
SPREAD = np.array([180, 220, 300, 600], np.float32)
GAIN = np.array([1.06, 1.03, 0.98, 1.05], np.float32)
SEASON = np.array([-25, 20, -45, 220], np.float32)
CHANGE = np.array([260, 280, 300, -700], np.float32)
STRIP = 512


def make_pair(size: int, folder: Path, seed: int = 7) -> tuple[Path, Path]:
    """Write `before.tif` and `after.tif` of size x size pixels unless they are there; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "before.tif", folder / "after.tif"
    if all(p.is_file() for p in paths):
        return paths
    rng = np.random.default_rng(seed)
    profile = {
        "driver": "GTiff", "width": size, "height": size, "count": 4, "dtype": "uint16", "nodata": 0, "tiled": True,
        "blockxsize": 512, "blockysize": 512, "interleave": "band", "compress": "deflate", "predictor": 2,
        "crs": "EPSG:32648", "transform": Affine(10, 0, 300_000, 0, -10, 1_200_000), "num_threads": 2,
    }  # fmt: skip
    texture = ndimage.gaussian_filter(rng.standard_normal((STRIP, size)).astype(np.float32), 1.5, mode="wrap")
    texture /= texture.std()
    weights = rng.uniform(0.5, 1.0, 4).astype(np.float32)
    rectangles = [(*rng.integers(0, size, 2), *rng.integers(6, 60, 2)) for _ in range(size * size // 150_000)]
    with rasterio.open(paths[0], "w", **profile) as before, rasterio.open(paths[1], "w", **profile) as after:
        for dataset in (before, after):
            dataset.descriptions = BANDS
        for top in range(0, size, STRIP):
            rows = min(STRIP, size - top)
            ground = np.roll(texture, int(rng.integers(size)), axis=1)[:rows]
            season = np.sin(np.arange(top, top + rows) / 900)[:, None] * np.cos(np.arange(size) / 1100)
            changed = np.zeros((rows, size), np.float32)
            for r, c, h, w in rectangles:
                changed[max(0, r - top) : max(0, r + h - top), c : c + w] = 1
            for band in range(4):
                surface = LEVEL[band] + SPREAD[band] * weights[band] * ground
                noise = rng.standard_normal((2, rows, size), np.float32) * 25
                later = GAIN[band] * surface + SEASON[band] * season + CHANGE[band] * changed
                window = rasterio.windows.Window(0, top, size, rows)
                before.write(np.clip(surface + noise[0], 1, 10_000).astype(np.uint16), band + 1, window=window)
                after.write(np.clip(later + noise[1], 1, 10_000).astype(np.uint16), band + 1, window=window)
    return paths


if __name__ == "__main__":
    print(*make_pair(int(sys.argv[1]), Path(sys.argv[2])), sep="\n")
