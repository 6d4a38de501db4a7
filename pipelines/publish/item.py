"""item.json: the run as a STAC item, every file with its checksum, derived from its inputs."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from geo.files.stac import COG, Asset, item, multihash, read_assets, write_item
from pipelines import __version__
from pipelines.assess import Findings
from pipelines.publish.rasters import CHANGE_BANDS
from pipelines.publish.shapes import footprint, grid_of
from pipelines.publish.wording import credits_of

NAME = "item.json"
_MEDIA = {
    ".gpkg": "application/geopackage+sqlite3", ".geojson": "application/geo+json", ".qgz": "application/zip",
    ".qml": "application/xml",
}  # fmt: skip
_RASTERS = {
    "change": Asset(
        name="change.tif", title="Change: score, chance of a false alarm, dates, direction", media_type=COG,
        roles=("data",), bands=tuple({"name": name, "data_type": "float32", "nodata": "nan"} for name in CHANGE_BANDS),
    ),
    "change_mask": Asset(
        name="change_mask.tif", title="0 unchanged, 1 change, 255 not observed", media_type=COG, roles=("data",),
        bands=({"name": "change", "data_type": "uint8", "nodata": 255},),
    ),
    "before": Asset(name="before.tif", title="Before, as shown", media_type=COG, roles=("visual",)),
    "after": Asset(name="after.tif", title="After, as shown", media_type=COG, roles=("visual",)),
}  # fmt: skip


def write_stac(folder: Path, findings: Findings, files: list[str]) -> None:
    """Write item.json over `files` (names relative to the folder), which must all be there already."""
    known = {asset.name for asset in _RASTERS.values()}
    others = {
        name.replace("/", "_").replace(".", "_"): Asset(
            name=name, title=name, media_type=_media(name), roles=(_role(name),)
        )
        for name in files
        if name not in known
    }
    used = [scene for scene in findings.scenes if scene.used]
    seen = findings.observability
    document = item(
        item_id=f"{findings.site.id}-{findings.run_id}",
        grid=grid_of(findings),
        footprint=footprint(grid_of(findings)),
        times=[scene.time for scene in used if scene.time is not None],
        created=findings.created,
        properties={
            "title": f"{'SIMULATED: ' if findings.simulated else ''}{findings.site.name}",
            "description": findings.summary,
            "processing:software": {"sitewatch": __version__},
            "processing:level": "L4",
            "sitewatch:state": seen.state, "sitewatch:clear_fraction": seen.clear_fraction,
            "sitewatch:events": len(findings.events), "sitewatch:simulated": findings.simulated,
            "sitewatch:dates_stated": all(scene.time is not None for scene in used), "attribution": credits_of(used),
        },
        links=[_derived_from(scene.id, scene.sha256, scene.size_bytes) for scene in used],
        assets=read_assets(folder, {**_RASTERS, **others}),
    )  # fmt: skip
    write_item(folder / NAME, document)


def _derived_from(scene: str, digest: str, size: int) -> dict[str, Any]:
    # The scene is named by its content: paths of this machine would tell nothing, and do not last.
    return {
        "rel": "derived_from", "href": f"urn:sha256:{digest}", "title": scene, "file:checksum": multihash(digest),
        "file:size": size,
    }  # fmt: skip


def _media(name: str) -> str:
    suffix = Path(name).suffix
    return _MEDIA.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")


def _role(name: str) -> str:
    if name.startswith("figures/"):
        return "overview"
    return {".qml": "style", ".qgz": "metadata", ".html": "metadata"}.get(Path(name).suffix, "data")
