"""`sitewatch verify --recompute`: make a run again from the received bytes, and compare every file, byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from geo import archive
from geo.errors import IntegrityError, SitewatchError
from geo.files.sums import sha256
from geo.scene import SceneRecord
from geo.zones import site_grid
from pipelines.assess import Event, Findings
from pipelines.desk import Tell, resolution_m
from pipelines.publish import read_manifest
from pipelines.publish.manifest import NAME as MANIFEST
from pipelines.publish.manifest import Manifest, versions
from pipelines.recipe import Recipe
from pipelines.reviewed import Reviewed
from pipelines.run import Run, carry_out
from pipelines.series_run import SeriesRun, carry_out_series
from pipelines.settings import Settings


@dataclass
class Recomputed:
    """How many runs were made again, the files that differ, and remarks that are no fault."""

    runs: int = 0
    files: int = 0
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """One line a fault, the remarks, and the sum."""
        yield from self.faults
        yield from self.remarks
        runs, files = f"{self.runs:,} run{'' if self.runs == 1 else 's'}", f"{self.files:,} files"
        end = f"{len(self.faults)} faults" if self.faults else "every byte came out the same"
        yield f"{runs} made again from the received bytes, {files} compared: {end}."

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        told = {"runs": self.runs, "files": self.files, "faults": self.faults, "remarks": self.remarks}
        return {"recomputed": told}

    def raise_for_faults(self) -> None:
        """Raise IntegrityError (exit code 6) if anything differs."""
        if self.faults:
            more = f" ({len(self.faults) - 1} more faults)" if len(self.faults) > 1 else ""
            raise IntegrityError(self.faults[0] + more)


def recompute(path: Path, *, executor: Executor, tell: Tell) -> Recomputed:
    """Make again the run at `path`, or all runs below it.

    A run of `compare` has no archive behind it and is left out with a remark; so is one of another version of this
    program where it comes out differently: then nothing is proved either way.
    """
    result = Recomputed()
    for folder in _runs(path):
        tell(f"{folder}: making it again")
        try:
            _again(folder, executor, result)
        except (SitewatchError, ValidationError, OSError) as error:
            result.faults.append(f"{folder} cannot be made again: {' '.join(str(error).split())}")
    return result


def _runs(path: Path) -> list[Path]:
    if path.is_file() and path.name == "latest":
        path = path.parent / path.read_text(encoding="ascii").strip()
    if (path / MANIFEST).is_file():
        return [path]
    return sorted(p.parent for p in path.rglob(MANIFEST) if not any(part.startswith(".") for part in p.parts))


def _again(folder: Path, executor: Executor, result: Recomputed) -> None:
    manifest = read_manifest(folder)
    if manifest.recipe is None:
        result.remarks.append(f"{folder} has no recipe (a comparison, or an early version): it cannot be made again.")
        return
    recipe = Recipe.model_validate(manifest.recipe)
    with tempfile.TemporaryDirectory(prefix="sitewatch-again-") as place:
        made = Path(place) / folder.name
        _carry_out(folder, manifest, recipe, made, executor)
        differing = _differing(folder, made)
    result.runs += 1
    result.files += len(manifest.files) + 1
    own, then = versions(), manifest.versions
    if differing and own != then:
        changed = ", ".join(f"{k} {then.get(k)} -> {v}" for k, v in own.items() if then.get(k) != v)
        result.remarks.append(f"{folder} was made with other versions ({changed}) and comes out differently now:"
                              f" {', '.join(differing[:3])}. Install those versions to prove it.")  # fmt: skip
        return
    result.faults += [f"{folder / name} comes out differently from the received bytes." for name in differing]


def _carry_out(folder: Path, manifest: Manifest, recipe: Recipe, made: Path, executor: Executor) -> None:
    context, settings = recipe.context(), Settings.model_validate(manifest.settings)
    assert context.site is not None  # noqa: S101 - a recipe has a site
    root = _archive(folder) / manifest.site
    scenes = [_record(root, *item) for item in recipe.scenes]
    radar = [_record(root, *item) for item in recipe.radar]
    reviews = Reviewed(path=recipe.reviews[0], judge=lambda _events: manifest.verdicts, digest=recipe.reviews[1])
    if recipe.kind == "pair":
        before, after = scenes
        pair = Run(
            before=before, after=after, context=context, settings=settings, now=manifest.created,
            grid=site_grid(context.site, resolution_m=resolution_m(before, after)),
            previous_manifest=manifest.previous, reviews=reviews, plans=tuple(recipe.plans),
        )  # fmt: skip
        carry_out(pair, made, executor)
        return
    series = SeriesRun(
        scenes=scenes, radar=radar, context=context, settings=settings, now=manifest.created,
        grid=site_grid(context.site, resolution_m=resolution_m(scenes[0])),
        earlier=_earlier(folder, manifest.previous), previous_manifest=manifest.previous, reviews=reviews,
        plans=tuple(recipe.plans),
    )  # fmt: skip
    carry_out_series(series, made, executor)


def _archive(folder: Path) -> Path:
    """The archive beside the runs that `folder` lies among."""
    for parent in folder.absolute().parents:
        if (parent / "archive").is_dir():
            return parent / "archive"
    raise IntegrityError("there is no archive beside the runs; nothing can be made again without the received bytes.")


def _record(root: Path, name: str, digest: str) -> SceneRecord:
    record = archive.read(root / Path(name).name)
    if record.sha256 != digest or sha256(record.path) != digest:
        raise IntegrityError(f"{record.path} is not what the run was made from.")
    return record


def _earlier(folder: Path, previous: str | None) -> tuple[Event, ...]:
    """The events that the run before had, which lend their ids."""
    if previous is None:
        return ()
    bagged = folder.parents[2] / "before"  # where export-evidence puts it
    for manifest in (*folder.parent.glob(f"*/{MANIFEST}"), *bagged.glob(f"*/{MANIFEST}")):
        if sha256(manifest) == previous:
            return tuple(Findings.model_validate_json((manifest.parent / "findings.json").read_bytes()).events)
    raise IntegrityError("the run before it is not here, or was altered since.")


def _differing(stored: Path, made: Path) -> list[str]:
    names = {p.relative_to(root).as_posix() for root in (stored, made) for p in root.rglob("*") if p.is_file()}
    return sorted(
        name
        for name in names
        if not (stored / name).is_file()
        or not (made / name).is_file()
        or (stored / name).read_bytes() != (made / name).read_bytes()
    )
