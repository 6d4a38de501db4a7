"""Addresses of services: which of them may be asked, and how they are named in messages."""

from __future__ import annotations

from urllib.parse import urlsplit

from geo.errors import ConfigurationError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def netloc(url: str) -> str:
    """`host` or `host:port` of an address, in lower case, never with a user's name.

    >>> netloc("https://me:secret@Example.org:8443/stac")
    'example.org:8443'
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return f"{host}:{parts.port}" if parts.port else host


def is_allowed(url: str, hosts: tuple[str, ...]) -> bool:
    """True for an address that may be read: https (http on this machine only), a host that is listed, no user name.

    >>> is_allowed("https://a.org/x.tif", ("a.org",)), is_allowed("https://b.org/x.tif", ("a.org",))
    (True, False)
    >>> is_allowed("file:///etc/passwd", ("",)), is_allowed("/vsicurl/https://a.org/x.tif", ("a.org",))
    (False, False)
    """
    try:
        parts = urlsplit(url)
        host = netloc(url)
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return safe and bool(host) and host in hosts and parts.username is None and "\\" not in url


def checked(url: str, setting: str, instead: str = "an https address") -> str:
    """Return an address of a service without a slash at its end.

    Args:
        url: as a person gave it.
        setting: how the person gave it, for the message.
        instead: what else it may be.

    Raises:
        ConfigurationError: it is none, plain http to another machine, or holds a user name.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{setting} is no valid address.") from None
    if parts.username is not None:
        raise ConfigurationError(f"Leave user name and password out of {setting}.")
    if parts.scheme not in ("http", "https") or not parts.hostname or "\\" in url:
        shown = "".join(c for c in url.split("?")[0] if c.isprintable())[:80]
        raise ConfigurationError(f"{setting} {shown} is not {instead}.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(f"{parts.hostname} is asked over plain http; give its https address.")
    return url.rstrip("/")
