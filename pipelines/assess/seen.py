"""What a change map shows within a polygon, read in strips so that the size of the image does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.files.rasters import describe
from geo.grid import Window
from geo.zones import coverage
from pipelines.detect import ChangeMap
from pipelines.detect.change_map import LAYERS

STRIP = 1024
SAME_GROUND = 0.5  # a pixel belongs to a zone if at least this share of it does


@dataclass(frozen=True)
class ZoneSeen:
    """A polygon's share of a change map.

    Attributes:
        area_px: pixels (with fractions) of the polygon on the grid.
        observed_fraction: share of them seen on both dates, 0-1.
        changed_fraction: share of the observed ones that are called change, 0-1; None where none was observed.
        p: false-alarm probability of the zone as a whole; None where none was observed.
    """

    area_px: float
    observed_fraction: float
    changed_fraction: float | None
    p: float | None


def zone_seen(polygon: BaseGeometry, change_map: ChangeMap) -> ZoneSeen:
    """Weigh observed and changed pixels by how much of each the polygon (grid coordinates) covers."""
    area = observed = changed = 0.0
    values: list[NDArray[np.float32]] = []
    for weights, p, mask in _strips(polygon, change_map):
        seen = np.isfinite(p)
        area += weights.sum()
        observed += weights[seen].sum()
        changed += weights[seen & (mask == 1)].sum()
        values.append(p[seen & (weights >= SAME_GROUND)])
    if observed == 0:
        return ZoneSeen(area, 0.0, None, None)
    return ZoneSeen(area, observed / area, changed / observed, simes(np.concatenate(values)))


def simes(p: NDArray[np.float32]) -> float | None:
    """Probability that the smallest of several p-values arise by chance (Simes 1986); None for no values.

    It holds under the positive dependence that neighbouring pixels have.

    >>> round(simes(np.array([0.01, 0.2, 0.9], np.float32)), 4)
    0.03
    """
    if p.size == 0:
        return None
    ordered = np.sort(p.astype(np.float64))
    return float(min(1.0, (ordered * p.size / np.arange(1, p.size + 1)).min()))


def _strips(
    polygon: BaseGeometry, change_map: ChangeMap
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]]:
    layers = describe(change_map.layers, bands=LAYERS, scale=1, offset=0)
    mask = describe(change_map.mask, bands=("change",), scale=1, offset=0)
    rows, cols = change_map.grid.shape
    for top in range(0, rows, STRIP):
        strip = (slice(top, min(top + STRIP, rows)), slice(0, cols))
        covered = coverage(polygon, change_map.grid.window(strip))
        if covered is None:
            continue
        inner_rows, inner_cols = covered.window
        window: Window = (slice(top + inner_rows.start, top + inner_rows.stop), inner_cols)
        yield covered.weights, layers.select(("p",)).read(window)[0], mask.read(window)[0]
