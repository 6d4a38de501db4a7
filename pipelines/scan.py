"""`sitewatch scan`: find the first and the last clear look at each site, compare them, publish.

One broken site costs only itself. What was looked at and refused is listed with its reason, scene by scene.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from geo.errors import SitewatchError, SomeSitesFailed
from geo.files.atomic import sweep
from pipelines.assess import Findings
from pipelines.ledger import Ledger
from pipelines.lock import held
from pipelines.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked to scan. No sites means all."""

    sites: tuple[str, ...]
    provider: str | None = None
    source: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class SiteOutcome:
    """What became of one site: findings in a folder, or the error that stopped it."""

    site_id: str
    findings: Findings | None = None
    folder: Path | None = None
    error: SitewatchError | None = None

    @property
    def state(self) -> str:
        """The ledger's word for it."""
        return "failed" if self.findings is None else self.findings.observability.state

    def line(self) -> str:
        """One line for a person or for cron's mail."""
        if self.findings is None:
            return f"{self.site_id}: failed: {self.error}"
        return f"{self.site_id}: {self.findings.summary} {self.folder}/report.html"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of all sites."""

    sites: tuple[SiteOutcome, ...] = field(default_factory=tuple)

    @property
    def states(self) -> list[str]:
        """One state a site."""
        return [s.state for s in self.sites]

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """Under cron (quiet) only changes speak; failures go to standard error with the exit code."""
        for site in self.sites:
            if site.findings is not None and (not quiet or site.state == "change"):
                yield site.line()

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "sites": [
                {
                    "site": s.site_id,
                    "state": s.state,
                    "folder": None if s.folder is None else str(s.folder),
                    "error": None if s.error is None else str(s.error),
                    "summary": None if s.findings is None else s.findings.summary,
                }
                for s in self.sites
            ]
        }

    def raise_for_failures(self) -> None:
        """Raise the one site's own error, or SomeSitesFailed naming each."""
        failed = [s for s in self.sites if s.error is not None]
        if not failed:
            return
        if len(self.sites) == 1 and failed[0].error is not None:
            raise failed[0].error
        raise SomeSitesFailed("; ".join(s.line() for s in failed))


def scan(
    workspace: Path,
    asked: Asked,
    *,
    settings: Settings,
    now: datetime,
    executor: Executor,
    tell: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Scan the sites asked for, one after the other, each under its own lock.

    Raises ConfigurationError where the workspace has no such site, LockedError where another run works on it.
    """
    outputs = workspace / "outputs"
    sites, faults = _sites(workspace / "aois", asked.sites)
    outcomes = [SiteOutcome(site_id=name, error=error) for name, error in faults]
    for site in sites:
        with held(outputs, site.id, now=now), Ledger(outputs / "sitewatch.db") as ledger:
            sweep(outputs / "runs" / site.id)
            try:
                outcomes.append(
                    _scan_one(site, workspace, asked, ledger, settings=settings, now=now, executor=executor, tell=tell)
                )
            except SitewatchError as error:
                ledger.record(site.id, now=now, state="failed", reason=str(error))
                outcomes.append(SiteOutcome(site_id=site.id, error=error))
    return Outcome(sites=tuple(outcomes))
