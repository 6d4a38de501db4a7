"""A STAC item, 1.0 or 1.1, read with suspicion: what it is of, and where each band lies with which scale."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geo.acquisitions import Part
from geo.errors import InputError
from geo.files.bandnames import RADAR, translate
from geo.files.times import parse_time

WANTED = ("blue", "green", "red", "nir", "nir08", "swir16", "swir22")
RADAR_WANTED = ("vv", "vh", "hh", "hv")
CLASSES = "SCL"
MAX_ASSETS = 500
_NO_DATA_ROLES = {"thumbnail", "overview", "visual", "metadata"}
_TILE = re.compile(r"(?:MGRS-|_T|_)(\d{2}[C-X][A-Z]{2})(?:_|$)")
_PRODUCT = re.compile(r"MSIL(1C|2A)_(\d{8}T\d{6})_N(\d{2})(\d{2})_R(\d{3})_T(\w{5})")
_DATATAKE = re.compile(r"_(\d{8}T\d{6})_")


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One band of one item.

    Attributes:
        href: as the catalogue gives it, absolute.
        index: band in the file, 1-based.
        scale, offset, nodata: as stated, None where nothing is.
        stated: size and checksum where the catalogue gives them.
    """

    href: str
    index: int = 1
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    stated: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Item(Part):
    """One item of a catalogue: which overpass it is of, and what reading it takes.

    Attributes:
        collection: of the catalogue.
        datatake: stamp of the satellite's datatake, empty if unknown.
        applied: whether the offset of baseline 04.00 was taken off already, None where not said.
        epsg: of the tile, None if not said.
        assets: band name to asset; `SCL` is the scene classification.
        orbit: relative orbit, None if unknown; orbit_state: ascending, descending or empty.
        raw: the whole item as it came.
    """

    collection: str
    datatake: str
    applied: bool | None
    epsg: int | None
    assets: Mapping[str, Asset]
    orbit: int | None
    orbit_state: str
    raw: Mapping[str, Any]

    @property
    def is_sentinel2(self) -> bool:
        """True where the offset of baseline 04.00 may be in the numbers."""
        return self.sensor.startswith("sentinel-2")


def parse_item(raw: Mapping[str, Any]) -> Item:
    """Read one item.

    Raises:
        InputError: it is not an item, states no time, or has no band that can be used.
    """
    name, facts = raw.get("id"), raw.get("properties")
    if raw.get("type") != "Feature" or not isinstance(name, str) or not isinstance(facts, dict):
        raise InputError(f"{_short(name)} is not a STAC item.")
    time = next((t for key in ("datetime", "start_datetime") if (t := _time(facts.get(key))) is not None), None)
    if time is None:
        raise InputError(f"{_short(name)} states no time of acquisition.")
    assets = _assets(raw)
    if not any(band != CLASSES for band in assets):
        raise InputError(f"{_short(name)} has no asset that is a GeoTIFF of a band that is known.")
    collection = str(raw.get("collection") or "")
    product = _PRODUCT.search(f"{_text(facts, 's2:product_uri')} {name}")
    return Item(
        id=name,
        time=time,
        sensor=_sensor(facts, collection, name, assets, product),
        platform=_text(facts, "platform").lower(),
        tile=_tile(facts, name, product),
        baseline=_baseline(facts, product),
        made=_text(facts, "updated") or _text(facts, "s2:generation_time") or _text(facts, "created"),
        collection=collection,
        datatake=_stamp(facts, product),
        applied=flag if isinstance(flag := facts.get("earthsearch:boa_offset_applied"), bool) else None,
        epsg=_epsg(facts),
        assets=assets,
        orbit=_orbit(facts, product),
        orbit_state=_text(facts, "sat:orbit_state"),
        raw=raw,
    )


def bands_of(asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One mapping a band: `bands` (1.1), `eo:bands` and `raster:bands` (1.0), and what holds for all."""
    lists = [asset[key] for key in ("eo:bands", "raster:bands", "bands") if isinstance(asset.get(key), list)]
    whole = {k.removeprefix("raster:"): asset[k] for k in ("raster:scale", "raster:offset", "nodata") if k in asset}
    merged = [dict(whole) for _ in range(max((len(entries) for entries in lists), default=1))]
    for entries in lists:
        for band, entry in zip(merged, entries, strict=False):
            for key, value in entry.items() if isinstance(entry, dict) else ():
                band[key.removeprefix("raster:").removeprefix("eo:")] = value
    return merged


def _assets(raw: Mapping[str, Any]) -> dict[str, Asset]:
    listed = raw.get("assets")
    found: dict[str, Asset] = {}
    entries = sorted(listed.items())[:MAX_ASSETS] if isinstance(listed, dict) else []
    usable = [(key, asset) for key, asset in entries if isinstance(asset, dict) and _is_image(key, asset)]
    # One band a file first: of files with several bands only what is lacking is taken.
    for key, asset in sorted(usable, key=lambda pair: (len(bands_of(pair[1])) > 1, pair[0])):
        bands = bands_of(asset)
        for index, band in enumerate(bands, start=1):
            name = _name(key, band, alone=len(bands) == 1)
            if name and name not in found:
                found[name] = Asset(
                    href=str(asset["href"]),
                    index=index,
                    scale=_number(band.get("scale")),
                    offset=_number(band.get("offset")),
                    nodata=_number(band.get("nodata")),
                    stated={k: asset[k] for k in ("file:size", "file:checksum") if k in asset},
                )
    return found


def _is_image(key: str, asset: Mapping[str, Any]) -> bool:
    href, kind, roles = asset.get("href"), str(asset.get("type", "")).lower(), asset.get("roles")
    if (
        not isinstance(href, str)
        or "jp2" in key.lower()
        or (isinstance(roles, list) and _NO_DATA_ROLES & set(map(str, roles)))
    ):
        return False
    return "tiff" in kind or (not kind and href.split("?")[0].lower().endswith((".tif", ".tiff")))


def _name(key: str, band: Mapping[str, Any], *, alone: bool) -> str | None:
    """Our name of a band that we want, or None."""
    said = [str(band.get("common_name") or ""), str(band.get("name") or ""), *([key] if alone else [])]
    if alone and key.lower() in ("scl", "scl_20m"):
        return CLASSES
    if alone:  # `rededge` is the common name of three bands: the key or name tells them apart
        said = [said[2], said[1], said[0]]
    for text in said:
        name = translate([text], hint="Sentinel-2").names[0]
        if name in WANTED or name in RADAR_WANTED:
            return name
    return None


def _sensor(
    facts: Mapping[str, Any], collection: str, name: str, assets: Mapping[str, Asset], product: re.Match[str] | None
) -> str:
    """Kind and level; the product's own name outweighs the collection's."""
    text = f"{collection} {name} {_text(facts, 'constellation')} {_text(facts, 'platform')}".lower()
    if product is not None or re.search(r"sentinel-?2|\bs2[abc]_", text):
        level = product.group(1) if product is not None else _text(facts, "processing:level").upper().removeprefix("L")
        level = level or ("1C" if "l1c" in text else "2A")
        return f"sentinel-2-l{level.lower()}"
    if RADAR & set(assets):
        return "sentinel-1-rtc" if "rtc" in text else "sentinel-1-grd" if "grd" in text else "sentinel-1"
    return re.sub(r"[^a-z0-9-]+", "-", collection.lower()).strip("-") or "unknown"


def _tile(facts: Mapping[str, Any], name: str, product: re.Match[str] | None) -> str:
    grid = _text(facts, "grid:code") or _text(facts, "s2:mgrs_tile")
    if grid:
        return grid.removeprefix("MGRS-").removeprefix("T")
    if product is not None:
        return product.group(6)
    parts = [facts.get(f"mgrs:{key}") for key in ("utm_zone", "latitude_band", "grid_square")]
    if all(part is not None for part in parts):
        return f"{parts[0]:0>2}{parts[1]}{parts[2]}"
    match = _TILE.search(name)
    return match.group(1) if match else ""


def _baseline(facts: Mapping[str, Any], product: re.Match[str] | None) -> tuple[int, int]:
    text = _text(facts, "s2:processing_baseline") or _text(facts, "processing:version")
    match = re.fullmatch(r"N?(\d{2})\.?(\d{2})", text)
    if match is None and product is None:
        return (0, 0)
    return (int(match.group(1)), int(match.group(2))) if match else (int(product.group(3)), int(product.group(4)))  # type: ignore[union-attr]


def _stamp(facts: Mapping[str, Any], product: re.Match[str] | None) -> str:
    match = _DATATAKE.search(_text(facts, "s2:datatake_id"))
    return match.group(1) if match else product.group(2) if product is not None else ""


def _orbit(facts: Mapping[str, Any], product: re.Match[str] | None) -> int | None:
    stated = facts.get("sat:relative_orbit")
    if isinstance(stated, int):
        return stated
    return int(product.group(5)) if product is not None else None


def _epsg(facts: Mapping[str, Any]) -> int | None:
    code, number = facts.get("proj:code"), facts.get("proj:epsg")
    if isinstance(code, str) and re.fullmatch(r"EPSG:\d{4,6}", code):
        return int(code[5:])
    return number if isinstance(number, int) else None


def _text(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    return value if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    return parse_time(value) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _short(name: object) -> str:
    text = "".join(c for c in str(name) if c.isprintable())
    return text[:80] or "An entry"
