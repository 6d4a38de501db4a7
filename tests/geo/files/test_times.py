"""When an image was taken: names first, then tags; impossible dates are refused."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from smalltif import write_tif

from geo.errors import InputError
from geo.files.rasters import capture_time
from geo.files.times import parse_time, time_in_name, time_in_tags


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20230810.tif", at(2023, 8, 10)),
        ("2023-08-10.tif", at(2023, 8, 10)),
        ("site_2023-08-10_rgb.png", at(2023, 8, 10)),
        ("20230810T103031.tif", at(2023, 8, 10, 10, 30, 31)),
        ("2023-08-10T10:30:31Z.tif", at(2023, 8, 10, 10, 30, 31)),
        ("20230810T103031Z_sentinel-2.tif", at(2023, 8, 10, 10, 30, 31)),
        ("20230810_103031.tif", at(2023, 8, 10, 10, 30, 31)),
        ("20230810103031.tif", at(2023, 8, 10, 10, 30, 31)),
        ("S2A_MSIL2A_20230810T100031_N0509_R122_T33TWM_20230810T160000.tif", at(2023, 8, 10, 10, 0, 31)),
        ("LC08_L2SP_218074_20190114_20200829_02_T1.tif", at(2019, 1, 14)),
        ("S1A_IW_GRDH_1SDV_20230403T055001_20230403T055026_047.tif", at(2023, 4, 3, 5, 50, 1)),
        ("OPERA_L2_RTC-S1_T137-292319-IW2_20211119T015858Z_20250830T120333Z_S1A.tif", at(2021, 11, 19, 1, 58, 58)),
        ("T48PVS_20200229T031541_B04.jp2", at(2020, 2, 29, 3, 15, 41)),
        ("tile_12345678_20230810.tif", at(2023, 8, 10)),
        ("before.tif", None),
        ("scene_123456789012.tif", None),
        ("m_4709963_se_14_1.tif", None),
    ],
)
def test_names(name: str, expected: datetime | None) -> None:
    """Dates in plain and product names, with and without time of day."""
    assert time_in_name(name) == expected


@pytest.mark.parametrize("name", ["20230230.tif", "2023-13-01.tif", "site_20231301.tif", "20210229.tif"])
def test_impossible_dates_are_refused(name: str) -> None:
    """A date typed wrong must not make a scene silently undated."""
    with pytest.raises(InputError, match=name):
        time_in_name(name)


def test_an_impossible_number_beside_a_date_is_just_a_number() -> None:
    """A serial number that looks like a date does not hide the date."""
    assert time_in_name("order_20239999_20230810.tif") == at(2023, 8, 10)


def test_an_impossible_time_of_day_leaves_the_date() -> None:
    """20230810_990000 is a date followed by some number."""
    assert time_in_name("20230810_996161.tif") == at(2023, 8, 10)


def test_tags_speak_of_the_acquisition_in_many_words() -> None:
    """Zones are converted, product names are understood, processing times are not looked at."""
    assert time_in_tags({"capture_date": "2011-05-29T17:29:25.433Z"}) == at(2011, 5, 29, 17, 29, 25, 433000)
    assert time_in_tags({"DATETIME": "2011-05-29T17:29:25+07:00"}) == at(2011, 5, 29, 10, 29, 25)
    assert time_in_tags({"product": "S2B_33TWM_20230810_0_L2A"}) == at(2023, 8, 10)
    assert time_in_tags({"TIFFTAG_DATETIME": "2011:05:29 17:29:25", "creation": "2020-01-01"}) is None
    assert parse_time("2011:05:29 17:29:25") == at(2011, 5, 29, 17, 29, 25)
    assert parse_time("yesterday") is None
    assert parse_time("0001-01-01T00:00:00+14:00") is None


def test_a_file_without_a_date_in_its_name(tmp_path: Path) -> None:
    """Tags of the acquisition win over TIFF's DateTime, which is the last resort."""
    data = np.ones((1, 4, 4), np.uint8)
    tiff = {"TIFFTAG_DATETIME": "2020:01:02 03:04:05"}
    assert capture_time(write_tif(tmp_path / "a.tif", data, tags=tiff)) == at(2020, 1, 2, 3, 4, 5)
    assert capture_time(
        write_tif(tmp_path / "b.tif", data, tags={**tiff, "capture_date": "2019-05-06T00:00:00Z"})
    ) == at(2019, 5, 6)
    assert capture_time(write_tif(tmp_path / "c.tif", data)) is None


def test_the_name_wins_and_a_tag_of_the_same_day_adds_the_hour(tmp_path: Path) -> None:
    """20110529.tif with a capture time on that day; another day's tag is not believed."""
    data = np.ones((1, 4, 4), np.uint8)
    tag = {"capture_date": "2011-05-29T17:29:25Z"}
    assert capture_time(write_tif(tmp_path / "20110529.tif", data, tags=tag)) == at(2011, 5, 29, 17, 29, 25)
    assert capture_time(write_tif(tmp_path / "20110530.tif", data, tags=tag)) == at(2011, 5, 30)
