"""site.qgz: what an analyst sees on opening a run in QGIS, and the styles beside the rasters."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from geo.files.atomic import atomic_path
from geo.files.qgis import (
    Entry,
    Field,
    Layer,
    Period,
    Project,
    RasterStyle,
    Relation,
    Theme,
    VectorStyle,
    style_xml,
    write_project,
)
from geo.files.reviews import NOT_REVIEWED
from geo.files.reviews import TABLE as REVIEWS
from geo.grid import Grid
from pipelines.assess import Findings
from pipelines.assess.findings import BuildingStatus
from pipelines.publish.features import FILE
from pipelines.publish.palette import BLACK, BLUE, CHANCE, CONFIDENCE, GREEN, ORANGE, PURPLE, UNSEEN, VERMILION
from pipelines.publish.settings import Lineage
from pipelines.publish.shapes import grid_of
from pipelines.publish.wording import scene_of, when

VERDICTS = (
    ("confirmed", "Confirmed change"), ("rejected", "Rejected: no such change"), ("unsure", "Unsure"),
    (NOT_REVIEWED, "Not reviewed (takes a verdict back)"),
)  # fmt: skip
SURENESS = (("", "Not stated"), ("high", "High"), ("medium", "Medium"), ("low", "Low"))
REASONS = (
    ("", "Not stated"),
    ("visible", "Clearly visible in these images"),
    ("other-imagery", "Seen in other imagery"),
    ("ground", "Known from the ground"),
    ("cloud", "Cloud, shadow or haze"),
    ("season", "Season, crop or water level"),
    ("misaligned", "Images do not lie on each other"),
    ("other", "Other (write to the team)"),
)
_FOUND, _PLANS, _MAP, _IMAGES = "Findings", "Plans", "Change map", "Images"
# The newest verdict in the review file, live; before any was given there, what the run itself took over.
_VERDICT = (
    f"coalesce(array_last(relation_aggregate('{REVIEWS}_event_id_changes', 'array_agg', \"verdict\", '',"
    ' "reviewed_at")), "verdict")'
)
_OUTLINES = ("site", "perimeter_segments", "buildings")


def layers_of(findings: Findings, lineage: Lineage) -> list[Layer]:
    """All layers of the project, top first."""
    before, after = scene_of(findings, "before"), scene_of(findings, "after")
    times = (before.time if before else None, after.time if after else None)
    mark = "SIMULATED: " if findings.simulated else ""
    review = f"./{FILE}" if lineage.review is None else lineage.review
    found = [
        _vector("changes", "Changes", changes_style(), mark),
        _vector("perimeter_segments", "Perimeter (solid: wall, dashed: fence)", perimeter_style(), mark),
        _vector("buildings", "Buildings", buildings_style(), mark),
        _vector("controls", "Control ground (unchanged)", _outline("id", PURPLE, "dot", "control"), mark),
        _vector("scenes", "Scenes: used, and refused with the reason", scenes_style(), mark),
        _vector("site", "Site", _outline("name", BLACK, "dash dot", "site"), mark),
        Layer(
            name=REVIEWS, title="Reviews (verdicts of analysts)", source=f"{review}|layername={REVIEWS}",
            style=review_style(), group=_FOUND, editable=True,
            note="One row per verdict; open a change's form to add one.",
        ),
    ]  # fmt: skip
    rasters = [
        Layer(
            name="change_mask", title=f"{mark}Change and not observed", source="./change_mask.tif", style=mask_style(),
            group=_MAP, opacity=0.65,
        ),
        Layer(
            name="change_chance", title=f"{mark}Chance of a false alarm, per pixel", source="./change.tif",
            style=chance_style(), group=_MAP, opacity=0.8,
        ),
        Layer(
            name="after_image", title=f"{mark}After: {when(times[1])}", source="./after.tif",
            style=RasterStyle(kind="rgb"), group=_IMAGES, period=_shown_from(times[1]),
        ),
        Layer(
            name="before_image", title=f"{mark}Before: {when(times[0])}", source="./before.tif",
            style=RasterStyle(kind="rgb"), group=_IMAGES, period=_shown_between(*times),
        ),
    ]  # fmt: skip
    plans = [
        Layer(
            name=f"plan_{number}", title=f"Plan: {path.split('/')[-2]}", source=path, style=RasterStyle(kind="rgb"),
            group=_PLANS, opacity=0.6,
        )
        for number, path in enumerate(lineage.plans, start=1)
    ]  # fmt: skip
    return found + plans + rasters


def write_qgis(folder: Path, findings: Findings, layers: list[Layer]) -> None:
    """Write site.qgz and the .qml styles beside change.tif and change_mask.tif."""
    by_name = {layer.name: layer for layer in layers}
    for name, raster in (("change_chance", "change"), ("change_mask", "change_mask")):
        with atomic_path(folder / f"{raster}.qml") as temporary:
            temporary.write_text(style_xml(by_name[name]), encoding="utf-8")
    write_project(folder / "site.qgz", project_of(findings, layers))


def project_of(findings: Findings, layers: list[Layer]) -> Project:
    """The project: three themes that compare with one click, and the time slider where dates are known."""
    found = ("changes", *_OUTLINES)
    themes = (
        Theme(name="Before", layers=("before_image", "site")),
        Theme(name="After", layers=("after_image", "site")),
        Theme(name="Change", layers=("after_image", "change_mask", *found, "controls")),
    )
    mark = "SIMULATED: " if findings.simulated else ""
    start, end = findings.period.from_, findings.period.to
    return Project(
        title=f"{mark}{findings.site.name} ({findings.run_id})",
        crs=findings.grid.crs,
        extent=_extent(grid_of(findings)),
        layers=tuple(layers),
        themes=themes,
        shown=(*themes[2].layers, REVIEWS),
        period=(start, end + timedelta(days=1)) if start and end else None,
        relations=(
            Relation(name="Reviews", child=REVIEWS, child_field="event_id", parent="changes", parent_field="id"),
        ),
    )


def changes_style() -> VectorStyle:
    """Outlines by confidence: solid thick, solid, dashed."""
    entries = [
        Entry(value=level, label=level, colour=colour, line=line, width_mm=width)
        for level, (colour, line, width) in CONFIDENCE.items()
    ]
    entries.append(Entry(value="rejected", label="rejected by an analyst", colour=UNSEEN, line="dot", width_mm=0.5))
    tip = (
        '<b>[% "number" %] [% "title" %]</b><br>[% "direction" %]<br>'
        "not before [% coalesce(format_date(\"not_before\", 'yyyy-MM-dd'), 'date not stated') %], "
        "not after [% coalesce(format_date(\"not_after\", 'yyyy-MM-dd'), 'date not stated') %]<br>"
        f"chance of a false alarm [% \"p\" %]<br>review: [% coalesce({_VERDICT}, 'none yet') %]"
        "<br><img src='figures/before_after.png' width='420'>"
    )
    look = f"if({_VERDICT} = 'rejected', 'rejected', \"confidence\")"
    return VectorStyle(
        geometry="Polygon", attribute=look, entries=tuple(entries), label='"number"', time="not_after", tip=tip,
        title='coalesce("number", \'\') || \' \' || "title"',
        fields=_read_only(
            number="Number in the report", id="Id", title="Finding", kind="Kind", direction="What became what",
            zone="Zone", confidence="Confidence", confidence_reason="Why this confidence",
            p="Chance of a false alarm (0-1)", score="Score", area_m2="Area (m²)", area_px="Area (pixels)",
            not_before="Not before (UTC)", not_after="Not after (UTC)", gap_reason="Why the interval is this wide",
            before_scene="Scene before", after_scene="Scene after", confirmed="Confirmed",
            verdict="Verdict before this run", reviewer="Given by", simulated="Simulated",
        ),
    )  # fmt: skip


def perimeter_style() -> VectorStyle:
    """Solid is a wall, dashed a fence; colour and width tell how it stands; gaps stand out."""
    looks = (
        ("changed", VERMILION, 1.2), ("no change seen", BLUE, 0.7), ("not observed", UNSEEN, 0.7),
        ("not observable", UNSEEN, 0.4),
    )  # fmt: skip
    entries = [Entry(value="gap", label="gap", colour=PURPLE, line="dot", width_mm=1.6)]
    entries += [
        Entry(value=f"{line}, {status}", label=f"{line}, {status}", colour=colour, line=dash, width_mm=width)
        for line, dash in (("wall", "solid"), ("fence", "dash"))
        for status, colour, width in looks
    ]
    return VectorStyle(
        geometry="Line", attribute="look", entries=tuple(entries), title='"look"', time="not_after",
        tip="<b>[% \"look\" %]</b><br>[% round(\"start_m\") %] to [% round(\"end_m\") %] m",
        fields=_read_only(
            id="Id", look="What", status="Status", material="Material", start_m="From (m)", end_m="To (m)",
            p="Chance of a false alarm (0-1)", changed_fraction="Share changed", observed_fraction="Share observed",
            not_before="Not before (UTC)", not_after="Not after (UTC)",
        ),
    )  # fmt: skip


def buildings_style() -> VectorStyle:
    """Hatches by status; what cannot be told is grey and dotted, never like what did not change."""
    looks: tuple[tuple[BuildingStatus | str, str, str, str], ...] = (
        ("built", VERMILION, "solid", "diagonal_x"),
        ("under construction", ORANGE, "solid", "b_diagonal"),
        ("cleared", ORANGE, "dash", "no"),
        ("changed", VERMILION, "solid", "b_diagonal"),
        ("removed", PURPLE, "dash", "f_diagonal"),
        ("not started", GREEN, "dash", "no"),
        ("no change seen", BLUE, "solid", "no"),
        ("cannot be told", UNSEEN, "dot", "dense6"),
    )
    entries = tuple(
        Entry(value=status, label=status, colour=colour, line=line, pattern=pattern, fill=colour, width_mm=0.5)
        for status, colour, line, pattern in looks
    )
    return VectorStyle(
        geometry="Polygon", attribute="status", entries=entries, title='"label"', label='"label"',
        tip="<b>[% \"label\" %]</b><br>[% \"status\" %]: [% \"status_reason\" %]", time="",
        fields=_read_only(
            id="Id", label="Building", planned="Planned", status="Status", status_reason="Why", area_m2="Area (m²)",
            p="Chance of a false alarm (0-1)", changed_fraction="Share changed", observed_fraction="Share observed",
            not_before="Not before (UTC)", not_after="Not after (UTC)",
        ),
    )  # fmt: skip


def scenes_style() -> VectorStyle:
    """The outline that every scene was cut to; its table tells what became of each."""
    return VectorStyle(
        geometry="Polygon", attribute="if(\"used\", 'used', 'refused')", title='"id"', time="time",
        tip='<b>[% "id" %]</b><br>[% "reason" %]',
        entries=(
            Entry(value="used", label="used", colour=BLUE, line="dash", width_mm=0.3),
            Entry(value="refused", label="refused", colour=UNSEEN, line="dot", width_mm=0.3),
        ),
        fields=(
            *_read_only(id="Scene", sensor="Sensor", role="Role", used="Used", reason="Why"),
            Field(name="time", alias="Time (UTC)", widget="time"),
            *_read_only(clear_fraction="Clear share of the site", registration="Registration", sha256="SHA-256"),
        ),
    )  # fmt: skip


def review_style() -> VectorStyle:
    """The review form."""
    return VectorStyle(
        geometry=None,
        title="\"event_id\" || ' ' || coalesce(\"verdict\", '')",
        fields=(
            Field(name="fid", alias="fid", widget="hidden"),
            Field(name="event_id", alias="Change (id)", editable=True),
            Field(name="verdict", alias="Verdict", choices=VERDICTS, editable=True),
            Field(name="confidence", alias="How sure are you?", choices=SURENESS, editable=True),
            Field(name="reason", alias="Reason", choices=REASONS, editable=True),
            Field(name="reviewer", alias="Reviewer", editable=True),
            Field(name="reviewed_at", alias="Reviewed at (UTC)", widget="time", editable=True),
        ),
    )


def review_form() -> str:
    """The form as QML, for who opens the verdicts without a project."""
    return style_xml(Layer(name=REVIEWS, title="Reviews", source="", style=review_style(), group=_FOUND))


def mask_style() -> RasterStyle:
    """Unchanged is clear, change is coloured, not observed is grey: never alike."""
    return RasterStyle(
        kind="palette",
        entries=(
            Entry(value=0, label="no change found (observed on both dates)", colour="#ffffff", alpha=0),
            Entry(value=1, label="change", colour=VERMILION),
            Entry(value=255, label="NOT OBSERVED: nothing is known here", colour=UNSEEN),
        ),
    )


def chance_style() -> RasterStyle:
    """The p band: the darker, the more certain; above 1 in 20 nothing is drawn."""
    entries = [Entry(value=bound, label=label, colour=colour) for bound, colour, label in CHANCE]
    return RasterStyle(
        kind="ramp", band=2, entries=(*entries, Entry(value="inf", label="more", colour="#ffffff", alpha=0))
    )


def _outline(label: str, colour: str, line: str, noun: str) -> VectorStyle:
    return VectorStyle(
        geometry="Polygon", attribute=f"'{noun}'", title=f'"{label}"',
        entries=(Entry(value=noun, label=noun, colour=colour, line=line),),
    )  # fmt: skip


def _vector(name: str, title: str, style: VectorStyle, mark: str) -> Layer:
    return Layer(name=name, title=f"{mark}{title}", source=f"./{FILE}|layername={name}", style=style, group=_FOUND)


def _read_only(**fields: str) -> tuple[Field, ...]:
    long = ("confidence_reason", "gap_reason", "status_reason")
    times = ("not_before", "not_after")
    return tuple(
        Field(name=name, alias=alias, widget="long" if name in long else "time" if name in times else "text")
        for name, alias in fields.items()
    )


def _shown_between(start: datetime | None, end: datetime | None) -> Period | None:
    return None if start is None or end is None else (start, end - timedelta(seconds=1))


def _shown_from(start: datetime | None) -> Period | None:
    return None if start is None else (start, datetime(2100, 1, 1, tzinfo=start.tzinfo))


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    if grid.crs is not None:
        return grid.bounds
    rows, cols = grid.shape
    return 0, -rows, cols, 0
