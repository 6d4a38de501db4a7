"""A site's scan where scenes are few: the first clear look is compared with the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from geo.errors import InputError
from geo.providers import Provider
from geo.scene import Provenance, Query, Scene, SceneRecord
from geo.zones import site_grid
from pipelines.acquire import acquire
from pipelines.assess import Considered, Context, Findings, unused_state
from pipelines.desk import Desk, SiteOutcome, resolution_m, unusable
from pipelines.ledger import Observation, State
from pipelines.prepare import share_clear
from pipelines.reviewed import plans_of
from pipelines.run import Run, UnregisteredError, carry_out
from pipelines.selection import Look, Selection, choose

_NOWHERE = Provenance(provider="", request={}, received=datetime.min.replace(tzinfo=UTC))


def scan_pair(
    desk: Desk, provider: Provider, query: Query, scenes: Sequence[Scene], *, thorough: bool = False
) -> SiteOutcome:
    """Compare the first clear scene with the last, and publish; `thorough` looks at all others, too."""
    return _PairScan(desk, provider, query, list(scenes), thorough).scan()


@dataclass(frozen=True)
class _PairScan:
    desk: Desk
    provider: Provider
    query: Query
    scenes: list[Scene]
    thorough: bool
    broken: set[str] = field(default_factory=set)

    def scan(self) -> SiteOutcome:
        desk = self.desk
        unregistered: tuple[Considered, ...] = ()
        while True:
            selection = choose(self.scenes, self._look, thorough=self.thorough)
            left_out = (*unregistered, *self.desk.left_out, *unusable(self.provider))
            if selection.before is None or selection.after is None:
                self._record(selection, left_out, None, "not-observed")
                return desk.blind("; ".join((selection.why_none, *(item.reason.rstrip(".") for item in unregistered))))
            run = self._run(selection, left_out)
            same = desk.unchanged(run.is_run)
            if same is not None and same.folder is not None:
                self._record(selection, left_out, same.folder.name, same.state)
                return same
            desk.tell(f"{desk.site.id}: comparing {run.before.scene.id} with {run.after.scene.id}")
            try:
                findings = carry_out(run, desk.runs / run.id, desk.executor)
            except UnregisteredError as error:
                # The scene is one of many: look for the next clear one.
                self.scenes.remove(run.after.scene)
                unregistered += (Considered(scene=run.after.scene, clear_fraction=None, reason=str(error)),)
                continue
            return self._finish(run, findings, selection, left_out)

    def _finish(
        self, run: Run, findings: Findings, selection: Selection, left_out: tuple[Considered, ...]
    ) -> SiteOutcome:
        self._record(selection, left_out, run.id, findings.observability.state)
        return self.desk.sign_off(run.id, findings)

    def _run(self, selection: Selection, left_out: tuple[Considered, ...]) -> Run:
        assert selection.before is not None  # noqa: S101 - the caller looked
        assert selection.after is not None  # noqa: S101
        before, after = selection.before.record, selection.after.record
        considered = tuple(
            Considered(scene=s, clear_fraction=c, reason=r, broken=s.id in self.broken) for s, c, r in selection.refused
        )
        desk = self.desk
        return Run(
            before=before,
            after=after,
            context=Context.of_site(desk.site, (*considered, *left_out)),
            grid=site_grid(desk.site, resolution_m=resolution_m(before, after)),
            settings=desk.settings,
            now=desk.now,
            previous_manifest=desk.latest_manifest(),
            reviews=desk.reviewed(),
            plans=plans_of(desk.outputs, desk.site.id),
        )

    def _look(self, scene: Scene) -> Look:
        """Fetch a scene and measure how much of the site it shows; one that cannot be used shows nothing."""
        desk = self.desk
        desk.tell(f"{desk.site.id}: fetching {scene.id}")
        try:
            record = acquire(scene, self.provider, self.query, desk.outputs / "archive", desk.site.id)
            ground = Context.of_site(desk.site).area
            return Look(record=record, clear_fraction=share_clear(record, ground, desk.settings.prepare))
        except InputError as error:
            self.broken.add(scene.id)
            empty = SceneRecord(scene=scene, provenance=_NOWHERE, path=Path(), sha256="", size_bytes=0)
            return Look(record=empty, clear_fraction=0.0, reason=str(error))

    def _record(self, selection: Selection, left_out: tuple[Considered, ...], run_id: str | None, state: State) -> None:
        """Put every scene that was found into exactly one state."""
        site = self.desk.site.id
        rows = []
        for look in (selection.before, selection.after):
            if look is not None and run_id is not None:
                scene = look.record.scene
                rows.append(Observation(site, scene.id, scene.time, state, "compared", run_id))
        for scene, clear, reason in selection.refused:
            kept: State = unused_state(clear, broken=scene.id in self.broken)
            rows.append(Observation(site, scene.id, scene.time, kept, reason, run_id))
        for other in left_out:
            kept = unused_state(None, broken=other.broken)
            rows.append(Observation(site, other.scene.id, other.scene.time, kept, other.reason, run_id))
        self.desk.ledger.record(rows, now=self.desk.now)
