"""What is kept is what was received, and the same image gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from geo.grid import Grid
from geo.providers.keeping import Bands, write_bands

GRID = Grid("EPSG:32648", Affine(10, 0, 300_000, 0, -10, 1_200_000), (300, 270))


def test_numbers_names_and_scales_come_back(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(0, 65536, (2, *GRID.shape)).astype(np.uint16)
    kept = Bands(grid=GRID, names=("red", "SCL"), stored=stored, empty=65535, scales=(1e-4, 1), offsets=(-0.1, 0))
    for name in ("a.tif", "b.tif"):
        write_bands(kept, tmp_path / name, {"SENSOR": "test"})
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as image:
        assert np.array_equal(image.read(), stored)
        assert (image.descriptions, image.scales, image.offsets) == (("red", "SCL"), (1e-4, 1), (-0.1, 0))
        assert (image.nodata, image.bounds) == (65535, GRID.bounds)
        assert image.tags()["SENSOR"] == "test"


def test_floats_keep_every_bit(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).normal(size=(1, *GRID.shape)).astype(np.float32)
    stored[0, 0, 0] = np.nan
    write_bands(Bands(grid=GRID, names=("vv",), stored=stored, empty=float("nan")), tmp_path / "a.tif", {})
    with rasterio.open(tmp_path / "a.tif") as image:
        assert np.array_equal(image.read().view(np.uint32), stored.view(np.uint32))
        assert np.isnan(image.nodata)
