"""One run over a series: all kept scenes of a site in, one published folder out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from geo.errors import InputError
from geo.files.atomic import atomic_folder
from geo.files.warp import warping_in_threads
from geo.grid import Grid
from geo.scene import SceneRecord
from geo.zones import to_grid
from pipelines import __version__
from pipelines.assess import Context, Event, Findings, assess_series
from pipelines.detect import SeriesMap, WallSeen, WallSettings, covered, detect_series, watch_wall, write_layers
from pipelines.prepare import Pair, Series, prepare_series
from pipelines.publish import Lineage, publish
from pipelines.recipe import recipe_of
from pipelines.reviewed import Reviewed
from pipelines.settings import Settings

FEWEST_LOOKS = 5
LOOK = 0.5


class TooFewLooksError(InputError):
    """Too few scenes show the ground for a series."""


@dataclass(frozen=True, kw_only=True)
class SeriesRun:
    """What a run over a series is about, fixed before the first pixel is read.

    Attributes:
        scenes: kept scenes of one sensor, in any order.
        radar: kept radar scenes that narrow the intervals; may be empty.
        context: the site and every scene that was found but not kept.
        grid: the site's grid.
        settings: with every default filled in.
        now: the run's clock.
        earlier: events of the site's run before this one; the same event keeps its id.
        reviews: what analysts said so far, and how it applies to this run's events.
        plans: paths of scanned plans from the run's folder, for the QGIS project.
        previous_manifest: SHA-256 of that run's manifest, or None.
    """

    scenes: Sequence[SceneRecord]
    radar: Sequence[SceneRecord] = ()
    context: Context
    grid: Grid
    settings: Settings
    now: datetime
    earlier: Sequence[Event] = ()
    previous_manifest: str | None = None
    reviews: Reviewed = Reviewed()  # noqa: RUF009 - frozen
    plans: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """UTC stamp and a short hash of site, settings, inputs and version: same inputs, same hash."""
        recipe = {
            "site": self.context.digest,
            "inputs": sorted(record.sha256 for record in (*self.scenes, *self.radar)),
            "settings": self.settings.recipe(),
            "version": __version__,
            **self.reviews.recipe,
            **({"plans": list(self.plans)} if self.plans else {}),
        }
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        return f"{self.now:%Y%m%dT%H%M%SZ}-{digest[:8]}"

    def is_run(self, name: str) -> bool:
        """True if `name` is a run of the same site, settings, inputs and version, whenever it was made."""
        return name.endswith(self.id[-9:])


def carry_out_series(run: SeriesRun, folder: Path, executor: Executor) -> Findings:
    """Prepare, detect, assess and publish a series into `folder`, which appears whole or not at all.

    Raises InputError where no scene can be used and NoSpaceError where the disk is full.
    """
    with atomic_folder(folder) as made, warping_in_threads():
        work = made / ".work"
        work.mkdir()
        looks = prepare_series(run.scenes, grid=run.grid, folder=work, settings=run.settings.prepare, executor=executor)
        shows = looks.cube.clear_fractions(covered(run.grid, [_ground(run)]))
        if np.count_nonzero(shows >= LOOK) < FEWEST_LOOKS:
            raise TooFewLooksError(f"Fewer than {FEWEST_LOOKS} scenes show the ground of {run.context.place.id}.")
        seen = detect_series(
            looks,
            folder=work,
            ground=_ground(run),
            unchanged=[to_grid(c.polygon, run.grid) for c in run.context.site.controls] if run.context.site else [],
            settings=run.settings.series,
            executor=executor,
        )
        findings, shown = assess_series(
            looks, seen, run.context, run_id=run.id, now=run.now, earlier=run.earlier,
            wall=_wall(run, looks, seen, executor), radar=_radar(run, work, executor),
        )  # fmt: skip
        pair = Pair(
            grid=looks.grid, before=looks.looks[shown.before], after=looks.looks[shown.after], gsd_m=looks.gsd_m
        )
        lineage = Lineage(
            previous_manifest=run.previous_manifest,
            settings=run.settings.recipe(),
            review=run.reviews.path,
            verdicts=run.reviews.judge(findings.events),
            plans=run.plans,
            recipe=recipe_of("series", run.context, run.scenes, run.radar, run.reviews.told, run.plans),
            inputs=sorted((*run.scenes, *run.radar), key=lambda r: (str(r.scene.time), r.scene.id)),
        )
        layers = write_layers(seen, work)
        publish(
            findings, pair, layers, folder=made, settings=run.settings.publish, now=run.now, lineage=lineage,
            executor=executor,
        )  # fmt: skip
        shutil.rmtree(work)
    return findings


def _ground(run: SeriesRun) -> BaseGeometry:
    area = run.context.area
    return box(*run.grid.bounds) if area is None else to_grid(area, run.grid)


def _radar(run: SeriesRun, work: Path, executor: Executor) -> Series | None:
    """The radar scenes on the same grid; None where none can be used."""
    if not run.radar:
        return None
    folder = work / "radar"
    folder.mkdir()
    try:
        return prepare_series(run.radar, grid=run.grid, folder=folder, settings=run.settings.prepare, executor=executor)
    except InputError:
        return None


def _wall(
    run: SeriesRun, looks: Series, seen: SeriesMap, executor: Executor
) -> tuple[WallSeen, tuple[datetime, ...]] | None:
    """What the looks that show the ground say of the perimeter, and when they were taken; None without a perimeter."""
    site = run.context.site
    if site is None or site.perimeter is None or site.is_search or looks.unit == "linear-power":
        return None
    clear = [t for t, share in enumerate(seen.looks_clear) if share >= LOOK]
    if len(clear) < 2 or looks.gsd_m is None:
        return None
    times = tuple(looks.times[t] for t in clear)
    found = watch_wall(
        [looks.looks[t].source for t in clear], times, site.perimeter, gsd_m=looks.gsd_m, settings=WallSettings(),
        controls=[control.polygon for control in site.controls], avoid=run.context.area, executor=executor,
    )  # fmt: skip
    return found, times
