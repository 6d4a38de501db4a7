"""`sitewatch acquire`: fetch what the archive lacks of one site, or only say what that would cost.

What arrived is kept at once: a run that is stopped, killed or out of quota loses nothing and repeats nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from geo.errors import ConfigurationError, InputError, SitewatchError
from geo.files.atomic import sweep
from geo.files.vectors import read_site, site_path
from geo.files.warp import warping_in_threads
from geo.providers import Provider
from geo.scene import Query, Scene, SceneRecord
from geo.sites import Site
from geo.zones import site_grid
from pipelines.acquire import Source, acquire, kept, provider_for
from pipelines.ledger import Ledger, Observation
from pipelines.lock import held
from pipelines.settings import Settings
from pipelines.workers import Terminated

Progress = Callable[[int, int], None]
COSTS = ("bytes", "requests", "processing_units")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to fetch: a site, where from, a half-open span of time; `dry` only counts."""

    site_id: str
    source: Source
    start: datetime | None = None
    end: datetime | None = None
    dry: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """One scene: `kept` before, `fetched` now, `missing` in a dry run, or `unusable` with its reason."""

    scene: Scene
    state: str
    reason: str = ""
    cost: dict[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """All scenes, oldest first."""

    site_id: str
    rows: tuple[Row, ...]
    dry: bool

    @property
    def cost(self) -> dict[str, float]:
        """Sums of what is missing would cost; empty where the provider cannot tell."""
        known = [row.cost for row in self.rows if row.cost and row.state == "missing"]
        return {key: sum(c.get(key, 0.0) for c in known) for key in COSTS if any(key in c for c in known)}

    def lines(self) -> Iterator[str]:
        """A line a scene in a dry run; else one for each that cannot be used; and the sum."""
        for row in self.rows:
            if self.dry or row.state == "unusable":
                when = f"{row.scene.time:%Y-%m-%d %H:%M}" if row.scene.time else "no date         "
                yield f"{when}  {row.state:8}  {row.scene.id}" + (f": {row.reason}" if row.reason else "")
        count = Counter(row.state for row in self.rows)
        told = ", ".join(f"{count[s]} {s}" for s in ("kept", "fetched", "missing", "unusable") if count[s])
        yield f"{self.site_id}: {told or 'no scene in this period'}.{self._priced()}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        rows = [
            {"id": r.scene.id, "time": r.scene.time and r.scene.time.isoformat(), "sensor": r.scene.sensor,
             "state": r.state, "reason": r.reason, "cost": r.cost}
            for r in self.rows
        ]  # fmt: skip
        return {"site": self.site_id, "dry_run": self.dry, "scenes": rows, "estimate": self.cost}

    def raise_for_failures(self) -> None:
        """Raise InputError where there were scenes and none of them can be used."""
        if self.rows and all(row.state == "unusable" for row in self.rows):
            raise InputError(f"{self.site_id}: none of {len(self.rows)} scenes can be used: {self.rows[0].reason}")

    def _priced(self) -> str:
        cost = self.cost
        parts = [f"{cost['bytes'] / 2**20:,.1f} MiB"] if "bytes" in cost else []
        parts += [f"{cost['requests']:,.0f} requests"] if "requests" in cost else []
        parts += [f"{cost['processing_units']:,.1f} processing units"] if "processing_units" in cost else []
        missing = any(row.state == "missing" for row in self.rows)
        return f" To fetch: about {', '.join(parts)}." if parts else " The provider states no cost." if missing else ""


def gather(
    workspace: Path, wanted: Wanted, *, settings: Settings, now: datetime, progress: Progress = lambda _done, _all: None
) -> Gathered:
    """Search a site's scenes, and fetch those that the archive lacks with `settings.workers` threads.

    Open spans of time are always asked of the provider anew; nothing that is kept is fetched again.

    Raises:
        TemporaryError: quota or network gave out; what had arrived is kept. ConfigurationError, LockedError,
        NoSpaceError, IntegrityError: as everywhere.
    """
    path = site_path(workspace / "aois", wanted.site_id)
    if not path.is_file():
        raise ConfigurationError(f"There is no site {wanted.site_id!r} in {workspace / 'aois'}.")
    site = read_site(path)
    query = Query(grid=site_grid(site), start=wanted.start or _since(site), end=wanted.end)
    outputs = workspace / "outputs"
    provider = provider_for(wanted.source, site, now, settings.providers, outputs / "archive")
    if wanted.dry:
        rows = [_planned(scene, provider, query, outputs / "archive", site.id) for scene in provider.search(query)]
        return Gathered(site_id=site.id, rows=_sorted([*rows, *_refused(provider)]), dry=True)
    with held(outputs, site.id, now=now), Ledger(outputs / "sitewatch.db") as ledger:
        sweep(outputs / "archive" / site.id)
        scenes = list(provider.search(query))
        fetched = _fetch_all(scenes, provider, query, (outputs / "archive", site.id), settings.workers, progress)
        rows = [*fetched, *_refused(provider)]
        failed = [r for r in rows if r.state == "unusable"]
        ledger.record(
            [Observation(site.id, r.scene.id, r.scene.time, "failed", r.reason, None) for r in failed], now=now
        )
    return Gathered(site_id=site.id, rows=_sorted(rows), dry=False)


def _fetch_all(
    scenes: list[Scene], provider: Provider, query: Query, place: tuple[Path, str], workers: int, progress: Progress
) -> list[Row]:
    """Fetch with threads; after the first error that concerns all scenes nothing new is begun."""

    def one(scene: Scene) -> Row:
        if kept(scene, provider, query, *place) is not None:
            return Row(scene=scene, state="kept")
        try:
            record: SceneRecord = acquire(scene, provider, query, *place)
        except InputError as error:
            return Row(scene=scene, state="unusable", reason=str(error))
        return Row(scene=record.scene, state="fetched")

    rows: list[Row] = []
    with warping_in_threads(), ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
        running: list[Future[Row]] = [pool.submit(one, scene) for scene in scenes]
        try:
            for done in as_completed(running):
                rows.append(done.result())
                progress(len(rows), len(scenes))
        except (SitewatchError, KeyboardInterrupt, Terminated):
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return rows


def _planned(scene: Scene, provider: Provider, query: Query, root: Path, site_id: str) -> Row:
    if kept(scene, provider, query, root, site_id) is not None:
        return Row(scene=scene, state="kept")
    estimate = getattr(provider, "estimate", None)
    return Row(scene=scene, state="missing", cost=dict(estimate(scene, query)) if estimate is not None else None)


def _refused(provider: Provider) -> list[Row]:
    found = getattr(provider, "refused", ())
    return [
        Row(scene=Scene(id=name, time=None, sensor="unknown", href=name), state="unusable", reason=reason)
        for name, reason in found
    ]


def _sorted(rows: list[Row]) -> tuple[Row, ...]:
    late = datetime.max.replace(tzinfo=UTC)
    return tuple(sorted(rows, key=lambda row: (row.scene.time or late, row.scene.id)))


def _since(site: Site) -> datetime | None:
    return None if site.since is None else datetime.combine(site.since, time(), tzinfo=UTC)
