"""Segments, ribbons, coverage and coordinates: metres on the ground, whatever the pixels."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
import sitefiles
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import LineString, Polygon, box

from geo import zones
from geo.grid import Grid
from geo.sites import Perimeter, parse_site

GEOD = Geod(ellps="WGS84")
UTM = Grid("EPSG:32648", Affine(10, 0, 360000, 0, -10, 1200000), (200, 300))
GRIDS = [
    UTM,
    Grid("EPSG:32648", Affine(10, 0, 360000, 0, 10, 1198000), (200, 300)),  # south-up
    Grid("EPSG:32648", Affine.translation(360000, 1200000) @ Affine.rotation(27) @ Affine.scale(10, -10), (200, 300)),
    Grid("EPSG:3857", Affine(12, 0, 11545000, 0, -12, 1213000), (150, 260)),
    Grid("EPSG:4326", Affine(1e-4, 0, 103.72, 0, -1e-4, 10.86), (300, 400)),
]


def star(corners: int, seed: int, radius_m: float = 300.0, lon: float = 103.73, lat: float = 10.82) -> Polygon:
    """A star-shaped polygon around a point."""
    rng = np.random.default_rng(seed)
    azimuths = np.linspace(0, 360, corners, endpoint=False)
    far = rng.uniform(0.4, 1.0, corners) * radius_m
    x, y, _ = GEOD.fwd(np.full(corners, lon), np.full(corners, lat), azimuths, far)
    return Polygon(np.column_stack((x, y)))


def ring(polygon: Polygon) -> Perimeter:
    return Perimeter(id="wall", line=LineString(polygon.exterior.coords), closed=True, material="wall")


@given(corners=st.integers(3, 20), seed=st.integers(0, 999), step=st.floats(5, 200), lat=st.floats(-60, 65))
@settings(max_examples=60, deadline=None)
def test_segments_cover_the_perimeter_once(corners: int, seed: int, step: float, lat: float) -> None:
    """Chainages join without gap, sum to the ground length, and each piece is as long as it says."""
    perimeter = ring(star(corners, seed, lat=lat))
    found = zones.segments(perimeter, step)
    total = GEOD.geometry_length(perimeter.line)
    assert found[0].start_m == 0
    assert found[-1].end_m == pytest.approx(total, abs=1e-6)
    assert all(a.end_m == b.start_m for a, b in pairwise(found))
    assert len({s.id for s in found}) == len(found)
    for s in found:
        assert GEOD.geometry_length(s.line) == pytest.approx(s.length_m, rel=1e-4, abs=1e-3)
    assert all(s.length_m == pytest.approx(step) for s in found[:-1])
    assert found[-1].length_m <= 1.5 * step or len(found) == 1
    joined = shapely.union_all([s.line for s in found])
    assert joined.hausdorff_distance(perimeter.line) < 1e-7


def test_segments_do_not_care_how_a_ring_was_saved() -> None:
    """RFC 7946 writers turn rings round; ids must keep their ground."""
    perimeter = ring(star(9, 1))
    turned = Perimeter(id="wall", line=LineString(perimeter.line.coords[::-1]), closed=True, material="wall")
    assert zones.segments(perimeter) == zones.segments(turned)


def test_an_open_line_is_walked_as_drawn() -> None:
    """The first vertex of a line is chainage 0."""
    line = LineString([(103.73, 10.82), (103.732, 10.82)])
    found = zones.segments(Perimeter(id="fence", line=line, closed=False, material="fence"))
    assert found[0].line.coords[0] == (103.73, 10.82)
    assert [s.id for s in found[:3]] == ["fence-00000", "fence-00030", "fence-00060"]
    assert found[-1].end_m == pytest.approx(GEOD.geometry_length(line))


@pytest.mark.parametrize("step", [0.0, -1.0, 0.5, float("nan")])
def test_senseless_steps_are_refused(step: float) -> None:
    """A step below a metre would give two segments one id."""
    with pytest.raises(ValueError, match="cannot be cut"):
        zones.segments(ring(star(5, 1)), step)


@pytest.mark.parametrize("seed", range(4))
def test_ribbons_lie_on_their_sides(seed: int) -> None:
    """On the line, inside the ring, outside it; never overlapping, at the distances asked for."""
    perimeter = ring(star(7, seed))
    area = Polygon(perimeter.line.coords)
    found = zones.ribbons(perimeter, on_m=5, near_m=12, far_m=40)
    assert [r.segment for r in found] == list(zones.segments(perimeter))
    for r in found:
        assert zones.area_m2(r.on) == pytest.approx(10 * r.segment.length_m, rel=0.25)
        assert zones.area_m2(r.inside.difference(area.buffer(1e-9))) < 1e-3
        assert zones.area_m2(r.outside.intersection(area.buffer(-1e-9))) < 1e-3
        assert r.on.intersection(r.inside).area < 1e-14
    inside = shapely.union_all([r.inside for r in found])
    metric = zones.project(inside, "OGC:CRS84", "EPSG:32648")
    line = zones.project(perimeter.line, "OGC:CRS84", "EPSG:32648")
    far = shapely.distance(line, shapely.points(shapely.get_coordinates(metric)))
    assert far.min() >= 12 - 0.01
    assert far.max() <= 40 * 3
    wanted = area.difference(area.boundary.buffer(0))
    band = zones.project(wanted, "OGC:CRS84", "EPSG:32648")
    band = band.difference(line.buffer(12)).intersection(line.buffer(40))
    assert metric.intersection(band).area > 0.9 * band.area


def test_ribbons_of_a_straight_wall_have_exact_areas() -> None:
    """A 90 m wall, 5 m half width, sides from 15 to 45 m: 900, 2700 and 2700 square metres."""
    x, y, _ = GEOD.fwd(103.73, 10.82, 90, 90)
    line = LineString([(103.73, 10.82), (x, y)])
    found = zones.ribbons(Perimeter(id="w", line=line, closed=False, material="wall"))
    sums = [sum(zones.area_m2(getattr(r, k)) for r in found) for k in ("on", "inside", "outside")]
    assert sums == pytest.approx([900, 2700, 2700], rel=2e-3)
    assert found[0].inside.centroid.y > 10.82 > found[0].outside.centroid.y


def test_ribbon_widths_must_make_sense() -> None:
    """Near before far."""
    with pytest.raises(ValueError, match="ribbons need"):
        zones.ribbons(ring(star(5, 1)), near_m=50, far_m=40)


@pytest.mark.parametrize("grid", GRIDS, ids=["utm", "south-up", "rotated", "mercator", "degrees"])
@given(corners=st.integers(3, 12), seed=st.integers(0, 999), x=st.floats(-0.2, 1.2), y=st.floats(-0.2, 1.2))
@settings(max_examples=25, deadline=None)
def test_coverage_sums_to_the_area(grid: Grid, corners: int, seed: int, x: float, y: float) -> None:
    """Weights times pixel area is the polygon's area on the grid, each weight a share, on the right pixels."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = rng.uniform(5, 60, corners)
    rows, cols = grid.shape
    pixels = Polygon(np.column_stack((x * cols + radius * np.cos(angles), y * rows + radius * np.sin(angles))))
    polygon = zones.from_pixels(pixels, grid)
    found = zones.coverage(polygon, grid)
    expected = pixels.intersection(box(0, 0, cols, rows))
    if found is None:
        assert expected.area == pytest.approx(0, abs=1e-6)
        return
    assert found.pixels == pytest.approx(expected.area, rel=1e-4, abs=1e-3)
    assert found.weights.min() >= 0
    assert found.weights.max() <= 1 + 1e-6
    assert found.weights.shape == grid.window(found.window).shape
    row, col = np.unravel_index(rng.integers(found.weights.size), found.weights.shape)
    r, c = row + found.window[0].start, col + found.window[1].start
    assert found.weights[row, col] == pytest.approx(box(c, r, c + 1, r + 1).intersection(pixels).area, abs=1e-4)


def test_coverage_of_nothing_is_none() -> None:
    """Off the grid, points and lines cover no pixel."""
    assert zones.coverage(box(0, 0, 1, 1), UTM) is None
    assert zones.coverage(LineString([(360000, 1199000), (361000, 1199000)]), UTM) is None
    assert zones.coverage(Polygon(), UTM) is None


def test_coverage_keeps_holes_and_parts() -> None:
    """Four whole pixels less a quarter of one, and a pixel apart."""
    shape = box(360000, 1199980, 360020, 1200000).difference(box(360005, 1199985, 360010, 1199990))
    found = zones.coverage(shape.union(box(360030, 1199990, 360040, 1200000)), UTM)
    assert found is not None
    assert found.weights.tolist() == [[1, 1, 0, 1], [0.75, 1, 0, 0]]


@pytest.mark.parametrize("grid", GRIDS, ids=["utm", "south-up", "rotated", "mercator", "degrees"])
def test_coordinates_go_there_and_back(grid: Grid) -> None:
    """Lon/lat to grid to pixels and back is the same place to a millimetre."""
    polygon = star(8, 3)
    there = zones.to_pixels(zones.to_grid(polygon, grid), grid)
    back = zones.to_lonlat(zones.from_pixels(there, grid), grid)
    assert np.abs(shapely.get_coordinates(back) - shapely.get_coordinates(polygon)).max() < 1e-8


def test_longitude_comes_first() -> None:
    """EPSG:4326 says latitude first; nothing here does."""
    point = zones.to_grid(shapely.Point(103.73, 10.82), GRIDS[4])
    assert point.coords[0] == pytest.approx((103.73, 10.82))
    col, row = zones.to_pixels(zones.to_grid(shapely.Point(*_lonlat_of(UTM, 10, 20)), UTM), UTM).coords[0]
    assert (row, col) == pytest.approx((10.5, 20.5), abs=1e-3)


def _lonlat_of(grid: Grid, row: int, col: int) -> tuple[float, float]:
    x, y = zones.to_lonlat(shapely.Point(*grid.centre(row, col)), grid).coords[0]
    return x, y


def test_a_plain_picture_has_no_longitude() -> None:
    """Without georeference there is nothing to project."""
    with pytest.raises(ValueError, match="without georeference"):
        zones.to_grid(star(5, 1), Grid(None, Affine.identity(), (5, 5)))


def test_circle_and_area() -> None:
    """A circle's area is that of its 72-gon on the ellipsoid; holes do not count."""
    circle = zones.circle(103.73, 10.82, 2000)
    assert zones.area_m2(circle) == pytest.approx(72 / 2 * np.sin(2 * np.pi / 72) * 2000**2, rel=1e-5)
    assert circle.exterior.is_ccw
    hole = circle.difference(zones.circle(103.73, 10.82, 1000))
    assert zones.area_m2(hole) == pytest.approx(0.75 * zones.area_m2(circle), rel=1e-5)
    assert zones.length_m(hole) == pytest.approx(zones.length_m(circle) * 1.5, rel=1e-6)


def test_the_grid_of_a_site() -> None:
    """UTM, on multiples of ten metres, around everything that is drawn, with the margin."""
    site = parse_site(sitefiles.document(), file="t")
    grid = zones.site_grid(site, margin_m=500)
    assert grid.epsg == 32648
    assert grid.transform.c % 10 == grid.transform.f % 10 == 0
    drawn = zones.to_grid(site.extent, grid).bounds
    gaps = np.abs(np.subtract(drawn, grid.bounds))
    assert (gaps >= 500).all()
    assert (gaps < 510).all()


@pytest.mark.parametrize(("kind", "radius"), [("exact", 250), ("village", 2000)])
def test_a_bare_point_grows_to_its_class(kind: str, radius: float) -> None:
    """A point says where to look; the class says how far around."""
    document = sitefiles.document(location={"class": kind, "source": "s", "as_of": "2020"})
    document["features"] = document["features"][:1]
    grid = zones.site_grid(parse_site(document, file="t"), margin_m=0)
    assert grid.shape[0] == pytest.approx(2 * radius / 10, abs=2)
