"""Which scenes are compared: never two levels or sensors, however many there are of the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from geo.scene import Provenance, Scene, SceneRecord
from pipelines.selection import Look, choose

START = datetime(2019, 1, 5, tzinfo=UTC)


def scene(day: int, sensor: str, platform: str = "sentinel-2a") -> Scene:
    time = START + timedelta(days=day)
    return Scene(id=f"{platform}-{sensor}-{day}", time=time, sensor=sensor, href="", properties={"platform": platform})


def clear(found: Scene) -> Look:
    kept = Provenance(provider="test", request={}, received=START)
    return Look(
        record=SceneRecord(scene=found, provenance=kept, path=Path(), sha256="", size_bytes=0), clear_fraction=1.0
    )


def test_levels_are_not_mixed_and_satellites_of_one_kind_are() -> None:
    surface = [
        scene(0, "sentinel-2-l2a"),
        scene(5, "sentinel-2-l2a", "sentinel-2b"),
        scene(10, "sentinel-2-l2a", "sentinel-2c"),
    ]
    top = [scene(-5, "sentinel-2-l1c"), scene(15, "sentinel-2-l1c")]
    chosen = choose([*top, *surface], clear)
    assert chosen.before is not None
    assert chosen.after is not None
    assert (chosen.before.record.scene, chosen.after.record.scene) == (surface[0], surface[2])
    reasons = {s.id: reason for s, _, reason in chosen.refused}
    assert all("another sensor" in reasons[s.id] for s in top)
