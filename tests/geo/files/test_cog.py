"""The final raster: a valid COG, the same bytes every time, with names and tags and nothing about this machine."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rio_cogeo import cog_validate
from smalltif import TRANSFORM, UTM

from geo.errors import ConfigurationError
from geo.files.rasters import describe, write_cog, write_tiled
from geo.grid import Grid

NAMES = ["score", "p", "first_seen"]


def build(
    folder: Path, name: str, *, shape: tuple[int, int] = (1100, 1300), tile: int = 512, crs: str | None = UTM
) -> Path:
    grid = Grid(crs, TRANSFORM if crs else Affine.identity(), shape)
    data = np.random.default_rng(3).random((3, *shape), dtype=np.float32)
    data[2] = 17_532
    data[:, : shape[0] // 4] = np.nan
    parts = ((t, data[:, t.core[0], t.core[1]]) for t in grid.tiles(tile))
    source = write_tiled(folder / f"{name}.tmp.tif", grid, parts, names=NAMES, dtype="float32", nodata=np.nan)
    return write_cog(source, folder / f"{name}.tif", tags={"RUN": "a1", "ACQUIRED": "2020-01-01"})


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("shape", [(1100, 1300), (512, 512), (40, 30), (513, 2)])
def test_valid_by_rio_cogeo(tmp_path: Path, shape: tuple[int, int]) -> None:
    """Strictly valid at any size, georeferenced or not; names, tags, no-data and pixels are inside."""
    for crs in (UTM, None):
        path = build(tmp_path, f"a{crs is None}", shape=shape, crs=crs)
        valid, errors, warnings = cog_validate(path, strict=True)
        assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(tmp_path / "aFalse.tif") as cog:
        assert cog.descriptions == tuple(NAMES)
        assert {**cog.tags(), "RUN": "a1", "ACQUIRED": "2020-01-01"} == cog.tags()
        assert np.isnan(cog.nodata)
        assert (cog.compression.value, cog.crs.to_epsg(), cog.shape) == ("DEFLATE", 32648, shape)
        assert cog.read(3)[-1, -1] == 17_532


def test_the_same_bytes_whatever_the_tiles_and_the_place(tmp_path: Path) -> None:
    """Two folders, two tile sizes, one result; neither path nor host is in it."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    first, second = build(tmp_path, "a"), build(other, "b", tile=200)
    assert sha(first) == sha(second)
    content = first.read_bytes()
    assert str(tmp_path).encode() not in content
    with rasterio.open(first) as cog:
        assert set(cog.tags()) == {"RUN", "ACQUIRED", "AREA_OR_POINT"}
    assert sorted(p.name for p in other.iterdir()) == ["b.tif", "b.tmp.tif"]


def test_classes_keep_their_values_in_overviews(tmp_path: Path) -> None:
    """Nearest neighbour: an overview of 0, 1, 255 holds nothing else."""
    grid = Grid(UTM, TRANSFORM, (1500, 1500))
    data = np.random.default_rng(0).choice(np.array([0, 1, 255], np.uint8), (1500, 1500))
    source = write_tiled(
        tmp_path / "m.tif",
        grid,
        [(t, data[t.core]) for t in grid.tiles(512)],
        names=["change"],
        dtype="uint8",
        nodata=255,
    )
    path = write_cog(source, tmp_path / "mask.tif")
    with rasterio.open(path, overview_level=0) as cog:
        assert set(np.unique(cog.read(1))) == {0, 1, 255}
        assert cog.shape == (750, 750)
    assert describe(path, scale=1.0).encoding.nodata == (255.0,)


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="no gdalinfo of another GDAL on this machine")
def test_another_gdal_opens_it(tmp_path: Path) -> None:
    """The GDAL of the system (that of QGIS) reads the same pixels."""
    path = build(tmp_path, "a")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("GDAL", "PROJ"))}
    done = subprocess.run(
        ["gdalinfo", "-checksum", str(path)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "LAYOUT=COG" in done.stdout
    assert "ERROR" not in done.stderr


def test_nothing_half_written(tmp_path: Path) -> None:
    """A producer that fails, a damaged source or a place that cannot be written leaves no file."""
    grid = Grid(UTM, TRANSFORM, (64, 64))

    def failing():  # type: ignore[no-untyped-def]
        yield (slice(0, 32), slice(0, 64)), np.zeros((1, 32, 64), np.float32)
        raise RuntimeError("the kernel failed")

    with pytest.raises(RuntimeError, match="the kernel failed"):
        write_tiled(tmp_path / "a.tif", grid, failing(), names=["x"], dtype="float32", nodata=None)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConfigurationError, match="file"):
        write_tiled(tmp_path / "file" / "a.tif", grid, [], names=["x"], dtype="float32", nodata=None)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
