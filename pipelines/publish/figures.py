"""Print-ready pictures: before_after.png and map.png, by the conventions of published human-rights imagery.

Drawn with matplotlib's own fonts and defaults, never the user's, and without its name or the time in the file: the
same run gives the same bytes.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from pyproj import CRS

from geo.files.atomic import atomic_path
from geo.files.text import clean
from pipelines.assess import Findings
from pipelines.assess.findings import SceneUse
from pipelines.publish.drawing import Outline, legend_of, number_place, outlines_of_events, outlines_of_zones
from pipelines.publish.palette import VERMILION
from pipelines.publish.pasting import Pasted
from pipelines.publish.pictures import Picture, change_picture, corner_words
from pipelines.publish.pieces import (
    HEAD,
    MARGIN,
    POINTS_PER_MM,
    UNSEEN_PATCH,
    WIDTH_IN,
    draw_outline,
    line_style,
    own_defaults,
    panel,
    rimmed,
    scale_and_north,
    watermark,
    write,
)
from pipelines.publish.series_figure import series_figure
from pipelines.publish.series_wording import is_series
from pipelines.publish.shapes import Numbered
from pipelines.publish.wording import (
    MEANING,
    area,
    chance,
    credits_of,
    event_title,
    interval,
    percent,
    scene_of,
    when,
)

_GAP = 0.3  # inches
_LINE = 0.152
_KEYED = 10


@dataclass(frozen=True)
class Sheet:
    """What both figures are made of."""

    findings: Findings
    events: Sequence[Numbered]
    picture: Picture
    shown: str
    observed: float
    dpi: int


def write_figures(folder: Path, sheet: Sheet) -> None:
    """Write figures/before_after.png and figures/map.png, and of a series figures/series.png."""
    drawings: list[tuple[str, Callable[[Sheet], Figure]]] = [
        ("before_after.png", before_after), ("map.png", change_map_figure),
    ]  # fmt: skip
    if is_series(sheet.findings):
        drawings.append(("series.png", lambda s: series_figure(s.findings, s.events)))
    with own_defaults():
        for name, draw in drawings:
            figure = draw(sheet)
            buffer = io.BytesIO()
            figure.savefig(
                buffer, format="png", dpi=sheet.dpi, metadata={"Software": None}, pil_kwargs={"compress_level": 3}
            )
            figure.clear()  # its artists refer to each other, and would stay in memory beside the next figure
            with atomic_path(folder / "figures" / name) as temporary:
                temporary.write_bytes(buffer.getvalue())


def before_after(sheet: Sheet) -> Figure:
    """Both dates side by side: same extent, same stretch, same scale; changes outlined and numbered."""
    width = (WIDTH_IN - 2 * MARGIN - _GAP) / 2
    tall = _panel_height(sheet.picture, width)
    key, foot = _key_lines(sheet), _foot_lines(sheet, "Both panels: same extent, scale and stretch; ")
    figure, height = _figure(tall, len(key) + len(foot) + 1)
    _title(figure, height, sheet.findings)
    for place, role in enumerate(("before", "after")):
        left = MARGIN + place * (width + _GAP)
        axes = panel(figure, height, sheet.picture, (left, width, tall))
        axes.add_artist(Pasted(getattr(sheet.picture, role)))
        _outline_events(axes, sheet)
        _panel_title(figure, (left, width), height, role, scene_of(sheet.findings, role), sheet.findings.grid.gsd_m)
        scale_and_north(axes, sheet.picture)
        if sheet.findings.simulated:
            watermark(axes)
    _lines(figure, height, tall, key, foot)
    return figure


def change_map_figure(sheet: Sheet) -> Figure:
    """The change map: change, no change found and not observed in three looks that differ in print, too."""
    legend_width = 2.9
    width = WIDTH_IN - 2 * MARGIN - legend_width
    tall = min(_panel_height(sheet.picture, width), 8.5)
    width = min(width, tall * sheet.picture.size[1] / sheet.picture.size[0])
    key, foot = _key_lines(sheet), _foot_lines(sheet, "Over the later image in grey, from ")
    figure, height = _figure(tall, len(key) + len(foot) + 1)
    _title(figure, height, sheet.findings)
    axes = panel(figure, height, sheet.picture, (MARGIN, width, tall))
    axes.add_artist(Pasted(change_picture(sheet.picture)))
    before, after = scene_of(sheet.findings, "before"), scene_of(sheet.findings, "after")
    dates = " to ".join(when(scene.time) if scene else "no scene" for scene in (before, after))
    write(figure, MARGIN, height - 1.16, f"CHANGE MAP   {dates}", weight="bold", size=9)
    zones = outlines_of_zones(sheet.findings, sheet.picture)
    for outline in zones:
        draw_outline(axes, outline, line_style(outline) | {"zorder": 3})
    _outline_events(axes, sheet)
    scale_and_north(axes, sheet.picture)
    if sheet.findings.simulated:
        watermark(axes)
    _legend(figure, sheet, zones, ((MARGIN + width + 0.15) / WIDTH_IN, (height - HEAD) / height))
    _lines(figure, height, tall, key, foot)
    return figure


# --- pieces of a figure ----------------------------------------------------------------------------------------------
def _figure(panel: float, lines: int) -> tuple[Figure, float]:
    height = HEAD + panel + lines * _LINE + 0.45
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure, height


def _panel_height(picture: Picture, width: float) -> float:
    rows, cols = picture.size
    return min(max(width * rows / cols, 0.8), 12.0)


def _title(figure: Figure, height: float, findings: Findings) -> None:
    mark = "SIMULATED: " if findings.simulated else ""
    write(figure, MARGIN, height - 0.38, f"{mark}{findings.site.name}", weight="bold", size=13)
    place = findings.site
    sure = f"location known to: {place.location_class} ({place.location_source})" if place.location_class else ""
    write(figure, MARGIN, height - 0.6, f"{place.id}   {sure}", size=7.5)


def _panel_title(
    figure: Figure, place: tuple[float, float], height: float, role: str, scene: SceneUse | None, gsd_m: float | None
) -> None:
    left, width = place
    time = when(scene.time) if scene else "no scene"
    write(figure, left, height - 0.9, f"{role.upper()}   {time}", width, weight="bold", size=9)
    if scene is not None:
        size = "pixel size on the ground not known" if gsd_m is None else f"resolution {gsd_m:g} m"
        write(figure, left, height - 1.07, f"{scene.sensor}, {size}", width, size=7)
        write(figure, left, height - 1.21, scene.id, width, size=6.5)


def _outline_events(axes: Any, sheet: Sheet) -> None:
    """Outlines in colour and dash by confidence, on a white rim; numbers beside them."""
    for outline in outlines_of_events(sheet.events, sheet.picture):
        width = outline.width_mm * POINTS_PER_MM
        draw_outline(axes, outline, {"color": "white", "linewidth": width + 1.0, "alpha": 0.7, "zorder": 4})
        draw_outline(axes, outline, line_style(outline) | {"zorder": 5})
        if outline.number is not None:
            x, y = number_place(outline, sheet.picture)
            rimmed(axes, x, y, str(outline.number), fontsize=8, ha="left", va="bottom", clip_on=True)


def _legend(figure: Figure, sheet: Sheet, zones: list[Outline], corner: tuple[float, float]) -> None:
    lines = legend_of(outlines_of_events(sheet.events, sheet.picture)[::-1]) + legend_of(zones)
    handles: list[Any] = [
        Patch(facecolor=VERMILION, alpha=0.7, label="change, per pixel"),
        Patch(facecolor="#d2d2d2", edgecolor="#a0a0a0", label="seen on both dates, no change found"),
        Patch(**UNSEEN_PATCH, label=f"NOT OBSERVED ({percent(1 - sheet.observed)}): nothing known"),
        *(Line2D([], [], label="\n".join(textwrap.wrap(line.word, 36)), **line_style(line)) for line in lines),
    ]
    legend = figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=corner, fontsize=7, frameon=False, handlelength=2.4,
        borderaxespad=0, labelspacing=0.9,
    )  # fmt: skip
    for entry in legend.get_texts():
        entry.set_parse_math(False)


# --- words below the panels ------------------------------------------------------------------------------------------
def _key_lines(sheet: Sheet) -> list[str]:
    told = [item for item in sheet.events if item.number is not None][:_KEYED]
    lines = [
        f"{item.number}  {event_title(item.event)}, {area(item.event.area_m2, item.event.area_px)}, "
        f"{interval(item.event.not_before, item.event.not_after)}; chance of a false alarm {chance(item.event.p)}"
        for item in told
    ]
    if len(sheet.events) > len(told):
        lines.append(f"…  and {len(sheet.events) - len(told)} more; all are in findings.json and findings.gpkg")
    if not sheet.events:
        blind = sheet.findings.observability.state != "no-change"
        reason = sheet.findings.observability.state_reason
        lines = [f"Nothing can be said about change here: {reason}" if blind else
                 "No change found on the ground that was seen on both dates."]  # fmt: skip
    return lines


def _foot_lines(sheet: Sheet, same: str) -> list[str]:
    findings = sheet.findings
    used = [scene for scene in (scene_of(findings, "before"), scene_of(findings, "after")) if scene]
    crs = findings.grid.crs
    system = "" if crs is None else f"Coordinate system {crs if findings.grid.epsg else CRS.from_wkt(crs).name}; "
    levels = [level for level in MEANING if any(item.event.confidence == level for item in sheet.events)]
    meaning = "; ".join(f"{level} = {MEANING[level]}" for level in levels)
    hashes = ", ".join(f"{scene.role} {scene.sha256[:16]}" for scene in used)
    lines = [
        f"{same}{sheet.shown}. "
        f"Hatched: not observed ({percent(1 - sheet.observed)} of the map), nothing is known there.",
        f"{system}{'; '.join(corner_words(sheet.picture.grid))}.",
        *([f"Words: {meaning}."] if meaning else []),
        "Limits: not checked on the ground. " + " ".join(findings.limits[:2]),
        f"{credits_of(used)}. Analysis: {findings.software}, run {findings.run_id}. SHA-256 of the inputs: {hashes}.",
    ]
    return [part for line in lines for part in textwrap.wrap(clean(line), 172)[:3]]


def _lines(figure: Figure, height: float, panel: float, key: list[str], foot: list[str]) -> None:
    top = height - HEAD - panel - 0.22
    for place, line in enumerate(key):
        write(figure, MARGIN, top - place * _LINE, line, size=7.5)
    for place, line in enumerate(foot, start=len(key) + 1):
        write(figure, MARGIN, top - place * _LINE, line, size=6.5, color="#333333")
