"""What is known of a raster file before its encoding is settled: what its header says, what a user told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Numbers = float | Sequence[float] | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the header says and a small sample shows.

    Attributes:
        name: the file's name, for messages.
        dtype: of the stored numbers.
        descriptions, colours, nodata, scales, offsets: one a band, as GDAL tells them.
        values: stored numbers (band, pixel) of a few small windows all over the image.
        corners: stored numbers (corner, band, pixel) of the four corners.
        hint: anything that may name the sensor or product: file name and tags.
        gsd_m: pixel size, if georeferenced.
        dataset_mask: True if the file carries a mask of its own inside.
    """

    name: str
    dtype: str
    descriptions: tuple[str | None, ...]
    colours: tuple[str, ...]
    nodata: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    values: Array
    corners: Array
    hint: str = ""
    gsd_m: float | None = None
    dataset_mask: bool = False

    @property
    def floating(self) -> bool:
        """True for decimal numbers."""
        return self.dtype.startswith("float")

    def honest(self, at: Sequence[int]) -> Array:
        """Sampled numbers of some bands as float64 (band, pixel), NaN where they look like no data."""
        stored = self.values[list(at)]
        values = stored.astype(np.float64)
        for row, band in enumerate(at):
            if self.nodata[band] is not None:
                values[row][values[row] == self.nodata[band]] = np.nan
        if self.dtype != "uint8":
            values[:, np.all(stored == 0, axis=0)] = np.nan
        values[~np.isfinite(values) | np.isin(values, (-9999, -32768))] = np.nan
        return values


@dataclass(frozen=True)
class Told:
    """What the user or a STAC item says of a file; None = nothing. See `geo.files.rasters.describe`."""

    bands: Sequence[str] | None = None
    scale: Numbers = None
    offset: Numbers = None
    nodata: Numbers = None
    law: str | None = None


def percentile(values: Array, q: float) -> float | None:
    """Percentile of the finite values, or None where there are none."""
    finite = values[np.isfinite(values)]
    return float(np.percentile(finite, q)) if finite.size else None
