"""Radar brackets: what changed twice is bracketed twice, and one cell's word is not enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from affine import Affine

from geo.grid import Grid
from pipelines.detect.radar import RadarSteps

GRID = Grid("EPSG:32648", Affine(10, 0, 400_000, 0, -10, 1_200_000), (80, 80))
DATES, CLEARED, BUILT = 60, 20, 40
GROUND = (slice(20, 60), slice(30, 50))  # eight cells of a hectare


@dataclass
class Source:
    data: np.ndarray

    def read(self, window: tuple[slice, slice]) -> np.ndarray:
        return self.data[:, window[0], window[1]]


@dataclass
class Named:
    id: str


@dataclass
class Kept:
    scene: Named


@dataclass
class Look:
    source: Source
    record: Kept


@dataclass
class Looks:
    """As much of a `Series` as radar is asked of."""

    looks: list[Look]
    times: list[datetime]
    groups: list[int]
    bands: tuple[str, ...]
    grid: Grid


def looks(where: tuple[slice, slice] = GROUND, dates: int = DATES) -> Any:
    """Speckle of 4 looks over a flat scene; some ground falls by 5 dB, and later rises by 9."""
    rng = np.random.default_rng(1)
    found = []
    for index in range(dates):
        mean = np.full((2, *GRID.shape), 0.05)
        if index >= CLEARED:
            mean[:, where[0], where[1]] *= 10**-0.5
        if index >= BUILT:
            mean[:, where[0], where[1]] *= 10**0.9
        found.append(Look(Source(mean * rng.gamma(4, 0.25, mean.shape)), Kept(Named(f"s{index}"))))
    times = [datetime(2018, 1, 1, tzinfo=UTC) + timedelta(12 * n) for n in range(dates)]
    return Looks(found, times, [n % 2 for n in range(dates)], ("vv", "vh"), GRID)


def ground(where: tuple[slice, slice] = GROUND) -> np.ndarray:
    out = np.zeros(GRID.shape, bool)
    out[where] = True
    return out


def test_two_changes_of_one_ground_have_a_bracket_each() -> None:
    """Each holds the true date, within a few looks; asked about a time without a step there is none."""
    series = looks()
    steps = RadarSteps(series, ground())
    times = series.times
    cleared = steps.bracket(ground(), None, times[30])
    built = steps.bracket(ground(), times[30], times[59])
    assert cleared is not None
    assert built is not None
    for found, true in ((cleared, CLEARED), (built, BUILT)):
        before, after = times.index(found.not_before), times.index(found.not_after)
        assert true - 4 <= before < true <= after <= true + 2
        assert (found.before_scene, found.after_scene) == (f"s{before}", f"s{after}")
        assert found.cells == 8
    assert steps.bracket(ground(), times[23], times[36]) is None


def test_the_last_look_of_the_old_state_does_not_bound_the_beginning() -> None:
    """Work that has taken a small part of a cell hides in speckle: at least one more look lies between."""
    series = looks()
    found = RadarSteps(series, ground()).bracket(ground(), None, series.times[30])
    assert found is not None
    assert found.not_before <= series.times[CLEARED - 2]


def test_one_cell_of_many_does_not_date_the_ground() -> None:
    small = (slice(20, 30), slice(30, 40))
    series = looks(small)
    steps = RadarSteps(series, ground())
    assert steps.bracket(ground(), None, series.times[30]) is None
    assert steps.bracket(ground(small), None, series.times[30]) is not None


def test_too_little_quiet_ground_or_too_few_dates_say_nothing() -> None:
    everywhere = np.ones(GRID.shape, bool)
    assert RadarSteps(looks(), everywhere).bracket(ground(), None, looks().times[30]) is None
    assert RadarSteps(looks(dates=5), ground()).bracket(ground(), None, looks().times[4]) is None


def test_of_two_changes_in_one_interval_the_one_that_was_asked_for_is_dated() -> None:
    """Clearing weakens the echo, building strengthens it."""
    series = looks()
    steps = RadarSteps(series, ground())
    times = series.times
    built = steps.bracket(ground(), None, times[59], rising=True)
    cleared = steps.bracket(ground(), None, times[59], rising=False)
    assert built is not None
    assert cleared is not None
    assert times.index(built.not_before) < BUILT <= times.index(built.not_after)
    assert cleared == steps.bracket(ground(), None, times[59])


def test_ground_that_fills_no_cell_is_judged_alone() -> None:
    """Half a cell of each of two neighbours; of a few pixels nothing is said."""
    small = (slice(23, 28), slice(36, 43))
    series = looks(small)
    steps = RadarSteps(series, ground())
    found = steps.bracket(ground(small), None, series.times[30])
    assert found is not None
    assert series.times.index(found.not_before) < CLEARED <= series.times.index(found.not_after)
    assert steps.bracket(ground((slice(23, 26), slice(36, 39))), None, series.times[30]) is None
