"""Which two scenes to compare: the first and the last clear look at a site, found without fetching the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from geo.scene import Scene, SceneRecord

# A look is good enough when this share of the site is clear; below the second figure it is no look at all.
CLEAR_ENOUGH = 0.95
CLEAR_AT_ALL = 0.5
LOOKS_PER_END = 15


@dataclass(frozen=True, kw_only=True)
class Look:
    """A scene that was fetched and looked at: how much of the site it shows clearly, and what spoils the rest."""

    record: SceneRecord
    clear_fraction: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The pair, or None and why; with every scene that was looked at and refused, and those never looked at."""

    before: Look | None
    after: Look | None
    refused: tuple[tuple[Scene, float | None, str], ...]
    why_none: str = ""


def choose(scenes: Sequence[Scene], look: Callable[[Scene], Look], *, thorough: bool = False) -> Selection:
    """Choose the earliest and the latest clear scene of the sensor that saw the site most often.

    `look` fetches a scene and measures the share of the site that its own pixels show; the clouds that a catalogue
    states are not asked. From each end at most `LOOKS_PER_END` scenes are fetched; `thorough` looks at those between,
    too, so that what they do not show is told.
    """
    dated = [s for s in scenes if s.time is not None]
    refused: list[tuple[Scene, float | None, str]] = [
        (s, None, "states no date, so its place in time is unknown") for s in scenes if s.time is None
    ]
    sensor, others = _commonest_sensor(dated)
    refused += [(s, None, f"another sensor than {sensor}: two sensors are not compared") for s in others]
    ordered = sorted((s for s in dated if s.sensor == sensor), key=lambda s: (s.time is None, s.time, s.id))
    looked: dict[str, Look] = {}
    before, after = _ends(ordered, look, looked)
    chosen = {x.record.scene.id for x in (before, after) if x is not None}
    for scene in ordered:
        if scene.id in chosen:
            continue
        seen = looked.get(scene.id) or (look(scene) if thorough else None)
        if seen is not None and seen.clear_fraction >= CLEAR_AT_ALL and scene.id not in looked:
            refused.append((scene, seen.clear_fraction, "it lies between the two scenes that were compared"))
        elif seen is None:
            refused.append((scene, None, "not looked at: it lies between the two scenes that were chosen"))
        else:
            refused.append((scene, seen.clear_fraction, seen.reason or _too_little(seen)))
    if before is None or after is None or before.record.scene.time == after.record.scene.time:
        return Selection(before=None, after=None, refused=tuple(refused), why_none=_why(ordered, looked, before))
    return Selection(before=before, after=after, refused=tuple(refused))


def _ends(
    ordered: Sequence[Scene], look: Callable[[Scene], Look], looked: dict[str, Look]
) -> tuple[Look | None, Look | None]:
    """The first clear look, and the last one after it; where none is, the best before the only clear one."""
    before = _first_clear(ordered, look, looked)
    if before is None:
        return None, None
    at = next(n for n, scene in enumerate(ordered) if scene.id == before.record.scene.id)
    after = _first_clear(reversed(ordered[at + 1 :]), look, looked)
    if after is not None:
        return before, after
    earlier = _first_clear(ordered[:at], look, looked)
    return (before, None) if earlier is None else (earlier, before)


def _commonest_sensor(scenes: Iterable[Scene]) -> tuple[str, list[Scene]]:
    scenes = list(scenes)
    counts: dict[str, int] = {}
    for scene in scenes:
        counts[scene.sensor] = counts.get(scene.sensor, 0) + 1
    if not counts:
        return "any", []
    sensor = min(counts, key=lambda s: (-counts[s], s))
    return sensor, [s for s in scenes if s.sensor != sensor]


def _first_clear(scenes: Iterable[Scene], look: Callable[[Scene], Look], looked: dict[str, Look]) -> Look | None:
    """The first scene that is clear enough, or else the clearest of those looked at, if it is a look at all."""
    best: Look | None = None
    for tried, scene in enumerate(scenes):
        if tried == LOOKS_PER_END:
            break
        seen = looked[scene.id] if scene.id in looked else look(scene)
        looked[scene.id] = seen
        if seen.clear_fraction >= CLEAR_ENOUGH:
            return seen
        if best is None or seen.clear_fraction > best.clear_fraction:
            best = seen
    return best if best is not None and best.clear_fraction >= CLEAR_AT_ALL else None


def _too_little(seen: Look) -> str:
    return f"only {seen.clear_fraction:.0%} of the site is clear in it"


def _why(ordered: Sequence[Scene], looked: dict[str, Look], before: Look | None) -> str:
    if not ordered:
        return "no dated scene was found in this period"
    if before is None:
        best = max((x.clear_fraction for x in looked.values()), default=0.0)
        return f"none of {len(looked)} scenes shows more than {best:.0%} of the site clearly"
    return f"only one scene ({before.record.scene.id}) shows the site clearly, and a comparison needs two"
