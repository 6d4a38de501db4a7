"""Hypothesis strategies that more than one test file draws from."""

from __future__ import annotations

import numpy as np
from affine import Affine
from hypothesis import strategies as st

from geo.grid import Grid
from geo.raster import Raster

UTM48 = "EPSG:32648"


def grid_of(rows: int, cols: int, resolution: float = 10.0) -> Grid:
    """A north-up UTM grid with its corner at a round coordinate."""
    return Grid(UTM48, Affine(resolution, 0, 300_000, 0, -resolution, 1_200_000), (rows, cols))


def raster_of(data: np.ndarray, resolution: float = 10.0, **facts: object) -> Raster:
    """A clear raster around an array; NaN stays NaN, and is flagged OUTSIDE."""
    data = np.asarray(data, np.float32)
    bands = tuple(facts.pop("bands", [f"b{i + 1}" for i in range(len(data))]))  # type: ignore[arg-type]
    flags = np.where(np.isnan(data).any(axis=0), 1, 0).astype(np.uint8)
    return Raster(data, flags, grid_of(*data.shape[1:], resolution), bands, **facts)  # type: ignore[arg-type]


shapes = st.tuples(st.integers(1, 70), st.integers(1, 70))
tile_sizes = st.integers(1, 80)
halos = st.integers(0, 9)
dtypes = st.sampled_from([np.float32, np.float64, np.uint16, np.int16, np.uint8])
