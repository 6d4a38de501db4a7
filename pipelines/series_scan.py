"""A site's scan where scenes are many: all of them make a series, and every date gets its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from geo.errors import InputError
from geo.files.warp import warping_in_threads
from geo.providers import Provider
from geo.scene import Query, Scene, SceneRecord
from geo.zones import site_grid
from pipelines.acquire import acquire
from pipelines.acquire import kept as in_archive
from pipelines.assess import Considered, Context, Findings, unused_state
from pipelines.desk import Desk, SiteOutcome, resolution_m, unusable
from pipelines.ledger import WAITS, Observation
from pipelines.reviewed import plans_of
from pipelines.series_run import SeriesRun, TooFewLooksError, carry_out_series

FEWEST_SCENES = 6
RADAR = ("sentinel-1",)


def is_series(scenes: Sequence[Scene]) -> bool:
    """True where one sensor saw the site often enough to make a series."""
    counts = Counter(scene.sensor for scene in scenes if scene.time is not None)
    return max(counts.values(), default=0) >= FEWEST_SCENES


def scan_series(desk: Desk, provider: Provider, query: Query, scenes: Sequence[Scene]) -> SiteOutcome | None:
    """Fetch and compare all scenes of the commonest sensor, and publish; None where too few of them show anything."""
    kept, broken = _kept(desk, provider, query, scenes)
    left_out = (*desk.left_out, *broken, *unusable(provider))
    if not kept:
        return None
    sensors = Counter(record.scene.sensor for record in kept)
    main = min(sensors, key=lambda name: (name.startswith(RADAR), -sensors[name], name))
    own = [record for record in kept if record.scene.sensor == main]
    radar = [r for r in kept if r.scene.sensor != main and r.scene.sensor.startswith(RADAR)]
    others = [r for r in kept if r.scene.sensor != main and not r.scene.sensor.startswith(RADAR)]
    reason = f"another sensor than {main}; kept, and not part of this series"
    left_out += tuple(Considered(scene=r.scene, clear_fraction=None, reason=reason) for r in others)
    run = SeriesRun(
        scenes=own,
        radar=radar,
        context=Context.of_site(desk.site, left_out),
        grid=site_grid(desk.site, resolution_m=resolution_m(own[0])),
        settings=desk.settings,
        now=desk.now,
        earlier=desk.earlier_events(),
        previous_manifest=desk.latest_manifest(),
        reviews=desk.reviewed(),
        plans=plans_of(desk.outputs, desk.site.id),
    )
    same = desk.unchanged(run.is_run)
    if same is not None and same.findings is not None:
        _record(desk, same.findings, same.findings.run_id)
        told = {scene.id for scene in same.findings.scenes}
        desk.ledger.record([_observed(desk, item) for item in left_out if item.scene.id not in told], now=desk.now)
        return same
    desk.tell(f"{desk.site.id}: comparing {len(own)} scenes")
    try:
        findings = carry_out_series(run, desk.runs / run.id, desk.executor)
    except TooFewLooksError:
        return None
    _record(desk, findings, run.id)
    return desk.sign_off(run.id, findings)


def affordable(
    desk: Desk, provider: Provider, query: Query, scenes: Sequence[Scene]
) -> tuple[list[Scene], tuple[Considered, ...]]:
    """The scenes to use now: all that are kept, and as many of the others, oldest first, as may be fetched."""
    most = desk.asked.most_scenes
    if most is None or len(scenes) <= most:
        return list(scenes), ()
    archive = desk.outputs / "archive"
    missing = [s for s in scenes if in_archive(s, provider, query, archive, desk.site.id) is None]
    late = {scene.id for scene in sorted(missing, key=lambda s: str(s.time))[most:]}
    reason = f"{WAITS}: {most} scenes are fetched in one"
    return [s for s in scenes if s.id not in late], tuple(
        Considered(scene=s, clear_fraction=None, reason=reason) for s in scenes if s.id in late
    )


def wanted(scenes: Sequence[Scene], every_days: float | None) -> tuple[list[Scene], tuple[Considered, ...]]:
    """The scenes to fetch; of each span of `every_days` and each sensor the one with the fewest clouds stated."""
    dated = [scene for scene in scenes if scene.time is not None]
    undated = tuple(
        Considered(scene=s, clear_fraction=None, reason="states no date, so its place in time is unknown")
        for s in scenes
        if s.time is None
    )
    if every_days is None:
        return dated, undated
    best: dict[tuple[str, int], Scene] = {}
    for scene in dated:
        assert scene.time is not None  # noqa: S101 - dated
        key = scene.sensor, int(scene.time.timestamp() // (86400 * every_days))
        held = best.get(key)
        if held is None or _cloud(scene) < _cloud(held):
            best[key] = scene
    chosen = {scene.id for scene in best.values()}
    reason = f"not fetched: one scene in {every_days:g} days was asked for"
    return [s for s in dated if s.id in chosen], (
        *undated,
        *(Considered(scene=s, clear_fraction=None, reason=reason) for s in dated if s.id not in chosen),
    )


def _cloud(scene: Scene) -> float:
    stated = scene.properties.get("eo:cloud_cover", scene.properties.get("cloud_cover", 0.0))
    return float(stated) if isinstance(stated, int | float) else 100.0


def _kept(
    desk: Desk, provider: Provider, query: Query, scenes: Sequence[Scene]
) -> tuple[list[SceneRecord], tuple[Considered, ...]]:
    archive: Path = desk.outputs / "archive"

    def fetch(scene: Scene) -> SceneRecord | Considered:
        try:
            return acquire(scene, provider, query, archive, desk.site.id)
        except InputError as error:
            return Considered(scene=scene, clear_fraction=None, reason=str(error), broken=True)

    desk.tell(f"{desk.site.id}: fetching {len(scenes)} scenes")
    with warping_in_threads():
        fetched = list(desk.executor.map(fetch, scenes))
    broken = tuple(item for item in fetched if isinstance(item, Considered))
    return [item for item in fetched if isinstance(item, SceneRecord)], broken


def _observed(desk: Desk, item: Considered) -> Observation:
    scene, state = item.scene, unused_state(item.clear_fraction, broken=item.broken)
    return Observation(desk.site.id, scene.id, scene.time, state, item.reason, None)


def _record(desk: Desk, findings: Findings, run_id: str) -> None:
    """Put every scene that was found into exactly one state."""
    rows = [
        Observation(desk.site.id, scene.id, scene.time, scene.state or "pending", scene.reason, run_id)
        for scene in findings.scenes
    ]
    desk.ledger.record(rows, now=desk.now)
