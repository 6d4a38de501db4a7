"""Sentinel-2-like pixels: spectra in range, shifts as truth says, clouds and shadows where the sun puts them."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.features import geometry_mask
from skimage.registration import phase_cross_correlation

from geo.grid import Grid
from geo.providers.simulator import (
    OPTICAL,
    RADAR,
    Scenario,
    default_grid,
    fields,
    optics,
    orbits,
    radar,
    spectra,
    surface,
    truth,
    weather,
    world,
)

SCENARIO = Scenario(seed=5)
INDEX = {band: n for n, band in enumerate(spectra.BANDS)}


def clear_passes(scenario: Scenario, year: int) -> list[orbits.Pass]:
    found = [p for p in orbits.passes(scenario, OPTICAL) if p.orbit == 18 and p.time.year == year]
    return [p for p in found if weather.sky(scenario, p).cover == 0 and weather.sky(scenario, p).haze < 0.03]


def ndvi(refl: np.ndarray) -> np.ndarray:
    return (refl[INDEX["nir"]] - refl[INDEX["red"]]) / (refl[INDEX["nir"]] + refl[INDEX["red"]])


def inside(grid: Grid, *shapes: object) -> np.ndarray:
    return ~geometry_mask(shapes, grid.shape, grid.transform)


@pytest.mark.parametrize("kind", spectra.KINDS)
def test_spectra_are_physical(kind: str) -> None:
    """Reflectance lies between 0 and 0.6 at any age and wetness, and grows or fades without jumps of a day."""
    for wet in (0.0, 0.5, 1.0):
        looks = [
            spectra.look(kind, age, wet, vigour).reflectance for age in range(0, 2200, 5) for vigour in (0.85, 1.1)
        ]
        assert np.min(looks) >= 0.0
        assert np.max(looks) <= 0.6
    with pytest.raises(ValueError, match="lava"):
        spectra.look("lava", 0, 0.5)


def test_palms_are_green_and_cleared_ground_is_not() -> None:
    """NDVI of grown palms 0.72-0.88, of stripped laterite 0.10-0.30, measured through the sensor."""
    plan = world.build(SCENARIO)
    grid = default_grid(SCENARIO, 2400)
    scene = next(p for p in clear_passes(SCENARIO, 2018) if (p.time.date() - plan.compound.dates["cleared"]).days > 45)
    look = optics.render(plan, scene, grid)
    palms = inside(grid, *plan.controls)
    bare = inside(grid, plan.site.buffer(-40))
    assert 0.72 < np.median(ndvi(look.reflectance)[palms]) < 0.88
    assert 0.10 < np.median(ndvi(look.reflectance)[bare]) < 0.30
    assert np.mean(look.classes[palms] == 4) > 0.95
    assert np.mean(look.classes[bare] == 5) > 0.6


def test_sun_stands_where_it_stands_over_cambodia() -> None:
    """Elevation at the overpass: 49 degrees in December, about 65 in June, in the south-east or north-east."""
    december = orbits.sun(datetime(2018, 12, 21, 3, 33, tzinfo=UTC), 103.73, 10.82)
    june = orbits.sun(datetime(2018, 6, 21, 3, 33, tzinfo=UTC), 103.73, 10.82)
    assert december[0] == pytest.approx(49, abs=1.5)
    assert june[0] == pytest.approx(65, abs=2)
    assert 130 < december[1] < 155
    assert 40 < june[1] < 75


def test_shifts_are_those_of_truth() -> None:
    """Phase correlation between two clear scenes finds the difference of their true shifts within 0.15 px."""
    plan = world.build(SCENARIO)
    grid = default_grid(SCENARIO, 2000)
    one, *rest = clear_passes(SCENARIO, 2016)
    known = truth(SCENARIO, datetime(2016, 1, 1, tzinfo=UTC), datetime(2017, 1, 1, tzinfo=UTC), sensors=(OPTICAL,))
    told = {s["time"]: np.array(s["shift_px"]) for s in known["scenes"]}
    first = optics.render(plan, one, grid).reflectance[INDEX["red"]]
    assert len(rest) >= 3
    for other in rest[:3]:
        moving = optics.render(plan, other, grid).reflectance[INDEX["red"]]
        found, _, _ = phase_cross_correlation(np.log(first), np.log(moving), upsample_factor=50, normalization=None)
        expected = told[one.time.isoformat()] - told[other.time.isoformat()]
        np.testing.assert_allclose(found, expected, atol=0.15)


def test_a_flat_field_stays_flat_and_a_point_is_spread() -> None:
    """The optics neither add nor lose light; a bright cell spreads over about 20 m."""
    source = Grid.around((0, 0, 400, 400), 32648, 5.0)
    target = Grid.around((100, 100, 300, 300), 32648, 10.0)
    flat = optics.sample(np.full((*source.shape, 1), 0.3, np.float32), source, target, 10.0, (3.3, -7.1))
    np.testing.assert_allclose(flat, 0.3, rtol=1e-5)
    point = np.zeros((*source.shape, 1), np.float32)
    point[40, 40] = 4.0  # one 5 m cell of 4.0 carries what a 10 m pixel of 1.0 does
    seen = optics.sample(point, source, target, 10.0, (0.0, 0.0))[0]
    assert seen.sum() == pytest.approx(1.0, rel=1e-3)
    assert 0.1 < seen.max() < 0.35


def test_cloud_shadows_lie_away_from_the_sun() -> None:
    """The shadow field is the cloud field moved by height over the tangent of the sun's elevation."""
    over = weather.Sky(cover=0.3, size_m=400, height_m=1000, thick=3.0, haze=0.0, seed=11)
    xs, ys = np.arange(5.0, 6000, 20), np.arange(6000.0, 5, -20)
    cloud, shade = over.opacity(xs, ys), over.shade(xs, ys, (45.0, 135.0))  # sun in the south-east
    east, north = over.shadow_offset_m((45.0, 135.0))
    assert east == pytest.approx(-707, abs=1)
    assert north == pytest.approx(707, abs=1)
    found, _, _ = phase_cross_correlation(shade, cloud, upsample_factor=10)
    np.testing.assert_allclose(found, [-707 / 20, -707 / 20], atol=1.0)


def test_clouds_are_bright_shadows_dark_and_classes_follow_imperfectly() -> None:
    """Over many cloudy scenes most true cloud is called cloud, not all, and clear ground is seldom."""
    plan, grid = world.build(SCENARIO), default_grid(SCENARIO, 1500)
    called, clear_called, missed_thin = [], [], []
    passes = [p for p in orbits.passes(SCENARIO, OPTICAL) if 0.1 < weather.sky(SCENARIO, p).cover < 0.7][10:22]
    for scene in passes:
        look = optics.render(plan, scene, grid)
        opacity = weather.sky(SCENARIO, scene).opacity(*surface.centres(grid))
        seen = look.classes > 0
        cloudy = np.isin(look.classes, (8, 9, 10))
        called.append(cloudy[(opacity > 0.6) & seen])
        clear_called.append(cloudy[(opacity == 0) & seen])
        missed_thin.append(~cloudy[(opacity > 0.06) & (opacity < 0.25) & seen])
    assert np.mean(np.concatenate(called)) > 0.95
    assert np.mean(np.concatenate(clear_called)) < 0.05
    assert 0.02 < np.mean(np.concatenate(missed_thin)) < 0.6


def test_the_monsoon_hides_the_ground() -> None:
    """May to October at most one scene in five is nearly clear; December to February more than half are."""
    covers: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(4):
        scenario = Scenario(seed=seed)
        for scene in orbits.passes(scenario, OPTICAL):
            if scene.time.month in (5, 6, 7, 8, 9, 10, 12, 1, 2):
                covers[5 <= scene.time.month <= 10].append(weather.sky(scenario, scene).cover)
    assert np.mean(np.array(covers[True]) < 0.05) < 0.2
    assert np.mean(np.array(covers[False]) < 0.05) > 0.5


def test_the_edge_of_the_swath_is_nodata() -> None:
    """Beyond the swath of orbit 61 and beyond the world reflectance is NaN and the class 0."""
    plan = world.build(SCENARIO)
    x, y = plan.origin
    grid = Grid.around((x - 2300, y - 100, x + 2300, y + 100), 32648, 10)
    scene = next(p for p in orbits.passes(SCENARIO, OPTICAL) if p.orbit == 61)
    look = optics.render(plan, scene, grid)
    gone = np.isnan(look.reflectance).any(axis=0)
    assert (gone == (look.classes == 0)).all()
    assert 0.05 < gone.mean() < 0.98
    assert gone[:, :25].all()  # west of the world


def test_a_wall_without_height_throws_no_shadow_and_one_with_height_does() -> None:
    """Along the wall the scene is darker with a 3 m wall than with one of no height."""
    scenario = replace(SCENARIO, area_ha=9.0)
    flat = replace(scenario, wall_height_m=0.0)
    plan = world.build(scenario)
    day = date(2021, 1, 10)
    moment = surface.light(scenario, day, (50.0, 140.0))
    grid = surface.cells_around(plan.site.bounds, 40, surface.CELL_M, scenario.epsg)
    tall, low = (surface.Terrain(world.build(s), grid).optical(moment) for s in (scenario, flat))
    ring = inside(grid, plan.compound.wall.buffer(6))
    away = inside(grid, plan.site.buffer(-40))
    assert tall[ring].mean() < 0.985 * low[ring].mean()
    np.testing.assert_allclose(tall[away], low[away])


def test_speckle_is_gamma_and_buildings_shine() -> None:
    """Over palms mean and variance give about four looks; houses are 3 dB brighter than the ground about them."""
    plan, grid = world.build(SCENARIO), default_grid(SCENARIO, 2400)
    passes = list(orbits.passes(SCENARIO, RADAR))
    palms = inside(grid, plan.controls[0])
    before, after = passes[10], next(p for p in passes if p.time.date() > plan.compound.dates["inaugurated"])
    seen = radar.render(plan, before, grid)
    values = seen[0][palms]
    assert 3.0 < values.mean() ** 2 / values.var() < 5.0
    assert seen.min() > 0
    site = inside(grid, plan.site)
    bare = next(p for p in passes if (p.time.date() - plan.compound.dates["cleared"]).days > 50)
    assert radar.render(plan, bare, grid)[1][site].mean() < 0.5 * seen[1][site].mean()  # VH falls with the palms
    late = radar.render(plan, after, grid)
    houses = inside(grid, *(w.shape.buffer(6) for w in plan.compound.works if w.group == "building"))
    assert late[0][houses].mean() > 2 * late[0][site & ~houses].mean()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), place=st.tuples(st.integers(-1200, 1200), st.integers(-1200, 1200)))
def test_any_seed_anywhere_is_in_range(seed: int, place: tuple[int, int]) -> None:
    """Reflectance is 0-1.2 and finite where a class is given, classes are Sen2Cor's."""
    scenario = Scenario(seed=seed)
    plan = world.build(scenario)
    x, y = plan.origin[0] + place[0], plan.origin[1] + place[1]
    grid = Grid.around((x, y, x + 170, y + 130), 32648, 10)
    passes = list(orbits.passes(scenario, OPTICAL))
    look = optics.render(plan, passes[seed % len(passes)], grid)
    assert look.reflectance.dtype == np.float32
    seen = look.classes > 0
    assert np.isfinite(look.reflectance[:, seen]).all()
    assert np.nanmin(look.reflectance, initial=0) >= 0
    assert np.nanmax(look.reflectance, initial=0) < 1.2
    assert np.isin(look.classes, np.arange(12)).all()


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(0, 2**60))
def test_fields_belong_to_the_ground(x: float, y: float, seed: int) -> None:
    """A smooth field has the same value at a place whatever grid asks for it."""
    xs, ys = x + np.arange(12) * 3.0, y - np.arange(9) * 3.0
    whole = fields.smooth(xs, ys, 47.0, seed)
    part = fields.smooth(xs[4:8], ys[2:5], 47.0, seed)
    np.testing.assert_array_equal(whole[2:5, 4:8], part)
