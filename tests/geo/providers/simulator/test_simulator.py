"""The simulator as a provider: what it lists, what it delivers, that the same seed gives the same bytes."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geo.errors import ConfigurationError, InputError
from geo.grid import Grid
from geo.providers import Provider
from geo.providers.simulator import HALF_METRE, OPTICAL, RADAR, Scenario, Simulator, default_grid
from geo.providers.simulator.spectra import BANDS
from geo.providers.simulator.stamp import stamp
from geo.scene import Query, Scene

SCENARIO = Scenario(seed=5)


def small(scenario: Scenario = SCENARIO, side_m: float = 700) -> Grid:
    return default_grid(scenario, side_m=side_m)


def span(start: str, days: int, grid: Grid | None = None) -> Query:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return Query(grid=grid, start=begin, end=begin + timedelta(days))


def first(provider: Simulator, query: Query, sensor: str) -> Scene:
    return next(s for s in provider.search(query) if s.sensor == sensor)


def test_it_is_a_provider() -> None:
    """Search and fetch have the seam's signatures (checked by mypy too)."""
    provider: Provider = Simulator()
    assert provider.name == "simulator"


def test_scenes_rise_in_time_inside_the_half_open_span() -> None:
    """All sensors, oldest first, start included, end left out."""
    provider = Simulator(SCENARIO)
    scenes = provider.search(span("2019-01-01", 365))
    times = [s.time for s in scenes]
    assert times == sorted(times)
    assert {s.sensor for s in scenes} == {OPTICAL, RADAR, HALF_METRE}
    middle = scenes[40].time
    assert provider.search(Query(start=middle, end=scenes[41].time))[0].time == middle
    assert not provider.search(Query(start=middle + timedelta(seconds=1), end=scenes[41].time))


def test_revisit_is_five_days_and_radar_twelve_an_orbit() -> None:
    """One optical orbit every five days from July 2017 on, two radar orbits every twelve."""
    scenes = Simulator(SCENARIO).search(span("2018-01-01", 365))
    for sensor, gap in ((OPTICAL, 5), (RADAR, 12)):
        orbits = {s.properties["relative_orbit"] for s in scenes if s.sensor == sensor}
        assert len(orbits) == 2
        for orbit in orbits:
            days = [s.time.date() for s in scenes if s.sensor == sensor and s.properties["relative_orbit"] == orbit]
            assert {(b - a).days for a, b in pairwise(days)} == {gap}


def test_everything_says_simulated(tmp_path: Path) -> None:
    """Scene, provenance, tags and pixels."""
    provider = Simulator(SCENARIO)
    query = span("2018-12-01", 60, small())
    for sensor in (OPTICAL, RADAR):
        scene = first(provider, query, sensor)
        assert scene.simulated
        assert "SIMULATED" in scene.id
        path, provenance = provider.fetch(scene, query, tmp_path)
        assert "SIMULATED" in path.name
        assert "SIMULATED" in provenance.licence
        assert "SIMULATED" in provenance.credit
        with rasterio.open(path) as file:
            assert file.tags()["TIFFTAG_IMAGEDESCRIPTION"].startswith("SIMULATED")
            assert file.tags()["SIMULATED"] == "YES"
            data = file.read(1) * file.scales[0] + file.offsets[0]
        where, ink = stamp(data.shape)
        np.testing.assert_allclose(data[where][ink], 0.30, atol=1e-6)
        np.testing.assert_allclose(data[where][~ink], 0.06, atol=1e-6)


def test_the_stamp_is_the_same_on_every_date_and_is_no_observation(tmp_path: Path) -> None:
    """No change between dates, before and after the offset of 2022, and class 1 (defective) under it."""
    provider, grid = Simulator(SCENARIO), small()
    seen = []
    for day in ("2018-06-01", "2023-01-10"):
        query = span(day, 30, grid)
        path, _ = provider.fetch(first(provider, query, OPTICAL), query, tmp_path)
        with rasterio.open(path) as file:
            stored = file.read()
            values = stored * np.array(file.scales)[:, None, None] + np.array(file.offsets)[:, None, None]
        where, _ = stamp(grid.shape)
        seen.append(values[:, where[0], where[1]])
        assert (seen[-1][-1] == 1).all()
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-9)


def test_the_same_seed_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    """Scenes fetched backwards by a second provider are byte-identical; another seed's are not."""
    query = span("2019-02-01", 14, small(side_m=400))
    folders = [tmp_path / name for name in ("forth", "back")]
    for folder, order in zip(folders, (1, -1), strict=True):
        folder.mkdir()
        provider = Simulator(Scenario(seed=5))
        for scene in provider.search(query)[::order]:
            provider.fetch(scene, query, folder)
    names = sorted(p.name for p in folders[0].iterdir())
    assert len(names) >= 4
    assert names == sorted(p.name for p in folders[1].iterdir())
    assert all((folders[0] / n).read_bytes() == (folders[1] / n).read_bytes() for n in names)


def test_a_smaller_request_shows_the_same_pixels(tmp_path: Path) -> None:
    """Noise, clouds and ground belong to the scene, not to the grid asked for."""
    provider = Simulator(SCENARIO, sensors=(OPTICAL, RADAR))
    grid = small()
    part = grid.window((slice(11, 41), slice(20, 50)))
    for scene in provider.search(span("2019-01-20", 8)):
        whole, _ = provider.fetch(scene, Query(grid=grid), tmp_path)
        with rasterio.open(whole) as file:
            a = file.read()[:, 11:31, 30:50]  # away from both stamps
        small_path, _ = provider.fetch(scene, Query(grid=part), tmp_path)
        with rasterio.open(small_path) as file:
            b = file.read()[:, :20, 10:]
        assert np.mean(a == b) > 0.995  # 20 m classes at the edge of the smaller request may differ


@pytest.mark.parametrize(("day", "offset"), [("2021-12-01", 0.0), ("2022-02-01", -0.1)])
def test_names_scales_and_offsets_are_declared(tmp_path: Path, day: str, offset: float) -> None:
    """Ten bands by their common names and SCL; the offset of processing baseline 04.00 from 2022-01-25 on."""
    provider, grid = Simulator(SCENARIO), small()
    query = span(day, 30, grid)
    path, _ = provider.fetch(first(provider, query, OPTICAL), query, tmp_path)
    with rasterio.open(path) as file:
        assert file.descriptions == (*BANDS, "SCL")
        assert file.crs.to_epsg() == 32648
        assert (file.height, file.width) == grid.shape
        assert file.transform == grid.transform
        assert file.nodata == 0
        assert file.scales == (*[1e-4] * 10, 1.0)
        assert file.offsets == (*[offset] * 10, 0.0)
        assert file.tags()["BOA_ADD_OFFSET"] == str(round(offset * 1e4))
        assert file.dtypes[0] == "uint16"


def test_half_metre_scenes_are_half_metre(tmp_path: Path) -> None:
    """Four bands on half-metre pixels inside the part asked for."""
    provider, grid = Simulator(SCENARIO), small(side_m=120)
    scene = first(provider, span("2019-01-01", 400), HALF_METRE)
    path, _ = provider.fetch(scene, Query(grid=grid), tmp_path)
    with rasterio.open(path) as file:
        assert file.descriptions == ("blue", "green", "red", "nir")
        assert file.res == (0.5, 0.5)
        assert tuple(file.bounds) == grid.bounds
        assert file.read().std() > 0


def test_errors_name_the_way_out(tmp_path: Path) -> None:
    """A grid elsewhere, a scene of another world, an unknown sensor, a folder that is not there."""
    provider = Simulator(SCENARIO)
    far = Grid.around((500000, 1000000, 501000, 1001000), 32648, 10)
    with pytest.raises(ConfigurationError, match="does not touch it"):
        provider.search(Query(grid=far))
    scene = first(Simulator(Scenario(seed=6)), span("2019-01-01", 30), OPTICAL)
    with pytest.raises(InputError, match="same seed"):
        provider.fetch(scene, Query(), tmp_path)
    with pytest.raises(ConfigurationError, match="landsat"):
        Simulator(SCENARIO, sensors=("landsat",))
    own = first(provider, span("2019-01-01", 30), OPTICAL)
    with pytest.raises(InputError, match="choose a folder"):
        provider.fetch(own, Query(grid=small()), tmp_path / "nowhere")
    for wrong in ({"seed": -1}, {"kind": "castle"}, {"extent_m": 10.0}, {"area_ha": 900.0}, {"lat": 89.0}):
        with pytest.raises(ConfigurationError):
            Scenario(**wrong)  # type: ignore[arg-type]


def test_catalogue_tells_no_truth() -> None:
    """What search says is JSON and says nothing of shifts, haze or cloud over the site."""
    scene = Simulator(SCENARIO).search(span("2019-01-01", 30))[0]
    words = json.dumps(dict(scene.properties))
    assert not any(word in words for word in ("shift", "haze", "fraction"))
