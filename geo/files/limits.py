"""What is refused before a pixel is read: names that are no local file, headers that promise too much."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from geo.errors import InputError

MAX_PIXELS = 40_000 * 40_000
MAX_BANDS = 64
MAX_BLOCK_BYTES = 512 * 2**20
# A file that unpacks to this much more than its size holds nothing but one repeated value, or means harm.
BOMB_BYTES = 512 * 2**20
BOMB_RATIO = 500
DTYPES = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"})

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def local_file(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an existing regular file, or refuse it.

    An absolute path of a regular file cannot be taken for a URL, for XML, or for a driver's own syntax
    (`GTIFF_DIR:2:x`, `MEM:::`), all of which GDAL accepts as file names.

    Raises:
        InputError: the path is an address, a virtual file, a folder, a device, missing, or may not be read.
    """
    text = os.fspath(path)
    shown = _shown(text)
    if "\0" in text or text.lstrip().startswith("<"):
        raise InputError(f"{shown} is not a file name; give the path of an image file.")
    absolute = Path(os.path.abspath(text))  # noqa: PTH100 - keeps symbolic links as they are
    if text.startswith("/vsi") or str(absolute).startswith("/vsi"):
        raise InputError(f"{shown} is a virtual path of GDAL; give the path of a local file.")
    try:
        mode = absolute.stat().st_mode
    except FileNotFoundError:
        if _SCHEME.match(text):
            raise InputError(f"{shown} is an address, not a local file; download it first.") from None
        raise InputError(f"{shown} does not exist; check the path.") from None
    except OSError as error:
        raise InputError(f"{shown} cannot be reached ({error.strerror}); check the path and its permissions.") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{shown} is a folder; name an image file in it.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{shown} is not a regular file (a pipe, socket or device); copy it to a file first.")
    if absolute.stat().st_size == 0:
        raise InputError(f"{shown} is empty; fetch it again.")
    if not os.access(absolute, os.R_OK):
        raise InputError(f"{shown} may not be read; change its permissions.")
    return absolute


def sidecars(path: Path) -> tuple[str, ...]:
    """Names of the files beside an image that other programs would let change it (we do not)."""
    beside = [path.with_name(path.name + end) for end in (".aux.xml", ".msk", ".ovr")]
    beside += [path.with_suffix(end) for end in (".tfw", ".pgw", ".jgw", ".j2w", ".wld", ".prj")]
    return tuple(sorted({p.name for p in beside if p.is_file()}))


def check_header(dataset: Any, shown: str, size_bytes: int) -> None:
    """Refuse an open rasterio dataset whose header declares more than an image can be.

    Raises:
        InputError: too many pixels or bands, a type without order (complex), blocks too large to read one by one,
            or far more bytes than the file can hold.
    """
    rows, cols, count = dataset.height, dataset.width, dataset.count
    if rows * cols > MAX_PIXELS:
        raise InputError(f"{shown} declares {cols} x {rows} pixels; the limit is {MAX_PIXELS:,}. Cut it into parts.")
    if count < 1 or count > MAX_BANDS:
        raise InputError(f"{shown} declares {count} bands; 1 to {MAX_BANDS} can be used. Extract those you need.")
    odd = sorted(set(dataset.dtypes) - DTYPES)
    if odd:
        raise InputError(f"{shown} holds {odd[0]} numbers; convert it to real numbers (for radar: intensity).")
    width = max(_itemsize(dtype) for dtype in dataset.dtypes)
    declared = rows * cols * count * width
    if declared > BOMB_BYTES and declared > BOMB_RATIO * size_bytes:
        raise InputError(
            f"{shown} declares {declared / 2**20:,.0f} MiB of pixels in a file of {size_bytes / 2**20:,.1f} MiB; "
            "it is empty or damaged. Fetch it again."
        )
    together = count if dataset.interleaving is not None and dataset.interleaving.value == "PIXEL" else 1
    block = max(height * cols_ for height, cols_ in dataset.block_shapes) * width * together
    if block > MAX_BLOCK_BYTES:
        raise InputError(f"{shown} keeps {block / 2**20:,.0f} MiB in one block; rewrite it in tiles (gdal_translate).")


def _itemsize(dtype: str) -> int:
    return int(re.sub(r"\D", "", dtype)) // 8


def _shown(text: str) -> str:
    """The name as a person may read it: one line, not endless."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 200 else clean[:197] + "..."
