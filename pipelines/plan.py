"""`sitewatch sites plan`: a scanned construction plan put on the ground by control points, beside what was built."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.enums import Resampling

from geo.errors import ConfigurationError, InputError
from geo.files.atomic import atomic_folder
from geo.files.limits import local_file
from geo.files.opening import reading
from geo.files.pyramid import mean_rgba, pyramid
from geo.files.sums import sha256
from geo.grid import Grid
from geo.zones import site_extent, utm_of
from pipelines.publish.plan_panel import write_panel
from pipelines.publish.rasters import TILE
from pipelines.registry import find_site

FEWEST, FOR_RESIDUALS = 3, 4
MOST_PX = 60_000_000
FURTHEST_M = 50_000.0
SHEAR = 1.3  # how much the two axes of a scanned sheet may differ in scale
WRONG = 3.0  # times what the other points leave between them
LEAST_WRONG_M = 5.0
_GCP = re.compile(r"\s*([^,=\s]+)\s*,\s*([^,=\s]+)\s*=\s*([^,=\s]+)\s*,\s*([^,=\s]+)\s*")
LONLAT = "OGC:CRS84"


@dataclass(frozen=True)
class Point:
    """One control point: column and row in the plan, and longitude and latitude on the ground."""

    x: float
    y: float
    lon: float
    lat: float


@dataclass(frozen=True)
class Fitted:
    """An affine from the plan's pixels to metres, and how far each point is off; None where that cannot be told.

    `alone_m` is how far each point lies from where all the others put it.
    """

    transform: Affine
    residuals_m: tuple[float, ...] | None
    alone_m: tuple[float, ...] | None

    @property
    def rms_m(self) -> float | None:
        """Root mean square of the residuals, degrees of freedom taken into account."""
        if self.residuals_m is None:
            return None
        free = 2 * len(self.residuals_m) - 6
        return float(np.sqrt(np.sum(np.square(self.residuals_m)) / max(1, free)))


@dataclass(frozen=True)
class Placed:
    """Where the plan lies now, the files, and in words how well it fits."""

    folder: Path
    files: tuple[Path, ...]
    words: tuple[str, ...]


def parse_gcp(text: str) -> Point:
    """Read `X,Y=LON,LAT`; raise InputError where it is none.

    >>> parse_gcp("10.5,20=103.5,10.75")
    Point(x=10.5, y=20.0, lon=103.5, lat=10.75)
    """
    found = _GCP.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        x, y, lon, lat = (float(part) for part in found.groups())
    except ValueError:
        raise InputError(f"--gcp {text} is not X,Y=LON,LAT, e.g. 120,45=103.7301,10.8201.") from None
    return _checked(Point(x, y, lon, lat), f"--gcp {text}")


def read_points(path: Path) -> list[Point]:
    """Read the file that QGIS's georeferencer saves (`.points`); rows that are not enabled are left out.

    Without a line `#CRS: ...` the map's coordinates are taken for longitude and latitude.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from error
    stated = next((line[5:].strip() for line in lines if line.startswith("#CRS:")), "")
    rows = list(csv.DictReader(io.StringIO("\n".join(line for line in lines if not line.startswith("#")))))
    try:
        to = Transformer.from_crs(CRS.from_user_input(stated or LONLAT), LONLAT, always_xy=True)
        names = ("sourceX", "sourceY") if rows and "sourceX" in rows[0] else ("pixelX", "pixelY")
        points = []
        for number, row in enumerate(rows, start=1):
            if row.get("enable", "1") in ("0", "false"):
                continue
            lon, lat = to.transform(float(row["mapX"]), float(row["mapY"]))
            point = Point(float(row[names[0]]), -float(row[names[1]]), float(lon), float(lat))
            points.append(_checked(point, f"{path}, point {number}"))
    except (CRSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a points file of QGIS's georeferencer ({error}).") from error
    return points


def fit(points: Sequence[Point], crs: str) -> Fitted:
    """Fit an affine by least squares in a metric system.

    Raises InputError where there are too few points, where they lie in a line, where a point contradicts the others,
    and where the sheet would be mirrored or badly stretched.
    """
    if len(points) < FEWEST:
        raise InputError(f"{len(points)} control points are too few; give {FEWEST}, better five or more.")
    pixels = np.array([(p.x, p.y) for p in points], float)
    ground = np.column_stack(
        Transformer.from_crs(LONLAT, crs, always_xy=True).transform([p.lon for p in points], [p.lat for p in points])
    )
    if max(np.ptp(ground, axis=0)) > FURTHEST_M:
        raise InputError("The control points lie more than 50 km apart on the ground; is one of them mistyped?")
    solution = _affine(pixels, ground)
    residuals = alone = None
    if len(points) >= FOR_RESIDUALS:
        residuals = tuple(float(v) for v in np.hypot(*(_apply(solution, pixels) - ground).T))
        alone = _left_out(pixels, ground)
        _refuse_wrong(points, pixels, ground, alone)
    (a, b, c), (d, e, f) = solution.T
    across, down = np.hypot(a, d), np.hypot(b, e)
    if a * e - b * d > 0:
        raise InputError("The control points mirror the plan; are X and Y, or longitude and latitude, exchanged?")
    if max(across, down) > SHEAR * min(across, down):
        raise InputError(f"The control points stretch the plan ({across:.2f} by {down:.2f} m a pixel); check them.")
    return Fitted(Affine(a, b, c, d, e, f), residuals, alone)


def place_plan(workspace: Path, site_id: str, image: Path, points: Sequence[Point], *, now: datetime) -> Placed:
    """Warp a plan into the site's UTM zone as a COG with transparency, and draw it beside and over the latest image.

    Raises ConfigurationError for an unknown site, InputError for a plan or points that cannot be used.
    """
    site = find_site(workspace, site_id)
    crs = utm_of(site_extent(site))
    fitted = fit(points, crs)
    pixels = _read(image)
    grid = _grid(pixels, fitted.transform, crs)
    warped = _warp(pixels, fitted.transform, grid)
    outputs = workspace / "outputs"
    digest = sha256(image)
    folder = outputs / "plans" / site_id / f"{_stem(image)}-{_key(digest, points)}"
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already: this plan lies on the ground with these very points.")
    words = _words(points, fitted)
    with atomic_folder(folder) as made, tempfile.TemporaryDirectory():
        with pyramid(made / "plan.tif", grid, names=("red", "green", "blue", "alpha"), dtype="uint8", nodata=None,
                     tags={"PLAN": image.name}, reduce=mean_rgba) as put:  # fmt: skip
            for tile in grid.tiles(TILE):
                put(tile, warped[(slice(None), *tile.core)])
        latest = _latest_image(outputs / "runs" / site_id)
        write_panel(made / "panel.png", warped, grid, latest, title=f"{site.name}: {image.name}", words=words)
        facts = {
            "schema": "sitewatch-plan/1.0", "site": site_id, "plan": image.name, "sha256": digest,
            "placed": now.isoformat(), "crs": crs, "transform": list(fitted.transform)[:6],
            "points": [
                {"x": p.x, "y": p.y, "lon": p.lon, "lat": p.lat,
                 "residual_m": None if fitted.residuals_m is None else round(fitted.residuals_m[k], 3),
                 "without_it_m": None if fitted.alone_m is None else round(fitted.alone_m[k], 3)}
                for k, p in enumerate(points)
            ],
            "rms_m": fitted.rms_m,
        }  # fmt: skip
        (made / "plan.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Placed(folder, tuple(folder / name for name in ("plan.tif", "panel.png", "plan.json")), tuple(words))


def _words(points: Sequence[Point], fitted: Fitted) -> list[str]:
    if fitted.residuals_m is None or fitted.rms_m is None:
        return [f"{len(points)} control points leave no residual: how well the plan fits is not known."]
    worst = int(np.argmax(fitted.residuals_m))
    return [
        f"{len(points)} control points, residual {fitted.rms_m:.1f} m (RMS), {fitted.residuals_m[worst]:.1f} m at most"
        f" (point {worst + 1}).",
        "What is read from the plan's place on the ground is no better than that.",
    ]


def _affine(pixels: NDArray[Any], ground: NDArray[Any]) -> NDArray[Any]:
    design = np.column_stack([pixels, np.ones(len(pixels))])
    if np.linalg.matrix_rank(design - design.mean(axis=0), tol=1e-6 * np.ptp(pixels)) < 2:
        raise InputError("The control points lie in one line; give one that stands off it.")
    return np.asarray(np.linalg.lstsq(design, ground, rcond=None)[0])


def _apply(solution: NDArray[Any], pixels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.column_stack([pixels, np.ones(len(pixels))]) @ solution)


def _left_out(pixels: NDArray[Any], ground: NDArray[Any]) -> tuple[float, ...]:
    """How far each point lies from where the others put it, in metres; infinite where the others lie in a line."""
    found = []
    for k in range(len(pixels)):
        others = np.arange(len(pixels)) != k
        try:
            predicted = _apply(_affine(pixels[others], ground[others]), pixels[k : k + 1])[0]
        except InputError:
            found.append(float("nan"))
            continue
        found.append(float(np.hypot(*(predicted - ground[k]))))
    return tuple(found)


def _refuse_wrong(points: Sequence[Point], pixels: NDArray[Any], ground: NDArray[Any], alone: Sequence[float]) -> None:
    """Refuse the point without which the others, four or more, fit each other, where it lies far from their fit."""
    if len(points) <= FOR_RESIDUALS:
        return
    left = []
    for k in range(len(points)):
        others = np.arange(len(points)) != k
        try:
            solution = _affine(pixels[others], ground[others])
        except InputError:
            left.append(float("inf"))
            continue
        left.append(float(np.hypot(*(_apply(solution, pixels[others]) - ground[others]).T).max()))
    worst = int(np.argmin(left))
    if alone[worst] > max(LEAST_WRONG_M, WRONG * left[worst]):
        p = points[worst]
        raise InputError(
            f"Control point {worst + 1} ({p.x:g},{p.y:g}={p.lon:.6f},{p.lat:.6f}) lies {alone[worst]:,.0f} m from where"
            f" the others put it, which agree to {left[worst]:.1f} m; correct it or leave it out."
        )


def _read(image: Path) -> NDArray[np.uint8]:
    """The plan as uint8 (4, row, col)."""
    with reading(local_file(image)) as dataset:
        if dataset.width * dataset.height > MOST_PX:
            raise InputError(f"{image.name} has more than {MOST_PX / 1e6:.0f} million pixels; scan it more coarsely.")
        if dataset.dtypes[0] != "uint8":
            raise InputError(f"{image.name} is no picture of 8 bits a colour.")
        bands = dataset.read()
        palette = dataset.colormap(1) if dataset.count == 1 and dataset.colorinterp[0].name == "palette" else None
    if palette is not None:
        table = np.zeros((256, 4), np.uint8)
        for index, colour in palette.items():
            table[index] = colour
        return np.moveaxis(table[bands[0]], -1, 0)
    opaque = np.full_like(bands[:1], 255)
    if len(bands) in (1, 2):
        alpha = bands[1:2] if len(bands) == 2 else opaque
        return np.concatenate([np.repeat(bands[:1], 3, 0), alpha])
    return np.concatenate([bands[:3], bands[3:4] if len(bands) > 3 else opaque])


def _grid(pixels: NDArray[np.uint8], transform: Affine, crs: str) -> Grid:
    """A north-up grid round the plan, as fine as the plan."""
    rows, cols = pixels.shape[1:]
    xs, ys = zip(*(transform @ corner for corner in ((0, 0), (cols, 0), (0, rows), (cols, rows))), strict=True)
    size = float(np.sqrt(abs(transform.determinant)))
    if size <= 0 or (max(xs) - min(xs)) * (max(ys) - min(ys)) / size**2 > 4 * MOST_PX:
        raise InputError("The control points make the plan far too large; check them.")
    shape = int(np.ceil((max(ys) - min(ys)) / size)), int(np.ceil((max(xs) - min(xs)) / size))
    return Grid(crs, Affine(size, 0, min(xs), 0, -size, max(ys)), shape)


def _warp(pixels: NDArray[np.uint8], transform: Affine, grid: Grid) -> NDArray[np.uint8]:
    out = np.zeros((4, *grid.shape), np.uint8)
    rasterio.warp.reproject(
        pixels, out, src_transform=transform, src_crs=grid.crs, dst_transform=grid.transform, dst_crs=grid.crs,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    return out


def _latest_image(runs: Path) -> Path | None:
    try:
        path = runs / (runs / "latest").read_text(encoding="ascii").strip() / "after.tif"
    except (OSError, UnicodeDecodeError):
        return None
    return path if path.is_file() else None


def _checked(point: Point, where: str) -> Point:
    if not (all(np.isfinite([point.x, point.y])) and abs(point.lon) <= 180 and abs(point.lat) <= 90):
        raise InputError(f"{where} does not lie on the earth: longitude comes first, then latitude, in degrees.")
    return point


def _stem(image: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", image.stem)[:40].strip("-") or "plan"


def _key(digest: str, points: Sequence[Point]) -> str:
    return hashlib.sha256(f"{digest}{sorted(map(str, points))}".encode()).hexdigest()[:8]
