"""Labelled pixels to outlines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry.base import BaseGeometry


def outlines(labels: NDArray[np.int32], transform: Affine) -> Iterator[tuple[int, BaseGeometry]]:
    """Trace every label's pixels along their edges.

    Args:
        labels: int32 (row, col); 0 is background.
        transform: pixel corner (col, row) to coordinates (x, y).

    Yields:
        (label, polygon) of each 4-connected piece, valid, in no promised order; pieces that touch at a corner come
        apart, so `merged` brings them together.
    """
    shapes: Iterable[tuple[Mapping[str, Any], float]] = features.shapes(
        np.ascontiguousarray(labels), mask=labels != 0, connectivity=4, transform=transform
    )
    for geometry, value in shapes:
        rings = geometry["coordinates"]
        yield int(value), shapely.Polygon(rings[0], rings[1:])


def merged(pieces: Iterable[BaseGeometry]) -> BaseGeometry:
    """One polygon or multipolygon from pieces that share edges or corners; vertices only where the outline turns."""
    parts = list(pieces)
    whole = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return shapely.normalize(shapely.simplify(whole, 0))
