"""What came is looked through before it is kept: no error page, half a file or other place becomes imagery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from geo.errors import SitewatchError, TemporaryError
from geo.files.environment import OPTIONS
from geo.files.headers import grid_of
from geo.files.limits import check_header
from geo.files.opening import open_quietly
from geo.grid import Grid
from geo.providers.web import Answer

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TOLERANCE_PX = 1e-3
_OPTIONS = {name: value for name, value in OPTIONS.items() if name != "GDAL_CACHEMAX"}


def most_bytes(grid: Grid, bands: int, dtype: str) -> int:
    """What a GeoTIFF of this size can weigh at most, with room for its header and for deflate's overhead."""
    return int(1.1 * grid.shape[0] * grid.shape[1] * bands * np.dtype(dtype).itemsize) + 2**20


def numbers_of(answer: Answer, grid: Grid, bands: int, dtype: str) -> NDArray[Any]:
    """The numbers (band, row, col) of an answer that must be a GeoTIFF of exactly what was asked.

    Raises:
        TemporaryError: it is something else, cut short, damaged, or of another place, size or type.
    """
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if not answer.body.startswith(_TIFF):
        what = "nothing" if not answer.body else "a page" if answer.body.lstrip()[:1] == b"<" else "no image"
        raise TemporaryError(
            f"Sentinel Hub sent {what} instead of an image ({kind[:40] or 'untold'}); try again later."
        )
    if kind not in ("image/tiff", "image/tif", "application/octet-stream", ""):
        raise TemporaryError(f"Sentinel Hub calls its image {kind[:40]}; the next run asks again.")
    try:
        with (
            rasterio.Env(**_OPTIONS),
            MemoryFile(answer.body) as memory,
            open_quietly(Path(memory.name), driver="GTiff") as image,
        ):
            check_header(image, "the image", len(answer.body))
            found, _ = grid_of(image)
            _compare(found, grid, (image.count, bands), (set(image.dtypes), {dtype}))
            numbers: NDArray[Any] = image.read()
    except TemporaryError:
        raise
    except SitewatchError as error:
        raise TemporaryError(f"What Sentinel Hub sent cannot be used: {error}") from None
    except Exception as error:  # GDAL's wrappers raise many kinds on damaged files
        raise TemporaryError("What Sentinel Hub sent is damaged or was cut short; the next run asks again.") from error
    return numbers


def _compare(found: Grid, asked: Grid, counts: tuple[int, int], dtypes: tuple[set[str], set[str]]) -> None:
    if counts[0] != counts[1] or dtypes[0] != dtypes[1]:
        raise TemporaryError(
            f"Sentinel Hub sent {counts[0]} bands of {'/'.join(sorted(dtypes[0]))}, asked for were {counts[1]} of "
            f"{'/'.join(dtypes[1])}."
        )
    if found.shape != asked.shape:
        raise TemporaryError(f"Sentinel Hub sent {found.shape} pixels, asked for were {asked.shape}.")
    tolerance = _TOLERANCE_PX * abs(asked.transform.a)
    beside = max(abs(a - b) for a, b in zip(found.bounds, asked.bounds, strict=True))
    if found.crs != asked.crs or not beside <= tolerance:
        raise TemporaryError(
            f"Sentinel Hub sent another place ({found.crs}, {beside:,.1f} m beside) than was asked for."
        )


def mean_angles(degrees: Mapping[str, NDArray[np.floating]], seen: NDArray[np.bool_]) -> dict[str, float]:
    """Means over what was seen: azimuths round the circle, zeniths as numbers; empty where nothing was.

    Args:
        degrees: float (row, col) by name; `..._azimuth` clockwise from north, others from the zenith.
        seen: (row, col) pixels that lie in the image.
    """
    means = {}
    for name, values in degrees.items():
        own = np.asarray(values, np.float64)[seen & np.isfinite(values)]
        if not own.size:
            continue
        if name.endswith("azimuth"):
            turn = np.angle(np.exp(1j * np.deg2rad(own)).mean(), deg=True)
            means[name] = round(float(turn % 360), 3)
        else:
            means[name] = round(float(own.mean()), 3)
    return means
