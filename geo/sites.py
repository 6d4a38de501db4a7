"""Sites: named places to watch, how surely each place is known, and what was drawn there.

A site is one GeoJSON FeatureCollection. `parse_site` takes the mapping and names every fault with its file and
feature; reading files is the matter of `geo.files.vectors`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import shapely
from pydantic import ValidationError
from pyproj import Geod
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from geo import geojson
from geo.errors import ConfigurationError
from geo.geojson import Fault
from geo.site_schema import (
    PROPERTIES,
    BuildingProperties,
    ControlProperties,
    LocationClass,
    Material,
    Moment,
    PerimeterProperties,
    Properties,
    Role,
    SiteProperties,
    UncertaintyProperties,
    Use,
    explain,
)

LOCATION_CLASSES: tuple[LocationClass, ...] = ("exact", "500m", "village", "commune", "town", "province")
SEARCHED: tuple[LocationClass, ...] = ("commune", "town", "province")
RADIUS_M: Mapping[LocationClass, float] = {
    "exact": 250.0, "500m": 500.0, "village": 2_000.0, "commune": 8_000.0, "town": 5_000.0, "province": 20_000.0,
}  # fmt: skip
"""How far from its point a place of each class may be (`exact`: how far its grounds may reach)."""

FURTHEST_M = 100_000.0
_AREAS = ("Polygon", "MultiPolygon")
_GEOMETRIES: Mapping[Role, tuple[str, ...]] = {
    "site": ("Point", "Polygon", "MultiPolygon"),
    "perimeter": ("Polygon", "LineString"),
    "building": _AREAS,
    "control": _AREAS,
    "uncertainty": _AREAS,
}
_WGS84 = Geod(ellps="WGS84")


class SiteFaults(ConfigurationError):  # noqa: N818 - all that is wrong at once
    """A site file is wrong; `faults` holds one sentence for each thing that is."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        """Keep all faults; the message tells the first."""
        more = f" ({len(faults) - 1} more: see `sitewatch sites check`)" if len(faults) > 1 else ""
        super().__init__(faults[0] + more)
        self.faults = faults


@dataclass(frozen=True, kw_only=True)
class Location:
    """How surely the place is known: a class, who says so, and the day (or month, or year) it was true."""

    kind: LocationClass
    source: str
    as_of: str


@dataclass(frozen=True, kw_only=True)
class Perimeter:
    """The enclosure. `line` is lon/lat; where `closed`, it ends at its first vertex and what it rings is inside."""

    id: str
    line: LineString
    closed: bool
    material: Material
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Building:
    """One building, standing or `planned`. `polygon` is lon/lat."""

    id: str
    polygon: BaseGeometry
    planned: bool
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Ground of the same kind where nothing is built: whatever is flagged there is a false alarm. Lon/lat."""

    id: str
    polygon: BaseGeometry
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Where the site may be. `search` bounds it; `prior` only says where it is likelier, and must never filter."""

    id: str
    polygon: BaseGeometry
    use: Use
    label: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A named place to watch. All geometry is longitude, latitude on WGS 84.

    Attributes:
        geometry: what was drawn for the site itself: a Point, Polygon or MultiPolygon. For a place that is not
            known exactly it is where to look, never where the facility is.
        cadence_days: days between two scans; sensors: what to look at it with; since: first day to look at.
        sensitive: True if the place must not be told in logs and public reports.
        timeline: what public sources say happened there, in the file's order.
        document: the GeoJSON mapping that all this was read from.
    """

    id: str
    name: str
    geometry: BaseGeometry
    location: Location
    cadence_days: int
    sensors: tuple[str, ...]
    since: date | None
    sensitive: bool
    note: str
    timeline: tuple[Moment, ...]
    perimeter: Perimeter | None
    buildings: tuple[Building, ...]
    controls: tuple[Control, ...]
    uncertainties: tuple[Uncertainty, ...]
    document: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def is_search(self) -> bool:
        """True where the place is so vague that a scan can only rank candidates."""
        return self.location.kind in SEARCHED

    @cached_property
    def search_area(self) -> BaseGeometry | None:
        """Union of the uncertainty polygons that bound the site, or None."""
        found = [u.polygon for u in self.uncertainties if u.use == "search"]
        return shapely.union_all(found) if found else None

    @cached_property
    def extent(self) -> BaseGeometry:
        """Everything a scan must cover: the site, what was drawn in it, its controls and where it may be."""
        drawn = [self.geometry, *(b.polygon for b in self.buildings), *(c.polygon for c in self.controls)]
        drawn += [] if self.perimeter is None else [self.perimeter.line]
        drawn += [] if self.search_area is None else [self.search_area]
        return shapely.union_all(drawn)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the file says of the site, whatever the order of its keys."""
        return hashlib.sha256(json.dumps(self.document, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Drawn:
    """A feature that passed on its own: what to call it in a message, its properties, its geometry."""

    called: str
    properties: Properties
    geometry: BaseGeometry

    @property
    def given_id(self) -> str | None:
        return self.properties.id or getattr(self.properties, "label", None) or None


def parse_site(document: object, *, file: str) -> Site:
    """Return the site of a GeoJSON mapping.

    Args:
        document: what `geo.geojson.loads` gave.
        file: how messages name the file.

    Raises:
        SiteFaults: every fault found, one sentence each, naming `file` and the feature.
    """
    try:
        features = geojson.features(document)
    except Fault as fault:
        raise SiteFaults((f"{file} {fault}.",)) from fault
    drawn, faults = [], []
    for number, feature in enumerate(features, 1):
        try:
            drawn.append(_feature(feature, number))
        except Fault as fault:
            faults.append(f"{file}: {fault}.")
    if not faults:
        try:
            faults = [f"{file}: {told}." for told in _together(drawn)]
        except Fault as fault:
            faults = [f"{file}: {fault}."]
    if faults:
        raise SiteFaults(tuple(faults))
    assert isinstance(document, Mapping)  # noqa: S101 - it had features
    return replace(_assemble(drawn), document=document)


def _feature(feature: object, number: int) -> _Drawn:
    called = f"feature {number}"
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        raise Fault(f'{called} is not a GeoJSON Feature ("type": "Feature")')
    unknown = sorted(str(k) for k in feature if k not in geojson.FEATURE_KEYS)
    if unknown:
        raise Fault(f"{called} has an unknown key {unknown[0][:60]!r}; site facts belong into its properties")
    given = feature.get("properties")
    if not isinstance(given, Mapping):
        raise Fault(f"{called} has no properties; it needs at least a role")
    # QGIS writes every column of the layer into every feature: null says "not said".
    said = {key: value for key, value in given.items() if value is not None}
    role = said.get("role")
    if not isinstance(role, str) or role not in PROPERTIES:
        raise Fault(f"{called} needs a role, one of {', '.join(PROPERTIES)}")
    called = f"feature {number} ({role})"
    try:
        properties = PROPERTIES[role].model_validate(said)
    except ValidationError as error:
        raise Fault(f"{called} {explain(error, PROPERTIES[role])}") from error
    called = f"feature {number} ({role} {properties.id!r})" if properties.id else called
    try:
        shape = geojson.geometry(feature.get("geometry"), _GEOMETRIES[properties.role])
    except Fault as fault:
        raise Fault(f"{called} {fault}") from fault
    return _Drawn(called, properties, shape)


def _together(drawn: list[_Drawn]) -> list[str]:
    """Tell what is wrong between features that are each right."""
    by_role = Counter(d.properties.role for d in drawn)
    if by_role["site"] != 1:
        raise Fault(f"one feature must have the role site, not {by_role['site']}; one file is one site")
    faults = []
    if by_role["perimeter"] > 1:
        faults.append("there are several perimeters; give the second enclosure a site file of its own")
    if sum(len(shapely.get_coordinates(d.geometry)) for d in drawn) > geojson.MAX_VERTICES:
        faults.append(f"there are more than {geojson.MAX_VERTICES:,} vertices; simplify the outlines")
    for d in drawn:
        if by_role[d.properties.role] > 1 and d.given_id is None:
            faults.append(f"{d.called} needs an id (or label) of its own, so that findings can be followed over time")
    repeats = [(name, n) for name, n in Counter(_id(d) for d in drawn).items() if n > 1]
    faults += [f"the id {name!r} is used by {n} features; ids must differ" for name, n in repeats]
    shapes = Counter((d.properties.role, shapely.to_wkb(shapely.normalize(d.geometry))) for d in drawn)
    copies = [(role, n) for (role, _), n in shapes.items() if n > 1]
    faults += [f"there are {n} features of role {role} with the same outline; delete the copies" for role, n in copies]
    return faults + _far_apart(drawn) + _beyond_knowledge(drawn)


def _beyond_knowledge(drawn: list[_Drawn]) -> list[str]:
    """Tell what is drawn more precisely than the place is known, and a vague place without bounds."""
    site = next(d.properties for d in drawn if isinstance(d.properties, SiteProperties))
    kind = site.location.kind
    if kind not in SEARCHED:
        return []
    faults = [
        f"{d.called} is drawn although the place is only known as a {kind}; pin the place first, then draw"
        for d in drawn
        if d.properties.role in ("perimeter", "building")
    ]
    if not any(isinstance(d.properties, UncertaintyProperties) and d.properties.use == "search" for d in drawn):
        faults.append(f"the location class {kind} needs a feature of role uncertainty that bounds the place")
    return faults


def _far_apart(drawn: list[_Drawn]) -> list[str]:
    """Tell features that lie nowhere near the site: swapped coordinates, or another place altogether."""
    site = next(d for d in drawn if d.properties.role == "site")
    home = site.geometry.representative_point()
    faults = []
    for d in drawn:
        west, south, east, north = d.geometry.bounds
        if _distance_m(west, south, east, north) > 2 * FURTHEST_M:
            faults.append(f"{d.called} is larger than any site; split it or draw it smaller")
            continue
        there = d.geometry.representative_point()
        away = _distance_m(home.x, home.y, there.x, there.y)
        if away <= FURTHEST_M:
            continue
        if abs(there.x) <= 90 and _distance_m(home.x, home.y, there.y, there.x) <= FURTHEST_M:
            faults.append(f"{d.called} has longitude and latitude swapped against the site feature")
        else:
            faults.append(f"{d.called} lies {away / 1000:,.0f} km from the site feature; one of them is misplaced")
    return faults


def _distance_m(x: float, y: float, to_x: float, to_y: float) -> float:
    return float(_WGS84.inv(x, y, to_x, to_y)[2])


def _id(drawn: _Drawn) -> str:
    return drawn.given_id or drawn.properties.role


def _assemble(drawn: list[_Drawn]) -> Site:
    perimeter: Perimeter | None = None
    buildings, controls, uncertainties = [], [], []
    for d in drawn:
        match d.properties:
            case PerimeterProperties() as p:
                perimeter = _perimeter(_id(d), p, d.geometry)
            case BuildingProperties() as p:
                buildings.append(Building(id=_id(d), polygon=d.geometry, planned=p.planned, label=p.label))
            case ControlProperties() as p:
                controls.append(Control(id=_id(d), polygon=d.geometry, label=p.label))
            case UncertaintyProperties() as p:
                uncertainties.append(Uncertainty(id=_id(d), polygon=d.geometry, use=p.use, label=p.label, note=p.note))
            case _:
                site = _bare(d.properties, d.geometry)
    return replace(
        site,
        perimeter=perimeter,
        buildings=tuple(buildings),
        controls=tuple(controls),
        uncertainties=tuple(uncertainties),
    )


def _bare(p: Properties, geometry: BaseGeometry) -> Site:
    assert isinstance(p, SiteProperties)  # noqa: S101 - the last of the five roles
    return Site(
        id=p.id,
        name=p.name,
        geometry=geometry,
        location=Location(kind=p.location.kind, source=p.location.source, as_of=p.location.as_of),
        cadence_days=p.cadence_days,
        sensors=p.sensors,
        since=p.since,
        sensitive=p.sensitive,
        note=p.note,
        timeline=p.timeline,
        perimeter=None,
        buildings=(),
        controls=(),
        uncertainties=(),
    )


def _perimeter(name: str, p: PerimeterProperties, shape: BaseGeometry) -> Perimeter:
    ring = isinstance(shape, Polygon)
    line = LineString(shape.exterior.coords) if isinstance(shape, Polygon) else LineString(shape.coords)
    return Perimeter(id=name, line=line, closed=ring or line.is_ring, material=p.material, label=p.label)
