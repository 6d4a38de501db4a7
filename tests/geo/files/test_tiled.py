"""The intermediate raster appears whole or not at all, and holds what was written."""

import os
from pathlib import Path

import numpy as np
import pytest
from smalltif import TRANSFORM, UTM, write_tif

from geo.errors import ConfigurationError, SitewatchError
from geo.files.mapping import mapped
from geo.files.rasters import write_tiled
from geo.files.readback import Readback
from geo.grid import Grid


def test_nothing_half_written(tmp_path: Path) -> None:
    """A producer that fails, or a place that cannot be written, leaves no file."""
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


def test_a_block_that_did_not_reach_the_file_is_found_out(tmp_path: Path) -> None:
    """One window of two is another, is missing, or cannot be read; NaN is NaN whatever its bits."""
    data = np.random.default_rng(0).random((2, 40, 50), np.float32)
    data[0, 3:9] = np.nan
    path = write_tif(tmp_path / "a.tif", data, tiled=True, blockxsize=16, blockysize=16)
    written = Readback("float32")
    odd = np.array([0x7FC12345], np.uint32).view(np.float32)[0]
    written.note(np.where(np.isnan(data[:, :20]), odd, data[:, :20]), 0, 0)
    written.note(data[:, 20:].astype(np.float64), 20, 0)
    written.check(path, "a.tif")
    for wrong in (data[:, 20:] + 1, data[:, 20:] * 0):
        other = Readback("float32")
        other.note(wrong, 20, 0)
        with pytest.raises(SitewatchError, match=r"a\.tif could not be written"):
            other.check(path, "a.tif")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(SitewatchError, match=r"a\.tif could not be written"):
        written.check(path, "a.tif")


def test_a_mapped_array_has_its_room_from_the_start(tmp_path: Path) -> None:
    """A sparse file would kill the process at the first write that finds no room."""
    held = mapped(tmp_path / "a.npy", (100, 200, 30), np.float32)
    held[5] = 7
    held.flush()
    told = (tmp_path / "a.npy").stat()
    assert told.st_blocks * 512 >= told.st_size
    assert np.load(tmp_path / "a.npy").sum() == 7 * 200 * 30
