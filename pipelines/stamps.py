"""outputs/stamps: the log's last line, signed by a time-stamping authority (RFC 3161).

The log proves the order of the runs, not their age: whoever keeps the folder could write it anew. A stamp proves that
a line, and with it all lines before, was there at a time. `openssl ts -verify` checks it without this program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geo.errors import ConfigurationError, IntegrityError, MissingExtraError
from geo.files.atomic import atomic_path
from geo.providers.addresses import checked
from geo.providers.timestamps import ask
from pipelines.chain import NAME as CHAIN
from pipelines.chain import Link, read_chain

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

FOLDER = "stamps"


@dataclass(frozen=True)
class Stamped:
    """A stamp that was made, and what it says in words."""

    path: Path
    words: str


def stamp(outputs: Path, *, authority: str, roots: Path) -> Stamped:
    """Have the log's last line stamped and keep the answer as `stamps/<number>.tsr`.

    Args:
        outputs: of the workspace.
        authority: https address.
        roots: PEM file with the root certificates that the authority's signature must lead to.

    Raises:
        ConfigurationError: no such address, nothing to stamp, it is stamped already, or the roots cannot be read.
        TemporaryError: the authority does not answer. IntegrityError: its answer is not a good signature of the line.
    """
    authority = checked(authority, "--tsa")
    links = read_chain(outputs)
    if not links:
        raise ConfigurationError(f"{outputs / CHAIN} names no run yet; scan first.")
    path = outputs / FOLDER / f"{links[-1].n:06d}.tsr"
    if path.exists():
        raise ConfigurationError(f"Number {links[-1].n}, the last of {CHAIN}, is stamped already: {path}.")
    known = read_roots(roots)
    client = _client()
    query = client.TimestampRequestBuilder().data(links[-1].text.encode())
    query = query.hash_algorithm(client.HashAlgorithm.SHA256).nonce(nonce=True).cert_request(cert_request=True).build()
    received = ask(authority, query.as_bytes())
    answer = _decoded(received, authority)
    _require_signature(answer, links[-1], known, authority, nonce=query.nonce)
    with atomic_path(path) as temporary:
        temporary.write_bytes(received)
    return Stamped(path, _words(answer, links[-1].n))


def check_stamps(outputs: Path, links: tuple[Link, ...], roots: Path | None) -> Iterator[tuple[bool, str]]:
    """Check every stamp against the log; yield (is a fault, sentence).

    Without `roots` only what is stamped is checked, not by whom.
    """
    paths = sorted((outputs / FOLDER).glob("*")) if (outputs / FOLDER).is_dir() else []
    if not paths:
        return
    try:
        known = None if roots is None else read_roots(roots)
        _client()
    except MissingExtraError as error:
        yield False, f"{len(paths)} time stamps in {outputs / FOLDER} were not read. {error}"
        return
    by_number = {link.n: link for link in links}
    for path in paths:
        link = by_number.get(int(path.stem)) if path.suffix == ".tsr" and path.stem.isdigit() else None
        if path.is_symlink() or link is None:
            yield True, f"{path} is no stamp of a line of {CHAIN}."
            continue
        try:
            answer = _decoded(path.read_bytes(), str(path))
            if bytes(answer.tst_info.message_imprint.message).hex() != link.sha256:
                raise IntegrityError(f"{path} stamps another line than number {link.n} of {CHAIN}.")
            if known is not None:
                _require_signature(answer, link, known, str(path))
        except (OSError, IntegrityError) as error:
            yield True, str(error)
            continue
        unproved = "" if known is not None else "; by whom was not checked, name the authority's roots with --tsa-roots"
        yield False, _words(answer, link.n) + unproved + "."


def read_roots(path: Path) -> list[Certificate]:
    """Read root certificates from a PEM file. Raises ConfigurationError where there is none."""
    _client()
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(f"{path} holds no certificate in PEM form.") from None


def _decoded(data: bytes, source: str) -> TimeStampResponse:
    try:
        answer: TimeStampResponse = _client().decode_timestamp_response(data)
        _ = answer.tst_info
    except (ValueError, TypeError, AttributeError):
        raise IntegrityError(f"{source} is no time stamp.") from None
    return answer


def _require_signature(
    answer: TimeStampResponse, link: Link, roots: list[Certificate], source: str, *, nonce: int | None = None
) -> None:
    """Raise IntegrityError unless a root vouches for the signature of this very line."""
    client = _client()
    try:
        client.VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(answer, link.text.encode())
    except (client.VerificationError, ValueError) as error:
        raise IntegrityError(f"{source} does not prove the time of number {link.n}: {error}.") from None


def _words(answer: TimeStampResponse, n: int) -> str:
    return f"Number {n} of {CHAIN} and all before it were there at {answer.tst_info.gen_time:%Y-%m-%d %H:%M:%S} UTC"


def _client() -> Any:
    """The optional library; MissingExtraError where it is not installed."""
    try:
        import rfc3161_client
    except ImportError:
        raise MissingExtraError("rfc3161-client", "evidence") from None
    return rfc3161_client
