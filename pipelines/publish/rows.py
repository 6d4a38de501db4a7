"""The report's tables, row by row, as plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapely.geometry import shape

from pipelines.assess import Findings
from pipelines.assess.verdicts import Verdict, Verdicts
from pipelines.publish.shapes import Numbered
from pipelines.publish.wording import area, chance, interval, percent, when

_UNKNOWN = ("not observed", "not observable")


def event_table(findings: Findings, events: Sequence[Numbered]) -> list[dict[str, Any]]:
    """One row an event."""
    return [
        {
            "number": item.number, "id": event.id, "confidence": event.confidence,
            "kind": "change of unclear kind" if event.kind == "other" else event.kind, "direction": event.direction,
            "zone": event.zone, "place": _place(event.geometry, findings), "area": area(event.area_m2, event.area_px),
            "interval": interval(event.not_before, event.not_after), "chance": chance(event.p),
            "why": event.confidence_reason, "review": review_words(item.verdict), "rejected": item.rejected,
        }
        for item in events
        for event in [item.event]
    ]  # fmt: skip


def review_words(verdict: Verdict | None) -> str:
    """What an analyst said, in one sentence."""
    if verdict is None:
        return "not reviewed"
    who = f" by {verdict.reviewer}" if verdict.reviewer else " by an analyst"
    when_ = f" on {verdict.reviewed_at[:10]}" if verdict.reviewed_at else ""
    why = f": {verdict.reason}" if verdict.reason else ""
    sure = f" (confidence {verdict.confidence})" if verdict.confidence else ""
    carried = "; given to the same ground in an earlier run" if verdict.carried_from else ""
    return f"{verdict.verdict}{who}{when_}{sure}{why}{carried}"


def absent_rows(verdicts: Verdicts) -> list[tuple[str, str, str]]:
    """(id, finding, verdict) of those that analysts looked at, and this run does not find."""
    return [(name, item.about, review_words(item)) for name, item in verdicts.items() if item.about is not None]


def segment_table(findings: Findings) -> list[dict[str, Any]]:
    """One row a segment of the perimeter."""
    return [
        {
            "id": segment.id, "along": f"{segment.start_m:,.0f}–{segment.end_m:,.0f} m", "status": segment.status,
            "known": segment.status not in _UNKNOWN, "observed": percent(segment.observed_fraction),
            "changed": percent(segment.changed_fraction), "chance": chance(segment.p),
        }
        for segment in (findings.perimeter.segments if findings.perimeter else [])
    ]  # fmt: skip


def building_table(findings: Findings) -> list[dict[str, Any]]:
    """One row a building."""
    return [
        {
            "label": building.label or building.id, "planned": building.planned, "status": building.status,
            "why": building.status_reason, "area": area(building.area_m2),
            "interval": interval(building.not_before, building.not_after) if building.status else "–",
            "observed": percent(building.observed_fraction), "chance": chance(building.p),
        }
        for building in findings.buildings
    ]  # fmt: skip


def scene_table(findings: Findings) -> list[dict[str, Any]]:
    """One row a scene, used or refused."""
    return [
        {
            "id": scene.id, "time": when(scene.time), "sensor": scene.sensor, "simulated": scene.simulated,
            "use": f"used as {scene.role}" if scene.used else f"refused: {scene.reason}",
            "clear_share": percent(scene.clear_fraction),
            "registration": _registration(scene.registration, scene.shift_px), "sha256": scene.sha256 or "not fetched",
        }
        for scene in findings.scenes
    ]  # fmt: skip


def control_table(findings: Findings) -> list[dict[str, Any]]:
    """One row a control."""
    return [
        {
            "id": control.id, "area": area(control.area_m2), "observed": percent(control.observed_fraction),
            "flagged": percent(control.flagged_fraction), "objects": control.flagged_objects,
        }
        for control in findings.calibration.controls
    ]  # fmt: skip


def candidate_lines(findings: Findings) -> list[str]:
    """One sentence a candidate, best first."""
    return [
        f"{area(row.area_m2)} of {row.kind}, {_place(row.geometry, findings)}, "
        f"{interval(row.not_before, row.not_after)}: {row.reason}"
        for row in findings.candidates
    ]


def setting_rows(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested settings as (dotted name, value) pairs."""
    return list(_flat("", settings))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), item)
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _place(geometry: dict[str, Any], findings: Findings) -> str:
    point = shape(geometry).representative_point()
    if findings.grid.crs is None:
        return f"pixel column {point.x:.0f}, row {point.y:.0f}"
    return f"{point.y:.5f}, {point.x:.5f} (lat, lon)"


def _registration(word: str, shift_px: tuple[float, float] | None) -> str:
    return word if shift_px is None else f"{word}: {shift_px[0]:+.2f} rows, {shift_px[1]:+.2f} columns"
