"""Where a site's outlines meet its pixels: the site's grid, segments and ribbons of a perimeter, coverage weights.

Lengths, areas and distances are metres on the ground (WGS 84 ellipsoid), whatever the grid's coordinate system:
a Web Mercator grid at 60 degrees north stretches them twofold, and that must not show in a wall's length.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid, Window, utm_epsg
from geo.sites import RADIUS_M, Perimeter, Site

SEGMENT_M = 30.0
_WGS84 = Geod(ellps="WGS84")
_LONLAT = "OGC:CRS84"


# --- coordinates -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(CRS.from_user_input(source), CRS.from_user_input(target), always_xy=True)


def project(geometry: BaseGeometry, source: str, target: str) -> BaseGeometry:
    """Return `geometry` in another coordinate system, x before y in both.

    Raises:
        ValueError: a vertex has no place in the target system.
    """
    if source == target:
        return geometry
    transformer = _transformer(source, target)

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    moved = shapely.transform(geometry, move)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise ValueError(f"the geometry has no place in {target[:40]}")
    return moved


def utm_of(geometry: BaseGeometry) -> str:
    """The UTM zone (as `EPSG:n`) of the middle of a lon/lat geometry."""
    middle = geometry.centroid
    return f"EPSG:{utm_epsg(middle.x, middle.y)}"


def to_grid(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """Return a lon/lat geometry in the grid's coordinates; raise ValueError for a grid without georeference."""
    return project(geometry, _LONLAT, _system(grid))


def to_lonlat(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """Return a geometry in the grid's coordinates as longitude, latitude."""
    return project(geometry, _system(grid), _LONLAT)


def to_pixels(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """Return a geometry in the grid's coordinates in pixels: (col, row), corner (0, 0) top left."""
    return _affine(geometry, ~grid.transform)


def from_pixels(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """Return a geometry in pixels (col, row) in the grid's coordinates."""
    return _affine(geometry, grid.transform)


def _system(grid: Grid) -> str:
    if grid.crs is None:
        raise ValueError("a grid without georeference has no place for longitude and latitude")
    return grid.crs


def _affine(geometry: BaseGeometry, t: Affine) -> BaseGeometry:
    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = xy[:, 0], xy[:, 1]
        return np.column_stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f))

    return shapely.transform(geometry, move)


# --- the ground ------------------------------------------------------------------------------------------------


def length_m(geometry: BaseGeometry) -> float:
    """Length (of a polygon: circumference) of a lon/lat geometry in metres on the ellipsoid."""
    return float(sum(_chainage(np.asarray(line.coords))[-1] for line in _lines(geometry)))


def area_m2(geometry: BaseGeometry) -> float:
    """Area of a lon/lat geometry in square metres on the ellipsoid; 0 for points and lines."""
    parts = [p for p in shapely.get_parts(geometry) if isinstance(p, Polygon)]
    return float(sum(abs(_WGS84.geometry_area_perimeter(shapely.geometry.polygon.orient(p))[0]) for p in parts))


def circle(lon: float, lat: float, radius_m: float, vertices: int = 72) -> Polygon:
    """Return the lon/lat polygon of the points `radius_m` metres from a point, counter-clockwise."""
    azimuths = np.linspace(0.0, -360.0, vertices, endpoint=False)
    same = np.ones(vertices)
    x, y, _ = _WGS84.fwd(lon * same, lat * same, azimuths, radius_m * same)
    return Polygon(np.column_stack((x, y)))


def site_extent(site: Site) -> BaseGeometry:
    """Everything a scan of the site must cover, lon/lat; a bare point grows to its location class's radius."""
    if site.extent.area > 0:
        return site.extent
    x, y = site.extent.centroid.coords[0]
    return shapely.union_all([site.extent, circle(x, y, RADIUS_M[site.location.kind])])


def site_grid(site: Site, *, resolution_m: float = 10.0, margin_m: float = 500.0) -> Grid:
    """Return the grid of a site: UTM of its middle, snapped to whole pixels, `margin_m` around all that is drawn.

    The zone is that of the site feature's own middle, so that what is drawn around it later cannot move the pixels
    into another zone.
    """
    middle = shapely.get_parts(site.geometry)[0].centroid
    epsg = utm_epsg(middle.x, middle.y)
    ground = shapely.segmentize(site_extent(site), 0.01)
    left, bottom, right, top = project(ground, _LONLAT, f"EPSG:{epsg}").bounds
    bounds = (left - margin_m, bottom - margin_m, right + margin_m, top + margin_m)
    return Grid.around(bounds, epsg, resolution_m)


def _lines(geometry: BaseGeometry) -> list[LineString]:
    parts: list[LineString] = []
    for part in shapely.get_parts(geometry):
        if isinstance(part, Polygon):
            parts += [part.exterior, *part.interiors]
        elif isinstance(part, LineString):
            parts.append(part)
    return parts


def _chainage(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres from the first vertex to every vertex."""
    steps = _WGS84.line_lengths(lonlat[:, 0], lonlat[:, 1])
    return np.concatenate(([0.0], np.cumsum(steps)))


# --- perimeters ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a perimeter between two chainages, metres from its first vertex. `line` is lon/lat."""

    id: str
    start_m: float
    end_m: float
    line: LineString

    @property
    def length_m(self) -> float:
        """Length in metres."""
        return self.end_m - self.start_m


def segments(perimeter: Perimeter, step_m: float = SEGMENT_M) -> tuple[Segment, ...]:
    """Cut a perimeter into segments of `step_m` metres; the last takes what is left (half to one and a half steps).

    A ring is walked counter-clockwise from its first vertex, whichever way it was drawn or saved, so that ids (the
    perimeter's id and the chainage in metres) keep their ground. An open line is walked as drawn.

    Raises:
        ValueError: `step_m` is less than a metre, or would cut more than 100,000 segments.
    """
    lonlat = np.asarray(walked(perimeter).coords)[:, :2]
    at = _chainage(lonlat)
    total = float(at[-1])
    if not step_m >= 1 or total / step_m > 100_000:
        raise ValueError(f"a perimeter of {total:,.0f} m cannot be cut every {step_m} m")
    count = max(1, math.floor(total / step_m + 0.5))
    cuts = [*(step_m * i for i in range(count)), total]
    return tuple(
        Segment(id=f"{perimeter.id}-{start:05.0f}", start_m=start, end_m=end, line=_between(lonlat, at, start, end))
        for start, end in itertools.pairwise(cuts)
    )


def walked(perimeter: Perimeter) -> LineString:
    """Return the perimeter's line in the direction of its chainage: rings counter-clockwise, lines as drawn."""
    if perimeter.closed and not shapely.is_ccw(perimeter.line):
        return LineString(perimeter.line.coords[::-1])
    return perimeter.line


def part_of(perimeter: Perimeter, start_m: float, end_m: float) -> BaseGeometry:
    """The line between two chainages; an end below its start runs over the first vertex of a ring."""
    lonlat = np.asarray(walked(perimeter).coords)[:, :2]
    at = _chainage(lonlat)
    if end_m >= start_m:
        return _between(lonlat, at, start_m, end_m)
    return shapely.MultiLineString([_between(lonlat, at, start_m, float(at[-1])), _between(lonlat, at, 0.0, end_m)])


def _between(lonlat: NDArray[np.float64], at: NDArray[np.float64], start: float, end: float) -> LineString:
    ends = [(np.interp(m, at, lonlat[:, 0]), np.interp(m, at, lonlat[:, 1])) for m in (start, end)]
    inner = lonlat[(at > start) & (at < end)]
    return LineString([ends[0], *map(tuple, inner), ends[1]])


class Ribbon(NamedTuple):
    """Lon/lat polygons beside one segment: on the line, on its inner side, on its outer side (may be empty)."""

    segment: Segment
    on: BaseGeometry
    inside: BaseGeometry
    outside: BaseGeometry


def ribbons(
    perimeter: Perimeter, *, step_m: float = SEGMENT_M, on_m: float = 5.0, near_m: float = 15.0, far_m: float = 45.0
) -> tuple[Ribbon, ...]:
    """Return what lies on and beside each segment of a perimeter.

    Args:
        perimeter: a ring, or an open line (whose left-hand side, as drawn, is called inside).
        step_m: length of a segment.
        on_m: half the width of the ribbon on the line.
        near_m: where the ribbons on both sides begin (the wall's own mixed pixels and shadow lie before it).
        far_m: where they end.

    Raises:
        ValueError: not 0 < on_m <= near_m < far_m.
    """
    if not 0 < on_m <= near_m < far_m:
        raise ValueError(f"ribbons need 0 < on <= near < far, not {on_m}, {near_m}, {far_m} m")
    whole = walked(perimeter)
    metric = f"EPSG:{utm_epsg(*whole.centroid.coords[0])}"
    line = project(whole, _LONLAT, metric)
    core = line.buffer(near_m)
    area = Polygon(line.coords) if perimeter.closed else None
    found = []
    for segment in segments(perimeter, step_m):
        piece = project(segment.line, _LONLAT, metric)
        left = piece.buffer(far_m, single_sided=True, join_style="mitre").difference(core)
        right = piece.buffer(-far_m, single_sided=True, join_style="mitre").difference(core)
        if area is not None:
            left, right = left.intersection(area), right.difference(area)
        parts = (piece.buffer(on_m, cap_style="flat"), left, right)
        found.append(Ribbon(segment, *(project(_polygonal(p), metric, _LONLAT) for p in parts)))
    return tuple(found)


def _polygonal(geometry: BaseGeometry) -> BaseGeometry:
    """Drop the points and lines that overlay leaves behind."""
    parts = [p for p in shapely.get_parts(geometry) if isinstance(p, Polygon) and p.area > 0]
    return shapely.union_all(parts) if parts else Polygon()


# --- pixels ----------------------------------------------------------------------------------------------------


class Coverage(NamedTuple):
    """Which part of each pixel a polygon covers: float64 (row, col), 0 to 1, over `window` of the grid."""

    window: Window
    weights: NDArray[np.float64]

    @property
    def pixels(self) -> float:
        """The covered area in pixels."""
        return float(self.weights.sum())


def coverage(polygon: BaseGeometry, grid: Grid) -> Coverage | None:
    """Return the exact share of each pixel that lies in `polygon`, or None where it lies off the grid.

    Args:
        polygon: Polygon or MultiPolygon in the grid's coordinates (see `to_grid`). Points and lines cover nothing.
        grid: any grid: rotated and south-up ones too, since the sum is done in pixels.
    """
    rows, cols = grid.shape
    shape = _polygonal(to_pixels(polygon, grid)).intersection(shapely.box(0, 0, cols, rows))
    shape = _polygonal(shape)
    if shape.is_empty:
        return None
    left, top, right, bottom = shape.bounds
    first_row, last_row = math.floor(top), min(rows, math.ceil(bottom))
    first_col, last_col = math.floor(left), min(cols, math.ceil(right))
    size = (last_row - first_row, last_col - first_col)
    # exactextract counts rows from the top of a north-up raster: mirror the pixel rows about 0.
    flipped = shapely.transform(shape, lambda xy: xy * (1.0, -1.0))
    raster = NumPyRasterSource(np.zeros(size, np.uint8), first_col, -last_row, last_col, -first_row)
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(flipped)}
    cells = exact_extract(raster, [feature], ["cell_id", "coverage"])[0]["properties"]
    weights = np.zeros(size)
    weights.ravel()[cells["cell_id"]] = cells["coverage"]
    return Coverage((slice(first_row, last_row), slice(first_col, last_col)), weights)
