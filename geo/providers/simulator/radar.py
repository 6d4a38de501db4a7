"""A Sentinel-1-like scene: VV and VH gamma nought, speckle, and corners that shine where a facade faces the radar."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geo.grid import Grid
from geo.providers.simulator import fields, optics, surface
from geo.providers.simulator.orbits import Pass, shift_m, sun
from geo.providers.simulator.plan import Plan, outer_ring
from geo.providers.simulator.surface import Light

BANDS = ("vv", "vh")
PIXEL_M = 10.0
LOOKS = 4
CORNER = np.array([0.125, 0.022])  # power a metre of facade adds to its 5 m cell, per metre of height, at right angles
_GAIN_DB = {26: 0.0, 91: -0.7}  # incidence differs between the orbits
_CORRELATION_PX = 0.55  # the resolution is coarser than the pixel

Field = NDArray[np.float32]


def render(plan: Plan, scene: Pass, grid: Grid) -> Field:
    """Return linear power float32 (2,row,col) on a grid of 10 m pixels; NaN outside the world."""
    scenario = plan.scenario
    moment = surface.light(scenario, scene.time.date(), sun(scene.time, scenario.lon, scenario.lat))
    cells = surface.cells_around(grid.bounds, optics.MARGIN_M, 10.0, scenario.epsg)
    cells = Grid.around(cells.bounds, scenario.epsg, surface.CELL_M)
    power = surface.terrain(scenario, cells).radar(moment)
    power = power + _corners(plan, scene, cells, moment)
    seen = optics.sample(power.astype(np.float32), cells, grid, PIXEL_M, shift_m(scenario, scene))
    draw = fields.rng(scenario.seed, "speckle", scene.time.isoformat())
    decibel = _GAIN_DB[scene.orbit] + draw.normal(0, 0.12)
    seen *= _speckle(plan, grid, draw) * np.float32(10 ** (decibel / 10))
    xs, ys = surface.centres(grid)
    left, bottom, right, top = plan.bounds
    seen[:, ~(((ys > bottom) & (ys < top))[:, None] & ((xs > left) & (xs < right))[None, :])] = np.nan
    return np.asarray(seen, np.float32)


def _speckle(plan: Plan, grid: Grid, draw: np.random.Generator) -> Field:
    """Multi-look speckle: the mean of `LOOKS` squared moduli of correlated complex Gaussians, mean 1.

    Each pixel is gamma distributed with shape `LOOKS` (Goodman 1976); neighbours are correlated as where a 20 m
    resolution is sampled at 10 m.
    """
    frame = Grid.around(plan.bounds, plan.scenario.epsg, PIXEL_M).pad(6)
    total = np.zeros((2, *frame.shape), np.float32)
    for part in draw.standard_normal((2 * LOOKS, 2, *frame.shape), np.float32):
        total += ndimage.gaussian_filter(part, (0, _CORRELATION_PX, _CORRELATION_PX), truncate=3, mode="wrap") ** 2
    taps = ndimage.gaussian_filter1d(np.eye(1, 15, 7)[0], _CORRELATION_PX, truncate=3)
    total /= np.float32(2 * LOOKS * np.sum(taps**2) ** 2)
    row = round((frame.transform.f - grid.transform.f) / PIXEL_M)
    col = round((grid.transform.c - frame.transform.c) / PIXEL_M)
    part = slice(row, row + grid.shape[0]), slice(col, col + grid.shape[1])
    return np.stack([optics.window(band, part) for band in total])


def _corners(plan: Plan, scene: Pass, cells: Grid, moment: Light) -> Field:
    """Return the double bounce between ground and facade, (row,col,2), on 5 m cells.

    A facade answers where it faces the radar; the answer falls as a Gaussian of 16 degrees as it turns aside.
    """
    power = np.zeros((*cells.shape, 2), np.float32)
    toward = math.radians(scene.view_azimuth_deg)
    sensor = np.array([math.sin(toward), math.cos(toward)])
    left, top = cells.transform.c, cells.transform.f
    for parcel in (*plan.works, *(p for p in plan.ground if p.height_m > 0)):
        height = surface.standing_m(parcel, moment.day)
        if height <= 0:
            continue
        for a, b in pairwise(outer_ring(parcel.shape)):
            along = b - a
            length = float(np.hypot(*along))
            if length < 1.0:
                continue
            outward = np.array([along[1], -along[0]]) / length
            facing = float(outward @ sensor)
            if facing <= 0:
                continue
            aside = math.degrees(math.acos(min(facing, 1.0)))
            strength = height * (math.exp(-0.5 * (aside / 16) ** 2) + 0.04) * facing
            steps = a + (np.arange(0.5, length)[:, None] / length) * along + outward
            row = np.floor((top - steps[:, 1]) / surface.CELL_M).astype(int)
            col = np.floor((steps[:, 0] - left) / surface.CELL_M).astype(int)
            inside = (row >= 0) & (row < cells.shape[0]) & (col >= 0) & (col < cells.shape[1])
            np.add.at(power, (row[inside], col[inside]), (CORNER * strength).astype(np.float32))
    return power
