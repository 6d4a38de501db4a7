"""Squares of a radar series: the same whatever the tiles, and as quiet as their looks say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from geo.grid import Grid
from geo.kernels.sar import speckle_db
from pipelines.detect.speckle import squares
from pipelines.prepare import Cube

ENL = 6.0


@pytest.mark.parametrize("metres", [10.0, 30.0])
def test_squares_do_not_show_the_tiles_and_tell_the_noise(tmp_path: Path, metres: float) -> None:
    rng = np.random.default_rng(1)
    power = rng.gamma(ENL, 0.1 / ENL, (12, 2, 90, 70)).astype(np.float32)
    np.save(tmp_path / "cube.npy", power)
    flags = np.zeros((12, 90, 70), np.uint8)
    np.save(tmp_path / "flags.npy", flags)
    grid = Grid("EPSG:32648", Affine(metres, 0, 300_000, 0, -metres, 1_200_000), (90, 70))
    cube = Cube(tmp_path / "cube.npy", tmp_path / "flags.npy", grid)
    groups = np.zeros(12, np.int64)
    sample, speckle = squares(cube, groups, 4000, 512, None)
    for tile in (16, 37):
        again, same = squares(cube, groups, 4000, tile, None)
        np.testing.assert_array_equal(again, sample)
        assert same.looks == speckle.looks
        np.testing.assert_array_equal(same.scene.spread_db, speckle.scene.spread_db)
    side = 2 * speckle.radius_px + 1
    assert side * metres == {10.0: 50.0, 30.0: 90.0}[metres]
    assert len(sample) == -(-90 // side) * -(-70 // side)
    # These pixels are independent, those of a resampled image only half: the squares may be quieter than is believed.
    assert speckle.looks == pytest.approx(ENL * side**2 / 2, rel=0.15)
    assert np.nanmedian(sample.std(axis=1)) <= speckle_db(speckle.looks)
