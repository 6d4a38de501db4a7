"""Files and folders that appear whole or not at all, and stay after a power cut.

Written under a temporary name in the same folder, flushed to the disk, renamed, and the folder flushed too: without
the last step an acknowledged file can be gone after a power cut.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geo.errors import ConfigurationError, NoSpaceError, SitewatchError

PARTIAL = ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG)
_FULL_BYTES = 64 * 1024


@contextmanager
def atomic_path(final: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `final`; on success it becomes `final`, on any failure nothing stays.

    The temporary name keeps the suffix, since drivers look at it: `change.tif` is built as `.change.partial.tif`.

    Raises:
        NoSpaceError: the disk is full; ConfigurationError: the folder cannot be written.
    """
    target = Path(final)
    temporary = target.with_name(f".{target.stem}{PARTIAL}{target.suffix}")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            sync_file(temporary)
            os.replace(temporary, target)  # noqa: PTH105 - the documented atomic call
            sync_folder(target.parent)
        finally:
            # GDAL puts its own temporary files beside it (.ovr.tmp), named after it.
            for left in target.parent.glob(f"{glob.escape(temporary.name)}*"):
                left.unlink(missing_ok=True)


@contextmanager
def atomic_folder(final: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder beside `final`; on success it becomes `final`, on any failure nothing stays.

    Raises:
        ConfigurationError: `final` exists already, or its parent cannot be written; NoSpaceError: the disk is full.
    """
    target = Path(final)
    temporary = target.with_name(f".{target.name}{PARTIAL}")
    with writing(target):
        if target.exists() and any(target.iterdir()):
            raise ConfigurationError(f"{target} exists already and is never overwritten; choose another name.")
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        temporary.mkdir()
        try:
            yield temporary
            sync_tree(temporary)
            os.replace(temporary, target)  # noqa: PTH105
            sync_folder(target.parent)
        finally:
            _remove(temporary)


@contextmanager
def writing(final: Path) -> Iterator[None]:
    """Turn the failures of writing `final` into errors that a person can act on."""
    try:
        yield
    except SitewatchError:
        raise
    except OSError as error:
        if error.errno in _FULL or _is_full(final):
            raise NoSpaceError(f"There is no space left to write {final}; free some and run again.") from error
        if error.errno in _REFUSED:
            raise ConfigurationError(f"{final} cannot be written ({error.strerror}); check the folder.") from error
        raise SitewatchError(f"{final} could not be written ({error.strerror or error}).") from error
    except Exception as error:
        # GDAL's own exceptions carry no error number; a full disk is told by looking at it.
        if _is_full(final):
            raise NoSpaceError(f"There is no space left to write {final}; free some and run again.") from error
        raise


def sweep(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Remove what killed runs left half-made directly in `folder`; return what was removed."""
    root = Path(folder)
    if not root.is_dir():
        return ()
    left = tuple(sorted(p for p in root.iterdir() if p.name.startswith(".") and PARTIAL in p.name))
    for path in left:
        _remove(path)
    return left


def require_space(folder: str | os.PathLike[str], needed_bytes: int) -> None:
    """Refuse to start where `folder` (or its nearest existing parent) has less than `needed_bytes` free.

    Raises:
        NoSpaceError: with both figures.
    """
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed_bytes:
        raise NoSpaceError(
            f"{folder} has {free / 2**20:,.0f} MiB free, but about {needed_bytes / 2**20:,.0f} MiB are needed."
        )


def _is_full(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free < _FULL_BYTES


def sync_file(path: Path) -> None:
    """Flush one file to the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Flush a folder's list of names to the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder`, and itself."""
    for here, _, files in os.walk(folder):
        for name in files:
            path = Path(here, name)
            if not path.is_symlink():
                sync_file(path)
        sync_folder(Path(here))


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
