"""What every way of scanning a site shares: the site and its folders, the ledger, how a run is signed off."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from geo.errors import SitewatchError
from geo.files.atomic import PARTIAL, atomic_path, sweep
from geo.files.rasters import describe
from geo.files.sums import sha256
from geo.providers import Provider
from geo.providers.simulator import Simulator, truth
from geo.scene import Scene, SceneRecord
from geo.sites import Site
from pipelines.acquire import Source
from pipelines.assess import Considered, Event, Findings
from pipelines.chain import append_runs
from pipelines.ledger import Ledger, State
from pipelines.past import subjects
from pipelines.reviewed import Reviewed, reviewed
from pipelines.settings import Settings

PIXELS_M = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked to scan. No sites means all; the span of time is half-open.

    `every_days` keeps one scene in so many days, that with the fewest clouds by the catalogue; None keeps all.
    `pair` compares only the first clear look with the last. `due` leaves out the sites that are not due and those that
    nothing came in for; `most_scenes` bounds what is fetched for one site, older scenes first; None fetches all.
    """

    sites: tuple[str, ...]
    source: Source
    start: datetime | None = None
    end: datetime | None = None
    every_days: float | None = None
    pair: bool = False
    due: bool = False
    most_scenes: int | None = None


@dataclass(frozen=True, kw_only=True)
class SiteOutcome:
    """What became of one site: a state, a sentence, and where its run lies or why there is none.

    `fresh` is False where nothing came in since the run before, and so nothing was made; `waiting` counts the scenes
    that were left for the next run.
    """

    site_id: str
    state: State
    sentence: str
    folder: Path | None = None
    findings: Findings | None = None
    error: SitewatchError | None = None
    fresh: bool = True
    waiting: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "site": self.site_id,
            "state": self.state,
            "summary": self.sentence,
            "folder": None if self.folder is None else str(self.folder),
        }


@dataclass(frozen=True)
class Desk:
    """One site's scan: where its results go, what it may use, and the scenes that it leaves out, with the reason."""

    outputs: Path
    site: Site
    asked: Asked
    settings: Settings
    now: datetime
    executor: Executor
    ledger: Ledger
    tell: Tell
    left_out: tuple[Considered, ...] = ()

    @property
    def runs(self) -> Path:
        """Folder of the site's runs."""
        return self.outputs / "runs" / self.site.id

    def tidy(self) -> None:
        """Remove what a killed run left half-made."""
        sweep(self.runs)
        sweep(self.outputs / "archive" / self.site.id)
        for left in (self.outputs / "review").glob(f"*.{self.site.id}.*{PARTIAL}*"):  # other sites' runs may be at work
            left.unlink(missing_ok=True)

    def sign_off(self, run_id: str, findings: Findings) -> SiteOutcome:
        """Note how a run ended, and point `latest` at it."""
        seen = findings.observability
        append_runs(self.outputs, self.site.id)
        self.ledger.finish(run_id, self.site.id, seen.state, seen.state_reason, now=self.now)
        self._alert(run_id, findings)
        with atomic_path(self.runs / "latest") as pointer:
            pointer.write_text(f"{run_id}\n", encoding="ascii")
        return SiteOutcome(
            site_id=self.site.id,
            state=seen.state,
            sentence=findings.summary,
            folder=self.runs / run_id,
            findings=findings,
        )

    def _alert(self, run_id: str, findings: Findings) -> None:
        """Put what is new on the list of what people must hear."""
        what = subjects(
            [(event.id, event.kind, event.after_scene, event.confirmed) for event in findings.events],
            used=sum(scene.used for scene in findings.scenes),
            state=findings.observability.state,
        )
        if what:
            self.ledger.alert(self.site.id, run_id, what, findings.summary, now=self.now)

    def unchanged(self, is_same: Callable[[str], bool]) -> SiteOutcome | None:
        """The newest run again, if it was made of the very same things; None if it was not, or is not whole."""
        manifests = self._complete()
        if not manifests or not is_same(manifests[-1].parent.name):
            return None
        folder = manifests[-1].parent
        try:
            findings = Findings.model_validate_json((folder / "findings.json").read_bytes())
        except (OSError, ValueError):
            return None
        # Whoever made it may have died before all was noted, so it is signed off again.
        signed = self.sign_off(folder.name, findings)
        return replace(signed, sentence=f"nothing new since the run before: {findings.summary}", fresh=False)

    def blind(self, why: str) -> SiteOutcome:
        """The outcome where nothing could be observed, noted as such."""
        self.ledger.finish(f"{self.now:%Y%m%dT%H%M%SZ}-blind-{self.site.id}", self.site.id, "not-observed", why,
                           now=self.now)  # fmt: skip
        return SiteOutcome(site_id=self.site.id, state="not-observed", sentence=f"not observed: {why}.")

    def reviewed(self) -> Reviewed:
        """What analysts said of the site so far."""
        return reviewed(self.outputs, self.site.id, now=self.now)

    def latest_manifest(self) -> str | None:
        """SHA-256 of the newest complete run's manifest: each run vouches for the one before it."""
        manifests = self._complete()
        return sha256(manifests[-1]) if manifests else None

    def earlier_events(self) -> tuple[Event, ...]:
        """Events of the newest complete run; none where there is no run, or one that cannot be read."""
        manifests = self._complete()
        if not manifests:
            return ()
        try:
            text = (manifests[-1].parent / "findings.json").read_text(encoding="utf-8")
            return tuple(Findings.model_validate_json(text).events)
        except (OSError, ValueError):
            return ()

    def _complete(self) -> list[Path]:
        return sorted(self.runs.glob("*/manifest.json")) if self.runs.is_dir() else []

    def leave_truth(self, provider: Provider, scenes: list[Scene]) -> None:
        """For simulated imagery the truth lies beside the outputs; nothing here reads it again."""
        times = [scene.time for scene in scenes if scene.time is not None]
        if isinstance(provider, Simulator) and times:
            with atomic_path(self.outputs / "truth" / f"{self.site.id}.json") as path:
                known = truth(provider.scenario, min(times), max(times) + timedelta(seconds=1))
                path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def unusable(provider: Provider) -> tuple[Considered, ...]:
    """What lies in a folder and cannot be used; listed, not skipped."""
    return tuple(
        Considered(
            scene=Scene(id=name, time=None, sensor="unknown", href=name),
            clear_fraction=None,
            reason=reason,
            broken=True,
        )
        for name, reason in getattr(provider, "refused", ())
    )


def resolution_m(*records: SceneRecord) -> float:
    """Pixel size of a run's grid in metres: the coarsest of the images', rounded as sensors are sold."""
    sizes = [describe(record.path).grid.pixel_size_m for record in records]
    coarsest = max((max(size) for size in sizes if size is not None), default=10.0)
    return min(PIXELS_M, key=lambda size: abs(size - coarsest))
