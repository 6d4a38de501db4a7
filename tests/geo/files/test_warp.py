"""Warping: once, exact, the same bytes for any tiling, and nothing unseen bleeds in."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer

from geo.files.rasters import describe
from geo.files.warp import Placed, Warped, coincides, onto, outline, write_warped
from geo.grid import Grid
from geo.raster import Raster

UTM = Grid("EPSG:32648", Affine(10, 0, 500_000, 0, -10, 1_200_000), (120, 150))


def raster(grid: Grid, *bands: NDArray[np.float64]) -> Raster:
    data = np.stack(bands).astype(np.float32)
    return Raster(data, np.zeros(grid.shape, np.uint8), grid, tuple(f"b{i}" for i in range(1, len(bands) + 1)))


def blob(grid: Grid, lon: float, lat: float, sigma_m: float = 25.0) -> NDArray[np.float64]:
    """A Gaussian hill at a place on Earth, drawn at the pixel centres of any grid."""
    rows, cols = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
    x, y = grid.transform @ (cols, rows)
    if grid.crs != UTM.crs:
        x, y = Transformer.from_crs(grid.crs, UTM.crs, always_xy=True).transform(x, y)
    at = Transformer.from_crs("EPSG:4326", UTM.crs, always_xy=True).transform(lon, lat)
    hill: NDArray[np.float64] = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma_m**2))
    return hill


def centroid(image: NDArray[np.float32]) -> tuple[float, float]:
    weight = np.nan_to_num(image.astype(float)).clip(0.02) - 0.02
    rows, cols = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((rows * weight).sum() / weight.sum()), float((cols * weight).sum() / weight.sum())


LON, LAT = Transformer.from_crs(UTM.crs, "EPSG:4326", always_xy=True).transform(500_760, 1_199_380)
DEGREE = 10 / 110_600


def north_up(crs: str, size: float, shape: tuple[int, int]) -> Grid:
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(LON, LAT)
    return Grid(crs, Affine(size, 0, x - 80 * size, 0, -size, y + 70 * size), shape)


GRIDS = {
    "geographic": north_up("EPSG:4326", DEGREE, (140, 160)),
    "web mercator": north_up("EPSG:3857", 9, (150, 160)),
    "other zone": north_up("EPSG:32647", 10, (140, 160)),
    "south-up": Grid(UTM.crs, Affine(10, 0, 500_003, 0, 10, 1_198_790), (125, 155)),
    "rotated": Grid(
        UTM.crs, Affine.translation(500_100, 1_200_300) @ Affine.rotation(-20) @ Affine.scale(10, -10), (190, 200)
    ),
    "finer": Grid(UTM.crs, Affine(4, 0, 500_001, 0, -4, 1_199_999), (290, 360)),
    "coarser": Grid(UTM.crs, Affine(23, 0, 500_001, 0, -23, 1_199_999), (50, 60)),
    "a little coarser": Grid(UTM.crs, Affine(13, 0, 500_001, 0, -13, 1_199_999), (90, 110)),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_known_place_stays_there(name: str) -> None:
    """A hill drawn on any grid lies within 0.1 px of its place after warping, both ways, and keeps its height."""
    other = GRIDS[name]
    for source, target in ((other, UTM), (UTM, other)):
        warped = onto(raster(source, blob(source, LON, LAT)), target)
        assert isinstance(warped, Warped)
        image = warped.read((slice(0, target.shape[0]), slice(0, target.shape[1])))[0]
        found, true = centroid(image), centroid(blob(target, LON, LAT).astype(np.float32))
        assert np.hypot(found[0] - true[0], found[1] - true[1]) < 0.1
        assert np.nanmax(image) > 0.75
        both = np.isfinite(image)
        assert np.abs(image[both] - blob(target, LON, LAT)[both]).max() < 0.2


def test_a_measured_shift_is_put_right() -> None:
    """Ground that lies off by (row, col) comes back to its place, with a sub-pixel error in value."""
    source = raster(UTM, blob(replace(UTM, transform=UTM.transform @ Affine.translation(-0.4, 1.3)), LON, LAT, 40))
    image = onto(source, UTM, shift_px=(-1.3, 0.4)).read((slice(0, 120), slice(0, 150)))[0]
    inside = np.isfinite(image)
    assert inside.mean() > 0.95
    np.testing.assert_allclose(image[inside], blob(UTM, LON, LAT, 40)[inside], atol=0.01)


def test_equal_grids_are_not_copied() -> None:
    """Identity returns the source itself; coinciding pixels return a view, never a resampling."""
    source = raster(UTM, blob(UTM, LON, LAT))
    assert onto(source, UTM) is source
    jittered = replace(UTM, transform=UTM.transform @ Affine.translation(1e-6, -1e-6))
    assert coincides(UTM, jittered) == (0, 0)
    cut = UTM.window((slice(-3, 50), slice(7, 160)))
    view = onto(source, cut)
    assert isinstance(view, Placed)
    pixels = view.read((slice(0, 53), slice(0, 153)))[0]
    assert np.isnan(pixels[:3]).all()
    assert np.isnan(pixels[:, 143:]).all()
    np.testing.assert_array_equal(pixels[3:, :143], source.data[0, :50, 7:])
    whole = onto(source, UTM, shift_px=(2.0, -3.0))
    assert isinstance(whole, Placed)
    np.testing.assert_array_equal(whole.read((slice(0, 5), slice(3, 9)))[0], source.data[0, 2:7, 0:6])
    assert coincides(UTM, GRIDS["south-up"]) is None
    assert coincides(UTM, GRIDS["geographic"]) is None


@pytest.mark.parametrize("name", [*GRIDS, "shifted"])
def test_what_was_not_seen_never_bleeds(name: str) -> None:
    """Around a hole, and at the edge of the image, every pixel is the plain ground value or NaN: no mixture."""
    target, shift = (UTM, (0.4, -0.3)) if name == "shifted" else (GRIDS[name], (0.0, 0.0))
    data = np.full(UTM.shape, 0.25)
    data[40:70, 50:90] = np.nan
    data[:, 140:] = np.nan
    image = onto(raster(UTM, data, np.full(UTM.shape, 0.5)), target, shift_px=shift).read(
        (slice(0, target.shape[0]), slice(0, target.shape[1]))
    )
    for values, level in zip(image, (0.25, 0.5), strict=True):
        assert np.isfinite(values).any()
        np.testing.assert_allclose(values[np.isfinite(values)], level, atol=2e-6)
    holes = np.isnan(image[0]) & np.isfinite(image[1])
    rows, cols = np.mgrid[: target.shape[0], : target.shape[1]] + 0.5
    to_source = ~UTM.transform
    x, y = target.transform @ (cols, rows)
    if target.crs != UTM.crs:
        x, y = Transformer.from_crs(target.crs, UTM.crs, always_xy=True).transform(x, y)
    x, y = to_source @ (x, y)
    in_hole = (y > 41) & (y < 69) & (x > 51) & (x < 89)
    assert holes[in_hole & np.isfinite(image[1])].all()
    outside = (y < 0) | (y > 120) | (x < 0) | (x > 150)
    assert not np.isfinite(image[1][outside]).any() or name == "coarser"
    assert holes.sum() > 0


def test_averaging_needs_half_of_a_pixel_to_be_seen() -> None:
    """A coarse pixel is the mean of what was seen of it, if that is at least half."""
    data = np.tile(np.array([1.0, 3.0]), (120, 75))
    data[:, :1] = np.nan
    data[0:2, 10:12] = np.nan
    coarse = Grid(UTM.crs, UTM.transform @ Affine.scale(2, 2), (60, 75))
    image = onto(raster(UTM, data), coarse).read((slice(0, 60), slice(0, 75)))[0]
    np.testing.assert_allclose(image[1:, 1:], 2.0)
    np.testing.assert_allclose(image[1:, 0], 3.0)
    assert np.isnan(image[0, 5])


def test_classes_are_never_averaged() -> None:
    """Nearest keeps every class what it is, and says NaN outside."""
    classes = np.random.default_rng(0).integers(1, 9, UTM.shape).astype(float)
    for name, grid in GRIDS.items():
        image = onto(raster(UTM, classes), grid, nearest=True).read((slice(0, grid.shape[0]), slice(0, grid.shape[1])))
        assert set(np.unique(image[np.isfinite(image)])) <= set(range(1, 9)), name


def big() -> tuple[Raster, Grid]:
    grid = Grid("EPSG:4326", Affine(9e-5, 0, 104.0, 0, -9e-5, 11.0), (700, 800))
    data = np.random.default_rng(1).standard_normal((2, 700, 800)).astype(np.float32)
    data[:, 300:340, 200:500] = np.nan
    data[0, 600:, 100] = np.nan
    x, y = Transformer.from_crs("EPSG:4326", UTM.crs, always_xy=True).transform(104.0, 11.0)
    target = Grid(UTM.crs, Affine(10, 0, round(x), 0, -10, round(y)), (690, 760))
    return Raster(data, np.zeros((700, 800), np.uint8), grid, ("red", "nir")), target


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_window_reads_the_same_numbers(data: st.DataObject) -> None:
    """The window through which a warped source is read does not show in its pixels."""
    source, target = BIG
    top, left = data.draw(st.integers(0, 680)), data.draw(st.integers(0, 750))
    window = (slice(top, data.draw(st.integers(top + 1, 690))), slice(left, data.draw(st.integers(left + 1, 760))))
    np.testing.assert_array_equal(onto(source, target, shift_px=(0.3, -0.7)).read(window), WHOLE[:, *window])


BIG = big()
WHOLE = onto(*BIG, shift_px=(0.3, -0.7)).read((slice(0, 690), slice(0, 760)))


def in_processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


@pytest.mark.parametrize("executor", [lambda: ThreadPoolExecutor(1), lambda: ThreadPoolExecutor(3), in_processes])
def test_workers_do_not_show_in_the_bytes(tmp_path: Path, executor: Callable[[], ThreadPoolExecutor]) -> None:
    """The file is the same, byte for byte, for none, one, three threads and two processes, read from disk."""
    source, target = BIG
    profile = {"driver": "GTiff", "height": 700, "width": 800, "count": 2, "dtype": "float32", "nodata": np.nan}
    with rasterio.open(tmp_path / "in.tif", "w", crs="EPSG:4326", transform=source.grid.transform, **profile) as file:
        file.write(source.data)
    lazy = onto(describe(tmp_path / "in.tif", scale=1, offset=0), target, shift_px=(0.3, -0.7))
    assert pickle.loads(pickle.dumps(lazy)) == lazy
    names = ("red", "nir")
    alone = write_warped(lazy, tmp_path / "alone.tif", names=names, unit="reflectance")
    with executor() as pool:
        together = write_warped(lazy, tmp_path / "together.tif", names=names, unit="reflectance", executor=pool)
    assert (tmp_path / "alone.tif").read_bytes() == (tmp_path / "together.tif").read_bytes()
    np.testing.assert_array_equal(together.read((slice(0, 690), slice(0, 760))), WHOLE)
    assert alone.bands == names
    assert alone.grid == target


@pytest.mark.parametrize("inset", range(3, 9))
def test_source_windows_at_the_very_corner_are_read_right(inset: int) -> None:
    """A transform that happens to look like none at all is not taken for none."""
    source = raster(UTM, blob(UTM, LON, LAT, 60))
    target = Grid(UTM.crs, UTM.transform @ Affine.translation(inset + 0.4, inset + 0.4), (90, 90))
    image = onto(source, target).read((slice(0, 90), slice(0, 90)))[0]
    np.testing.assert_allclose(image, blob(target, LON, LAT, 60), atol=0.01)


def test_much_finer_imagery_is_averaged_in_small_pieces() -> None:
    """Half a metre onto 30 m: never more than a bounded piece of the source at once, and the mean is the mean."""

    class Counted:
        grid = Grid(UTM.crs, Affine(0.5, 0, 500_000, 0, -0.5, 1_200_000), (6000, 6000))
        largest = 0

        def read(self, window: tuple[slice, slice]) -> NDArray[np.float32]:
            rows, cols = np.ogrid[window]
            self.largest = max(self.largest, rows.size * cols.size)
            return ((rows // 60 + cols // 60) % 7).astype(np.float32)[None]

    source = Counted()
    target = Grid(UTM.crs, Affine(30, 0, 500_000, 0, -30, 1_200_000), (100, 100))
    image = onto(source, target).read((slice(0, 100), slice(0, 100)))[0]
    rows, cols = np.ogrid[:100, :100]
    np.testing.assert_allclose(image, (rows + cols) % 7, atol=1e-5)
    assert 0 < source.largest <= 2600**2


def test_outline_knows_where_a_source_lies() -> None:
    """The outline of a grid in its own pixels is its frame; an impossible latitude lies nowhere."""
    assert outline(UTM, UTM) == pytest.approx((0, 0, 120, 150))
    nowhere = Grid("EPSG:4326", Affine(1e-4, 0, 11.0, 0, -1e-4, 104.0), (10, 10))
    found = outline(nowhere, UTM)
    assert found is None or found[2] < 0 or found[0] > 120
