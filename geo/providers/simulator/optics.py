"""A Sentinel-2-like scene: optics, sampling, sun, view, sky, noise, and the classes delivered with it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import erf

from geo.grid import Grid
from geo.providers.simulator import fields, surface, weather
from geo.providers.simulator.orbits import Pass, shift_m, sun
from geo.providers.simulator.plan import Plan, Scenario
from geo.providers.simulator.spectra import BANDS, WAVELENGTH_UM

PIXEL_M = 10.0
TEN_METRE = (0, 1, 2, 6)  # blue, green, red, nir; the rest is sampled at 20 m
TWENTY_METRE = (3, 4, 5, 7, 8, 9)
SPREAD_M = {10.0: 7.5, 20.0: 10.0}  # standard deviation of the optics' Gaussian, beside the detector's box
MARGIN_M = 70.0
# Noise: standard deviation = sqrt(floor² + (gain R)), about the stated signal-to-noise ratios plus processing residue.
NOISE_FLOOR = np.array([0.0011, 0.0010, 0.0010, 0.0011, 0.0012, 0.0012, 0.0014, 0.0012, 0.0011, 0.0011], np.float32)
NOISE_GAIN = 1.6e-5

Field = NDArray[np.float32]


class Look(NamedTuple):
    """What the sensor delivers.

    reflectance: float32 (10,row,col), NaN where the swath does not reach. classes: uint8 (row,col), SCL.
    """

    reflectance: Field
    classes: NDArray[np.uint8]


def render(plan: Plan, scene: Pass, grid: Grid) -> Look:
    """Return a pass over a grid of 10 m pixels (multiples of 10 m in the world's UTM zone)."""
    scenario = plan.scenario
    where = sun(scene.time, scenario.lon, scenario.lat)
    moment = surface.light(scenario, scene.time.date(), where)
    coarse = surface.cells_around(grid.bounds, 0.0, 20.0, scenario.epsg)
    cells = surface.cells_around(coarse.bounds, MARGIN_M, surface.CELL_M, scenario.epsg)
    ground = surface.terrain(scenario, cells).optical(moment)
    ground *= _illumination(scenario, scene, where)
    shift = shift_m(scenario, scene)
    fine = sample(ground[..., list(TEN_METRE)], cells, grid, PIXEL_M, shift)
    rough = sample(ground[..., list(TWENTY_METRE)], cells, coarse, 20.0, shift)
    refl = np.empty((len(BANDS), *coarse_shape(coarse)), np.float32)
    inside = _cut(coarse, grid)
    refl[list(TWENTY_METRE)] = doubled(rough)
    seen = np.ascontiguousarray(refl[:, inside[0], inside[1]])
    seen[list(TEN_METRE)] = fine
    seen *= _unevenness(scenario, scene, grid)
    seen, opacity, shade = _through_sky(scenario, scene, grid, seen, where)
    seen = _with_noise(plan, scene, grid, seen)
    covered = swath(plan, scene, grid)
    classes = _classes(scenario, scene, grid, seen, opacity, shade)
    classes[~covered] = 0
    seen[:, ~covered] = np.nan
    return Look(seen, classes)


def sample(cells: Field, source: Grid, target: Grid, pixel_m: float, shift: tuple[float, float]) -> Field:
    """Return (band,row,col): what detectors of `pixel_m` see of cells (row,col,band), content displaced by `shift`.

    The point spread is a Gaussian convolved with the pixel's square, exact per cell, separable. Sparse sums in a fixed
    order keep the bytes the same on every machine.
    """
    rows = _response(source, target, pixel_m, shift[0], axis=0)
    cols = _response(source, target, pixel_m, shift[1], axis=1)
    height, width, bands = cells.shape
    down = (rows @ cells.reshape(height, width * bands)).reshape(-1, width, bands)
    across = np.ascontiguousarray(down.transpose(1, 0, 2)).reshape(width, -1)
    seen = (cols @ across).reshape(target.shape[1], target.shape[0], bands)
    return np.ascontiguousarray(seen.transpose(2, 1, 0), np.float32)


def _response(source: Grid, target: Grid, pixel_m: float, shift: float, axis: int) -> sparse.csr_array:
    """Return target lines x source lines: the integral of the line spread over each cell, rows summing to 1."""
    sigma = SPREAD_M[pixel_m]
    start = (source.transform.f - target.transform.f) if axis == 0 else (target.transform.c - source.transform.c)
    middle = (np.arange(target.shape[axis]) + 0.5) * pixel_m + start - shift  # metres from the source's edge
    reach = pixel_m / 2 + 4 * sigma
    first = np.floor((middle - reach) / surface.CELL_M).astype(np.int64)
    lines = first[:, None] + np.arange(math.ceil(2 * reach / surface.CELL_M) + 2)
    spread = np.diff(_box_gauss_integral(lines * surface.CELL_M - middle[:, None], pixel_m / 2, sigma), axis=1)
    spread /= spread.sum(axis=1, keepdims=True)
    lines = np.clip(lines[:, :-1], 0, source.shape[axis] - 1)
    ends = np.arange(len(middle) + 1) * lines.shape[1]
    shape = (len(middle), source.shape[axis])
    return sparse.csr_array((spread.astype(np.float32).ravel(), lines.ravel(), ends), shape=shape)


def _box_gauss_integral(x: NDArray[np.float64], half: float, sigma: float) -> NDArray[np.float64]:
    """Integral up to x of a box of half-width `half` convolved with a Gaussian."""

    def ramp(u: NDArray[np.float64]) -> NDArray[np.float64]:
        z = u / sigma
        smooth: NDArray[np.float64] = 0.5 * u * (1 + erf(z / math.sqrt(2))) + sigma / math.sqrt(2 * math.pi) * np.exp(
            -z * z / 2
        )
        return smooth

    total: NDArray[np.float64] = (ramp(x + half) - ramp(x - half)) / (2 * half)
    return total


def doubled(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 20 m pixels as 10 m ones, each repeated."""
    return np.repeat(np.repeat(data, 2, axis=-2), 2, axis=-1)


def coarse_shape(coarse: Grid) -> tuple[int, int]:
    """Rows and columns of a 20 m grid in 10 m pixels."""
    return coarse.shape[0] * 2, coarse.shape[1] * 2


def _cut(coarse: Grid, grid: Grid) -> tuple[slice, slice]:
    row = round((coarse.transform.f - grid.transform.f) / PIXEL_M)
    col = round((grid.transform.c - coarse.transform.c) / PIXEL_M)
    return slice(row, row + grid.shape[0]), slice(col, col + grid.shape[1])


def _illumination(scenario: Scenario, scene: Pass, where: tuple[float, float]) -> Field:
    """Gain by band (10,): view and sun angle through the canopy's BRDF, and the residue of atmospheric correction."""
    draw = fields.rng(scenario.seed, "gain", scene.time.isoformat())
    canopy = np.array([0.5, 0.6, 0.6, 0.7, 0.9, 1.0, 1.0, 1.0, 0.8, 0.7])
    view = 0.055 if scene.orbit == 61 else 0.0
    season = 0.12 * (math.sin(math.radians(where[0])) - 0.84)
    residue = draw.normal(0, 0.012) + draw.normal(0, 0.006, len(BANDS))
    return np.asarray((1 + canopy * (view + season)) * (1 + residue), np.float32)


def _unevenness(scenario: Scenario, scene: Pass, grid: Grid) -> Field:
    """Gain (1,row,col) that no correction takes out and no other date shares: aerosol, dew, wind in the leaves."""
    xs, ys = surface.centres(grid)
    seed = fields.key(scenario.seed, "uneven", scene.time.isoformat()) >> 2
    size = float(fields.rng(scenario.seed, "uneven", scene.time.isoformat()).uniform(0.008, 0.022))
    return 1 + np.float32(size) * fields.octaves(xs, ys, (900.0, 250.0, 70.0), seed)[None]


def _through_sky(
    scenario: Scenario, scene: Pass, grid: Grid, refl: Field, where: tuple[float, float]
) -> tuple[Field, Field, Field]:
    over = weather.sky(scenario, scene)
    xs, ys = surface.centres(grid)
    opacity, shade = over.opacity(xs, ys), over.shade(xs, ys, where)
    return weather.through(refl, opacity, shade, over.veil(xs, ys), WAVELENGTH_UM), opacity, shade


def _with_noise(plan: Plan, scene: Pass, grid: Grid, refl: Field) -> Field:
    """Add sensor noise, drawn over the whole world so that two requests for one scene see the same."""
    frame = surface.cells_around(plan.bounds, 60.0, 20.0, plan.scenario.epsg)
    draw = fields.rng(plan.scenario.seed, "noise", scene.time.isoformat())
    inside = _cut(frame, grid)
    shape = coarse_shape(frame)
    for n in range(len(BANDS)):
        whole = draw.standard_normal(shape if n in TEN_METRE else frame.shape, np.float32)
        part = window(whole if n in TEN_METRE else doubled(whole), inside)
        refl[n] += part * np.sqrt(NOISE_FLOOR[n] ** 2 + NOISE_GAIN * np.maximum(refl[n], 0))
    return np.maximum(refl, 0.0, out=refl)


def window(whole: Field, part: tuple[slice, slice]) -> Field:
    """Return a window that may reach over the edge; zero there."""
    rows, cols = part
    out = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.float32)
    r0, r1 = max(rows.start, 0), min(rows.stop, whole.shape[0])
    c0, c1 = max(cols.start, 0), min(cols.stop, whole.shape[1])
    if r0 < r1 and c0 < c1:
        out[r0 - rows.start : r1 - rows.start, c0 - cols.start : c1 - cols.start] = whole[r0:r1, c0:c1]
    return out


def swath(plan: Plan, scene: Pass, grid: Grid) -> NDArray[np.bool_]:
    """Return which pixels lie inside the world and the swath; orbit 61 sees the world from its western edge."""
    xs, ys = surface.centres(grid)
    left, bottom, right, top = plan.bounds
    seen = ((ys > bottom) & (ys < top))[:, None] & ((xs > left) & (xs < right))[None, :]
    x, y = xs[None, :] - plan.origin[0], ys[:, None] - plan.origin[1]
    draw = fields.rng(plan.scenario.seed, "swath", scene.time.isoformat())
    if scene.orbit == 61:
        edge = fields.rng(plan.scenario.seed, "swath").uniform(-1900, 1900) + draw.normal(0, 60)
        seen &= x > edge - 0.21 * y
    elif draw.uniform() < 0.015:  # the end of a datastrip
        seen &= y > draw.uniform(-1200, 1200)
    return seen


def _classes(
    scenario: Scenario, scene: Pass, grid: Grid, refl: Field, opacity: Field, shade: Field
) -> NDArray[np.uint8]:
    """Classes are made at 20 m, from every second pixel of the 20 m lattice, and repeated."""
    coarse = surface.cells_around(grid.bounds, 0.0, 20.0, scenario.epsg)
    inside = _cut(coarse, grid)
    rows, cols = coarse_shape(coarse)
    row = np.clip(np.arange(0, rows, 2) - inside[0].start, 0, grid.shape[0] - 1)
    col = np.clip(np.arange(0, cols, 2) - inside[1].start, 0, grid.shape[1] - 1)
    pick = np.ix_(row, col)
    xs, ys = surface.centres(coarse)
    draw = fields.rng(scenario.seed, "classes", scene.time.isoformat())
    seed = fields.key(scenario.seed, "classes", scene.time.isoformat()) >> 2
    noise = fields.octaves(xs, ys, (450.0, 140.0, 60.0), seed), fields.smooth(xs, ys, 40.0, seed + 1)
    scl = weather.classify(refl[:, pick[0], pick[1]], opacity[pick], shade[pick], draw, noise)
    return np.ascontiguousarray(np.repeat(np.repeat(scl, 2, 0), 2, 1)[inside])
