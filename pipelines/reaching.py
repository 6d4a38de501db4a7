"""Can the services be reached, and does their clock agree with ours? Asked only where a person wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from geo.errors import SitewatchError
from geo.providers.stac import Limits, endpoint_for, landing
from pipelines.acquire.account import SECTION, where

SHORT = Limits(connect_s=5, read_s=5, answer_s=8, total_s=12, tries=2, backoff_s=0.5, longest_pause_s=2)
CLOCK_SLACK = timedelta(minutes=5)


class Reached(NamedTuple):
    """A service, whether it answered, what is to be said of it, and how far our clock is ahead of its own (or None)."""

    name: str
    ok: bool
    said: str
    ahead: timedelta | None


def reach(settings: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str], now: datetime) -> Iterator[Reached]:
    """Ask every service that could be used for its front page, a few seconds each; nothing is sent with it.

    Args:
        settings: `[providers]` of the settings.
        environ: environment variables; `SH_BASE_URL` and `SH_TOKEN_URL` are asked where they are set,
            else those of Sentinel Hub's endpoint where the settings or `SH_CLIENT_ID` speak of it.
        now: what our clock says.
    """
    own = settings.get("stac", {})
    names = [str(own["source"])] if own.get("source") else ["earth-search", "planetary-computer"]
    given = [url for key in ("SH_BASE_URL", "SH_TOKEN_URL") if (url := environ.get(key))]
    names += given or _account(settings.get(SECTION), environ)
    for name in names:
        try:
            answer = landing(endpoint_for(name, own if name == own.get("source") else {}), SHORT)
        except SitewatchError as error:
            yield Reached(name, False, str(error), None)
            continue
        yield Reached(name, True, f"answers (status {answer.status}).", _ahead(answer.headers.get("date", ""), now))


def _account(options: Mapping[str, Any] | None, environ: Mapping[str, str]) -> list[str]:
    """Addresses of Sentinel Hub where it is spoken of in settings or environment."""
    if options is None and not environ.get("SH_CLIENT_ID"):
        return []
    try:
        endpoint = where(None, options or {}, environ)
    except SitewatchError:
        return []  # `acquire` tells it
    return [endpoint.base_url, endpoint.token_url]


def _ahead(text: str, now: datetime) -> timedelta | None:
    try:
        return now - parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
