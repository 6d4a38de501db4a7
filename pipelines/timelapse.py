"""`sitewatch timelapse`: all clear looks at a site as an animation and as a sheet for print."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from geo.errors import InputError
from geo.files.atomic import atomic_folder
from geo.files.warp import warping_in_threads
from pipelines.best_pair import Facts
from pipelines.figure import Made, findings_of, offered, shown_ground
from pipelines.prepare import Pair, prepare_series
from pipelines.publish.plate import titled
from pipelines.publish.rasters import choose_view, shown_bands
from pipelines.publish.reel import Frame, Reel, write_animation, write_sheet
from pipelines.publish.wording import credits_of, short_day
from pipelines.registry import find_site
from pipelines.settings import Settings

LOOK = 0.5
MOST_FRAMES = 120
ON_SHEET = 36


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Of which site, from when to when, at most how many frames, where to."""

    site_id: str
    start: datetime | None = None
    end: datetime | None = None
    frames: int = MOST_FRAMES
    out: Path | None = None


def timelapse(workspace: Path, asked: Asked, *, settings: Settings, executor: Executor) -> Made:
    """Make timelapse.webp and sheet.png from the archive and the latest run of a site.

    Where there are more looks than frames, the clearest of each stretch of time is shown.

    Raises InputError where fewer than two looks show the site.
    """
    find_site(workspace, asked.site_id)
    outputs = workspace / "outputs"
    findings = findings_of(outputs, asked.site_id, None)
    scenes = [
        item
        for item in sorted(offered(outputs, findings), key=lambda f: (f.time, f.use.id))
        if item.clear >= LOOK
        and (asked.start is None or item.time >= asked.start)
        and (asked.end is None or item.time < asked.end)
    ]
    if len(scenes) < 2:
        raise InputError(f"{asked.site_id}: fewer than two looks show at least half of it in this period.")
    chosen = thinned(scenes, asked.frames)
    folder = (
        asked.out or outputs / "figures" / asked.site_id / f"timelapse-{chosen[0].time:%Y%m%d}-{chosen[-1].time:%Y%m%d}"
    )
    with atomic_folder(folder) as made, tempfile.TemporaryDirectory(prefix="sitewatch-reel-") as work:
        with warping_in_threads():
            records = [item.record for item in chosen]
            looks = prepare_series(
                records, grid=shown_ground(findings, records), folder=Path(work),
                settings=settings.prepare, executor=executor,
            )  # fmt: skip
        ends = Pair(grid=looks.grid, before=looks.looks[0], after=looks.looks[-1], gsd_m=looks.gsd_m)
        view = choose_view(ends, settings.publish)
        views = [item.time for item in scenes]
        whole = looks.grid.shape
        window = (slice(0, whole[0]), slice(0, whole[1]))
        frames = [
            Frame(
                image=np.moveaxis(view.paint(shown_bands(look, view.composite).read(window)), 0, -1), time=time,
                clear=look.clear_fraction, gap_days=(time - max((v for v in views if v < time), default=time)).days,
            )
            for look, time in zip(looks.looks, looks.times, strict=True)
            if look.clear_fraction >= LOOK
        ]  # fmt: skip
        reel = Reel(
            frames=frames, title=titled(findings), shown=view.composite.label,
            credit=credits_of([item.use for item in chosen]), simulated=findings.simulated,
        )  # fmt: skip
        write_animation(made / "timelapse.webp", reel)
        few = [frames[k] for k in np.linspace(0, len(frames) - 1, min(ON_SHEET, len(frames))).round().astype(int)]
        write_sheet(made / "sheet.png", replace(reel, frames=few))
    span = f"{short_day(frames[0].time)} to {short_day(frames[-1].time)}"
    why = f"{len(frames)} looks from {span}, each showing half of the ground or more."
    return Made(folder=folder, files=(folder / "timelapse.webp", folder / "sheet.png"), why=why)


def thinned(scenes: Sequence[Facts], most: int) -> list[Facts]:
    """At most `most` scenes: of each equal stretch of time the clearest; the first and the last always."""
    if len(scenes) <= most:
        return list(scenes)
    begin, whole = scenes[0].time, (scenes[-1].time - scenes[0].time).total_seconds()
    best: dict[int, Facts] = {}
    for item in scenes[1:-1]:
        part = int((item.time - begin).total_seconds() / whole * max(1, most - 2))
        if part not in best or item.clear > best[part].clear:
            best[part] = item
    middle = sorted(best.values(), key=lambda item: (item.time, item.use.id))[: max(0, most - 2)]
    return [scenes[0], *middle, scenes[-1]]
