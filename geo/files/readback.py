"""Is what was written what lies on the disk? GDAL may fail to write a block while it closes a file, and say nothing.

What is handed over is remembered by checksum, window by window; the finished file is opened anew and must give it back.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window as FileWindow

from geo.errors import SitewatchError
from geo.files.atomic import require_space
from geo.files.opening import open_quietly

SPARE = 2**20
_Key = tuple[int, int, int, int, int]


@contextmanager
def room_for(final: Path, needed_bytes: int) -> Iterator[None]:
    """Refuse to start without room for a raster; tell GDAL's failures apart by the room that is left.

    Raises:
        NoSpaceError: the disk is full; SitewatchError: GDAL could not write for another reason.
    """
    require_space(final.parent, needed_bytes + SPARE)
    try:
        yield
    except (CPLE_BaseError, RasterioError) as error:
        # GDAL removes what it could not finish, so that the disk need not look full any more.
        require_space(final.parent, needed_bytes + SPARE)
        raise SitewatchError(f"{final} could not be written: {error}.") from error


class Readback:
    """Checksums of the windows of one image and of its overviews."""

    def __init__(self, dtype: DTypeLike) -> None:
        """The file's own number type: what is handed over is converted to it."""
        self._dtype = np.dtype(dtype)
        self._held: dict[_Key, int] = {}

    def note(self, array: NDArray[Any], top: int, left: int, level: int = 0) -> None:
        """Remember (band, row, col) whose first pixel lies at (top, left) of an overview level, 0 for the image."""
        rows, cols = array.shape[1:]
        self._held[level, top, left, rows, cols] = _checksum(array.astype(self._dtype, copy=False))

    def check(self, path: Path, name: str) -> None:
        """Read everything back.

        Raises:
            SitewatchError: a window cannot be read, or holds something else; `name` is the file that it speaks of.
        """
        for level in sorted({key[0] for key in self._held}):
            more: dict[str, Any] = {"overview_level": level - 1} if level else {}
            try:
                with open_quietly(path, driver="GTiff", **more) as dataset:
                    same = all(
                        _checksum(dataset.read(window=FileWindow(left, top, cols, rows))) == held
                        for (at, top, left, rows, cols), held in self._held.items()
                        if at == level
                    )
            except Exception as error:
                raise SitewatchError(f"{name} could not be written: it cannot be read back.") from error
            if not same:
                raise SitewatchError(f"{name} could not be written: what can be read back is not what was written.")


def _checksum(array: NDArray[Any]) -> int:
    values = np.ascontiguousarray(array)
    if values.dtype.kind == "f":  # one NaN is as good as another
        values = np.where(np.isnan(values), values.dtype.type(np.nan), values)
    return zlib.crc32(values.tobytes())
