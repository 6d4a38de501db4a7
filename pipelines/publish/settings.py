"""Settings of `publish`, and what it is told about the run beside the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from geo.scene import SceneRecord
from pipelines.assess.verdicts import Verdicts


class PublishSettings(BaseModel):
    """How results look. None of this changes a finding.

    Attributes:
        stretch_low, stretch_high: percentiles of the pixels of both dates that become black and white.
        picture_px: longer side of the pictures inside report.html.
        figure_dpi: of the figures, for print.
        numbered: how many events are numbered in pictures and told in words, the most certain first.
        listed: how many events the report's table lists; the files hold all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stretch_low: float = Field(default=1.0, ge=0, lt=50)
    stretch_high: float = Field(default=99.0, gt=50, le=100)
    picture_px: int = Field(default=1200, ge=200, le=4000)
    figure_dpi: int = Field(default=300, ge=72, le=1200)
    numbered: int = Field(default=30, ge=0, le=200)
    listed: int = Field(default=300, ge=1, le=5000)


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What ties a run to others.

    Attributes:
        previous_manifest: SHA-256 of the manifest of the site's run before this one, or None.
        settings: the run's settings with every default filled in, as plain JSON values; None records what the
            findings and the pair say of themselves.
        review: relative path, with forward slashes, from the run's folder to the GeoPackage that keeps analysts'
            verdicts; None puts an empty table for them into the run's own findings.gpkg.
        verdicts: what analysts said of this run's events before it was made, by event id.
        recipe: what the run was made of beside its settings, as plain JSON values; None where it cannot be made again.
        plans: relative paths, with forward slashes, from the run's folder to scanned plans on the ground.
        inputs: every kept scene that the run was made from; None means the pair that is shown.
    """

    previous_manifest: str | None = None
    settings: Mapping[str, object] | None = field(default=None)
    review: str | None = None
    verdicts: Verdicts = field(default_factory=dict)
    recipe: Mapping[str, object] | None = None
    plans: Sequence[str] = ()
    inputs: Sequence[SceneRecord] | None = None
