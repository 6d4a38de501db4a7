"""COGs from a stream of tiles: valid, the same bytes again, overviews that hide nothing."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rio_cogeo.cogeo import cog_validate

from geo.files import pyramid as room
from geo.grid import Grid

GRID = Grid("EPSG:32648", Affine(10, 0, 350000, 0, -10, 1200000), (1301, 1107))


def _write(path: Path, values, grid=GRID, **settings):
    with room.pyramid(path, grid, **settings) as write:
        for tile in grid.tiles(512):
            write(tile, values[:, tile.core[0], tile.core[1]])
    return path


@pytest.mark.parametrize("shape", [(1, 1), (40, 700), (512, 512), (513, 600), (1301, 1107)])
def test_it_is_a_valid_cog_with_its_pixels(tmp_path, shape):
    """Any shape gives a COG that holds exactly what was written, with the grid and the tags."""
    grid = Grid(GRID.crs, GRID.transform, shape)
    values = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    values[:, : shape[0] // 3] = np.nan
    path = _write(tmp_path / "x.tif", values, grid, names=("a", "b"), dtype="float32", nodata=np.nan, tags={"k": "v"})
    valid, errors, _ = cog_validate(str(path), quiet=True)
    assert (valid, errors) == (True, [])
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(), values)
        assert (source.descriptions, source.crs.to_epsg(), source.transform) == (("a", "b"), 32648, grid.transform)
        assert source.tags()["k"] == "v"
        assert bool(source.overviews(1)) == (max(shape) > 512)
    assert [p.name for p in tmp_path.iterdir()] == ["x.tif"]


def test_the_same_tiles_give_the_same_bytes(tmp_path):
    """Threads and names of temporary files do not show."""
    values = np.random.default_rng(2).integers(0, 255, (4, *GRID.shape), dtype=np.uint8)
    settings = {"names": ("red", "green", "blue", "alpha"), "dtype": "uint8", "nodata": None}
    one = _write(tmp_path / "one.tif", values, reduce=room.mean_rgba, **settings)
    two = _write(tmp_path / "two.tif", values, reduce=room.mean_rgba, **settings)
    assert one.read_bytes() == two.read_bytes()


def test_zooming_out_hides_no_change(tmp_path):
    """A single changed pixel is there on every overview."""
    mask = np.zeros((1, *GRID.shape), dtype=np.uint8)
    mask[0, 700, 333] = 1
    mask[0, :600] = 255
    path = _write(tmp_path / "m.tif", mask, names=("mask",), dtype="uint8", nodata=255, reduce=room.keep_change)
    with rasterio.open(path) as source:
        levels = len(source.overviews(1))
    assert levels == 2
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as small:
            data = small.read(1)
        assert (data == 1).sum() == 1
        assert (data[: 590 // 2 ** (level + 1)] == 255).all()


def test_the_mean_of_colours_leaves_out_what_was_not_seen():
    """An edge of the image is not darkened by the nothing beside it."""
    image = np.zeros((4, 2, 2), dtype=np.uint8)
    image[:, 0, 0] = 200, 100, 50, 255
    assert room.mean_rgba(image)[:, 0, 0].tolist() == [200, 100, 50, 64]


def test_without_georeference_there_is_none(tmp_path):
    """No coordinate system and no transform are invented, and no warning is raised."""
    grid = Grid(None, Affine.identity(), (20, 30))
    path = _write(tmp_path / "x.tif", np.ones((1, 20, 30), np.uint8), grid, names=("v",), dtype="uint8", nodata=None)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as source:
        assert source.crs is None


def test_a_failure_leaves_nothing(tmp_path):
    """No half-written file and no intermediate stays."""
    grid = Grid(None, Affine.identity(), (20, 30))
    with (
        pytest.raises(RuntimeError, match="stop"),
        room.pyramid(tmp_path / "x.tif", grid, names=("v",), dtype="uint8", nodata=None),
    ):
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []
