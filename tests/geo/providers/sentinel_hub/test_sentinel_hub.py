"""The provider against a service on loopback: right pixels, every overpass once, nothing asked that is not needed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hubworld import FIRST, NOW, RADAR, TILE, UTM, WATER_COLS, ground, hub_provider, paint, site
from services.sentinel_hub import PROCESS, SEARCH, TOKEN, Fault, Hub, entry, serving, units

from geo.errors import ConfigurationError, InputError, TemporaryError
from geo.files.rasters import describe
from geo.grid import Grid
from geo.providers.sentinel_hub import SENSORS, Budget, SentinelHub, sensors_named
from geo.providers.sentinel_hub.checking import mean_angles
from geo.raster import Flag
from geo.scene import Query

ROOT = Path(__file__).parents[4]
SITE = Query(grid=site())
OPTICAL = sensors_named(("sentinel-2-l2a",))
NAMES = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22", "SCL")
ANGLES_COST = units(4, 4, 4, True, False)
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "SCL")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(paint) as running:
        running.items["sentinel-2-l2a"] = [entry(TILE, FIRST, platform="sentinel-2a")]
        yield running


def fetched(source: SentinelHub, folder: Path, query: Query = SITE) -> tuple[Path, Any]:
    (scene,) = source.search(query)
    folder.mkdir(exist_ok=True)
    return source.fetch(scene, query, folder)


def test_the_file_holds_the_numbers_received_and_says_how_to_read_them(hub: Hub, tmp_path: Path) -> None:
    path, provenance = fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a")
    with rasterio.open(path) as image:
        assert image.descriptions == NAMES
        assert image.dtypes == ("uint16",) * 11
        assert (image.crs.to_epsg(), image.bounds, image.shape) == (32648, SITE.grid.bounds, (120, 120))  # type: ignore[union-attr]
        assert image.scales == pytest.approx((1e-4,) * 10 + (1,))
        assert image.offsets == (0,) * 11
        for index, band in enumerate(BANDS, start=1):
            assert np.array_equal(image.read(index)[:, WATER_COLS:], ground(band, SITE.grid)[:, WATER_COLS:])  # type: ignore[arg-type]
    known = describe(path)
    assert known.bands == NAMES[:-1]
    assert (known.encoding.unit, known.encoding.mask_kind) == ("reflectance", "scl")
    assert provenance.provider == "sentinel-hub"
    assert provenance.received == NOW
    assert "Copernicus" in provenance.licence
    assert provenance.credit.endswith("2019")


def test_fewer_bands_cost_less_and_are_another_request(hub: Hub, tmp_path: Path) -> None:
    fewer = hub_provider(hub, sensors=sensors_named(("sentinel-2-l2a",), ("B02", "B03", "B04", "B08")))
    all_bands = hub_provider(hub, sensors=OPTICAL)
    (scene,), (same,) = fewer.search(SITE), all_bands.search(SITE)
    assert scene == same
    assert fewer.request(scene, SITE) != all_bands.request(scene, SITE)
    less, more = (s.estimate(scene, SITE)["processing_units"] for s in (fewer, all_bands))
    assert less - ANGLES_COST == pytest.approx((more - ANGLES_COST) * 5 / 11)
    path, _ = fewer.fetch(scene, SITE, tmp_path)
    assert describe(path).bands == ("blue", "green", "red", "nir")
    with pytest.raises(ConfigurationError, match="B08"):
        sensors_named((), ("B02", "B03", "B04"))


def test_outside_is_no_observation_and_dark_ground_is_one(hub: Hub, tmp_path: Path) -> None:
    """dataMask decides, not the number: ground of value 0 stays, what lies outside never becomes dark."""
    path, provenance = fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a")
    data, flags = describe(path).read_both((slice(0, 120), slice(0, 120)))
    assert np.isnan(data[:, :, :WATER_COLS]).all()
    assert (flags[:, :WATER_COLS] & Flag.OUTSIDE).all()
    inside = data[:, :, WATER_COLS:]
    assert np.isfinite(inside).all()
    assert (inside == 0).any()
    assert provenance.response["outside_px"] == WATER_COLS * 120
    with rasterio.open(path) as image:
        assert (image.read(11)[:, :WATER_COLS] == 0).all()  # SCL's own word for no data


def test_every_answer_is_recorded_with_its_hash_and_price(hub: Hub, tmp_path: Path) -> None:
    bodies: list[bytes] = []
    source = hub_provider(hub, sensors=OPTICAL)
    ask = source._session.ask

    def listening(*words: Any, **more: Any) -> Any:
        answer = ask(*words, **more)
        bodies.append(answer.body)
        return answer

    source._session.ask = listening  # type: ignore[method-assign]
    (scene,) = source.search(SITE)
    del bodies[:]
    _, provenance = source.fetch(scene, SITE, tmp_path)
    for answer, body in zip(provenance.response["answers"], bodies, strict=True):
        assert (answer["sha256"], answer["size_bytes"]) == (hashlib.sha256(body).hexdigest(), len(body))
        assert answer["processing_units_stated"]
    assert provenance.response["processing_units"] == pytest.approx(hub.spent)
    assert provenance.response["items"][0]["id"] == TILE
    assert "linksecret" not in json.dumps(provenance.response)


def test_what_is_asked_is_what_the_service_documents(hub: Hub, tmp_path: Path) -> None:
    fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a")
    searched, made, angles = hub.bodies
    assert "sunZenithAngles" in angles["evalscript"]
    assert (angles["output"]["width"], angles["input"]["bounds"]) == (4, made["input"]["bounds"])
    assert searched["collections"] == ["sentinel-2-l2a"]
    assert searched["intersects"]["type"] == "Polygon"
    assert "bbox" not in searched
    assert "eo:cloud_cover" not in json.dumps(searched)  # a catalogue's cloud is that of a whole tile
    assert made["input"]["bounds"] == {
        "properties": {"crs": "http://www.opengis.net/def/crs/EPSG/0/32648"},
        "bbox": [300_000.0, 1_198_800.0, 301_200.0, 1_200_000.0],
    }
    (data,) = made["input"]["data"]
    assert data["dataFilter"]["timeRange"] == {"from": "2019-01-05T03:21:25Z", "to": "2019-01-05T03:21:36Z"}
    assert data["processing"]["harmonizeValues"] is True
    assert "maxCloudCoverage" not in data["dataFilter"]
    assert made["output"]["width"] == made["output"]["height"] == 120
    assert [r["format"]["type"] for r in made["output"]["responses"]] == ["image/tiff"]
    assert 'sampleType: "UINT16"' in made["evalscript"]


def test_how_the_sun_stood_comes_along_and_its_lack_costs_no_scene(hub: Hub, tmp_path: Path) -> None:
    _, provenance = fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a")
    assert provenance.response["angles_deg"] == {
        "sun_azimuth": 140.0, "sun_zenith": 35.0, "view_azimuth": 359.0, "view_zenith": 5.0,
    }  # fmt: skip
    source = hub_provider(hub, sensors=OPTICAL)
    ask = source._session.ask

    def no_angles(url: str, payload: Any, **more: Any) -> Any:
        if "sunZenith" in payload.get("evalscript", ""):
            raise TemporaryError("gone")
        return ask(url, payload, **more)

    source._session.ask = no_angles  # type: ignore[method-assign]
    path, provenance = fetched(source, tmp_path / "b")
    assert path.is_file()
    assert "angles_deg" not in provenance.response


def test_azimuths_are_averaged_round_the_circle() -> None:
    seen = np.array([[True, True, False]])
    degrees = {"sun_azimuth": np.array([[350.0, 30.0, 100.0]]), "sun_zenith": np.array([[20.0, 30.0, np.nan]])}
    assert mean_angles(degrees, seen) == {"sun_azimuth": 10.0, "sun_zenith": 25.0}
    assert mean_angles(degrees, np.zeros((1, 3), bool)) == {}


def test_two_fetches_give_the_same_bytes_and_one_token_serves_them(hub: Hub, tmp_path: Path) -> None:
    source = hub_provider(hub, sensors=OPTICAL)
    one, other = fetched(source, tmp_path / "a")[0], fetched(source, tmp_path / "b")[0]
    assert one.read_bytes() == other.read_bytes()
    assert hub.given == 1


def test_twin_tiles_of_an_overpass_are_one_scene_and_one_request(hub: Hub, tmp_path: Path) -> None:
    twin = TILE.replace("48PUS", "48PVS")
    older = TILE.replace("N0211", "N0207")
    hub.items["sentinel-2-l2a"] += [
        entry(twin, "2019-01-05T03:21:44Z", platform="sentinel-2a"), entry(older, FIRST, platform="sentinel-2a"),
    ]  # fmt: skip
    source = hub_provider(hub, sensors=OPTICAL)
    (scene,) = source.search(SITE)
    assert scene.id == "sentinel-2a_20190105T032121_l2a"
    assert scene.properties["tiles"] == ["48PUS", "48PVS"]
    assert scene.properties["superseded"] == [older]
    assert scene.properties["sat:relative_orbit"] == 118
    source.fetch(scene, SITE, tmp_path)
    assert hub.asked[PROCESS] == 2  # the image and its angles
    assert hub.bodies[-1]["input"]["data"][0]["dataFilter"]["timeRange"] == {
        "from": "2019-01-05T03:21:25Z", "to": "2019-01-05T03:21:50Z",
    }  # fmt: skip


def test_radar_comes_as_linear_power_with_its_orbit(hub: Hub, tmp_path: Path) -> None:
    hub.items = {"sentinel-1-grd": [entry(RADAR, "2019-01-06T11:11:11Z", **{"sat:orbit_state": "ASCENDING"})]}
    source = hub_provider(hub)
    (scene,) = source.search(SITE)
    assert (scene.sensor, scene.properties["platform"]) == ("sentinel-1-grd", "sentinel-1a")
    assert scene.properties["sat:relative_orbit"] == (25352 - 73) % 175 + 1
    assert scene.properties["sat:orbit_state"] == "ascending"
    path, _ = source.fetch(scene, SITE, tmp_path)
    known = describe(path)
    assert known.bands == ("vv", "vh")
    assert known.encoding.unit == "linear-power"
    data = known.read((slice(0, 120), slice(0, 120)))
    assert np.isnan(data[:, :, :WATER_COLS]).all()
    assert np.array_equal(data[0, :, WATER_COLS:], ground("VV", SITE.grid)[:, WATER_COLS:].astype(np.float32))  # type: ignore[arg-type]
    (searched,) = [b for b in hub.bodies if b["path"] == SEARCH and b["collections"] == ["sentinel-1-grd"]]
    assert "sar:instrument_mode='IW'" in searched["filter"]
    (sent,) = hub.bodies[-1]["input"]["data"]
    assert sent["processing"] == {
        "upsampling": "NEAREST", "downsampling": "NEAREST", "backCoeff": "GAMMA0_TERRAIN", "orthorectify": True,
        "demInstance": "COPERNICUS_30",
    }  # fmt: skip


def test_a_radar_look_of_unknown_orbit_is_refused_with_its_reason(hub: Hub) -> None:
    """Looks from different orbits differ everywhere; taken together they would show change that is none."""
    odd = RADAR.replace("S1A", "S1D")
    hub.items = {"sentinel-1-grd": [entry(odd, "2019-01-06T11:11:11Z")]}
    source = hub_provider(hub)
    assert source.search(SITE) == []
    ((name, reason),) = source.refused
    assert name == odd[:80]
    assert "orbit" in reason


def test_landsat_keeps_its_own_pixels_and_numbers(hub: Hub, tmp_path: Path) -> None:
    name = "LC09_L2SP_126052_20220105_20220107_02_T1"
    hub.items = {"landsat-ot-l2": [entry(name, "2022-01-05T03:10:00Z", platform="landsat-9")]}
    source = hub_provider(hub, sensors=sensors_named(("landsat-ot-l2",)))
    (scene,) = source.search(SITE)
    assert scene.sensor == "landsat-9-l2"
    path, _ = source.fetch(scene, SITE, tmp_path)
    with rasterio.open(path) as image:
        left, bottom, right, top = image.bounds
        assert image.res == (30, 30)
        assert {left % 30, top % 30, right % 30, bottom % 30} == {15}
        assert left <= 300_000 < left + 30
        assert right - 30 < 301_200 <= right
        assert image.scales[0] == pytest.approx(2.75e-5)
        assert image.offsets[0] == pytest.approx(-0.2)
    known = describe(path)
    assert known.bands == ("blue", "green", "red", "nir08", "swir16", "swir22")
    assert (known.encoding.unit, known.encoding.mask_kind) == ("reflectance", "qa_pixel")


@pytest.mark.parametrize("most", [120, 119, 50, 7])
def test_split_and_joined_there_is_no_seam(hub: Hub, tmp_path: Path, most: int) -> None:
    whole, _ = fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a")
    source = hub_provider(hub, sensors=OPTICAL, most_px=most)
    parts, provenance = fetched(source, tmp_path / "b")
    assert parts.read_bytes() == whole.read_bytes()
    count = (-(-120 // most)) ** 2
    assert len(provenance.response["answers"]) == count + 1
    sizes = [(b["output"]["width"], b["output"]["height"]) for b in hub.bodies[4:] if b["path"] == PROCESS]
    assert max(map(max, sizes)) <= most


def test_a_site_beyond_the_services_limit_is_split_as_it_must_be(hub: Hub, tmp_path: Path) -> None:
    query = Query(grid=Grid(UTM, SITE.grid.transform, (2501, 40)))  # type: ignore[union-attr]
    path, provenance = fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a", query)
    assert len(provenance.response["answers"]) == 3
    with rasterio.open(path) as image:
        assert image.shape == (2501, 40)
        assert np.array_equal(image.read(1)[:, WATER_COLS:], ground("B02", query.grid)[:, WATER_COLS:])  # type: ignore[arg-type]


def test_the_catalogue_is_read_to_its_last_page(hub: Hub) -> None:
    days = [f"2019-{month:02d}-{day:02d}" for month in range(1, 13) for day in (5, 15, 25)]
    hub.items["sentinel-2-l2a"] = [
        entry(TILE.replace("20190105T032121", f"{d.replace('-', '')}T032121"), f"{d}T03:21:30Z", platform="sentinel-2a")
        for d in days
    ]
    hub.page = 7
    source = hub_provider(hub, sensors=OPTICAL)
    found = source.search(SITE)
    assert [f"{s.time:%Y-%m-%d}" for s in found] == days
    assert hub.asked[SEARCH] == 6
    hub.faults.append(Fault("links-only", SEARCH))  # as newer catalogues page
    assert [s.id for s in source.search(SITE)] == [s.id for s in found]
    some = Query(grid=SITE.grid, start=datetime(2019, 3, 5, tzinfo=UTC), end=datetime(2019, 3, 25, tzinfo=UTC))
    assert [f"{s.time:%m-%d}" for s in source.search(some)] == ["03-05", "03-15"]


def test_an_entry_that_cannot_be_read_is_told_and_the_others_are_used(hub: Hub) -> None:
    hub.items["sentinel-2-l2a"] += [entry("no time", "2019-13-05T03:21:30Z"), entry("", FIRST)]
    source = hub_provider(hub, sensors=OPTICAL)
    assert len(source.search(SITE)) == 1
    assert len(source.refused) == 2


def test_the_request_tells_one_grid_and_one_product_from_another(hub: Hub) -> None:
    source = hub_provider(hub, sensors=OPTICAL)
    (scene,) = source.search(SITE)
    one = source.request(scene, SITE)
    assert one == source.request(scene, SITE) == json.loads(json.dumps(one))
    assert one != source.request(scene, Query(grid=site(121)))
    hub.items["sentinel-2-l2a"][0]["properties"]["updated"] = "2024-01-01T00:00:00Z"
    source.search(SITE)
    assert one != source.request(scene, SITE)


def test_a_scene_that_was_not_searched_or_a_place_without_metres_is_refused(hub: Hub, tmp_path: Path) -> None:
    source = hub_provider(hub, sensors=OPTICAL)
    (scene,) = source.search(SITE)
    with pytest.raises(InputError, match="search again"):
        hub_provider(hub).fetch(scene, SITE, tmp_path)
    degrees = Query(grid=Grid("OGC:CRS84", SITE.grid.transform, (5, 5)))  # type: ignore[union-attr]
    with pytest.raises(ConfigurationError):
        source.estimate(scene, degrees)
    with pytest.raises(ConfigurationError, match="site"):
        source.search(Query())


def test_an_estimate_is_what_the_service_charges(hub: Hub, tmp_path: Path) -> None:
    hub.items["sentinel-1-grd"] = [entry(RADAR, "2019-01-06T11:11:11Z")]
    source = hub_provider(hub, most_px=70)
    for scene in source.search(SITE):
        before = hub.spent
        told = source.estimate(scene, SITE)
        source.fetch(scene, SITE, tmp_path)
        assert told["processing_units"] == pytest.approx(hub.spent - before)
        assert told["requests"] == (5 if scene.sensor == "sentinel-2-l2a" else 4)
    assert hub.spent == pytest.approx(
        4 * units(60, 60, 11, False, False) + 4 * units(60, 60, 2, True, True) + ANGLES_COST
    )


def test_a_budget_stops_before_it_is_exceeded_and_counts_what_was_really_spent(hub: Hub, tmp_path: Path) -> None:
    price = units(120, 120, 11, False, False) + ANGLES_COST
    source = hub_provider(hub, sensors=OPTICAL, budget=Budget(most=2.5 * price, spent=0.0))
    (scene,) = source.search(SITE)
    source.fetch(scene, SITE, tmp_path)
    source.fetch(scene, SITE, tmp_path)
    with pytest.raises(TemporaryError, match="budget"):
        source.fetch(scene, SITE, tmp_path)
    assert hub.asked[PROCESS] == 4
    assert source.budget.spent == pytest.approx(hub.spent + 0.01)  # and one question to the catalogue


def test_threads_share_budget_and_token(hub: Hub, tmp_path: Path) -> None:
    price = units(120, 120, 11, False, False) + ANGLES_COST
    source = hub_provider(hub, sensors=OPTICAL, budget=Budget(most=5.1 * price + 0.01))
    (scene,) = source.search(SITE)
    start = threading.Barrier(8)

    def one(number: int) -> bool:
        start.wait()
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            source.fetch(scene, SITE, folder)
        except TemporaryError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 5
    assert hub.spent == pytest.approx(5 * price)
    assert hub.given == hub.asked[TOKEN] == 1


def test_all_collections_ask_for_bands_that_the_library_knows() -> None:
    from sentinelhub import DataCollection

    for sensor in SENSORS.values():
        known = DataCollection[sensor.library]
        listed = {band.name for band in (*known.bands, *known.metabands)}
        assert {*sensor.asked, "dataMask"} <= listed
        assert known.api_id == sensor.collection


def test_a_scene_in_parts_is_begun_only_if_the_budget_bears_all_of_it(hub: Hub, tmp_path: Path) -> None:
    price = 4 * units(60, 60, 11, False, False)
    source = hub_provider(hub, sensors=OPTICAL, most_px=60, budget=Budget(most=0.9 * price))
    (scene,) = source.search(SITE)
    with pytest.raises(TemporaryError, match="budget"):
        source.fetch(scene, SITE, tmp_path)
    assert hub.asked[PROCESS] == 0


def test_the_library_itself_gets_the_same_numbers_from_the_stand_in(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sentinelhub-py, token, catalogue and download included, is the judge of what a service looks like."""
    from sentinelhub import CRS, BBox, DataCollection, MimeType, SentinelHubCatalog, SentinelHubRequest, SHConfig

    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    path, _ = fetched(hub_provider(hub, sensors=OPTICAL), tmp_path / "a")
    config = SHConfig(
        use_defaults=True, sh_client_id=hub.client_id, sh_client_secret=hub.client_secret, sh_base_url=hub.url,
        sh_token_url=hub.token_url, max_retries=2, download_timeout_seconds=5,
    )  # fmt: skip
    collection = DataCollection.SENTINEL2_L2A.define_from(f"PEER_{hub.url[-5:]}", service_url=hub.url + "/")
    box = BBox(SITE.grid.bounds, CRS.UTM_48N)  # type: ignore[union-attr]
    (found,) = SentinelHubCatalog(config=config).search(collection, bbox=box, time=("2019-01-01", "2019-02-01"))
    assert found["id"] == TILE
    request = SentinelHubRequest(
        evalscript=OPTICAL[0].evalscript,
        input_data=[SentinelHubRequest.input_data(collection, time_interval=("2019-01-05", "2019-01-05"))],
        responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
        bbox=box,
        size=(120, 120),
        config=config,
    )
    (theirs,) = request.get_data()
    mask = theirs[..., -1] == 1
    with rasterio.open(path) as image:
        ours = np.moveaxis(image.read(), 0, -1)
    assert np.array_equal(theirs[mask][:, :-1], ours[mask])
    assert any("sentinelhub" in agent for agent in hub.agents)


def test_the_library_is_loaded_only_where_it_is_needed() -> None:
    """It takes about a second, and most commands do without it."""
    program = "import sys, pipelines.cli, pipelines.acquire; print('sentinelhub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr
