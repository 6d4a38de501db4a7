"""site.qgz: what an analyst sees on opening a run in QGIS, and the styles beside the rasters."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from geo.files.atomic import atomic_path
from geo.files.qgis import (
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
from geo.files.reviews import TABLE as REVIEWS
from geo.grid import Grid
from pipelines.assess import Findings
from pipelines.publish.features import FILE
from pipelines.publish.palette import BLACK, GREEN
from pipelines.publish.settings import Lineage
from pipelines.publish.shapes import grid_of
from pipelines.publish.styles import (
    buildings_style,
    chance_style,
    changes_style,
    mask_style,
    outline_style,
    perimeter_style,
    review_style,
    scenes_style,
)
from pipelines.publish.wording import scene_of, when

_FOUND, _PLANS, _MAP, _IMAGES = "Findings", "Plans", "Change map", "Images"
_OUTLINES = ("site", "perimeter_segments", "buildings")


def layers_of(findings: Findings, lineage: Lineage) -> list[Layer]:
    """All layers of the project, top first."""
    before, after = scene_of(findings, "before"), scene_of(findings, "after")
    times = (before.time if before else None, after.time if after else None)
    mark = "SIMULATED: " if findings.simulated else ""
    review = f"./{FILE}" if lineage.review is None else lineage.review
    found = [
        Layer(
            name="changes", title=f"{mark}Changes", source=f"./{FILE}|layername=changes",
            style=changes_style(live=True), alone=changes_style(), group=_FOUND,
        ),
        _vector("perimeter_segments", "Perimeter (solid: wall, dashed: fence)", perimeter_style(), mark),
        _vector("buildings", "Buildings", buildings_style(), mark),
        _vector("controls", "Control ground (unchanged)", outline_style("id", GREEN, "dot", "control"), mark),
        _vector("scenes", "Scenes: used, and refused with the reason", scenes_style(), mark),
        _vector("site", "Site", outline_style("name", BLACK, "dash dot", "site"), mark),
        Layer(
            name=REVIEWS, title="Reviews (verdicts of analysts)", source=f"{review}|layername={REVIEWS}",
            style=review_style(live=True), alone=review_style(), group=_FOUND, editable=True,
            note="One row per verdict; open a change's form to add one.",
        ),
    ]  # fmt: skip
    rasters = [
        Layer(
            name="change_mask", title=f"{mark}Change and not observed{_doubt(findings)}",
            source="./change_mask.tif", style=mask_style(), group=_MAP, opacity=0.65,
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
            style=RasterStyle(kind="rgb"), group=_IMAGES, period=_shown_until(findings.period.from_, *times),
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
    """Write site.qgz and the .qml styles beside the run's own rasters."""
    for layer in layers:
        if layer.kind == "raster" and layer.source.startswith("./"):
            with atomic_path((folder / layer.source).with_suffix(".qml")) as temporary:
                temporary.write_text(style_xml(layer), encoding="utf-8")
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


def _doubt(findings: Findings) -> str:
    """An empty change map means nothing where nothing could be told; its name in the legend says so."""
    state = findings.observability.state
    return "" if state in ("change", "no-change") else f": {state.upper()}, an empty map is no finding"


def review_form() -> str:
    """The form as QML, for who opens the verdicts without a project."""
    return style_xml(Layer(name=REVIEWS, title="Reviews", source="", style=review_style(), group=_FOUND))


def _vector(name: str, title: str, style: VectorStyle, mark: str) -> Layer:
    return Layer(name=name, title=f"{mark}{title}", source=f"./{FILE}|layername={name}", style=style, group=_FOUND)


def _shown_until(first: datetime | None, start: datetime | None, end: datetime | None) -> Period | None:
    """From the first look on: the ground stood like this until something was seen to change."""
    if start is None or end is None:
        return None
    return min(start, first or start), end - timedelta(seconds=1)


def _shown_from(start: datetime | None) -> Period | None:
    return None if start is None else (start, datetime(2100, 1, 1, tzinfo=start.tzinfo))


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    if grid.crs is not None:
        return grid.bounds
    rows, cols = grid.shape
    return 0, -rows, cols, 0
