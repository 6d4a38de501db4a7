"""The only room that speaks to the network. A provider has two verbs: search and fetch.

Names are looked up in `PROVIDERS` and in the entry points of the group `sitewatch.providers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from geo.scene import Provenance, Query, Scene


class Provider(Protocol):
    """Where scenes come from."""

    name: str

    def search(self, query: Query) -> Iterable[Scene]:
        """Return the scenes that answer the query, oldest first; raise TemporaryError where the service is down."""
        ...

    def fetch(self, scene: Scene, query: Query, folder: Path) -> tuple[Path, Provenance]:
        """Write the scene's bytes as received into `folder` and return the path and how they came here."""
        ...
