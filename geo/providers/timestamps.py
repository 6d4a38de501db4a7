"""Time-stamping authorities (RFC 3161): they sign that a hash was there at a time, and learn nothing else."""

from __future__ import annotations

from geo.providers.addresses import netloc
from geo.providers.web import Limits, Web

_LIMITS = Limits(connect_s=10.0, read_s=20.0, answer_s=30.0, total_s=60.0, tries=3)
_MOST_BYTES = 2**20


def ask(url: str, query: bytes) -> bytes:
    """Send a time-stamp query (DER) and return the answer (DER), unread.

    Raises TemporaryError for no answer. `url` is one that `addresses.checked` has passed.
    """
    headers = {"Content-Type": "application/timestamp-query"}
    web = Web(hosts=(netloc(url),), limits=_LIMITS)
    return web.ask("POST", url, most_bytes=_MOST_BYTES, headers=headers, form=query).body
