"""`sitewatch scan`: find the first and the last clear look at each site, compare them, publish.

One broken site costs only itself. What was found and not used is listed with its reason, scene by scene.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from geo.errors import ConfigurationError, InputError, SitewatchError, SomeSitesFailed
from geo.files.atomic import atomic_path, sweep
from geo.files.rasters import describe
from geo.files.sums import sha256
from geo.files.vectors import read_sites
from geo.providers import Provider
from geo.providers.simulator import Simulator, truth
from geo.scene import Provenance, Query, Scene, SceneRecord
from geo.sites import Site, SiteFaults
from geo.zones import site_grid
from pipelines.acquire import Source, acquire, provider_for
from pipelines.assess import Considered, Context, Findings
from pipelines.ledger import Ledger, Observation, State
from pipelines.lock import held
from pipelines.prepare import share_clear
from pipelines.run import Run, UnregisteredError, carry_out
from pipelines.selection import Look, Selection, choose
from pipelines.settings import Settings

PIXELS_M = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked to scan. No sites means all; the span of time is half-open."""

    sites: tuple[str, ...]
    source: Source
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SiteOutcome:
    """What became of one site: a state, a sentence, and where its run lies or why there is none."""

    site_id: str
    state: State
    sentence: str
    folder: Path | None = None
    findings: Findings | None = None
    error: SitewatchError | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "site": self.site_id,
            "state": self.state,
            "summary": self.sentence,
            "folder": None if self.folder is None else str(self.folder),
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of all sites."""

    sites: tuple[SiteOutcome, ...]

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """A line a site; where nobody watches, only what changed. Failures are told by `raise_for_failures`."""
        for site in self.sites:
            if site.error is None and (not quiet or site.state == "change"):
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
                scanner = _Scanner(workspace / "outputs", site, asked, settings, now, executor, ledger, tell)
                outcomes.append(scanner.scan())
        except SitewatchError as error:
            outcomes.append(SiteOutcome(site_id=site_id, state="failed", sentence=str(error), error=error))
    return Outcome(sites=tuple(outcomes))


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


@dataclass(frozen=True)
class _Scanner:
    """One site's scan, from search to published run."""

    outputs: Path
    site: Site
    asked: Asked
    settings: Settings
    now: datetime
    executor: Executor
    ledger: Ledger
    tell: Tell

    def scan(self) -> SiteOutcome:
        runs = self.outputs / "runs" / self.site.id
        sweep(runs)
        sweep(self.outputs / "archive" / self.site.id)
        provider = provider_for(self.asked.source, self.site, self.now)
        query = Query(grid=site_grid(self.site), start=self.asked.start, end=self.asked.end)
        scenes = list(provider.search(query))
        self._leave_truth(provider, scenes)
        unregistered: tuple[Considered, ...] = ()
        while True:
            selection = choose(scenes, lambda scene: self._look(scene, provider, query))
            left_out = (*unregistered, *_unusable(provider))
            if selection.before is None or selection.after is None:
                self._record(selection, left_out, None, "not-observed")
                sentence = f"not observed: {selection.why_none}."
                return SiteOutcome(site_id=self.site.id, state="not-observed", sentence=sentence)
            run = self._run(selection, left_out)
            self.tell(f"{self.site.id}: comparing {run.before.scene.id} with {run.after.scene.id}")
            try:
                findings = carry_out(run, runs / run.id, self.executor)
            except UnregisteredError as error:
                # The scene is one of many: look for the next clear one.
                scenes.remove(run.after.scene)
                unregistered += (Considered(scene=run.after.scene, clear_fraction=None, reason=str(error)),)
                continue
            return self._finish(run, findings, selection, left_out)

    def _finish(
        self, run: Run, findings: Findings, selection: Selection, left_out: tuple[Considered, ...]
    ) -> SiteOutcome:
        seen = findings.observability
        self._record(selection, left_out, run.id, seen.state)
        self.ledger.finish(run.id, self.site.id, seen.state, seen.state_reason, now=self.now)
        runs = self.outputs / "runs" / self.site.id
        with atomic_path(runs / "latest") as pointer:
            pointer.write_text(f"{run.id}\n", encoding="ascii")
        return SiteOutcome(
            site_id=self.site.id,
            state=seen.state,
            sentence=findings.summary,
            folder=runs / run.id,
            findings=findings,
        )

    def _run(self, selection: Selection, left_out: tuple[Considered, ...]) -> Run:
        assert selection.before is not None  # noqa: S101 - the caller looked
        assert selection.after is not None  # noqa: S101
        before, after = selection.before.record, selection.after.record
        considered = tuple(Considered(scene=s, clear_fraction=c, reason=r) for s, c, r in selection.refused)
        return Run(
            before=before,
            after=after,
            context=Context.of_site(self.site, (*considered, *left_out)),
            grid=site_grid(self.site, resolution_m=_resolution(before, after)),
            settings=self.settings,
            now=self.now,
            previous_manifest=_latest_manifest(self.outputs / "runs" / self.site.id),
        )

    def _look(self, scene: Scene, provider: Provider, query: Query) -> Look:
        """Fetch a scene and measure how much of the site it shows; one that cannot be used shows nothing."""
        self.tell(f"{self.site.id}: fetching {scene.id}")
        try:
            record = acquire(scene, provider, query, self.outputs / "archive", self.site.id)
            ground = Context.of_site(self.site).area
            return Look(record=record, clear_fraction=share_clear(record, ground, self.settings.prepare))
        except InputError as error:
            empty = SceneRecord(scene=scene, provenance=_NOWHERE, path=Path(), sha256="", size_bytes=0)
            return Look(record=empty, clear_fraction=0.0, reason=str(error))

    def _record(self, selection: Selection, left_out: tuple[Considered, ...], run_id: str | None, state: State) -> None:
        """Put every scene that was found into exactly one state."""
        rows = []
        for look in (selection.before, selection.after):
            if look is not None and run_id is not None:
                scene = look.record.scene
                rows.append(Observation(self.site.id, scene.id, scene.time, state, "compared", run_id))
        for scene, clear, reason in selection.refused:
            kept: State = "pending" if clear is None else "not-observed"
            rows.append(Observation(self.site.id, scene.id, scene.time, kept, reason, run_id))
        for other in left_out:
            rows.append(
                Observation(self.site.id, other.scene.id, other.scene.time, "not-observed", other.reason, run_id)
            )
        self.ledger.record(rows, now=self.now)

    def _leave_truth(self, provider: Provider, scenes: list[Scene]) -> None:
        """For simulated imagery the truth lies beside the outputs; nothing here reads it again."""
        times = [scene.time for scene in scenes if scene.time is not None]
        if isinstance(provider, Simulator) and times:
            with atomic_path(self.outputs / "truth" / f"{self.site.id}.json") as path:
                known = truth(provider.scenario, min(times), max(times) + timedelta(seconds=1))
                path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


_NOWHERE = Provenance(provider="", request={}, received=datetime.min.replace(tzinfo=UTC))


def _unusable(provider: Provider) -> tuple[Considered, ...]:
    """What lies in a folder and cannot be used; listed, not skipped."""
    return tuple(
        Considered(scene=Scene(id=name, time=None, sensor="unknown", href=name), clear_fraction=None, reason=reason)
        for name, reason in getattr(provider, "refused", ())
    )


def _resolution(before: SceneRecord, after: SceneRecord) -> float:
    """Pixel size of the run's grid in metres: the coarser of the two images', rounded as sensors are sold."""
    sizes = [describe(record.path).grid.pixel_size_m for record in (before, after)]
    coarsest = max((max(size) for size in sizes if size is not None), default=10.0)
    return min(PIXELS_M, key=lambda size: abs(size - coarsest))


def _latest_manifest(runs: Path) -> str | None:
    """SHA-256 of the newest complete run's manifest: each run vouches for the one before it."""
    manifests = sorted(runs.glob("*/manifest.json")) if runs.is_dir() else []
    return sha256(manifests[-1]) if manifests else None
