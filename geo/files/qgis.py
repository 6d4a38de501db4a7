"""QGIS projects and styles, written without QGIS: relative paths, explicit stretch, themes, form, time.

The facts behind the templates were measured on QGIS 3.22: a layer id of ten characters or fewer is silently replaced
(and the map is empty); a CRS needs its WKT and `ProjectionsEnabled`; a mask whose nodata QGIS is told of shows
"not observed" like "unchanged", so the style says not to.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
from pyproj import CRS

from geo.files.atomic import atomic_path, writing
from geo.files.text import clean

Period = tuple[datetime, datetime]
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One class of a legend.

    Attributes:
        value: attribute or pixel value (for a ramp: the upper bound, the last being `inf`).
        label: in the legend.
        colour: `#rrggbb`, of the pixels, line or outline.
        alpha: of pixels, 0-255.
        line: `solid`, `dash`, `dot`, `dash dot` or `no`.
        width_mm: of the line.
        pattern: of a polygon: `no`, `solid`, `b_diagonal`, `diagonal_x`, ...
        fill: `#rrggbb` of the pattern.
    """

    value: str | float
    label: str
    colour: str
    alpha: int = 255
    line: str = "solid"
    width_mm: float = 0.6
    pattern: str = "no"
    fill: str = "#000000"


@dataclass(frozen=True, kw_only=True)
class RasterStyle:
    """`rgb` (bands 1-3 as they are, band 4 alpha), `ramp` (classes by upper bound) or `palette` (by value)."""

    kind: Literal["rgb", "ramp", "palette"]
    band: int = 1
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """The field `value` of the feature of another layer whose field `key` holds what is looked up."""

    layer: str
    key: str
    value: str

    @property
    def layer_id(self) -> str:
        """The id of that layer in the project."""
        return layer_id(self.layer)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One attribute in the form.

    Attributes:
        name, alias: in the file, and shown.
        choices: (value, label) pairs of a drop-down list.
        widget: `text`, `long`, `time` or `hidden`.
        editable: may be changed in the form.
        required: QGIS does not save a feature without it.
        lookup: where a name to show instead of the value is found.
    """

    name: str
    alias: str
    choices: tuple[tuple[str, str], ...] = ()
    widget: Literal["text", "long", "time", "hidden"] = "text"
    editable: bool = False
    required: bool = False
    lookup: Lookup | None = None


@dataclass(frozen=True, kw_only=True)
class Tab:
    """One tab of a form: some of its fields, and the rows of a relation below them, if one is named by its id."""

    title: str
    fields: tuple[str, ...]
    relation: str = ""


@dataclass(frozen=True, kw_only=True)
class VectorStyle:
    """How features look and what their form asks.

    Attributes:
        geometry: `Polygon`, `Line` or None for a plain table.
        attribute: field or expression that chooses the entry.
        entries: the classes.
        fields: the form, in order.
        tabs: of the form; without any, all fields stand below each other.
        label: expression of the label, or "".
        crowded: labels may overlap, so that none is left out.
        title: expression that names a feature in lists.
        tip: HTML shown on hovering, or "".
        time: field of the moment from which QGIS's time slider shows a feature (always, where it is null), or "".
    """

    geometry: Literal["Polygon", "Line"] | None
    attribute: str = ""
    entries: tuple[Entry, ...] = ()
    fields: tuple[Field, ...] = ()
    tabs: tuple[Tab, ...] = ()
    label: str = ""
    crowded: bool = False
    title: str = ""
    tip: str = ""
    time: str = ""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: `source` is relative to the project, `./change.tif` or `./findings.gpkg|layername=changes`.

    Where `period` is given the layer shows only then, in QGIS's time slider. Unless `editable`, QGIS may not edit it.
    `alone` is the style kept with the data, where the project's own needs other layers.
    """

    name: str
    title: str
    source: str
    style: RasterStyle | VectorStyle
    group: str
    opacity: float = 1.0
    period: Period | None = None
    editable: bool = False
    note: str = ""
    alone: VectorStyle | None = None

    @property
    def kind(self) -> str:
        """`raster` or `vector`."""
        return "raster" if isinstance(self.style, RasterStyle) else "vector"

    @property
    def provider(self) -> str:
        """The name of QGIS's data provider."""
        return "gdal" if self.kind == "raster" else "ogr"

    @property
    def id(self) -> str:
        """A stable id that is long enough for QGIS."""
        return layer_id(self.name)


@dataclass(frozen=True, kw_only=True)
class Theme:
    """A named set of visible layers."""

    name: str
    layers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Rows of the table `child` that belong to features of `parent`; they show up in the parent's form."""

    name: str
    child: str
    child_field: str
    parent: str
    parent_field: str

    @property
    def id(self) -> str:
        """A stable id."""
        return f"{self.child}_{self.child_field}_{self.parent}"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A QGIS project. Layers are listed from top to bottom; `shown` are those visible on opening."""

    title: str
    crs: str | None
    extent: tuple[float, float, float, float]
    layers: tuple[Layer, ...]
    themes: tuple[Theme, ...]
    shown: tuple[str, ...]
    period: Period | None = None
    relations: tuple[Relation, ...] = ()


def layer_id(name: str) -> str:
    """The id of the layer with a name: stable, and long enough for QGIS."""
    return f"{name}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def write_project(path: str | os.PathLike[str], project: Project) -> Path:
    """Write a .qgz: a zip with one .qgs, its timestamps fixed, the same bytes for the same project.

    Raises:
        ValueError: two layers share a name, or a theme or relation names a layer that is not there.
        ConfigurationError, NoSpaceError: the file cannot be written.
    """
    _check(project)
    final = Path(path)
    info = zipfile.ZipInfo(f"{final.stem}.qgs", _ZIP_DATE)
    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
    with writing(final), atomic_path(final) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(info, project_xml(project))
    return final


def project_xml(project: Project) -> str:
    """The .qgs document of a project."""
    groups: dict[str, list[Layer]] = {}
    for layer in project.layers:
        groups.setdefault(layer.group, []).append(layer)
    ids = {layer.name: layer.id for layer in project.layers}
    template = _templates().get_template("project.qgs.j2")
    return template.render(project=project, groups=list(groups.items()), ids=ids, crs=_crs(project.crs)) + "\n"


def style_xml(layer: Layer) -> str:
    """The .qml document of a layer: for a file beside a raster, or for `layer_styles`."""
    layer = replace(layer, style=layer.alone or layer.style)
    return _templates().get_template("style.qml.j2").render(layer=layer) + "\n"


def _check(project: Project) -> None:
    names = [layer.name for layer in project.layers]
    if len(set(names)) != len(names):
        raise ValueError("two layers of a project share a name")
    asked = {name for theme in project.themes for name in theme.layers} | set(project.shown)
    asked |= {name for relation in project.relations for name in (relation.child, relation.parent)}
    if missing := sorted(asked - set(names)):
        raise ValueError(f"the project names a layer that it does not have: {missing[0]}")


def _crs(crs: str | None) -> Mapping[str, Any] | None:
    if crs is None:
        return None
    system = CRS.from_user_input(crs)
    code = int(crs[5:]) if crs.startswith("EPSG:") else 0
    return {
        "wkt": system.to_wkt("WKT2_2019"),
        "proj4": "",
        "srid": code,
        "authid": crs if code else "",
        "name": system.name,
        "geographic": system.is_geographic,
    }


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("geo.files"), autoescape=True, undefined=jinja2.StrictUndefined, finalize=_finalize
    )
    environment.filters["iso"] = lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return environment


def _finalize(value: Any) -> Any:
    # Every text passes here before it is escaped; Markup (the templates' own parts) is left as it is.
    return clean(value, 20_000) if type(value) is str else value
