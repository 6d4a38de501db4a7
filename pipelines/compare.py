"""`sitewatch compare`: two rasters in, one change map and report out; no site needed."""

from __future__ import annotations

import shutil
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from geo.errors import InputError, UsageError
from geo.files.atomic import PARTIAL
from geo.files.sums import sha256
from geo.providers.folder import Folder, Options
from geo.scene import Provenance, Query, SceneRecord
from geo.sites import Site
from pipelines.assess import Context, Findings
from pipelines.run import Run, carry_out
from pipelines.settings import Settings

# Images given by hand may lie off by tens of pixels (a screenshot's edge, a corner taken for a centre); a satellite
# scene that does is wrong in other ways too.
HAND_GIVEN_SHIFT_PX = 40.0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a person asked to compare.

    Attributes:
        before, after: the two rasters.
        before_time, after_time: aware UTC, where a person states what the file does not.
        site: gives zones (perimeter, buildings, controls) to the findings.
        aoi: longitude, latitude polygon that the findings are about; the rasters are not cut.
        options: band names, scale, offset, nodata that override the files' own.
    """

    before: Path
    after: Path
    before_time: datetime | None = None
    after_time: datetime | None = None
    site: Site | None = None
    aoi: BaseGeometry | None = None
    options: Options = Options()  # noqa: RUF009 - frozen


def compare(
    asked: Comparison, out: Path, *, settings: Settings, now: datetime, executor: Executor, force: bool = False
) -> Findings:
    """Compare two rasters on BEFORE's own grid and publish into `out`.

    The order of the arguments counts. Where the files' own dates say the reverse, no date is used at all, and the
    report says so first: a finding between contradicting dates would be worse than one without.

    Raises InputError for files that cannot be used or compared, UsageError for a folder that holds something else.
    """
    replaces = claim(out, force=force)
    before = _record(asked.before, asked.before_time, asked.options, now)
    after = _record(asked.after, asked.after_time, asked.options, now)
    if before.scene.time and after.scene.time and before.scene.time > after.scene.time:
        before, after = _undated(before, after.path.name), _undated(after, before.path.name)
    if asked.site is not None:
        context = Context.of_site(asked.site)
    else:
        context = Context.of_image(f"{asked.before.stem} and {asked.after.stem}", asked.aoi)
    reach = replace(settings.prepare, max_correct_px=max(HAND_GIVEN_SHIFT_PX, settings.prepare.max_correct_px))
    run = Run(
        before=before,
        after=after,
        context=context,
        grid=None,
        settings=settings.model_copy(update={"prepare": reach}),
        now=now,
        refuse_unregistered=False,
    )
    if not replaces:
        return carry_out(run, out, executor)
    # The earlier result goes only once the new one is whole.
    made = out.with_name(f".{out.name}{PARTIAL}-new")
    findings = carry_out(run, made, executor)
    shutil.rmtree(out)
    made.rename(out)
    return findings


def _undated(record: SceneRecord, other: str) -> SceneRecord:
    time = record.scene.time
    notes = (
        f"THE DATES CONTRADICT THE ORDER GIVEN: {record.path.name} states {time:%Y-%m-%d}, and so lies on the wrong"
        f" side of {other}. The order given was used, and no date.",
    )
    return replace(
        record, scene=replace(record.scene, time=None, properties={**record.scene.properties, "warnings": notes})
    )


def claim(out: Path, *, force: bool) -> bool:
    """True if `out` holds an earlier result that is to be replaced; UsageError where it must not be touched."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder; name another with --out.")
    if not out.is_dir() or not any(out.iterdir()):
        return False
    if not (out / "manifest.json").is_file():
        raise UsageError(f"{out} holds something else; name an empty or new folder with --out.")
    if not force:
        raise UsageError(f"{out} already holds a result; name another folder, or replace it with --force.")
    return True


def _record(path: Path, time: datetime | None, options: Options, now: datetime) -> SceneRecord:
    """The file as a scene: it stays where it is, and its hash says which bytes were read."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one image in it, or use: sitewatch scan --provider folder.")
    scene = Folder(path, clock=lambda: now, options=options).search(Query())[0]
    return SceneRecord(
        scene=scene if time is None else replace(scene, time=time),
        provenance=Provenance(provider="folder", request={"file": path.name, "options": options.told()}, received=now),
        path=path,
        sha256=sha256(path),
        size_bytes=path.stat().st_size,
    )
