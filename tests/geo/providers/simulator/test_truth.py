"""Truth and the site's own file: areas, dates, what overlaps what, over many seeds."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import Point, box, shape
from shapely.ops import unary_union

from geo.providers.simulator import Scenario, site_collection, truth, world
from geo.providers.simulator.plan import LONG_AGO_DAYS, Parcel

GEOD = Geod(ellps="WGS84")
SPAN = datetime(2019, 1, 1, tzinfo=UTC), datetime(2019, 3, 1, tzinfo=UTC)
seeds = st.integers(0, 100_000)
relaxed = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def area_m2(geometry: dict) -> float:
    return abs(GEOD.geometry_area_perimeter(shape(geometry))[0])


def test_the_canonical_centre_is_the_one_of_the_record() -> None:
    """Seed 0: 20 ha, ground broken on 2017-08-10, inaugurated on 2022-03-22, walled in between."""
    known = truth(Scenario(seed=0), *SPAN)
    assert known["simulated"] is True
    assert known["area_m2"] == pytest.approx(200_000, rel=1e-6)
    assert area_m2(known["outline"]) == pytest.approx(200_000, rel=2e-3)
    assert known["clearing"]["from"] == "2017-08-10"
    assert known["phases"][-1] == {"phase": "Post Construction", "from": "2022-03-22"}
    assert 1600 < known["perimeter"]["length_m"] < 2000
    assert json.loads(json.dumps(known)) == known


@relaxed
@given(seeds)
def test_any_seed_gives_a_sound_centre(seed: int) -> None:
    """16-24 ha, buildings inside the wall and apart, days in order, replanted blocks of 5-30 ha, clean controls."""
    scenario = Scenario(seed=seed)
    plan = world.build(scenario)
    compound = plan.compound
    assert compound is not None
    assert plan.site.is_valid
    assert 15.9e4 < plan.site.area < 24.1e4
    days = compound.dates
    assert days["clearing"] < days["cleared"] < days["wall_start"] < days["wall_end"] < days["inaugurated"]
    assert days["clearing"] < days["construction"] < days["inaugurated"]
    buildings = [w for w in compound.works if w.group == "building"]
    assert 8 <= len(buildings) <= 40
    assert all(b.shape.within(plan.site) for b in buildings)
    assert unary_union([b.shape for b in buildings]).area == pytest.approx(sum(b.shape.area for b in buildings))
    assert all(b.since("slab") < b.since("shell") < date.fromisoformat(str(b.facts["roofed"])) for b in buildings)
    assert max(date.fromisoformat(str(b.facts["roofed"])) for b in buildings) <= days["inaugurated"]
    walls = [w for w in compound.works if w.group == "wall"]
    assert sum(w.facts["line"].length for w in walls) == pytest.approx(compound.wall.length - 9.0, abs=0.5)
    assert len(plan.replanted) >= 3
    assert all(4.5e4 < f.shape.area < 31e4 and f.first < f.last < f.planted for f in plan.replanted.values())
    assert not any(f.shape.intersects(plan.site) for f in plan.replanted.values())
    assert len(plan.controls) >= 3
    changed = [f.shape for f in plan.replanted.values()] + [plan.site]
    changed += [p.shape for p in plan.ground if p.group in ("farm", "recoated", "field", "water")]
    assert not any(c.intersects(other) for c in plan.controls for other in changed)
    x, y = plan.origin
    corner = box(x - 1500, y - 1500, x - 1100, y - 1420)  # the stamp of the default grid
    assert not any(c.intersects(corner) for c in plan.controls)


@relaxed
@given(seeds)
def test_control_and_replant_worlds_are_what_they_say(seed: int) -> None:
    """A control world never changes cover for good; in a replant world the middle block is felled and grows again."""
    control = world.build(Scenario(seed=seed, kind="control"))
    assert control.compound is None
    assert not control.replanted
    assert not any(p.group in ("replanted", "farm") for p in control.ground)
    replant = world.build(Scenario(seed=seed, kind="replant"))
    assert replant.compound is None
    assert any(f.shape.equals(replant.site) for f in replant.replanted.values())
    assert truth(Scenario(seed=seed, kind="replant"), SPAN[0], SPAN[0])["buildings"] == []


@pytest.mark.parametrize("kind", ["centre", "control", "replant"])
def test_the_site_file_has_what_a_site_needs(kind: str) -> None:
    """One site feature with its location class and source; controls; wall and planned buildings only for a centre."""
    scenario = Scenario(seed=3, kind=kind, site_id="simulated-three")  # type: ignore[arg-type]
    collection = json.loads(json.dumps(site_collection(scenario)))
    roles = [f["properties"]["role"] for f in collection["features"]]
    assert roles.count("site") == 1
    site = collection["features"][0]["properties"]
    assert site["id"] == "simulated-three"
    assert site["name"].startswith("SIMULATED")
    assert site["location"]["class"] == "exact"
    assert site["location"]["source"] == "simulator"
    assert roles.count("control") >= 3
    assert (roles.count("perimeter"), roles.count("building") > 5) == ((1, True) if kind == "centre" else (0, False))
    assert all(shape(f["geometry"]).is_valid for f in collection["features"])
    assert shape(collection["features"][0]["geometry"]).distance(Point(103.73, 10.82)) < 0.01


def test_truth_names_every_scene_of_the_span() -> None:
    """Shift, haze and cloud are told for each optical scene; shares lie between 0 and 1."""
    known = truth(Scenario(seed=2), *SPAN)
    optical = [s for s in known["scenes"] if s["sensor"] == "sentinel-2-l2a"]
    assert len(optical) == 24
    for scene in optical:
        assert len(scene["shift_px"]) == 2
        assert scene["haze"] >= 0
        assert 0 <= scene["cloud_fraction"]["site"] <= 1
        assert 0 <= scene["shadow_fraction"]["site"] <= 1


def test_some_scenes_are_off_by_more_than_a_pixel() -> None:
    """In five years a few granules are badly placed; most are within half a pixel."""
    known = truth(Scenario(seed=1), datetime(2017, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC))
    shifts = [max(map(abs, s["shift_px"])) for s in known["scenes"] if s["sensor"] == "sentinel-2-l2a"]
    assert sum(s > 1 for s in shifts) >= 2
    assert sorted(shifts)[len(shifts) // 2] < 0.5


def test_a_parcel_knows_its_age() -> None:
    """The last cover that has begun counts; what was always there is very old."""
    parcel = Parcel("p", "g", Point(0, 0).buffer(1), ((None, "palm"), (date(2018, 3, 1), "earth")))
    assert parcel.at(date(2018, 2, 28)) == ("palm", LONG_AGO_DAYS)
    assert parcel.at(date(2018, 3, 11)) == ("earth", 10)
