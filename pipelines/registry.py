"""`sitewatch init` and `sitewatch sites`: make a workspace, tell its sites, add one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from geo import geojson
from geo.errors import ConfigurationError, UsageError
from geo.files.atomic import atomic_path
from geo.files.vectors import SiteFolder, read_aoi, read_capped, read_sites, site_path
from geo.geojson import Fault
from geo.site_schema import LocationClass, json_schema
from geo.sites import RADIUS_M, SEARCHED, Site, SiteFaults, parse_site
from geo.zones import area_m2, circle, length_m, site_grid

_DECIMALS = 7  # of a degree: about a centimetre


def init(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Make a workspace: aois/, outputs/ with their READMEs, the schema, a commented sitewatch.toml.

    Args:
        folder: new or empty.
        force: take a folder that is not empty too; adds what is missing, and never replaces a file.

    Returns:
        The files that were written.

    Raises:
        ConfigurationError: the folder is not empty, is a file, or cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigurationError(f"{folder} is not a folder; name a new or empty one.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ConfigurationError(f"{folder} is not empty; name a new folder, or add what is missing with --force.")
    templates = files("pipelines") / "workspace"
    contents = {
        "aois/README.md": (templates / "aois.md").read_text("utf-8"),
        "aois/schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        "outputs/README.md": (templates / "outputs.md").read_text("utf-8"),
        "sitewatch.toml": (templates / "sitewatch.toml").read_text("utf-8"),
    }
    written = []
    for name, content in contents.items():
        path = folder / name
        if path.exists():
            continue
        with atomic_path(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
        written.append(path)
    return tuple(written)


def read_workspace(workspace: Path) -> SiteFolder:
    """Return the sites of a workspace and every fault in their files."""
    return read_sites(workspace / "aois")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of `sites list`."""

    id: str
    name: str
    kind: LocationClass
    scan: str
    cadence_days: int
    sensors: tuple[str, ...]
    sensitive: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "id": self.id,
            "name": self.name,
            "location_class": self.kind,
            "scan": self.scan,
            "cadence_days": self.cadence_days,
            "sensors": list(self.sensors),
            "sensitive": self.sensitive,
        }


def list_sites(workspace: Path) -> tuple[Row, ...]:
    """Return a row for every site whose file can be used, by id; `check_sites` tells of the others."""
    return tuple(
        Row(
            id=site.id,
            name=site.name,
            kind=site.location.kind,
            scan="search" if site.is_search else "watch",
            cadence_days=site.cadence_days,
            sensors=site.sensors,
            sensitive=site.sensitive,
        )
        for site in read_workspace(workspace).sites.values()
    )


def table(rows: tuple[Row, ...]) -> Iterator[str]:
    """Return the rows as lines of text in columns."""
    head = ("SITE", "PLACE KNOWN TO", "SCAN", "DAYS", "NAME")
    cells = [head, *((r.id, r.kind, r.scan, str(r.cadence_days), r.name) for r in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head) - 1)]
    for line in cells:
        yield "  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[-1]])


def check_sites(workspace: Path) -> tuple[str, ...]:
    """Return one sentence for each fault in the workspace's site files; raise for them with `raise_for_faults`."""
    return read_workspace(workspace).faults


def raise_for_faults(faults: tuple[str, ...]) -> None:
    """Raise SiteFaults (exit code 78) if there are any."""
    if faults:
        raise SiteFaults(faults)


def show_site(workspace: Path, site_id: str) -> dict[str, Any]:
    """Return all that is known of one site, as plain JSON values.

    Raises:
        SiteFaults: its file is wrong; ConfigurationError: there is no such site.
    """
    return describe_site(find_site(workspace, site_id))


def find_site(workspace: Path, site_id: str) -> Site:
    """Return one site of a workspace.

    Raises:
        SiteFaults: its file is wrong; ConfigurationError: there is no such site (the message lists those there are).
    """
    path = site_path(workspace / "aois", site_id)
    found = read_workspace(workspace)
    if site_id in found.sites:
        return found.sites[site_id]
    faults = tuple(fault for fault in found.faults if str(path) in fault)
    if faults:
        raise SiteFaults(faults)
    known = ", ".join(found.sites) or "none"
    raise ConfigurationError(f"There is no site {site_id!r} in {workspace / 'aois'}; there are: {known}.")


def describe_site(site: Site) -> dict[str, Any]:
    """Return a site in plain JSON values, with what can be measured on it."""
    grid = site_grid(site)
    perimeter = site.perimeter
    return {
        "id": site.id,
        "name": site.name,
        "location": {"class": site.location.kind, "source": site.location.source, "as_of": site.location.as_of},
        "scan": "search" if site.is_search else "watch",
        "cadence_days": site.cadence_days,
        "sensors": list(site.sensors),
        "since": None if site.since is None else site.since.isoformat(),
        "sensitive": site.sensitive,
        "note": site.note,
        "grid": {"crs": grid.crs, "rows": grid.shape[0], "cols": grid.shape[1]},
        "search_area_km2": None if site.search_area is None else round(area_m2(site.search_area) / 1e6, 2),
        "perimeter": None
        if perimeter is None
        else {
            "id": perimeter.id,
            "material": perimeter.material,
            "closed": perimeter.closed,
            "length_m": round(length_m(perimeter.line), 1),
            "area_m2": round(area_m2(Polygon(perimeter.line.coords)), 1) if perimeter.closed else None,
        },
        "buildings": [
            {"id": b.id, "label": b.label, "planned": b.planned, "area_m2": round(area_m2(b.polygon), 1)}
            for b in site.buildings
        ],
        "controls": [{"id": c.id, "label": c.label, "area_m2": round(area_m2(c.polygon), 1)} for c in site.controls],
        "uncertainties": [
            {"id": u.id, "use": u.use, "label": u.label, "note": u.note, "area_km2": round(area_m2(u.polygon) / 1e6, 2)}
            for u in site.uncertainties
        ],
        "timeline": [
            {"date": m.date or " to ".join(m.interval or ()), "event": m.event, "source": m.source}
            for m in site.timeline
        ],
    }


@dataclass(frozen=True, kw_only=True)
class NewSite:
    """What a person says of a site to add. Either `outline` (a file of polygons) or `point` (lon, lat)."""

    id: str
    kind: LocationClass
    source: str
    name: str = ""
    as_of: str = ""
    outline: Path | None = None
    point: tuple[float, float] | None = None
    sensitive: bool = False


def add_site(workspace: Path, new: NewSite, *, now: datetime) -> Path:
    """Write a site file and return its path.

    Polygons become the site's outline, and its uncertainty where the class is commune or coarser; a point gets a
    circle of its class's radius as uncertainty. `as_of` defaults to the day of `now`.

    Raises:
        UsageError: neither or both of outline and point; ConfigurationError: the id is none or taken, or what was
        said is wrong; InputError: the outline cannot be read.
    """
    if (new.outline is None) == (new.point is None):
        raise UsageError("Give the place either as a file of polygons or with --point LON LAT.")
    path = _free_path(workspace, new.id)
    document = drafted(new, now=now)
    parse_site(document, file=str(path))
    with atomic_path(path) as temporary:
        temporary.write_text(pretty(document), encoding="utf-8")
    return path


def drafted(new: NewSite, *, now: datetime) -> dict[str, Any]:
    """The document of a new site; InputError where its outline cannot be read."""
    shape = Point(new.point) if new.point is not None else read_aoi(new.outline or Path())
    return _document(new, shape, now)


def add_file(workspace: Path, file: Path) -> Path:
    """Copy a whole site file (as `aois/README.md` describes it) into a workspace, byte for byte; return its path.

    Raises:
        SiteFaults: the file is wrong; ConfigurationError: there is such a site already, or no workspace.
    """
    try:
        content = read_capped(file)
        site = parse_site(geojson.loads(content), file=str(file))
    except Fault as fault:
        raise SiteFaults((f"{file} {fault}.",)) from fault
    path = _free_path(workspace, site.id)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def _free_path(workspace: Path, site_id: str) -> Path:
    """Where a new site's file goes; refuse an id that is none or taken, and a folder that is no workspace."""
    path = site_path(workspace / "aois", site_id)
    if path.exists() or path.is_symlink():
        raise ConfigurationError(f"{path} is there already; edit it, or choose another id.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{workspace} is not a workspace; make one with: sitewatch init {workspace}.")
    return path


def _document(new: NewSite, shape: Point | Polygon | MultiPolygon, now: datetime) -> dict[str, Any]:
    site = {
        "role": "site",
        "id": new.id,
        "name": new.name or new.id,
        "location": {"class": new.kind, "source": new.source, "as_of": new.as_of or f"{now:%Y-%m-%d}"},
        "sensitive": new.sensitive,
    }
    features = [feature(site, shape)]
    where: BaseGeometry | None = None
    note = "as drawn"
    # A point beyond the Earth, or of no class, gets no circle: parse_site says what is wrong with it.
    radius_m = RADIUS_M.get(new.kind)
    if isinstance(shape, Point) and radius_m is not None and abs(shape.x) <= 180 and abs(shape.y) <= 84:
        where = circle(shape.x, shape.y, radius_m)
        note = f"Circle of {radius_m:,.0f} m, the radius of the class {new.kind}: a convention."
    elif new.kind in SEARCHED and not isinstance(shape, Point):
        where = shape
    if where is not None:
        features.append(feature({"role": "uncertainty", "id": "where", "use": "search", "note": note}, where))
    return {"type": "FeatureCollection", "features": features}


def feature(properties: Mapping[str, Any], shape: BaseGeometry) -> dict[str, Any]:
    """A GeoJSON feature, its polygons counter-clockwise and its positions rounded to about a centimetre."""
    drawn = json.loads(shapely.to_geojson(shapely.orient_polygons(shape) if shape.area else shape))
    return {"type": "Feature", "properties": dict(properties), "geometry": _rounded(drawn)}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def pretty(document: Mapping[str, Any]) -> str:
    """JSON that a person can read: indented, with each position on one line."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+(-?[\d.e-]+),\s+(-?[\d.e-]+)\s+\]", r"[\1, \2]", text) + "\n"
