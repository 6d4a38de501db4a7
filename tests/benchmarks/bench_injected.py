"""Constructions painted into real series, through the whole program:

    python -m tests.benchmarks.bench_injected DATA [--seeds 0 10] [--only NAME] [--variant construction]

DATA is the folder of real imagery. The painted images are written as files, the place is described as a user would (a
box around it), and `scan` is called. A site counts as found where confirmed or probable events, of whatever kind, cover
three tenths of it; as seen, where a `possible` one does. One line a seed, then the sums of a background, by season.
A site that differs by less than 1.5 noise standard deviations from what would have been there does not show: it is
counted apart. Nothing but this file knows where and when was painted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from shapely.geometry import box, shape
from shapely.ops import unary_union

from tests.benchmarks.bench_series_real import noise
from tests.injection import VARIANTS, Injected, Series, backgrounds, inject
from tests.runs import sitewatch

FOUND = 0.3  # of the painted core
SHOWS = 1.5  # noise standard deviations
MARGIN_PX = 12


@dataclass(frozen=True)
class Place:
    """Where a background lies."""

    crs: Any
    transform: Any
    files: tuple[Path, ...]


def place_of(series: Series, data: Path) -> Place:
    """The files of a background, and their grid."""
    folders = {
        "belgium optical": "s2s1_monthly_belgium", "belgium radar": "s2s1_monthly_belgium",
        "flanders autumn": "s2_scl_belgium_2023", "flanders radar": "s1_grd_flanders_2023", "s1_rtc_png": "s1_rtc_png",
    }  # fmt: skip
    files = tuple(sorted((data / folders.get(series.name, f"s1_rtc_california/{series.name}")).glob("*.tif")))
    with rasterio.open(files[0]) as dataset:
        return Place(dataset.crs, dataset.transform, files)


def write(painted: Injected, place: Place, folder: Path) -> None:
    """The painted series as the files that a user would have."""
    folder.mkdir()
    series = painted.series
    for t, path in enumerate(place.files):
        with rasterio.open(path) as dataset:
            raw, profile = dataset.read(), dataset.profile
        touched = (painted.site > 0) & np.isfinite(series.cube[t]).all(axis=0)
        if t < painted.onset:
            touched[:] = False
        if series.radar:
            power = 10 ** (series.cube[t] / 10)
            named = tuple(f"{band.upper()} gamma0 linear" for band in series.bands)
            profile.update(count=len(series.bands), dtype="float32", nodata=float("nan"))
            values = power.astype(np.float32)
        else:
            codes = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
            named = codes if len(series.bands) == 9 else ("B02", "B03", "B04", "B08", "SCL")
            values = raw[: len(named)].copy()
            bands = len(series.bands)
            values[:bands][:, touched] = np.rint(series.cube[t][:, touched] * 10_000).astype(raw.dtype)
            profile.update(count=len(named))
        with rasterio.open(folder / path.name, "w", **profile) as out:
            out.write(values)
            out.descriptions = named


def site_file(painted: Injected, place: Place, rng: np.random.Generator) -> dict[str, Any]:
    """A site drawn as a box that holds the painted ground somewhere inside."""
    rows, cols = np.nonzero(painted.site > 0.05)
    height, width = painted.site.shape
    off = rng.integers(MARGIN_PX // 3, MARGIN_PX, 4)
    top, left = max(rows.min() - off[0], 0), max(cols.min() - off[1], 0)
    bottom, right = min(rows.max() + 1 + off[2], height), min(cols.max() + 1 + off[3], width)
    corners = [place.transform @ (c, r) for c, r in ((left, top), (right, top), (right, bottom), (left, bottom))]
    to_lonlat = Transformer.from_crs(place.crs, 4326, always_xy=True)
    ring = [to_lonlat.transform(*corner) for corner in corners]
    properties = {
        "role": "site", "id": "painted", "name": "Painted", "sensitive": False,
        "location": {"class": "exact", "source": "survey", "as_of": "2019-01-01"},
    }  # fmt: skip
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "FeatureCollection",
            "features": [{"type": "Feature", "geometry": geometry, "properties": properties}]}  # fmt: skip


def core_of(painted: Injected, place: Place) -> Any:
    """The painted ground in degrees."""
    rows, cols = np.nonzero(painted.site > 0.6)
    pixels = []
    for r, c in zip(rows, cols, strict=True):
        (x0, y0), (x1, y1) = place.transform @ (c, r), place.transform @ (c + 1, r + 1)
        pixels.append(box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    to_lonlat = Transformer.from_crs(place.crs, 4326, always_xy=True)
    return shapely.transform(unary_union(pixels), lambda xy: np.stack(to_lonlat.transform(*xy.T), axis=1))


def contrasts(painted: Injected, series: Series) -> np.ndarray:
    """(date from the onset on,) noise standard deviations by which the site differs from what would have been there.

    Its mean is compared, in the noise of one pixel: speckle of another draw differs from pixel to pixel, too.
    """
    core = painted.site > 0.6
    change = (painted.series.cube - series.cube)[painted.onset :, :, core]
    return np.nan_to_num(np.sqrt(np.nanmean((np.nanmean(change, axis=2) / noise(series)) ** 2, axis=1)))


def gap_days(painted: Injected, apart: np.ndarray) -> float:
    """Days from the last look before the onset to the first that shows the site: no interval can be narrower."""
    days, onset = painted.series.days, painted.onset
    core = painted.site > 0.6
    seen = np.flatnonzero(np.isfinite(painted.series.cube[:onset, 0][:, core]).mean(axis=1) > 0.5)
    shown = np.flatnonzero(apart >= SHOWS)
    return float(days[onset + shown[0]] - days[seen[-1]]) if len(seen) and len(shown) else float("nan")


def judged(painted: Injected, series: Series, place: Place, seed: int, keep: Path | None) -> dict[str, Any]:
    """One painted site through `scan`, against what is true of it."""
    rng = np.random.default_rng(seed + 10_000)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "w"
        sitewatch("init", home)
        write(painted, place, home / "images")
        (home / "aois" / "painted.geojson").write_text(json.dumps(site_file(painted, place, rng)))
        ended = sitewatch("--json", "scan", "painted", "-w", home, "--source", home / "images")
        found = sorted((home / "outputs" / "runs" / "painted").glob("*/findings.json"))
        told = json.loads(found[-1].read_text()) if found else None
        if keep is not None:
            shutil.copytree(
                home, keep / f"{series.name.replace(' ', '-')}-{painted.variant}-{seed}", dirs_exist_ok=True
            )
    apart = contrasts(painted, series) if painted.onset < len(series.days) else np.zeros(0)
    shown = apart[apart > 0]
    row: dict[str, Any] = {
        "contrast": float(np.median(shown)) if shown.size else 0.0, "after": int((apart >= SHOWS).sum()),
        "gap": gap_days(painted, apart), "ha": painted.area_ha, "onset": np.datetime64(int(painted.onset_day), "D").astype(str),
        "code": ended.code,
    }  # fmt: skip
    if told is None:
        return {**row, "state": "none", "why": ended.err.strip()[-200:]}
    return {**row, **scored(told, painted, place)}


def scored(told: dict[str, Any], painted: Injected, place: Place) -> dict[str, Any]:
    """What the findings say of the painted ground, and what they say elsewhere."""
    core = core_of(painted, place)
    begun = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=painted.onset_day)
    own = [e for e in told["events"] if shape(e["geometry"]).intersects(core)]

    def share(events: list[dict[str, Any]]) -> float:
        return float(unary_union([shape(e["geometry"]) for e in events]).intersection(core).area / core.area)

    firm = [e for e in own if e["confidence"] != "possible"]
    near = core.buffer(3 * abs(place.transform.a) / 111_000)
    untouched = painted.onset == len(painted.series.days)
    elsewhere = [
        e for e in told["events"] if e["confirmed"] and (untouched or not shape(e["geometry"]).intersects(near))
    ]
    row = {
        "state": told["observability"]["state"], "found": share(firm) >= FOUND, "seen": share(own) >= FOUND,
        "share": round(share(own), 2), "kinds": sorted({e["kind"] for e in firm}),
        "confirmed construction": any(e["confirmed"] and e["kind"] == "construction" for e in own),
        "false": len([e for e in elsewhere if e["kind"] in ("construction", "wall")]), "false any": len(elsewhere),
    }  # fmt: skip
    if firm and row["found"]:
        main = max(firm, key=lambda e: shape(e["geometry"]).intersection(core).area)
        start = datetime.fromisoformat(main["not_before"]) if main["not_before"] else datetime(1970, 1, 1, tzinfo=UTC)
        end = datetime.fromisoformat(main["not_after"])
        row |= {"inside": start.date() <= begun.date() <= end.date(), "days": (end - start).days,
                "interval": f"{start:%Y-%m-%d}..{end:%Y-%m-%d}"}  # fmt: skip
    return row


def season(day: str) -> str:
    """Quarter of the year in which work began."""
    return f"{day[:4]} Q{(int(day[5:7]) + 2) // 3}"


def sums(rows: list[dict[str, Any]], name: str, variant: str) -> str:
    """One line of a background."""
    shows = [r for r in rows if r["after"] >= 3]
    inside = [r["inside"] for r in shows if "inside" in r]
    widths = [r["days"] for r in shows if "days" in r]
    ratios = [r["days"] / r["gap"] for r in shows if "days" in r and r["gap"] > 0]
    return (
        f"{name}, {variant}: {len(shows)} of {len(rows)} show on three dates or more; of these found "
        f"{sum(r.get('found', False) for r in shows)}, seen {sum(r.get('seen', False) for r in shows)}, truth inside "
        f"{sum(inside)} of {len(inside)}, median width {np.median(widths) if widths else float('nan'):.0f} d, "
        f"{np.median(ratios) if ratios else float('nan'):.1f} of the gap; called "
        f"construction, confirmed, {sum(r.get('confirmed construction', False) for r in rows)} of {len(rows)}; false "
        f"confirmed {sum(r.get('false', 0) for r in rows)} (any kind {sum(r.get('false any', 0) for r in rows)})"
    )


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 10))
    parser.add_argument("--only", default="")
    parser.add_argument("--variant", choices=(*VARIANTS, "nothing"), default="construction")
    parser.add_argument("--keep", type=Path, help="folder for the workspaces")
    words = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing, where a site does not show
    for name, series in backgrounds(words.data).items():
        if words.only not in name:
            continue
        place = place_of(series, words.data)
        rows = []
        for seed in range(*words.seeds):
            painted = inject(
                series, seed=seed, variant=words.variant.replace("nothing", "construction"), area_ha=(0.5, 2.0)
            )
            if words.variant == "nothing":
                painted = replace(painted, series=series, onset=len(series.days))
            rows.append(judged(painted, series, place, seed, words.keep))
            print(f"  {name} {seed}: {rows[-1]}", flush=True)
        for part in sorted({season(r["onset"]) for r in rows}):
            print(" ", sums([r for r in rows if season(r["onset"]) == part], f"{name} {part}", words.variant))
        print(sums(rows, name, words.variant), flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
