"""The wall as an event: claimed only where it may be, and dated only as far as looks bound it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from affine import Affine
from shapely.geometry import LineString, shape

from geo.grid import Grid
from geo.sites import Perimeter
from geo.zones import area_m2, segments, to_lonlat
from pipelines.assess.series_wall import wall_event, wall_finding
from pipelines.detect.wall_seen import SegmentSeen, WallSeen

GRID = Grid("EPSG:32648", Affine(10, 0, 500_000, 0, -10, 1_200_000), (100, 100))
RING = [(500_200, 1_199_300), (500_700, 1_199_300), (500_700, 1_199_800), (500_200, 1_199_800), (500_200, 1_199_300)]
LINE = Perimeter(id="p", line=to_lonlat(LineString(RING), GRID), closed=True, material="wall")
TIMES = tuple(datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=30 * n) for n in range(10))
LOOKS = [(time, f"scene-{n}") for n, time in enumerate(TIMES)]


def seen(standing: int, **changes: object) -> WallSeen:
    parts = tuple(
        SegmentSeen(
            id=part.id, start_m=part.start_m, end_m=part.end_m, p=0.003, present=n < standing, chance=0.99,
            observed_fraction=1.0, unchanged=3, first=5,
        )
        for n, part in enumerate(segments(LINE))
    )  # fmt: skip
    told = WallSeen(
        observable=True, reason="a line shows", traced=False, length_m=2000, observed_m=2000, built_m=30.0 * standing,
        completeness=standing / len(parts), closed=False, p=0.003, unchanged=3, first=5, segments=parts, gaps=(),
        minimum_width_m=2.0, null_lines=300, method="",
    )  # fmt: skip
    return replace(told, **changes)


def event(told: WallSeen):  # type: ignore[no-untyped-def]
    return wall_event(wall_finding(LINE, told, TIMES), told, LOOKS, GRID)


def test_a_line_at_ten_metres_is_probable_and_has_no_upper_bound() -> None:
    found = event(seen(20))
    assert (found.kind, found.confidence, found.confirmed) == ("wall", "probable", False)
    assert (found.not_before, found.before_scene) == (TIMES[3], "scene-3")
    assert found.not_after is None
    assert "track" in found.gap_reason
    assert area_m2(shape(found.geometry)) == pytest.approx(600 * 20, rel=0.1)
    assert found.area_m2 == pytest.approx(area_m2(shape(found.geometry)), rel=0.01)


def test_a_traced_wall_is_confirmed_by_three_looks() -> None:
    found = event(seen(20, traced=True))
    assert (found.confidence, found.not_after, found.confirmed_by) == ("confirmed", TIMES[5], "scene-7")
    late = event(seen(20, traced=True, first=8))
    assert (late.confidence, late.confirmed_by) == ("probable", None)


@pytest.mark.parametrize("why", [{"observable": False}, {"p": 0.02}, {"p": None}, {"first": -1}])
def test_nothing_is_claimed_that_may_not_be(why: dict[str, object]) -> None:
    assert event(seen(20, **why)) is None
    assert event(seen(0)) is None
