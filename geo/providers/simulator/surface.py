"""What covers the ground at a time, as shares of each 5 m cell, and how bright each cell is.

Light mixes linearly, so a cell's reflectance is the sum of its parcels' spectra weighted by their shares. The shares of
the ground never change and are drawn once (sparse matrix cells x parcels); only the compound, a few hundred metres
wide, is drawn again, at half a metre, where its works or the sun have moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from scipy import sparse
from shapely import affinity
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from geo.grid import Grid
from geo.providers.simulator import fields, spectra, world
from geo.providers.simulator.orbits import wetness
from geo.providers.simulator.plan import Parcel, Plan, Scenario, polygons

CELL_M = 5.0
FINE_M, PATCH_M = 1.25, 0.5
STANDING = {"shell": 0.6, "wall": 1.0}  # share of the full height; roofs stand whole, slabs lie flat
# Share of light that reaches a shadow from the open sky, by band.
SKYLIGHT = np.array([0.36, 0.30, 0.24, 0.23, 0.225, 0.22, 0.215, 0.21, 0.12, 0.09], np.float32)

Labels = NDArray[np.uint16]


@dataclass(frozen=True)
class Light:
    """A moment: the day, where the sun stands, how wet the ground is."""

    day: date
    elevation_deg: float
    azimuth_deg: float
    wet: float


def light(scenario: Scenario, day: date, sun: tuple[float, float]) -> Light:
    """Return the light of a day at the world's place."""
    return Light(day, sun[0], sun[1], wetness(scenario, day))


def paint(parcels: Sequence[Parcel], grid: Grid, first: int, base: Labels | None = None) -> Labels:
    """Return the number of the uppermost parcel at every pixel centre, counted from `first`; 0 where there is none."""
    labels = np.zeros(grid.shape, np.uint16) if base is None else base.copy()
    frame = box(*grid.bounds)
    shapes = [(p.shape, first + n) for n, p in enumerate(parcels) if p.shape.intersects(frame)]
    if shapes:
        features.rasterize(shapes, out=labels, transform=grid.transform)
    return labels


def standing_m(parcel: Parcel, day: date) -> float:
    """Return how high a parcel stands above the ground on a day, metres."""
    kind, _ = parcel.at(day)
    if kind is None or parcel.height_m <= 0:
        return 0.0
    return parcel.height_m * (1.0 if kind.startswith("roof") else STANDING.get(kind, 0.0))


def swept(shape: BaseGeometry, dx: float, dy: float) -> list[BaseGeometry]:
    """Return polygons that together cover what a shape passes over while it moves by (dx, dy)."""
    moved: list[BaseGeometry] = []
    for part in polygons(shape):
        ring = list(part.exterior.coords)
        quads = [((a, b, (b[0] + dx, b[1] + dy), (a[0] + dx, a[1] + dy))) for a, b in pairwise(ring)]
        moved += [affinity.translate(part, dx, dy), *(Polygon(q) for q in quads)]
    return moved


def shadows(parcels: Sequence[Parcel], moment: Light, frame: Polygon) -> list[BaseGeometry]:
    """Return the ground in a frame that standing parcels shade; they shade their own footprint too, see `is_raised`."""
    away = math.radians(moment.azimuth_deg + 180)
    length = 1 / math.tan(math.radians(max(moment.elevation_deg, 10.0)))
    found = []
    for parcel in parcels:
        height = standing_m(parcel, moment.day)
        if height > 0 and parcel.shape.intersects(frame):
            found += swept(parcel.shape, height * length * math.sin(away), height * length * math.cos(away))
    return found


@dataclass(frozen=True, eq=False)
class Table:
    """Properties of all parcels at a moment, row 0 being ground outside the world.

    Attributes:
        optical: float32 (parcels, 10) reflectance.
        texture: float32 (parcels, 2) roughness and patchiness.
        radar: float32 (parcels, 2) VV and VH, linear power.
    """

    optical: NDArray[np.float32]
    texture: NDArray[np.float32]
    radar: NDArray[np.float32]


def table(parcels: Sequence[Parcel], moment: Light) -> Table:
    """Look up every parcel's spectrum, texture and backscatter."""
    optical = np.zeros((len(parcels) + 1, len(spectra.BANDS)), np.float32)
    texture = np.zeros((len(parcels) + 1, 2), np.float32)
    radar = np.full((len(parcels) + 1, 2), 1e-3, np.float32)
    for n, parcel in enumerate(parcels, start=1):
        kind, age = parcel.at(moment.day)
        if kind is None:
            continue
        seen = spectra.look(kind, age, moment.wet, parcel.vigour)
        optical[n] = seen.reflectance
        texture[n] = seen.rough, seen.patchy
        radar[n] = [10 ** (v / 10) for v in seen.radar_db]
    return Table(optical, texture, radar)


class Terrain:
    """A region of the world, ready to be looked at on any day."""

    def __init__(self, plan: Plan, grid: Grid) -> None:
        """Draw the region that `grid` (of 5 m cells) covers."""
        self.plan, self.grid = plan, grid
        self.parcels = (*plan.ground, *plan.works)
        self._mix = _shares(plan.ground, grid, len(self.parcels) + 1)
        self._patch = _patch_grid(plan)
        self._patch_ground = None if self._patch is None else paint(plan.ground, self._patch, 1)
        xs, ys = centres(grid)
        seed = plan.scenario.seed
        self._rough = _texture(xs, ys, seed, "rough", (14.0, 40.0, 120.0, 400.0), grain=0.6)
        self._patchy = _texture(xs, ys, seed, "patchy", (22.0, 60.0, 160.0, 500.0), grain=0.3)
        # Two slow fields whose mixture turns through the year: leaves do not change everywhere at once.
        self._slow = tuple(_texture(xs, ys, seed, f"slow-{n}", (90.0, 260.0), grain=0.0) for n in (0, 1))

    def optical(self, moment: Light) -> NDArray[np.float32]:
        """Return reflectance (row, col, 10) of the cells, without atmosphere, sensor or noise."""
        look = table(self.parcels, moment)
        columns = np.hstack([look.optical, look.texture])
        mixed = self._mixed(columns, moment, shade=np.concatenate([SKYLIGHT, [1.0, 1.0]]).astype(np.float32))
        refl, rough, patchy = mixed[..., :10], mixed[..., 10], mixed[..., 11]
        year = 2 * np.pi * (moment.day.toordinal() / 365.25)
        drift = np.float32(0.55 * np.cos(year)) * self._slow[0] + np.float32(0.55 * np.sin(1.7 * year)) * self._slow[1]
        green = patchy * (self._patchy + drift)
        gain = np.multiply.outer(green, _GREENNESS)
        gain += 1
        gain *= (1 + rough * self._rough)[..., None]
        gain *= refl
        seen: NDArray[np.float32] = np.maximum(gain, 0.001, out=gain)
        return seen

    def radar(self, moment: Light) -> NDArray[np.float32]:
        """Return VV and VH linear power (row, col, 2) of the cells, without speckle."""
        look = table(self.parcels, moment)
        power = self._mixed(look.radar, moment, shade=None)
        power *= (1 + 0.10 * self._rough)[..., None].clip(0.3)
        return power

    def _mixed(
        self, columns: NDArray[np.float32], moment: Light, shade: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        cells = np.asarray(self._mix @ columns, np.float32).reshape(*self.grid.shape, columns.shape[1])
        if self._patch is None:
            return cells
        here, there = overlap(self.grid, self._patch, CELL_M)
        if here is not None:
            cells[here] = self._patch_cells(columns, moment, shade)[there]
        return cells

    def _patch_cells(
        self, columns: NDArray[np.float32], moment: Light, shade: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        grid, ground = self._patch, self._patch_ground
        assert grid is not None  # noqa: S101 - the caller looked
        assert ground is not None  # noqa: S101 - there where the grid is
        labels = paint_works(self.plan, grid, moment.day, ground)
        dark = np.zeros(grid.shape, np.uint8)
        if shade is not None:
            cast = shadows(self.plan.works, moment, box(*grid.bounds))
            if cast:
                features.rasterize(((s, 1) for s in cast), out=dark, transform=grid.transform)
                dark[is_raised(self.plan, labels, moment.day)] = 0
        ratio = round(CELL_M / PATCH_M)
        rows, cols = grid.shape[0] // ratio, grid.shape[1] // ratio
        kinds = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(columns)))
        place = np.zeros(len(columns), np.int32)
        place[kinds] = np.arange(len(kinds))
        index = place[labels] + len(kinds) * dark
        values = columns[kinds]
        values = np.vstack([values, values if shade is None else values * shade])
        # One row of a cell's parts, sorted and counted, is one line of a sparse matrix.
        parts = index.reshape(rows, ratio, cols, ratio).swapaxes(1, 2).reshape(rows * cols, ratio**2)
        ends = np.arange(rows * cols + 1) * ratio**2
        one = np.full(parts.size, 1 / ratio**2, np.float32)
        shares = sparse.csr_array((one, parts.ravel(), ends), shape=(rows * cols, len(values)))
        return np.asarray(shares @ values, np.float32).reshape(rows, cols, -1)


# Where greenness rises, red and short-wave infrared fall and near infrared rises.
_GREENNESS = np.array([-0.5, -0.15, -1.0, -0.35, 0.5, 0.8, 0.9, 0.9, -0.5, -0.9], np.float32)


@lru_cache(maxsize=3)
def terrain(scenario: Scenario, grid: Grid) -> Terrain:
    """Return the region of a scenario, kept for the next scene."""
    return Terrain(world.build(scenario), grid)


def paint_works(plan: Plan, grid: Grid, day: date, ground: Labels) -> Labels:
    """Return `ground` with the works of that day painted over it, numbered after the ground's parcels."""
    labels = ground.copy()
    first = len(plan.ground) + 1
    shapes = [(w.shape, first + n) for n, w in enumerate(plan.works) if w.at(day)[0] is not None]
    if shapes:
        features.rasterize(shapes, out=labels, transform=grid.transform)
    return labels


def is_raised(plan: Plan, labels: Labels, day: date) -> NDArray[np.bool_]:
    """Return where a roof or wall is seen from above: no neighbour's shadow is drawn on it."""
    parcels = (*plan.ground, *plan.works)
    high = np.array([False, *(standing_m(p, day) > 0 for p in parcels)])
    return np.asarray(high[labels])


def centres(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eastings of the columns' and the northings of the rows' middles."""
    t, (rows, cols) = grid.transform, grid.shape
    return t.c + t.a * (np.arange(cols) + 0.5), t.f + t.e * (np.arange(rows) + 0.5)


def cells_around(bounds: tuple[float, float, float, float], margin_m: float, size_m: float, epsg: int) -> Grid:
    """Return a grid of `size_m` cells that covers bounds and a margin, snapped to the system."""
    left, bottom, right, top = bounds
    return Grid.around((left - margin_m, bottom - margin_m, right + margin_m, top + margin_m), epsg, size_m)


def overlap(grid: Grid, other: Grid, cell_m: float) -> tuple[tuple[slice, slice] | None, tuple[slice, slice]]:
    """Return where cells of `cell_m` of two regions coincide: as slices of the first and of the second."""
    left, bottom, right, top = (
        f(a, b) for f, a, b in zip((max, max, min, min), grid.bounds, other.bounds, strict=True)
    )
    if left >= right or bottom >= top:
        return None, (slice(0), slice(0))

    def of(g: Grid) -> tuple[slice, slice]:
        row, col = round((g.bounds[3] - top) / cell_m), round((left - g.bounds[0]) / cell_m)
        return slice(row, row + round((top - bottom) / cell_m)), slice(col, col + round((right - left) / cell_m))

    return of(grid), of(other)


def _patch_grid(plan: Plan) -> Grid | None:
    if plan.compound is None:
        return None
    frame = unary_union([w.shape for w in plan.works]).bounds
    cells = cells_around(frame, 12.0, 10.0, plan.scenario.epsg)
    ratio = round(10.0 / PATCH_M)
    t = cells.transform
    return Grid(cells.crs, Affine(PATCH_M, 0, t.c, 0, -PATCH_M, t.f), (cells.shape[0] * ratio, cells.shape[1] * ratio))


def _shares(parcels: Sequence[Parcel], grid: Grid, columns: int) -> sparse.csr_array:
    """Return cells x parcels, drawn at 1.25 m in strips so that a wide region fits in memory."""
    ratio = round(CELL_M / FINE_M)
    rows, cols = grid.shape
    strips = []
    for top in range(0, rows, 64):
        height = min(64, rows - top)
        t = grid.transform @ Affine.translation(0, top)
        fine = Grid(grid.crs, Affine(FINE_M, 0, t.c, 0, -FINE_M, t.f), (height * ratio, cols * ratio))
        labels = paint(parcels, fine, 1)
        cell = np.repeat(np.repeat(np.arange(height * cols).reshape(height, cols), ratio, 0), ratio, 1)
        ones = np.full(labels.size, 1 / ratio**2, np.float32)
        strips.append(sparse.csr_array((ones, (cell.ravel(), labels.ravel())), shape=(height * cols, columns)))
    return sparse.vstack(strips, format="csr")


def _texture(
    xs: NDArray[np.float64], ys: NDArray[np.float64], seed: int, name: str, scales_m: tuple[float, ...], grain: float
) -> NDArray[np.float32]:
    smooth = fields.octaves(xs, ys, scales_m, fields.key(seed, name))
    if grain:
        smooth = smooth * np.float32(math.sqrt(1 - grain**2))
        smooth += np.float32(grain) * fields.white(xs, ys, CELL_M, fields.key(seed, name, "grain"))
    return smooth
