"""Which catalogue items are one and the same look from space.

Catalogues list a look more than once: once a tile, once a processing baseline, once a receiving station. Counted apart
they would confirm each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

ONE_PASS = timedelta(seconds=90)
"""Tiles of one overpass are some 15 s apart; the same satellite comes again no sooner than an orbit (100 min) later."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What has to be known of an item to tell whether it is another view of the same overpass.

    Attributes:
        id: the catalogue's name.
        time: aware UTC of the acquisition.
        sensor: kind and level of the product; levels are never merged.
        platform: satellite in lower case, empty if unknown.
        tile: name of the tile, empty if unknown.
        baseline: of the processor, (0, 0) if unknown.
        made: when the product was last made or changed, as the catalogue writes it.
    """

    id: str
    time: datetime
    sensor: str
    platform: str = ""
    tile: str = ""
    baseline: tuple[int, int] = (0, 0)
    made: str = ""


P = TypeVar("P", bound=Part)


def overpasses(parts: Iterable[P]) -> list[tuple[P, ...]]:
    """Group items by overpass, oldest first; inside a group oldest first, then by id. The order given does not show.

    Two items are of one overpass if sensor and satellite agree and their times lie within `ONE_PASS` of the first.
    """
    groups: dict[tuple[str, str], list[list[P]]] = {}
    for part in sorted(parts, key=lambda p: (p.time, p.id)):
        own = groups.setdefault((part.sensor, part.platform), [])
        if own and part.time - own[-1][0].time <= ONE_PASS:
            own[-1].append(part)
        else:
            own.append([part])
    found = [tuple(group) for own in groups.values() for group in own]
    return sorted(found, key=lambda group: (group[0].time, group[0].id))


def newest(group: Iterable[P]) -> tuple[tuple[P, ...], tuple[P, ...]]:
    """Split the items of one overpass into one a tile, the newest processing, and those that it supersedes.

    The highest baseline wins, then the latest made, then the last id. Items whose tile is unknown are tiles of
    their own.
    """
    best: dict[str, P] = {}
    for part in group:
        tile = part.tile or f"?{part.id}"
        held = best.get(tile)
        if held is None or _rank(part) > _rank(held):
            best[tile] = part
    kept = tuple(sorted(best.values(), key=lambda p: (p.tile, p.id)))
    chosen = {part.id for part in kept}
    return kept, tuple(part for part in group if part.id not in chosen)


def overpass_name(platform: str, sensor: str, time: datetime, datatake: str = "") -> str:
    """Name an overpass so that no baseline, tile or catalogue shows in it.

    >>> overpass_name("sentinel-2a", "sentinel-2-l2a", datetime(2019, 1, 5, 3, 21, 30, tzinfo=UTC), "20190105T032121")
    'sentinel-2a_20190105T032121_l2a'
    """
    level = sensor.rsplit("-", 1)[-1]
    return f"{platform or sensor}_{datatake or time.astimezone(UTC).strftime('%Y%m%dT%H%M%S')}_{level}"


def _rank(part: Part) -> tuple[tuple[int, int], str, str]:
    return part.baseline, part.made, part.id
