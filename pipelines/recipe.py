"""How a run was made, complete enough to make it again from the archive: written into its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from geo.scene import Scene, SceneRecord
from geo.sites import parse_site
from pipelines.assess import Considered, Context


class Left(BaseModel):
    """One scene that was found and not used, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    time: datetime | None
    sensor: str
    simulated: bool
    clear_fraction: float | None
    reason: str
    broken: bool = False


class Recipe(BaseModel):
    """What a run was made of, beside the settings in its manifest.

    Attributes:
        kind: two looks, or all of them.
        site: the site file's document, as it was.
        scenes: folders of the kept scenes in the site's archive (of a pair: before and after), with their SHA-256.
        radar: likewise.
        left: the scenes that were not used.
        reviews: path of the verdicts' file from the run's folder, and the digest of the verdicts that counted.
        plans: paths of scanned plans from the run's folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["pair", "series"]
    site: dict[str, Any]
    scenes: list[tuple[str, str]]
    radar: list[tuple[str, str]] = []
    left: list[Left] = []
    reviews: tuple[str | None, str] = (None, "")
    plans: list[str] = []

    def context(self) -> Context:
        """The place, as it was understood then."""
        site = parse_site(self.site, file="the manifest's site")
        considered = tuple(
            Considered(
                scene=Scene(id=item.id, time=item.time, sensor=item.sensor, href="", simulated=item.simulated),
                clear_fraction=item.clear_fraction,
                reason=item.reason,
                broken=item.broken,
            )
            for item in self.left
        )
        return Context.of_site(site, considered)


def recipe_of(
    kind: Literal["pair", "series"],
    context: Context,
    scenes: Sequence[SceneRecord],
    radar: Sequence[SceneRecord] = (),
    reviews: tuple[str | None, str] = (None, ""),
    plans: Sequence[str] = (),
) -> Mapping[str, Any] | None:
    """The recipe as plain JSON values; None for a run without a site, whose images are not in an archive."""
    if context.site is None:
        return None
    left = [
        Left(
            id=item.scene.id, time=item.scene.time, sensor=item.scene.sensor, simulated=item.scene.simulated,
            clear_fraction=item.clear_fraction, reason=item.reason, broken=item.broken,
        )
        for item in context.considered
    ]  # fmt: skip
    recipe = Recipe(
        kind=kind, site=dict(context.site.document), scenes=[_kept(r) for r in scenes], radar=[_kept(r) for r in radar],
        left=left, reviews=reviews, plans=list(plans),
    )  # fmt: skip
    return recipe.model_dump(mode="json")


def _kept(record: SceneRecord) -> tuple[str, str]:
    return record.path.parent.name, record.sha256
