"""An account at Sentinel Hub: who asks, whom, and what may still be spent this month."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geo import archive
from geo.errors import ConfigurationError
from geo.providers.sentinel_hub import Budget, Credentials, Endpoint, SentinelHub, endpoint_for, sensors_named

NAME = "sentinel-hub"
SECTION = "sentinel_hub"
OPTIONS = frozenset({"endpoint", "collections", "bands", "credentials", "monthly_units"})
_WHERE = f"[providers.{SECTION}]"
_MOST_BYTES = 64 * 2**10


def account(
    source: str | None, options: Mapping[str, Any], environ: Mapping[str, str], root: Path | None, now: datetime
) -> SentinelHub:
    """The provider as settings and environment describe it.

    Args:
        source: `--source`: `copernicus`, `commercial`, or a service's address.
        options: `[providers.sentinel_hub]`: `endpoint`, `collections` and `bands` (of Sentinel-2; divided by commas),
            `credentials` (a file), `monthly_units`.
        environ: `SH_CLIENT_ID`, `SH_CLIENT_SECRET`, `SH_BASE_URL`, `SH_TOKEN_URL`.
        root: the archive, whose records tell what was spent; None where there is none.
        now: time of receipt.

    Raises:
        ConfigurationError: an option is unknown, or there are no credentials that may be used.
    """
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise ConfigurationError(f"{_WHERE} has no setting {unknown[0]}; there are {', '.join(sorted(OPTIONS))}.")
    return SentinelHub(
        endpoint=where(source, options, environ),
        credentials=who(options, environ),
        clock=lambda: now,
        sensors=sensors_named(_words(options, "collections"), _words(options, "bands")),
        budget=_budget(options, root, now),
    )


def where(source: str | None, options: Mapping[str, Any], environ: Mapping[str, str]) -> Endpoint:
    """The endpoint: of the command line, else of the environment, else of the settings, else Copernicus's."""
    if source is not None:
        if "://" in source:
            return endpoint_for(base_url=source, token_url=environ.get("SH_TOKEN_URL", ""))
        return endpoint_for(source)
    base_url, token_url = environ.get("SH_BASE_URL", ""), environ.get("SH_TOKEN_URL", "")
    if base_url or token_url:
        return endpoint_for(base_url=base_url, token_url=token_url)
    return endpoint_for(str(options.get("endpoint", "")))


def who(options: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials:
    """The client: of the environment, else of a file that only its owner may read.

    Raises:
        ConfigurationError: there is none, it is half there, or the file may be read by others.
    """
    client_id, secret = environ.get("SH_CLIENT_ID", ""), environ.get("SH_CLIENT_SECRET", "")
    if client_id and secret:
        return Credentials(client_id.strip(), secret.strip())
    if client_id or secret:
        raise ConfigurationError("Set both SH_CLIENT_ID and SH_CLIENT_SECRET; only one of them is there.")
    path = options.get("credentials")
    if not path:
        raise ConfigurationError(
            "Sentinel Hub needs an account: set SH_CLIENT_ID and SH_CLIENT_SECRET, or name a file under "
            f"`credentials` of {_WHERE}."
        )
    return _of_file(Path(str(path)).expanduser())


def units_spent(root: Path | None, now: datetime) -> float:
    """Processing units that the archive's records state for the calendar month (UTC) of `now`, all sites together.

    Raises:
        IntegrityError: a record cannot be read.
    """
    if root is None or not root.is_dir():
        return 0.0
    month = now.astimezone(UTC).strftime("%Y-%m")
    spent = 0.0
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        for record in archive.list_scenes(root, folder.name):
            made = record.provenance
            value = made.response.get("processing_units") if made.provider == NAME else None
            if isinstance(value, int | float) and made.received.astimezone(UTC).strftime("%Y-%m") == month:
                spent += value
    return spent


def _words(options: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\s,]+", str(options.get(key, ""))))


def _budget(options: Mapping[str, Any], root: Path | None, now: datetime) -> Budget:
    most = options.get("monthly_units")
    if most is None:
        return Budget()
    if isinstance(most, bool) or not isinstance(most, int | float) or not most >= 0:
        raise ConfigurationError(f"monthly_units of {_WHERE} must be a number of processing units.")
    return Budget(most=float(most), spent=units_spent(root, now))


def _of_file(path: Path) -> Credentials:
    """Read `client_id` and `client_secret` of a TOML file; no message repeats a word of it."""
    if not path.is_absolute():
        raise ConfigurationError(f"credentials of {_WHERE} must be a whole path, from / or ~ on.")
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                raise ConfigurationError(f"{path.name} is no file with credentials.")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(f"Others may read {path.name}; run chmod 600 on it ({path}).")
            text = file.read().decode("utf-8")
        facts = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path.name} (credentials of {_WHERE}) cannot be read: {error.strerror}.") from None
    except ValueError:  # its message would quote the file
        raise ConfigurationError(f"{path.name} is not valid TOML; see the README.") from None
    found = [facts.get(key) for key in ("client_id", "client_secret")]
    if not all(isinstance(value, str) and value for value in found):
        raise ConfigurationError(f'{path.name} needs two lines: client_id = "…" and client_secret = "…".')
    return Credentials(str(found[0]), str(found[1]))
