"""Opening rasters: four drivers, local files, one handle a thread, every failure an InputError.

A GDAL dataset shared between threads crashes or, worse, returns the pixels of another window. Handles live in
`threading.local`, at most a few a thread, and never pickle: workers get paths.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.env import get_gdal_config, set_gdal_config
from rasterio.errors import NotGeoreferencedWarning

from geo.errors import InputError, SitewatchError
from geo.files.deadline import deadline
from geo.files.environment import CACHE_MB, OPTIONS
from geo.files.limits import check_header, local_file

# A file's first bytes decide which one driver may look at it, whatever its name says.
SIGNATURES = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xffO\xffQ", "JP2OpenJPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
)
HANDLES_PER_THREAD = 8
READING = {name: value for name, value in OPTIONS.items() if name != "GDAL_CACHEMAX"}
# A row of tiles out of two images kept in strips must fit into GDAL's block cache, or each strip is unpacked again
# for every tile of the row: some twenty times slower. This is how far the cache may grow for that.
MAX_CACHE_BYTES = 384 * 2**20
ROW_OF_TILES_PX = 800

_Key = tuple[int, str, int, int, int]


class _Handles(threading.local):
    """Open datasets of one thread, least recently used first."""

    def __init__(self) -> None:
        self.open: OrderedDict[_Key, Any] = OrderedDict()


_HANDLES = _Handles()
_OPENING = threading.Lock()


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Give this thread's open dataset of a local raster; whatever fails inside becomes an InputError.

    The dataset stays open for the next read of this thread. A file that was replaced or changed is opened anew.

    Raises:
        InputError: the file cannot be opened or read; the message names it.
    """
    local = local_file(path)
    name = Path(path).name
    try:
        with deadline(name), rasterio.Env(**READING):
            yield _handle(local, name)
    except SitewatchError:
        raise
    except MemoryError:
        raise InputError(f"{name} asks for more memory than there is; cut it into parts.") from None
    except Exception as error:
        # GDAL's wrappers also raise UnicodeDecodeError, ValueError, ... on damaged files: none may pass.
        raise InputError(f"{name} cannot be read as an image (truncated or damaged?); fetch it again.") from error


def forget() -> None:
    """Close this thread's datasets, e.g. before a folder is removed."""
    while _HANDLES.open:
        _HANDLES.open.popitem()[1].close()


def _handle(local: Path, name: str) -> Any:
    status = local.stat()
    key = (os.getpid(), str(local), status.st_ino, status.st_size, status.st_mtime_ns)
    handles = _HANDLES.open
    if key in handles:
        handles.move_to_end(key)
        return handles[key]
    dataset = _open(local, name)
    try:
        check_header(dataset, name, status.st_size)
    except BaseException:
        dataset.close()
        raise
    handles[key] = dataset
    _cache_at_least(_wanted_cache(dataset))
    while len(handles) > HANDLES_PER_THREAD:
        handles.popitem(last=False)[1].close()
    return dataset


def _wanted_cache(dataset: Any) -> int:
    """Bytes that keep a row of tiles of two such images unpacked, if their blocks are strips."""
    height, width = dataset.block_shapes[0]
    if width < dataset.width or dataset.width <= height:
        return 0
    pixel: int = dataset.count * max(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
    rows: int = min(ROW_OF_TILES_PX, dataset.height)
    return min(MAX_CACHE_BYTES, 2 * rows * int(dataset.width) * pixel)


def _cache_at_least(wanted: int) -> None:
    """Let GDAL's block cache grow to `wanted` bytes, and keep it at what we allow at most in any case.

    The size belongs to the process. It is not set through `rasterio.Env`, which would shrink the cache after a read.
    """
    with _OPENING:
        held = get_gdal_config("GDAL_CACHEMAX")
        size = min(MAX_CACHE_BYTES, max(wanted, CACHE_MB * 2**20, held if held <= MAX_CACHE_BYTES else 0))
        if size != held:
            set_gdal_config("GDAL_CACHEMAX", size)


def _open(local: Path, name: str) -> Any:
    with local.open("rb") as file:
        start = file.read(16)
    driver = next((driver for signature, driver in SIGNATURES if start.startswith(signature)), None)
    if driver is None:
        raise InputError(f"{name} is not a GeoTIFF, JPEG 2000, PNG or JPEG image, whatever its name says.")
    try:
        return open_quietly(local, driver=driver)
    except Exception as error:
        raise InputError(f"{name} cannot be opened as an image (truncated or damaged?); fetch it again.") from error


def open_quietly(path: Path, mode: str = "r", **profile: Any) -> Any:
    """`rasterio.open` without the warning that a picture has no georeference; that is no fault here."""
    # Warning filters belong to the whole process: one thread at a time may change them.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, mode, **profile)
