"""Cut the power of a small scan again and again: only what had reached the disk is there afterwards.

Usage: python power.py WORKSPACE FIRST STEP, as root. The workspace lies on an ext4 file system in a file, mounted
through a loop device so that it writes its journal only when asked to (fsync), never by its clock. At its n-th write
the scan copies that file, as the disk would be found, and dies. The copy is mounted (its journal is replayed), and one
clean run must bring all right. The last point is cut right after a run that ended with success: all must be there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.driver import compared, die, in_child, mended, scan, struck, tree

SIZE_MIB = 64


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The file system in a file, at a place."""
    subprocess.run(["mount", "-o", "loop,commit=300,noatime", str(image), str(place)], check=True)
    try:
        yield place / "w"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def copied(image: Path, name: str) -> Path:
    """A copy of the file as it is now, without holes written out."""
    other = image.with_name(name)
    subprocess.run(["cp", "--sparse=always", str(image), str(other)], check=True)
    return other


def main(workspace: Path, first: int, step: int) -> None:
    """Print a line a point; the first tells the tree of a run that nobody disturbed."""
    with tempfile.TemporaryDirectory() as folder:
        place, base = Path(folder) / "disk", Path(folder) / "base.img"
        place.mkdir()
        with base.open("wb") as file:
            file.truncate(SIZE_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "nodiscard", str(base)], check=True)
        with mounted(base, place) as inside:
            shutil.copytree(workspace, inside)
        with mounted(copied(base, "clean.img"), place) as inside:
            _, whole = in_child(lambda: {"code": scan(inside)[0], "tree": tree(inside / "outputs")})
        print(json.dumps(whole), flush=True)
        at = first
        while True:
            live = copied(base, "live.img")

            def cut(live: Path = live) -> None:
                copied(live, "cut.img")
                die()

            with mounted(live, place) as inside:
                status, one = struck(inside, at, cut, database=True)
                if not os.WIFSIGNALED(status):
                    copied(live, "cut.img")
            told = {"n": at, "killed": os.WIFSIGNALED(status), "first": one}
            with mounted(live.with_name("cut.img"), place) as inside:
                told["left"] = in_child(lambda: tree(inside / "outputs"))[1] if one else {}
                told["second"] = mended(inside)
            lost = [name for name, digest in one.get("tree", {}).items() if told["left"].get(name) != digest]
            compared(told, whole)["left"] = lost
            print(json.dumps(told), flush=True)
            if not told["killed"] and one.get("count", 0) < at:
                return
            at += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
