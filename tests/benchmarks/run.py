"""Speed and memory of a pair, as ratios: `python -m tests.benchmarks.run [--size 4096] [--runs 3] [--folder DIR]`.

Each row is a whole process: wall and CPU seconds, peak memory, and the ratio to the I/O floor (decode both inputs
block by block and encode an output of the same kind, two threads) measured in the same round. Rounds take the rows in
turn, so that a machine whose speed drifts slows all of them alike; the ratio printed is the median over rounds. Peers
that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.workload import make_pair

ROOT = Path(__file__).parent.parent.parent
OTB_ENCODING = (
    "?&gdal:co:COMPRESS=DEFLATE&gdal:co:ZLEVEL=1&gdal:co:TILED=YES&gdal:co:BLOCKXSIZE=512&gdal:co:BLOCKYSIZE=512"
)


def commands(before: Path, after: Path, out: Path) -> dict[str, tuple[list[str], str]]:
    """Name -> (command, name of the row it is compared with)."""
    case = [sys.executable, "-m", "tests.benchmarks.cases"]
    pair = [str(before), str(after)]
    rows: dict[str, tuple[list[str], str]] = {
        "floor, one float band": ([*case, "floor1", *pair, str(out / "f1.tif")], "floor, one float band"),
        "CVA, sitewatch": ([*case, "cva", *pair, str(out / "cva.tif")], "floor, one float band"),
        "CVA, rasterio windows + threads": ([*case, "rasterio", *pair, str(out / "rio.tif")], "floor, one float band"),
        "IR-MAD, sitewatch (converged)": ([*case, "irmad", *pair, str(out / "mad.tif")], "floor, one float band"),
        "floor, outputs of compare": ([*case, "floor6", *pair, str(out / "f6.tif")], "floor, outputs of compare"),
        "compare, everything": (
            [sys.executable, "-m", "pipelines", "compare", *pair, "--out", str(out / "compare"), "--force"],
            "floor, outputs of compare",
        ),
    }
    if shutil.which("otbcli_BandMath"):
        terms = "+".join(f"(im1b{b}-im2b{b})^2" for b in range(1, 5))
        rows["CVA, Orfeo BandMath"] = (
            ["otbcli_BandMath", "-il", *pair, "-exp", f"sqrt({terms})", "-ram", "512", "-progress", "false",
             "-out", f"{out}/otb.tif{OTB_ENCODING}", "float"], "CVA, sitewatch")  # fmt: skip
        rows["MAD, Orfeo (one pass)"] = (
            ["otbcli_MultivariateAlterationDetector", "-in1", pair[0], "-in2", pair[1], "-ram", "512",
             "-progress", "false", "-out", f"{out}/otbmad.tif{OTB_ENCODING}", "float"],
            "IR-MAD, sitewatch (converged)")  # fmt: skip
    else:
        print("not installed, left out: Orfeo ToolBox (apt-get install otb-bin)")
    return rows


def measure(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory in MiB of one process."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    errors = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{errors}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print one row per program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="rows and columns; 10980 is a whole Sentinel-2 tile")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the images here between calls")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = words.folder or Path(scratch)
        before, after = make_pair(words.size, folder)
        out = Path(scratch) / "out"
        out.mkdir()
        rows = commands(before, after, out)
        rows = {n: r for n, r in rows.items() if words.only in n or n.startswith("floor")}
        taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in rows}
        for _ in range(words.runs):
            for name, (command, _) in rows.items():
                taken[name].append(measure(command))
    print(f"{words.size} x {words.size} x 4 uint16, {os.cpu_count()} cores, {words.runs} rounds, medians")
    print(f"{'':34s} {'wall s':>8s} {'CPU s':>8s} {'MiB':>6s}  ratio of wall (min-max)")
    for name, (_, base) in rows.items():
        wall, cpu, memory = (statistics.median(run[i] for run in taken[name]) for i in range(3))
        ratios = [run[0] / other[0] for run, other in zip(taken[name], taken[base], strict=True)]
        spread = f"{statistics.median(ratios):6.2f} ({min(ratios):.2f}-{max(ratios):.2f}) x {base}"
        print(f"{name:34s} {wall:8.2f} {cpu:8.2f} {memory:6.0f}  {spread if name != base else ''}", flush=True)


if __name__ == "__main__":
    main()
