"""What the series detector says of simulated sites whose truth is known:

    python -m tests.benchmarks.bench_simulated --kind centre --seeds 33 40 [--every 10]

One line a seed, then the sums. `centre`: was the start of ground works inside its interval, how wide was that, how many
clear looks passed before it was confirmed; `replant` and `control`: what was wrongly called construction, confirmed.
The simulator's truth is read here only, after the findings are made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from geo.files.environment import harden

harden(os.environ)

from shapely.geometry import shape

from geo.providers.simulator import OPTICAL, RADAR, Scenario, Simulator, site_collection, truth
from geo.scene import Query, SceneRecord
from geo.sites import parse_site
from geo.zones import site_grid, to_grid
from pipelines.acquire import acquire
from pipelines.assess import Context, Findings, assess_series
from pipelines.desk import resolution_m
from pipelines.detect import detect_series
from pipelines.prepare import prepare_series
from pipelines.series_run import SeriesRun, _ground, _radar, _wall
from pipelines.series_scan import wanted
from pipelines.settings import Settings

START, END = datetime(2017, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC)
BLOCK_SHARE = 0.1  # of a replanted block that is called construction: the block counts as wrong


@dataclass(frozen=True)
class Case:
    """One simulated site, what was found there, and what is true."""

    findings: Findings
    known: dict[str, object]
    years: float


def run(kind: str, seed: int, every: float, pool: ThreadPoolExecutor) -> Case:
    """Everything from the provider to the findings, without publishing."""
    scenario = Scenario(seed=seed, kind=kind)  # type: ignore[arg-type]
    provider = Simulator(scenario, sensors=(OPTICAL, RADAR), now=END)
    site = parse_site(site_collection(scenario), file="simulator")
    query = Query(grid=site_grid(site), start=START, end=END)
    scenes, left = wanted(list(provider.search(query)), every)
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)

        def fetch(scene: object) -> SceneRecord:
            return acquire(scene, provider, query, place / "archive", site.id)  # type: ignore[arg-type]

        records = list(pool.map(fetch, scenes))
        own = [r for r in records if r.scene.sensor == OPTICAL]
        job = SeriesRun(
            scenes=own, radar=[r for r in records if r.scene.sensor == RADAR], context=Context.of_site(site, left),
            grid=site_grid(site, resolution_m=resolution_m(own[0])), settings=settings, now=END,
        )  # fmt: skip
        work = place / "work"
        work.mkdir()
        looks = prepare_series(own, grid=job.grid, folder=work, settings=settings.prepare, executor=pool)
        seen = detect_series(
            looks, folder=work, ground=_ground(job), settings=settings.series, executor=pool,
            unchanged=[to_grid(c.polygon, job.grid) for c in site.controls],
        )  # fmt: skip
        findings, _ = assess_series(
            looks, seen, job.context, run_id="bench", now=END, wall=_wall(job, looks, seen, pool),
            radar=_radar(job, work, pool),
        )  # fmt: skip
        shutil.rmtree(work)
    known = truth(scenario, START, END, sensors=(OPTICAL,))
    return Case(findings, known, (END - START).days / 365.25)


def centre(case: Case) -> dict[str, float]:
    """The first confirmed event at the site against the day on which clearing began."""
    known: dict[str, str] = case.known["clearing"]  # type: ignore[assignment]
    begun = datetime.fromisoformat(known["from"]).replace(tzinfo=UTC)
    outline = shape(case.known["outline"])  # type: ignore[arg-type]
    events = [
        e for e in case.findings.events
        if e.confirmed and e.not_after and shape(e.geometry).intersects(outline) and e.kind in ("clearing", "construction")
    ]  # fmt: skip
    if not events:
        return {"found": 0}
    first = min(events, key=lambda e: (e.not_after or END, -(e.area_m2 or 0)))
    assert first.not_after is not None
    before = first.not_before or START
    clear = sorted(
        s.time for s in case.findings.scenes
        if s.time and s.used and s.role != "radar" and (s.clear_fraction or 0) >= 0.5 and s.time >= begun
    )  # fmt: skip
    sure = next((s.time for s in case.findings.scenes if s.id == first.confirmed_by), None)
    delay = sum(t <= sure for t in clear) if sure else -1
    # A truth that took days began somewhere within its first day.
    inside = before.date() <= begun.date() <= first.not_after.date()
    return {"found": 1, "inside": inside, "days": (first.not_after - before).total_seconds() / 86400, "delay": delay}


def replant(case: Case) -> dict[str, float]:
    """Replanted blocks of which a tenth or more was called construction, confirmed."""
    built = [shape(e.geometry) for e in case.findings.events if e.confirmed and e.kind == "construction"]
    blocks = [shape(item["geometry"]) for item in case.known["replanted"]]  # type: ignore[attr-defined]
    wrong = sum(any(b.intersection(e).area >= BLOCK_SHARE * b.area for e in built) for b in blocks)
    return {"blocks": len(blocks), "wrong": wrong}


def control(case: Case) -> dict[str, float]:
    """Confirmed construction, wall or demolition where nothing is ever built, off what the world changes of itself."""
    natural = [shape(item["geometry"]) for item in case.known["other_changes"]]  # type: ignore[attr-defined]
    outline = shape(case.known["outline"])  # type: ignore[arg-type]
    alarms = [
        e for e in case.findings.events
        if e.confirmed and e.kind != "regrowth" and shape(e.geometry).intersects(outline)
        and not any(shape(e.geometry).intersects(other) for other in natural)
    ]  # fmt: skip
    return {"years": case.years, "alarms": len(alarms)}


def main() -> None:
    """Run the seeds and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("centre", "replant", "control"), default="centre")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 40))
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    judge = {"centre": centre, "replant": replant, "control": control}[given.kind]
    rows: list[dict[str, float]] = []
    for seed in range(*given.seeds):
        begin = time.perf_counter()
        with ThreadPoolExecutor(given.threads) as pool:
            row = judge(run(given.kind, seed, given.every, pool))
        rows.append(row)
        told = ", ".join(f"{name} {value:g}" for name, value in row.items())
        print(f"{given.kind} {seed}: {told} ({time.perf_counter() - begin:.0f} s)", flush=True)
    sums = {name: sum(row.get(name, 0) for row in rows) for name in rows[0]}
    widths = [row["days"] for row in rows if "days" in row]
    middle = f"; median width {statistics.median(widths):.0f} d" if widths else ""
    print(f"{given.kind}, {len(rows)} seeds: " + ", ".join(f"{k} {v:g}" for k, v in sums.items()) + middle)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
