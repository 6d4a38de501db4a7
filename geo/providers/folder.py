"""Provider `folder`: imagery given by hand, one file a date, from a folder or as a single file.

Nothing is skipped silently: what cannot be used is listed in `refused` with its reason.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geo.errors import InputError
from geo.files.atomic import atomic_path, require_space
from geo.files.facts import Numbers
from geo.files.limits import local_file
from geo.files.rasters import capture_time, describe
from geo.files.times import parse_time
from geo.scene import Provenance, Query, Scene

MAX_ITEM_BYTES = 4 * 2**20
_SIDECARS = re.compile(r"\.(aux\.xml|tfw|tifw|pgw|jgw|j2w|wld|prj|ovr|msk)$", re.I)
_SENSORS = (
    ("sentinel-2-l2a", re.compile(r"MSIL2A|S2[ABC]_\w+_L2A|sentinel.?2.*l2a", re.I)),
    ("sentinel-2-l1c", re.compile(r"MSIL1C|S2[ABC]_\w+_L1C|sentinel.?2.*l1c", re.I)),
    ("sentinel-1-rtc", re.compile(r"RTC.?S1|sentinel.?1.*rtc", re.I)),
    ("sentinel-1-grd", re.compile(r"S1[ABC]_IW_GRD|sentinel.?1.*grd", re.I)),
    ("landsat-9-l2", re.compile(r"LC09_L2|landsat.?9", re.I)),
    ("landsat-8-l2", re.compile(r"LC08_L2|landsat.?8", re.I)),
    ("landsat-7-l2", re.compile(r"LE07_L2|landsat.?7", re.I)),
    ("landsat-5-l2", re.compile(r"LT05_L2|landsat.?5", re.I)),
)


@dataclass(frozen=True)
class Options:
    """What the user says about all files; see `geo.files.rasters.describe`."""

    bands: Sequence[str] | None = None
    scale: Numbers = None
    offset: Numbers = None
    nodata: Numbers = None
    law: str | None = None

    def told(self) -> dict[str, object]:
        """Only what is said, as plain JSON values and arguments of `describe`."""
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in vars(self).items()}
        return {key: value for key, value in plain.items() if value is not None}


@dataclass
class Folder:
    """Scenes lying in a folder, or one file.

    Attributes:
        source: folder or file.
        options: what the user says about the files; it wins over a STAC item, which wins over the file.
        licence, credit: written into the provenance.
        clock: gives the time of receipt.
        refused: after `search`: (file name, reason) of everything that cannot be used.
    """

    source: str | os.PathLike[str]
    clock: Callable[[], datetime]
    options: Options = field(default_factory=Options)
    licence: str = "unknown"
    credit: str = ""
    name: str = "folder"
    refused: list[tuple[str, str]] = field(default_factory=list)

    def search(self, query: Query) -> list[Scene]:
        """Return a scene for every usable image of the folder, oldest first, undated ones last.

        An image with a time outside the query's span is left out; that is an answer, not a refusal.

        Raises:
            InputError: there is no such folder or file, or a single file cannot be used.
        """
        self.refused.clear()
        place = Path(self.source)
        if not place.is_dir():
            return [self._scene(local_file(place))]
        scenes = []
        entries = sorted(place.iterdir(), key=lambda p: p.name)
        items = {item for path in entries for item in item_paths(path) if item.is_file() and item != path}
        for path in (p for p in entries if p not in items):
            try:
                scenes.append(self._scene(path))
            except InputError as error:
                self.refused.append((path.name, str(error)))
        scenes = _told_apart(scenes)
        late = datetime.max.replace(tzinfo=UTC)
        return sorted((s for s in scenes if _asked_for(s, query)), key=lambda s: (s.time or late, s.id))

    def fetch(self, scene: Scene, query: Query, folder: Path) -> tuple[Path, Provenance]:
        """Copy the scene's bytes as they are into `folder`.

        The provenance names the file, never the folder it came from: that may name a person.

        Raises:
            InputError: the file is gone; NoSpaceError, ConfigurationError: it cannot be copied.
        """
        place = Path(self.source)
        source = local_file(place / scene.href if place.is_dir() else place)
        require_space(folder, source.stat().st_size + 2**20)
        target = Path(folder) / source.name
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
        return target, Provenance(
            provider=self.name,
            request=self.request(scene, query),
            received=self.clock(),
            licence=self.licence,
            credit=self.credit,
        )

    def request(self, scene: Scene, query: Query) -> dict[str, object]:  # noqa: ARG002
        """Return what `fetch` asks for: the file's name and what the user says about it."""
        return {"file": scene.href, "options": self.options.told()}

    def version(self, scene: Scene) -> str:
        """Size and time of change of a scene's file: people may replace it under the same name."""
        place = Path(self.source)
        try:
            facts = (place / scene.href if place.is_dir() else place).stat()
        except OSError as error:
            return f"gone: {error.strerror}"
        return f"{facts.st_size} {facts.st_mtime_ns}"

    def _scene(self, path: Path) -> Scene:
        """Look at one image and at the STAC item beside it."""
        if _SIDECARS.search(path.name):
            raise InputError(f"{path.name} is a sidecar; it has no influence: only what is inside an image counts.")
        item = read_item(path)
        told = {**item_options(item, path.name), **self.options.told()}
        raster = describe(path, **told)  # type: ignore[arg-type]
        stated = item.get("properties", {})
        time = _item_time(stated) or capture_time(path)
        hint = f"{path.name} {stated.get('constellation', '')} {item.get('collection', '')}"
        sensor = next((sensor for sensor, pattern in _SENSORS if pattern.search(hint)), "unknown")
        properties: dict[str, object] = {
            "bands": list(raster.bands),
            "unit": raster.encoding.unit,
            "notes": list(raster.encoding.notes),
            "describe": told,
        }
        return Scene(id=path.stem, time=time, sensor=sensor, href=path.name, properties=properties)


def read_item(image: Path) -> Mapping[str, Any]:
    """The STAC item beside an image (`name.json` or `name.tif.json`), or an empty mapping.

    Raises:
        InputError: there is one, but it cannot be understood.
    """
    for path in item_paths(image):
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > MAX_ITEM_BYTES:
                raise ValueError("too large")
            item = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path.name} beside the image is not readable JSON; mend or remove it.") from error
        if isinstance(item, dict) and item.get("type") == "Feature" and isinstance(item.get("properties"), dict):
            return item
    return {}


def item_paths(image: Path) -> tuple[Path, ...]:
    """Where the STAC item of an image may lie: `name.json` or `name.tif.json`."""
    if image.suffix.lower() == ".json":
        return ()
    return image.with_suffix(".json"), image.with_name(image.name + ".json")


def item_options(item: Mapping[str, Any], name: str) -> dict[str, object]:
    """Band names, scale, offset and no-data value that a STAC item states of a file, as arguments of `describe`.

    Bands are those of the asset whose href ends in `name`, else of the only asset that lists any: `bands` (STAC 1.1)
    or `eo:bands` and `raster:bands` (1.0).
    """
    assets = item.get("assets")
    listed = [a for a in (assets.values() if isinstance(assets, dict) else ()) if isinstance(a, dict) and _bands_of(a)]
    named = [asset for asset in listed if str(asset.get("href", "")).rsplit("/", 1)[-1] == name]
    chosen = named or listed
    return _stated(_bands_of(chosen[0])) if len(chosen) == 1 else {}


def _bands_of(asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One mapping a band: whatever the asset's lists say, merged."""
    lists = [asset[key] for key in ("eo:bands", "raster:bands", "bands") if isinstance(asset.get(key), list)]
    count = max((len(entries) for entries in lists), default=0)
    merged: list[dict[str, Any]] = [{} for _ in range(count)]
    for entries in lists:
        for band, entry in zip(merged, entries, strict=False):
            band.update(entry if isinstance(entry, dict) else {})
    return merged


def _stated(bands: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    names = [b.get("eo:common_name") or b.get("common_name") or b.get("name") for b in bands]
    options: dict[str, object] = {}
    if all(isinstance(name, str) for name in names):
        options["bands"] = names
    for key, default in (("scale", 1.0), ("offset", 0.0)):
        values = [b.get(key, b.get(f"raster:{key}", default)) for b in bands]
        if all(isinstance(v, int | float) for v in values) and set(values) != {default}:
            options[key] = [float(v) for v in values]
    empty = {b.get("nodata") for b in bands}
    if len(empty) == 1 and isinstance(value := empty.pop(), int | float):
        options["nodata"] = float(value)
    return options


def _item_time(properties: Mapping[str, Any]) -> datetime | None:
    for key in ("datetime", "start_datetime"):
        value = properties.get(key)
        if isinstance(value, str) and (time := parse_time(value)) is not None:
            return time
    return None


def _told_apart(scenes: list[Scene]) -> list[Scene]:
    """Two files that differ only in their suffix get it back into their ids."""
    count = Counter(scene.id for scene in scenes)
    return [replace(scene, id=scene.href) if count[scene.id] > 1 else scene for scene in scenes]


def _asked_for(scene: Scene, query: Query) -> bool:
    if scene.time is None:
        return True
    return (query.start is None or scene.time >= query.start) and (query.end is None or scene.time < query.end)
