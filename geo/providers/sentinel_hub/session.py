"""One client's conversation with Sentinel Hub: a token in memory, renewed in time, and what each refusal means.

The `sentinelhub` library builds what is asked (see `asking`), but does not send it: its token request has no time-out,
its loop over 429 has no end, it takes a Retry-After of a date for a number and stops, it repeats no refused token, and
its cache keeps whatever came, an error page too.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from geo.errors import ConfigurationError, InputError, TemporaryError
from geo.providers.addresses import netloc
from geo.providers.sentinel_hub.credentials import Credentials, Endpoint
from geo.providers.web import Answer, Limits, Web

LIMITS = Limits(read_s=90, answer_s=240, total_s=600, milliseconds=True)
"""An image is made only when it is asked for, so the first byte may be long in coming."""
TOKEN_LIMITS = Limits(read_s=20, answer_s=30, total_s=90, tries=3, milliseconds=True)
MAX_TOKEN_BYTES = 64 * 2**10
_MEANT = frozenset({400, 401, 403, 404, 410, 413, 422})
_SHORTEST_S, _MARGIN_S = 30.0, 60.0
_QUOTA = re.compile(r"quota|processing.?units?|insufficient_processing|rate.?limit|requests? limit", re.IGNORECASE)
_LASTING = ("COMMON_INSUFFICIENT_PERMISSIONS", "COMMON_SENTINEL_ACCOUNT_EXPIRED", "ACCESS_DENIED")


@dataclass
class _Token:
    text: str
    until: float

    def __repr__(self) -> str:
        return "_Token(**)"


@dataclass(repr=False)
class Session:
    """Asks one deployment in the name of one client.

    Attributes:
        endpoint: whom.
        credentials: who.
        limits: how patient to be with an image; token_limits: with a token.
    """

    endpoint: Endpoint
    credentials: Credentials
    limits: Limits = LIMITS
    token_limits: Limits = TOKEN_LIMITS
    _token: _Token | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Open one client for the service and one for its tokens; neither may ask any other host."""
        self.web = Web(hosts=(netloc(self.endpoint.base_url),), limits=self.limits)
        self._token_web = Web(hosts=(netloc(self.endpoint.token_url),), limits=self.token_limits)

    def __repr__(self) -> str:
        """Whom it asks, nothing more."""
        return f"Session({self.endpoint.name})"

    def ask(self, url: str, payload: Mapping[str, Any], *, most_bytes: int, accept: str) -> Answer:
        """Post JSON and return what came with status 200; a token that is refused is renewed once.

        Raises:
            ConfigurationError: the client is refused, or the address is wrong; TemporaryError: quota, network, an
            error of the service; InputError: the service will not do what was asked.
        """
        if netloc(url) != netloc(self.endpoint.base_url):
            # The library's collections bring addresses of their own; a token must not follow them.
            raise ConfigurationError(f"A request is made for {netloc(url)}, not for {netloc(self.endpoint.base_url)}.")
        token = self._held(refused=None)
        for renewed in (False, True):
            headers = {"Authorization": f"Bearer {token.text}", "Accept": accept}
            answer = self.web.ask(
                "POST", url, most_bytes=most_bytes, headers=headers, json=dict(payload), answers=_MEANT
            )
            if answer.status != 401:
                break
            if renewed:
                raise ConfigurationError(
                    f"{self.endpoint.name} refuses a token that it has just given; look at the rights of the client."
                )
            token = self._held(refused=token)
        if answer.status == 200:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> Exception:
        said, code = self.shown(_message(answer.body)), _code(answer.body)
        name = self.endpoint.name
        if answer.status == 403 and (code in _LASTING and not _QUOTA.search(said)):
            return ConfigurationError(f"{name} refuses this client{said}; look at its rights and whether it expired.")
        if answer.status == 403:
            return TemporaryError(f"{name} gives no more for now (status 403{said}); the next run goes on.")
        if answer.status in (404, 410):
            return ConfigurationError(f"{name} has nothing at this address (status {answer.status}); see SH_BASE_URL.")
        if answer.status == 206:
            return TemporaryError(f"{name} sent a part of an answer; the next run asks again.")
        return InputError(f"{name} will not do this (status {answer.status}{said}).")

    def shown(self, text: str) -> str:
        """A service's words without anything secret that it may repeat."""
        secrets = [self.credentials.client_secret, self.credentials.client_id]
        secrets += [self._token.text] if self._token is not None else []
        for secret in secrets:
            text = text.replace(secret, "…")
        # Other tokens than ours could be quoted as well: nothing long and unbroken is repeated.
        return re.sub(r"[\w.~+/=-]{32,}", "…", text)[:200]

    def _held(self, refused: _Token | None) -> _Token:
        """The token in hand, or a new one where there is none, it ends soon, or it is the one that was refused."""
        with self._lock:
            token = self._token
            if token is None or token is refused or time.monotonic() >= token.until:
                self._token = token = self._fetched()
            return token

    def _fetched(self) -> _Token:
        began, name = time.monotonic(), self.endpoint.name
        answer = self._token_web.ask(
            "POST",
            self.endpoint.token_url,
            most_bytes=MAX_TOKEN_BYTES,
            headers={"Accept": "application/json"},
            form={
                "grant_type": "client_credentials",
                "client_id": self.credentials.client_id,
                "client_secret": self.credentials.client_secret,
            },
            answers=_MEANT,
        )
        if answer.status in (400, 401, 403, 422):
            raise ConfigurationError(
                f"{name} does not know this client or its secret (status {answer.status}); see SH_CLIENT_ID and "
                "SH_CLIENT_SECRET, and that they are of this endpoint."
            )
        if answer.status != 200:
            raise ConfigurationError(f"There are no tokens at SH_TOKEN_URL of {name} (status {answer.status}).")
        facts = _json(answer.body)
        text, lasts = facts.get("access_token"), facts.get("expires_in", _SHORTEST_S)
        sound = isinstance(text, str) and 0 < len(text) <= 2**14 and text.isascii() and text.isprintable()
        if not sound or " " in str(text) or not isinstance(lasts, int | float) or not 0 < lasts < 1e9:
            raise TemporaryError(f"{name} answers something else than a token; try again later.")
        # A short-lived token is used for nine tenths of its life, or each request would need its own.
        return _Token(str(text), began + max(lasts - _MARGIN_S, 0.9 * lasts if lasts < 10 * _MARGIN_S else 0.0))


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _message(body: bytes) -> str:
    """`: what the service says`, in one line, or nothing."""
    error = _json(body).get("error")
    said = error.get("message") if isinstance(error, dict) else None
    text = "".join(c if c.isprintable() else " " for c in said)[:600] if isinstance(said, str) else ""
    return f": {text}" if text else ""


def _code(body: bytes) -> str:
    error = _json(body).get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else ""
