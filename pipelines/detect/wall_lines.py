"""The perimeter's line as pixels, and the same line moved over ground where nothing was built.

Moves are whole pixels, so one set of weights serves all lines: what is measured on the perimeter is measured in the
very same way on unchanged ground, sub-pixel phase included.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid, Tile, Window, utm_epsg
from geo.sites import Perimeter
from geo.tiles import PixelSource, map_tiles
from geo.zones import Segment, project, segments, to_grid, to_pixels, walked

Float32 = NDArray[np.float32]
_LONLAT = "OGC:CRS84"
LEAST_SEEN = 0.7  # of a ribbon's pixels, or it was not seen
LEAST_LINE = 0.7  # of a moved line that must lie on known ground
NEAR = 0.5  # of the line's extent: lines nearer to each other see much of the same ground
_CANDIDATES = 6  # candidate moves for every line wanted
_CORNER = 0.03  # of the length: what the line may depart from its sides


@dataclass(frozen=True, eq=False)
class Layout:
    """The perimeter in pieces, and where its copies lie.

    Attributes:
        segments: of the perimeter. side: which side each belongs to, (segment,).
        pixels: (pixel, 2) rows and columns that the perimeter's own ribbons touch.
        weights: sparse (piece * offset, pixel): each row averages one piece of line at one offset.
        shape: (segment, piece, offset).
        moves: (line, 2) rows and columns; the first is (0, 0), the perimeter itself.
        near: (line, line) True for lines that see much of the same ground.
        known: (line, segment) False where a moved segment lies on ground that is to be left out.
    """

    segments: tuple[Segment, ...]
    side: NDArray[np.intp]
    pixels: NDArray[np.intp]
    weights: Any
    shape: tuple[int, int, int]
    moves: NDArray[np.intp]
    near: NDArray[np.bool_]
    known: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Ruler:
    """How a line is measured, metres: segment length, pieces a segment, spacing of points, offsets (outside > 0)."""

    segment_m: float
    pieces: int
    along_m: float
    bins: tuple[tuple[float, ...], ...]

    @property
    def reach_m(self) -> float:
        """Farthest offset."""
        return max(abs(u) for offsets in self.bins for u in offsets)


def lay_out(
    perimeter: Perimeter, grid: Grid, ruler: Ruler, *, ground: tuple[Sequence[BaseGeometry], BaseGeometry | None],
    lines: int, reach_m: float,
) -> Layout:  # fmt: skip
    """Cut the perimeter into pieces and find up to `lines` moves of it within `reach_m` over known ground.

    Args:
        perimeter: the line, lon/lat.
        grid: of the pixels; with georeference.
        ruler: how lines are measured.
        ground: (controls, what to avoid), lon/lat. Moves onto controls come first; the perimeter's own ground is
            avoided anyway.
        lines: most moves wanted.
        reach_m: farthest move.
    """
    parts = segments(perimeter, ruler.segment_m)
    whole = walked(perimeter)
    metric = f"EPSG:{utm_epsg(*whole.centroid.coords[0])}"
    points = np.stack([_points(LineString(project(s.line, _LONLAT, metric).coords), ruler) for s in parts])
    flat = points.reshape(-1, 2)
    placed = shapely.get_coordinates(to_pixels(project(shapely.MultiPoint(flat), metric, grid.crs or ""), grid))
    pixels, weights = _weights(placed.reshape(*points.shape), ruler)
    middle = shapely.get_coordinates(to_pixels(to_grid(shapely.MultiPoint(_middles(parts)), grid), grid))
    scale = _pixels_per_metre(flat, placed)
    moves, known = _moves(
        middle.reshape(len(parts), -1, 2), grid.shape, _avoided(perimeter, ground[1], grid, ruler.reach_m * scale),
        [to_pixels(to_grid(c, grid), grid) for c in ground[0]], (lines, reach_m * scale),
    )  # fmt: skip
    return Layout(
        segments=parts, side=_sides(parts, project(whole, _LONLAT, metric)), pixels=pixels, weights=weights,
        shape=(len(parts), ruler.pieces, len(ruler.bins)), moves=moves, near=_near(moves, pixels), known=known,
    )  # fmt: skip


def _points(line: LineString, ruler: Ruler) -> NDArray[np.float64]:
    """(piece, point, offset, 2) metric points of one segment, offsets of all bins in a row."""
    # All segments carry as many points, so that they weigh alike.
    count = max(1, round(ruler.segment_m / ruler.pieces / ruler.along_m))
    at = (np.arange(ruler.pieces * count) + 0.5) / (ruler.pieces * count) * line.length
    xy = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
    step = min(1.0, line.length / 4)
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(line, np.minimum(at + step, line.length)))
    back = shapely.get_coordinates(shapely.line_interpolate_point(line, np.maximum(at - step, 0)))
    way = (ahead - back) / np.maximum(np.hypot(*(ahead - back).T), 1e-9)[:, None]
    aside = np.column_stack((way[:, 1], -way[:, 0]))  # to the right: outside of a ring walked counter-clockwise
    offsets = np.array([u for bin_ in ruler.bins for u in bin_])
    points = xy[:, None] + aside[:, None] * offsets[None, :, None]
    return np.asarray(points.reshape(ruler.pieces, count, len(offsets), 2))


def _weights(placed: NDArray[np.float64], ruler: Ruler) -> tuple[NDArray[np.intp], Any]:
    """Bilinear weights of every (segment, piece, bin) on the pixels touched; placed is (..., point, offset, xy)."""
    segs, pieces, count = placed.shape[:3]
    bin_of = np.repeat(np.arange(len(ruler.bins)), [len(b) for b in ruler.bins])
    share = 1.0 / (count * np.array([len(ruler.bins[b]) for b in bin_of]))
    row_of = (np.arange(segs * pieces).reshape(segs, pieces, 1, 1) * len(ruler.bins) + bin_of) + np.zeros(
        (1, 1, count, 1), np.intp
    )
    col, row = placed[..., 0] - 0.5, placed[..., 1] - 0.5
    top, left = np.floor(row).astype(np.intp), np.floor(col).astype(np.intp)
    down, right = row - top, col - left
    corners = [
        (top + dr, left + dc, (down if dr else 1 - down) * (right if dc else 1 - right) * share)
        for dr in (0, 1)
        for dc in (0, 1)
    ]
    rows = np.concatenate([c[0].ravel() for c in corners])
    cols = np.concatenate([c[1].ravel() for c in corners])
    values = np.concatenate([c[2].ravel() for c in corners])
    keys = np.column_stack((rows, cols))
    pixels, where = np.unique(keys, axis=0, return_inverse=True)
    index = (np.tile(row_of.ravel(), 4), where.ravel())
    matrix = sparse.csr_matrix((values, index), shape=(segs * pieces * len(ruler.bins), len(pixels)))
    return pixels, matrix


def _middles(parts: tuple[Segment, ...]) -> NDArray[np.float64]:
    """Lon/lat points on the line itself, five a segment, to ask what ground a moved segment lies on."""
    at = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    return np.concatenate(
        [shapely.get_coordinates(shapely.line_interpolate_point(s.line, at, normalized=True)) for s in parts]
    )


def _pixels_per_metre(metric: NDArray[np.float64], pixels: NDArray[np.float64]) -> float:
    spread = [float(np.hypot(*np.ptp(v, axis=0))) for v in (pixels, metric)]
    return spread[0] / spread[1]


def _avoided(perimeter: Perimeter, avoid: BaseGeometry | None, grid: Grid, reach_px: float) -> BaseGeometry:
    own = Polygon(perimeter.line.coords).buffer(0) if perimeter.closed else perimeter.line
    parts = [own] if avoid is None else [own, avoid]
    return shapely.union_all([to_pixels(to_grid(p, grid), grid).buffer(reach_px) for p in parts])


def _moves(
    middle: NDArray[np.float64], shape: tuple[int, int], avoid: BaseGeometry, controls: list[BaseGeometry],
    wanted: tuple[int, float],
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:  # fmt: skip
    """Moves on a lattice of whole pixels, spread evenly; lines on controls first."""
    lines, reach = wanted
    low, high = middle.reshape(-1, 2).min(axis=0), middle.reshape(-1, 2).max(axis=0)
    spare = (1 - LEAST_LINE) * (high - low)
    first = np.ceil(np.maximum(-low - spare, -reach)).astype(int)
    last = np.floor(np.minimum(np.array(shape[::-1]) - high + spare, reach)).astype(int)
    area = float(np.prod(np.maximum(last - first + 1, 1)))
    step = max(1, int(np.sqrt(area / (_CANDIDATES * lines))))
    across = np.arange(first[0], last[0] + 1, step)
    down = np.arange(first[1], last[1] + 1, step)
    moves = np.array([(r, c) for r in down for c in across], np.intp).reshape(-1, 2)
    shapely.prepare(avoid)
    held = shapely.union_all(controls) if controls else Polygon()
    shapely.prepare(held)
    chosen: list[tuple[bool, NDArray[np.intp], NDArray[np.bool_]]] = []
    for move in moves:
        x, y = middle[..., 0] + move[1], middle[..., 1] + move[0]
        inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
        known = (inside & ~shapely.contains_xy(avoid, x, y)).all(axis=1)
        if known.mean() >= LEAST_LINE:
            chosen.append((bool(shapely.contains_xy(held, x, y).mean() >= 0.5), move, known))
    on = [c for c in chosen if c[0]]
    off = [c for c in chosen if not c[0]]
    on = _evenly(on, lines)
    picked = [*on, *_evenly(off, lines - len(on))]
    segs = len(middle)
    return (
        np.array([(0, 0), *(c[1] for c in picked)], np.intp),
        np.array([np.ones(segs, bool), *(c[2] for c in picked)], bool),
    )


def _near(moves: NDArray[np.intp], pixels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Lines moved apart by less than half of their extent; the perimeter's own ground is left out elsewhere."""
    apart = np.abs(moves[:, None] - moves[None]) / np.maximum(np.ptp(pixels, axis=0), 1)
    return np.asarray(apart.max(axis=-1) < NEAR)


def _evenly(items: list[Any], count: int) -> list[Any]:
    if len(items) <= count:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, max(count, 0)).astype(int)]


def _sides(parts: tuple[Segment, ...], line: BaseGeometry) -> NDArray[np.intp]:
    """Number the sides between the line's corners; four quarters where it has none or too many to call corners."""
    middle = np.array([(s.start_m + s.end_m) / 2 for s in parts]) / parts[-1].end_m
    corners = shapely.get_coordinates(line.simplify(_CORNER * line.length))
    at = np.array([line.project(shapely.Point(c)) for c in corners[1:-1]]) / line.length
    if not 1 <= len(at) <= 7:
        at = np.array([0.25, 0.5, 0.75])
    return np.searchsorted(np.sort(at), middle).astype(np.intp)


@dataclass(frozen=True, eq=False)
class _Sampler:
    """Average one layer's pixels along every line. Picklable."""

    layout: Layout
    origin: tuple[int, int]
    visible: bool

    def __call__(self, image: Float32) -> Float32:
        """(band, row, col) to (line, segment, piece, offset, band)."""
        if self.visible:
            image = image[:3].mean(axis=0, keepdims=True)
        layout = self.layout
        bands, rows, cols = image.shape
        padded = np.full((rows + 1, cols + 1, bands), np.nan, np.float32)
        padded[:-1, :-1] = np.moveaxis(image, 0, -1)
        out = np.empty((len(layout.moves), *layout.shape, bands), np.float32)
        for n, move in enumerate(layout.moves):
            at = layout.pixels + move - np.array(self.origin)
            off = (at < 0).any(axis=1) | (at[:, 0] >= rows) | (at[:, 1] >= cols)
            at[off] = -1
            values = padded[at[:, 0], at[:, 1]]
            seen = np.isfinite(values)
            weight = layout.weights @ seen.astype(np.float64)
            total = layout.weights @ np.where(seen, values, 0.0).astype(np.float64)
            mean = np.where(weight >= LEAST_SEEN, total / np.maximum(weight, 1e-9), np.nan)
            out[n] = mean.reshape(*layout.shape, bands)
        out[~layout.known] = np.nan
        return out


def sample(layer: PixelSource, layout: Layout, *, visible: bool, executor: Executor | None) -> Float32:
    """Average the layer along all lines: (line, segment, piece, offset, band); NaN where not seen.

    `visible` averages the first three bands into one first.
    """
    window = _window(layout, layer.grid.shape)
    tile = Tile(core=window, read=window, trim=window)
    sampler = _Sampler(layout, (window[0].start, window[1].start), visible)
    ((_, found),) = map_tiles(sampler, layer, tiles=[tile], trim=False, executor=executor)
    return np.asarray(found, np.float32)


def _window(layout: Layout, shape: tuple[int, int]) -> Window:
    low = layout.pixels.min(axis=0) + layout.moves.min(axis=0)
    high = layout.pixels.max(axis=0) + layout.moves.max(axis=0) + 1
    top, left = (int(np.clip(low[k], 0, shape[k] - 1)) for k in (0, 1))
    bottom, right = (int(np.clip(high[k], (top, left)[k] + 1, shape[k])) for k in (0, 1))
    return slice(top, bottom), slice(left, right)
