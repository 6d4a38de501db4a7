"""Time-stamping authorities (RFC 3161): they sign that a hash was there at a time, and learn nothing else."""

from __future__ import annotations

from geo.errors import InputError
from geo.providers.addresses import netloc
from geo.providers.web import Limits, Web

_LIMITS = Limits(connect_s=10.0, read_s=20.0, answer_s=30.0, total_s=60.0, tries=3)
_MOST_BYTES = 2**20


def ask(url: str, query: bytes) -> bytes:
    """Send a time-stamp query (DER) and return the answer (DER), unread.

    Raises InputError for an address that is not https (http to this machine only), TemporaryError for no answer.
    """
    try:
        host = netloc(url)
    except ValueError:
        raise InputError(f"{url} is no address of a time-stamping authority.") from None
    headers = {"Content-Type": "application/timestamp-query"}
    return Web(hosts=(host,), limits=_LIMITS).ask("POST", url, most_bytes=_MOST_BYTES, headers=headers, form=query).body
