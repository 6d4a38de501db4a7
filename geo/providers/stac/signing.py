"""Read tokens of the Planetary Computer: asked for when needed, renewed in time, never written down."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from geo.errors import TemporaryError
from geo.providers.web import Web

RENEW_S = 600.0
_SHORTEST_S = 60.0


@dataclass
class Signer:
    """Adds a token to addresses of files.

    Attributes:
        web: client that may ask the token service.
        token_url: with `{collection}`; empty where nothing is signed.
    """

    web: Web
    token_url: str
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sign(self, href: str, collection: str, *, renew: bool = False) -> str:
        """Return the address with a token that holds for minutes; as it is where the service needs none."""
        if not self.token_url:
            return href
        with self._lock:
            token, until = self._tokens.get(collection, ("", 0.0))
            if renew or until - time.monotonic() < RENEW_S:
                token, until = self._tokens[collection] = self._ask(collection)
        return f"{href}{'&' if '?' in href else '?'}{token}"

    def _ask(self, collection: str) -> tuple[str, float]:
        answer = self.web.ask("GET", self.token_url.format(collection=collection), most_bytes=2**16)
        try:
            said = json.loads(answer.body)
            token, expiry = said["token"], datetime.fromisoformat(said["msft:expiry"])
            left = (expiry - datetime.now(UTC)).total_seconds()
        except (ValueError, KeyError, TypeError) as error:
            raise TemporaryError("The token service gives no token; try again later.") from error
        if not isinstance(token, str) or not token.isprintable():
            raise TemporaryError("The token service gives no token; try again later.")
        # A clock that runs wrong must not make us ask for every range.
        return token, time.monotonic() + max(left, RENEW_S + _SHORTEST_S)
