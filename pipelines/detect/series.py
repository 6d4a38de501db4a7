"""The stage for a series: many looks in, one break and one state per pixel and date out.

1. a lattice sample of all looks fits what is common to the scene: the reference that takes out season and haze;
2. every pixel gets its break, and on every date a state (old, new, cannot tell, not seen) and a land cover;
3. the strongest excursion of ground that is held to be unchanged gives the chance that a score is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from math import ceil, log2, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.files.atomic import writing
from geo.files.mapping import mapped
from geo.grid import Grid, Tile
from geo.kernels import cover, sar_track, sar_windows, series, threshold
from geo.tiles import map_tiles
from geo.zones import coverage
from pipelines.detect.pieces import Piece, pieces, sharpened
from pipelines.detect.series_settings import SeriesDetectSettings
from pipelines.detect.speckle import Speckle, squares
from pipelines.prepare import Cube, Series

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

CUBE_BYTES = 64_000_000
NULL_FLOOR = 0.1
DECADE = 0.4343  # scale of -log10 of a chance that is what it says
ENOUGH_NULL = 400
STEPS = sar_track.Rules(least_db=1.5)  # a square at the edge of a site shows a part of the step
CLASSES = 8  # codes of a date are state * CLASSES + land cover + 1
NOT_SEEN, OLD, NEW, UNCLEAR = range(4)


@dataclass(frozen=True, kw_only=True)
class SeriesMap:
    """What happened to every pixel of a grid, and what every date shows of it.

    Attributes:
        grid: the pixels; times, in days since 1970-01-01, and scene_ids: one a look, rising.
        breaks: see `geo.kernels.series.Breaks`, whole arrays.
        p: (row, col) chance that unchanged ground reaches this score somewhere in the series; NaN not observed.
        codes: uint8 file (time, row, col), `state_of` and `cover_of` decode it.
        looks_clear: (time,) share of the ground asked about that is clear on each date, 0-1.
        z_threshold: score from which a break is believed: standard deviations, for radar -log10 of a chance.
        null: law of the score on unchanged ground; null_px: how many pixels it rests on; null_from: which ground.
        unit, bands: of the looks.
        square_px: side of the squares over which radar was averaged; 1 for optical looks.
    """

    grid: Grid
    days: NDArray[np.float64]
    scene_ids: tuple[str, ...]
    breaks: series.Breaks
    p: Float32
    codes: Path
    looks_clear: NDArray[np.float64]
    z_threshold: float
    null: threshold.ExponentialTail
    null_px: int
    null_from: str
    unit: str
    bands: tuple[str, ...]
    settings: SeriesDetectSettings
    square_px: int = 1

    def read_codes(self, window: tuple[slice, slice]) -> UInt8:
        """Codes (time, row, col) of a window."""
        return np.array(np.load(self.codes, mmap_mode="r")[:, window[0], window[1]])

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Pixels with a confirmed break that is strong enough."""
        return np.asarray((self.breaks.confirmed >= 0) & (self.breaks.score >= self.z_threshold))

    def changed_pieces(self) -> list[Piece]:
        """The pieces of change that are large enough, without edge pixels of which less than half changed."""
        breaks, settings = self.breaks, self.settings
        day = np.where(breaks.first >= 0, self.days[np.maximum(breaks.first, 0)], np.nan)
        since = None
        if self.unit == "linear-power":  # speckle: the dates of neighbours differ by chance
            since = np.where(breaks.unchanged >= 0, self.days[np.maximum(breaks.unchanged, 0)], np.nan)
        found = pieces(self.changed, day, link_days=settings.link_days, min_px=settings.min_area_px, since=since)
        change = breaks.after - breaks.before
        return [sharpened(piece, change, min_px=settings.min_area_px) for piece in found]

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """Pixels with an excursion at the end of the series that too few dates have confirmed yet."""
        return np.asarray((self.breaks.candidate >= 0) & ~self.changed)


def state_of(codes: UInt8) -> UInt8:
    """NOT_SEEN, OLD, NEW or UNCLEAR (clear, but cannot tell old from new)."""
    return codes // np.uint8(CLASSES)


def cover_of(codes: UInt8) -> NDArray[np.int8]:
    """Land cover as in `geo.kernels.cover`."""
    return np.asarray((codes % np.uint8(CLASSES)).astype(np.int8) - 1, np.int8)


def detect_series(
    looks: Series,
    *,
    folder: Path,
    ground: BaseGeometry,
    unchanged: Sequence[BaseGeometry],
    settings: SeriesDetectSettings,
    executor: Executor | None = None,
) -> SeriesMap:
    """Find for every pixel when it began to differ for good, and what every date shows of it.

    Args:
        looks: the series, prepared.
        folder: an existing folder of this run; `codes.npy` is written into it.
        ground: polygon, in the grid's coordinates, that the run is about; its clear share is told for every date.
        unchanged: polygons, in the grid's coordinates, of ground held to be unchanged (controls); where they are too
            few, all ground outside `ground` stands in, read so that up to 30 % of it may have changed.
        settings: see `SeriesDetectSettings`.
        executor: threads, processes or Dask; None works in this thread. No output depends on it.
    """
    days = np.array([t.timestamp() / 86400 for t in looks.times])
    radar = looks.unit == "linear-power"
    groups = np.array(looks.groups)
    rule = settings.rule()
    side = _tile_px(len(days), len(looks.bands))
    speckle = None
    if radar:
        sample, speckle = squares(looks.cube, groups, settings.sample_px, side, executor)
    else:
        sample = _sample(looks.cube, settings.sample_px)
    reference = series.fit_reference(sample, days, groups, rule)
    grey = np.full(len(days), cover.REDNESS_SOIL) if radar else cover.grey_below(sample, looks.bands)
    work = partial(_tile, _Facts(days, groups, looks.bands, speckle, grey), reference, rule)
    shape = (len(days), *looks.grid.shape)
    path = folder / "codes.npy"
    with writing(path):
        codes = mapped(path, shape, np.uint8)
    parts: list[Any] = []
    where = []
    halo = speckle.radius_px if speckle is not None else 0
    for tile, (breaks, part) in map_tiles(
        work, looks.cube, executor=executor, tiles=looks.grid.tiles(side, halo), trim=False
    ):
        codes[:, tile.core[0], tile.core[1]] = part[:, tile.trim[0], tile.trim[1]]
        parts.append(_cut(breaks, tile))
        where.append(tile.core)
    codes.flush()
    whole = _joined(parts, where, looks.grid.shape)
    null, count, told = _null(whole, looks.grid, ground, unchanged, floor=DECADE if radar else NULL_FLOOR)
    site_px = covered(looks.grid, [ground])
    years = max(float(days[-1] - days[0]) / 365.25, 0.1)
    threshold_z = _threshold(null, float(np.count_nonzero(site_px)), years, settings, radar=radar)
    with np.errstate(invalid="ignore"):
        p = np.exp(-null.evidence(whole.score)).astype(np.float32)
    seen = np.array([float(np.mean(_clear(codes[t], site_px))) for t in range(shape[0])])
    return SeriesMap(
        grid=looks.grid, days=days, scene_ids=tuple(look.record.scene.id for look in looks.looks), breaks=whole, p=p,
        codes=path, looks_clear=seen, z_threshold=threshold_z, null=null, null_px=count, null_from=told,
        unit=looks.unit, bands=looks.bands, settings=settings, square_px=2 * halo + 1,
    )  # fmt: skip


class _Facts(NamedTuple):
    """What all tiles share; `grey`: (time,) of `cover.grey_below`; `speckle`: None for optical looks."""

    days: NDArray[np.float64]
    groups: NDArray[np.int64]
    bands: tuple[str, ...]
    speckle: Speckle | None
    grey: NDArray[np.float64]


def _tile(
    facts: _Facts,
    reference: series.Reference,
    rule: series.SeriesSettings,
    flat: Float32,
) -> tuple[series.Breaks, UInt8]:
    days, groups, bands, speckle, grey = facts
    cube = flat.reshape(len(days), len(bands), *flat.shape[1:])
    if speckle is not None:
        cube = sar_windows.averaged_db(cube, speckle.radius_px)
    breaks = series.monitor(cube, days, groups, reference, rule)
    states = series.states(cube, days, groups, reference, breaks, rule).astype(np.uint8)
    if speckle is None:
        land = cover.classes(cube, bands, grey)
    else:
        shared = sar_windows.Looks(days, groups, speckle.looks, speckle.scene, STEPS)
        breaks, states = sar_windows.lasting_steps(cube, shared, breaks, states)
        land = np.where(np.isfinite(cube).all(axis=1), np.int8(cover.OTHER), np.int8(cover.UNSEEN))
    return breaks, (states * np.uint8(CLASSES) + (land + 1).astype(np.uint8)).astype(np.uint8)


def _cut(breaks: series.Breaks, tile: Tile) -> series.Breaks:
    """The part of a tile's breaks that is its own."""
    cut: dict[str, Any] = {
        name: np.ascontiguousarray(value[..., tile.trim[0], tile.trim[1]]) for name, value in vars(breaks).items()
    }
    return series.Breaks(**cut)


def _sample(cube: Cube, most: int) -> Float32:
    """Pixels (n, time, band) on a lattice of the grid itself, so that no tile size shows in it."""
    rows, cols = cube.grid.shape
    thin = cube.thinned(max(1, ceil(sqrt(rows * cols / most))))
    return np.ascontiguousarray(np.moveaxis(thin.reshape(*thin.shape[:2], -1), 2, 0))


def _tile_px(times: int, bands: int) -> int:
    """Side of the tiles: as large as the memory of a cube allows, a power of two."""
    return int(np.clip(2 ** int(log2(sqrt(CUBE_BYTES / (4 * times * bands)))), 32, 512))


def _joined(parts: list[Any], where: list[tuple[slice, slice]], shape: tuple[int, int]) -> series.Breaks:
    """One Breaks of the whole grid."""
    whole: dict[str, NDArray[Any]] = {}
    for name, first in vars(parts[0]).items():
        whole[name] = np.empty((*first.shape[:-2], *shape), first.dtype)
        for part, (rows, cols) in zip(parts, where, strict=True):
            whole[name][..., rows, cols] = getattr(part, name)
    return series.Breaks(**whole)


def covered(grid: Grid, polygons: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
    """Pixels (row, col) that lie mostly in any of the polygons, which are in the grid's coordinates."""
    out = np.zeros(grid.shape, bool)
    for polygon in polygons:
        part = coverage(polygon, grid)
        if part is not None:
            out[part.window] |= part.weights >= 0.5
    return out


def _null(
    breaks: series.Breaks, grid: Grid, ground: BaseGeometry, unchanged: Sequence[BaseGeometry], *, floor: float
) -> tuple[threshold.ExponentialTail, int, str]:
    """The law of the largest score over the years on ground that is held to be unchanged."""
    told = "the control areas"
    inside = covered(grid, unchanged)
    values = breaks.z_max[inside & np.isfinite(breaks.z_max)]
    if values.size < ENOUGH_NULL:
        told = "all ground outside the site, of which up to 30 % may have changed"
        outside = ~covered(grid, [ground])
        values = breaks.z_max[outside & np.isfinite(breaks.z_max)]
    if values.size < ENOUGH_NULL:
        told = "all ground of the image, of which up to 30 % may have changed"
        values = breaks.z_max[np.isfinite(breaks.z_max)]
    return threshold.fit_exponential_tail(values, floor=floor), int(values.size), told


def _threshold(
    null: threshold.ExponentialTail, site_px: float, years: float, settings: SeriesDetectSettings, *, radar: bool
) -> float:
    """Score at which chance makes no more pieces than asked for.

    If N pixels reach a score with probability p, at most N p / A pieces of A pixels can be expected, whatever the
    correlation between neighbours (Markov's inequality).
    """
    least = settings.least_radar_score if radar else settings.least_score
    p = settings.false_alarms_per_site_year * years * settings.min_area_px / max(site_px, 1.0)
    return max(least, null.quantile(p))


def _clear(codes: UInt8, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(state_of(codes[inside]) != NOT_SEEN) if inside.any() else np.zeros(1, bool)
