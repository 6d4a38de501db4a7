"""How much of a place a scene shows, told by its own pixels and mask, before anything is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.errors import InputError
from geo.grid import Grid, Window
from geo.scene import SceneRecord
from geo.zones import coverage, to_grid
from pipelines.prepare.looks import HIDING, look_at
from pipelines.prepare.settings import PrepareSettings

STRIP = 1024


def share_clear(record: SceneRecord, ground: BaseGeometry | None, settings: PrepareSettings) -> float:
    """Share of a longitude, latitude polygon (None: of the whole image) that is clear in a kept scene, 0-1.

    Ground beyond the image's edge counts as not clear. Raises InputError where the file is no usable image, or has no
    georeference although a place is asked about.
    """
    file = look_at(record, settings).file
    if ground is None:
        height, width = file.grid.shape
        strips = ((rows, slice(0, width)) for rows in _strips(file.grid))
        clear = sum(np.count_nonzero((file.read_flags(strip) & HIDING) == 0) for strip in strips)
        return clear / (height * width)
    if file.grid.crs is None:
        raise InputError(f"{record.path.name} has no georeference, so it cannot be laid over the site.")
    return share_over(ground, file.grid, lambda window: (file.read_flags(window) & HIDING) == 0)


def share_over(ground: BaseGeometry, grid: Grid, clear: Callable[[Window], NDArray[np.bool_]]) -> float:
    """Share of a longitude, latitude polygon that `clear` (row, col of a window of the grid) holds for, 0-1."""
    polygon = to_grid(ground, grid)
    found = 0.0
    for rows in _strips(grid):
        part = coverage(polygon, grid.window((rows, slice(0, grid.shape[1]))))
        if part is not None:
            (inner, across), weights = part
            found += weights[clear((slice(rows.start + inner.start, rows.start + inner.stop), across))].sum()
    area_px = polygon.area / abs(grid.transform.determinant)
    return float(min(1.0, found / area_px)) if area_px else 0.0


def _strips(grid: Grid) -> Iterator[slice]:
    return (slice(top, min(top + STRIP, grid.shape[0])) for top in range(0, grid.shape[0], STRIP))
