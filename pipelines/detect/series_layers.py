"""A series map as the rasters that `publish` writes: score, p, direction, mask, and the days that bound each change."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geo.files.rasters import write_tiled
from geo.kernels import cover
from pipelines.detect.change_map import DATES, LAYERS, Calibration, ChangeMap, Direction
from pipelines.detect.series import SeriesMap

NOT_OBSERVED = 255
_TO = {
    (cover.VEGETATION, cover.BARE): Direction.VEGETATION_TO_BARE,
    (cover.VEGETATION, cover.BUILT): Direction.VEGETATION_TO_BUILT,
    (cover.BARE, cover.BUILT): Direction.BARE_TO_BUILT,
    (cover.BUILT, cover.BARE): Direction.BUILT_TO_BARE,
    (cover.BARE, cover.VEGETATION): Direction.BARE_TO_VEGETATION,
    (cover.BUILT, cover.VEGETATION): Direction.BUILT_TO_VEGETATION,
    (cover.BARE, cover.BARE): Direction.BARE_TO_BARE,
    (cover.BUILT, cover.BUILT): Direction.BUILT_TO_BUILT,
}


def write_layers(seen: SeriesMap, folder: Path) -> ChangeMap:
    """Write `score.tif`, `mask.tif` and `dates.tif` of a series into a run's work folder, and return them as a map.

    `score` is -log10 of p. The mask holds the pieces that are large enough; pixels that were never judged are 255.
    """
    grid, breaks = seen.grid, seen.breaks
    observed = np.isfinite(seen.p)
    first_day = np.where(breaks.first >= 0, seen.days[np.maximum(breaks.first, 0)], np.nan)
    last_day = np.where(breaks.unchanged >= 0, seen.days[np.maximum(breaks.unchanged, 0)], np.nan)
    mask = np.where(observed, np.uint8(0), np.uint8(NOT_OBSERVED))
    settings = seen.settings
    for piece in seen.changed_pieces():
        mask[piece.window][piece.inside] = 1
    with np.errstate(divide="ignore"):
        score = np.minimum(-np.log10(seen.p), np.float32(300))
    layers = np.stack([score, seen.p, np.where(observed, _directions(seen), np.float32(np.nan))]).astype(np.float32)
    dates = np.stack([np.floor(first_day), np.floor(last_day), breaks.clear]).astype(np.float32)
    whole = (slice(0, grid.shape[0]), slice(0, grid.shape[1]))
    for name, bands, data in (("score", LAYERS, layers), ("dates", DATES, dates)):
        write_tiled(folder / f"{name}.tif", grid, [(whole, data)], names=bands, dtype="float32", nodata=math.nan)
    write_tiled(folder / "mask.tif", grid, [(whole, mask)], names=("change",), dtype="uint8", nodata=NOT_OBSERVED)
    p = float(np.exp(-seen.null.evidence(np.array([seen.z_threshold]))[0]))
    area = grid.pixel_area_m2
    return ChangeMap(
        grid=grid,
        layers=folder / "score.tif",
        mask=folder / "mask.tif",
        dates=folder / "dates.tif",
        objects=(),
        calibration=Calibration(
            method="", fdr=0.0, p_strong=p, p_weak=p, min_area_px=settings.min_area_px,
            min_area_m2=None if area is None else settings.min_area_px * area, expected_false_objects=0.0,
            observed_px=int(np.count_nonzero(observed)), flagged_px=int(np.count_nonzero(mask == 1)),
        ),
        method="",
        parameters={"settings": asdict(settings)},
    )  # fmt: skip


def _directions(seen: SeriesMap) -> NDArray[np.float32]:
    """Direction codes of changed pixels, from the covers of the values before and after; 0 elsewhere."""
    out = np.zeros(seen.grid.shape, np.float32)
    changed = seen.changed
    if seen.unit == "linear-power":
        brighter = np.nanmean(seen.breaks.after[:, changed] - seen.breaks.before[:, changed], axis=0) > 0
        out[changed] = np.where(brighter, Direction.BRIGHTER, Direction.DARKER)
        return out
    one, other = (cover.classes(look[:, changed][:, None, :], seen.bands)[0] for look in (
        seen.breaks.before, seen.breaks.after,
    ))  # fmt: skip
    named = np.full(one.shape, Direction.OTHER, np.float32)
    for (before, after), direction in _TO.items():
        named[(one == before) & (other == after)] = direction
    named[(other == cover.WATER) & (one != cover.WATER)] = Direction.TO_WATER
    named[(one == cover.WATER) & (other != cover.WATER)] = Direction.FROM_WATER
    out[changed] = named
    return out
