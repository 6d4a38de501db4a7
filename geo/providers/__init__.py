"""The only room that speaks to the network. A provider has two verbs: search and fetch.

Other packages bring providers as entry points of the group `sitewatch.providers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from geo.scene import Provenance, Query, Scene


class Provider(Protocol):
    """Where scenes come from.

    A provider may also have `estimate(scene, query)`: a mapping of `bytes`, `requests`, `processing_units` (whichever
    it knows) that a fetch of the scene would cost about; and `refused`, pairs (name, reason) of what `search` found
    and could not use.
    """

    name: str

    def search(self, query: Query) -> Iterable[Scene]:
        """Return the scenes that answer the query, oldest first; raise TemporaryError where the service is down."""
        ...

    def fetch(self, scene: Scene, query: Query, folder: Path) -> tuple[Path, Provenance]:
        """Write the scene's bytes as received into `folder` and return the path and how they came here."""
        ...

    def request(self, scene: Scene, query: Query) -> Mapping[str, object]:
        """Return what `fetch` would ask for, as plain JSON; two equal requests of one scene need one fetch."""
        ...
