"""`sitewatch scan`: look at the sites asked for, one after the other, and publish what was found.

One broken site costs only itself. What was found and not used is listed with its reason, scene by scene.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from geo.errors import ConfigurationError, LockedError, SitewatchError, SomeSitesFailed
from geo.files.vectors import read_sites
from geo.scene import Query
from geo.sites import Site, SiteFaults
from geo.zones import site_grid
from pipelines.acquire import provider_for
from pipelines.desk import Asked, Desk, SiteOutcome, Tell
from pipelines.ledger import Ledger
from pipelines.lock import held
from pipelines.pair_scan import scan_pair
from pipelines.series_scan import is_series, scan_series
from pipelines.settings import Settings

__all__ = ["Asked", "Outcome", "SiteOutcome", "scan"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of all sites."""

    sites: tuple[SiteOutcome, ...]

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """A line a site; where nobody watches, only what changed. Failures are told by `raise_for_failures`."""
        for site in self.sites:
            if site.error is None and (not quiet or (site.state == "change" and site.fresh)):
                where = "" if site.folder is None else f" {site.folder}/report.html"
                yield f"{site.site_id}: {site.sentence}{where}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {"sites": [site.to_json() for site in self.sites]}

    def raise_for_failures(self) -> None:
        """Raise the error of a single site, or SomeSitesFailed that names each."""
        failed = [site for site in self.sites if site.error is not None]
        if failed and len(self.sites) == 1:
            raise failed[0].error or SomeSitesFailed
        if failed:
            raise SomeSitesFailed("; ".join(f"{site.site_id}: {site.sentence}" for site in failed))


def scan(
    workspace: Path, asked: Asked, *, settings: Settings, now: datetime, executor: Executor, tell: Tell
) -> Outcome:
    """Scan the sites asked for, one after the other, each under its own lock.

    Raises ConfigurationError where the workspace has no such site, LockedError where another run works on one alone.
    """
    outcomes = []
    for site_id, site in _sites(workspace / "aois", asked.sites).items():
        try:
            if isinstance(site, SitewatchError):
                raise site
            tell(f"{site_id}: looking for scenes")
            with held(workspace / "outputs", site_id, now=now), Ledger(workspace / "outputs/sitewatch.db") as ledger:
                desk = Desk(workspace / "outputs", site, asked, settings, now, executor, ledger, tell)
                outcomes.append(_scan_site(desk))
        except SitewatchError as error:
            outcomes.append(SiteOutcome(site_id=site_id, state="failed", sentence=str(error), error=error))
            _note_failure(workspace / "outputs/sitewatch.db", site_id, error, now)
    return Outcome(sites=tuple(outcomes))


def _note_failure(path: Path, site_id: str, error: SitewatchError, now: datetime) -> None:
    """A run that failed is one that did not see: it stands in the ledger, where that can be written."""
    if isinstance(error, LockedError):
        return
    with suppress(SitewatchError, sqlite3.Error), Ledger(path) as ledger:
        ledger.finish(f"{now:%Y%m%dT%H%M%SZ}-failed-{site_id}", site_id, "failed", str(error), now=now)


def _scan_site(desk: Desk) -> SiteOutcome:
    """Series where there are scenes enough and enough of them show the site; else the first and the last look."""
    desk.tidy()
    provider = provider_for(desk.asked.source, desk.site, desk.now, desk.settings.providers, desk.outputs / "archive")
    query = Query(grid=site_grid(desk.site), start=desk.asked.start, end=desk.asked.end)
    scenes = list(provider.search(query))
    desk.leave_truth(provider, scenes)
    many = not desk.asked.pair and is_series(scenes)
    outcome = scan_series(desk, provider, query, scenes) if many else None
    # What was fetched for a series is here already: looking at all of it costs little.
    return outcome or scan_pair(desk, provider, query, scenes, thorough=many)


def _sites(folder: Path, wanted: tuple[str, ...]) -> dict[str, Site | SitewatchError]:
    """The sites to scan by id; a broken file among all stands as its own error."""
    found = read_sites(folder)
    if not wanted:
        broken = {f"(site file {n})": SiteFaults((fault,)) for n, fault in enumerate(found.faults, start=1)}
        if not found.sites and not broken:
            raise ConfigurationError(f"{folder} holds no site; add one with: sitewatch sites add FILE.")
        return {**found.sites, **broken}
    for name in wanted:
        if name not in found.sites:
            fault = next((f for f in found.faults if f"{name}.geojson" in f), None)
            known = ", ".join(found.sites) or "none"
            raise ConfigurationError(fault or f"There is no site {name!r} in {folder}; there are: {known}.")
    return {name: found.sites[name] for name in wanted}
