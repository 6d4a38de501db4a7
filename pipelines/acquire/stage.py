"""Fetch a scene once: what the archive already holds is never asked for again."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

from geo.archive import Archive

from geo.providers import Provider
from geo.scene import Query, Scene, SceneRecord


def acquire(
    scene: Scene, provider: Provider, query: Query, archive: Archive, *, site_id: str, now: datetime
) -> SceneRecord:
    """Return the kept scene, fetching it if the archive does not hold it yet.

    A provider whose bytes may change under the same id (a folder that people edit) is fetched again; the archive
    keeps both versions and returns the newer one. Raises TemporaryError where the provider is out of reach, InputError
    where what came cannot be used, NoSpaceError where the disk is full.
    """
    if not provider.mutable:
        held = archive.find(site_id, scene.id)
        if held is not None:
            return held
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=archive.prepared_root()) as folder:
        path, provenance = provider.fetch(scene, query, Path(folder), now)
        return archive.keep(site_id, scene, provenance, path)
