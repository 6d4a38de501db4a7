"""The provider against a service on loopback: right pixels, every overpass once, every fault bounded and told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from scipy import ndimage
from services.stac import Fault, Store, serving
from stacworld import BANDS, UTM, publish, publish_wood, tile_grid, wood

from geo.errors import ConfigurationError, InputError, SitewatchError, TemporaryError
from geo.files.rasters import describe
from geo.grid import Grid
from geo.kernels.register import shift_of_chips
from geo.providers.stac import Limits, Stac, endpoint_for
from geo.scene import Query

SITE = Query(grid=tile_grid(120, left=300_000, top=1_200_000))
HASTY = Limits(connect_s=1, read_s=0.5, answer_s=1.0, total_s=4, tries=3, backoff_s=0.05, longest_pause_s=0.5)
NOW = datetime(2024, 1, 1, tzinfo=UTC)
FIRST = "2019-01-05T03:21:30Z"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with serving(tmp_path / "store") as running:
        yield running


def provider(store: Store, **options: Any) -> Stac:
    return Stac(endpoint_for(f"{store.url}/stac", options), clock=lambda: NOW, limits=HASTY)


def fetched(source: Stac, folder: Path, query: Query = SITE) -> tuple[Path, Any]:
    (scene,) = source.search(query)
    folder.mkdir(exist_ok=True)
    return source.fetch(scene, query, folder)


def test_the_window_holds_the_numbers_as_delivered_and_says_how_to_read_them(store: Store, tmp_path: Path) -> None:
    tile = tile_grid()
    publish_wood(store, "S2A_48PUS_20220205_0_L2A", "2022-02-05T03:21:30Z", added=1000, offset=-0.1,
                 properties={"s2:processing_baseline": "04.00"})  # fmt: skip
    path, provenance = fetched(provider(store), tmp_path / "a")
    with rasterio.open(path) as image:
        assert image.descriptions == BANDS
        assert image.dtypes == ("uint16",) * 5
        assert image.nodata == 0
        assert image.profile["compress"] == "deflate"
        assert image.offsets == pytest.approx((-0.1, -0.1, -0.1, -0.1, 0))
        assert image.scales == pytest.approx((1e-4, 1e-4, 1e-4, 1e-4, 1))
        col, row = ~tile.transform @ (image.transform.c, image.transform.f)
        rows, cols = slice(int(row), int(row) + image.height), slice(int(col), int(col) + image.width)
        for index, band in enumerate(BANDS, start=1):
            whole = wood(band, tile.shape) + (0 if band == "SCL" else 1000)
            assert np.array_equal(image.read(index), whole[rows, cols])
        assert (image.height, image.width) == (152, 152)  # the site and 16 px around it, nothing resampled
    known = describe(path)
    assert known.bands == BANDS[:4]
    assert known.encoding.unit == "reflectance"
    assert known.encoding.mask_kind == "scl"
    told = json.dumps(provenance.response)
    assert '"etag"' in told
    assert provenance.response["items"][0]["id"] == "S2A_48PUS_20220205_0_L2A"


def test_two_fetches_give_the_same_bytes(store: Store, tmp_path: Path) -> None:
    publish_wood(store, "a", FIRST)
    assert (
        fetched(provider(store), tmp_path / "a")[0].read_bytes()
        == fetched(provider(store), tmp_path / "b")[0].read_bytes()
    )


def test_only_the_window_is_read(store: Store, tmp_path: Path) -> None:
    """A site of 120 px in a tile of 1500: a small part of each file."""
    publish_wood(
        store, "a", FIRST, grid=tile_grid(1500, left=290_000, top=1_205_000), bands=("blue", "red", "SCL"), block=256
    )
    fetched(provider(store), tmp_path / "a")
    whole = sum(p.stat().st_size for p in store.root.rglob("*.tif"))
    assert sum(store.sent.values()) < 0.15 * whole


def test_coarser_bands_are_repeated_not_smoothed(store: Store, tmp_path: Path) -> None:
    fine, coarse = tile_grid(), tile_grid(150, pixel=20)
    blue, swir, scl = wood("blue", fine.shape), wood("swir16", coarse.shape), wood("SCL", coarse.shape)
    publish(
        store,
        "a",
        FIRST,
        {"blue": (blue, fine), "red": (wood("red", fine.shape), fine), "swir16": (swir, coarse), "SCL": (scl, coarse)},
    )
    # One pixel to the left: the window begins in the middle of a coarse pixel.
    path, provenance = fetched(provider(store), tmp_path / "a", Query(grid=tile_grid(120, left=299_990, top=1_200_000)))
    with rasterio.open(path) as image:
        col, row = ~fine.transform @ (image.transform.c, image.transform.f)
        double = np.kron(swir, np.ones((2, 2), np.uint16))
        wanted = double[int(row) : int(row) + image.height, int(col) : int(col) + image.width]
        assert np.array_equal(image.read(image.descriptions.index("swir16") + 1), wanted)
    assert provenance.response["tiles"][0]["laid"]["swir16"] == "each pixel repeated 2 x 2"


def test_twin_tiles_become_one_scene_and_fill_each_others_holes(store: Store, tmp_path: Path) -> None:
    """The site lies across two tiles; neither shows all of it, and only what none shows is empty."""
    west, east = tile_grid(160, left=299_000), tile_grid(160, left=300_500)
    publish_wood(store, "S2A_48PUS_20190105_0_L2A", FIRST, grid=west)
    publish_wood(store, "S2A_48PVS_20190105_0_L2A", "2019-01-05T03:21:44Z", grid=east)
    source = provider(store)
    (scene,) = source.search(SITE)
    assert scene.properties["tiles"] == ["48PUS", "48PVS"]
    path, _ = source.fetch(scene, SITE, tmp_path)
    with rasterio.open(path) as image:
        blue, red = image.read(1), image.read(3)
        edge = round((east.transform.c - image.transform.c) / 10)
        assert np.array_equal(blue == 0, red == 0)
        filled = blue[:70] != 0  # both tiles end some rows further down
        assert not blue[90:].any()
        assert filled[:, : 160 - round((image.transform.c - 299_000) / 10)].all()
        assert filled[:, edge : edge + 100].all()


def test_a_tile_of_the_next_zone_is_used_only_where_the_own_zone_has_none(store: Store, tmp_path: Path) -> None:
    near = Grid("EPSG:32647", tile_grid().transform, (300, 300))
    from rasterio.warp import transform_bounds

    left, _, _, top = transform_bounds(UTM, near.crs, *tile_grid().bounds)
    other = tile_grid(420, left=round(left, -1) - 300, top=round(top, -1) + 300, crs="EPSG:32647")
    publish_wood(store, "S2A_47PZM_20190105_0_L2A", FIRST, grid=other)
    path, provenance = fetched(provider(store), tmp_path / "warped")
    with rasterio.open(path) as image:
        assert image.crs.to_epsg() == 32648
        assert (image.read(1) != 0).all()
        assert set(np.unique(image.read(5))) == {4}  # classes are never mixed
    assert "bilinear" in provenance.response["tiles"][0]["laid"]["blue"]
    publish_wood(store, "S2A_48PUS_20190105_0_L2A", FIRST)
    path, provenance = fetched(provider(store), tmp_path / "own")
    assert [tile["item"] for tile in provenance.response["tiles"]] == ["S2A_48PUS_20190105_0_L2A"]
    assert "not read" in provenance.response["left_out"][0]


def test_a_site_on_the_edge_of_two_zones_lies_the_same_by_either(store: Store, tmp_path: Path) -> None:
    """102 E: the next zone's tile, laid on the site's pixels, is off by less than half a pixel (measured: a tenth)."""
    from pyproj import Transformer
    from rasterio.warp import reproject

    x, y = Transformer.from_crs("OGC:CRS84", UTM, always_xy=True).transform(102.0, 11.0)
    own = tile_grid(300, left=round(x, -2) - 1500, top=round(y, -2) + 1500)
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32647", always_xy=True).transform(102.0, 11.0)
    other = tile_grid(360, left=round(x, -2) - 1800, top=round(y, -2) + 1800, crs="EPSG:32647")
    smooth = ndimage.gaussian_filter(np.random.default_rng(4).normal(0, 1, (1200, 1200)), 3)
    # One ground, four times finer than either tile, seen by both.
    fine = Grid(UTM, own.transform @ Affine.translation(-50, -50) @ Affine.scale(1 / 4), (1600, 1600))
    ground = np.kron(np.ones((2, 2)), smooth)[:1600, :1600]
    seen = []
    for tile in (own, other):
        band = np.zeros(tile.shape)
        reproject(ground, band, src_transform=fine.transform, src_crs=fine.crs, dst_transform=tile.transform, dst_crs=tile.crs,
                  resampling=Resampling.average)  # fmt: skip
        seen.append(np.clip(400 + 2500 * (band - band.min()), 1, 9000).astype(np.uint16))
    query = Query(grid=tile_grid(120, left=own.transform.c + 900, top=own.transform.f - 900))
    images = []
    for name, tile, band in zip(("S2A_48P_0", "S2A_47P_0"), (own, other), seen, strict=True):
        store.items.clear()
        publish(store, name, FIRST, {"red": (band, tile)})
        path, _ = fetched(provider(store), tmp_path / name, query)
        with rasterio.open(path) as image:
            assert image.crs.to_epsg() == 32648
            images.append((Affine(*tuple(image.transform)[:6]), image.read(1).astype(np.float32)))
    assert images[0][0] == images[1][0]
    shift = shift_of_chips([(images[0][1], images[1][1])], max_shift_px=3)
    assert shift.found
    assert np.hypot(shift.row, shift.col) < 0.15


def test_a_swath_edge_is_outside_never_dark(store: Store, tmp_path: Path) -> None:
    grid = tile_grid()
    cut = {band: (wood(band, grid.shape), grid) for band in BANDS}
    for data, _ in cut.values():
        data[:, 160:] = 0
    publish(store, "a", FIRST, cut)
    path, _ = fetched(provider(store), tmp_path / "a")
    known = describe(path)
    data, flags = known.read_both((slice(0, 152), slice(0, 152)))
    assert np.isnan(data[:, :, 80:]).all()
    assert (flags[:, 80:] & 1 != 0).all()
    assert np.nanmin(data) > 0.01


@pytest.mark.parametrize("cover", [0.0, 55.5, 99.99, 100.0, None, "much"])
def test_stated_cloud_is_never_asked_and_never_passed_on(store: Store, cover: object) -> None:
    publish_wood(store, "a", FIRST, properties={"eo:cloud_cover": cover})
    (scene,) = provider(store).search(SITE)
    assert not [key for key in scene.properties if "cloud" in key]
    assert "cloud" not in json.dumps(store.bodies)


def test_baselines_stations_and_copies_are_one_scene_and_the_newest_is_read(store: Store, tmp_path: Path) -> None:
    publish_wood(store, "S2A_48PUS_20190105_0_L2A", FIRST)
    publish_wood(
        store,
        "S2A_48PUS_20190105_1_L2A",
        FIRST,
        properties={"s2:processing_baseline": "05.00"},
        added=1000,
        offset=-0.1,
    )
    publish_wood(store, "S2A_48PUS_20190105_2_L2A", "2019-01-05T03:21:32Z")
    (scene,) = provider(store).search(SITE)
    assert scene.properties["items"] == ["S2A_48PUS_20190105_1_L2A"]
    assert len(scene.properties["superseded"]) == 2  # type: ignore[arg-type]
    _, provenance = fetched(provider(store), tmp_path / "a")
    assert provenance.response["tiles"][0]["offset"].startswith("1000 counts")


def test_levels_are_different_sensors_and_satellites_the_same(store: Store) -> None:
    name = "S2{}_MSIL{}_2019{}T032121_N0207_R075_T48PUS_20190105T060000"
    publish_wood(store, name.format("A", "2A", "0105"), FIRST)
    publish_wood(store, name.format("A", "1C", "0105"), FIRST)
    publish_wood(store, name.format("B", "2A", "0110"), "2019-01-10T03:21:30Z", properties={"platform": "Sentinel-2B"})
    scenes = provider(store).search(SITE)
    assert [(s.sensor, s.properties["platform"]) for s in scenes] == [
        ("sentinel-2-l1c", "sentinel-2a"), ("sentinel-2-l2a", "sentinel-2a"), ("sentinel-2-l2a", "sentinel-2b"),
    ]  # fmt: skip
    assert {s.properties["sat:relative_orbit"] for s in scenes} == {75}


def test_an_item_replaced_upstream_makes_another_request_and_its_signature_does_not(store: Store) -> None:
    publish_wood(store, "a", FIRST)
    source = provider(store)
    first = source.request(source.search(SITE)[0], SITE)
    for asset in store.items[0]["assets"].values():
        asset["href"] += "?sig=secret"
    again = source.request(source.search(SITE)[0], SITE)
    assert again == first
    assert "secret" not in json.dumps(again)
    publish_wood(store, "a", FIRST, updated="2025-01-01T00:00:00Z")
    assert source.request(source.search(SITE)[0], SITE) != first


def test_pages_are_followed_and_half_open(store: Store) -> None:
    for day in range(1, 26):
        publish_wood(
            store,
            f"d{day:02d}",
            f"2019-03-{day:02d}T03:21:30Z",
            bands=("red",),
            grid=tile_grid(60, left=300_500, top=1_200_100),
        )
    span = Query(
        grid=SITE.grid, start=datetime(2019, 3, 1, tzinfo=UTC), end=datetime(2019, 3, 24, 3, 21, 30, tzinfo=UTC)
    )
    scenes = provider(store).search(span)
    assert len(scenes) == 23
    assert [s.time for s in scenes] == sorted(s.time for s in scenes)  # type: ignore[type-var]


def test_tokens_are_added_renewed_when_they_expire_and_never_kept(store: Store, tmp_path: Path) -> None:
    publish_wood(store, "a", FIRST)
    store.token = "sig=first-secret"
    source = provider(store, token_url=f"{store.url}/token/{{collection}}")
    (scene,) = source.search(SITE)
    source.fetch(scene, SITE, tmp_path)
    store.token = "sig=second-secret"
    _, provenance = source.fetch(scene, SITE, tmp_path)
    assert store.asked["/token/sentinel-2-l2a"] == 2
    assert "secret" not in json.dumps([dict(provenance.request), dict(provenance.response)])


def test_items_that_cannot_be_used_are_listed_with_their_reason(store: Store) -> None:
    good = publish_wood(store, "good", FIRST)
    properties = {k: v for k, v in good["properties"].items() if k not in ("datetime", "proj:epsg")}
    store.items += [
        {**good, "id": "no assets", "assets": {}},
        {**good, "id": "no datetime", "properties": {**properties, "datetime": None}},
        {**good, "id": "assets are a list", "assets": []},
        {**good, "id": "only pictures", "assets": {"thumbnail": good["assets"]["thumbnail"]}},
        {**good, "id": "x" * 5000, "assets": {"blue": {"href": 7, "type": "image/tiff"}}},
    ]
    source = provider(store)
    assert [s.properties["items"] for s in source.search(SITE)] == [["good"]]
    refused = dict(source.refused)
    assert {"no assets", "assets are a list", "only pictures"} <= set(refused)
    assert all(len(reason) < 200 for reason in refused.values())


def test_an_item_without_a_projection_is_placed_by_its_file(store: Store, tmp_path: Path) -> None:
    item = publish_wood(store, "a", FIRST)
    del item["properties"]["proj:epsg"]
    path, _ = fetched(provider(store), tmp_path / "a")
    assert describe(path).grid.epsg == 32648


BAD_ADDRESSES = [
    "file:///etc/passwd", "/vsicurl/http://127.0.0.1/x.tif", "/vsizip//etc/x.zip/a.tif", "/etc/passwd", "http://10.0.0.1/x.tif",
    "http://127.0.0.2/x.tif", "https://example.org/x.tif", "ftp://127.0.0.1/x.tif", "http://user:pw@127.0.0.1/x.tif",
    "s3://bucket/x.tif", "<VRTDataset/>", "http://[", "",
]  # fmt: skip


@pytest.mark.parametrize("href", BAD_ADDRESSES)
def test_a_catalogue_cannot_point_elsewhere(store: Store, tmp_path: Path, href: str) -> None:
    item = publish_wood(store, "a", FIRST)
    for asset in item["assets"].values():
        asset["href"] = href
    with pytest.raises(InputError, match="hosts"):
        fetched(provider(store), tmp_path / "a")


def test_a_file_that_is_no_tiff_is_not_tried_with_other_drivers(store: Store, tmp_path: Path) -> None:
    publish_wood(store, "a", FIRST)
    (store.root / "a" / "blue.tif").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    with pytest.raises(InputError, match="not a GeoTIFF"):
        fetched(provider(store), tmp_path / "a")
    (store.root / "a" / "blue.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>" + " " * 5000)
    with pytest.raises(TemporaryError, match="page"):
        fetched(provider(store), tmp_path / "a")


FILE_FAULTS: list[tuple[str, type[SitewatchError]]] = [
    ("hang", TemporaryError), ("drip", TemporaryError), ("reset", TemporaryError), ("short", TemporaryError),
    ("html", TemporaryError), ("no-range", TemporaryError), ("redirect", TemporaryError), ("truncated", InputError),
    ("404", InputError), ("410", InputError), ("401", TemporaryError), ("403", TemporaryError), ("416", TemporaryError),
    ("429", TemporaryError), ("429-date", TemporaryError), ("500", TemporaryError), ("503", TemporaryError),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "error"), FILE_FAULTS)
def test_a_faulty_file_store_is_told_in_bounded_time_and_the_next_try_heals(
    store: Store, tmp_path: Path, kind: str, error: type[SitewatchError]
) -> None:
    publish_wood(store, "a", FIRST)
    source = provider(store)
    (scene,) = source.search(SITE)
    store.faults.append(Fault(kind, "/files/a/red.tif"))
    start = time.monotonic()
    with pytest.raises(error) as told:
        source.fetch(scene, SITE, tmp_path)
    assert time.monotonic() - start < HASTY.total_s + HASTY.answer_s + 15
    assert len(str(told.value)) < 300
    assert store.asked["/files/a/red.tif"] <= HASTY.tries * 2 + 6
    assert not list(tmp_path.glob("*.tif"))
    store.faults.clear()
    assert source.fetch(scene, SITE, tmp_path)[0].is_file()


@pytest.mark.parametrize("kind", ["hang", "reset", "short", "429", "429-date", "500", "502", "503"])
def test_a_fault_that_passes_is_not_even_noticed(store: Store, tmp_path: Path, kind: str) -> None:
    publish_wood(store, "a", FIRST)
    store.faults.append(Fault(kind, "/files/a/", times=2))
    assert fetched(provider(store), tmp_path / "a")[0].is_file()


API_FAULTS = ["hang", "drip", "reset", "html", "garbage", "redirect", "endless", "401", "403", "429", "500", "503"]


@pytest.mark.parametrize("kind", API_FAULTS)
@pytest.mark.parametrize("where", ["/stac", "/stac/search"])
def test_a_faulty_catalogue_is_told_in_bounded_time_and_the_next_search_heals(
    store: Store, kind: str, where: str
) -> None:
    publish_wood(store, "a", FIRST)
    store.faults.append(Fault(kind, where))
    source, start = provider(store), time.monotonic()
    with pytest.raises(TemporaryError):
        source.search(SITE)
    assert time.monotonic() - start < HASTY.total_s + HASTY.answer_s + 15
    store.faults.clear()
    assert len(source.search(SITE)) == 1


def test_what_is_no_stac_api_is_a_matter_of_configuration(store: Store) -> None:
    with pytest.raises((ConfigurationError, TemporaryError)):
        Stac(endpoint_for(f"{store.url}/nothing", {}), clock=lambda: NOW, limits=HASTY).search(SITE)
    for source in ("http://example.org/stac", "ftp://example.org", "nobody-knows", "https://me:pw@example.org"):
        with pytest.raises(ConfigurationError):
            endpoint_for(source, {})


def test_a_file_replaced_while_it_is_read_is_not_mixed(store: Store, tmp_path: Path) -> None:
    publish_wood(store, "a", FIRST, grid=tile_grid(600))
    source = provider(store)
    (scene,) = source.search(SITE)
    inner, calls = source.web.ask, 0

    def replacing(method: str, url: str, **words: Any) -> Any:
        nonlocal calls
        calls += url.endswith("blue.tif")
        if calls == 2:
            publish_wood(store, "a", FIRST, grid=tile_grid(600), added=500)
        return inner(method, url, **words)

    source.web.ask = replacing  # type: ignore[method-assign]
    with pytest.raises(TemporaryError, match="replaced"):
        source.fetch(scene, SITE, tmp_path)


def test_an_estimate_counts_bytes_and_requests(store: Store) -> None:
    publish_wood(store, "a", FIRST)
    source = provider(store)
    cost = source.estimate(source.search(SITE)[0], SITE)
    assert cost["requests"] >= len(BANDS)
    assert cost["bytes"] > 0
