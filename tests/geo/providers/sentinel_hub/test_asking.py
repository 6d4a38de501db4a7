"""Requests by the real library: the address asked is the one configured, whatever a collection brings along."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import ConfigurationError
from geo.grid import Grid
from geo.providers.sentinel_hub import SENSORS, endpoint_for
from geo.providers.sentinel_hub.asking import collection, image_call, lattice, split
from geo.providers.sentinel_hub.sensors import LANDSAT, OPTICAL, RADAR, sensors_named

GRID = Grid("EPSG:32648", Affine(10, 0, 300_000, 0, -10, 1_200_000), (30, 40))
SPAN = (datetime(2019, 1, 5, 3, 21, 25, tzinfo=UTC), datetime(2019, 1, 5, 3, 21, 36, tzinfo=UTC))


@pytest.mark.parametrize("name", ["copernicus", "commercial"])
@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_a_collections_own_address_never_wins(name: str, sensor: object) -> None:
    endpoint = endpoint_for(name)
    call = image_call(sensor, endpoint, SPAN, GRID)  # type: ignore[arg-type]
    assert call.url == f"{endpoint.base_url}/api/v1/process"
    assert call.accept == "image/tiff"


def test_a_collection_is_derived_once_however_many_ask() -> None:
    url = "https://hub.example.org"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: collection("SENTINEL2_L2A", url), range(32)))
    assert len({id(one) for one in found}) == 1
    assert collection("SENTINEL2_L2A", url + "/") is found[0]
    # The library's own definition is used where it is already the one wanted.
    assert collection("SENTINEL2_L2A", "https://services.sentinel-hub.com").name == "SENTINEL2_L2A"
    from sentinelhub import DataCollection

    theirs = DataCollection.SENTINEL2_L2A.define_from("SOMEBODY_ELSES", service_url="https://other.example.org")
    assert collection("SENTINEL2_L2A", "https://other.example.org") is theirs


def test_a_grid_without_a_number_cannot_be_asked_for() -> None:
    grid = Grid(None, GRID.transform, GRID.shape)
    with pytest.raises(ConfigurationError):
        image_call(OPTICAL, endpoint_for(), SPAN, grid)
    with pytest.raises(ConfigurationError):
        lattice(OPTICAL, grid)
    with pytest.raises(ConfigurationError, match="too large"):
        lattice(OPTICAL, Grid("EPSG:32648", GRID.transform, (10_000, 10_000)))


@given(rows=st.integers(1, 9000), cols=st.integers(1, 9000), most=st.integers(300, 3000))
def test_windows_cover_every_pixel_once(rows: int, cols: int, most: int) -> None:
    windows = split(Grid("EPSG:32648", GRID.transform, (rows, cols)), most)
    assert sum((r.stop - r.start) * (c.stop - c.start) for r, c in windows) == rows * cols
    assert all(0 < s.stop - s.start <= most for window in windows for s in window)
    for own in ({(r.start, r.stop) for r, _ in windows}, {(c.start, c.stop) for _, c in windows}):
        edges = sorted(own)
        assert edges[0][0] == 0
        assert all(a[1] == b[0] for a, b in pairwise(edges))
    assert len(windows) == -(-rows // most) * -(-cols // most)


@given(
    left=st.integers(20_000, 60_000),
    top=st.integers(100_000, 200_000),
    rows=st.integers(1, 99),
    cols=st.integers(1, 99),
)
def test_landsats_pixels_cover_the_site_with_less_than_one_to_spare(left: int, top: int, rows: int, cols: int) -> None:
    site = Grid("EPSG:32648", Affine(10, 0, left * 10, 0, -10, top * 10), (rows, cols))
    found = lattice(LANDSAT, site)
    for a, b, sign in zip(found.bounds, site.bounds, (1, 1, -1, -1), strict=True):
        assert 0 <= sign * (b - a) < 30
        assert a % 30 == 15
    assert lattice(OPTICAL, site) == lattice(RADAR, site) == site


def test_collections_are_named_or_refused() -> None:
    assert sensors_named(()) == (OPTICAL, RADAR)
    assert sensors_named(("landsat-ot-l2", "landsat-ot-l2")) == (LANDSAT,)
    with pytest.raises(ConfigurationError, match="sentinel-9"):
        sensors_named(("sentinel-9",))
