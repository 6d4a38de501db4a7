"""The perimeter monitor on real suburban ground with walls drawn in, and on the package's own simulator."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from faults.soak import many
from pyproj import Transformer
from shapely.geometry import Polygon
from wallscenes import PLACES, PSF_FWHM_M, Layer, cover, draw, lonlat, real_pair, ring, strips

from geo.grid import Grid, utm_epsg
from geo.providers.simulator import HALF_METRE, OPTICAL, Scenario, default_grid, halfmetre, optics, weather, world
from geo.providers.simulator.orbits import passes
from pipelines.detect.wall import WallSeen, WallSettings, watch_wall

TIMES = [datetime(2017, 7, 1, tzinfo=UTC), datetime(2023, 12, 31, tzinfo=UTC)]


def zone(grid: Grid) -> int:
    left, bottom, right, top = grid.bounds
    return utm_epsg((left + right) / 2, (bottom + top) / 2)


def to_pixels(grid: Grid, xy: Any) -> tuple[Any, Any]:
    lon, lat = Transformer.from_crs(zone(grid), grid.crs, always_xy=True).transform(xy[:, 0], xy[:, 1])
    t: Affine = grid.transform
    return (lon - t.c) / t.a, (lat - t.f) / t.e


def outlines(pair: tuple[Layer, Layer], count: int, seed: int) -> list[Polygon]:
    """Rectangles with sides of 300 to 460 m that lie on the image."""
    grid = pair[0].grid
    seen = np.isfinite(pair[0].data).all(axis=0) & np.isfinite(pair[1].data).all(axis=0)
    left, bottom, right, top = grid.bounds
    rng = np.random.default_rng(seed)
    there = Transformer.from_crs(grid.crs, zone(grid), always_xy=True)
    found: list[Polygon] = []
    while len(found) < count:
        centre = there.transform(rng.uniform(left, right), rng.uniform(bottom, top))
        outline = ring(tuple(rng.uniform(300, 460, 2)), rng.uniform(0, np.pi / 2), centre)
        x, y = to_pixels(grid, np.array(outline.segmentize(20).exterior.coords))
        if min(x.min(), y.min()) < 3 or x.max() > grid.shape[1] - 3 or y.max() > grid.shape[0] - 3:
            continue
        if seen[y.astype(int), x.astype(int)].mean() >= 0.95:
            found.append(outline)
    return found


def drawn(layer: Layer, outline: Polygon) -> dict[str, Layer]:
    """The image with a wall alone, with its shadow, and with a cleared strip of 6 m as well."""
    grid = layer.grid
    assert grid.pixel_size_m is not None
    high, wide = grid.pixel_size_m
    at = ((np.arange(grid.shape[1]) + 0.5) * wide, (np.arange(grid.shape[0]) + 0.5) * high)
    shares = []
    for points in strips(outline, ((-0.25, 0.25), (0.25, 2.25), (-3.0, 3.0))):
        x, y = to_pixels(grid, points)
        shares.append(cover(np.column_stack((x * wide, y * high, points[:, 2])), at, PSF_FWHM_M / 2.355))
    wall, shadow, strip = shares
    return {
        "wall": Layer(grid, draw(layer.data, wall).astype(np.float32)),
        "shadow": Layer(grid, draw(layer.data, wall, shadow).astype(np.float32)),
        "strip": Layer(grid, draw(layer.data, wall, shadow, strip).astype(np.float32)),
    }


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_walls_drawn_into_real_suburbs(real_data: Path) -> None:
    found: dict[str, list[float]] = {"wall": [], "shadow": [], "strip": []}
    unseen = 0
    for place in PLACES:
        pair = real_pair(real_data / "s2_urban_pairs" / place)
        for outline in outlines(pair, many(4, 12), 7):
            perimeter = lonlat(outline, zone(pair[0].grid))
            for what, after in drawn(pair[1], outline).items():
                seen = watch_wall([pair[0], after], TIMES, perimeter, gsd_m=10.0, settings=WallSettings())
                if seen.p is None:
                    unseen += what == "wall"
                    continue
                found[what].append(seen.p)
    rates = {what: float((np.array(p) <= 0.01).mean()) for what, p in found.items()}
    print(f"\nfound at 1 %: {rates} of {len(found['wall'])} rings; {unseen} not judged, for want of moved lines")
    assert rates["shadow"] >= 0.80
    assert rates["strip"] >= 0.95


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_false_alarms_on_real_suburbs(real_data: Path) -> None:
    """Rings where nothing was drawn; some cross real construction, which is no false alarm but counts as one."""
    p = []
    for place in PLACES:
        pair = real_pair(real_data / "s2_urban_pairs" / place)
        for outline in outlines(pair, many(12, 30), 21):
            perimeter = lonlat(outline, zone(pair[0].grid))
            seen = watch_wall(list(pair), TIMES, perimeter, gsd_m=10.0, settings=WallSettings())
            p += [seen.p] if seen.p is not None else []
    values = np.array(p)
    print(f"\nat 1 %: {(values <= 0.01).mean():.3f}, at 10 %: {(values <= 0.1).mean():.3f} of {len(values)}")
    assert len(values) >= many(24, 60)
    assert (values <= 0.01).mean() <= 0.05


def simulated(sensor: str, years: tuple[int, int]) -> tuple[WallSeen, list[date], Any]:
    scenario = Scenario(seed=0)
    plan = world.build(scenario)
    assert plan.compound is not None
    back = Transformer.from_crs(scenario.epsg, 4326, always_xy=True)
    site = shapely.transform(plan.site, lambda q: np.column_stack(back.transform(q[:, 0], q[:, 1])))
    fine = sensor == HALF_METRE
    left, bottom, right, top = plan.site.buffer(350).bounds
    grid = Grid.around((left, bottom, right, top), scenario.epsg, 0.5) if fine else default_grid(scenario, 2500.0)
    layers, times = [], []
    for scene in passes(scenario, sensor):
        if not years[0] <= scene.time.year <= years[1]:
            continue
        if fine:
            layers.append(Layer(grid, halfmetre.render(plan, scene, grid)))
        else:
            sky = weather.sky(scenario, scene)
            if sky.cover > 0.05 or sky.haze > 0.06 or scene.orbit != 18:
                continue
            look = optics.render(plan, scene, grid)
            data = look.reflectance.copy()
            data[:, np.isin(look.classes, (3, 8, 9, 10))] = np.nan
            layers.append(Layer(grid, data))
        times.append(scene.time)
    perimeter = lonlat(Polygon(plan.compound.wall.coords), scenario.epsg)
    gsd = 0.5 if fine else 10.0
    seen = watch_wall(layers, times, perimeter, gsd_m=gsd, settings=WallSettings(), avoid=site)
    return seen, [t.date() for t in times], plan.compound.dates


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_simulated_wall_is_traced_at_half_a_metre() -> None:
    seen, dates, truth = simulated(HALF_METRE, (2017, 2019))
    print(
        f"\nbuilt {seen.completeness:.2f}, {dates[seen.unchanged]} to {dates[seen.first]}; truth {truth['wall_start']}"
    )
    assert seen.traced
    assert seen.p is not None and seen.p <= 0.01  # noqa: PT018
    assert seen.completeness is not None and abs(seen.completeness - 0.995) <= 0.1  # noqa: PT018
    assert seen.unchanged >= 0
    assert dates[seen.unchanged] < truth["wall_start"] <= dates[seen.first]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_at_ten_metres_the_line_is_dated_and_the_wall_is_not_older() -> None:
    seen, dates, truth = simulated(OPTICAL, (2017, 2019))
    print(f"\nbuilt {seen.completeness:.2f}, {dates[seen.unchanged]} to {dates[seen.first]}; truth {truth}")
    assert not seen.traced
    assert seen.completeness is not None and seen.completeness >= 0.9  # noqa: PT018
    assert seen.unchanged >= 0
    assert dates[seen.unchanged] < truth["wall_start"]
    # The first line there is the edge of the clearing or the track inside, never something before the works.
    assert truth["clearing"] <= dates[seen.first] <= truth["wall_end"]
