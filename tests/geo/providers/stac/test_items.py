"""Items as the catalogues write them: Earth Search, Planetary Computer, STAC 1.0 and 1.1, and nonsense."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InputError
from geo.providers.stac.items import parse_item
from geo.providers.stac.merging import bands_wanted

COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    facts = {"datetime": "2022-02-05T03:21:30.123Z", "platform": "sentinel-2b", **properties}
    return {
        "type": "Feature",
        "id": "S2B_48PUS_20220205_0_L2A",
        "collection": "sentinel-2-l2a",
        "properties": facts,
        "assets": assets,
    }


def band(key: str, common: str | None, **words: Any) -> dict[str, Any]:
    eo = {"name": key} | ({"common_name": common} if common else {})
    raster = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}
    return {
        "href": f"https://a.org/{key}.tif",
        "type": COG,
        "eo:bands": [eo],
        "raster:bands": [raster],
        "roles": ["data"],
        **words,
    }


def test_earth_search() -> None:
    names = {"blue": "blue", "green": "green", "red": "red", "rededge1": "rededge", "rededge2": "rededge", "nir": "nir", "nir08": "nir08",
             "nir09": "nir09", "swir16": "swir16", "swir22": "swir22", "coastal": "coastal"}  # fmt: skip
    assets: dict[str, Any] = {key: band(key, common) for key, common in names.items()}
    assets |= {
        f"{key}-jp2": {**band(key, common), "type": "image/jp2", "href": f"s3://b/{key}.jp2"}
        for key, common in names.items()
    }
    assets["scl"] = {
        "href": "https://a.org/SCL.tif",
        "type": COG,
        "raster:bands": [{"nodata": 0, "data_type": "uint8"}],
        "roles": ["data"],
    }
    three = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
    assets["visual"] = {"href": "https://a.org/TCI.tif", "type": COG, "eo:bands": three, "roles": ["visual"]}
    assets["thumbnail"] = {"href": "https://a.org/t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}
    found = parse_item(item(
        assets, **{
            "s2:processing_baseline": "04.00", "earthsearch:boa_offset_applied": True, "proj:epsg": 32648, "mgrs:utm_zone": 48,
            "mgrs:latitude_band": "P", "mgrs:grid_square": "US", "s2:datatake_id": "GS2B_20220205T032111_025678_N04.00",
            "s2:product_uri": "S2B_MSIL2A_20220205T032111_N0400_R118_T48PUS_20220205T060000.SAFE", "updated": "2023-01-01T00:00:00Z",
        },
    ))  # fmt: skip
    assert bands_wanted(found) == ("blue", "green", "red", "nir", "nir08", "swir16", "swir22", "SCL")
    assert all(asset.href.endswith(".tif") and "TCI" not in asset.href for asset in found.assets.values())
    assert (found.assets["blue"].scale, found.assets["blue"].offset, found.assets["blue"].nodata) == (0.0001, -0.1, 0)
    assert (found.tile, found.baseline, found.applied, found.epsg, found.orbit) == ("48PUS", (4, 0), True, 32648, 118)
    assert found.datatake == "20220205T032111"
    assert found.sensor == "sentinel-2-l2a"


def test_planetary_computer_says_less() -> None:
    assets = {key: {"href": f"https://b.org/{key}.tif", "type": COG, "eo:bands": [{"name": key, "common_name": common}]}
              for key, common in (("B02", "blue"), ("B03", "green"), ("B04", "red"), ("B05", "rededge"), ("B08", "nir"), ("B8A", "rededge"),
                                  ("B11", "swir16"), ("B12", "swir22"))}  # fmt: skip
    assets["SCL"] = {"href": "https://b.org/SCL.tif", "type": COG}
    raw = item(
        assets,
        **{
            "s2:processing_baseline": "05.10",
            "s2:mgrs_tile": "48PUS",
            "proj:code": "EPSG:32648",
            "sat:relative_orbit": 118,
        },
    )
    found = parse_item(raw)
    assert bands_wanted(found) == ("blue", "green", "red", "nir", "nir08", "swir16", "swir22", "SCL")
    assert found.assets["nir08"].href.endswith("B8A.tif")
    assert found.assets["blue"].offset is None
    assert (found.baseline, found.epsg, found.tile, found.orbit) == ((5, 10), 32648, "48PUS", 118)


def test_stac_1_1_bands_and_values_for_the_whole_asset() -> None:
    asset = {"href": "https://a.org/x.tif", "type": COG, "raster:scale": 0.0001, "raster:offset": -0.1, "nodata": 0,
             "bands": [{"name": "B04", "eo:common_name": "red"}]}  # fmt: skip
    found = parse_item(item({"B04": asset})).assets["red"]
    assert (found.scale, found.offset, found.nodata) == (0.0001, -0.1, 0)
    asset = {"href": "https://a.org/x.tif", "type": COG, "bands": [
        {"name": "red", "eo:common_name": "red", "raster:scale": 0.1}, {"name": "nir", "eo:common_name": "nir", "raster:scale": 0.2}]}  # fmt: skip
    assets = parse_item(item({"image": asset})).assets
    assert {name: (a.index, a.scale) for name, a in assets.items()} == {"red": (1, 0.1), "nir": (2, 0.2)}


def test_radar() -> None:
    raw = item({key: {"href": f"https://b.org/{key}.tif", "type": COG} for key in ("vv", "vh")}, platform="SENTINEL-1C")
    raw |= {"id": "S1C_IW_GRDH_1SDV_20250405T224512_rtc", "collection": "sentinel-1-rtc"}
    found = parse_item(raw)
    assert (found.sensor, found.platform, bands_wanted(found)) == ("sentinel-1-rtc", "sentinel-1c", ("vv", "vh"))


def test_level_1c_in_a_collection_of_2a_is_named_by_the_product() -> None:
    raw = item(
        {"red": band("red", "red")},
        **{"s2:product_uri": "S2B_MSIL1C_20220205T032111_N0400_R118_T48PUS_20220205T060000.SAFE"},
    )
    assert parse_item(raw).sensor == "sentinel-2-l1c"
    assert parse_item(item({"red": band("red", "red")}, **{"processing:level": "L1C"})).sensor == "sentinel-2-l1c"


def test_times_are_aware_utc() -> None:
    assert parse_item(item({"red": band("red", "red")})).time == datetime(2022, 2, 5, 3, 21, 30, 123_000, tzinfo=UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["type", "id", "collection", "properties", "assets", "bbox"]
FACTS = ["datetime", "platform", "proj:epsg", "proj:code", "s2:processing_baseline", "s2:datatake_id", "grid:code", "sat:relative_orbit",
         "mgrs:utm_zone", "updated", "earthsearch:boa_offset_applied", "processing:level"]  # fmt: skip
PLACES = ["href", "type", "roles", "eo:bands", "raster:bands", "bands", "raster:scale", "nodata"]


@given(st.sampled_from([*KEYS, *FACTS, *PLACES]), JSON)
def test_any_value_anywhere_is_read_or_refused(key: str, value: Any) -> None:
    """Never another exception than the one that says what is wrong."""
    raw = item({"red": band("red", "red"), "nir": band("nir", "nir")}, **{"s2:processing_baseline": "04.00"})
    target = raw if key in KEYS else raw["properties"] if key in FACTS else raw["assets"]["red"]
    target[key] = value
    try:
        found = parse_item(raw)
    except InputError:
        return
    assert found.time.tzinfo is not None
    assert found.assets
