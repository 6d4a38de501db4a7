"""Print-ready pictures: before_after.png and map.png, by the conventions of published human-rights imagery.

Drawn with matplotlib's own fonts and defaults, never the user's, and without its name or the time in the file: the
same run gives the same bytes.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager, patheffects
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.textpath import TextToPath
from pyproj import CRS

from geo.files.atomic import atomic_path
from geo.files.text import clean
from pipelines.assess import Findings
from pipelines.assess.findings import SceneUse
from pipelines.publish.drawing import Outline, legend_of, number_place, outlines_of_events, outlines_of_zones, rings
from pipelines.publish.palette import UNSEEN, VERMILION
from pipelines.publish.pasting import Pasted
from pipelines.publish.pictures import Picture, change_picture, corner_words, north, scale_bar
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

WIDTH_IN = 10.0
_MARGIN, _GAP = 0.35, 0.3  # inches
_HEAD, _LINE = 1.3, 0.152
_KEYED = 10
_DASH = {"solid": "-", "dash": (0, (4, 2.5)), "dot": (0, (1, 1.5)), "dash dot": (0, (6, 2, 1, 2))}
_POINTS_PER_MM = 2.2
_HALO = [patheffects.withStroke(linewidth=2.2, foreground="white")]
_UNSEEN_PATCH: dict[str, Any] = {"facecolor": "white", "edgecolor": UNSEEN, "hatch": "////"}


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
    with _own_defaults():
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
    width = (WIDTH_IN - 2 * _MARGIN - _GAP) / 2
    tall = _panel_height(sheet.picture, width)
    key, foot = _key_lines(sheet), _foot_lines(sheet, "Both panels: same extent, scale and stretch; ")
    figure, height = _figure(tall, len(key) + len(foot) + 1)
    _title(figure, height, sheet.findings)
    for place, role in enumerate(("before", "after")):
        left = _MARGIN + place * (width + _GAP)
        axes = _panel(figure, height, sheet.picture, (left, width, tall))
        axes.add_artist(Pasted(getattr(sheet.picture, role)))
        _outline_events(axes, sheet)
        _panel_title(figure, (left, width), height, role, scene_of(sheet.findings, role), sheet.findings.grid.gsd_m)
        _scale_and_north(axes, sheet.picture)
        if sheet.findings.simulated:
            _watermark(axes)
    _lines(figure, height, tall, key, foot)
    return figure


def change_map_figure(sheet: Sheet) -> Figure:
    """The change map: change, no change found and not observed in three looks that differ in print, too."""
    legend_width = 2.9
    width = WIDTH_IN - 2 * _MARGIN - legend_width
    tall = min(_panel_height(sheet.picture, width), 8.5)
    width = min(width, tall * sheet.picture.size[1] / sheet.picture.size[0])
    key, foot = _key_lines(sheet), _foot_lines(sheet, "Over the later image in grey, from ")
    figure, height = _figure(tall, len(key) + len(foot) + 1)
    _title(figure, height, sheet.findings)
    axes = _panel(figure, height, sheet.picture, (_MARGIN, width, tall))
    axes.add_artist(Pasted(change_picture(sheet.picture)))
    before, after = scene_of(sheet.findings, "before"), scene_of(sheet.findings, "after")
    dates = " to ".join(when(scene.time) if scene else "no scene" for scene in (before, after))
    _write(figure, _MARGIN, height - 1.16, f"CHANGE MAP   {dates}", weight="bold", size=9)
    zones = outlines_of_zones(sheet.findings, sheet.picture)
    for outline in zones:
        _draw(axes, outline, _line_style(outline) | {"zorder": 3})
    _outline_events(axes, sheet)
    _scale_and_north(axes, sheet.picture)
    if sheet.findings.simulated:
        _watermark(axes)
    _legend(figure, sheet, zones, ((_MARGIN + width + 0.15) / WIDTH_IN, (height - _HEAD) / height))
    _lines(figure, height, tall, key, foot)
    return figure


# --- pieces of a figure ----------------------------------------------------------------------------------------------
def _figure(panel: float, lines: int) -> tuple[Figure, float]:
    height = _HEAD + panel + lines * _LINE + 0.45
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure, height


def _panel_height(picture: Picture, width: float) -> float:
    rows, cols = picture.size
    return min(max(width * rows / cols, 0.8), 12.0)


def _panel(figure: Figure, height: float, picture: Picture, place: tuple[float, float, float]) -> Any:
    left, width, tall = place
    axes = figure.add_axes((left / WIDTH_IN, (height - _HEAD - tall) / height, width / WIDTH_IN, tall / height))
    rows, cols = picture.size
    axes.set(xlim=(0, cols), ylim=(rows, 0), xticks=[], yticks=[])
    axes.set_aspect("equal")
    # What was not seen is transparent in the picture and shows this hatch.
    axes.patch.set(**_UNSEEN_PATCH)
    axes.set_zorder(1)
    return axes


def _title(figure: Figure, height: float, findings: Findings) -> None:
    mark = "SIMULATED: " if findings.simulated else ""
    _write(figure, _MARGIN, height - 0.38, f"{mark}{findings.site.name}", weight="bold", size=13)
    place = findings.site
    sure = f"location known to: {place.location_class} ({place.location_source})" if place.location_class else ""
    _write(figure, _MARGIN, height - 0.6, f"{place.id}   {sure}", size=7.5)


def _panel_title(
    figure: Figure, place: tuple[float, float], height: float, role: str, scene: SceneUse | None, gsd_m: float | None
) -> None:
    left, width = place
    time = when(scene.time) if scene else "no scene"
    _write(figure, left, height - 0.9, f"{role.upper()}   {time}", width, weight="bold", size=9)
    if scene is not None:
        size = "pixel size on the ground not known" if gsd_m is None else f"resolution {gsd_m:g} m"
        _write(figure, left, height - 1.07, f"{scene.sensor}, {size}", width, size=7)
        _write(figure, left, height - 1.21, scene.id, width, size=6.5)


def _outline_events(axes: Any, sheet: Sheet) -> None:
    """Outlines in colour and dash by confidence, on a white rim; numbers beside them."""
    for outline in outlines_of_events(sheet.events, sheet.picture):
        width = outline.width_mm * _POINTS_PER_MM
        _draw(axes, outline, {"color": "white", "linewidth": width + 1.0, "alpha": 0.7, "zorder": 4})
        _draw(axes, outline, _line_style(outline) | {"zorder": 5})
        if outline.number is not None:
            x, y = number_place(outline, sheet.picture)
            axes.text(
                x, y, str(outline.number), fontsize=8, fontweight="bold", color="black", path_effects=_HALO, zorder=7,
                ha="left", va="bottom", clip_on=True,
            )  # fmt: skip


def _draw(axes: Any, outline: Outline, style: dict[str, Any]) -> None:
    for ring in rings(outline.shape):
        axes.plot(*zip(*ring, strict=True), **style)


def _line_style(outline: Outline) -> dict[str, Any]:
    width = outline.width_mm * _POINTS_PER_MM
    return {"color": outline.colour, "linewidth": width, "linestyle": _DASH[outline.line]}


def _legend(figure: Figure, sheet: Sheet, zones: list[Outline], corner: tuple[float, float]) -> None:
    lines = legend_of(outlines_of_events(sheet.events, sheet.picture)[::-1]) + legend_of(zones)
    handles: list[Any] = [
        Patch(facecolor=VERMILION, alpha=0.7, label="change, per pixel"),
        Patch(facecolor="#d2d2d2", edgecolor="#a0a0a0", label="seen on both dates, no change found"),
        Patch(**_UNSEEN_PATCH, label=f"NOT OBSERVED ({percent(1 - sheet.observed)}): nothing known"),
        *(Line2D([], [], label="\n".join(textwrap.wrap(line.word, 36)), **_line_style(line)) for line in lines),
    ]
    legend = figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=corner, fontsize=7, frameon=False, handlelength=2.4,
        borderaxespad=0, labelspacing=0.9,
    )  # fmt: skip
    for entry in legend.get_texts():
        entry.set_parse_math(False)


def _scale_and_north(axes: Any, picture: Picture) -> None:
    rows, cols = picture.size
    length, label = scale_bar(picture)
    x, y = cols * 0.04, rows - max(rows, cols) * 0.035
    axes.plot([x, x + length], [y, y], color="white", linewidth=5, solid_capstyle="butt", zorder=8)
    axes.plot([x, x + length], [y, y], color="black", linewidth=2.6, solid_capstyle="butt", zorder=9)
    axes.text(
        x + length / 2, y - max(rows, cols) * 0.012, label, ha="center", va="bottom", fontsize=7.5, fontweight="bold",
        path_effects=_HALO, zorder=9,
    )  # fmt: skip
    direction = north(picture.grid)
    if direction is None:
        return
    reach = max(rows, cols) * 0.045
    right, down = direction
    foot = cols - 1.5 * reach, rows - 1.5 * reach
    tip = foot[0] + right * reach, foot[1] + down * reach
    wing = [(foot[0] + side * 0.35 * reach * -down, foot[1] + side * 0.35 * reach * right) for side in (1, -1)]
    notch = foot[0] + right * 0.25 * reach, foot[1] + down * 0.25 * reach
    outline = [tip, wing[0], notch, wing[1]]
    axes.add_patch(Polygon(outline, closed=True, facecolor="black", edgecolor="white", linewidth=1.2, zorder=9))
    axes.text(
        tip[0] + direction[0] * reach * 0.45, tip[1] + direction[1] * reach * 0.45, "N", ha="center", va="center",
        fontsize=8, fontweight="bold", path_effects=_HALO, zorder=9,
    )  # fmt: skip


def _watermark(axes: Any) -> None:
    axes.text(
        0.5, 0.5, "SIMULATED", transform=axes.transAxes, rotation=30, ha="center", va="center", fontsize=34,
        fontweight="bold", color="white", alpha=0.35, zorder=10,
        path_effects=[patheffects.withStroke(linewidth=1.2, foreground="black", alpha=0.5)],
    )  # fmt: skip


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
    top = height - _HEAD - panel - 0.22
    for place, line in enumerate(key):
        _write(figure, _MARGIN, top - place * _LINE, line, size=7.5)
    for place, line in enumerate(foot, start=len(key) + 1):
        _write(figure, _MARGIN, top - place * _LINE, line, size=6.5, color="#333333")


def _write(figure: Figure, left: float, bottom: float, text: str, width: float | None = None, **style: Any) -> None:
    """Write at inches; never read as a formula, only characters that the font has, cut to `width` inches."""
    style["fontsize"], style["fontweight"] = style.pop("size"), style.pop("weight", "normal")
    room = width or WIDTH_IN - _MARGIN - left
    fitted = _fitted(drawable(text), room, style["fontsize"], style["fontweight"])
    figure.text(left / WIDTH_IN, bottom / figure.get_figheight(), fitted, parse_math=False, va="bottom", **style)


def _fitted(text: str, width: float, size: float, weight: str) -> str:
    """The longest start of a text that fits into `width` inches, with an ellipsis where it was cut."""
    face = FontProperties(family="DejaVu Sans", size=size, weight=weight)

    def fits(candidate: str) -> bool:
        length, _, _ = TextToPath().get_text_width_height_descent(candidate, face, ismath=False)
        return bool(length <= width * 72)

    if fits(text):
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle] + "…") else (low, middle - 1)
    return text[:low] + "…"


def drawable(text: str) -> str:
    """Text with characters that the built-in font lacks (e.g. Khmer) as a box; the report shows them all."""
    return "".join(c if ord(c) in _glyphs() else "\u25a1" for c in clean(text).replace("\n", " ").replace("\t", " "))


@cache
def _glyphs() -> frozenset[int]:
    path = font_manager.findfont(FontProperties(family="DejaVu Sans"))
    return frozenset(font_manager.get_font(path).get_charmap())


@contextmanager
def _own_defaults() -> Iterator[None]:
    """Matplotlib as shipped: a user's matplotlibrc must not show in a published figure."""
    shipped = {
        name: value
        for name, value in mpl.rcParamsDefault.items()
        if not name.startswith(("backend", "date.", "interactive", "toolbar", "webagg", "tk.", "keymap", "savefig.dir"))
    }
    with mpl.rc_context(shipped):
        mpl.rcParams["font.family"] = ["DejaVu Sans"]
        mpl.rcParams["hatch.linewidth"] = 1.2
        yield
