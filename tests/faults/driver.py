"""Run a small scan again and again in forked children, each stopped or failed at another of its writes to the disk.

Usage: python driver.py WORKSPACE MODE FIRST STEP; MODE is `kill`, or the name of an errno such as ENOSPC. For every
n = FIRST, FIRST + STEP, ... until a run comes to its end undisturbed: a fresh copy of the workspace, a run that is
disturbed at its n-th write, then a clean one. A JSON line for each tells what came of it; the first tells the tree of
a run that nobody disturbed.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from geo.files.environment import harden

harden(os.environ)

import pipelines.pair_scan  # noqa: E402
import pipelines.scan_command  # noqa: E402
import pipelines.series_scan  # noqa: E402
import pipelines.verify  # noqa: F401, E402 - loaded once, before the first fork
from pipelines.cli import run  # noqa: E402
from pipelines.ledger import Ledger, _Transaction  # noqa: E402

NOW = "2022-05-01T00:00:00Z"
# What changes the disk, or makes a change last; a write of data shows at the latest in the fsync after it.
NAMES = ("replace", "rename", "fsync", "mkdir", "unlink", "remove", "rmdir", "ftruncate", "pwrite", "chmod")


def disturb(at: int, strike: Callable[[], None], *, database: bool) -> list[int]:
    """From now on do `strike` before the `at`-th call that changes the disk; return the counter.

    The database writes by itself: with `database` its transactions count, too, as they begin and as they are committed.
    """
    count = [0]

    def wrap(holder: object, name: str) -> None:
        function = getattr(holder, name)

        def call(*args, **words):  # type: ignore[no-untyped-def]
            count[0] += 1
            if count[0] == at:
                strike()
            return function(*args, **words)

        setattr(holder, name, call)

    for name in NAMES:
        wrap(os, name)
    if database:
        wrap(_Transaction, "__enter__")
        wrap(_Transaction, "__exit__")
    return count


def die() -> None:
    """As kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(name: str) -> Callable[[], None]:
    """A strike that fails with an errno, such as ENOSPC."""

    def strike() -> None:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    return strike


def scan(workspace: Path) -> tuple[int, str, str]:
    """One scan in this process, and what it said."""
    out, err = io.StringIO(), io.StringIO()
    images = workspace / "images"
    method = ["--pair"] if len(list(images.iterdir())) == 2 else []
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["--now", NOW, "-w", str(workspace), "scan", "wood", "--source", str(images), *method])
    return code, out.getvalue(), err.getvalue()


def in_child(work) -> tuple[int, dict]:  # type: ignore[no-untyped-def,type-arg]
    """Do something in a forked child; its wait status, and what it returned as JSON (empty where it died)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, json.dumps(work()).encode())
        os._exit(0)
    os.close(writing)
    told = b""
    while piece := os.read(reading, 65536):
        told += piece
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return status, json.loads(told) if told else {}


def tree(outputs: Path) -> dict[str, str]:
    """What must come out the same: every file of archive, runs and log by its checksum, and the ledger's rows."""
    found = {
        str(path.relative_to(outputs)): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("archive", "runs", "review", "chain.log")
        for path in ([outputs / name] if (outputs / name).is_file() else sorted((outputs / name).rglob("*")))
        if path.is_file()
    }
    with Ledger(outputs / "sitewatch.db") as ledger:
        found["ledger"] = str([(o.scene, o.state, o.run) for o in ledger.observations("wood")])
        found["ledger, ending"] = str([ending.state for ending in ledger.endings().values()])
        found["ledger, alerts"] = str([(a.run, a.sentence) for a in ledger.alerts()])
    return found


def struck(workspace: Path, at: int, strike: Callable[[], None], *, database: bool) -> tuple[int, dict]:  # type: ignore[type-arg]
    """One run that is disturbed."""

    def work() -> dict:  # type: ignore[type-arg]
        count = disturb(at, strike, database=database)
        code, out, err = scan(workspace)
        return {"code": code, "out": out, "err": err, "count": count[0],
                "tree": tree(workspace / "outputs") if code == 0 else {}}  # fmt: skip

    return in_child(work)


def mended(workspace: Path) -> dict:  # type: ignore[type-arg]
    """One clean run after it, and how all stands then."""

    def work() -> dict:  # type: ignore[type-arg]
        code, _, err = scan(workspace)
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            checked = run(["-w", str(workspace), "verify"])
        left = [str(p) for p in (workspace / "outputs").rglob("*") if ".partial" in p.name]
        return {"code": code, "err": err, "verify": checked, "told": out.getvalue(), "left": left,
                "tree": tree(workspace / "outputs")}  # fmt: skip

    return in_child(work)[1]


def compared(told: dict, whole: dict) -> dict:  # type: ignore[type-arg]
    """What was told of a point, with its trees held against that of an undisturbed run."""
    then, now, early = whole["tree"], told["second"].pop("tree", {}), told["first"].pop("tree", {})
    told["false success"] = bool(early) and any(early.get(name) != digest for name, digest in then.items())
    told["differs"] = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    return told


def main(workspace: Path, mode: str, first: int, step: int) -> None:
    """Print a line a point."""
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean"
        shutil.copytree(workspace, clean)
        _, whole = in_child(lambda: {"code": scan(clean)[0], "tree": tree(clean / "outputs")})
        print(json.dumps(whole), flush=True)
        at = first
        while True:
            place = Path(folder) / "w"
            shutil.copytree(workspace, place)
            strike = die if mode == "kill" else fail(mode)
            status, one = struck(place, at, strike, database=mode == "kill")
            told = {"n": at, "killed": os.WIFSIGNALED(status), "first": one, "second": mended(place)}
            compared(told, whole)
            print(json.dumps(told), flush=True)
            shutil.rmtree(place)
            if not told["killed"] and told["first"].get("count", 0) < at:
                return
            at += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
