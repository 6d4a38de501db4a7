"""Units, bands and no-data values of files that do not say: each guess is right and is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from smalltif import noise, write_tif

from geo.errors import InputError
from geo.files.rasters import Encoding, describe

S2_12 = [
    "coastal",
    "blue",
    "green",
    "red",
    "rededge1",
    "rededge2",
    "rededge3",
    "nir",
    "nir08",
    "nir09",
    "swir16",
    "swir22",
]


def look(path: Path, data: Any, **options: Any) -> Encoding:
    return describe(write_tif(path, data, **options)).encoding


@pytest.mark.parametrize(
    ("count", "dtype", "bands", "unit"),
    [
        (3, "uint8", "red green blue", "value"),
        (4, "uint8", "red green blue nir", "value"),
        (4, "uint16", "blue green red nir", "reflectance"),
        (6, "uint16", "blue green red nir08 swir16 swir22", "reflectance"),
        (12, "int16", " ".join(S2_12), "reflectance"),
        (13, "uint16", " ".join([*S2_12[:10], "cirrus", *S2_12[10:]]), "reflectance"),
        (10, "uint16", "blue green red rededge1 rededge2 rededge3 nir nir08 swir16 swir22", "reflectance"),
        (1, "uint16", "b1", "value"),
        (5, "uint16", "b1 b2 b3 b4 b5", "value"),
    ],
)
def test_bands_without_names(tmp_path: Path, count: int, dtype: str, bands: str, unit: str) -> None:
    """The number and type of the bands name them, and every such guess is a note."""
    high = 250 if dtype == "uint8" else 4000
    found = look(tmp_path / "a.tif", noise(count, dtype, 10, high))
    assert found.bands == tuple(bands.split())
    assert found.unit == unit
    assert found.scale == ((1 / 255,) if dtype == "uint8" else (1e-4,)) * count
    assert any(f"the {count} bands" in note for note in found.notes) == (count > 1 and (count, dtype) != (3, "uint8"))


def test_the_fourth_byte_band_is_alpha_only_if_it_hides(tmp_path: Path) -> None:
    """GDAL calls any fourth 8-bit band alpha; one that holds shades is near infrared."""
    data = noise(4, "uint8", 1, 250)
    assert look(tmp_path / "nir.tif", data).alpha_index is None
    data[3] = np.where(np.arange(40) < 20, 0, 255)
    file = describe(write_tif(tmp_path / "alpha.tif", data))
    assert (file.bands, file.encoding.alpha_index) == (("red", "green", "blue"), 4)
    window = (slice(0, 40), slice(0, 40))
    assert np.array_equal(np.isnan(file.read(window)), np.broadcast_to(np.arange(40) < 20, (3, 40, 40)))


def test_landsat_collection_2_shows_itself(tmp_path: Path) -> None:
    """Numbers above 5000 at the dark end are Landsat's; reflectance follows the USGS formula."""
    data = noise(3, "uint16", 7300, 12000)
    file = describe(write_tif(tmp_path / "a.tif", data, names=("SR_B2", "SR_B3", "SR_B4")))
    expected = data.astype(np.float64) * 2.75e-5 - 0.2
    assert np.allclose(file.read((slice(0, 40), slice(0, 40))), expected, atol=1e-6)
    assert any("Collection 2" in note for note in file.encoding.notes)


def test_landsat_collection_1_is_ten_thousand(tmp_path: Path) -> None:
    """The same names with signed numbers are reflectance x 10000."""
    found = look(tmp_path / "a.tif", noise(2, "int16"), names=("sr_band4", "sr_band5"), nodata=-9999)
    assert (found.bands, found.scale, found.offset) == (("red", "nir08"), (1e-4, 1e-4), (0, 0))


def test_tags_win_over_guesses_and_words_over_tags(tmp_path: Path) -> None:
    """A scale in the file is used as it is; what the user says wins."""
    path = write_tif(tmp_path / "a.tif", noise(2), names=("B04", "B08"), scales=(1e-4,) * 2, offsets=(-0.1,) * 2)
    found = describe(path).encoding
    assert (found.scale, found.offset, found.unit) == ((1e-4, 1e-4), (-0.1, -0.1), "reflectance")
    told = describe(path, scale=2e-4, offset=[0.0, 0.5], nodata=7).encoding
    assert (told.scale, told.offset, told.nodata) == ((2e-4, 2e-4), (0.0, 0.5), (7.0, 7.0))


def test_float_reflectance_keeps_its_offset(tmp_path: Path) -> None:
    """A +0.1 that someone left in float reflectance is not for us to take off."""
    data = (noise(3).astype(np.float32)) / 1e4 + 0.1
    file = describe(write_tif(tmp_path / "a.tif", data, names=("B2", "B3", "B8A"), nodata=np.nan))
    assert file.encoding.unit == "reflectance"
    assert np.array_equal(file.read((slice(0, 40), slice(0, 40))), data)


@pytest.mark.parametrize(
    ("data", "law", "scale", "expected"),
    [
        (np.full((1, 8, 8), -1500, np.int16), "decibel", 0.01, 10**-1.5),
        (np.full((1, 8, 8), -15.0, np.float32), "decibel", 1.0, 10**-1.5),
        (np.full((1, 8, 8), 0.05, np.float32), "linear", 1.0, 0.05),
    ],
)
def test_radar(tmp_path: Path, data: Any, law: str, scale: float, expected: float) -> None:
    """Negative radar numbers are decibels (x 100 in integers); power comes out linear."""
    file = describe(write_tif(tmp_path / "a.tif", data, names=("VV",)))
    assert (file.encoding.law, file.encoding.scale, file.encoding.unit) == (law, (scale,), "linear-power")
    assert np.allclose(file.read((slice(0, 8), slice(0, 8))), expected, rtol=1e-5)


def test_amplitude_only_if_told(tmp_path: Path) -> None:
    """20 log10(DN) - 83 dB is read with law amplitude and scale 10^(-83/20), and never guessed."""
    path = write_tif(tmp_path / "a.tif", np.full((1, 4, 4), 3910, np.uint16), names=("VV",))
    assert describe(path).encoding.law == "linear"
    told = describe(path, law="amplitude", scale=10 ** (-83 / 20))
    assert np.allclose(10 * np.log10(told.read((slice(0, 4), slice(0, 4)))), 20 * np.log10(3910) - 83, atol=1e-4)


def test_radar_beside_optical_bands_is_left_out_and_said(tmp_path: Path) -> None:
    """One file, one unit."""
    found = look(tmp_path / "a.tif", noise(3), names=("B04", "B08", "S1_VV"))
    assert found.bands == ("red", "nir")
    assert any("vv" in note for note in found.notes)


@pytest.mark.parametrize(
    ("dtype", "value", "expected", "joint"),
    [("uint16", 0, 0, False), ("int16", -9999, -9999, True), ("int16", -1, -1, True), ("int16", 0, 0, True)],
)
def test_undeclared_no_data(tmp_path: Path, dtype: str, value: int, expected: int, joint: bool) -> None:
    """A value that fills all bands at the border is no data, and the report says so."""
    data = noise(4, dtype)
    data[:, :, :6] = value
    file = describe(write_tif(tmp_path / "a.tif", data, names=("B02", "B03", "B04", "B08")))
    assert file.encoding.nodata == (expected,) * 4
    assert file.encoding.joint == joint
    assert any("no data" in note for note in file.encoding.notes)
    seen = file.read((slice(0, 40), slice(0, 40)))
    assert np.isnan(seen[:, :, :6]).all()
    assert np.isfinite(seen[:, :, 6:]).all()


def test_black_is_a_colour_but_a_black_corner_is_a_collar(tmp_path: Path) -> None:
    """Single dark pixels and bands of a photograph stay; a corner black through and through goes."""
    data = noise(3, "uint8", 1, 250, size=64)
    data[:, 30, 30] = 0
    whole = (slice(0, 64), slice(0, 64))
    assert np.isfinite(describe(write_tif(tmp_path / "a.tif", data)).read(whole)).all()
    data[:, :20, :20] = 0
    data[0, 40, 40] = 0
    seen = describe(write_tif(tmp_path / "b.tif", data)).read(whole)
    assert np.isnan(seen[:, :20, :20]).all()
    assert np.isfinite(seen[:, 40, 40]).all()


def test_baseline_offset_of_esa_names(tmp_path: Path) -> None:
    """N0509 in a product name means 1000 was added, unless the pixels contradict it."""
    name = "S2A_MSIL2A_20230810T100031_N0509_R122_T33TWM.tif"
    bands = ("B02", "B03", "B04", "B08")
    raised = look(tmp_path / name, noise(4, "uint16", 1100, 4000), names=bands)
    assert raised.offset == (-0.1,) * 4
    lowered = look(tmp_path / name, noise(4, "uint16", 100, 4000), names=bands)
    assert lowered.offset == (0.0,) * 4
    assert any("taken off already" in note for note in lowered.notes)


@pytest.mark.parametrize(("value", "kind"), [(255, "valid"), (1, "cloud"), (0, "valid")])
def test_a_band_called_mask(tmp_path: Path, value: int, kind: str) -> None:
    """255 marks good pixels; ones on the bright side mark cloud; ones on the dark side mark good pixels."""
    data = noise(3, "uint16", 300, 600)
    data[:2, :, :15] += 6000
    data[2] = 0
    data[2, :, :15] = value
    if value == 0:
        data[2, :, 15:] = 1
    found = look(tmp_path / "a.tif", data, names=("B03", "B04", "mask"), nodata=65535)
    assert (found.mask_index, found.mask_kind) == (3, kind)


def test_names_given_by_hand(tmp_path: Path) -> None:
    """Names may be common or the product's; `-` leaves a band out; a wrong count is refused in words."""
    path = write_tif(tmp_path / "a.tif", noise(4))
    found = describe(path, bands=["B8", "-", "red", "SCL"]).encoding
    assert (found.bands, found.indexes, found.mask_index, found.mask_kind) == (("nir", "red"), (1, 3), 4, "scl")
    with pytest.raises(InputError, match=r"a\.tif has 4 bands, but 2 names"):
        describe(path, bands=["red", "nir"])
    with pytest.raises(InputError, match="only masks"):
        describe(path, bands=["-", "-", "-", "SCL"])
    with pytest.raises(InputError, match="values of scale"):
        describe(path, scale=[1.0, 2.0])
    with pytest.raises(InputError, match="law"):
        describe(path, law="log")


def test_a_name_twice_is_a_number_the_second_time(tmp_path: Path) -> None:
    """Two bands called Red cannot both be red."""
    found = look(tmp_path / "a.tif", noise(2), names=("Red", "red"))
    assert found.bands == ("red", "b2")
    assert any("repeats" in note for note in found.notes)
