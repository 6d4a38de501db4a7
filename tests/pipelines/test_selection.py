"""Which scenes are compared: never two levels or sensors, however many there are of the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.77, 0.95, 1.0]), max_size=14))
def test_the_earlier_scene_comes_first_whatever_is_clear(shares: list[float]) -> None:
    """Two scenes that show half of the site are a pair; where only the last one is really clear, too."""
    scenes = [scene(5 * n, "sentinel-2-l2a") for n in range(len(shares))]
    by_id = dict(zip((s.id for s in scenes), shares, strict=True))
    chosen = choose(scenes, lambda found: replace(clear(found), clear_fraction=by_id[found.id]))
    shown = [share for share in shares if share >= 0.5]
    assert (chosen.before is not None) == (chosen.after is not None) == (len(shown) >= 2)
    if chosen.before is not None and chosen.after is not None:
        first, last = chosen.before.record.scene, chosen.after.record.scene
        assert first.time is not None
        assert last.time is not None
        assert first.time < last.time
        assert min(by_id[first.id], by_id[last.id]) >= 0.5
    if sum(share >= 0.95 for share in shares) >= 2:
        at = [n for n, share in enumerate(shares) if share >= 0.95]
        assert chosen.before is not None
        assert chosen.after is not None
        assert (chosen.before.record.scene, chosen.after.record.scene) == (scenes[at[0]], scenes[at[-1]])
