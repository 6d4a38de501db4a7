"""Searching a STAC API by pystac-client, every request through our own bounded client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode

from geo.errors import ConfigurationError, MissingExtraError, SitewatchError, TemporaryError
from geo.providers.stac.endpoints import Endpoint
from geo.providers.web import Web

PAGE_ITEMS = 100
MAX_PAGES = 500
MAX_PAGE_BYTES = 64 * 2**20
FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)


def find_items(
    web: Web, endpoint: Endpoint, bbox: tuple[float, float, float, float], start: datetime | None, end: datetime | None
) -> Iterator[dict[str, Any]]:
    """Yield every item, raw, of the endpoint's collections that meets `bbox` (lon, lat) and the span of time.

    Nothing is asked of `eo:cloud_cover`: a catalogue knows the cloud of a whole tile, and often not even that.

    Raises:
        TemporaryError: the service is down, answers nonsense, or pages without end; ConfigurationError: the address is
        no STAC API; MissingExtraError: pystac-client is not installed.
    """
    require_extra()
    import pystac_client
    from pystac_client.exceptions import APIError
    from pystac_client.stac_api_io import StacApiIO

    class Io(StacApiIO):
        """pystac-client's reading, done by our client."""

        def request(
            self,
            href: str,
            method: str | None = "GET",
            headers: Mapping[str, str] | None = None,
            parameters: Mapping[str, Any] | None = None,
        ) -> str:
            return _ask(web, href, method or "GET", headers or {}, parameters or {})

    span = f"{_stamp(start or FIRST_DAY)}/{_stamp(end) if end is not None else '..'}"
    try:
        client = pystac_client.Client.open(endpoint.url, stac_io=Io())
        search = client.search(
            collections=list(endpoint.collections), bbox=list(bbox), datetime=span, limit=PAGE_ITEMS, max_items=None
        )
        yield from _pages(search.pages_as_dicts(), endpoint.name)
    except SitewatchError:
        raise
    except (APIError, NotImplementedError) as error:
        raise ConfigurationError(f"{endpoint.name} is no STAC API that can be searched.") from error
    except Exception as error:  # pystac raises whatever damaged JSON provokes
        raise TemporaryError(
            f"{endpoint.name} answers what cannot be understood ({type(error).__name__}); try again later."
        ) from error


def _pages(pages: Iterator[Mapping[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for number, page in enumerate(pages, start=1):
        features = page.get("features")
        if not isinstance(features, list):
            raise TemporaryError(f"{name} sent a page without items; try again later.")
        fresh = [f for f in features if isinstance(f, dict) and _key(f) not in seen]
        seen.update(map(_key, fresh))
        yield from fresh
        # A page that brings nothing new points to itself, whatever its `next` says.
        if number > MAX_PAGES or (features and not fresh):
            raise TemporaryError(f"{name} pages without end ({number} pages); try again later.")


def _key(feature: Mapping[str, Any]) -> str:
    return f"{feature.get('collection')}/{feature.get('id')}"


def _ask(web: Web, href: str, method: str, headers: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    if method == "GET" and parameters:
        href = f"{href}{'&' if '?' in href else '?'}{urlencode(parameters)}"
    body = dict(parameters) if method == "POST" else None
    own = {"Accept": "application/geo+json, application/json", **headers}
    answer = web.ask(method, href, most_bytes=MAX_PAGE_BYTES, headers=own, json=body)
    if answer.status != 200:
        raise TemporaryError(f"The catalogue refuses to answer (status {answer.status}); check the address, try later.")
    text = answer.body.decode("utf-8", "strict")
    json.loads(text)
    return text


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def require_extra() -> None:
    """Raise MissingExtraError where pystac-client is not installed."""
    if find_spec("pystac_client") is None:
        raise MissingExtraError("pystac-client", "stac")
