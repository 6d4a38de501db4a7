"""From pixels to pieces of change: labels over strips of the image, merged across their seams.

A strip is as wide as the image and a fixed number of rows high, whatever the tile size of the run, so memory is flat
and the result has no seams. Labels of a strip are made anew in the second pass rather than kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.geometry.base import BaseGeometry

from geo.files.polygons import merged, outlines
from geo.grid import Grid, Tile, Window
from geo.kernels import clusters
from geo.tiles import PixelSource, map_tiles
from pipelines.detect.change_map import ChangeObject, Direction

Int = NDArray[np.int64]
Float = NDArray[np.float64]

STRIP_ROWS = 256
NOT_OBSERVED = 255
_EIGHT = np.ones((3, 3), bool)
_CODES = len(Direction)


@dataclass(frozen=True)
class Rule:
    """What counts as change.

    Attributes:
        formed_at: p at or below which touching pixels form a piece.
        sure_at: p of a pixel that is change by itself, by false-discovery control over pixels; 0 for none.
        gradient: of the field of chance, see `geo.kernels.clusters`; None where chance has no known field.
        fdr: share of the kept pieces that may be chance.
        min_px: minimum mapping unit in pixels.
    """

    formed_at: float
    sure_at: float
    gradient: float | None
    fdr: float
    min_px: int


class Pieces(NamedTuple):
    """Sums over labelled pieces; index 0 is the first piece."""

    area: Int
    score: Float
    peak: Float
    codes: Int


class _Strip(NamedTuple):
    pieces: Pieces
    top: NDArray[np.int32]
    bottom: NDArray[np.int32]
    observed: int


class Found(NamedTuple):
    """All pieces of the image.

    Attributes:
        pieces: sums a piece.
        p: (piece,) chance of a false alarm.
        of_label: running label over all strips (from 1) -> piece (from 1), 0 for what is not kept; [0] is background.
        starts: number of labels in the strips before each strip.
        observed: pixels seen on both dates.
    """

    pieces: Pieces
    p: Float
    of_label: NDArray[np.int32]
    starts: tuple[int, ...]
    observed: int


def strips(grid: Grid) -> list[Tile]:
    """Cut a grid into strips."""
    rows, cols = grid.shape
    out = []
    for top in range(0, rows, STRIP_ROWS):
        window: Window = (slice(top, min(top + STRIP_ROWS, rows)), slice(0, cols))
        height = window[0].stop - top
        out.append(Tile(window, window, (slice(0, height), slice(0, cols))))
    return out


def find(layers: PixelSource, rule: Rule, executor: Executor | None) -> Found:
    """First pass: label every strip, sum up, join across seams, keep what chance does not make.

    A piece is kept for a pixel that is sure by itself, or for being larger or higher than chance makes pieces.
    """
    parts: list[_Strip] = [
        part
        for _, part in map_tiles(
            partial(_label_strip, rule), layers, tiles=strips(layers.grid), executor=executor, trim=False
        )
    ]
    counts = [len(part.pieces.area) for part in parts]
    starts = tuple(int(n) for n in np.concatenate([[0], np.cumsum(counts)]))
    total = starts[-1]
    pairs = [_seam(a.bottom, b.top, i, j) for a, b, i, j in zip(parts, parts[1:], starts, starts[1:], strict=False)]
    joined = np.concatenate([*pairs, np.empty((2, 0), np.int64)], axis=1)
    graph = coo_matrix((np.ones(joined.shape[1], bool), (joined[0], joined[1])), shape=(total, total))
    count, group = connected_components(graph, directed=False) if total else (0, np.empty(0, np.int32))
    together = _sum([part.pieces for part in parts], group, count)
    grown = np.ones(count)
    if rule.gradient is not None:
        peak = 10.0**-together.peak
        grown = clusters.piece_p(together.area, peak, formed_at=rule.formed_at, gradient=rule.gradient)
    sure = together.peak >= -np.log10(max(rule.sure_at, 1e-300))
    keep = (clusters.benjamini_hochberg(grown, rule.fdr) | sure) & (together.area >= rule.min_px)
    # e times the geometric mean of p is a p however the pixels depend on each other (Vovk & Wang 2020, Biometrika 107).
    mean = np.e * 10.0 ** -(together.score / np.maximum(together.area, 1))
    p = np.minimum(1.0, 2 * np.minimum(grown, mean))
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    of_label = np.concatenate([[0], number[group]]).astype(np.int32)
    kept = Pieces(together.area[keep], together.score[keep], together.peak[keep], together.codes[keep])
    return Found(kept, p[keep], of_label, starts, sum(part.observed for part in parts))


def draw(layers: PixelSource, rule: Rule, found: Found) -> Iterator[tuple[Tile, NDArray[np.int32]]]:
    """Second pass: yield each strip with the number of the kept piece at every pixel; 0 unchanged, -1 not observed."""
    for tile, start in zip(strips(layers.grid), found.starts, strict=False):
        score, p, direction = layers.read(tile.core)
        labels = _labels(p, direction, rule)
        labels = np.where(labels > 0, labels + start, 0)
        numbers = found.of_label[labels]
        numbers[np.isnan(score)] = -1
        yield tile, numbers


class Tracer:
    """Collects the outlines of pieces strip by strip."""

    def __init__(self, grid: Grid) -> None:
        """Outlines come in the grid's coordinates, or as (col, row) without georeference."""
        self._transform = grid.transform if grid.crs else Affine.identity()
        self._pieces: dict[int, list[BaseGeometry]] = {}

    def add(self, tile: Tile, numbers: NDArray[np.int32]) -> None:
        """Trace one strip."""
        at = self._transform @ Affine.translation(0, tile.core[0].start)
        for number, polygon in outlines(np.maximum(numbers, 0), at):
            self._pieces.setdefault(number, []).append(polygon)

    def outline(self, number: int) -> BaseGeometry:
        """The whole outline of a piece (from 1)."""
        return merged(self._pieces[number])


def describe(found: Found, tracer: Tracer, pixel_area_m2: float | None) -> tuple[ChangeObject, ...]:
    """The kept pieces as objects, most certain first."""
    out = []
    for k, area in enumerate(found.pieces.area):
        mean = float(found.pieces.score[k]) / int(area)
        code = int(np.argmax(found.pieces.codes[k]))
        out.append(
            ChangeObject(
                polygon=tracer.outline(k + 1),
                area_px=int(area),
                area_m2=None if pixel_area_m2 is None else int(area) * pixel_area_m2,
                score=mean,
                peak_score=float(found.pieces.peak[k]),
                p=float(found.p[k]),
                direction=Direction(code),
                direction_share=float(found.pieces.codes[k, code]) / int(area),
            )
        )
    # Python's sort is stable: equals stay in the order of their first pixel.
    return tuple(sorted(out, key=lambda piece: (piece.p, -piece.area_px)))


def _labels(p: NDArray[np.float32], direction: NDArray[np.float32], rule: Rule) -> NDArray[np.int32]:
    inside = (p <= np.float32(rule.formed_at)) & (direction > 0)
    labels = np.empty(p.shape, np.int32)
    ndimage.label(inside, structure=_EIGHT, output=labels)
    return labels


def _label_strip(rule: Rule, layers: NDArray[np.float32]) -> _Strip:
    score, p, direction = layers
    observed = int(np.count_nonzero(np.isfinite(score)))
    labels = _labels(p, direction, rule)
    inside = labels > 0
    flat, values = labels[inside], score[inside].astype(np.float64)
    count = int(flat.max()) if flat.size else 0
    peak = np.zeros(count)
    np.maximum.at(peak, flat - 1, values)
    codes = np.bincount(
        (flat - 1).astype(np.int64) * _CODES + direction[inside].astype(np.int64), minlength=count * _CODES
    )
    pieces = Pieces(
        np.bincount(flat, minlength=count + 1)[1:],
        np.bincount(flat, weights=values, minlength=count + 1)[1:].astype(np.float64),
        peak,
        codes.reshape(count, _CODES),
    )
    return _Strip(pieces, labels[0].copy(), labels[-1].copy(), observed)


def _seam(bottom: NDArray[np.int32], top: NDArray[np.int32], start_a: int, start_b: int) -> Int:
    """Pairs of labels that touch across a seam, straight or at a corner: (2, pair), running labels from 0."""
    pairs = []
    width = len(bottom)
    for shift in (-1, 0, 1):
        a = bottom[max(0, -shift) : width - max(0, shift)]
        b = top[max(0, shift) : width - max(0, -shift)]
        touch = (a > 0) & (b > 0)
        pairs.append(np.stack([a[touch] - 1 + start_a, b[touch] - 1 + start_b]).astype(np.int64))
    return np.unique(np.concatenate(pairs, axis=1), axis=1)


def _sum(parts: list[Pieces], group: NDArray[np.int32], count: int) -> Pieces:
    """Add up the pieces of each group."""
    area, score, peak, codes = (np.concatenate(column) for column in zip(*parts, strict=True))
    top = np.zeros(count)
    np.maximum.at(top, group, peak)
    total = np.zeros((count, _CODES), np.int64)
    np.add.at(total, group, codes)
    return Pieces(
        np.bincount(group, weights=area, minlength=count).astype(np.int64),
        np.bincount(group, weights=score, minlength=count).astype(np.float64),
        top,
        total,
    )
