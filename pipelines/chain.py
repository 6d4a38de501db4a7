"""outputs/chain.log: every finished run of every site in one order that nobody can change unnoticed.

One JSON line a run: a number, the site, the run, the SHA-256 of its manifest, when it was made, and the SHA-256 of the
line before. Lines are only ever added. Who keeps the last line elsewhere can prove all that stood before it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from geo.errors import IntegrityError, TemporaryError
from geo.files.atomic import sync_folder, writing
from geo.files.sums import sha256

NAME = "chain.log"
PATIENCE_S = 60.0
_KEYS = {"n", "site", "run", "manifest", "made", "before"}


@dataclass(frozen=True)
class Link:
    """One line. `text` is the line itself, without its end."""

    n: int
    site: str
    run: str
    manifest: str
    made: str
    before: str | None
    text: str

    @property
    def sha256(self) -> str:
        """What the next line says of this one."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_chain(outputs: Path) -> tuple[Link, ...]:
    """Read and check the log; empty where there is none. An unfinished last line (a power cut) is not part of it.

    Raises IntegrityError, naming the line, where it was altered.
    """
    path = outputs / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    links: list[Link] = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            text = line.decode()
            found = json.loads(text)
            if not isinstance(found, dict) or set(found) != _KEYS:
                raise ValueError("it has other keys")
            if json.dumps(found) != text:
                raise ValueError("it is not written as we write")
            link = Link(**found, text=text)
        except (ValueError, TypeError, RecursionError):
            raise IntegrityError(f"{path} is damaged in line {number}.") from None
        before = links[-1].sha256 if links else None
        if link.n != number or link.before != before:
            raise IntegrityError(f"{path} was altered at or before line {number}: it does not follow the line before.")
        links.append(link)
    return tuple(links)


def append_runs(outputs: Path, site_id: str) -> int:
    """Add every complete run of a site that the log does not name yet, oldest first; return how many.

    A run that was finished and not logged (a kill between the two) is caught up by the next.

    Raises TemporaryError where another run keeps the log for a minute, IntegrityError where it was altered.
    """
    with _held(outputs):
        links = list(read_chain(outputs))
        known = {link.run for link in links if link.site == site_id}
        added: list[Link] = []
        for folder in sorted((outputs / "runs" / site_id).glob("*/manifest.json")):
            run = folder.parent.name
            if run in known:
                continue
            last = (links + added)[-1] if links or added else None
            facts = {
                "n": len(links) + len(added) + 1, "site": site_id, "run": run, "manifest": sha256(folder),
                "made": made_at(folder), "before": None if last is None else last.sha256,
            }  # fmt: skip
            added.append(Link(**facts, text=json.dumps(facts)))  # type: ignore[arg-type]
        if added:
            _append(outputs / NAME, "".join(f"{link.text}\n" for link in added).encode())
        return len(added)


def made_at(manifest: Path) -> str:
    """When a run was made, as its manifest says; IntegrityError where that cannot be read."""
    try:
        return str(json.loads(manifest.read_bytes())["created"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise IntegrityError(f"{manifest} is damaged or not a manifest of sitewatch.") from None


def _append(path: Path, data: bytes) -> None:
    """Add whole lines; what a power cut left of an unfinished one is cut off first."""
    is_new = not path.exists()
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            held = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            end = held.rfind(b"\n") + 1
            if end != len(held):
                os.ftruncate(descriptor, end)
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], end + written)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(path.parent)


@contextmanager
def _held(outputs: Path) -> Iterator[None]:
    folder = outputs / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "_chain.lock", timeout=PATIENCE_S):
            yield
    except Timeout:
        raise TemporaryError(f"{outputs / NAME} is kept by another run; the next run adds to it.") from None
