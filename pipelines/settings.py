"""Settings: defaults, then sitewatch.toml, then the command line. Every default is written down beside each result."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geo.errors import ConfigurationError
from pipelines.detect import DetectSettings, SeriesDetectSettings
from pipelines.prepare import PrepareSettings
from pipelines.publish import PublishSettings

FILE = "sitewatch.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScanSettings(_Section):
    """What `scan` does where the command line does not say. Nothing here changes what a run finds in its scenes.

    Attributes:
        provider, source: where scenes come from; `scan --due` needs them here or on the command line.
        every_days: keep one scene in so many days; None keeps all.
        most_scenes: how many scenes of one site a run of `scan --due` fetches; older ones first, the rest wait.
        blind_days: after so many days without a clear view a site counts as blind.
    """

    provider: str | None = None
    source: str | None = None
    every_days: float | None = Field(default=None, gt=0)
    most_scenes: int = Field(default=200, ge=1)
    blind_days: int = Field(default=60, ge=1)


class NotifySettings(_Section):
    """Whom to tell beside cron's mail. A message that cannot be sent waits for the next run and fails nothing.

    Attributes:
        ping: address asked at the start (`/start`), after success and after failure (`/fail`) of each run.
        webhook: address that gets a JSON message for each alert.
        mail_to, mail_from, smtp: addresses, and `host:port` of the server that takes the mail; user and password
            come from SITEWATCH_SMTP_USER and SITEWATCH_SMTP_PASSWORD.
    """

    ping: str | None = None
    webhook: str | None = None
    mail_to: str | None = None
    mail_from: str | None = None
    smtp: str | None = None


class Settings(BaseModel):
    """Everything that can be set. Sections bear the stages' names.

    Attributes:
        workers: threads that work on tiles; it never changes a result.
        prepare, detect, publish: the stages' own settings; series: of `detect` where scenes are many.
        providers: settings of providers by name, as each provider documents them.
        scan, notify: what unattended runs ask and whom they tell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(default=2, ge=1, le=64)
    prepare: PrepareSettings = PrepareSettings()
    detect: DetectSettings = DetectSettings()
    series: SeriesDetectSettings = SeriesDetectSettings()
    publish: PublishSettings = PublishSettings()
    scan: ScanSettings = ScanSettings()
    notify: NotifySettings = NotifySettings()
    providers: dict[str, dict[str, str | int | float | bool]] = Field(default_factory=dict)

    def recipe(self) -> dict[str, Any]:
        """All that can change a result, as plain JSON values: part of a run's id, and written into its manifest."""
        told = self.model_dump(mode="json", exclude={"workers", "scan", "notify"})
        return told | {"detect": self.detect.told()}


def load_settings(workspace: Path, *, workers: int | None = None, fdr: float | None = None) -> Settings:
    """Read the workspace's sitewatch.toml, if there is one, and put the command line's words on top.

    Raises ConfigurationError that names the file and the key.
    """
    path = workspace / FILE
    given: dict[str, Any] = {}
    if path.is_file():
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    if workers is not None:
        given["workers"] = workers
    elif "workers" not in given:
        given["workers"] = max(1, min(os.cpu_count() or 1, 16))
    if fdr is not None:
        given["detect"] = {**given.get("detect", {}), "fdr": fdr}
    _refuse_unknown(path, given, Settings.model_fields)
    for name in ("prepare", "detect", "series", "publish", "scan", "notify"):
        section = given.get(name, {})
        if not isinstance(section, dict):
            raise ConfigurationError(f"{path}: {name} must be a section, [{name}].")
        _refuse_unknown(path, section, _keys(type(Settings.model_fields[name].default)), f"{name}.")
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise ConfigurationError(f"{path}: {key}: {fault['msg'].removeprefix('Value error, ')}.") from error


def _keys(section: type[Any]) -> list[str]:
    """The settings of a stage, be they a dataclass or a pydantic model."""
    if issubclass(section, BaseModel):
        return list(section.model_fields)
    return [field.name for field in dataclasses.fields(section)]


def _refuse_unknown(path: Path, given: Iterable[str], known: Iterable[str], section: str = "") -> None:
    known = list(known)
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {section}{close[0]}?" if close else f"there are {', '.join(known)}."
            raise ConfigurationError(f"{path}: there is no setting {section}{key}; {hint}")
