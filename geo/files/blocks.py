"""Decoded blocks of compressed files, shared between threads while a pass with halos walks over them.

A tile with its halo touches nine blocks of a file, and every thread's handle unpacks them for itself: without this,
the main pass spends more time on unpacking the same bytes again than on everything else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

Stored = NDArray[Any]
_Key = tuple[object, ...]

KEPT_BYTES = 128 * 2**20
LARGEST_PX = 1024 * 1024
"""Larger blocks (strips, whole images) are left to GDAL, whose own cache grows for them; see `opening`."""


class _Store:
    """The latest blocks, up to a number of bytes; a block is decoded once, by the thread that asks first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()
        self._blocks: OrderedDict[_Key, Future[Stored]] = OrderedDict()

    def get(self, key: _Key, decode: Callable[[], Stored]) -> Stored:
        """Return the block, read-only; wait for it where another thread is at it."""
        with self._lock:
            known = self._blocks.get(key)
            future: Future[Stored] = Future() if known is None else known
            self._blocks[key] = future
            self._blocks.move_to_end(key)
        if known is not None:
            return future.result()
        try:
            block = decode()
        except BaseException as error:
            with self._lock:
                self._blocks.pop(key, None)
            future.set_exception(error)
            raise
        block.flags.writeable = False
        with self._lock:
            self._held += block.nbytes
            future.set_result(block)
            for old in [k for k, other in self._blocks.items() if other.done() and k != key]:
                if self._held <= self._most:
                    break
                self._held -= self._blocks.pop(old).result().nbytes
        return block


class _Current:
    """The store in use, if any, and how many passes use it."""

    store: _Store | None = None
    users = 0
    lock = threading.Lock()


@contextmanager
def kept(most: int = KEPT_BYTES) -> Iterator[None]:
    """Keep decoded blocks, `most` bytes of them, until the `with` ends; they serve every thread of this process."""
    with _Current.lock:
        _Current.store = _Current.store or _Store(most)
        _Current.users += 1
    try:
        yield
    finally:
        with _Current.lock:
            _Current.users -= 1
            if not _Current.users:
                _Current.store = None


def stripe_px(bands: int, *, dates: int = 2, block_px: int = 512) -> int:
    """Width of a stripe that, walked downwards tile by tile, finds every block but those at its edges still kept.

    Three rows of blocks are in use at once; two bytes a pixel and band, as most imagery has.
    """
    column = dates * 3 * block_px * block_px * bands * 2
    return block_px * int(np.clip(KEPT_BYTES // column - 2, 2, 16))


def read(dataset: Any, path: Path, indexes: Sequence[int], window: FileWindow) -> Stored:
    """Read (band, row, col) of a window as stored; through the kept blocks where there are any.

    Args:
        dataset: this thread's open dataset of `path`.
        path: the file.
        indexes: 1-based band numbers.
        window: not empty, inside the image.
    """
    store = _Current.store
    size = dataset.block_shapes[indexes[0] - 1]
    rows = slice(window.row_off, window.row_off + window.height)
    cols = slice(window.col_off, window.col_off + window.width)
    if (
        store is None
        or size[0] * size[1] > LARGEST_PX
        or dataset.compression is None
        or (_whole(rows, size[0], dataset.height) and _whole(cols, size[1], dataset.width))
    ):
        return np.asarray(dataset.read(list(indexes), window=window))
    status = path.stat()
    file = (str(path), status.st_ino, status.st_size, status.st_mtime_ns, tuple(indexes))
    out: Stored | None = None
    for top, left in product(_starts(rows, size[0]), _starts(cols, size[1])):
        place = FileWindow(left, top, min(size[1], dataset.width - left), min(size[0], dataset.height - top))
        block = store.get((*file, top, left), partial(dataset.read, list(indexes), window=place))
        if out is None:
            out = np.empty((len(indexes), window.height, window.width), block.dtype)
        (to_rows, from_rows), (to_cols, from_cols) = _shared(rows, top, size[0]), _shared(cols, left, size[1])
        out[:, to_rows, to_cols] = block[:, from_rows, from_cols]
    if out is None:
        raise ValueError("an empty window cannot be read")
    return out


def _whole(part: slice, size: int, length: int) -> bool:
    """True if a range covers whole blocks only: there is nothing to share with its neighbours."""
    return bool(part.start % size == 0 and (part.stop % size == 0 or part.stop == length))


def _starts(part: slice, size: int) -> range:
    return range(part.start // size * size, part.stop, size)


def _shared(part: slice, start: int, size: int) -> tuple[slice, slice]:
    """Where a block and a range overlap: in the range's own count, and in the block's."""
    first, last = max(part.start, start), min(part.stop, start + size)
    return slice(first - part.start, last - part.start), slice(first - start, last - start)
