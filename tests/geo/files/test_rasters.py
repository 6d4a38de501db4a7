"""Rasters by window: physical units, honest gaps, one handle a thread, and no influence from outside the file."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.env import get_gdal_config, set_gdal_config
from smalltif import TRANSFORM, UTM, noise, write_tif

from geo.errors import InputError
from geo.files import opening
from geo.files.rasters import describe, write_tiled
from geo.grid import Grid
from geo.raster import Flag
from geo.tiles import PixelSource, map_tiles

WHOLE = (slice(0, 40), slice(0, 40))


def test_grid_and_units(tmp_path: Path) -> None:
    """EPSG code, transform and shape come through; values are float32 reflectance."""
    data = noise(2)
    file = describe(write_tif(tmp_path / "a.tif", data, names=("B04", "B08"), nodata=0))
    source: PixelSource = file
    assert source.grid == Grid(UTM, TRANSFORM, (40, 40))
    seen = source.read(WHOLE)
    assert seen.dtype == np.float32
    assert np.array_equal(seen, data.astype(np.float32) * np.float32(1e-4))


def test_differences_never_wrap(tmp_path: Path) -> None:
    """An offset below zero is applied in float32, not in the file's unsigned type."""
    file = describe(write_tif(tmp_path / "a.tif", np.full((1, 4, 4), 500, np.uint16)), scale=1e-4, offset=-0.1)
    assert np.allclose(file.read((slice(0, 4), slice(0, 4))), -0.05, atol=1e-7)


@given(st.integers(-50, 45), st.integers(1, 60), st.integers(-50, 45), st.integers(1, 60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_agree_with_the_whole(tmp_path: Path, top: int, height: int, left: int, width: int) -> None:
    """Any window, also one that reaches outside, is the same cut of the padded image; outside is NaN and flagged."""
    path = tmp_path / "a.tif"
    if not path.exists():
        data = noise(3)
        data[2] = np.random.default_rng(0).integers(0, 12, (40, 40))
        write_tif(path, data, names=("B04", "B08", "SCL"), nodata=0, blockysize=7)
    file = describe(path)
    pixels, flags = file.read_both(WHOLE)
    padded = np.pad(pixels, ((0, 0), (60, 110), (60, 110)), constant_values=np.nan)
    padded_flags = np.pad(flags, ((60, 110), (60, 110)), constant_values=Flag.OUTSIDE)
    window = (slice(top, top + height), slice(left, left + width))
    cut = (slice(top + 60, top + 60 + height), slice(left + 60, left + 60 + width))
    seen, seen_flags = file.read_both(window)
    assert np.array_equal(seen, padded[:, *cut], equal_nan=True)
    assert np.array_equal(seen_flags, padded_flags[cut])
    assert np.array_equal(file.read(window), seen, equal_nan=True)
    assert np.array_equal(file.read_flags(window), seen_flags)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_no_data_in_every_type(tmp_path: Path, dtype: str) -> None:
    """A declared value is no data in each type; one that the type cannot hold is harmless; infinities are no data."""
    data = noise(2, dtype, 1, 100)
    data[0, 3, 4] = 0
    file = describe(write_tif(tmp_path / "a.tif", data, nodata=0), scale=1.0)
    assert np.argwhere(np.isnan(file.read(WHOLE))).tolist() == [[0, 3, 4]]
    assert np.isfinite(describe(file.path, scale=1.0, nodata=-70000.5).read(WHOLE)).all() or dtype.startswith("f")
    if dtype.startswith("float"):
        data[1, 5, 6] = np.inf
        again = describe(write_tif(tmp_path / "b.tif", data, nodata=np.nan), scale=1.0)
        assert np.argwhere(np.isnan(again.read(WHOLE))).tolist() == [[1, 5, 6]]


def test_a_mask_inside_the_file_hides(tmp_path: Path) -> None:
    """GDAL's internal mask makes pixels unobserved in all bands."""
    path = tmp_path / "a.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_tif(path, noise(3, "uint8", 1, 250))
        with rasterio.open(path, "r+") as target:
            target.write_mask(np.broadcast_to(np.arange(40) >= 10, (40, 40)))
    file = describe(path)
    assert file.encoding.dataset_mask
    assert np.array_equal(np.isnan(file.read(WHOLE)), np.broadcast_to(np.arange(40) < 10, (3, 40, 40)))
    assert (file.read_flags(WHOLE)[:, :10] == Flag.OUTSIDE).all()


def test_clouds_are_flagged_and_their_pixels_stay(tmp_path: Path) -> None:
    """The scene classification speaks through flags; what lies under a cloud is for others to judge."""
    data = noise(2)
    data[1] = 4
    data[1, :5] = 9
    file = describe(write_tif(tmp_path / "a.tif", data, names=("B04", "SCL"), nodata=0))
    pixels, flags = file.read_both(WHOLE)
    assert np.isfinite(pixels).all()
    assert (flags[:5] == Flag.CLOUD).all()
    assert (flags[5:] == 0).all()


def test_selecting_bands(tmp_path: Path) -> None:
    """Any order of bands reads the same pixels; a band that is not there is named."""
    file = describe(write_tif(tmp_path / "a.tif", noise(3), names=("B02", "B03", "B04")))
    assert np.array_equal(file.select(["red", "blue"]).read(WHOLE), file.read(WHOLE)[[2, 0]], equal_nan=True)
    with pytest.raises(InputError, match=r"a\.tif.*no band nir"):
        file.select(["nir"])


def test_it_pickles_as_a_path(tmp_path: Path) -> None:
    """Workers get a path and a rule, never a handle."""
    file = describe(write_tif(tmp_path / "a.tif", noise(2)))
    assert file.grid.pixel_size_m == (10, 10)
    again = pickle.loads(pickle.dumps(file))
    assert again == file
    assert np.array_equal(again.read(WHOLE), file.read(WHOLE), equal_nan=True)
    assert os.fspath(file) == str(file.path)


def test_threads_never_share_a_handle(tmp_path: Path) -> None:
    """Many threads over several files read the same pixels as one; each thread keeps few handles."""
    files = [
        describe(write_tif(tmp_path / f"{i}.tif", noise(2, size=200) + i, tiled=True, blockxsize=16, blockysize=16))
        for i in range(12)
    ]
    grid = files[0].grid

    def work(job: tuple[int, int]) -> bool:
        index, tile = job
        core = tiles[tile].core
        same = np.array_equal(files[index].read(core), expected[index][:, core[0], core[1]], equal_nan=True)
        return same and len(opening._HANDLES.open) <= opening.HANDLES_PER_THREAD

    tiles = list(grid.tiles(50))
    expected = [file.read((slice(0, 200), slice(0, 200))) for file in files]
    jobs = [(i, t) for t in range(len(tiles)) for i in range(12)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, jobs))
        tiled = list(map_tiles(np.negative, files[3], size=64, executor=pool))
    assert all(np.array_equal(part, -expected[3][:, t.core[0], t.core[1]], equal_nan=True) for t, part in tiled)


def test_a_replaced_file_is_not_read_through_an_old_handle(tmp_path: Path) -> None:
    """The handle belongs to the bytes, not to the name; another size is refused."""
    path = tmp_path / "a.tif"
    file = describe(write_tif(path, noise(1)), scale=1.0)
    before = file.read(WHOLE)
    write_tif(tmp_path / "b.tif", noise(1) + 1).replace(path)
    assert np.array_equal(file.read(WHOLE), before + 1)
    write_tif(tmp_path / "b.tif", noise(1, size=50)).replace(path)
    with pytest.raises(InputError, match="has changed"):
        file.read(WHOLE)
    opening.forget()
    assert not opening._HANDLES.open


def test_sidecars_have_no_influence(tmp_path: Path) -> None:
    """Neither .aux.xml, world file, external mask nor overview changes grid, units or pixels."""
    path = write_tif(tmp_path / "a.tif", noise(3, "uint8", 1, 250), nodata=None)
    expected, pixels = describe(path), describe(path).read(WHOLE)
    opening.forget()
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><SRS>EPSG:32601</SRS><GeoTransform>0,1,0,0,0,-1</GeoTransform><PAMRasterBand band='1'>"
        "<NoDataValue>5</NoDataValue><Offset>7</Offset><Scale>3</Scale><Description>nir</Description>"
        "</PAMRasterBand></PAMDataset>"
    )
    (tmp_path / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    write_tif(tmp_path / "a.tif.msk", np.zeros((1, 40, 40), np.uint8))
    write_tif(tmp_path / "a.tif.ovr", np.zeros((3, 20, 20), np.uint8))
    found = describe(path)
    assert found.grid == expected.grid
    assert replace(found.encoding, notes=()) == replace(expected.encoding, notes=())
    assert any("a.tfw, a.tif.aux.xml, a.tif.msk, a.tif.ovr" in note for note in found.encoding.notes)
    assert np.array_equal(describe(path).read(WHOLE), pixels)


@pytest.mark.parametrize(("driver", "suffix", "world"), [("PNG", "png", "pgw"), ("JPEG", "jpg", "jgw")])
def test_plain_pictures_have_no_georeference(tmp_path: Path, driver: str, suffix: str, world: str) -> None:
    """A PNG or JPEG is read in pixels, whatever world file lies beside it."""
    path = write_tif(tmp_path / f"a.{suffix}", noise(3, "uint8", 1, 250), driver=driver, crs=None, transform=None)
    (tmp_path / f"a.{world}").write_text("1\n0\n0\n-1\n100\n100\n")
    file = describe(path)
    assert file.grid == Grid(None, Affine.identity(), (40, 40))
    assert (file.bands, file.encoding.unit) == (("red", "green", "blue"), "value")
    assert np.nanmax(file.read(WHOLE)) <= 1


def test_systems_without_a_code_and_without_a_place(tmp_path: Path) -> None:
    """A projection without EPSG code is kept as WKT; a local system, or none, is no georeference, and said."""
    odd = "+proj=laea +lat_0=11 +lon_0=104 +datum=WGS84 +units=m"
    laea = describe(write_tif(tmp_path / "a.tif", noise(1), crs=odd))
    assert laea.grid.crs is not None
    assert laea.grid.crs.startswith("PROJ")
    assert laea.grid.pixel_size_m == (10, 10)
    local = describe(write_tif(tmp_path / "b.tif", noise(1), crs='LOCAL_CS["site",UNIT["metre",1]]'))
    assert local.grid.crs is None
    assert any("without georeference" in note for note in local.encoding.notes)
    none = describe(write_tif(tmp_path / "c.tif", noise(1), crs=None))
    assert none.grid.crs is None
    assert any("no coordinate system" in note for note in none.encoding.notes)


def test_nothing_but_nan(tmp_path: Path) -> None:
    """A raster without a single observation can be described, and reads as NaN."""
    file = describe(write_tif(tmp_path / "a.tif", np.full((4, 40, 40), np.nan, np.float32)))
    assert np.isnan(file.read(WHOLE)).all()
    assert (file.read_flags(WHOLE) == Flag.OUTSIDE).all()


def test_jpeg_2000(tmp_path: Path) -> None:
    """JPEG 2000, as Sentinel-2 comes, reads losslessly."""
    data = noise(1, size=128)
    path = write_tif(tmp_path / "a.jp2", data, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    assert np.array_equal(describe(path, scale=1.0).read((slice(0, 128), slice(0, 128))), data.astype(np.float32))


def test_written_intermediates_are_read_back_exactly(tmp_path: Path) -> None:
    """Nothing is guessed about our own files: numbers far above 1 and odd names come back as they were."""
    grid = Grid(UTM, TRANSFORM, (70, 90))
    data = np.random.default_rng(0).normal(50, 900, (2, 70, 90)).astype(np.float32)
    data[0, :9] = np.nan
    parts = [(tile, data[:, tile.core[0], tile.core[1]]) for tile in grid.tiles(32)]
    file = write_tiled(tmp_path / "a.tif", grid, parts, names=["score", "red"], dtype="float32", nodata=np.nan)
    assert (file.grid, file.bands, file.encoding.unit) == (grid, ("score", "red"), "value")
    assert np.array_equal(file.read((slice(0, 70), slice(0, 90))), data, equal_nan=True)
    whole = (slice(0, 70), slice(0, 90))
    flat = write_tiled(tmp_path / "b.tif", grid, [(whole, data[0])], names=["x"], dtype="float32", nodata=None)
    assert np.array_equal(flat.read(whole)[0], data[0], equal_nan=True)


def test_the_block_cache_grows_for_strips_and_is_bounded(tmp_path: Path) -> None:
    """Two images in long strips must fit a row of tiles; no image may ask for more than the bound."""
    before = get_gdal_config("GDAL_CACHEMAX")
    try:
        set_gdal_config("GDAL_CACHEMAX", opening.CACHE_MB * 2**20)
        describe(write_tif(tmp_path / "a.tif", np.zeros((1, 40, 40), np.uint8)))
        assert get_gdal_config("GDAL_CACHEMAX") == opening.CACHE_MB * 2**20
        wide = write_tif(tmp_path / "b.tif", np.ones((4, 600, 12_000), np.uint16), compress="deflate", BLOCKYSIZE=1)
        describe(wide)
        assert get_gdal_config("GDAL_CACHEMAX") == 2 * 600 * 12_000 * 8
        set_gdal_config("GDAL_CACHEMAX", 2**32)
        describe(write_tif(tmp_path / "c.tif", np.zeros((1, 40, 40), np.uint8)))
        assert get_gdal_config("GDAL_CACHEMAX") <= opening.MAX_CACHE_BYTES
    finally:
        set_gdal_config("GDAL_CACHEMAX", before)
