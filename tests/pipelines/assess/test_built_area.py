"""What all construction together had built: a sum only where each of its parts was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipelines.assess.findings import AreaPoint, Event
from pipelines.assess.series_zones import built_area

TIMES = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=30 * n) for n in range(4)]
NAMES = [f"s{n}" for n in range(4)]


def event(
    areas: list[float | None], *, kind: str = "construction", zone: str = "inside", level: str = "confirmed"
) -> Event:
    return Event.model_validate(
        {
            "id": f"{kind}{zone}{areas}", "kind": kind, "direction": "x", "zone": zone, "area_m2": 900.0, "area_px": 9,
            "geometry": {"type": "Point", "coordinates": [0, 0]}, "not_before": None, "not_after": TIMES[1],
            "gap_reason": "", "p": 0.001, "score": 9.0, "confirmed": level == "confirmed", "confidence": level,
            "confidence_reason": "", "before_scene": None, "after_scene": "s1",
            "area_series": [
                AreaPoint(time=t, scene=s, area_m2=a, seen_fraction=1.0 if a is not None else 0.2)
                for t, s, a in zip(TIMES, NAMES, areas, strict=True)
            ],
        }
    )  # fmt: skip


def test_areas_add_up_where_all_was_seen() -> None:
    found = built_area([event([0, 100, 200, 200]), event([0, 0, None, 300], level="probable")], TIMES, NAMES)
    assert [point.area_m2 for point in found] == [0, 100, None, 500]
    assert [point.seen_fraction for point in found] == [1, 1, 0.2, 1]
    assert [point.scene for point in found] == NAMES


def test_only_construction_of_the_site_counts() -> None:
    others = [
        event([1, 1, 1, 1], kind="clearing"), event([1, 1, 1, 1], zone="surroundings"),
        event([1, 1, 1, 1], zone="control west"), event([1, 1, 1, 1], level="possible"),
    ]  # fmt: skip
    assert built_area(others, TIMES, NAMES) == []
    (*_, last) = built_area([*others, event([0, 0, 0, 50])], TIMES, NAMES)
    assert last.area_m2 == 50
