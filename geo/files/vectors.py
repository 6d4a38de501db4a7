"""Outlines from local files: site files of a workspace, and areas of interest in GeoJSON, GeoPackage or Shapefile.

Files are opened without following a link at the end of the path, as regular files only, and never beyond a cap.
What a file is is told by its first bytes, not its name, before any driver may look at it.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo import geojson
from geo.errors import ConfigurationError, InputError
from geo.geojson import Fault
from geo.site_schema import is_site_id
from geo.sites import Site, SiteFaults, parse_site
from geo.zones import project

SUFFIX = ".geojson"
MAX_FEATURES = 10_000
_SIGNATURES = {"GPKG": (b"SQLite format 3\0", ".gpkg"), "ESRI Shapefile": (b"\x00\x00\x27\x0a", ".shp")}
_LONLAT = "OGC:CRS84"


@dataclass(frozen=True)
class SiteFolder:
    """What a folder of site files holds: the sites that can be used, by id, and a sentence for each fault."""

    sites: Mapping[str, Site]
    faults: tuple[str, ...]


def site_path(folder: str | os.PathLike[str], site_id: str) -> Path:
    """Return where the file of a site lies.

    Raises:
        ConfigurationError: the id could name something else than a site file in `folder`.
    """
    if not is_site_id(site_id):
        shown = site_id[:64].encode("ascii", "backslashreplace").decode()
        raise ConfigurationError(f"{shown!r} is no site id; ids are 1 to 64 of a-z, 0-9 and -, not beginning with -.")
    return Path(folder) / f"{site_id}{SUFFIX}"


def read_site(path: str | os.PathLike[str]) -> Site:
    """Return the site of one file, whose name must be the site's id.

    Raises:
        SiteFaults (a ConfigurationError): everything that is wrong, naming file and feature.
    """
    file = Path(path)
    try:
        site = parse_site(geojson.loads(read_capped(file)), file=str(file))
    except Fault as fault:
        raise SiteFaults((f"{file} {fault}.",)) from fault
    if file.name != f"{site.id}{SUFFIX}":
        raise SiteFaults((f"{file} holds the site {site.id!r}; call the file {site.id}{SUFFIX}.",))
    return site


def read_sites(folder: str | os.PathLike[str]) -> SiteFolder:
    """Return all sites of a folder; a file that cannot be used adds to the faults and hides no other.

    Raises:
        ConfigurationError: there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigurationError(f"There is no folder {root}; make a workspace with `sitewatch init`.")
    sites: dict[str, Site] = {}
    faults: list[str] = []
    for path in sorted(root.iterdir()):
        if path.suffix.lower() not in (SUFFIX, ".json") or path.name == "schema.json" or path.name.startswith("."):
            continue
        try:
            site = read_site(path)
        except SiteFaults as error:
            faults += error.faults
        else:
            sites[site.id] = site
    return SiteFolder(sites, tuple(faults))


def read_capped(path: Path, cap: int = geojson.MAX_BYTES) -> bytes:
    """Return the bytes of a regular file of at most `cap` bytes, following no link.

    Raises:
        Fault: it is a link, a folder or a device, is too large, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Fault("is a symbolic link; put the file itself there") from error
        raise Fault(f"cannot be read ({(error.strerror or 'unknown reason').lower()})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Fault("is not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(cap + 1)
    if len(content) > cap:
        raise Fault(f"is larger than {cap // 1_000_000} MB; simplify its outlines")
    return content


def read_aoi(path: str | os.PathLike[str]) -> Polygon | MultiPolygon:
    """Return the area of interest in a file as one lon/lat Polygon or MultiPolygon (all its polygons together).

    Args:
        path: GeoJSON (collection, feature or geometry), GeoPackage (its first layer with polygons) or Shapefile.

    Raises:
        InputError: the file is none of these, holds something else than polygons, or they cannot be a place.
    """
    file = Path(path)
    try:
        content = read_capped(file)
        driver = _driver(file, content)
        parts = _json_polygons(geojson.loads(content)) if driver is None else _ogr_polygons(file, driver)
        return _together(parts)
    except Fault as fault:
        raise InputError(f"{file} {fault}.") from fault


def _driver(file: Path, content: bytes) -> str | None:
    """Name the driver of a binary file by its first bytes; None for text, which must be GeoJSON."""
    for driver, (signature, suffix) in _SIGNATURES.items():
        if content.startswith(signature):
            if file.suffix.lower() != suffix:
                raise Fault(f"is a {driver} by its content; give it the suffix {suffix}")
            return driver
    if not content.strip():
        raise Fault("is empty")
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        raise Fault("is neither GeoJSON, GeoPackage nor Shapefile")
    return None


def _json_polygons(document: Any) -> list[BaseGeometry]:
    kind = document.get("type")
    if kind == "FeatureCollection":
        geojson.check_crs(document)
        found = document.get("features")
        if not isinstance(found, list) or not found:
            raise Fault("has no features; draw at least one polygon")
    else:
        found = [document if kind == "Feature" else {"type": "Feature", "geometry": document}]
    if len(found) > MAX_FEATURES:
        raise Fault(f"has more than {MAX_FEATURES:,} features; an area of interest is a few outlines")
    parts = []
    for number, feature in enumerate(found, 1):
        try:
            given = feature.get("geometry") if isinstance(feature, Mapping) else None
            parts.append(geojson.geometry(given, ("Polygon", "MultiPolygon")))
        except Fault as fault:
            raise Fault(f"feature {number} {fault}") from fault
    return parts


def _ogr_polygons(file: Path, driver: str) -> list[BaseGeometry]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what GDAL mutters about hostile bytes is told as a fault
            return _read_layer(file, driver)
    except Fault:
        raise
    except Exception as error:  # GDAL's drivers fail in many ways on hostile bytes
        raise Fault("cannot be read as vector data; it may be damaged") from error


def _read_layer(file: Path, driver: str) -> list[BaseGeometry]:
    layers = [str(name) for name, kind in pyogrio.list_layers(file) if kind is None or "Polygon" in str(kind)]
    if not layers:
        raise Fault("has no layer of polygons")
    meta = pyogrio.read_info(file, layer=layers[0], force_feature_count=True)
    if meta["driver"] != driver:
        raise Fault(f"is not a {driver} although it begins like one")
    if meta["crs"] is None:
        raise Fault("does not say its coordinate system; save it again with one")
    if meta["features"] > MAX_FEATURES:
        raise Fault(f"has more than {MAX_FEATURES:,} features; an area of interest is a few outlines")
    _, _, blobs, _ = pyogrio.raw.read(file, layer=layers[0], columns=[], force_2d=True)
    shapes = [shapely.from_wkb(blob) for blob in blobs]
    return [_checked(shape, str(meta["crs"]), number) for number, shape in enumerate(shapes, 1)]


def _checked(shape: BaseGeometry | None, crs: str, number: int) -> BaseGeometry:
    try:
        if shape is None:
            raise Fault("has no geometry; draw it or delete the feature")
        if not isinstance(shape, Polygon | MultiPolygon):
            raise Fault("is not a polygon")
        if not np.isfinite(shapely.get_coordinates(shape)).all():
            raise Fault("has a coordinate that is not a finite number")
        return geojson.check(project(shape, crs, _LONLAT))
    except Fault as fault:
        raise Fault(f"feature {number} {fault}") from fault
    except ValueError as error:
        raise Fault(f"feature {number} lies outside its own coordinate system") from error


def _together(parts: list[BaseGeometry]) -> Polygon | MultiPolygon:
    if not parts:
        raise Fault("has no features; draw at least one polygon")
    whole = shapely.union_all(parts)
    geojson.check(whole)
    if not isinstance(whole, Polygon | MultiPolygon):
        raise Fault("holds polygons that cannot be joined into one area")
    return whole
