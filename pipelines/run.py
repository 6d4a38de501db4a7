"""One run: two kept scenes in, one published folder out. The only place that joins the stages of a pair."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from geo.errors import InputError
from geo.files.atomic import atomic_folder
from geo.grid import Grid
from geo.scene import SceneRecord
from pipelines import __version__
from pipelines.assess import Context, Findings, assess
from pipelines.detect import detect
from pipelines.prepare import prepare
from pipelines.publish import Lineage, publish
from pipelines.recipe import recipe_of
from pipelines.reviewed import Reviewed
from pipelines.settings import Settings


class UnregisteredError(InputError):
    """The two scenes lie too far off each other to be compared."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is about, fixed before the first pixel is read.

    Attributes:
        before, after: the kept scenes.
        context: the site (or the bare image) and every scene that was considered.
        grid: the run's grid; None means BEFORE's own.
        settings: with every default filled in.
        now: the run's clock.
        refuse_unregistered: raise where the scenes lie too far off each other to be compared honestly.
        reviews: what analysts said so far, and how it applies to this run's events.
        plans: paths of scanned plans from the run's folder, for the QGIS project.
        previous_manifest: SHA-256 of the manifest of the site's run before this one, or None.
    """

    before: SceneRecord
    after: SceneRecord
    context: Context
    grid: Grid | None
    settings: Settings
    now: datetime
    refuse_unregistered: bool = True
    previous_manifest: str | None = None
    reviews: Reviewed = Reviewed()  # noqa: RUF009 - frozen
    plans: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """UTC stamp and a short hash of site, settings, inputs and version: same inputs, same hash."""
        recipe = {
            "site": self.context.digest,
            "inputs": [self.before.sha256, self.after.sha256],
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


def carry_out(run: Run, folder: Path, executor: Executor) -> Findings:
    """Prepare, detect, assess and publish into `folder`, which appears whole or not at all.

    Raises InputError where the scenes cannot be compared and NoSpaceError where the disk is full.
    """
    with atomic_folder(folder) as made:
        work = made / ".work"
        work.mkdir()
        pair = prepare(
            run.before, run.after, grid=run.grid, folder=work, settings=run.settings.prepare, executor=executor
        )
        if run.refuse_unregistered and pair.after.registration == "refused":
            off = math.hypot(*(pair.after.shift_px or (math.nan, math.nan)))
            raise UnregisteredError(
                f"{run.after.scene.id} lies {off:.1f} px off {run.before.scene.id}, which is too far to be put right"
                " (max_correct_px under [prepare])."
            )
        change_map = detect(pair, folder=work, settings=run.settings.detect, executor=executor)
        findings = assess(pair, change_map, run.context, run_id=run.id, now=run.now)
        lineage = Lineage(
            previous_manifest=run.previous_manifest, settings=run.settings.recipe(), review=run.reviews.path,
            verdicts=run.reviews.judge(findings.events),
            plans=run.plans,
            recipe=recipe_of("pair", run.context, (run.before, run.after), reviews=run.reviews.told, plans=run.plans),
        )  # fmt: skip
        publish(
            findings, pair, change_map, folder=made, settings=run.settings.publish, now=run.now, lineage=lineage,
            executor=executor,
        )  # fmt: skip
        shutil.rmtree(work)
    return findings
