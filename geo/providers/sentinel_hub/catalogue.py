"""Which looks there are: the service's catalogue, read with suspicion, one item a tile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from pyproj import Transformer

from geo.acquisitions import Part
from geo.errors import InputError, SitewatchError, TemporaryError
from geo.files.times import parse_time
from geo.grid import Grid
from geo.providers.sentinel_hub.asking import search_pages
from geo.providers.sentinel_hub.sensors import LANDSAT, RADAR, Sensor
from geo.providers.sentinel_hub.session import Session
from geo.providers.sentinel_hub.units import HEADER, SEARCH_UNITS, Budget, stated

MAX_PAGES = 500
MAX_PAGE_BYTES = 32 * 2**20
FIRST_DAY = datetime(2013, 1, 1, tzinfo=UTC)
_SIDE_POINTS = 8
_OPTICAL = re.compile(r"^(S2[A-Z])_MSIL2A_(\d{8}T\d{6})_N(\d{2})(\d{2})_R(\d{3})_T(\w{5})")
_RADAR = re.compile(r"^(S1[A-Z])_IW_GRDH_1S[A-Z]{2}_(?:\d{8}T\d{6}_){2}(\d{6})_")
_LANDSAT = re.compile(r"^L[CO]0([89])_L2\w{2}_(\d{6})_\d{8}_")
# Relative orbit = (absolute - shift) modulo 175, plus 1 (ESA, Sentinel-1 product specification).
_SHIFT = {"sentinel-1a": 73, "sentinel-1b": 27, "sentinel-1c": 172}
_RADAR_ORBITS = 175


@dataclass(frozen=True, kw_only=True)
class Item(Part):
    """One entry of the catalogue.

    Attributes:
        orbit: relative orbit, None if unknown; orbit_state: ascending, descending or empty.
        datatake: stamp that all tiles of a look share, empty if there is none.
        raw: the entry as it came.
    """

    orbit: int | None
    orbit_state: str
    datatake: str
    raw: Mapping[str, Any]


def find_items(
    session: Session, sensor: Sensor, site: Grid, span: tuple[datetime, datetime], budget: Budget
) -> Iterator[dict[str, Any]]:
    """Yield every entry, raw, of a sensor that meets the site's grid and a span of time, clouds or not.

    Raises:
        TemporaryError: the service is down, answers nonsense, or pages without end; ConfigurationError: see `Session`.
    """
    name, seen, pages = session.endpoint.name, set[str](), 0

    def post(url: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal pages
        pages += 1
        answer = session.ask(url, payload, most_bytes=MAX_PAGE_BYTES, accept="application/geo+json")
        spent = stated(answer.headers.get(HEADER))
        budget.settle(0.0, SEARCH_UNITS if spent is None else spent)
        page = json.loads(answer.body)
        features = page["features"]
        fresh = {str(feature["id"]) for feature in features} - seen
        # A page that brings nothing new points to itself, whatever its `next` says.
        if pages > MAX_PAGES or (features and not fresh):
            raise TemporaryError(f"{name} pages without end ({pages} pages); try again later.")
        seen.update(fresh)
        return {"features": features, "context": {"next": _next(page)}}

    try:
        yield from search_pages(sensor, session.endpoint, outline(site), span, post)
    except InputError as error:
        raise TemporaryError(f"The catalogue does not answer: {error}") from None
    except SitewatchError:
        raise
    except Exception as error:  # the library raises whatever damaged JSON provokes
        raise TemporaryError(
            f"{name} answers what cannot be understood ({type(error).__name__}); try again later."
        ) from error


def parse_item(raw: Mapping[str, Any], sensor: Sensor) -> Item:
    """Read an entry.

    Raises:
        InputError: it has no usable id or time, or it is a radar look whose orbit nothing tells: looks from different
        orbits must never be compared.
    """
    name, facts = raw.get("id"), raw.get("properties")
    if not isinstance(name, str) or not name or len(name) > 300 or not name.isprintable():
        raise InputError("An entry of the catalogue has no usable id.")
    if not isinstance(facts, dict):
        raise InputError(f"{name[:80]} has no properties.")
    text = facts.get("datetime")
    time = parse_time(text) if isinstance(text, str) else None
    if time is None:
        raise InputError(f"{name[:80]} states no time that can be read.")
    optical, radar, landsat = _OPTICAL.match(name), _RADAR.match(name), _LANDSAT.match(name)
    platform = _text(facts, "platform").lower() or _platform(optical or radar)
    kind, tile, baseline, orbit = sensor.collection, "", (0, 0), _stated_orbit(facts)
    if optical is not None:
        tile, baseline = optical.group(6), (int(optical.group(3)), int(optical.group(4)))
        orbit = int(optical.group(5)) if orbit is None else orbit
    elif sensor is LANDSAT:
        number = landsat.group(1) if landsat else "9" if "9" in platform else "8"
        platform, kind = f"landsat-{number}", f"landsat-{number}-l2"
        tile = landsat.group(2) if landsat else ""
    if sensor is RADAR:
        orbit = _relative(platform, radar) if orbit is None else orbit
        if orbit is None:
            raise InputError(f"{name[:80]} does not tell its orbit; radar looks of different orbits do not compare.")
    return Item(
        id=name,
        time=time,
        sensor=kind,
        platform=platform,
        tile=tile,
        baseline=baseline,
        made=_text(facts, "updated") or _text(facts, "created"),
        orbit=orbit,
        orbit_state=_text(facts, "sat:orbit_state").lower(),
        datatake=optical.group(2) if optical is not None else "",
        raw=raw,
    )


def outline(site: Grid) -> list[tuple[float, float]]:
    """The grid's outline as a closed ring of (lon, lat), with points between its corners."""
    left, bottom, right, top = site.bounds
    corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    ring = [
        (x0 + (x1 - x0) * i / _SIDE_POINTS, y0 + (y1 - y0) * i / _SIDE_POINTS)
        for (x0, y0), (x1, y1) in pairwise(corners)
        for i in range(_SIDE_POINTS)
    ]
    to_degrees = Transformer.from_crs(site.crs, "OGC:CRS84", always_xy=True)
    found = [to_degrees.transform(x, y) for x, y in ring]
    return [*found, found[0]]


def _next(page: Mapping[str, Any]) -> Any:
    """Where the next page begins: in `context` as documented, else in a link, which newer catalogues keep to."""
    context = page.get("context")
    if isinstance(context, dict) and context.get("next") is not None:
        return context["next"]
    for link in page.get("links") or ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("body"), dict):
            return link["body"].get("next")
    return None


def _platform(product: re.Match[str] | None) -> str:
    return f"sentinel-{product.group(1)[1]}{product.group(1)[2].lower()}" if product is not None else ""


def _stated_orbit(facts: Mapping[str, Any]) -> int | None:
    value = facts.get("sat:relative_orbit")
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1000 else None


def _relative(platform: str, product: re.Match[str] | None) -> int | None:
    if product is None or platform not in _SHIFT:
        return None
    return (int(product.group(2)) - _SHIFT[platform]) % _RADAR_ORBITS + 1


def _text(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 100 else ""
