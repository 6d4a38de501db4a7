"""Control areas chosen by rule where a site names none: ground of the same kind around it, whatever became of it.

Nothing of the later looks enters the choice, so that ground that changed is not left out and the rate not flattered.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from geo.sites import Control
from geo.zones import to_lonlat
from pipelines.detect.series import SeriesMap, cover_of

MOST, FEWEST_PX = 8, 100
APART_M = 100.0
FIRST_LOOKS = 4
SAME_KIND = 0.6


def chosen_controls(seen: SeriesMap, inside: NDArray[np.bool_]) -> tuple[Control, ...]:
    """Up to eight squares of a quarter of the site's area each, the nearest first, on ground like the site's own.

    A square counts where at least 60 % of its pixels had, on the first clear looks, the land cover that was the
    commonest inside the site, and where it keeps 100 m from it.

    Args:
        seen: the series, of which only the first looks are read.
        inside: (row, col) pixels of the site.

    Returns:
        The squares as controls, `auto-1` the nearest; none where the image shows no such ground.
    """
    pixel = seen.grid.pixel_area_m2
    if pixel is None or not inside.any() or inside.all():
        return ()
    side = max(int(np.sqrt(max(np.count_nonzero(inside) / 4, FEWEST_PX))), 1)
    kind = _first_cover(seen)
    values, counts = np.unique(kind[inside & (kind >= 0)], return_counts=True)
    if not values.size:
        return ()
    like = kind == values[np.argmax(counts)]
    reach = int(np.ceil(APART_M / np.sqrt(pixel)))
    centre = np.argwhere(inside).mean(axis=0)
    near = _near(inside, reach)
    rows, cols = inside.shape
    found = []
    for top, bottom in pairwise(range(0, rows + 1, side)):
        for left, right in pairwise(range(0, cols + 1, side)):
            part = slice(top, bottom), slice(left, right)
            if not near[part].any() and like[part].mean() >= SAME_KIND:
                away = float(np.hypot(*(np.array([(top + bottom) / 2, (left + right) / 2]) - centre)))
                found.append((away, top, left))
    squares = [_square(seen, top, left, side) for _, top, left in sorted(found)[:MOST]]
    return tuple(Control(id=f"auto-{n}", polygon=square) for n, square in enumerate(squares, start=1))


def _first_cover(seen: SeriesMap) -> NDArray[np.int8]:
    """(row, col) commonest land cover of the first clear looks; -1 where none was."""
    clear = np.flatnonzero(seen.looks_clear >= 0.5)[:FIRST_LOOKS]
    whole = slice(0, seen.grid.shape[0]), slice(0, seen.grid.shape[1])
    land = cover_of(seen.read_codes(whole)[clear]) if clear.size else np.full((1, *seen.grid.shape), -1, np.int8)
    classes = range(int(land.max()) + 1)
    votes = np.stack([np.count_nonzero(land == k, axis=0) for k in classes]) if land.max() >= 0 else None
    if votes is None:
        return np.full(seen.grid.shape, -1, np.int8)
    return np.where(votes.max(axis=0) > 0, votes.argmax(axis=0), -1).astype(np.int8)


def _near(inside: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """The box of the site, widened: a square beside a hollow of the outline would still be the site's own ground."""
    rows, cols = np.nonzero(inside)
    out = np.zeros_like(inside)
    out[max(rows.min() - reach, 0) : rows.max() + reach + 1, max(cols.min() - reach, 0) : cols.max() + reach + 1] = True
    return out


def _square(seen: SeriesMap, top: int, left: int, side: int) -> BaseGeometry:
    t: Affine = seen.grid.transform
    (x0, y0), (x1, y1) = t @ (left, top), t @ (left + side, top + side)
    return to_lonlat(box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), seen.grid)
