"""The simulator's radar scenes: a compound's start, bracketed without any optical scene."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.features import rasterize

from geo.grid import Grid
from geo.kernels.sar import estimate_enl, zone_power
from geo.kernels.sar_steps import zone_steps
from geo.kernels.sar_track import fit_scene
from geo.providers.simulator import RADAR, Scenario, radar
from geo.providers.simulator.orbits import passes
from geo.providers.simulator.world import build

pytestmark = pytest.mark.slow


def weights(shape: shapely.Geometry, grid: Grid) -> np.ndarray:
    t = grid.transform
    quarter = Affine(t.a / 4, 0, t.c, 0, t.e / 4, t.f)
    fine = rasterize([(shape, 1)], out_shape=(grid.shape[0] * 4, grid.shape[1] * 4), transform=quarter)
    return fine.reshape(grid.shape[0], 4, grid.shape[1], 4).mean(axis=(1, 3))


def test_the_start_is_bracketed_within_two_cycles() -> None:
    """Clearing advances over seven strips through the first rains: radar alone brackets the first day of each.

    Every true date is inside; the median interval is at most two cycles of 12 days.
    """
    scenario = Scenario(seed=7)
    plan = build(scenario)
    strips = [p for p in plan.works if p.group == "clearing"]
    grid = Grid.around(plan.site.buffer(250).bounds, scenario.epsg, 10.0)
    span = datetime(2016, 10, 1, tzinfo=UTC), datetime(2017, 9, 30, tzinfo=UTC)
    looks = [p for p in passes(scenario, RADAR) if span[0] <= p.time < span[1]]
    power = np.stack([radar.render(plan, look, grid) for look in looks])
    orbit = np.array([look.orbit for look in looks])
    days = np.array([look.time.toordinal() for look in looks], float)

    outside = weights(plan.site.buffer(60), grid) == 0
    for one in np.unique(orbit):
        assert estimate_enl(power[orbit == one, 0][:, outside]) == pytest.approx(4, rel=0.1)
    side = 5
    rows, cols = (n // side * side for n in grid.shape)
    cut = power[:, :, :rows, :cols].reshape(len(looks), 2, rows // side, side, cols // side, side).mean(axis=(3, 5))
    free = outside[:rows, :cols].reshape(rows // side, side, cols // side, side).all(axis=(1, 3))
    scene = fit_scene(cut[:, :, free], 4 * side**2 / 2, orbit)
    assert zone_steps(cut[:, :, free], 4 * side**2 / 2, days, orbit, scene).zone.size <= 2

    zones = zone_power(power, np.stack([weights(p.shape, grid) for p in strips]))
    size = np.array([4 * p.shape.area / 200 for p in strips])
    found = zone_steps(zones, size, days, orbit, scene)
    widths = []
    for n, strip in enumerate(strips):
        first = int(np.flatnonzero(found.zone == n)[0])
        before, after = days[found.not_before[first]], days[found.not_after[first]]
        began = strip.since("earth")
        assert isinstance(began, date)
        assert before < began.toordinal() <= after
        widths.append(after - before)
    assert np.median(widths) <= 24
    assert all(a <= b for a, b in pairwise(found.zone))
