"""Clouds on real Sentinel-2 scenes: a human's mask, clear scenes, a very cloudy autumn."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geo.kernels import cloudiness as c
from geo.kernels.clouds import CLOUD, HAZE, OUTSIDE, pixel_qa, scl

pytestmark = pytest.mark.real

FOUR = ("blue", "green", "red", "nir")
TWELVE = (
    "coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "swir16", "swir22",
)  # fmt: skip


def read(path: Path) -> np.ndarray:
    if not path.is_file():
        pytest.skip(f"no {path.parent.name}/{path.name} beside the project")
    with rasterio.open(path) as source:
        return source.read()


def reflectance(stored: np.ndarray) -> np.ndarray:
    """From 1/10,000; a pixel without one of the bands has none."""
    out = stored.astype(np.float32) / 10_000
    out[:, (stored <= 0).any(axis=0)] = np.nan
    return out


def hidden(flags: np.ndarray) -> np.ndarray:
    return (flags & (CLOUD | HAZE)) != 0


def test_a_humans_mask_is_met(real_data: Path) -> None:
    """The label includes a margin of some 50 m; shadows are not part of it."""
    folder = real_data / "s2_cloud_chip_adwp"
    label = read(folder / "cloud_label.tif")[0] == 1
    found = hidden(c.spectral(reflectance(read(folder / "20200429.tif")), FOUR))
    assert found[label].mean() >= 0.88
    assert (~found[~label]).mean() >= 0.85


@pytest.mark.parametrize("place", ["Charlotte_SteeleCreek", "Houston_Spring", "Raleigh_NorthHills"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("bands", [FOUR, TWELVE])
def test_cities_without_a_cloud_stay_clear(real_data: Path, place: str, when: str, bands: tuple[str, ...]) -> None:
    pixels = read(real_data / "s2_urban_pairs" / place / f"{when}.tif").astype(np.float32) - np.float32(0.1)
    flags = c.spectral(pixels[[TWELVE.index(b) for b in bands]], bands)
    assert (flags[(flags & OUTSIDE) == 0] == 0).mean() >= 0.97


@pytest.mark.parametrize("when", ["20200113", "20200128"])
def test_a_reservoir_before_and_after_a_storm_stays_clear(real_data: Path, when: str) -> None:
    flags = c.spectral(reflectance(read(real_data / "s2_boadella_pair" / f"{when}.tif")), TWELVE)
    assert (flags[(flags & OUTSIDE) == 0] == 0).mean() >= 0.97


@pytest.mark.parametrize("when", ["20230813", "20230815", "20230820"])
def test_whole_tiles_agree_with_the_classes(real_data: Path, when: str) -> None:
    """Clear dates at 120 m: what is certain cloud is mostly hidden, clear ground stays."""
    stored = read(real_data / "s2_l2a_120m_styria" / "33TWM" / f"{when}.tif")
    flags = c.spectral(reflectance(stored[:4]), FOUR, gsd_m=120)
    seen = (flags & OUTSIDE) == 0
    assert (flags[np.isin(stored[4], (4, 5, 6, 7)) & seen] == 0).mean() >= 0.97


@pytest.mark.parametrize("when", ["20230810", "20230818"])
def test_whole_cloudy_tiles_agree_with_the_classes(real_data: Path, when: str) -> None:
    stored = read(real_data / "s2_l2a_120m_styria" / "33TWM" / f"{when}.tif")
    flags = c.spectral(reflectance(stored[:4]), FOUR, gsd_m=120)
    assert hidden(flags)[(stored[4] == 9) & ((flags & OUTSIDE) == 0)].mean() >= 0.95


def test_an_autumn_of_cloud_leaves_three_dates(real_data: Path) -> None:
    """Without the classes' help the guard finds the 16 clouded dates, two of them under thin haze only."""
    files = sorted((real_data / "s2_scl_belgium_2023").glob("*.tif"))
    if not files:
        pytest.skip("no s2_scl_belgium_2023 beside the project")
    stored = np.stack([read(f) for f in files])
    cube = np.stack([reflectance(s[:4]) for s in stored])
    days = np.array([date(int(f.stem[:4]), int(f.stem[4:6]), int(f.stem[6:])).toordinal() for f in files], float)
    scene = c.fit_guard(cube.reshape(len(files), 4, -1).transpose(2, 0, 1)[::7], days, FOUR)
    clear = [f.stem for f, hazy in zip(files, scene.hazy, strict=True) if not hazy]
    assert clear == ["20231007", "20231022", "20231226"]
    # No surface is as bright as the decks of this autumn: none comes back.
    flags = np.stack([scl(s[4]) for s in stored])
    np.testing.assert_array_equal(c.retest(flags, cube, days), flags)


def test_a_year_of_clear_months_is_left_alone(real_data: Path) -> None:
    files = sorted((real_data / "s2s1_monthly_belgium").glob("*.tif"))
    if not files:
        pytest.skip("no s2s1_monthly_belgium beside the project")
    cube = np.stack([reflectance(read(f)[[0, 1, 2, 6]]) for f in files])
    days = np.array([date(int(f.stem[:4]), int(f.stem[4:6]), 1).toordinal() for f in files], float)
    scene = c.fit_guard(cube.reshape(len(files), 4, -1).transpose(2, 0, 1)[::7], days, FOUR)
    assert not scene.hazy.any()
    flags = c.guard(cube, days, scene)
    assert (flags[(flags & OUTSIDE) == 0] == 0).mean() >= 0.97


@pytest.mark.parametrize(("when", "share"), [("20160707", 0.11), ("20160723", 0.0)])
def test_another_satellite_on_ground_never_tuned_to(real_data: Path, when: str, share: float) -> None:
    """Landsat 8 over mountains, 30 m: its own quality band is met on the cloudy date and on the clear one."""
    stored = read(real_data / "landsat8_coldsprings" / f"{when}.tif")
    pixels = stored[[1, 2, 3, 4]].astype(np.float32) / 10_000
    pixels[:, (stored[:7] == -32768).any(axis=0)] = np.nan
    found = hidden(c.spectral(pixels, FOUR, gsd_m=30))
    quality = pixel_qa(stored[7])
    assert found.mean() == pytest.approx(share, abs=0.02)
    assert (~found[quality == 0]).mean() >= 0.97
    if share:
        assert found[(quality & CLOUD) != 0].mean() >= 0.9
