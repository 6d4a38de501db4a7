"""`sitewatch scan`: look at the sites asked for, and publish what was found.

One broken site costs only itself. What was found and not used is listed with its reason, scene by scene.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geo.errors import ConfigurationError, LockedError, SitewatchError, SomeSitesFailed, TemporaryError
from geo.files.vectors import read_sites
from geo.scene import Query
from geo.sites import Site, SiteFaults
from geo.zones import site_grid
from pipelines.acquire import provider_for
from pipelines.desk import Asked, Desk, SiteOutcome, Tell
from pipelines.due import in_order, look_of, nothing_new
from pipelines.ledger import Alert, Ledger
from pipelines.lock import held
from pipelines.notify import told
from pipelines.pair_scan import scan_pair
from pipelines.series_scan import affordable, is_series, scan_series, wanted
from pipelines.settings import Settings
from pipelines.workers import Job, in_processes

__all__ = ["Asked", "Outcome", "SiteOutcome", "scan"]

WORKSPACE = "_workspace"  # no site's id begins like this
UNREACHABLE = 3  # so many sites in a row that the service did not answer for: the others would fare no better
HAND_GIVEN = ("folder", "simulator")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of all sites, and the alerts that nobody was told yet.

    `resting` counts the sites that were not due, `unasked` those left for the next run as the service is out of reach.
    """

    sites: tuple[SiteOutcome, ...]
    outputs: Path
    alerts: tuple[Alert, ...] = ()
    resting: int = 0
    unasked: int = 0

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """A line a site; where nobody watches, a line an alert. Failures are told by `raise_for_failures`."""
        if quiet:
            yield from (told(alert, self.outputs) for alert in self.alerts)
            return
        for site in self.sites:
            if site.error is None:
                where = "" if site.folder is None else f" {site.folder}/report.html"
                waits = f" {site.waiting} more scenes wait for the next run." if site.waiting else ""
                yield f"{site.site_id}: {site.sentence}{waits}{where}"
        if self.resting:
            yield f"{self.resting} {'site is' if self.resting == 1 else 'sites are'} not due."

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "sites": [site.to_json() for site in self.sites],
            "alerts": [{"site": a.site, "run": a.run, "sentence": told(a, self.outputs)} for a in self.alerts],
            "resting": self.resting,
            "unasked": self.unasked,
        }

    def raise_for_failures(self) -> None:
        """Raise the error of a single site, or SomeSitesFailed with a sentence for each."""
        failed = [site for site in self.sites if site.error is not None]
        if failed and len(self.sites) == 1 and not self.unasked:
            raise failed[0].error or SomeSitesFailed
        if failed:
            sentences = [f"{site.site_id}: {site.sentence}" for site in failed]
            if self.unasked:
                sentences.append(f"{self.unasked} more sites were not asked for, since the service is out of reach.")
            codes = {site.error.exit_code for site in failed if site.error is not None}
            everything = len(failed) == len(self.sites) and len(codes) == 1
            raise SomeSitesFailed.of(sentences, exit_code=codes.pop() if everything else None)


def scan(
    workspace: Path,
    asked: Asked,
    *,
    settings: Settings,
    now: datetime,
    executor: Executor,
    tell: Tell,
    at_once: int = 1,
) -> Outcome:
    """Scan the sites asked for, each under its own lock; a scan of all sites holds the workspace's, too.

    `at_once` sites are worked on at a time, each in a process of its own where that is more than one.

    Raises:
        ConfigurationError: the workspace has no such site. LockedError: another run works on all, or on one alone.
    """
    outputs = workspace / "outputs"
    sites = _sites(workspace / "aois", asked.sites)
    with ExitStack() as stack:
        if not asked.sites:
            stack.enter_context(held(outputs, WORKSPACE, now=now))
        names = list(sites)
        if asked.due:
            with Ledger(outputs / "sitewatch.db") as ledger:
                names = in_order(sites, ledger.looks(), now, ledger.attempts())
        jobs = [_Job(workspace, name, sites[name], asked, settings, now) for name in names]
        outcomes: list[SiteOutcome] = []
        for outcome in in_processes(jobs, at_once) if at_once > 1 else (job.with_(executor, tell) for job in jobs):
            outcomes.append(outcome)
            if _is_unreachable(outcomes):
                break
        with Ledger(outputs / "sitewatch.db") as ledger:
            alerts = tuple(ledger.waiting("told"))
    outcomes.sort(key=lambda outcome: names.index(outcome.site_id))
    return Outcome(
        sites=tuple(outcomes),
        outputs=outputs,
        alerts=alerts,
        resting=len(sites) - len(names),
        unasked=len(names) - len(outcomes),
    )


def scan_one(
    workspace: Path, site: Site, asked: Asked, *, settings: Settings, now: datetime, executor: Executor, tell: Tell
) -> SiteOutcome:
    """Scan a site that need not have a file in the workspace; its results lie in outputs/ like those of any other."""
    return _Job(workspace, site.id, site, asked, settings, now).with_(executor, tell)


@dataclass(frozen=True)
class _Job(Job[SiteOutcome]):
    """One site to scan; it can be sent to another process."""

    workspace: Path
    site_id: str
    site: Site | SitewatchError
    asked: Asked
    settings: Settings
    now: datetime

    def with_(self, executor: Executor, tell: Tell) -> SiteOutcome:
        """Scan the site; a failure is an outcome, too, and stands in the ledger."""
        outputs = self.workspace / "outputs"
        try:
            if isinstance(self.site, SitewatchError):
                raise self.site
            tell(f"{self.site_id}: looking for scenes")
            with Ledger(outputs / "sitewatch.db") as ledger:
                desk = Desk(outputs, self.site, self.asked, self.settings, self.now, executor, ledger, tell)
                return _scan_site(desk)
        except SitewatchError as error:
            _note_failure(outputs / "sitewatch.db", self.site_id, error, self.now)
            return SiteOutcome(site_id=self.site_id, state="failed", sentence=str(error), error=error)
        except Exception as error:  # a bug that one site brings out must not cost the others
            if self.asked.sites:
                raise
            fault = SitewatchError(f"Unexpected {type(error).__name__}: {error}. Please report it.")
            _note_failure(outputs / "sitewatch.db", self.site_id, fault, self.now)
            return SiteOutcome(site_id=self.site_id, state="failed", sentence=str(fault), error=fault)

    def died(self) -> SiteOutcome:
        """The failure of a site that ended the process which worked on it."""
        error = SitewatchError(
            f"{self.site_id} ended the process that worked on it, twice: out of memory, or an image that breaks its"
            " decoder. Scan it alone, and take out its images one by one."
        )
        _note_failure(self.workspace / "outputs/sitewatch.db", self.site_id, error, self.now)
        return SiteOutcome(site_id=self.site_id, state="failed", sentence=str(error), error=error)

    def __call__(self, executor: Executor) -> SiteOutcome:
        """Scan the site in silence."""
        return self.with_(executor, lambda _text: None)


def _is_unreachable(outcomes: list[SiteOutcome]) -> bool:
    last = outcomes[-UNREACHABLE:]
    return len(last) == UNREACHABLE and all(isinstance(site.error, TemporaryError) for site in last)


def _note_failure(path: Path, site_id: str, error: SitewatchError, now: datetime) -> None:
    """A run that failed is one that did not see: it stands in the ledger, where that can be written."""
    if isinstance(error, LockedError):
        return
    with suppress(SitewatchError, sqlite3.Error), Ledger(path) as ledger:
        ledger.finish(f"{now:%Y%m%dT%H%M%SZ}-failed-{site_id}", site_id, "failed", str(error), now=now)


def _scan_site(desk: Desk) -> SiteOutcome:
    """Series where there are scenes enough and enough of them show the site; else the first and the last look."""
    provider = provider_for(desk.asked.source, desk.site, desk.now, desk.settings.providers, desk.outputs / "archive")
    query = Query(grid=site_grid(desk.site), start=desk.asked.start or _since(desk), end=desk.asked.end)
    if desk.asked.due:
        ending = desk.ledger.endings().get(desk.site.id)
        look = desk.ledger.looks().get(desk.site.id)
        whole = (desk.runs / "latest").is_file() or (ending is not None and ending.state == "not-observed")
        if ending is not None and whole and nothing_new(desk, provider, query, look):
            return SiteOutcome(
                site_id=desk.site.id,
                state=ending.state,
                fresh=False,
                sentence=f"nothing new since {ending.recorded:%Y-%m-%d}.",
            )
    with held(desk.outputs, desk.site.id, now=desk.now):
        desk.ledger.note_attempt(desk.site.id, now=desk.now)
        desk.tidy()
        # No answer may depend on the order in which a service names its scenes.
        scenes = sorted(provider.search(query), key=lambda scene: (scene.time is None, str(scene.time), scene.id))
        desk.leave_truth(provider, scenes)
        look = look_of(desk, provider, query, scenes)
        many, waiting = not desk.asked.pair and is_series(scenes), 0
        if many:
            scenes, thinned = wanted(scenes, desk.asked.every_days)
            scenes, late = affordable(desk, provider, query, scenes)
            desk, waiting = replace(desk, left_out=(*thinned, *late)), len(late)
        outcome = scan_series(desk, provider, query, scenes) if many else None
        # What was fetched for a series is here already: looking at all of it costs little.
        outcome = outcome or scan_pair(desk, provider, query, scenes, thorough=many)
        if not waiting:
            desk.ledger.note_look(desk.site.id, look)
        return replace(outcome, waiting=waiting)


def _since(desk: Desk) -> datetime | None:
    """Services are asked from the site's first day on; what was given by hand is looked at whole."""
    first = desk.site.since
    if first is None or desk.asked.source.name in HAND_GIVEN:
        return None
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


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
