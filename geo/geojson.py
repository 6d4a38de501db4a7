"""GeoJSON from strangers: text to mapping, geometry to shapely, every fault one sentence.

Nothing here opens a file. Geometries are longitude, latitude on WGS 84 (RFC 7946); heights are dropped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

MAX_BYTES = 20_000_000
MAX_VERTICES = 50_000
MAX_DEPTH = 32
CRS84 = ("urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "OGC:CRS84")
COLLECTION_KEYS = frozenset(
    {"type", "features", "name", "description", "crs", "bbox", "xy_coordinate_resolution", "$schema"}
)
FEATURE_KEYS = frozenset({"type", "id", "bbox", "properties", "geometry"})
_UTM_LATITUDES = (-80.0, 84.0)


class Fault(ValueError):  # noqa: N818 - a finding about a file, told to its author
    """One thing that is wrong, in words that follow the name of the file and feature."""


def loads(content: bytes | str) -> Any:
    """Parse JSON text strictly: UTF-8 (a byte-order mark is fine), no repeated keys, no NaN, capped size and depth.

    Raises:
        Fault: what is wrong with the text.
    """
    if len(content) > MAX_BYTES:
        raise Fault(f"is larger than {MAX_BYTES // 1_000_000} MB; simplify its outlines")
    # Counting brackets is a thousand times faster than finding out after parsing a million positions.
    if content.count(b"[" if isinstance(content, bytes) else "[") > 4 * MAX_VERTICES:  # type: ignore[arg-type]
        raise Fault(f"has more than {MAX_VERTICES:,} vertices; simplify it")
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
        document = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except Fault:
        raise
    except UnicodeDecodeError as error:
        raise Fault("is not UTF-8 text; save it as UTF-8") from error
    except RecursionError as error:
        raise Fault("is nested too deeply to be GeoJSON") from error
    except json.JSONDecodeError as error:
        raise Fault(f"is not valid JSON ({error.msg}, line {error.lineno} column {error.colno})") from error
    except ValueError as error:
        raise Fault("holds a number that no coordinate or property can have") from error
    if _depth(document) > MAX_DEPTH:
        raise Fault("is nested too deeply to be GeoJSON")
    return document


def features(document: object) -> list[Any]:
    """Return the features of a FeatureCollection, unread; raise Fault where the collection itself is off."""
    if not isinstance(document, Mapping) or document.get("type") != "FeatureCollection":
        raise Fault('is not a GeoJSON FeatureCollection ("type": "FeatureCollection")')
    unknown = sorted(str(k) for k in document if k not in COLLECTION_KEYS)
    if unknown:
        raise Fault(f"has an unknown key {unknown[0]!r} beside its features")
    check_crs(document)
    found = document.get("features")
    if not isinstance(found, list):
        raise Fault("has no list of features")
    if not found:
        raise Fault("has no features; draw at least one")
    return found


def check_crs(document: Mapping[Any, Any]) -> None:
    """Refuse a `crs` member that is not CRS84: such files mean coordinates that GeoJSON no longer has."""
    if document.get("crs") is None:
        return
    crs = document["crs"]
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    if name not in CRS84:
        raise Fault("has a crs other than CRS84; save it with coordinate system EPSG:4326 and RFC 7946 on")


def geometry(value: object, allowed: Sequence[str]) -> BaseGeometry:
    """Return the shapely geometry of a GeoJSON geometry object, checked.

    Args:
        value: the `geometry` member as parsed.
        allowed: GeoJSON type names; a Multi... with one part counts as that part.

    Raises:
        Fault: no geometry, a type not allowed, or coordinates that cannot be right.
    """
    if value is None:
        raise Fault("has no geometry; draw it or delete the feature")
    if not isinstance(value, Mapping):
        raise Fault("has a geometry that is not an object")
    check_crs(value)
    kind, coordinates = value.get("type"), value.get("coordinates")
    if isinstance(kind, str) and kind.startswith("Multi") and isinstance(coordinates, list) and len(coordinates) == 1:
        kind, coordinates = kind.removeprefix("Multi"), coordinates[0]
    if kind not in allowed:
        named = kind if isinstance(kind, str) and kind.isalpha() and len(kind) < 30 else "something else"
        raise Fault(f"is a {named}; it must be a {' or '.join(allowed)}")
    return check(_build(str(kind), coordinates))


def check(shape: BaseGeometry) -> BaseGeometry:
    """Refuse a lon/lat geometry that cannot be a place: out of range, self-crossing, without extent, too wide.

    Raises:
        Fault: what is wrong, naming the vertex where it helps (never a coordinate: the place may be a secret).
    """
    xy = shapely.get_coordinates(shape)
    if not len(xy):
        raise Fault("is empty; draw it or delete the feature")
    if len(xy) > MAX_VERTICES:
        raise Fault(f"has {len(xy):,} vertices, more than {MAX_VERTICES:,}; simplify it")
    if not all(map(math.isfinite, xy.ravel().tolist())):
        raise Fault("has a coordinate that is not a finite number")
    if (abs(xy[:, 1]) > 90).any():
        swapped = (abs(xy[:, 0]) <= 90).all() and (abs(xy[:, 1]) <= 180).all()
        hint = "longitude and latitude look swapped, longitude comes first" if swapped else "save it in EPSG:4326"
        raise Fault(f"has a latitude beyond 90 degrees: {hint}")
    if (abs(xy[:, 0]) > 180).any():
        raise Fault("has a longitude beyond 180 degrees: save it in EPSG:4326")
    if not ((xy[:, 1] >= _UTM_LATITUDES[0]) & (xy[:, 1] <= _UTM_LATITUDES[1])).all():
        raise Fault("lies beyond 80 degrees south or 84 degrees north, where there is no UTM grid")
    for part in shapely.get_parts(shape):
        _check_part(part)
    if not shape.is_valid:
        raise Fault(f"is not a valid outline ({_reason(shape)}); correct it in QGIS")
    return shape


def _check_part(part: BaseGeometry) -> None:
    west, _, east, _ = part.bounds
    if east - west > 180:
        raise Fault("spans more than half the globe; split it at the 180 degree meridian into a MultiPolygon")
    if isinstance(part, Polygon):
        if part.is_valid and part.area == 0:
            raise Fault("has no area")
        if not part.is_valid:
            flat = part.convex_hull.area == 0
            raise Fault("has no area" if flat else f"crosses or touches itself ({_reason(part)}); correct it in QGIS")
    if isinstance(part, LineString):
        if part.length == 0:
            raise Fault("has no length")
        if not part.is_simple:
            raise Fault("crosses itself; draw the line without a loop")


def _reason(shape: BaseGeometry) -> str:
    """Say what is invalid by the vertex it is nearest to, in words without coordinates."""
    told = explain_validity(shape)
    words, _, place = told.partition("[")
    try:
        x, y = (float(v) for v in place.rstrip("]").split()[:2])
    except ValueError:
        return words.strip().lower()
    xy = shapely.get_coordinates(shape)
    nearest = int(((xy - (x, y)) ** 2).sum(axis=1).argmin())
    return f"{words.strip().lower()} near vertex {nearest + 1}"


def _build(kind: str, coordinates: object) -> BaseGeometry:
    if kind == "Point":
        return Point(_position(coordinates))
    if kind == "LineString":
        return LineString(_path(coordinates))
    if kind == "MultiLineString":
        return MultiLineString([_path(part) for part in _parts(coordinates)])
    if kind == "Polygon":
        return _polygon(coordinates)
    if kind == "MultiPolygon":
        return MultiPolygon([_polygon(part) for part in _parts(coordinates)])
    raise Fault(f"is a {kind}, which a site has no use for")


def _parts(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Fault("has coordinates that are not a list")
    if not value:
        raise Fault("is empty; draw it or delete the feature")
    if len(value) > MAX_VERTICES:
        raise Fault(f"has more than {MAX_VERTICES:,} vertices; simplify it")
    return value


def _position(value: object) -> tuple[float, float]:
    position = _parts(value)
    if len(position) not in (2, 3) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in position):
        raise Fault("has a position that is not [longitude, latitude]")
    try:
        x, y = float(position[0]), float(position[1])
    except OverflowError as error:
        raise Fault("has a coordinate that is not a finite number") from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise Fault("has a coordinate that is not a finite number")
    return x, y


def _path(value: object) -> list[tuple[float, float]]:
    positions = [_position(v) for v in _parts(value)]
    if len(positions) < 2:
        raise Fault("is a line of fewer than 2 positions")
    return positions


def _polygon(value: object) -> Polygon:
    rings = [[_position(v) for v in _parts(ring)] for ring in _parts(value)]
    for ring in rings:
        if len(ring) >= 3 and ring[0] != ring[-1]:
            raise Fault("has a ring that is not closed: its last position must repeat the first")
        if len(ring) < 4:
            raise Fault("has a ring of fewer than 4 positions")
    return Polygon(rings[0], rings[1:])


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise Fault(f"says {repeated[:60]!r} twice in one object")
    return found


def _no_constant(word: str) -> NoReturn:
    raise Fault(f"holds {word}, which is not a JSON number")


def _depth(document: object) -> int:
    deepest, waiting = 0, [iter([document])]
    while waiting:
        deepest = max(deepest, len(waiting))
        if deepest > MAX_DEPTH:
            break
        child = next(waiting[-1], _END)
        if child is _END:
            waiting.pop()
        elif isinstance(child, dict | list):
            waiting.append(_children(child))
    return deepest


_END = object()


def _children(node: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(node.values()) if isinstance(node, dict) else iter(node)
