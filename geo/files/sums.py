"""Checksums of files and folders, in the format that `sha256sum -c SHA256SUMS` checks."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from geo.errors import IntegrityError
from geo.files.atomic import atomic_path

SUMS = "SHA256SUMS"
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")


class Check(NamedTuple):
    """What is wrong with a folder; all empty means that it is exactly what its sums say."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    strangers: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not (self.changed or self.missing or self.strangers)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: str | os.PathLike[str], *, leave_out: Iterable[str] = ()) -> Path:
    """Write SHA256SUMS of every file below a folder but itself and those left out; return its path.

    Names are relative, with forward slashes, sorted by their bytes; unusual ones are escaped as coreutils does.

    Raises:
        IntegrityError: the folder holds a symbolic link or something that is no regular file.
    """
    root = Path(folder)
    skipped = {SUMS, *leave_out}
    files, odd = _listed(root)
    if odd:
        raise IntegrityError(f"{root.name} holds {odd[0]}, which is no regular file; remove it.")
    lines = [_line(name, sha256(root / name)) for name in files if name not in skipped]
    with atomic_path(root / SUMS) as temporary:
        temporary.write_bytes(b"".join(lines))
    return root / SUMS


def read_sums(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Read a folder's SHA256SUMS: name to checksum.

    Raises:
        IntegrityError: there is none, it is damaged, or it names a file outside the folder.
    """
    path = Path(folder) / SUMS
    try:
        text = os.fsdecode(path.read_bytes())
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read ({error.strerror}); the folder is not complete.") from None
    sums: dict[str, str] = {}
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line and number == len(lines):
            continue
        match = _LINE.fullmatch(line)
        name = _unescaped(match.group(3)) if match and match.group(1) else match.group(3) if match else ""
        if not match or name in sums or name.startswith("/") or ".." in Path(name).parts:
            raise IntegrityError(f"{path} is damaged in line {number}.")
        sums[name] = match.group(2)
    return sums


def check_folder(
    folder: str | os.PathLike[str], *, expected: Mapping[str, str] | None = None, leave_out: Iterable[str] = ()
) -> Check:
    """Compare a folder with its sums, closed on both sides: nothing changed, nothing missing, nothing added.

    Args:
        folder: the folder.
        expected: name to checksum; None reads SHA256SUMS.
        leave_out: names that may be there without a checksum (SHA256SUMS itself always may).

    Returns:
        What is wrong. A symbolic link, pipe or device is a stranger even under an expected name.

    Raises:
        IntegrityError: SHA256SUMS cannot be read.
    """
    root = Path(folder)
    sums = dict(read_sums(root) if expected is None else expected)
    files, odd = _listed(root)
    present = set(files)
    allowed = {SUMS, *leave_out}
    changed = [name for name in sums if name in present and sha256(root / name) != sums[name]]
    missing = [name for name in sums if name not in present]
    strangers = [name for name in files if name not in sums and name not in allowed]
    return Check(_sorted(changed), _sorted(missing), _sorted([*strangers, *odd]))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=os.fsencode))


def _listed(root: Path) -> tuple[list[str], list[str]]:
    """Regular files below a folder, and whatever else lies there, both relative and sorted by bytes."""
    files, odd = [], []
    for here, folders, names in os.walk(root):
        for name in [*names, *folders]:
            path = Path(here, name)
            relative = path.relative_to(root).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                odd.append(relative)
            elif path.is_file():
                files.append(relative)
    return list(_sorted(files)), list(_sorted(odd))


def _line(name: str, digest: str) -> bytes:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return os.fsencode(f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n")


def _unescaped(name: str) -> str:
    return re.sub(r"\\(n|r|\\)", lambda m: {"n": "\n", "r": "\r", "\\": "\\"}[m.group(1)], name)
