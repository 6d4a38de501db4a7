"""Let the n-th system call that changes the disk fail, or be the last, wherever it is made: GDAL's and SQLite's, too.

Usage: python syscalls.py WORKSPACE FAULT STEP FIRST; FAULT is `kill` or the name of an errno such as ENOSPC. Every
STEP-th call of each kind is tried in a run of its own under `strace`; then one clean run must bring all right. A JSON
line for each tells what came of it; the first tells the tree of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from faults.driver import NOW, compared, in_child, mended, tree

CALLS = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "mkdir", "unlink", "link")


def command(workspace: Path) -> list[str]:
    """A scan as cron would start it."""
    return [
        sys.executable, "-m", "pipelines", "--now", NOW, "-w", str(workspace), "scan", "wood", "--source",
        str(workspace / "images"), "--pair",
    ]  # fmt: skip


def traced(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The scan under strace."""
    return subprocess.run(
        ["strace", "-f", "-qq", *words, *command(workspace)], capture_output=True, text=True, timeout=300, check=False
    )


def counted(workspace: Path, folder: Path) -> Counter[str]:
    """How often an undisturbed run makes each call."""
    log = folder / "calls"
    traced(workspace, "-o", str(log), "-e", f"trace={','.join(CALLS)}")
    return Counter(line.split(None, 1)[1].split("(")[0] for line in log.read_text().splitlines() if "(" in line)


def main(workspace: Path, fault: str, step: int, first: int) -> None:
    """Print a line a point."""
    with tempfile.TemporaryDirectory() as name:
        folder, place = Path(name), Path(name) / "w"
        shutil.copytree(workspace, place)
        calls = counted(place, folder)
        _, whole = in_child(lambda: {"code": 0, "tree": tree(place / "outputs")})
        print(json.dumps(whole), flush=True)
        what = "signal=KILL" if fault == "kill" else f"error={fault}"
        for call in CALLS:
            for at in range(first, calls[call] + 1, step):
                shutil.rmtree(place)
                shutil.copytree(workspace, place)
                ended = traced(place, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={at}")
                early = in_child(lambda: tree(place / "outputs"))[1] if ended.returncode == 0 else {}
                one = {"code": ended.returncode, "err": ended.stderr, "tree": early}
                told = {"call": call, "n": at, "first": one, "second": mended(place)}
                print(json.dumps(compared(told, whole)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
