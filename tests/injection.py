"""Constructions painted into real series: `inject(series, seed=...)`, and the real series that stand beside the project.

The ground that appears is made of pixels of the same imagery on the same date (its own bare soil and its own bright,
lasting surfaces), so clouds, haze, season, texture and noise stay those of the real series. What is drawn at random:
place, size, shape, date, donors, duration of the stages. Nothing here knows the detector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from scipy import ndimage

VARIANTS = ("construction", "regrowth", "replanting")
_LEAST_DONORS = 30


@dataclass(frozen=True)
class Series:
    """A real stack: cube (time, band, row, col) float32, NaN not clear; optical reflectance or decibel."""

    name: str
    cube: np.ndarray
    days: np.ndarray
    group: np.ndarray
    bands: tuple[str, ...]
    gsd_m: float
    radar: bool = False


@dataclass(frozen=True)
class Injected:
    """A series with a site in it.

    Attributes:
        series: the painted series; site: (row, col) share of the pixel that lies in the site.
        onset_day: when work began; onset: index of the first date on or after it, whatever the clouds.
        variant, area_ha: what was painted.
    """

    series: Series
    site: np.ndarray
    onset_day: float
    onset: int
    variant: str
    area_ha: float


def inject(
    series: Series,
    *,
    seed: int,
    variant: str = "construction",
    area_ha: tuple[float, float] = (0.25, 2.0),
    onset: tuple[float, float] = (0.4, 0.75),
) -> Injected:
    """Paint one site.

    Args:
        series: real background; seed: of everything drawn; variant: one of `VARIANTS`.
        area_ha: range of sizes; onset: range of the beginning, as shares of the dates that show anything.
    """
    if variant not in VARIANTS:
        raise ValueError(f"no variant {variant}")
    rng = np.random.default_rng(seed)
    area = float(np.exp(rng.uniform(*np.log(area_ha))))
    site = _outline(series, area, rng)
    showing = np.flatnonzero(np.isfinite(series.cube[:, 0]).mean(axis=(1, 2)) > 0.3)
    place = rng.uniform(onset[0] * len(showing), onset[1] * len(showing))
    low = showing[min(max(int(place), 1), len(showing) - 1)]
    gap = series.days[low] - series.days[low - 1]
    onset_day = float(series.days[low] - rng.uniform(0, 0.99) * gap)
    cube = series.cube.copy()
    soil, bright = _donors(series)
    roofs = _roofs(site, rng)
    to_roof = rng.uniform(40, 150)
    span = rng.uniform(90, 200)
    pick = ndimage.gaussian_filter(rng.standard_normal(site.shape), 1.0)  # neighbours get donors of like brightness
    tone = rng.uniform(0, 1)
    gain = (0.0 if series.radar else 1.0) + rng.normal(0, 0.3 if series.radar else 0.05)
    for t in np.flatnonzero(series.days >= onset_day):
        age = float(series.days[t] - onset_day)
        ground = _surface(series, t, soil, pick, tone, gain)
        if variant == "construction" and age > to_roof:
            built = _surface(series, t, bright, pick, tone, gain)
            ground = np.where(roofs, built, ground)
        share = site * _cover(variant, age, span)
        cube[t] = _mix(cube[t], ground, share, series.radar)
    first = int(np.searchsorted(series.days, onset_day))
    return Injected(replace(series, cube=cube.astype(np.float32)), site, onset_day, first, variant, area)


def _cover(variant: str, age: float, span: float) -> float:
    """Share of the site that still shows the new surface."""
    if variant == "construction":
        return 1.0
    if variant == "regrowth":
        return float(np.clip(1.5 - age / span, 0, 1))
    return float(np.clip(1 - age / (4 * span), 0.3, 1))


def _mix(old: np.ndarray, new: np.ndarray, share: np.ndarray, radar: bool) -> np.ndarray:
    if not radar:
        return old * (1 - share) + new * share
    return 10 * np.log10(10 ** (old / 10) * (1 - share) + 10 ** (new / 10) * share)


def _outline(series: Series, area_ha: float, rng: np.random.Generator) -> np.ndarray:
    """A turned rectangle, blurred as a sensor would; where the series shows anything."""
    rows, cols = series.cube.shape[2:]
    seen = np.isfinite(series.cube[:, 0]).sum(axis=0)
    good = seen >= 0.5 * seen.max()
    side = np.sqrt(area_ha * 1e4) / series.gsd_m
    aspect = rng.uniform(0.6, 1.0)
    half = np.array([side / np.sqrt(aspect), side * np.sqrt(aspect)]) / 2
    reach = int(np.ceil(np.hypot(*half))) + 1
    inner = ndimage.binary_erosion(np.ones_like(good), iterations=reach) & good
    where = np.argwhere(inner)
    row, col = where[rng.integers(len(where))] + rng.uniform(-0.5, 0.5, 2)
    turn = rng.uniform(0, np.pi / 2)
    fine = 5
    r = (np.arange(rows * fine) + 0.5) / fine - 0.5 - row
    c = (np.arange(cols * fine) + 0.5) / fine - 0.5 - col
    along = np.abs(np.cos(turn) * c[None] + np.sin(turn) * r[:, None]) <= half[0]
    across = np.abs(-np.sin(turn) * c[None] + np.cos(turn) * r[:, None]) <= half[1]
    share = (along & across).reshape(rows, fine, cols, fine).mean(axis=(1, 3))
    return ndimage.gaussian_filter(share, 0.5)


def _roofs(site: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    field = ndimage.gaussian_filter(rng.standard_normal(site.shape), 1.0)
    inside = site > 0.5
    limit = np.quantile(field[inside], rng.uniform(0.5, 0.8)) if inside.any() else np.inf
    return field > limit


def _donors(series: Series) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For each date the (pixel, band) values of bare soil and of bright, lasting surfaces."""
    cube = series.cube
    times, bands = cube.shape[:2]
    flat = cube.reshape(times, bands, -1)
    if series.radar:
        mean = _quiet_mean(flat[:, -1])
        low = mean <= np.nanquantile(mean, 0.04)
        high = _quiet_mean(flat[:, 0]) >= np.nanquantile(_quiet_mean(flat[:, 0]), 0.98)
        return [_at(flat[t], low) for t in range(times)], [_at(flat[t], high) for t in range(times)]
    red, nir = flat[:, series.bands.index("red")], flat[:, series.bands.index("nir")]
    ndvi = (nir - red) / np.maximum(nir + red, 1e-3)
    greenest = np.nanmax(np.where(np.isfinite(ndvi), ndvi, -1), axis=0)
    lasting = greenest <= np.quantile(greenest[greenest > -1], 0.05)
    shown = [_at(flat[t], lasting) for t in range(times)]
    reference = np.stack([np.median(v, axis=0) if len(v) else np.full(bands, np.nan) for v in shown])
    visible = _quiet_mean(red)
    bright = lasting & (visible >= np.median(visible[lasting]))
    library = [(t, np.isfinite(ndvi[t]) & (ndvi[t] < 0.3) & ~lasting) for t in range(times)]
    pool = [(t, _at(flat[t], which)) for t, which in library if which.sum() >= _LEAST_DONORS]
    soil = []
    for t in range(times):
        own = _at(flat[t], library[t][1])
        if len(own) < _LEAST_DONORS and pool and np.isfinite(reference[t]).all():
            near, values = min(pool, key=lambda p: abs(p[0] - t))
            own = values * (reference[t] / reference[near])
        soil.append(own)
    return soil, [_at(flat[t], bright) for t in range(times)]


def _quiet_mean(values: np.ndarray) -> np.ndarray:
    count = np.isfinite(values).sum(axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def _at(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    chosen = values[:, which].T
    return chosen[np.isfinite(chosen).all(axis=1)]


def _surface(
    series: Series, t: int, donors: list[np.ndarray], pick: np.ndarray, tone: float, gain: float
) -> np.ndarray:
    """(band, row, col) of one surface on one date; NaN where the imagery has no such pixel that day."""
    values = donors[t]
    if not len(values):
        return np.full(series.cube.shape[1:], np.nan)
    order = values[np.argsort(values.mean(axis=1), kind="stable")]
    rank = np.argsort(np.argsort(pick, axis=None)).reshape(pick.shape) / pick.size
    # A site has a tone of its own: half of the range of the donors, not all of it.
    place = (np.clip(tone * 0.5 + rank * 0.5, 0, 1) * (len(order) - 1)).astype(int)
    painted = order[place].transpose(2, 0, 1)
    return painted + gain if series.radar else painted * gain


def _day(path: Path) -> float:
    return float(np.datetime64(f"{path.stem[:4]}-{path.stem[4:6]}-{path.stem[6:8]}").astype(int))


def _stack(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    paths = sorted(folder.glob("*.tif"))
    layers = []
    for path in paths:
        with rasterio.open(path) as dataset:
            layers.append(dataset.read().astype(np.float32))
    return np.stack(layers), np.array([_day(p) for p in paths])


def backgrounds(data: Path) -> dict[str, Series]:
    """The real series of the collection, by name; those whose folder is absent are left out."""
    found: dict[str, Series] = {}
    if (folder := data / "s2s1_monthly_belgium").is_dir():
        raw, days = _stack(folder)
        names = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "swir16", "swir22")
        optical = np.where(raw[:, :9] > 0, raw[:, :9] / 10_000, np.nan).astype(np.float32)
        none = np.zeros(len(days), np.int64)
        found["belgium optical"] = Series("belgium optical", optical, days, none, names, 10.0)
        power = (20 * np.log10(np.maximum(raw[:, 9:], 1)) - 83).astype(np.float32)
        found["belgium radar"] = Series("belgium radar", power, days, none, ("vv", "vh"), 10.0, radar=True)
    if (folder := data / "s2_scl_belgium_2023").is_dir():
        raw, days = _stack(folder)
        # 10 (thin cirrus) stays in: the worse the mask, the harder the test.
        clear = np.isin(raw[:, 4], (4, 5, 6, 7, 10, 11))
        optical = np.where(clear[:, None], raw[:, :4] / 10_000, np.nan).astype(np.float32)
        found["flanders autumn"] = Series(
            "flanders autumn", optical, days, np.zeros(len(days), np.int64), ("blue", "green", "red", "nir"), 10.0
        )
    for folder in [*sorted((data / "s1_rtc_california").glob("T*")), data / "s1_rtc_png"]:
        if folder.is_dir():
            raw, days = _stack(folder)
            power = (10 * np.log10(np.where(raw > 0, raw, np.nan))).astype(np.float32)
            bands = ("vv", "vh") if raw.shape[1] == 2 else ("vh",)
            found[folder.name] = Series(
                folder.name, power, days, np.zeros(len(days), np.int64), bands, 30.0, radar=True
            )
    return found
