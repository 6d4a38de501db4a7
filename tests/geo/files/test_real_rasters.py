"""The real imagery beside the project is described rightly: bands, units, scale, no data, masks, times."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from geo.files.rasters import capture_time, describe
from geo.raster import Flag

pytestmark = pytest.mark.real

S2_12 = "coastal blue green red rededge1 rededge2 rededge3 nir nir08 nir09 swir16 swir22"
S2_4 = "blue green red nir"
SIX = "blue green red nir08 swir16 swir22"

# file, bands, unit, (scale, offset), nodata, mask, crs, median range of the first band
TABLE = [
    ("s2_urban_pairs/Houston_Spring/after.tif", S2_12, "reflectance", (1, 0), None, None, 4326, (0.1, 0.2)),
    ("landsat8_brumadinho/20190114.tif", SIX, "reflectance", (2.75e-5, -0.2), 0, None, 32623, (0.01, 0.06)),
    ("landsat8_coldsprings/20160707.tif", "coastal " + SIX, "reflectance", (1e-4, 0), -32768, "qa_pixel_c1", 32613,
     (0.01, 0.1)),
    ("naip_prairie_2009_2020/20140720.tif", "red green blue nir", "value", (1 / 255, 0), 0, None, 26914, (0.2, 0.7)),
    ("s1_grd_flanders_2023/20230403.tif", "vv vh", "linear-power", (1, 0), None, None, 32631, (1000, 9000)),
    ("s1_rtc_california/T137-292319-IW2/20211119.tif", "vv vh", "linear-power", (1, 0), None, None, 32611, (0.01, 1)),
    ("s1_rtc_png/20240123.tif", "vh", "linear-power", (1, 0), None, None, 32754, (0.01, 0.2)),
    ("s2_boadella_pair/20200128.tif", S2_12, "reflectance", (1e-4, 0), None, None, 4326, (0.03, 0.05)),
    ("s2_cloud_chip_adwp/20200429.tif", S2_4, "reflectance", (1e-4, 0), 0, None, 32736, (0.1, 0.2)),
    ("s2_l2a_120m_styria/33TWM/20230813.tif", S2_4, "reflectance", (1e-4, 0), 0, "scl", 32633, (0.01, 0.05)),
    ("s2_scl_belgium_2023/20231007.tif", S2_4, "reflectance", (1e-4, 0), None, "scl", 32631, (0.02, 0.2)),
    ("s2s1_monthly_belgium/20201101.tif", "blue green red rededge1 rededge2 rededge3 nir swir16 swir22", "reflectance",
     (1e-4, 0), None, None, 32631, (0.02, 0.06)),
    ("vhr_xbd_joplin/0/pre.tif", "red green blue", "value", (1 / 255, 0), None, None, 4326, (0.2, 0.7)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bands", "unit", "law", "nodata", "mask", "epsg", "median"), TABLE, ids=[row[0] for row in TABLE]
)
def test_each_case_is_described(
    real_data: Path, name: str, bands: str, unit: str, law: tuple[float, float], nodata: float | None,
    mask: str | None, epsg: int, median: tuple[float, float],
) -> None:  # fmt: skip
    """No option given: bands, unit, scale, offset, no data, mask and system are what the README of the case says."""
    file = describe(real_data / name)
    encoding = file.encoding
    assert file.bands == tuple(bands.split())
    assert (encoding.unit, encoding.mask_kind, file.grid.epsg) == (unit, mask, epsg)
    assert set(zip(encoding.scale, encoding.offset, strict=True)) == {law}
    assert set(encoding.nodata) == {nodata}
    rows, cols = file.grid.shape
    pixels, flags = file.read_both((slice(0, rows), slice(0, cols)))
    assert median[0] <= np.nanmedian(pixels[0]) <= median[1]
    assert np.array_equal(np.isnan(pixels).any(axis=0), flags & Flag.OUTSIDE > 0) or mask is not None


def test_every_image_of_every_case_opens(real_data: Path) -> None:
    """All files can be described, dated and read at their corners; labels are not refused either."""
    files = sorted(real_data.rglob("*.tif"))
    assert len(files) > 100
    for path in files:
        file = describe(path)
        capture_time(path)
        assert file.read((slice(0, 3), slice(0, 3))).shape == (len(file.bands), 3, 3)


def test_times(real_data: Path) -> None:
    """Name, tag of the same day, tag alone, nothing."""
    assert capture_time(real_data / "s2_boadella_pair/20200113.tif") == datetime(2020, 1, 13, tzinfo=UTC)
    opera = capture_time(real_data / "s1_rtc_california/T137-292319-IW2/20211119.tif")
    assert opera == datetime(2021, 11, 19, 1, 58, 58, tzinfo=UTC)
    joplin = capture_time(real_data / "vhr_xbd_joplin/0/pre.tif")
    assert joplin == datetime(2009, 8, 8, 17, 16, 20, 445000, tzinfo=UTC)
    assert capture_time(real_data / "s2_urban_pairs/Houston_Spring/after.tif") is None


def test_clouds_of_a_cloudy_autumn(real_data: Path) -> None:
    """The scene classification flags most dates wholly, and leaves some clear."""
    shares = []
    for path in sorted((real_data / "s2_scl_belgium_2023").glob("*.tif")):
        file = describe(path)
        flags = file.read_flags((slice(0, file.grid.shape[0]), slice(0, file.grid.shape[1])))
        shares.append(float((flags != 0).mean()))
    assert len(shares) == 19
    assert sum(share > 0.95 for share in shares) >= 12
    assert min(shares) < 0.2


def test_radar_numbers_of_a_stated_law(real_data: Path) -> None:
    """Told that dB = 20 log10(DN) - 83, backscatter over Flanders is between -25 and 0 dB."""
    path = real_data / "s1_grd_flanders_2023/20230403.tif"
    file = describe(path, law="amplitude", scale=10 ** (-83 / 20))
    power = file.read((slice(0, file.grid.shape[0]), slice(0, file.grid.shape[1])))
    middle = 10 * np.log10(np.nanmedian(power, axis=(1, 2)))
    assert -15 < middle[0] < -5
    assert -25 < middle[1] < middle[0]


def test_a_month_without_optical_data_is_all_missing(real_data: Path) -> None:
    """-1 in all bands, declared nowhere, is no data."""
    file = describe(real_data / "s2s1_monthly_belgium/20201201.tif")
    assert np.isnan(file.read((slice(0, 100), slice(0, 100)))).all()
    assert any("no data" in note for note in file.encoding.notes)
