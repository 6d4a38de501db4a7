"""What GDAL and PROJ may do is settled before they are imported."""

import subprocess
import sys
from pathlib import Path

from geo.files.environment import harden

ROOT = Path(__file__).parents[3]

PROGRAM = """
import os, sys
from geo.files.environment import harden
harden(os.environ)
import numpy as np, rasterio, pyogrio
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject
from geo.files.pyramid import pyramid
from geo.files.rasters import write_tiled, describe
from geo.grid import Grid
folder = sys.argv[1]
grid = Grid("EPSG:32648", Affine(10, 0, 3e5, 0, -10, 1.2e6), (600, 700))
data = np.random.default_rng(0).random((2, 600, 700), dtype=np.float32)
tile = [(t, data[:, t.core[0], t.core[1]]) for t in grid.tiles(512)]
write_tiled(folder + "/a.tif", grid, tile, names=["red", "nir"], dtype="float32", nodata=float("nan"))
with pyramid(folder + "/b.tif", grid, names=("red", "nir"), dtype="float32", nodata=float("nan")) as put:
    for window, array in tile:
        put(window, array)
assert describe(folder + "/b.tif").grid == grid
with rasterio.open(folder + "/b.tif") as source, WarpedVRT(source, crs="EPSG:4326") as warped:
    assert np.isfinite(warped.read()).any()
out = np.zeros((600, 700), np.float32)
reproject(data[0], out, src_transform=grid.transform, src_crs=grid.crs, dst_transform=grid.transform, dst_crs=grid.crs)
assert out.any() and {"GPKG", "GeoJSON"} <= set(pyogrio.list_drivers())
with rasterio.Env() as env:
    assert not {"WMS", "HTTP", "PLMOSAIC"} & set(env.drivers())
"""


def test_hardening_is_a_function_of_the_mapping() -> None:
    """Foreign PROJ data go, hostile settings are overwritten, the rest stays; twice is the same as once."""
    environ = {"PROJ_LIB": "/elsewhere", "GDAL_PAM_ENABLED": "YES", "GDAL_SKIP": "GTiff", "LANG": "C"}
    assert harden(environ) == ("PROJ_LIB",)
    once = dict(environ)
    assert harden(environ) == ()
    assert environ == once
    assert environ["GDAL_PAM_ENABLED"] == "NO"
    assert "GTiff" not in environ["GDAL_SKIP"].split(",")
    assert environ["LANG"] == "C"
    assert all(isinstance(value, str) for value in environ.values())


def test_everything_we_need_still_works_hardened(tmp_path: Path) -> None:
    """COGs, warping and vector drivers work without the skipped drivers and say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        env={"PROJ_DATA": "/nowhere", "PROJ_LIB": "/nowhere", "PATH": "", "GDAL_DRIVER_PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
