"""How much of a place a scene shows, told by its own pixels and mask, before anything is compared."""

from __future__ import annotations

import numpy as np
from shapely.geometry.base import BaseGeometry

from geo.errors import InputError
from geo.grid import Grid
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
    rows, cols = file.grid.shape
    if ground is not None and file.grid.crs is None:
        raise InputError(f"{record.path.name} has no georeference, so it cannot be laid over the site.")
    polygon = None if ground is None else to_grid(ground, file.grid)
    clear = covered = 0.0
    for top in range(0, rows, STRIP):
        strip = (slice(top, min(top + STRIP, rows)), slice(0, cols))
        if polygon is None:
            hidden = file.read_flags(strip) & HIDING
            clear, covered = clear + np.count_nonzero(hidden == 0), covered + hidden.size
            continue
        part = coverage(polygon, file.grid.window(strip))
        if part is not None:
            (inner, across), weights = part
            flags = file.read_flags((slice(top + inner.start, top + inner.stop), across)) & HIDING
            clear, covered = clear + weights[flags == 0].sum(), covered + weights.sum()
    total = covered if polygon is None else _area_px(polygon, file.grid)
    return float(min(1.0, clear / total)) if total else 0.0


def _area_px(polygon: BaseGeometry, grid: Grid) -> float:
    return float(polygon.area / abs(grid.transform.determinant))
