"""Series monitor: speed, memory, and peers on the same stack.

`python -m tests.benchmarks.bench_series [--size 512] [--curve] [--peers PYTHON] [--pixels FOLDER]`

PYTHON is an interpreter with nrt and pyxccd (pip install nrt==0.3.0 pyxccd); without it peers are left out and named.
FOLDER holds the single-pixel series. Settings are the defaults on both sides; the stack is made after they are fixed.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from scipy import ndimage

from geo.grid import Grid, Window
from geo.kernels.series import Reference, SeriesSettings, fit_reference, monitor
from geo.tiles import map_tiles

RULES = SeriesSettings()
PEERS = Path(__file__).with_name("series_peers.py")
HISTORY_DAYS = 730
LATTICE = 8


@dataclass(frozen=True)
class Cube:
    """A cube as a pixel source: the time axis is kept."""

    cube: np.ndarray
    grid: Grid

    def read(self, window: Window) -> np.ndarray:
        return self.cube[..., window[0], window[1]]


def make_stack(size: int, bands: int, times: int = 60, seed: int = 7):
    """(cube, days, break day or 0): five years, smooth season, cloud, 60 breaks per 512 x 512."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(np.arange(5 * 365), times, replace=False)).astype(float) + 17_897

    def smooth(width: float) -> np.ndarray:
        small = rng.standard_normal((int(size / width) + 3,) * 2)
        return ndimage.zoom(small, size / (small.shape[0] - 2), order=1)[:size, :size].astype(np.float32)

    truth = np.zeros((size, size), np.int32)
    for _ in range(60 * size * size // 512**2):
        row, col, height, width = *rng.integers(0, size, 2), *rng.integers(4, 30, 2)
        truth[row : row + height, col : col + width] = 17_897 + rng.integers(900, 1600)
    mean, height, phase = 0.6 + 0.08 * smooth(40), 0.15 + 0.05 * smooth(64), 0.4 * smooth(25)
    drop = np.array([0.35, -0.1, -0.12, -0.15, 0.2, -0.1], np.float32)[:bands]
    gain = np.array([1, 0.2, 0.3, 0.25, 0.7, 0.5], np.float32)[:bands]
    cube = np.empty((times, bands, size, size), np.float32)
    for t, day in enumerate(days):
        base = mean + height * np.cos(2 * np.pi * day / 365.25 - phase)
        gone = (truth > 0) & (day >= truth)
        for b in range(bands):
            cube[t, b] = gain[b] * base - drop[b] * gone
            cube[t, b] += 0.03 * gain[b] * rng.standard_normal((size, size), np.float32)
        field = smooth(50)
        cube[t, :, field > np.quantile(field, 1 - rng.uniform(0, 0.7))] = np.nan
    return cube, days, truth


def run(cube: np.ndarray, days: np.ndarray, threads: int = 2):
    """(first day or 0, seconds of the fit, seconds of the monitor)."""
    none = np.zeros(len(days), np.int64)
    size = cube.shape[-1]
    lattice = max(LATTICE, size // 64)
    start = time.perf_counter()
    some = cube[:, :, ::lattice, ::lattice]
    reference = fit_reference(some.reshape(*some.shape[:2], -1).transpose(2, 0, 1), days, none, RULES)
    fitted = time.perf_counter()
    source = Cube(cube, Grid(None, Affine.identity(), cube.shape[2:]))
    found = np.zeros(cube.shape[2:])

    def kernel(part: np.ndarray):
        return monitor(part, days, none, reference, RULES)

    with ThreadPoolExecutor(threads) as executor:
        for tile, breaks in map_tiles(kernel, source, size=128, executor=executor, trim=False):
            lasting = (breaks.confirmed >= 0) & (breaks.returned < 0)
            found[tile.core] = np.where(lasting, days[np.maximum(breaks.first, 0)], 0)
    return found, fitted - start, time.perf_counter() - fitted


def quality(found: np.ndarray, truth: np.ndarray) -> str:
    """Recall, early alarms, false alarms, median delay in days."""
    truth = truth.reshape(found.shape)
    changed = truth > 0
    hit = changed & (found >= truth)
    early = changed & (found > 0) & (found < truth)
    false = ~changed & (found > 0)
    delay = np.median((found - truth)[hit]) if hit.any() else np.nan
    return f"recall {hit.sum() / changed.sum():.3f} early {early.sum() / changed.sum():.3f} false {false.sum() / (~changed).sum():.4f} delay {delay:.0f} d"


def ask(python: str, peer: str, y: np.ndarray, days: np.ndarray, history: float):
    """(found, seconds) of a peer, or the reason why not."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "stack.npz"
        np.savez(path, y=y, days=days, history=history)
        done = subprocess.run([python, str(PEERS), peer, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{peer} left out: {done.stderr.strip().splitlines()[-1] if done.stderr else 'no reason given'}"
    answer = json.loads(done.stdout)
    return np.array(answer["found"]).reshape(y.shape[1:]), answer["seconds"]


def _busiest(truth: np.ndarray, side: int):
    share = ndimage.uniform_filter((truth > 0).astype(float), side)
    inner = share[side // 2 : -side // 2, side // 2 : -side // 2]
    row, col = np.unravel_index(inner.argmax(), inner.shape)
    return np.s_[row : row + side, col : col + side]


def _speed(size: int, python: str | None) -> None:
    cube, days, truth = make_stack(size, 6)
    _, fit, seconds = run(cube, days)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"60 dates x {size}^2 x 6 bands, 2 threads: fit {fit:.1f} s, monitor {seconds:.1f} s, peak {peak:.0f} MiB with the cube ({cube.nbytes / 2**20:.0f} MiB)"
    )
    cube = cube[:, :1].copy()
    found, fit, seconds = run(cube, days)
    rate = size * size / (fit + seconds)
    print(f"{'sitewatch':10s} {rate:9.0f} px/s  one band, 2 threads, fit in  {quality(found, truth)}", flush=True)
    found, fit, seconds = run(cube, days, 1)
    print(f"{'sitewatch':10s} {size * size / (fit + seconds):9.0f} px/s  one band, 1 thread")
    if python is None:
        print("peers left out: no --peers PYTHON given")
        return
    for peer in ("nrt_iqr", "nrt_ewma", "nrt_mosum", "nrt_cusum", "cold"):
        # COLD is slow: 64 x 64 pixels about the largest change.
        part = _busiest(truth, 64) if peer == "cold" else np.s_[:, :]
        answer = ask(python, peer, cube[:, 0][:, *part], days, days[0] + HISTORY_DAYS)
        if isinstance(answer, str):
            print(answer)
            continue
        speed = answer[0].size / answer[1]
        print(
            f"{peer:10s} {speed:9.0f} px/s  ratio {rate / speed:6.1f}  {quality(answer[0], truth[part])}",
            flush=True,
        )


def pixel_series(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray, tuple[float, float] | None]]:
    """name -> (days since 1970, (time, band) clear values, when the event of the file's name may begin, or None)."""

    def day_of(text: str, form: str) -> float:
        return float((dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC).date() - dt.date(1970, 1, 1)).days)

    def read(name: str):
        with (folder / name).open(encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    def landsat(rows):
        lower = [{k.lower(): v for k, v in row.items()} for row in rows]
        kept = {
            float(r["dates"]) - 719_163: [float(r[b]) / 1e4 for b in ("blue", "green", "red", "nir", "swir1", "swir2")]
            for r in lower
            if r["qa"] in ("0", "1")
        }
        good = {d: v for d, v in kept.items() if all(0 < x < 1 for x in v)}
        return np.array(sorted(good)), np.array([good[d] for d in sorted(good)])

    parts = ("w0", "w12", "w34", "w56", "w78", "w910")
    logging = landsat([r for p in parts for r in read(f"7_logging_hls_{p}.csv")])
    cut = 738_979 - 719_163.0
    found = {
        "logging (weeks 1-10 added)": (*logging, (cut, logging[0][-1])),
        "logging (before)": (*landsat(read("7_logging_hls_w0.csv")), None),
    }
    beetle = landsat(read("2_mpb_co_landsat.csv"))
    found["mountain pine beetle"] = (*beetle, (beetle[0][0] + 365, beetle[0][-1]))
    rows = [r for r in read("3_crop_sentinel2.csv") if float(r["QA60"] or 1) == 0]
    crop = {
        day_of(r["Tile"][:8], "%Y%m%d"): [float(r[b]) / 1e4 for b in ("B2", "B3", "B4", "B8", "B11", "B12")]
        for r in rows
    }
    found["crop"] = (np.array(sorted(crop)), np.array([crop[d] for d in sorted(crop)]), None)
    green = [(day_of(r["date"], "%m/%d/%Y"), float(r["NDVI"])) for r in read("5_greenning_modis.csv") if r["NDVI"]]
    found["greening"] = (np.array([g[0] for g in green]), np.array([[g[1]] for g in green]), None)
    return found


def follow(days: np.ndarray, values: np.ndarray) -> tuple[float, Reference]:
    """Onset day (0 none) of one pixel followed by its own past alone, lasting changes only."""
    none = np.zeros(len(days), np.int64)
    cube = values.astype(np.float32)[:, :, None, None]
    reference = fit_reference(cube[:, :, 0].transpose(2, 0, 1), days, none, RULES)
    found = monitor(cube, days, none, reference, RULES)
    lasting = found.confirmed[0, 0] >= 0 and found.returned[0, 0] < 0
    return (float(days[found.first[0, 0]]) if lasting else 0.0), reference


def _pixels(folder: Path, python: str | None) -> None:
    def word(day: float, event) -> str:
        stated = str(dt.date(1970, 1, 1) + dt.timedelta(days=day)) if day else "none"
        if event is None:
            return f"{stated} {'(right)' if not day else '(FALSE)'}"
        return f"{stated} {'(hit)' if day and event[0] <= day <= event[1] else '(MISS)' if not day else '(EARLY)'}"

    for name, (days, values, event) in pixel_series(folder).items():
        told = [f"sitewatch {word(follow(days, values)[0], event)}"]
        for peer in ("nrt_mosum", "nrt_iqr", "cold") if python else ():
            y = values[:, -1 if values.shape[1] == 1 else 4][:, None, None]
            answer = ask(python, peer, np.repeat(np.repeat(y, 4, 1), 4, 2), days, days[0] + 3 * 365)
            told.append(answer if isinstance(answer, str) else f"{peer} {word(float(answer[0][0, 0]), event)}")
        print(f"{name:28s} {len(days):4d} looks  " + " | ".join(told), flush=True)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--curve", action="store_true", help="sizes up to 4096, one band, and dates")
    parser.add_argument("--peers", help="an interpreter that has nrt and pyxccd")
    parser.add_argument("--pixels", type=Path, help="folder of the single-pixel series")
    words = parser.parse_args()
    if words.pixels:
        _pixels(words.pixels, words.peers)
        return
    _speed(words.size, words.peers)
    for size, times in ((256, 60), (512, 60), (512, 120), (1024, 60), (2048, 60), (4096, 60)) if words.curve else ():
        cube, days, _ = make_stack(size, 1, times)
        _, fit, seconds = run(cube, days)
        print(
            f"{size}^2 x {times}: fit {fit:.1f} s, monitor {seconds:.1f} s, {seconds * 1e9 / size**2 / times:.0f} ns per look",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
