"""Which sites are due, and whether anything came in since the last look: what makes an idle scan cheap and silent.

A look is kept in the ledger as a hash of the whole question (site, settings, source, version) and of every recent
scene that answered. The same hash again means that there is nothing to do; anything else is looked at in full.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from geo.errors import InputError
from geo.providers import Provider
from geo.scene import Query, Scene
from geo.sites import Site
from pipelines import __version__
from pipelines.desk import Asked, Desk
from pipelines.ledger import Look
from pipelines.reviewed import plans_of

RECENT = timedelta(days=60)  # scenes come late by days, seldom by weeks
SLACK = timedelta(hours=2)  # cron is not punctual: daily must not become every other day
NEVER = datetime.min.replace(tzinfo=UTC)


def in_order(
    sites: Mapping[str, Any], looks: Mapping[str, Look], now: datetime, attempts: Mapping[str, datetime] | None = None
) -> list[str]:
    """The ids of the sites that are due, the longest untried first; what is not a Site (a broken file) is always due.

    A site at which the program ended, or that failed, was tried: it comes after those that still wait.

    A site is due when it was never looked at, when its cadence has passed since the last complete look, and when that
    look lies in the future (the clock was wrong).
    """

    def is_due(name: str) -> bool:
        site, look = sites[name], looks.get(name)
        if look is None or not isinstance(site, Site) or look.looked > now:
            return True
        return now >= look.looked + timedelta(days=site.cadence_days) - SLACK

    def age(name: str) -> tuple[datetime, str]:
        looked = looks[name].looked if name in looks else NEVER
        return max(looked, (attempts or {}).get(name, NEVER)), name

    return sorted((name for name in sites if is_due(name)), key=age)


def look_of(desk: Desk, provider: Provider, query: Query, scenes: Iterable[Scene]) -> Look:
    """What to remember of a look at all of `scenes`."""
    scenes = list(scenes)
    newest = max((scene.time for scene in scenes if scene.time is not None), default=None)
    return Look(_question(desk, provider, query, scenes, newest), newest, desk.now)


def nothing_new(desk: Desk, provider: Provider, query: Query, look: Look | None) -> bool:
    """True where the provider has nothing since the last look, and nothing else changed.

    Only recent scenes are asked for. Raises TemporaryError where the provider is out of reach.
    """
    if look is None:
        return False
    since = query.start
    if look.newest is not None:
        recent = look.newest - RECENT
        since = recent if since is None else max(since, recent)
    scenes = list(provider.search(Query(grid=query.grid, start=since, end=query.end)))
    later = [scene for scene in scenes if look.newest is None or scene.time is None or scene.time > look.newest]
    if any(scene.time is not None for scene in later):
        return False
    return _question(desk, provider, query, scenes, look.newest) == look.question


def _question(desk: Desk, provider: Provider, query: Query, scenes: Iterable[Scene], newest: datetime | None) -> str:
    version = getattr(provider, "version", None)
    recent = sorted(
        (
            [scene.id, str(scene.time), _request(provider, scene, query), version(scene) if version else None]
            for scene in scenes
            if newest is None or scene.time is None or scene.time >= newest - RECENT
        ),
        key=str,
    )
    text = json.dumps(
        {
            "site": desk.site.digest,
            "settings": desk.settings.recipe(),
            "version": __version__,
            "asked": _told(desk.asked),
            "reviews": desk.reviewed().digest,
            "plans": plans_of(desk.outputs, desk.site.id),
            "scenes": recent,
            "refused": sorted(name for name, _ in getattr(provider, "refused", ())),
        },
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _told(asked: Asked) -> dict[str, str]:
    return {name: str(getattr(asked, name)) for name in ("source", "start", "end", "every_days", "pair")}


def _request(provider: Provider, scene: Scene, query: Query) -> object:
    try:
        return dict(provider.request(scene, Query(grid=query.grid)))
    except InputError as error:  # a scene that lacks what is needed is told by the scan itself
        return str(error)
