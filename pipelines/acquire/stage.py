"""Fetch a scene once: what the archive already holds is not asked for again."""

from __future__ import annotations

import json
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
    held = kept(scene, provider, query, root, site_id)
    if held is not None:
        return held
    place = root / site_id
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".fetch{PARTIAL}-", dir=place) as folder:
            path, provenance = provider.fetch(scene, query, Path(folder))
            return archive.keep(root, site_id, scene, provenance, path)


def kept(scene: Scene, provider: Provider, query: Query, root: Path, site_id: str) -> SceneRecord | None:
    """The newest kept version of a scene that answers the very same request; None where it has to be fetched.

    Raises IntegrityError where a kept copy is damaged.
    """
    if provider.name in EDITABLE:
        return None
    asked = json.loads(json.dumps(dict(provider.request(scene, query))))
    versions = archive.find(root, site_id, scene, provider.name)
    return next((record for record in reversed(versions) if record.provenance.request == asked), None)
