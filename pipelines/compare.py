"""`sitewatch compare`: two rasters in, one change map and report out; no site needed."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from geo.files.sums import sha256_of
from geo.sites import Site
from shapely.geometry.base import BaseGeometry

from geo.errors import InputError, UsageError
from geo.files.rasters import Hints
from geo.providers.folder import FolderProvider
from geo.scene import SceneRecord
from pipelines.assess import Context, Findings
from pipelines.run import Run, carry_out
from pipelines.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a person asked to compare.

    Attributes:
        before, after: the two rasters.
        before_time, after_time: aware UTC, where a person states what the file does not.
        site: gives zones (perimeter, buildings, controls) to the findings.
        aoi: longitude, latitude polygon; changes outside it are listed as outside.
        hints: band names, scale, offset, nodata that override the files' own.
    """

    before: Path
    after: Path
    before_time: datetime | None = None
    after_time: datetime | None = None
    site: Site | None = None
    aoi: BaseGeometry | None = None
    hints: Hints = Hints()


def compare(
    asked: Comparison, out: Path, *, settings: Settings, now: datetime, executor: Executor, force: bool = False
) -> Findings:
    """Compare two rasters on BEFORE's own grid and publish into `out`.

    Raises InputError for files that cannot be used or compared, UsageError for dates in the wrong order and for a
    folder that already holds something else.
    """
    _claim(out, force=force)
    before = _record(asked.before, asked.before_time, asked.hints, now)
    after = _record(asked.after, asked.after_time, asked.hints, now)
    if before.scene.time and after.scene.time and before.scene.time > after.scene.time:
        raise UsageError(
            f"{asked.before.name} is dated {before.scene.time:%Y-%m-%d}, after {asked.after.name}"
            f" ({after.scene.time:%Y-%m-%d}): name the older image first, or state the dates with"
            " --before-date and --after-date."
        )
    context = Context.of(site=asked.site, aoi=asked.aoi, name=f"{asked.before.stem} and {asked.after.stem}")
    run = Run(before=before, after=after, context=context, grid=None, settings=settings, now=now)
    return carry_out(run, out, executor)


def _record(path: Path, time: datetime | None, hints: Hints, now: datetime) -> SceneRecord:
    """The file as a kept scene: it stays where it is, and its hash says which bytes were read."""
    if not path.exists():
        raise InputError(f"{path} does not exist; check the name.")
    provider = FolderProvider(path, hints)
    scenes = list(provider.search_one(path))
    if not scenes:
        name, reason = provider.refused[0]
        raise InputError(f"{name}: {reason}")
    scene = scenes[0] if time is None else replace(scenes[0], time=time)
    return SceneRecord(
        scene=scene,
        provenance=provider.provenance(scene, now),
        path=path,
        sha256=sha256_of(path),
        size_bytes=path.stat().st_size,
    )


def _claim(out: Path, *, force: bool) -> None:
    """Refuse to write over something that is not an earlier result; see before the work, not after it."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder; name another with --out.")
    if out.is_dir() and any(out.iterdir()):
        if not (out / "manifest.json").is_file():
            raise UsageError(f"{out} holds something else; name an empty or new folder with --out.")
        if not force:
            raise UsageError(f"{out} already holds a result; name another folder, or replace it with --force.")
