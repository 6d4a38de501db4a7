"""Controls chosen by rule, and the rate of false alarms that they showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from affine import Affine
from scipy.stats import poisson
from shapely.geometry import box

from geo.grid import Grid
from geo.zones import to_grid
from pipelines.assess.controls import chosen_controls
from pipelines.assess.findings import ControlFinding
from pipelines.assess.series_zones import control_rate
from pipelines.detect.series import CLASSES, OLD, SeriesMap

GRID = Grid("EPSG:32648", Affine(10, 0, 500_000, 0, -10, 1_200_000), (120, 140))
WOOD, BARE = 1, 3


@dataclass
class Seen:
    """As much of a series map as the choice may read."""

    land: np.ndarray[Any, Any]
    looks: int = 6
    read: int = 0

    @property
    def grid(self) -> Grid:
        return GRID

    @property
    def looks_clear(self) -> np.ndarray[Any, Any]:
        return np.array([0.1, *[1.0] * (self.looks - 1)])

    def read_codes(self, window: tuple[slice, slice]) -> np.ndarray[Any, Any]:
        codes = np.broadcast_to(self.land, (self.looks, *GRID.shape)).copy()
        codes[0] = -1
        codes[5:] = BARE  # what came later may not matter
        return np.where(codes < 0, 0, OLD * CLASSES + codes + 1).astype(np.uint8)[:, window[0], window[1]]


def chosen(land: np.ndarray[Any, Any], inside: np.ndarray[Any, Any]) -> list[tuple[float, float, float, float]]:
    found = chosen_controls(cast("SeriesMap", Seen(land)), inside)
    return [to_grid(c.polygon, GRID).bounds for c in found]


def site() -> np.ndarray[Any, Any]:
    inside = np.zeros(GRID.shape, bool)
    inside[40:70, 50:80] = True
    return inside


def test_controls_lie_apart_on_ground_of_the_same_kind_near_the_site() -> None:
    land = np.full(GRID.shape, WOOD, np.int8)
    land[:, 100:] = BARE
    found = chosen(land, site())
    assert len(found) == 8
    around = box(500_500 - 100, 1_200_000 - 700 - 100, 500_800 + 100, 1_200_000 - 400 + 100)
    squares = [box(*bounds) for bounds in found]
    assert all(square.area == pytest.approx(150**2, rel=0.01) for square in squares)
    assert all(square.intersection(around).area < 1 for square in squares)
    assert all(square.bounds[2] <= 501_000 + 60 for square in squares)  # six tenths of it are wood
    assert max(a.intersection(b).area for a in squares for b in squares if a is not b) < 1
    away = [square.centroid.distance(around.centroid) for square in squares]
    assert away == pytest.approx(sorted(away))


def test_no_ground_of_that_kind_no_controls() -> None:
    land = np.full(GRID.shape, BARE, np.int8)
    land[30:80, 40:90] = WOOD
    assert chosen(land, site()) == []
    assert chosen(np.full(GRID.shape, -1, np.int8), site()) == []
    assert chosen(np.full(GRID.shape, WOOD, np.int8), np.ones(GRID.shape, bool)) == []


def control(flagged: int, seen: float = 1.0) -> ControlFinding:
    return ControlFinding(id="c", area_m2=50_000, observed_fraction=seen, flagged_fraction=0.0, flagged_objects=flagged)


@pytest.mark.parametrize("flagged", [0, 1, 5])
def test_the_rate_and_its_limit(flagged: int) -> None:
    """Two controls of half a site's area each, four years: four site-years; the limit is the exact Poisson one."""
    rate, upper = control_rate([control(flagged), control(0)], 100_000, 4)
    assert rate == flagged / 4
    assert upper is not None
    assert poisson.cdf(flagged, upper * 4) == pytest.approx(0.05)


def test_controls_that_nobody_saw_say_nothing() -> None:
    assert control_rate([control(0, seen=0.0)], 100_000, 4) == (None, None)
    assert control_rate([], 100_000, 4) == (None, None)
