"""The perimeter monitor: is there a line along the drawn perimeter, how much of it, since when, and how sure.

At 10 m nobody sees masonry. What shows is the line that a wall makes: its shadow, its track, its cleared strip,
integrated along hundreds of metres. Every claim is judged against the same line moved over ground where nothing was
built; what could not have been seen is `not observable`, never absent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.kernels import perimeter as kernel
from geo.sites import Perimeter
from geo.tiles import PixelSource
from pipelines.detect import wall_evidence
from pipelines.detect.wall_decide import FINEST_LINES_M, Limits, blind, decide
from pipelines.detect.wall_evidence import fewest_lines
from pipelines.detect.wall_lines import Ruler, lay_out, sample
from pipelines.detect.wall_seen import SegmentSeen, WallSeen, WallSettings

__all__ = ["SegmentSeen", "WallSeen", "WallSettings", "watch_wall"]
COARSEST_M = 35.0
RIDGES_M = (1.0, 1.5)  # to both sides: a wall or its shadow is narrower than two of them, a track is not
MOST_FINE_LINES = 200


def watch_wall(
    layers: Sequence[PixelSource],
    times: Sequence[datetime],
    perimeter: Perimeter,
    *,
    gsd_m: float,
    settings: WallSettings,
    controls: Sequence[BaseGeometry] = (),
    avoid: BaseGeometry | None = None,
    executor: Executor | None = None,
) -> WallSeen:
    """Judge the perimeter over a series of one sensor.

    Args:
        layers: one per date, same grid (with georeference) and bands, reflectance; NaN where not honestly seen.
        times: rising, one per layer. Two are enough.
        perimeter: the drawn line, lon/lat.
        gsd_m: what the sensor resolves.
        settings: see `WallSettings`.
        controls: unchanged ground, lon/lat polygons; moved lines on it are taken first.
        avoid: ground not to be taken as unchanged (the site, known works), lon/lat.
        executor: threads, processes or Dask; no output depends on it.

    Returns:
        What was seen. Too few dates, too coarse pixels, no unchanged ground: `observable` is False and says why.

    Raises:
        ValueError: layers and times do not match, grids differ, or there is no georeference.
    """
    grid = _grid(layers, times)
    fine = gsd_m <= FINEST_LINES_M
    ruler = _ruler(gsd_m, settings, fine)
    reach = settings.reach_m / 2 if fine else settings.reach_m
    most = min(settings.lines, MOST_FINE_LINES) if fine else settings.lines
    layout = lay_out(perimeter, grid, ruler, ground=(controls, avoid), lines=most, reach_m=reach)
    unseen = partial(blind, layout, fine)
    if gsd_m > COARSEST_M:
        return unseen(f"at {gsd_m:g} m the line of a wall cannot be told from the ground beside it")
    if not fine and (len(layers) < 2 or (settings.before or 1) >= len(layers)):
        return unseen(f"one date (or epoch) at {gsd_m:g} m cannot tell a wall from any other line")
    few = "only {} lines over unchanged ground fit around the perimeter; {} are needed to judge it"
    lines, fewest = len(layout.moves) - 1, max(settings.fewest, fewest_lines(settings.alpha))
    if lines < fewest:
        return unseen(few.format(lines, fewest))
    samples = [sample(layer, layout, visible=fine, executor=executor) for layer in layers]
    seen = _seen(samples)
    if fine:
        response = np.stack([_ridges(s, ruler, settings) for s in samples])
        evidence = wall_evidence.fine_evidence(response, layout.side, settings.before)
    else:
        contrast = np.stack([_contrast(s) for s in samples])
        evidence = wall_evidence.coarse_evidence(contrast, layout.side, layout.near, settings.before)
    if evidence is None or not np.isfinite(evidence.scores.whole[0]):
        return unseen("the perimeter, or too much of the ground around it, was not seen on enough dates", seen)
    if evidence.scores.lines < fewest:
        return unseen(few.format(evidence.scores.lines, fewest), seen)
    return decide(evidence, layout, seen, Limits.of(evidence, samples[0][0], gsd_m, settings), settings)


def _grid(layers: Sequence[PixelSource], times: Sequence[datetime]) -> Grid:
    if not layers or len(layers) != len(times):
        raise ValueError(f"{len(layers)} layers do not match {len(times)} times")
    if any(b <= a for a, b in itertools.pairwise(times)):
        raise ValueError("times must rise")
    grid = layers[0].grid
    if any(layer.grid != grid for layer in layers[1:]):
        raise ValueError("all layers must share one grid")
    if grid.crs is None:
        raise ValueError("a perimeter needs a grid with georeference")
    return grid


def _ruler(gsd_m: float, settings: WallSettings, fine: bool) -> Ruler:
    if fine:
        far = settings.search_m + 4.0
        offsets = np.arange(-far, far + gsd_m / 2, gsd_m)
        single = tuple((float(u),) for u in offsets)
        return Ruler(segment_m=settings.segment_m, pieces=6, along_m=max(gsd_m, 0.5), bins=single)
    on, near, far = 0.25 * gsd_m, 1.5 * gsd_m, 2.5 * gsd_m
    beside = (near, (near + far) / 2, far)
    bins = ((-on, 0.0, on), tuple(-u for u in beside), beside)
    return Ruler(segment_m=settings.segment_m, pieces=1, along_m=gsd_m / 2, bins=bins)


def _contrast(sampled: NDArray[np.float32]) -> NDArray[np.float64]:
    """(line, segment, 1, 3, band) to the contrast (line, segment, band)."""
    on, inside, outside = np.moveaxis(sampled[:, :, 0].astype(np.float64), 2, 0)
    return kernel.line_contrast(on, inside, outside)[0]


def _ridges(sampled: NDArray[np.float32], ruler: Ruler, settings: WallSettings) -> NDArray[np.float64]:
    """(line, segment, piece, offset, 1) to the ridge response (line, segment)."""
    profile = sampled[..., 0].astype(np.float64)
    offsets = np.array([b[0] for b in ruler.bins])
    step = float(offsets[1] - offsets[0])
    within = np.flatnonzero(np.abs(offsets) <= settings.search_m + 1e-6)
    pieces = profile.shape[2]
    texture = np.sqrt(np.maximum(profile.var(axis=2, ddof=1).mean(axis=-1), 0) / pieces)
    reaches = tuple(sorted({max(1, round(m / step)) for m in RIDGES_M}))
    return kernel.ridge_response(profile.mean(axis=2), texture, reaches, slice(int(within[0]), int(within[-1]) + 1))


def _seen(samples: list[NDArray[np.float32]]) -> NDArray[np.bool_]:
    """(time, segment): which dates show which segment of the perimeter."""
    return np.stack([np.isfinite(s[0]).all(axis=(1, 2, 3)) for s in samples])
