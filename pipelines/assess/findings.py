"""The findings of a run, as written to findings.json. Keys here are a promise to scripts: add, never rename."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "sitewatch-findings/1.0"

Kind = Literal["clearing", "construction", "wall", "demolition", "regrowth", "other"]
PhaseName = Literal["No Activity", "Site Preparation", "Active Construction", "Post Construction", "Unknown"]
Confidence = Literal["confirmed", "probable", "possible"]
State = Literal["change", "no-change", "not-observed", "not-distinguishable", "failed", "pending"]
SegmentStatus = Literal["changed", "no change seen", "not observed", "not observable"]
BuildingStatus = Literal[
    "not started", "cleared", "under construction", "built", "removed", "changed", "no change seen"
]
Role = Literal["before", "after", "reference", "series", "radar", "none"]
Geometry = dict[str, Any]


class Model(BaseModel):
    """Strict and frozen: unknown keys are refused, numbers must be finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Period(Model):
    """Span of the scenes looked at; null where nothing states a date."""

    from_: datetime | None = Field(alias="from")
    to: datetime | None
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


class Place(Model):
    """The site: where it is and how surely that is known. `location_class` is null for a bare comparison."""

    id: str
    name: str
    location_class: str | None = None
    location_source: str | None = None
    sensitive: bool = False
    geometry: Geometry | None = None


class Observability(Model):
    """What could be seen. Fractions are 0-1 of the site's (or the image's) pixels."""

    state: State
    state_reason: str
    clear_scenes: int
    last_clear: datetime | None
    longest_gap_days: float | None
    clear_fraction: float


class SceneUse(Model):
    """One scene: used, or refused and why."""

    id: str
    time: datetime | None
    sensor: str
    role: Role
    used: bool
    reason: str
    clear_fraction: float | None
    shift_px: tuple[float, float] | None
    registration: str
    sha256: str
    size_bytes: int
    file: str
    licence: str
    credit: str
    simulated: bool
    bands: list[str]
    notes: list[str]
    state: State | None = None


class AreaPoint(Model):
    """How much of an event's ground was in its new state on one date. Null where less than half of it was seen."""

    time: datetime
    scene: str
    area_m2: float | None
    seen_fraction: float


class Event(Model):
    """One change on the ground. Geometry is longitude, latitude (pixels where there is no georeference).

    `confirmed_by` is the scene with which k of n clear looks had shown it; null where none has. `lasts` is null where
    the series cannot tell.
    """

    id: str
    kind: Kind
    direction: str
    zone: str
    geometry: Geometry
    area_m2: float | None
    area_px: int
    not_before: datetime | None
    not_after: datetime | None
    gap_reason: str
    p: float
    score: float
    confirmed: bool
    confidence: Confidence
    confidence_reason: str
    before_scene: str | None
    after_scene: str
    confirmed_by: str | None = None
    lasts: bool | None = None
    area_series: list[AreaPoint] = []


class Segment(Model):
    """A piece of the perimeter by chainage in metres from its first vertex."""

    id: str
    start_m: float
    end_m: float
    geometry: Geometry
    status: SegmentStatus
    p: float | None
    changed_fraction: float | None
    observed_fraction: float
    not_before: datetime | None = None
    not_after: datetime | None = None


class PerimeterFinding(Model):
    """The walled perimeter. `completeness` is null where the sensor cannot show a wall."""

    observable: bool
    reason: str
    material: str | None
    length_m: float
    observed_m: float
    built_m: float | None
    completeness: float | None
    closed: bool | None
    not_before: datetime | None
    not_after: datetime | None
    p: float | None
    segments: list[Segment]
    gaps: list[Geometry]
    minimum_width_m: float | None = None
    null_rings: int | None = None


class BuildingFinding(Model):
    """One building, planned or known. Status is null where it cannot be told."""

    id: str
    label: str
    planned: bool
    status: BuildingStatus | None
    status_reason: str
    area_m2: float | None
    geometry: Geometry
    not_before: datetime | None
    not_after: datetime | None
    p: float | None
    changed_fraction: float | None
    observed_fraction: float


class Progress(Model):
    """How much of what is planned stands. Areas in square metres; `share` is null where nothing planned was seen."""

    planned: int
    planned_m2: float
    built: int
    built_m2: float
    unknown: int
    share: float | None


class PhaseFinding(Model):
    """A construction phase with the interval of its onset."""

    phase: PhaseName
    not_before: datetime | None
    not_after: datetime | None
    reason: str


class ControlFinding(Model):
    """Unchanged ground of the same kind: what was flagged there is false."""

    id: str
    area_m2: float | None
    observed_fraction: float
    flagged_fraction: float | None
    flagged_objects: int
    geometry: Geometry | None = None


class CalibrationFinding(Model):
    """How scores became probabilities. The rate per site-year is null where two dates cannot state one."""

    method: str
    fdr: float | None
    p_strong: float
    p_weak: float
    min_area_px: int
    min_area_m2: float | None
    expected_false_objects: float
    expected_false_alarms_per_site_year: float | None
    asked_false_alarms_per_site_year: float | None = None
    controls_false_alarms_per_site_year: float | None = None
    controls_upper_per_site_year: float | None = None
    controls: list[ControlFinding]


class Candidate(Model):
    """A place inside an uncertainty polygon that may be the site."""

    rank: int
    geometry: Geometry
    area_m2: float | None
    score: float
    kind: Kind
    not_before: datetime | None
    not_after: datetime | None
    reason: str
    chip: str | None = None


class GridFinding(Model):
    """The run's pixel grid. `transform` is (a, b, c, d, e, f) as in rasterio; `crs` is null without georeference."""

    crs: str | None
    epsg: int | None
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]
    pixel_size_m: tuple[float, float] | None
    gsd_m: float | None


class Findings(Model):
    """Everything that a run says about a site.

    `built_area` is what all found construction of the site together had built on each look (its outline on the ground,
    not floors); `area_m2` is null on a look that shows less than half of any of it.
    """

    schema_: str = Field(default=SCHEMA, alias="schema")
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )
    site: Place
    run_id: str
    created: datetime
    software: str
    simulated: bool
    summary: str
    period: Period
    grid: GridFinding
    observability: Observability
    scenes: list[SceneUse]
    events: list[Event]
    perimeter: PerimeterFinding | None
    buildings: list[BuildingFinding]
    progress: Progress | None = None
    built_area: list[AreaPoint] = []
    phases: list[PhaseFinding]
    calibration: CalibrationFinding
    candidates: list[Candidate]
    method: str
    parameters: dict[str, Any]
    limits: list[str]

    def to_json(self) -> str:
        """Return the document as it is written to findings.json: sorted nowhere, two-space indent, one newline."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
