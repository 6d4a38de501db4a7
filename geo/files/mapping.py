"""Arrays on disk, larger than memory may be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def mapped(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap[Any, Any]:
    """A new .npy file of zeros, open for reading and writing as an array; its room on the disk is taken at once.

    A write to a mapping for which the disk has no room left kills the process: there is no other way to say so.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    held = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return held
