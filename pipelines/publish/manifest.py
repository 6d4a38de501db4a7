"""The manifest: what a run consists of, from what and with what it was made. Its presence means that all is there."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyogrio
import rasterio
from pydantic import BaseModel, ConfigDict, Field

from geo.errors import IntegrityError
from geo.files.atomic import atomic_path
from geo.files.sums import SUMS, read_sums, sha256
from geo.files.text import clean, cleaned
from geo.scene import SceneRecord
from pipelines import __version__
from pipelines.assess.verdicts import Verdict

NAME = "manifest.json"
SCHEMA = "sitewatch-manifest/1.0"
_PACKAGES = (
    "numpy", "scipy", "rasterio", "shapely", "geopandas", "pyogrio", "pyproj", "pydantic", "jinja2", "matplotlib",
    "pillow",
)  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


class FileEntry(_Model):
    """One file of the run, by its name relative to the manifest."""

    name: str
    sha256: str
    size_bytes: int


class InputEntry(_Model):
    """One scene that the run was made from: which bytes, and how they came here."""

    scene: str
    file: str
    sha256: str
    size_bytes: int
    time: datetime | None
    sensor: str
    simulated: bool
    provider: str
    received: datetime
    licence: str
    credit: str
    request: dict[str, Any]


class Manifest(_Model):
    """The inventory of a run. `previous` is the SHA-256 of the manifest before it, so that none can vanish unseen.

    `recipe` is what `verify --recompute` makes the run again from; `verdicts` are those of analysts that the report
    tells, by event id.
    """

    schema_: str = Field(default=SCHEMA, alias="schema")
    run_id: str
    site: str
    created: datetime
    simulated: bool
    previous: str | None
    inputs: list[InputEntry]
    settings: dict[str, Any]
    recipe: dict[str, Any] | None = None
    verdicts: dict[str, Verdict] = {}
    versions: dict[str, str]
    files: list[FileEntry]

    def to_json(self) -> str:
        """The document as it is written."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write manifest.json, whole or not at all; return its path."""
    final = folder / NAME
    with atomic_path(final) as temporary:
        temporary.write_text(manifest.to_json(), encoding="utf-8")
    return final


def read_manifest(folder: Path) -> Manifest:
    """Read a run's manifest; IntegrityError where there is none or it is damaged."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read ({error.strerror}); the run is not complete.") from None
    except ValueError:
        raise IntegrityError(f"{path} is damaged or not a manifest of sitewatch.") from None


def file_entries(folder: Path) -> list[FileEntry]:
    """Every file that SHA256SUMS names, and SHA256SUMS itself, in its order."""
    sums = {**read_sums(folder), SUMS: sha256(folder / SUMS)}
    return [
        FileEntry(name=name, sha256=digest, size_bytes=(folder / name).stat().st_size) for name, digest in sums.items()
    ]


def input_entry(record: SceneRecord) -> InputEntry:
    """What the manifest says of a kept scene; names of files, never paths."""
    scene, provenance = record.scene, record.provenance
    return InputEntry(
        scene=clean(scene.id),
        file=clean(record.path.name),
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        time=scene.time,
        sensor=clean(scene.sensor),
        simulated=scene.simulated,
        provider=clean(provenance.provider),
        received=provenance.received,
        licence=clean(provenance.licence),
        credit=clean(provenance.credit),
        request=plain(provenance.request),
    )


def plain(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values as JSON holds them: tuples as lists, dates as text, keys sorted, text clean."""
    loaded: dict[str, Any] = json.loads(json.dumps(values, default=_as_text, sort_keys=True))
    result: dict[str, Any] = cleaned(loaded)
    return result


def versions() -> dict[str, str]:
    """Versions of this program and of everything whose behaviour could show in the results."""
    return {
        "sitewatch": __version__,
        "python": platform.python_version(),
        "gdal (rasters)": rasterio.__gdal_version__,
        "gdal (vectors)": ".".join(map(str, pyogrio.__gdal_version__)),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _as_text(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.name  # folders of this machine are nobody's business
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
