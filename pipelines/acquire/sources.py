"""Providers by name: the built-in ones, and those that other packages bring as entry points `sitewatch.providers`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from geo.errors import ConfigurationError, UsageError
from geo.providers import Provider
from geo.providers.folder import Folder, Options
from geo.providers.simulator import OPTICAL, RADAR, Scenario, Simulator
from geo.providers.stac import Stac, endpoint_for
from geo.sites import Site
from pipelines.acquire.account import NAME, SECTION, account

BUILT_IN = ("folder", NAME, "simulator", "stac")
GROUP = "sitewatch.providers"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a person wants scenes to come from.

    Attributes:
        provider: name; None is `folder` where a source is given, else the simulator.
        source: folder or address, as the provider takes it.
        seed: which world the simulator draws.
        options: what is said about the files of a folder.
    """

    provider: str | None = None
    source: str | None = None
    seed: int = 0
    options: Options = Options()  # noqa: RUF009 - frozen

    @property
    def name(self) -> str:
        """The provider's name, the default filled in."""
        name = self.provider or ("folder" if self.source else "simulator")
        return NAME if name == SECTION else name


def provider_for(
    source: Source,
    site: Site,
    now: datetime,
    settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    archive: Path | None = None,
) -> Provider:
    """Return the provider for a site; `settings` are those of `[providers.<name>]`, `archive` tells what was spent.

    The simulator draws its world around the site, unless the site is itself simulated: then it is where it was drawn.
    Raises UsageError for a missing --source, ConfigurationError for a name that nobody knows.
    """
    if source.name == "folder":
        if source.source is None:
            raise UsageError("--provider folder needs --source DIR, the folder with the images.")
        return Folder(Path(source.source), clock=lambda: now, options=source.options)
    if source.name == "simulator":
        return Simulator(scenario_of(site, source.seed), sensors=(OPTICAL, RADAR), now=now)
    if source.name == "stac":
        return Stac(endpoint_for(source.source, settings.get("stac", {})), clock=lambda: now)
    if source.name == NAME:
        return account(source.source, settings.get(SECTION, {}), os.environ, archive, now)
    found = entry_points(group=GROUP)
    if source.name in found.names:
        plugin: Provider = found[source.name].load()(source=source.source, now=now)
        return plugin
    known = ", ".join(sorted({*BUILT_IN, *found.names}))
    raise ConfigurationError(f"There is no provider {source.name!r}; installed are {known}.")


def scenario_of(site: Site, seed: int) -> Scenario:
    """The simulated world that holds a site."""
    if site.location.source == "simulator":
        return Scenario(seed=seed, site_id=site.id)
    middle = (site.search_area if site.is_search and site.search_area is not None else site.geometry).centroid
    return Scenario(seed=seed, site_id=site.id, lon=round(middle.x, 4), lat=round(middle.y, 4))
