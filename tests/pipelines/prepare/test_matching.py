"""Matching: two looks at one ground are equally soft, however each came onto the grid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from geo.files.warp import Warped, onto
from geo.grid import Grid
from geo.raster import Raster
from pipelines.cli import run
from pipelines.prepare.matching import Softened, Trimmed, what_was_done

GRID = Grid("EPSG:32648", Affine(10, 0, 500_000, 0, -10, 1_200_000), (64, 72))


def raster(grid: Grid = GRID, seed: int = 0) -> Raster:
    data = ndimage.gaussian_filter(np.random.default_rng(seed).random((2, *grid.shape)), (0, 1, 1)).astype(np.float32)
    return Raster(data, np.zeros(grid.shape, np.uint8), grid, ("red", "nir"))


def moved(by: Affine) -> Grid:
    return Grid(GRID.crs, GRID.transform @ by, GRID.shape)


def test_what_was_done_is_told_from_the_way_onto_the_grid() -> None:
    assert what_was_done(raster()) is None
    assert what_was_done(onto(raster(), GRID, shift_px=(2.0, -1.0))) is None
    assert what_was_done(onto(raster(), GRID, shift_px=(0.01, 1.99))) is None
    assert what_was_done(onto(raster(), GRID, shift_px=(0.3, -1.25))) == (0.3, 0.75)
    for other in (moved(Affine.translation(0.5, 0.5)), moved(Affine.scale(1.3)), moved(Affine.rotation(20))):
        assert what_was_done(onto(raster(other), GRID)) == other
    assert what_was_done(onto(raster(moved(Affine.scale(0.5))), GRID)) is None  # finer, so averaged


@pytest.mark.parametrize("kind", ["softened", "trimmed"])
def test_any_window_gives_the_same_numbers(kind: str) -> None:
    data = raster()
    data.data[:, 30:33, 40:50] = np.nan
    source = Softened(data, (0.5, 0.3)) if kind == "softened" else Trimmed(data)
    whole = source.read((slice(0, 64), slice(0, 72)))
    for rows, cols in ((slice(0, 20), slice(30, 72)), (slice(25, 26), slice(0, 72)), (slice(60, 64), slice(70, 72))):
        assert source.read((rows, cols)).tobytes() == np.ascontiguousarray(whole[:, rows, cols]).tobytes()


def test_a_trimmed_source_loses_the_rim_of_what_it_saw() -> None:
    data = raster()
    data.data[:, 30, 40] = np.nan
    out = Trimmed(data).read((slice(20, 41), slice(30, 51)))
    expected = ndimage.binary_dilation(np.isnan(data.data[0, 20:41, 30:51]), np.ones((5, 5), bool))
    assert np.array_equal(np.isnan(out[0]), expected)


def test_softening_takes_away_what_a_correction_by_half_a_pixel_took() -> None:
    """Ground moved by half a pixel without loss, put right by interpolation: softened, the other date equals it."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft2(ndimage.gaussian_filter(rng.standard_normal((64, 72)), 0.8, mode="wrap"))
    rows, cols = np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(72)[None]
    there = np.fft.irfft2(spectrum, (64, 72))
    away = np.fft.irfft2(spectrum * np.exp(-2j * np.pi * 0.5 * (rows + cols)), (64, 72))
    one, other = (
        Raster(v[None].astype(np.float32), np.zeros((64, 72), np.uint8), GRID, ("red",)) for v in (there, away)
    )
    back = onto(other, GRID, shift_px=(0.5, 0.5))
    assert isinstance(back, Warped)
    window = (slice(8, 56), slice(8, 64))
    plain = (one.read(window) - back.read(window)).std()
    done = what_was_done(back)
    assert isinstance(done, tuple)
    assert (Softened(one, done).read(window) - back.read(window)).std() < 0.2 * plain


LOOKS = ["half a pixel", "a quarter", "other pixels", "another grid", "twice as coarse"]


@pytest.mark.real
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", ["Charlotte_SteeleCreek", "Houston_Spring"])
def test_a_scene_resampled_is_the_same_scene(
    real_data: Path, tmp_path: Path, name: str, look: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real scene against itself moved by parts of a pixel or sampled anew: at most one object (under 9 km2)."""
    case = real_data / "s2_urban_pairs" / name / "before.tif"
    resampled(case, tmp_path / "other.tif", look)
    out = tmp_path / "out"
    assert run(["compare", str(case), str(tmp_path / "other.tif"), "--out", str(out)]) == 0
    capsys.readouterr()
    assert len(json.loads((out / "findings.json").read_text())["events"]) <= 1


def resampled(source: Path, path: Path, look: str) -> None:
    """Write `source` again as another instrument's grid would show it."""
    with rasterio.open(source) as file:
        data, profile, names = file.read(), file.profile, file.descriptions
    seen = np.isfinite(data).all(axis=0)
    if look in LOOKS[:2]:
        by = (0.5, -0.5) if look == LOOKS[0] else (0.25, 0.4)
        filled = np.where(seen, data, np.nanmedian(data, axis=(1, 2))[:, None, None])
        out = np.stack([ndimage.shift(band.astype(float), by, order=3, mode="nearest") for band in filled])
        out[:, ~ndimage.binary_erosion(seen, iterations=6)] = np.nan
    else:
        by_grid = {"other pixels": Affine.scale(1.25), "another grid": Affine.translation(0.5, 0.5)}
        transform = profile["transform"] @ by_grid.get(look, Affine.scale(2))
        rows, cols = (round(n / transform.a * profile["transform"].a) for n in data.shape[1:])
        out = np.full((len(data), rows, cols), np.nan, np.float32)
        reproject(
            data, out, src_transform=profile["transform"], src_crs=profile["crs"], dst_transform=transform,
            dst_crs=profile["crs"], src_nodata=np.nan, dst_nodata=np.nan,
            resampling=Resampling.average if look == "twice as coarse" else Resampling.cubic,
        )  # fmt: skip
        profile.update(transform=transform, height=rows, width=cols)
    with rasterio.open(path, "w", **profile) as file:
        file.write(out.astype(profile["dtype"]))
        for index, band in enumerate(names, 1):
            file.set_band_description(index, band)
