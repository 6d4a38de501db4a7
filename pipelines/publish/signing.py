"""Content credentials (C2PA): a picture that carries, signed, who made it from what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geo.errors import ConfigurationError, MissingExtraError
from geo.files.atomic import atomic_path
from pipelines import __version__

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
LABEL = "org.sitewatch.figure"


@dataclass(frozen=True)
class Credential:
    """PEM files: the certificates, the signer's own first, and its private key, which nobody else may read."""

    certificates: Path
    key: Path


def sign_picture(path: Path, credential: Credential, *, title: str, simulated: bool, facts: Mapping[str, Any]) -> None:
    """Put a signed manifest into a PNG, in its place. Asks no network: no time stamp, no list of trust.

    Args:
        path: the picture.
        credential: who signs.
        title: of the work.
        simulated: whether a satellite never saw it; the manifest says so in the words of IPTC.
        facts: plain JSON values: what it was made from.

    Raises:
        MissingExtraError: the library is not installed. ConfigurationError: the credential cannot be used.
    """
    try:
        import c2pa  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("c2pa-python", "evidence") from None
    kind = SYNTHETIC if simulated else COMPOSITE
    manifest = {
        "claim_generator_info": [{"name": "sitewatch", "version": __version__}],
        "title": title,
        "assertions": [
            {"label": "c2pa.actions.v2",
             "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}},
            {"label": LABEL, "data": dict(facts)},
        ],
    }  # fmt: skip
    certificates, key = _read(credential.certificates), _read(credential.key)
    if credential.key.stat().st_mode & 0o077:
        raise ConfigurationError(f"{credential.key} can be read by others; run: chmod 600 {credential.key}")
    with atomic_path(path) as signed:
        try:
            info = c2pa.C2paSignerInfo(_algorithm(key), certificates, key, None)
            with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest)) as builder:
                builder.sign_file(str(path), str(signed), signer)
        except (c2pa.C2paError, ValueError) as error:
            raise ConfigurationError(
                f"{credential.certificates} and {credential.key} cannot sign a picture ({_short(error)})."
            ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from None


def _algorithm(key: bytes) -> bytes:
    """How a key of this kind signs, in the words of C2PA."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(key, None)
    except TypeError:
        raise ValueError("the key is locked by a password") from None
    if isinstance(loaded, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    curves = {"secp256r1": b"es256", "secp384r1": b"es384", "secp521r1": b"es512"}
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in curves:
        return curves[loaded.curve.name]
    raise ValueError("C2PA knows no keys of this kind")


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
