"""Scenes as received, kept once: hashed, read-only, never rewritten.

    <root>/<site>/<YYYYMMDDTHHMMSSZ>_<sensor>_<id8>/    the bytes, scene.json, SHA256SUMS

`id8` is a short hash of provider and scene id. The same scene with other bytes (providers reprocess) becomes a new
version beside the old one, `..._v2`; nothing is ever replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geo.errors import ConfigurationError, InputError, IntegrityError
from geo.files.atomic import atomic_folder, require_space
from geo.files.sums import SUMS, Check, check_folder, sha256, write_sums
from geo.scene import Provenance, Scene, SceneRecord

SCENE_JSON = "scene.json"
SCHEMA = 1
UNDATED = "undated"
_SITE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_READ_ONLY = 0o444


def keep(
    root: str | os.PathLike[str], site: str, scene: Scene, provenance: Provenance, received: str | os.PathLike[str]
) -> SceneRecord:
    """Keep the bytes of a scene: copy them in, hash them, make them read-only.

    Keeping the same bytes of the same scene again, asked for in the same way, changes nothing and returns what is
    there. The same bytes that answer another request (the catalogue's entry was replaced) are a version of their own:
    else they would be asked for again and again.

    Args:
        root: the archive, e.g. `outputs/archive`.
        site: the site's id.
        scene: what was found.
        provenance: how it came here.
        received: the file as it was received; it is copied, not moved.

    Returns:
        The record, its path inside the archive.

    Raises:
        ConfigurationError: the site's id is not one, or the archive cannot be written; NoSpaceError: no room;
        InputError: there is no such file; IntegrityError: a kept version of the scene is damaged.
    """
    source = Path(received)
    if not source.is_file():
        raise InputError(f"{source.name} was not received; fetch it again.")
    digest = sha256(source)
    base = _site_folder(root, site) / folder_name(scene, provenance.provider)
    for folder in _versions(base):
        kept = read(folder)
        if kept.sha256 == digest and _same(kept.provenance.request, provenance.request):
            return kept
    folder = _next_version(base)
    size = source.stat().st_size
    require_space(root, size + 2**20)
    name = _safe(source.name)
    with atomic_folder(folder) as temporary:
        shutil.copyfile(source, temporary / name)
        if sha256(temporary / name) != digest:
            raise IntegrityError(f"{source.name} changed while it was copied; run again.")
        facts = _to_json(scene, provenance, name, digest, size)
        (temporary / SCENE_JSON).write_text(json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        write_sums(temporary)
        for path in temporary.iterdir():
            path.chmod(_READ_ONLY)
    return SceneRecord(scene=scene, provenance=provenance, path=folder / name, sha256=digest, size_bytes=size)


def find(root: str | os.PathLike[str], site: str, scene: Scene, provider: str) -> tuple[SceneRecord, ...]:
    """All kept versions of one scene, first to last; none is an empty answer.

    Raises:
        IntegrityError: a kept version cannot be read.
    """
    return tuple(read(folder) for folder in _versions(_site_folder(root, site) / folder_name(scene, provider)))


def list_scenes(root: str | os.PathLike[str], site: str) -> tuple[SceneRecord, ...]:
    """All kept scenes of a site, oldest first, undated ones last; every version counts.

    Raises:
        IntegrityError: a scene's record cannot be read.
    """
    folder = _site_folder(root, site)
    if not folder.is_dir():
        return ()
    found = [read(path) for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    late = datetime.max.replace(tzinfo=UTC)
    return tuple(sorted(found, key=lambda record: (record.scene.time or late, record.path.parent.name)))


def read(folder: str | os.PathLike[str]) -> SceneRecord:
    """Read the record of one kept scene (its bytes are not checked; see `verify`).

    Raises:
        IntegrityError: scene.json is missing or not what `keep` writes.
    """
    place = Path(folder)
    try:
        return _from_json(json.loads((place / SCENE_JSON).read_text(encoding="utf-8")), place)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{place.name}/{SCENE_JSON} cannot be read; the kept scene is damaged.") from error


def verify(root: str | os.PathLike[str], site: str | None = None) -> Iterator[tuple[Path, Check]]:
    """Yield every scene folder (of one site, or of all) with what is wrong with it; all of them, not only bad ones.

    A folder whose SHA256SUMS cannot be read counts as one whose sums are missing. Whatever else lies among the
    scenes (a file, a symbolic link) is a stranger of the site's folder.
    """
    base = Path(root)
    sites = [_site_folder(root, site)] if site is not None else sorted(p for p in base.glob("*"))
    for place in sites:
        if place.is_symlink() or not place.is_dir():
            yield base, Check((), (), (place.name,))
            continue
        for folder in sorted(place.iterdir()):
            if folder.is_symlink() or not folder.is_dir():
                yield place, Check((), (), (folder.name,))
                continue
            yield folder, verify_scene(folder)


def verify_scene(folder: str | os.PathLike[str]) -> Check:
    """What is wrong with one kept scene: bytes against SHA256SUMS, and SHA256SUMS against scene.json."""
    place = Path(folder)
    try:
        check = check_folder(place)
        record = read(place)
    except IntegrityError:
        return Check((), (SUMS if not (place / SUMS).is_file() else SCENE_JSON,), ())
    if check.ok and sha256(record.path) != record.sha256:
        return Check((record.path.name,), (), ())
    return check


def folder_name(scene: Scene, provider: str) -> str:
    """`<YYYYMMDDTHHMMSSZ>_<sensor>_<id8>` of a scene; `undated_...` where nothing says when it was taken."""
    when = scene.time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") if scene.time is not None else UNDATED
    short = hashlib.sha256(f"{provider}\0{scene.id}".encode()).hexdigest()[:8]
    sensor = re.sub(r"[^a-z0-9-]+", "-", scene.sensor.lower()).strip("-") or "unknown"
    return f"{when}_{sensor}_{short}"


def _site_folder(root: str | os.PathLike[str], site: str) -> Path:
    if not _SITE.fullmatch(site):
        raise ConfigurationError(f"{site!r} is not a site id; use lower-case letters, digits and hyphens.")
    return Path(root) / site


def _versions(base: Path) -> list[Path]:
    """The folders of all versions of a scene, first to last."""
    pattern = re.compile(re.escape(base.name) + r"(?:_v(\d+))?")
    found = [(int(m.group(1) or 1), p) for p in base.parent.glob("*") if (m := pattern.fullmatch(p.name))]
    return [path for _, path in sorted(found)]


def _same(kept: Mapping[str, object], asked: Mapping[str, object]) -> bool:
    """Compare requests as they are written."""
    return bool(kept == json.loads(json.dumps(dict(asked))))


def _next_version(base: Path) -> Path:
    count = len(_versions(base))
    return base if count == 0 else base.with_name(f"{base.name}_v{count + 1}")


def _safe(name: str) -> str:
    """A file name that cannot be one of ours, hidden, or hard to read."""
    clean = re.sub(r"[^A-Za-z0-9._+-]", "_", name).lstrip(".") or "scene"
    return f"received_{clean}" if clean in (SCENE_JSON, SUMS) else clean


def _to_json(scene: Scene, provenance: Provenance, name: str, digest: str, size: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "scene": {
            "id": scene.id,
            "time": None if scene.time is None else scene.time.astimezone(UTC).isoformat(),
            "sensor": scene.sensor,
            "href": scene.href,
            "simulated": scene.simulated,
            "properties": dict(scene.properties),
        },
        "provenance": {
            "provider": provenance.provider,
            "request": dict(provenance.request),
            "received": provenance.received.astimezone(UTC).isoformat(),
            "licence": provenance.licence,
            "credit": provenance.credit,
            # Only where there is one: records of before stay what they were.
            **({"response": dict(provenance.response)} if provenance.response else {}),
        },
        "file": {"name": name, "sha256": digest, "size_bytes": size},
    }


def _from_json(facts: Mapping[str, Any], folder: Path) -> SceneRecord:
    scene, provenance, file = dict(facts["scene"]), dict(facts["provenance"]), facts["file"]
    if facts["schema"] != SCHEMA or Path(file["name"]).name != file["name"]:
        raise ValueError("not a scene record")
    scene["time"] = None if scene["time"] is None else datetime.fromisoformat(scene["time"])
    provenance["received"] = datetime.fromisoformat(provenance["received"])
    return SceneRecord(
        scene=Scene(**scene),
        provenance=Provenance(**provenance),
        path=folder / file["name"],
        sha256=str(file["sha256"]),
        size_bytes=int(file["size_bytes"]),
    )
