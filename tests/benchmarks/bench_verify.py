"""How fast `verify` proves a workspace, against the floor: `python -m tests.benchmarks.bench_verify [--mib 2000]`.

The floor is coreutils' `sha256sum` over the same files, one after the other, in the same run; both from warm caches.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from geo.archive import keep
from geo.files.environment import harden
from geo.scene import Provenance, Scene

ROOT = Path(__file__).parent.parent.parent
SCENE_MIB = 64


def fill(outputs: Path, mib: int) -> list[Path]:
    """Keep scenes of noise in an archive, as a fetch does."""
    day = datetime(2020, 1, 1, tzinfo=UTC)
    image = outputs.parent / "received.tif"
    for number in range(max(1, mib // SCENE_MIB)):
        image.write_bytes(os.urandom(SCENE_MIB << 20))
        scene = Scene(id=f"s{number}", time=day, sensor="sentinel-2-l2a", href=image.name)
        keep(outputs / "archive", "centre", scene, Provenance(provider="folder", request={}, received=day), image)
    image.unlink()
    return [path for path in outputs.rglob("*") if path.is_file()]


def seconds_of(words: list[str]) -> float:
    """Wall seconds of a process that ends well."""
    begin = time.perf_counter()
    subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    harden(os.environ)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2000)
    with tempfile.TemporaryDirectory() as folder:
        files = fill(Path(folder) / "outputs", parser.parse_args().mib)
        size = sum(path.stat().st_size for path in files) / 1e6
        for _ in range(3):
            ours = seconds_of([sys.executable, "-m", "pipelines", "verify", folder])
            floor = seconds_of(["sha256sum", *map(str, files)])
            print(f"verify {size:.0f} MB: {ours:.2f} s, {size / ours:.0f} MB/s, {ours / floor:.2f} x sha256sum")
