"""Scenes: what was asked for, what was found, what was kept, and how it came here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from geo.grid import Grid


@dataclass(frozen=True, kw_only=True)
class Query:
    """What to look for: a grid (the site's own, or None for whatever there is) and a half-open span of time."""

    grid: Grid | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One acquisition as a provider found it.

    Attributes:
        id: the provider's stable name of the acquisition.
        time: aware UTC of the acquisition; None where nothing states it.
        sensor: `sentinel-2-l2a`, `landsat-8-l2`, `aerial`, `sentinel-1-grd`, ..., `unknown`.
        href: where the bytes are (a path or URL, never with credentials).
        simulated: True if no satellite ever saw this.
        properties: what else the provider says, as plain JSON values.
    """

    id: str
    time: datetime | None
    sensor: str
    href: str
    simulated: bool = False
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How bytes came here, as plain JSON values.

    Attributes:
        provider: its name.
        request: what was asked for; two equal requests of one scene need one fetch.
        received: when the bytes came.
        licence, credit: the terms, and the line to print.
        response: what the service said of what it sent (catalogue item, size, ETag, ...); never a credential.
    """

    provider: str
    request: Mapping[str, object]
    received: datetime
    licence: str = "unknown"
    credit: str = ""
    response: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """A scene that was kept: its bytes lie at `path` and have this SHA-256."""

    scene: Scene
    provenance: Provenance
    path: Path
    sha256: str
    size_bytes: int
