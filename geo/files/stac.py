"""STAC 1.1 items as plain JSON: no library is needed to write one, and validators read it without one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyproj import CRS
from shapely.geometry import mapping, shape

from geo.files.atomic import atomic_path
from geo.files.sums import sha256
from geo.files.text import cleaned
from geo.grid import Grid

VERSION = "1.1.0"
EXTENSIONS = {
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "file": "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "processing": "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
}
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file: its name relative to the item, what it is, and its bands where it is a raster on the item's grid."""

    name: str
    title: str
    media_type: str
    roles: tuple[str, ...]
    bands: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def multihash(digest: str) -> str:
    """A SHA-256 in hexadecimal as a multihash: 0x12 names the algorithm, 0x20 its length.

    >>> multihash("ab" * 32)[:8]
    '1220abab'
    """
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(f"not a SHA-256: {digest[:80]}")
    return f"1220{digest}"


def read_assets(folder: Path, assets: Mapping[str, Asset]) -> dict[str, dict[str, Any]]:
    """Describe files as they lie on the disk, with size and checksum."""
    return {
        key: {
            "href": f"./{asset.name}", "title": asset.title, "type": asset.media_type, "roles": list(asset.roles),
            "file:checksum": multihash(sha256(folder / asset.name)), "file:size": (folder / asset.name).stat().st_size,
            **({"bands": [dict(band) for band in asset.bands]} if asset.bands else {}), **asset.extra,
        }
        for key, asset in assets.items()
    }  # fmt: skip


def item(
    *,
    item_id: str,
    grid: Grid,
    footprint: Mapping[str, Any] | None,
    times: Sequence[datetime],
    created: datetime,
    properties: Mapping[str, Any],
    links: Sequence[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Build an item.

    Args:
        item_id: unique among the items of a catalogue.
        grid: of its rasters.
        footprint: longitude, latitude polygon, or None without georeference.
        times: of what it shows, aware; two or more make a span, none leaves only `created`, as STAC demands a moment.
        created: aware time of making.
        properties: further properties.
        links: further links.
        assets: as from `read_assets`.

    Returns:
        The item as JSON values.
    """
    moments = sorted(times)
    place: dict[str, Any] = {"geometry": None}
    if footprint is not None:
        place = {"geometry": dict(footprint), "bbox": list(shape(dict(footprint)).bounds)}
    span: dict[str, Any] = {"datetime": _utc(moments[0] if moments else created)}
    if len(moments) > 1:
        span = {"datetime": None, "start_datetime": _utc(moments[0]), "end_datetime": _utc(moments[-1])}
    document = {
        "type": "Feature", "stac_version": VERSION, "stac_extensions": list(EXTENSIONS.values()), "id": item_id,
        **place,
        "properties": {**span, "created": _utc(created), **_projection(grid), **properties},
        "links": [dict(link) for link in links], "assets": {key: dict(asset) for key, asset in assets.items()},
    }  # fmt: skip
    # Through JSON, so that tuples are lists and every text is clean.
    result: dict[str, Any] = cleaned(json.loads(json.dumps(document, allow_nan=False, default=mapping)))
    return result


def write_item(path: str | os.PathLike[str], document: Mapping[str, Any]) -> Path:
    """Write an item, whole or not at all; return its path."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    return Path(path)


def _projection(grid: Grid) -> dict[str, Any]:
    shape_and_place: dict[str, Any] = {"proj:shape": list(grid.shape)}
    if grid.crs is None:
        return shape_and_place
    code = f"EPSG:{grid.epsg}" if grid.epsg else None
    system = {"proj:code": code} if code else {"proj:code": None, "proj:wkt2": CRS.from_user_input(grid.crs).to_wkt()}
    return {**system, **shape_and_place, "proj:transform": list(grid.transform)[:6], "proj:bbox": list(grid.bounds)}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
