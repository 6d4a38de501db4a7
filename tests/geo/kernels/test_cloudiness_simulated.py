"""The simulator's skies: what its classes miss, the guard hides; what they invent for good, the retest gives back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pytest

from geo.grid import Grid
from geo.kernels import cloudiness as c
from geo.kernels.clouds import CLOUD, HAZE, OUTSIDE, scl
from geo.providers.simulator import OPTICAL, Scenario, optics, surface, weather
from geo.providers.simulator.orbits import passes, sun
from geo.providers.simulator.spectra import BANDS
from geo.providers.simulator.world import build

pytestmark = pytest.mark.slow

FIVE = ("blue", "green", "red", "nir", "swir16")


class Sky(NamedTuple):
    cube: np.ndarray
    days: np.ndarray
    classes: np.ndarray
    cloud: np.ndarray
    hazy: np.ndarray
    clear: np.ndarray


@pytest.fixture(scope="module")
def year() -> Sky:
    """Nine months from dry season to monsoon over a centre with roofs."""
    scenario = Scenario(seed=7)
    plan = build(scenario)
    grid = Grid.around(plan.site.buffer(300).bounds, scenario.epsg, 10.0)
    span = datetime(2018, 11, 1, tzinfo=UTC), datetime(2019, 8, 1, tzinfo=UTC)
    looks = [p for p in passes(scenario, OPTICAL) if span[0] <= p.time < span[1]]
    xs, ys = surface.centres(grid)
    rendered = [optics.render(plan, look, grid) for look in looks]
    cube = np.stack([r.reflectance[[BANDS.index(b) for b in FIVE]] for r in rendered])
    skies = [weather.sky(scenario, look) for look in looks]
    opacity = np.stack([s.opacity(xs, ys) for s in skies])
    veil = np.stack([s.veil(xs, ys) for s in skies])
    shade = np.stack(
        [s.shade(xs, ys, sun(look.time, scenario.lon, scenario.lat)) for s, look in zip(skies, looks, strict=True)]
    )
    seen = np.isfinite(cube).all(axis=1)
    open_sky = seen & (opacity < 0.01) & (shade < 0.02)
    return Sky(
        cube, np.array([look.time.toordinal() for look in looks], float), np.stack([scl(r.classes) for r in rendered]),
        seen & (opacity > 0.15), open_sky & (veil > 0.12), open_sky & (veil < 0.05),
    )  # fmt: skip


def test_the_guard_beside_the_classes(year: Sky) -> None:
    """Haze that the classes leave in: 80 % hidden; clear ground that they keep: 99 % kept."""
    cube = np.where((year.classes != 0)[:, None], np.nan, year.cube)
    sample = cube[:, :, ::5, ::5].reshape(*cube.shape[:2], -1).transpose(2, 0, 1)
    flags = c.guard(cube, year.days, c.fit_guard(sample, year.days, FIVE))
    both = year.classes | np.where(flags & OUTSIDE, 0, flags)
    assert (year.classes[year.hazy] != 0).mean() < 0.05
    assert (both[year.hazy] != 0).mean() > 0.8
    assert (both[year.cloud] != 0).mean() > 0.995
    kept = year.clear & (year.classes == 0)
    assert (both[kept] == 0).mean() > 0.99


def test_one_date_alone(year: Sky) -> None:
    flags = np.stack([c.spectral(x, FIVE) for x in year.cube])
    assert ((flags & (CLOUD | HAZE)) != 0)[year.cloud].mean() > 0.98
    assert (flags[year.clear] == 0).mean() > 0.93  # the margins of clouds take the rest


def test_no_true_cloud_comes_back(year: Sky) -> None:
    """Of the cloud that the classes found, 2 % at most is taken for a surface, thin edges included."""
    out = c.retest(year.classes, year.cube, year.days)
    caught = year.cloud & (year.classes != 0)
    assert (out[caught] == 0).mean() < 0.02
    # The same on dates that count as witnesses, where chance has it easier.
    share = (year.classes == 0).mean(axis=(1, 2)) / np.maximum(((year.classes & OUTSIDE) == 0).mean(axis=(1, 2)), 1e-9)
    witness = caught & (share > 0.6)[:, None, None]
    assert (out[witness] == 0).mean() < 0.02


def test_roofs_flagged_on_every_date_come_back(year: Sky) -> None:
    """The processor calls bright ground cloud on all dates: of what stays on three clear dates running, 95 % is back."""
    bright = year.clear & (year.cube.min(axis=1) > 0.1)
    steady = bright.sum(axis=0) >= 4
    flags = year.classes | np.where(steady & bright, np.uint8(CLOUD), np.uint8(0))
    out = c.retest(flags, year.cube, year.days)
    fraction = (flags == 0).mean(axis=(1, 2)) / np.maximum(((flags & OUTSIDE) == 0).mean(axis=(1, 2)), 1e-9)
    dates = np.flatnonzero(fraction >= 0.6)
    lasting = np.zeros_like(bright)
    for a, b, d in zip(dates, dates[1:], dates[2:], strict=False):
        three = bright[a] & bright[b] & bright[d] & (flags[[a, b, d]] & CLOUD != 0).all(axis=0)
        for date in (a, b, d):
            lasting[date] |= three
    assert lasting.sum() > 100
    back = ((out & CLOUD) == 0)[lasting].mean()
    print("BACK", back, lasting.sum())
    assert back > 0.95
