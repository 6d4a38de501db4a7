"""One run at a time on a site: a kernel lock that dies with its process, and a note for people on who holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from geo.errors import ConfigurationError, LockedError


@contextmanager
def held(outputs: Path, name: str, *, now: datetime) -> Iterator[None]:
    """Hold the lock of a site (or of anything with a name) for the time of the block.

    The lock is flock(2): the kernel frees it when the process ends, however it ends, so none is ever stale and the
    file that stays behind means nothing. Threads do not inherit it across a fork's exec.

    Raises:
        LockedError: at once, naming the holder, where another run holds it.
        ConfigurationError: the folder cannot be written.
    """
    folder = outputs / "locks"
    path = folder / f"{name}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        raise LockedError(f"Another run works on {name} ({_holder(path)}); this one did nothing.") from None
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written ({error.strerror}); check the folder.") from error
    try:
        with suppress(OSError):  # the note is for people; the lock holds without it
            _note(path).write_text(f"process {os.getpid()}, since {now:%Y-%m-%d %H:%M:%S} UTC\n", encoding="ascii")
        yield
    finally:
        with suppress(OSError):
            _note(path).unlink(missing_ok=True)
        lock.release()


def _note(lock: Path) -> Path:
    return lock.with_suffix(".holder")


def _holder(lock: Path) -> str:
    try:
        return _note(lock).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "it does not say who it is"
