"""Known STAC services: where they are, what they hold, and from which hosts their files may come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from geo.errors import ConfigurationError
from geo.providers.addresses import checked, netloc

DEFAULT_COLLECTION = "sentinel-2-l2a"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One STAC service.

    Attributes:
        name: for messages and provenance.
        url: of the API.
        collections: what is asked for.
        hosts: `host` or `host:port` from which files may be read; anything else is refused.
        token_url: where a collection's read token is had (`{collection}` is filled in), empty where none is needed.
        licences, credits: a collection.
    """

    name: str
    url: str
    collections: tuple[str, ...]
    hosts: tuple[str, ...]
    token_url: str = ""
    licences: Mapping[str, str] = field(default_factory=dict)
    credits: Mapping[str, str] = field(default_factory=dict)


_COPERNICUS = "Copernicus Sentinel data, free and open (EU 1159/2013)"
_CREDIT = "Contains modified Copernicus Sentinel data"
_OPEN = dict.fromkeys(("sentinel-2-l2a", "sentinel-2-c1-l2a"), _COPERNICUS)
_PC_OPEN = {"sentinel-2-l2a": _COPERNICUS, "sentinel-1-rtc": "CC-BY-4.0"}

ENDPOINTS = {
    "earth-search": Endpoint(
        name="earth-search",
        url="https://earth-search.aws.element84.com/v1",
        # The second is ESA's reprocessing, not yet complete; where both have an overpass, the newer baseline is read.
        collections=(DEFAULT_COLLECTION, "sentinel-2-c1-l2a"),
        hosts=(
            "sentinel-cogs.s3.us-west-2.amazonaws.com",
            "e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com",
        ),
        licences=_OPEN,
        credits=dict.fromkeys(_OPEN, _CREDIT),
    ),
    "planetary-computer": Endpoint(
        name="planetary-computer",
        url="https://planetarycomputer.microsoft.com/api/stac/v1",
        collections=(DEFAULT_COLLECTION, "sentinel-1-rtc"),
        hosts=("sentinel2l2a01.blob.core.windows.net", "sentinel1euwestrtc.blob.core.windows.net"),
        token_url="https://planetarycomputer.microsoft.com/api/sas/v1/token/{collection}",  # noqa: S106 - an address
        licences=_PC_OPEN,
        credits=dict.fromkeys(_PC_OPEN, _CREDIT),
    ),
}
DEFAULT = "earth-search"
OPTIONS = frozenset({"source", "collections", "hosts", "token_url"})


def endpoint_for(source: str | None, options: Mapping[str, Any]) -> Endpoint:
    """The service that a person names: by name, by address, or none for Earth Search.

    Args:
        source: `earth-search`, `planetary-computer`, or the address of any STAC API.
        options: `[providers.stac]` of the settings: `source`, `collections` and `hosts` (words divided by commas),
            `token_url`.

    Raises:
        ConfigurationError: an option is unknown; it is neither a known name nor an address, or plain http to a host
        that is not this machine.
    """
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        known_words = ", ".join(sorted(OPTIONS))
        raise ConfigurationError(f"[providers.stac] has no setting {unknown[0]}; there are {known_words}.")
    source = source or str(options.get("source", "") or DEFAULT)
    known = ENDPOINTS.get(source)
    url = (
        known.url
        if known
        else checked(source, "--source", f"{' or '.join(ENDPOINTS)} or the address (https://…) of a STAC API")
    )
    hosts = (*(known.hosts if known else ()), netloc(url), *_words(options.get("hosts", "")))
    token_url = str(options.get("token_url", known.token_url if known else ""))
    if token_url:
        checked(token_url, "token_url of [providers.stac]")
    collections = _words(options.get("collections", "")) or (known.collections if known else (DEFAULT_COLLECTION,))
    return Endpoint(
        name=known.name if known else netloc(url),
        url=url,
        collections=collections,
        hosts=hosts,
        token_url=token_url,
        licences=known.licences if known else {},
        credits=known.credits if known else {},
    )


def _words(text: object) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\s,]+", str(text)))
