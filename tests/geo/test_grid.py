"""Grid, tiles and UTM zones."""

import math
import pickle

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from strategies import grid_of, halos, shapes, tile_sizes

from geo.grid import Grid, utm_epsg


@given(shapes, tile_sizes, halos)
def test_tiles_cover_each_pixel_once(shape: tuple[int, int], size: int, halo: int) -> None:
    """Cores partition the grid; read holds core; trim cuts core out of read."""
    grid = grid_of(*shape)
    seen = np.zeros(shape, int)
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    for tile in grid.tiles(size, halo):
        seen[tile.core] += 1
        np.testing.assert_array_equal(index[tile.read][tile.trim], index[tile.core])
        for core, read, limit in zip(tile.core, tile.read, shape, strict=True):
            assert read.start == max(0, core.start - halo)
            assert read.stop == min(limit, core.stop + halo)
    assert (seen == 1).all()


@given(st.floats(100_000, 900_000), st.floats(0, 9_000_000), st.floats(1, 5000), st.floats(1, 5000))
def test_around_snaps_outwards(left: float, bottom: float, width: float, height: float) -> None:
    """The grid covers the bounds, starts on multiples of the resolution, and is no larger than it must be."""
    grid = Grid.around((left, bottom, left + width, bottom + height), 32648, 10)
    west, south, east, north = grid.bounds
    assert west <= left
    assert south <= bottom
    assert east >= left + width - 1e-6
    assert north >= bottom + height - 1e-6
    assert west % 10 == south % 10 == 0
    assert east - west < width + 20
    assert north - south < height + 20


def test_window_and_pad_are_inverse() -> None:
    """Padding and then cutting the middle out gives the same grid."""
    grid = grid_of(5, 7)
    assert grid.pad(3).window((slice(3, 8), slice(3, 10))) == grid


def test_pixel_size_of_degrees_is_metres_on_the_ellipsoid() -> None:
    """A degree of longitude at 60 N is half of one at the equator (within the ellipsoid's flattening)."""
    size = 8.983e-5
    at_equator = Grid("EPSG:4326", Affine(size, 0, 10, 0, -size, 0.001), (20, 20)).pixel_size_m
    at_sixty = Grid("EPSG:4326", Affine(size, 0, 10, 0, -size, 60.001), (20, 20)).pixel_size_m
    assert at_equator is not None
    assert at_sixty is not None
    assert at_equator == pytest.approx((9.93, 10.0), abs=0.01)
    assert at_sixty[1] / at_equator[1] == pytest.approx(0.5, abs=0.002)


def test_pixel_size_follows_the_unit_and_rotation() -> None:
    """US survey feet become metres; a rotated pixel keeps its side."""
    feet = Grid("EPSG:2264", Affine(10, 0, 1e6, 0, -10, 5e5), (4, 4)).pixel_size_m
    assert feet == pytest.approx((3.048006, 3.048006), abs=1e-5)
    turned = Grid("EPSG:32648", Affine.translation(3e5, 1e6) @ Affine.rotation(30) @ Affine.scale(2, -2), (4, 4))
    assert turned.pixel_size_m == pytest.approx((2, 2))
    assert Grid(None, Affine.identity(), (4, 4)).pixel_size_m is None


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_grid_without_pixels_is_refused(shape: tuple[int, int]) -> None:
    """An empty grid cannot be watched."""
    with pytest.raises(ValueError, match="at least one pixel"):
        grid_of(*shape)


def test_grid_without_inverse_is_refused() -> None:
    """A transform that flattens the plane, or is not finite, is no georeference."""
    for transform in (Affine(0, 0, 1, 0, 0, 1), Affine(math.nan, 0, 0, 0, -1, 0)):
        with pytest.raises(ValueError, match="invertible"):
            Grid("EPSG:32648", transform, (2, 2))


def test_grid_is_hashable_and_pickles() -> None:
    """Grids are keys and travel to workers."""
    grid = grid_of(5, 7)
    assert len({grid, grid_of(5, 7), pickle.loads(pickle.dumps(grid))}) == 1


@pytest.mark.parametrize(
    ("lon", "lat", "expected"),
    [(101.999, 11, 32647), (102.0, 11, 32648), (5, 60, 32632), (10, 75, 32633), (179.99, -10, 32760), (180, 10, 32660)],
)
def test_utm_zone_at_the_edges(lon: float, lat: float, expected: int) -> None:
    """Zone borders belong to the eastern zone; Norway and Svalbard have their own."""
    assert utm_epsg(lon, lat) == expected


def test_utm_refuses_the_poles_and_swapped_coordinates() -> None:
    """Latitude 103 is a swapped pair, not a place."""
    with pytest.raises(ValueError, match="UTM covers"):
        utm_epsg(10.8, 103.7)


@given(shapes, tile_sizes, halos, st.integers(1, 90))
def test_stripes_are_the_same_tiles_downwards(shape: tuple[int, int], size: int, halo: int, width: int) -> None:
    """Every tile once, and never back to the left."""
    grid = grid_of(*shape)
    found = list(grid.stripes(width, size, halo))
    assert sorted(map(str, found)) == sorted(map(str, grid.tiles(size, halo)))
    stripes = [tile.core[1].start // (size * max(1, width // size)) for tile in found]
    assert stripes == sorted(stripes)
