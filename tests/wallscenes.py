"""Scenes with a wall drawn in, for the tests of the perimeter monitor: simulated ground and real ground.

Nothing here is shared with the monitor or with the simulator of the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer
from scipy import ndimage
from shapely.geometry import LineString, Polygon

from geo.grid import Grid, Window
from geo.sites import Perimeter

# blue, green, red, three red edges, nir, narrow nir, swir16, swir22
CONCRETE = np.array([0.25, 0.28, 0.31, 0.33, 0.34, 0.35, 0.36, 0.37, 0.40, 0.38])
SOIL = np.array([0.09, 0.12, 0.16, 0.19, 0.21, 0.23, 0.25, 0.26, 0.33, 0.28])
PALM = np.array([0.03, 0.05, 0.03, 0.09, 0.24, 0.30, 0.33, 0.34, 0.18, 0.09])
SHADE = np.array([0.38, 0.32, 0.27, 0.25, 0.22, 0.20, 0.18, 0.18, 0.12, 0.10])  # what skylight leaves
PSF_FWHM_M = 20.0
PLACES = ("Charlotte_SteeleCreek", "Houston_Spring", "Raleigh_NorthHills")
_S2 = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]  # of the twelve bands in the files


@dataclass(frozen=True, eq=False)
class Layer:
    """Pixels in memory."""

    grid: Grid
    data: Any

    def read(self, window: Window) -> Any:
        return self.data[:, window[0], window[1]]


def ring(side: tuple[float, float], angle: float, centre: tuple[float, float]) -> Polygon:
    """Rectangle of width and height in metres, turned by radians."""
    w, h = side[0] / 2, side[1] / 2
    corners = np.array([(-w, -h), (w, -h), (w, h), (-w, h)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Polygon(corners @ turn.T + np.array(centre))


def strips(
    outline: Polygon, bands: tuple[tuple[float, float], ...], built: tuple[float, float] = (0.0, 1.0)
) -> list[Any]:
    """Points (n, 3: x, y, area) at half a metre that fill strips between two offsets (outside > 0) along the line."""
    line = LineString(outline.exterior.coords)
    at = np.arange(0.25, line.length, 0.5)
    at = at[(at >= built[0] * line.length) & (at <= built[1] * line.length)]
    here = np.array([line.interpolate(d).coords[0] for d in at])
    ahead = np.array([line.interpolate(min(d + 0.2, line.length)).coords[0] for d in at])
    back = np.array([line.interpolate(max(d - 0.2, 0.0)).coords[0] for d in at])
    way = ahead - back
    way /= np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    aside = np.column_stack((way[:, 1], -way[:, 0]))
    found = []
    for low, high in bands:
        offsets = np.arange(low + 0.25, high, 0.5)
        points = (here[:, None] + aside[:, None] * offsets[None, :, None]).reshape(-1, 2)
        found.append(np.column_stack((points, np.full(len(points), 0.25))))
    return found


def cover(points: Any, grid_xy: tuple[Any, Any], sigma: float) -> Any:
    """Share of each pixel's footprint (a Gaussian) that the points fill; pixels at columns x and rows y, metres."""
    x, y = grid_xy
    out = np.zeros((len(y), len(x)))
    dx, dy = x[1] - x[0], y[1] - y[0]
    reach = int(np.ceil(4 * sigma / min(abs(dx), abs(dy))))
    # Half-metre cells of one pixel share their place to half a metre's grid: sum them before smearing.
    cells, where = np.unique(np.round(points[:, :2] * 2) / 2, axis=0, return_inverse=True)
    area = np.bincount(where.ravel(), points[:, 2])
    for (px, py), a in zip(cells, area, strict=True):
        c, r = round((px - x[0]) / dx), round((py - y[0]) / dy)
        cs = slice(max(0, c - reach), c + reach + 1)
        rs = slice(max(0, r - reach), r + reach + 1)
        gx = np.exp(-(((x[cs] - px) / sigma) ** 2) / 2)
        gy = np.exp(-(((y[rs] - py) / sigma) ** 2) / 2)
        out[rs, cs] += a / (2 * np.pi * sigma**2) * gy[:, None] * gx[None, :]
    return out


def draw(image: Any, wall: Any, shadow: Any | None = None, strip: Any | None = None, paint: Any = CONCRETE) -> Any:
    """Put a cleared strip, then a wall and its shadow, on an image (band, row, col), by their shares of each pixel."""
    ground = image if strip is None else image + strip * (SOIL[:, None, None] - image)
    out = ground + wall * (paint[:, None, None] - ground)
    return out if shadow is None else out + shadow * (SHADE[:, None, None] - 1) * ground


# --- simulated ground (research note: 0.5 m, 447 m square, footprint 20 m, texture 0.02, noise 0.012 + 0.01) ----------


def field(draw_: np.random.Generator, shape: tuple[int, int], scale_px: float) -> Any:
    """Smooth Gaussian noise with a standard deviation of 1."""
    noise = ndimage.gaussian_filter(draw_.standard_normal(shape), scale_px, mode="wrap")
    return noise / noise.std()


@dataclass(frozen=True, eq=False)
class Simulated:
    layers: list[Layer]
    perimeter: Perimeter
    grid: Grid


def simulate(
    seed: int, ground: Any, *, dates: tuple[int, int], built: float, shadow: bool, pixels: int = 200, side_m: float = 447.0,
    steps: tuple[float, ...] | None = None, paint: Any = CONCRETE,
) -> Simulated:  # fmt: skip
    """A series on one kind of ground; `built` of the wall stands on the later dates (`steps`: on each date)."""
    rng = np.random.default_rng(seed)
    grid = Grid("EPSG:32648", Affine(10, 0, 400_000, 0, -10, 1_200_000), (pixels, pixels))
    middle = (400_000 + pixels * 5 + rng.uniform(-5, 5), 1_200_000 - pixels * 5 + rng.uniform(-5, 5))
    outline = ring((side_m, side_m), rng.uniform(0, np.pi / 2), middle)
    x = 400_000 + (np.arange(pixels) + 0.5) * 10
    y = 1_200_000 - (np.arange(pixels) + 0.5) * 10
    share = steps or tuple([0.0] * dates[0] + [built] * dates[1])
    bands = len(ground)
    # Texture stays; it is half common to all bands, on a grid twice as fine so that it can be shifted.
    common = field(rng, (2 * pixels, 2 * pixels), 2.0)
    texture = np.stack(
        [np.sqrt(0.5) * common + np.sqrt(0.5) * field(rng, (2 * pixels, 2 * pixels), 2.0) for _ in range(bands)]
    )
    layers = []
    fractions: dict[float, list[Any]] = {}
    for part in share:
        shift = rng.normal(0, 3.0 / np.sqrt(2), 2)  # 0.3 px rms in all
        moved = np.stack([ndimage.shift(t, shift / 5, order=1, mode="wrap")[::2, ::2] for t in texture])
        image = ground[:, None, None] + 0.02 * moved
        if part > 0:
            points = fractions.setdefault(part, strips(outline, ((-0.25, 0.25), (0.25, 2.25)), (0.0, part)))
            at = (x - shift[1], y + shift[0])
            fw, fs = (cover(p, at, PSF_FWHM_M / 2.355) for p in points)
            image = draw(image, fw, fs if shadow else None, paint=paint)
        shared = field(rng, (pixels, pixels), 1.5)
        noise = np.stack(
            [np.sqrt(0.5) * shared + np.sqrt(0.5) * field(rng, (pixels, pixels), 1.5) for _ in range(bands)]
        )
        image = image + 0.012 * noise + rng.normal(0, 0.01, (bands, 1, 1))
        layers.append(Layer(grid, image.astype(np.float32)))
    return Simulated(layers, lonlat(outline, 32648), grid)


def lonlat(outline: Polygon, epsg: int) -> Perimeter:
    to = Transformer.from_crs(epsg, 4326, always_xy=True)
    xy = np.array(outline.exterior.coords)
    return Perimeter(
        id="wall", line=LineString(np.column_stack(to.transform(xy[:, 0], xy[:, 1]))), closed=True, material="wall"
    )


# --- real ground -------------------------------------------------------------------------------------------------


def real_pair(folder: Path) -> tuple[Layer, Layer]:
    """Before and after as reflectance (the files carry an offset of 0.1), ten bands."""
    found = []
    for name in ("before", "after"):
        with rasterio.open(folder / f"{name}.tif") as file:
            data = file.read()[_S2] - np.float32(0.1)
            found.append(Layer(Grid(file.crs.to_string(), file.transform, file.shape), data))
    return found[0], found[1]
