"""Fetch a scene once: what the archive already holds is not asked for again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from geo import archive
from geo.files.atomic import PARTIAL, writing
from geo.providers import Provider
from geo.scene import Query, Scene, SceneRecord

EDITABLE = ("folder",)  # people may replace a file under the same name: look again, and keep both


def acquire(scene: Scene, provider: Provider, query: Query, root: Path, site_id: str) -> SceneRecord:
    """Return the kept scene of a site, fetching it if the archive at `root` does not hold it yet.

    The grid asked for is part of the request: a scene kept for another grid is fetched again, as a new version.

    Raises:
        TemporaryError: the provider is out of reach; InputError: what came cannot be used; NoSpaceError: the disk is
        full; IntegrityError: the kept copy is damaged.
    """
    if provider.name not in EDITABLE:
        for record in archive.find(root, site_id, scene, provider.name):
            if record.provenance.request == provider.request(scene, query):
                return record
    place = root / site_id
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".fetch{PARTIAL}-", dir=place) as folder:
            path, provenance = provider.fetch(scene, query, Path(folder))
            return archive.keep(root, site_id, scene, provenance, path)
