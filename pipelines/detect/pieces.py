"""Changed pixels become pieces: connected in space and in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

Bool = NDArray[np.bool_]
Int = NDArray[np.int64]
HALF = 0.5
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # each pair of the eight neighbours once


@dataclass(frozen=True)
class Piece:
    """Pixels that changed together.

    Attributes:
        window: the smallest window of the grid that holds them.
        inside: (row, col) of the window, True where changed.
    """

    window: tuple[slice, slice]
    inside: Bool

    @property
    def area_px(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.inside))

    def cut(self, layer: NDArray[Any]) -> NDArray[Any]:
        """Values (..., pixel) of a whole layer (..., row, col) in the piece."""
        return layer[..., self.window[0], self.window[1]][..., self.inside]


def pieces(
    changed: Bool,
    days: NDArray[np.floating],
    *,
    link_days: float,
    min_px: int,
    since: NDArray[np.floating] | None = None,
) -> list[Piece]:
    """Collect changed pixels that touch (8 neighbours) and began to change within `link_days` of each other.

    Args:
        changed: (row, col).
        days: (row, col) day on which each changed pixel was first seen in its new state.
        link_days: neighbours further apart in time are two events.
        min_px: smaller pieces are dropped.
        since: (row, col) day of the last look in the old state, where that is known no better than by an interval: two
            neighbours are then as far apart as their intervals are.

    Returns:
        The pieces in order of their first pixel.
    """
    rows, cols = changed.shape
    number = np.full(changed.shape, -1, np.int64)
    number[changed] = np.arange(np.count_nonzero(changed))
    pairs = [np.empty((2, 0), np.int64)]
    for down, right in _NEIGHBOURS:
        a = (slice(0, rows - down), slice(max(0, -right), cols - max(0, right)))
        b = (slice(down, rows), slice(max(0, right), cols + min(0, right)))
        with np.errstate(invalid="ignore"):
            apart = np.abs(days[a] - days[b])
            if since is not None:
                apart = np.fmin(apart, np.maximum(since[a], since[b]) - np.minimum(days[a], days[b]))
            near = changed[a] & changed[b] & (apart <= link_days)
        pairs.append(np.stack([number[a][near], number[b][near]]))
    one, other = np.concatenate(pairs, axis=1)
    count = int(number.max()) + 1
    graph = sparse.coo_array((np.ones(one.size, np.int8), (one, other)), shape=(count, count))
    labels = np.zeros(changed.shape, np.int32)
    if count:
        labels[changed] = csgraph.connected_components(graph, directed=False)[1] + 1
    return of_labels(labels, min_px=min_px)


def sharpened(piece: Piece, change: NDArray[np.floating], *, min_px: int) -> Piece:
    """The same piece without edge pixels of which less than half changed.

    Args:
        piece: changed pixels.
        change: (band, row, col) value after minus value before, of the whole grid.
        min_px: a piece that would get smaller than this stays as it is.

    The change of a mixed pixel lies between none and that of the whole: its share is the projection on the piece's
    median change (linear mixing). Half is where the outline runs.
    """
    own = np.asarray(piece.cut(change), np.float64)
    own = own[np.isfinite(own).any(axis=1)]  # a band that nothing was seen in on both sides tells nothing
    typical = np.nanmedian(own, axis=1)
    size = float(typical @ typical)
    if not size > 0:
        return piece
    share = np.nan_to_num(typical @ np.nan_to_num(own) / size)
    inside = np.zeros_like(piece.inside)
    inside[piece.inside] = share >= HALF
    return Piece(piece.window, inside) if np.count_nonzero(inside) >= min_px else piece


def of_labels(labels: NDArray[np.int32], *, min_px: int = 1) -> list[Piece]:
    """The pieces of an array of labels (0 is none), in order of their first pixel."""
    found = []
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is not None:
            inside = labels[window] == label
            if np.count_nonzero(inside) >= min_px:
                found.append(Piece(window, inside))
    return sorted(found, key=lambda piece: (piece.window[0].start, _first_col(piece)))


def _first_col(piece: Piece) -> int:
    return int(piece.window[1].start) + int(np.argmax(piece.inside[0]))
