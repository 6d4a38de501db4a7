"""Small rasters written on the spot, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geo.files.opening import open_quietly

UTM = "EPSG:32648"
TRANSFORM = Affine(10, 0, 300_000, 0, -10, 1_200_000)


def write_tif(
    path: Path,
    data: NDArray[Any],
    *,
    names: tuple[str | None, ...] = (),
    tags: dict[str, str] | None = None,
    scales: tuple[float, ...] = (),
    offsets: tuple[float, ...] = (),
    **profile: Any,
) -> Path:
    """Write (band, row, col) to a small GeoTIFF (or what `driver` says) and return its path."""
    options: dict[str, Any] = {
        "driver": "GTiff", "count": data.shape[0], "height": data.shape[1], "width": data.shape[2],
        "dtype": data.dtype, "crs": UTM, "transform": TRANSFORM,
    }  # fmt: skip
    with open_quietly(path, "w", **(options | profile)) as target:
        target.write(data)
        if names:
            target.descriptions = names
        if tags:
            target.update_tags(**tags)
        if scales:
            target.scales = scales
        if offsets:
            target.offsets = offsets
    return path


def noise(count: int, dtype: str = "uint16", low: int = 200, high: int = 4000, size: int = 40) -> NDArray[Any]:
    """Reproducible numbers of a plausible range."""
    return np.random.default_rng(7).integers(low, high, (count, size, size)).astype(dtype)
