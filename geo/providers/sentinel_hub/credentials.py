"""Who asks: a client's name and secret, which no message, log or record ever shows; and whom: the two services."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from geo.errors import ConfigurationError
from geo.providers.addresses import checked

DEFAULT = "copernicus"


@dataclass(frozen=True)
class Credentials:
    """An OAuth client of Sentinel Hub, shown by stars only.

    >>> Credentials("me", "secret")
    Credentials(**, **)
    """

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Nothing that could be used."""
        return "Credentials(**, **)"

    __str__ = __repr__

    def __post_init__(self) -> None:
        """Raise ConfigurationError for what cannot be a client's name or secret."""
        for word, value in (("client id", self.client_id), ("client secret", self.client_secret)):
            if not value or len(value) > 1000 or not value.isascii() or not value.isprintable():
                raise ConfigurationError(f"The {word} of Sentinel Hub is empty or holds signs that none has.")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One deployment of Sentinel Hub.

    Attributes:
        name: for messages and provenance.
        base_url: of catalogue and Process API.
        token_url: where a client's secret is exchanged for a token; the secret goes nowhere else.
    """

    name: str
    base_url: str
    token_url: str


ENDPOINTS = {
    "copernicus": Endpoint(
        name="copernicus",
        base_url="https://sh.dataspace.copernicus.eu",
        token_url="https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",  # noqa: S106 - an address
    ),
    "commercial": Endpoint(
        name="commercial",
        base_url="https://services.sentinel-hub.com",
        token_url="https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token",  # noqa: S106 - an address
    ),
}


def endpoint_for(name: str = "", base_url: str = "", token_url: str = "") -> Endpoint:
    """The deployment that a person names: `copernicus` (default), `commercial`, or by its two addresses.

    A secret must never go to another service than the one it is of: an address that is not known needs its own token
    address beside it.

    Raises:
        ConfigurationError: there is no such name, one address is lacking, or an address is not safe.

    >>> endpoint_for().base_url
    'https://sh.dataspace.copernicus.eu'
    >>> endpoint_for(base_url="https://services-uswest2.sentinel-hub.com").name
    'services-uswest2.sentinel-hub.com'
    """
    if name and name not in ENDPOINTS:
        known = " and ".join(ENDPOINTS)
        raise ConfigurationError(f"Sentinel Hub has no endpoint {name!r}; there are {known}, or set SH_BASE_URL.")
    if not base_url and not token_url:
        return ENDPOINTS[name or DEFAULT]
    base_url = checked(base_url, "SH_BASE_URL") if base_url else ""
    if not token_url:
        owner = _owner(base_url)
        if owner is None:
            raise ConfigurationError(
                "SH_BASE_URL is set without SH_TOKEN_URL; a secret is sent to its own service only."
            )
        token_url = owner.token_url
    if not base_url:
        raise ConfigurationError("SH_TOKEN_URL is set without SH_BASE_URL; set both, or neither.")
    host = urlsplit(base_url).hostname or ""
    return Endpoint(name=host, base_url=base_url, token_url=checked(token_url, "SH_TOKEN_URL"))


def _owner(base_url: str) -> Endpoint | None:
    """Whose deployment an address is; the commercial service has several, one a region."""
    host = urlsplit(base_url).hostname or ""
    if host == urlsplit(ENDPOINTS["copernicus"].base_url).hostname:
        return ENDPOINTS["copernicus"]
    return ENDPOINTS["commercial"] if host.endswith(".sentinel-hub.com") else None
