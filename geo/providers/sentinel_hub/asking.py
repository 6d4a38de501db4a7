"""Requests, made by the `sentinelhub` library: the words of the service are its affair.

It is given no credentials and sends nothing. A collection of the library carries the address of the service it is
usually at, which wins over the address configured; so each is derived anew for the address that is to be asked.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

from affine import Affine

from geo.errors import ConfigurationError, InputError
from geo.grid import Grid, Window
from geo.providers.sentinel_hub.credentials import Endpoint
from geo.providers.sentinel_hub.sensors import Sensor

MOST_PX = 2500
"""Rows or columns of one answer, by the service's own limit."""
MOST_PIXELS = 40_000_000
PAGE_ITEMS = 100
_LOCK = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Call:
    """Where to send what, and what to accept."""

    url: str
    payload: Mapping[str, Any]
    accept: str


def image_call(sensor: Sensor, endpoint: Endpoint, span: tuple[datetime, datetime], grid: Grid) -> Call:
    """The request for one image of `grid`, of everything seen from `span[0]` to `span[1]` (aware UTC, inclusive).

    Raises:
        ConfigurationError: the grid has no system that has a number.
    """
    from sentinelhub import CRS, BBox, MimeType, MosaickingOrder, ResamplingType, SentinelHubRequest

    if grid.epsg is None:
        raise ConfigurationError("Sentinel Hub is asked for a place in a system with an EPSG number: give a site.")
    with _LOCK:
        request = SentinelHubRequest(
            evalscript=sensor.evalscript,
            input_data=[
                SentinelHubRequest.input_data(
                    collection(sensor.library, endpoint.base_url),
                    time_interval=span,
                    mosaicking_order=MosaickingOrder.LEAST_RECENT,
                    upsampling=ResamplingType.NEAREST,
                    downsampling=ResamplingType.NEAREST,
                    other_args={"processing": dict(sensor.processing)} if sensor.processing else None,
                )
            ],
            responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
            bbox=BBox(grid.bounds, CRS(grid.epsg)),
            size=(grid.shape[1], grid.shape[0]),
            config=_config(endpoint),
        )
    made = request.download_list[0]
    return Call(url=str(made.url), payload=dict(request.payload), accept=str(made.headers["accept"]))


def search_pages(
    sensor: Sensor,
    endpoint: Endpoint,
    ring: list[tuple[float, float]],
    span: tuple[datetime, datetime],
    post: Callable[[str, Mapping[str, Any]], dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Yield the catalogue's entries, raw, oldest first or not, that meet an outline (lon, lat) and a span of time.

    Args:
        sensor: of which collection.
        endpoint: whose catalogue.
        ring: outline, closed.
        span: first and last time.
        post: sends JSON to an address and returns the answer; it stops what pages without end.
    """
    from sentinelhub import CRS, Geometry, SentinelHubCatalog
    from shapely.geometry import Polygon

    class Posting:
        """All that the library's catalogue wants of a client."""

        def get_json_dict(self, url: str, *, post_values: Mapping[str, Any], **_words: Any) -> dict[str, Any]:
            return post(url, post_values)

    with _LOCK:
        catalogue = SentinelHubCatalog(config=_config(endpoint))
        catalogue.client = Posting()
        found = catalogue.search(
            collection(sensor.library, endpoint.base_url),
            time=span,
            # An outline, since a box would be widened when it is turned into degrees.
            geometry=Geometry(Polygon(ring), CRS.WGS84),
            limit=PAGE_ITEMS,
        )
    yield from found


def collection(name: str, base_url: str) -> Any:
    """The library's collection `name` as it is at `base_url`; the same object whenever it is asked for."""
    return _derived(name, base_url.rstrip("/"))


@lru_cache(maxsize=64)
def _derived(name: str, base_url: str) -> Any:
    from sentinelhub import DataCollection

    usual = DataCollection[name]
    wanted = usual.value.derive(service_url=base_url)
    # The library keeps one registry for the whole process, and refuses a second name for the same definition.
    for known in DataCollection:
        if known.value == wanted:
            return known
    short = sha256(base_url.encode()).hexdigest()[:12].upper()
    return usual.define_from(f"SITEWATCH_{name}_{short}", service_url=base_url)


def _config(endpoint: Endpoint) -> Any:
    """Neither the library's own file nor the environment is looked into; a name and a secret it never gets."""
    from sentinelhub import SHConfig

    return SHConfig(use_defaults=True, sh_base_url=endpoint.base_url, sh_token_url=endpoint.token_url, max_retries=1)


def lattice(sensor: Sensor, site: Grid) -> Grid:
    """The pixels to ask for: the site's, or the sensor's own around it where those are known to be the same system.

    Raises:
        ConfigurationError: the site has no system in metres, or is too large.
    """
    if site.crs is None or site.epsg is None or site.is_geographic:
        raise ConfigurationError("Sentinel Hub is asked for a place in metres: give a site.")
    grid = site
    if sensor.lattice_m is not None:
        size, phase = sensor.lattice_m
        left, bottom, right, top = site.bounds
        west, south = (math.floor((v - phase) / size + 1e-9) * size + phase for v in (left, bottom))
        cols, rows = (math.ceil((b - a) / size - 1e-9) for a, b in ((west, right), (south, top)))
        transform = Affine(size, 0, west, 0, -size, south + rows * size)
        grid = Grid(site.crs, transform, (rows, cols))
    if grid.shape[0] * grid.shape[1] > MOST_PIXELS:
        raise ConfigurationError("The site is too large to be fetched in one piece; draw smaller ones.")
    return grid


def split(grid: Grid, most: int = MOST_PX) -> list[Window]:
    """Windows (rows, cols) of about equal size, none larger than `most` either way, that cover a grid exactly once.

    Edges lie between pixels, so the same pixels are read whichever window they are in.

    >>> split(Grid("EPSG:32648", __import__("affine").Affine(10, 0, 0, 0, -10, 0), (3, 5)), most=3)
    [(slice(0, 3, None), slice(0, 2, None)), (slice(0, 3, None), slice(2, 5, None))]
    """
    if min(grid.shape) < 1:
        raise InputError("The site has no pixels.")
    rows, cols = (_parts(size, most) for size in grid.shape)
    return [(r, c) for r in rows for c in cols]


def _parts(size: int, most: int) -> list[slice]:
    count = -(-size // most)
    edges = [size * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]
