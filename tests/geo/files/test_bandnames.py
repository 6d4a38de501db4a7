"""Band names of products and people become STAC common names."""

import pytest

from geo.files.bandnames import COMMON, SENTINEL2, translate

S2_ALL = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]


@pytest.mark.parametrize("form", ["{}", "{}_10m", "S2_{}", "sur_{}"])
def test_sentinel_2_names(form: str) -> None:
    """All thirteen names of the product, with the decorations that are about."""
    names = translate([form.format(b) for b in S2_ALL]).names
    assert names == (tuple(SENTINEL2.values()) if form != "sur_{}" else (None,) * 13)


def test_earth_engine_writes_sentinel_2_without_zeros() -> None:
    """B1 … B12 with B8A is Sentinel-2, not Landsat."""
    said = translate(["B1", "B2", "B4", "B8", "B8A", "B9", "B11", "B12"], gsd_m=30)
    assert said.names == ("coastal", "blue", "red", "nir", "nir08", "nir09", "swir16", "swir22")
    assert said.family == "Sentinel-2"


@pytest.mark.parametrize(
    ("descriptions", "gsd_m", "hint", "expected"),
    [
        (["SR_B2", "SR_B5", "SR_B7"], None, "", ("blue", "nir08", "swir22")),
        (["sr_band1", "sr_band5", "sr_band6"], 30, "", ("coastal", "nir08", "swir16")),
        (
            ["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"],
            30,
            "",
            ["blue", "green", "red", "nir08", "swir16", "swir22"],
        ),
        (["B2", "B3", "B4", "B5", "B6", "B7"], 30, "", ["blue", "green", "red", "nir08", "swir16", "swir22"]),
        (["B2", "B3", "B4", "B5", "B6", "B7"], 10, "", ["blue", "green", "red", "rededge1", "rededge2", "rededge3"]),
        (["B4", "B5"], 10, "LC08_L2SP_218074_20190114", ("red", "nir08")),
        (["B4", "B5"], 10, "LT05_L2SP_218074_19900114", ("nir08", "swir16")),
        (["B02", "B05"], 30, "HLS.L30.T48PVS.2021001", ("blue", "nir08")),
        (["B4", "B8"], 30, "Bolivia site, Toliara", ("red", "pan")),
    ],
)
def test_whose_numbers_they_are(
    descriptions: list[str], gsd_m: float | None, hint: str, expected: tuple[str, ...] | list[str]
) -> None:
    """Product names decide first, then the names' own form, then the pixel size."""
    assert translate(descriptions, gsd_m=gsd_m, hint=hint).names == tuple(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red", "red"), ("NIR", "nir"), ("Near Infrared", "nir"), ("VV gamma0 linear", "vv"), ("S1_VH", "vh"),
        ("Band 4 - Red", "red"), ("SWIR 1", "swir16"), ("SWIR2", "swir22"), ("Red Edge 1", "rededge1"),
        ("red edge 705 nm", None),
        ("Near infra-red (NIR)", "nir"), ("Short wave infrared 2 (2.2 um)", "swir22"),
        ("Gamma0_HV_db", "hv"), ("reduced", None), ("colour of the sea", None), ("", None),
    ],
)  # fmt: skip
def test_words(text: str, expected: str | None) -> None:
    """People write names in words; what is not a name stays unknown."""
    assert translate([text]).names == (expected,)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SCL", "scl"), ("QA_PIXEL", "qa_pixel"), ("pixel_qa", "qa_pixel_c1"), ("mask", "mask"), ("Fmask", "fmask"),
        ("cloud_mask", "cloud"), ("dataMask", "valid"), ("Cloud Mask", "cloud"),
    ],
)  # fmt: skip
def test_masks(text: str, kind: str) -> None:
    """Masks are recognised by name and are no image."""
    said = translate(["B04", text])
    assert said.masks == {1: kind}
    assert said.names[1] is None


def test_layers_that_are_no_picture_of_the_ground() -> None:
    """Aerosol, probability and angle layers are neither image nor mask."""
    assert translate(["SR_B4", "SR_QA_AEROSOL", "QA_RADSAT", "MSK_CLDPRB", "view angle"]).auxiliary == (1, 2, 3, 4)


def test_common_names_stay_what_they_are() -> None:
    """Translating twice changes nothing."""
    for name in COMMON:
        assert translate([name]).names == (name,)
