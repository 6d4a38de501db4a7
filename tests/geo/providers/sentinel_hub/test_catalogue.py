"""Entries of the catalogue: what they say of a look, and what they do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hubworld import FIRST, RADAR, TILE, site
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from services.sentinel_hub import entry

from geo.errors import InputError
from geo.providers.sentinel_hub import sensors
from geo.providers.sentinel_hub.catalogue import outline, parse_item


def test_an_optical_entry_is_read_from_its_products_name() -> None:
    item = parse_item(entry(TILE, FIRST), sensors.OPTICAL)
    assert (item.tile, item.baseline, item.orbit, item.platform) == ("48PUS", (2, 11), 118, "sentinel-2a")
    assert (item.time, item.datatake) == (datetime(2019, 1, 5, 3, 21, 30, tzinfo=UTC), "20190105T032121")


@pytest.mark.parametrize(
    ("satellite", "absolute", "relative"),
    [("A", 25352, 80), ("A", 73, 1), ("A", 247, 175), ("B", 27, 1), ("C", 172, 1)],
)
def test_a_radar_orbit_follows_from_the_absolute_one(satellite: str, absolute: int, relative: int) -> None:
    name = RADAR.replace("S1A", f"S1{satellite}").replace("025352", f"{absolute:06d}")
    assert parse_item(entry(name, FIRST), sensors.RADAR).orbit == relative


def test_a_stated_orbit_counts_more() -> None:
    assert parse_item(entry(RADAR, FIRST, **{"sat:relative_orbit": 26}), sensors.RADAR).orbit == 26
    assert parse_item(entry(RADAR, FIRST, **{"sat:relative_orbit": True}), sensors.RADAR).orbit == 80


def test_landsat_is_told_by_name_or_platform() -> None:
    item = parse_item(entry("LC08_L2SP_126052_20190105_20200829_02_T1", FIRST), sensors.LANDSAT)
    assert (item.sensor, item.platform, item.tile) == ("landsat-8-l2", "landsat-8", "126052")
    assert parse_item(entry("x", FIRST, platform="Landsat-9"), sensors.LANDSAT).sensor == "landsat-9-l2"


@pytest.mark.parametrize(
    "raw",
    [
        {}, {"id": 7}, {"id": "x"}, {"id": "x", "properties": []}, {"id": "x", "properties": {}},
        entry("x", "2019-13-01"), entry("a\nb", FIRST), entry("x" * 301, FIRST),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
def test_an_entry_without_name_or_time_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(InputError):
        parse_item(raw, sensors.OPTICAL)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    max_leaves=5,
)
_KEYS = st.sampled_from(["datetime", "platform", "sat:relative_orbit", "sat:orbit_state", "updated"])


@given(facts=st.dictionaries(_KEYS, _JSON), name=st.text() | st.sampled_from([TILE, RADAR]))
def test_nothing_but_our_own_error_comes_of_any_entry(facts: dict[str, object], name: str) -> None:
    for sensor in sensors.SENSORS.values():
        try:
            parse_item({"id": name, "properties": {"datetime": FIRST, **facts}}, sensor)
        except InputError:
            continue


def test_the_outline_is_the_sites_own_edge() -> None:
    grid = site(500)
    ring = outline(grid)
    assert ring[0] == ring[-1]
    to_metres = Transformer.from_crs("OGC:CRS84", grid.crs, always_xy=True)
    left, bottom, right, top = grid.bounds
    for lon, lat in ring:
        x, y = to_metres.transform(lon, lat)
        on_edge = min(abs(x - left), abs(x - right), abs(y - bottom), abs(y - top))
        assert on_edge < 0.01
