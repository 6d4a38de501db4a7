"""A remote file as a file object that GDAL reads, fetching only the ranges asked for.

GDAL's own network layer follows redirects, guesses retries and tells failures apart by text. Here every byte passes
one polite client: allowed hosts only, bounded in time and size, and the same version of the file from first to last.
"""

from __future__ import annotations

import io
import itertools
import threading
from collections import OrderedDict
from typing import Any, Protocol

from rasterio.abc import FileContainer

from geo.errors import InputError, SitewatchError, TemporaryError
from geo.providers.web import Answer

CHUNK = 32 * 1024
"""Small reads (headers, tile offsets) are rounded to this and kept; tiles are fetched as they are."""
MAX_READ = 64 * 2**20
MAX_TOTAL = 256 * 2**20
KEPT_CHUNKS = 64
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


_NUMBERS = itertools.count()


class Ranges(Protocol):
    """Fetches one range of one file: (bytes, facts), where facts hold `size_bytes` and, if stated, `etag`, ..."""

    def __call__(self, start: int, stop: int) -> tuple[bytes, dict[str, object]]:
        """Return bytes `start` up to `stop` or, at the end of the file, fewer."""
        ...


class Opener(FileContainer):  # type: ignore[misc]
    """Lets rasterio open one remote file, and nothing that lies beside it.

    Attributes:
        path: a name that no other opener of this process has.
    """

    def __init__(self, file: RemoteFile) -> None:
        """Hold the file."""
        self._file, self.path = file, f"remote-{next(_NUMBERS)}.tif"

    def isdir(self, path: str) -> bool:  # noqa: ARG002
        """False."""
        return False

    def isfile(self, path: str) -> bool:
        """True for our own file only."""
        return path.endswith(self.path)

    def ls(self, path: str) -> list[str]:  # noqa: ARG002
        """Nothing."""
        return []

    def mtime(self, path: str) -> int:  # noqa: ARG002
        """Not told."""
        return 0

    def size(self, path: str) -> int:  # noqa: ARG002
        """Of the file."""
        return self._file.size

    def rm(self, path: str) -> None:
        """Never."""
        raise OSError(f"{path} is read only")

    def open(self, path: str, mode: str = "r", **words: Any) -> RemoteFile:  # noqa: ARG002
        """Give the file, at its start."""
        if not self.isfile(path):
            raise FileNotFoundError(path)
        self._file.seek(0)
        return self._file


class RemoteFile(io.RawIOBase):
    """A seekable, read-only file over ranges; the first exception of a read is kept, for GDAL swallows it.

    Attributes:
        facts: what the service said of the file: size_bytes, etag, last_modified.
        fetched_bytes: that went over the network.
        fault: what the last failed read raised.
    """

    def __init__(self, name: str, ranges: Ranges) -> None:
        """Fetch the first bytes.

        Raises:
            InputError: it is no TIFF; TemporaryError: the service is down or sends a page instead of the file.
        """
        self.name_shown, self._ranges, self._at = name, ranges, 0
        self._chunks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.facts: dict[str, object] = {}
        self.fetched_bytes = 0
        self.fault: SitewatchError | None = None
        self.size = MAX_TOTAL * 1024
        start = self._chunk(0)
        stated = self.facts.get("size_bytes")
        self.size = stated if isinstance(stated, int) else len(start)
        if start.lstrip()[:1] in (b"<", b"{") or not start:
            raise TemporaryError(f"{name}: the service sent a page instead of an image; the next run asks again.")
        if not start.startswith(_TIFF):
            raise InputError(f"{name} is not a GeoTIFF, whatever the catalogue says.")

    def close(self) -> None:
        """Stay open: GDAL opens and closes it several times."""

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read starts."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes; nothing once a read has failed."""
        stop = self.size if size is None or size < 0 else self._at + size
        if self._at > 0 and stop > self.size:
            # GDAL looks at the first bytes of any file, but beyond the end only where the end is missing; it may take
            # what it does not get for zeros.
            self.fault = self.fault or InputError(f"{self.name_shown} is truncated; the service must send it again.")
        stop = min(stop, self.size)
        if self.fault is not None or stop <= self._at:
            return b""
        try:
            with self._lock:
                data = self._between(self._at, stop)
        except SitewatchError as error:
            self.fault = error
            return b""
        self._at += len(data)
        return data

    def _between(self, start: int, stop: int) -> bytes:
        if stop - start > MAX_READ:
            raise InputError(f"{self.name_shown} keeps more than {MAX_READ // 2**20} MiB in one block.")
        first, last = start // CHUNK, (stop - 1) // CHUNK
        if last - first > 1 and not all(n in self._chunks for n in range(first, last + 1)):
            return self._fetch(start, stop)
        whole = b"".join(self._chunk(n) for n in range(first, last + 1))
        return whole[start - first * CHUNK : stop - first * CHUNK]

    def _chunk(self, number: int) -> bytes:
        if number not in self._chunks:
            self._chunks[number] = self._fetch(number * CHUNK, min((number + 1) * CHUNK, self.size))
            while len(self._chunks) > KEPT_CHUNKS:
                self._chunks.popitem(last=False)
        self._chunks.move_to_end(number)
        return self._chunks[number]

    def _fetch(self, start: int, stop: int) -> bytes:
        data, facts = self._ranges(start, stop)
        if self.facts and any(facts.get(key) != value for key, value in self.facts.items()):
            raise TemporaryError(f"{self.name_shown} was replaced while it was read; run again.")
        self.facts = self.facts or facts
        self.fetched_bytes += len(data)
        if self.fetched_bytes > MAX_TOTAL:
            raise InputError(f"{self.name_shown} asks for more than {MAX_TOTAL // 2**20} MiB to be read for one site.")
        return data


def body_of_range(answer: Answer, name: str, start: int, stop: int) -> tuple[bytes, dict[str, object]]:
    """The bytes of an answer to a range request, and what it says of the file.

    Raises:
        InputError: the file is gone; TemporaryError: it may not be read now, or ranges are not served.
    """
    if answer.status in (404, 410):
        raise InputError(f"{name} is gone from the service (status {answer.status}).")
    if answer.status in (401, 403):
        raise TemporaryError(f"{name} may not be read (status {answer.status}); its signature may have expired.")
    first, _, total = answer.headers.get("content-range", "").removeprefix("bytes ").partition("/")
    if answer.status != 206 or not total.isdigit() or not first.startswith(f"{start}-"):
        if answer.body.lstrip()[:1] == b"<":
            raise TemporaryError(f"{name}: the service sent a page instead of an image; the next run asks again.")
        raise TemporaryError(f"{name}: the service does not serve parts of files, as it must.")
    if len(answer.body) != min(stop, int(total)) - start:
        raise TemporaryError(f"{name}: another part came than was asked for; the next run asks again.")
    facts: dict[str, object] = {"size_bytes": int(total)}
    facts |= {key.replace("-", "_"): answer.headers[key] for key in ("etag", "last-modified") if key in answer.headers}
    return answer.body, facts
