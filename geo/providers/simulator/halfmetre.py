"""A half-metre image: palms one by one, roofs that lean with the view, walls, shadows, four bands."""

from __future__ import annotations

import math

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from scipy import ndimage
from shapely import affinity
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.providers.simulator import fields, surface
from geo.providers.simulator.orbits import Pass, shift_m, sun
from geo.providers.simulator.plan import Parcel, Plan, outer_ring
from geo.providers.simulator.surface import Light

PIXEL_M = 0.5
BANDS = ("blue", "green", "red", "nir")
_INDEX = [0, 1, 2, 6]
SPACING_M, ROW_M = 9.0, 9.0 * math.sqrt(3) / 2  # triangular planting, 143 palms a hectare
CROWN_M, PALM_M = 4.4, 10.0
_FACADE = np.array([0.13, 0.145, 0.16, 0.19], np.float32)
_GAP = np.array([0.62, 0.55, 0.60, 0.50], np.float32)  # brightness between crowns against the stand's mean
_CROWN = np.array([1.12, 1.18, 1.12, 1.16], np.float32)

Field = NDArray[np.float32]


def render(plan: Plan, scene: Pass, grid: Grid) -> Field:
    """Return reflectance float32 (4,row,col) on a grid of half-metre pixels; NaN outside the world."""
    scenario = plan.scenario
    where = sun(scene.time, scenario.lon, scenario.lat)
    moment = surface.light(scenario, scene.time.date(), where)
    dy, dx = shift_m(scenario, scene)
    t = grid.transform
    moved = Grid(grid.crs, Affine(t.a, 0, t.c - dx, 0, t.e, t.f + dy), grid.shape)  # the ground that the pixels show
    frame = box(*moved.bounds).buffer(60)
    look = surface.table((*plan.ground, *plan.works), moment)
    ground = surface.paint(plan.ground, moved, 1)
    labels = _without_height(plan, moved, moment, ground)
    refl = np.stack([np.take(look.optical[:, n], labels) for n in _INDEX])
    _texture(plan, moved, np.take(look.texture[:, 0], labels), refl)
    _palms(plan, moved, moment, labels, refl)
    dark = _shade(plan, moved, moment, labels, frame)
    _houses(plan, moved, moment, scene, (refl, dark), frame)
    for n, band in enumerate(refl):
        band *= np.array([1.0, surface.SKYLIGHT[_INDEX[n]]], np.float32)[dark]
        ndimage.gaussian_filter(band, 0.75, output=band, truncate=2.7)
    draw = fields.rng(scenario.seed, "half-metre", scene.time.isoformat())
    gain = np.float32(1 + draw.normal(0, 0.03))
    for band in refl:
        band *= gain
        band += draw.standard_normal(band.shape, np.float32) * np.float32(0.0035)
    xs, ys = surface.centres(moved)
    left, bottom, right, top = plan.bounds
    outside = ~(((ys > bottom) & (ys < top))[:, None] & ((xs > left) & (xs < right))[None, :])
    refl[:, outside] = np.nan
    return np.maximum(refl, 0.002, out=refl)


def _without_height(plan: Plan, grid: Grid, moment: Light, ground: surface.Labels) -> surface.Labels:
    """Paint the works that lie flat; what stands is drawn later, where the view puts it."""
    labels = ground.copy()
    first = len(plan.ground) + 1
    flat = [
        (w.shape, first + n)
        for n, w in enumerate(plan.works)
        if w.at(moment.day)[0] is not None and surface.standing_m(w, moment.day) == 0
    ]
    if flat:
        features.rasterize(flat, out=labels, transform=grid.transform)
    return labels


def _texture(plan: Plan, grid: Grid, rough: Field, refl: Field) -> None:
    xs, ys = surface.centres(grid)
    seed = fields.key(plan.scenario.seed, "half-metre texture")
    grain = fields.octaves(xs, ys, (18.0, 4.5, 1.3), seed)
    rough *= np.float32(1.5) * grain
    rough += 1
    refl *= np.clip(rough, 0.4, 1.9, out=rough)


def _crown_radius(parcel: Parcel, moment: Light) -> float:
    kind, age = parcel.at(moment.day)
    if kind == "palm":
        return CROWN_M
    if kind == "replanted":  # planted some months after felling, closed after six years
        return float(np.clip(0.5 + (age - 120) / 2000 * CROWN_M, 0.0, CROWN_M)) if age > 120 else 0.0
    return 0.0


def _palms(plan: Plan, grid: Grid, moment: Light, labels: surface.Labels, refl: Field) -> None:
    """Turn the mean of a stand into crowns with fronds, lit from the sun's side, and the dark between them."""
    radii = np.array([0.0, *(_crown_radius(p, moment) for p in (*plan.ground, *plan.works))], np.float32)
    planted = np.flatnonzero((radii[labels] > 0).any(axis=1))
    toward = math.radians(moment.azimuth_deg)
    for top in range(0, len(planted), 256):  # a strip at a time, to spare memory
        lines = planted[top : top + 256]
        rows = slice(int(lines[0]), int(lines[-1]) + 1)
        strip = grid.window((rows, slice(0, grid.shape[1])))
        radius = radii[labels[rows]]
        east, north, tree = _nearest_palm(plan, strip)
        distance = np.hypot(east, north)
        full = np.where(radius > 0, radius * (0.82 + 0.25 * tree), 1)
        near = distance / full
        fronds = np.cos(7 * np.arctan2(north, east) + 6.28 * tree)
        lit = (east * math.sin(toward) + north * math.cos(toward)) / full
        crown = np.clip((1.08 + 0.16 * fronds - near) * 5, 0, 1) * (radius > 0) * (tree > 0.03)
        shine = 1 + 0.42 * np.clip(lit, -1, 1) + 0.22 * fronds * near - 0.12 * (near < 0.15)
        dense = np.where(radius > 0, np.clip(radius / CROWN_M, 0, 1), 0)
        for n in range(len(refl)):
            between = 1 - dense * (1 - _GAP[n])
            refl[n, rows] *= between + crown * (_CROWN[n] * shine - between)


def _nearest_palm(plan: Plan, grid: Grid) -> tuple[Field, Field, Field]:
    """Return the offset (east, north) from the nearest palm in metres and that palm's own number, 0-1."""
    xs, ys = surface.centres(grid)
    turn = math.radians(plan.axis_deg)
    x, y = (xs - plan.origin[0])[None, :], (ys - plan.origin[1])[:, None]
    u = (x * math.cos(turn) + y * math.sin(turn)).astype(np.float32)
    v = (-x * math.sin(turn) + y * math.cos(turn)).astype(np.float32)
    first = np.floor(v / ROW_M).astype(np.int32)
    best: tuple[Field, Field, Field] | None = None
    seed = fields.key(plan.scenario.seed, "palms")
    for row in (first, first + 1):
        column = np.rint((u - (row % 2) * (SPACING_M / 2)) / SPACING_M).astype(np.int32)
        r0, c0 = row.min(), column.min()
        lines, places = np.arange(r0, row.max() + 1)[:, None], np.arange(c0, column.max() + 1)[None, :]
        at = (row - r0, column - c0)
        own = fields.hashed(places, lines, seed).astype(np.float32)[at]
        aside = (fields.hashed(places, lines, seed + 1).astype(np.float32)[at] - 0.5) * 1.6
        du = u - column * np.float32(SPACING_M) - (row % 2) * np.float32(SPACING_M / 2) - aside
        dv = v - row * np.float32(ROW_M) - (own - 0.5) * 1.4
        if best is None:
            best = du, dv, own
        else:
            nearer = du * du + dv * dv < best[0] ** 2 + best[1] ** 2
            best = np.where(nearer, du, best[0]), np.where(nearer, dv, best[1]), np.where(nearer, own, best[2])
    assert best is not None  # noqa: S101 - the loop ran twice
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    return best[0] * cos - best[1] * sin, best[0] * sin + best[1] * cos, best[2]


def _shade(plan: Plan, grid: Grid, moment: Light, labels: surface.Labels, frame: Polygon) -> NDArray[np.uint8]:
    """Return 1 where buildings, walls and stands of palms shade the ground."""
    dark = np.zeros(grid.shape, np.uint8)
    cast = surface.shadows((*plan.works, *plan.ground), moment, frame)
    if cast:
        features.rasterize(((s, 1) for s in cast), out=dark, transform=grid.transform)
    parcels = (*plan.ground, *plan.works)
    tall = np.array([False, *(_crown_radius(p, moment) > 3 or p.at(moment.day)[0] == "forest" for p in parcels)])[
        labels
    ]
    length = PALM_M / math.tan(math.radians(max(moment.elevation_deg, 10.0))) / PIXEL_M
    away = math.radians(moment.azimuth_deg + 180)
    rows, cols = round(-length * math.cos(away)), round(length * math.sin(away))
    for part in (0.5, 1.0):
        dark[_moved(tall, round(rows * part), round(cols * part)) & ~tall] = 1
    return dark


def _moved(mask: NDArray[np.bool_], rows: int, cols: int) -> NDArray[np.bool_]:
    out = np.zeros_like(mask)
    height, width = mask.shape
    if abs(rows) < height and abs(cols) < width:
        source = mask[max(0, -rows) : height - max(0, rows), max(0, -cols) : width - max(0, cols)]
        out[max(0, rows) : height - max(0, -rows), max(0, cols) : width - max(0, -cols)] = source
    return out


def _houses(
    plan: Plan, grid: Grid, moment: Light, scene: Pass, onto: tuple[Field, NDArray[np.uint8]], frame: Polygon
) -> None:
    """Draw what stands: its facade where the view sees it, then its roof, leaning away from the satellite."""
    refl, dark = onto
    lean = math.tan(math.radians(scene.view_zenith_deg))
    away = math.radians(scene.view_azimuth_deg + 180)
    facades: list[tuple[BaseGeometry, int]] = []
    roofs: list[tuple[BaseGeometry, int]] = []
    colours: list[NDArray[np.float32]] = [np.zeros(4, np.float32), _FACADE]
    look = surface.table((*plan.ground, *plan.works), moment)
    for n, parcel in enumerate((*plan.ground, *plan.works), start=1):
        height = surface.standing_m(parcel, moment.day)
        if height <= 0 or not parcel.shape.intersects(frame):
            continue
        dx, dy = height * lean * math.sin(away), height * lean * math.cos(away)
        facades += [(s, 1) for s in surface.swept(parcel.shape, dx, dy)] + [(parcel.shape, 1)]
        bright, dull = _slopes(parcel, moment)
        top = affinity.translate(parcel.shape, dx, dy)
        colour = look.optical[n, _INDEX]
        roofs += [(top, len(colours))]
        colours.append(colour * np.float32(dull))
        if parcel.group != "wall":
            roofs += [(_sunny_half(top, moment), len(colours))]
            colours.append(colour * np.float32(bright))
    drawn = np.zeros(grid.shape, np.uint16)
    if roofs:
        features.rasterize([*facades, *roofs], out=drawn, transform=grid.transform)
        on = drawn > 0
        refl[:, on] = np.array(colours, np.float32).T[:, drawn[on]]
        dark[drawn > 1] = 0


def _slopes(parcel: Parcel, moment: Light) -> tuple[float, float]:
    kind, _ = parcel.at(moment.day)
    return (1.08, 0.86) if kind and kind.startswith("roof") else (1.0, 1.0)


def _sunny_half(roof: BaseGeometry, moment: Light) -> BaseGeometry:
    """Return the half of a roof, along its ridge, whose slope faces the sun."""
    ring = outer_ring(roof.minimum_rotated_rectangle)[:4]
    sides = np.diff(np.vstack([ring, ring[:1]]), axis=0)
    long = int(np.hypot(*sides.T).argmax() % 2)
    middles = [(ring[long + 1] + ring[(long + 2) % 4]) / 2, (ring[long] + ring[(long + 3) % 4]) / 2]
    halves = [
        Polygon([ring[long], ring[long + 1], *middles]),
        Polygon([ring[(long + 3) % 4], ring[(long + 2) % 4], *middles]),
    ]
    sun_at = np.array([math.sin(math.radians(moment.azimuth_deg)), math.cos(math.radians(moment.azimuth_deg))])
    return max(
        (h.intersection(roof) for h in halves), key=lambda h: float(np.dot([h.centroid.x, h.centroid.y], sun_at))
    )
