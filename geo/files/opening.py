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

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from geo.errors import InputError, SitewatchError
from geo.files.environment import OPTIONS
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
        with rasterio.Env(**OPTIONS):
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
    while len(handles) > HANDLES_PER_THREAD:
        handles.popitem(last=False)[1].close()
    return dataset


def _open(local: Path, name: str) -> Any:
    with local.open("rb") as file:
        start = file.read(16)
    driver = next((driver for signature, driver in SIGNATURES if start.startswith(signature)), None)
    if driver is None:
        raise InputError(f"{name} is not a GeoTIFF, JPEG 2000, PNG or JPEG image, whatever its name says.")
    try:
        # Warning filters belong to the whole process: one thread at a time may change them.
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(local, driver=driver)
    except Exception as error:
        raise InputError(f"{name} cannot be opened as an image (truncated or damaged?); fetch it again.") from error
