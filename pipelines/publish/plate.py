"""The author's picture: before and after with everything that a reader, an editor or an opponent will ask for.

The conventions are those of published human-rights imagery: place, dates, sensor, product, resolution, clouds, sun;
the same extent, stretch and scale; scale bar, north, coordinates; numbered call-outs in hedged words; credit; limits;
hashes.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from geo.files.atomic import atomic_path
from geo.files.text import clean
from pipelines.assess import Findings
from pipelines.publish.drawing import Outline, number_place, outlines_of_events, outlines_of_zones
from pipelines.publish.pasting import Pasted
from pipelines.publish.pictures import Picture
from pipelines.publish.pieces import (
    MARGIN,
    POINTS_PER_MM,
    WIDTH_IN,
    draw_outline,
    line_style,
    own_defaults,
    panel,
    rimmed,
    scale_and_north,
    text_width,
    watermark,
    write,
)
from pipelines.publish.shapes import Numbered
from pipelines.publish.wording import MEANING, area, event_title, interval

SIZES: Mapping[str, tuple[int, bool]] = {"print": (300, False), "web": (144, False), "social": (120, True)}
"""Dots per inch at a width of ten inches, and whether only the essential lines stand below."""
_GAP, _LINE, _SMALL, _SAMPLE = 0.3, 0.155, 6.8, 0.4
_TALLEST = 7.0
CALLED = 8
_WRAP = 165


@dataclass(frozen=True, kw_only=True)
class Side:
    """One panel: `title` in bold, and the facts about its scene line by line."""

    title: str
    facts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Plate:
    """What an author's picture is made of.

    Attributes:
        findings, events: of the run; what analysts rejected is neither outlined nor told.
        picture: both dates on the same pixels.
        before, after: the sides.
        place: lines under the title: where it is and how surely that is known.
        ground: coordinates of the picture's middle in several systems, and the coordinate system.
        same: how both are shown.
        credit, limits, proof: the credit line, the limitations, and the hashes of the received files.
    """

    findings: Findings
    events: Sequence[Numbered]
    picture: Picture
    before: Side
    after: Side
    place: Sequence[str]
    ground: Sequence[str]
    same: str
    credit: str
    limits: str
    proof: str


def write_plate(folder: Path, plate: Plate, *, size: str) -> list[Path]:
    """Write before_after.png, .svg and .pdf of one of `SIZES` into a folder; the same plate gives the same bytes."""
    dpi, brief = SIZES[size]
    written = []
    with own_defaults():
        mpl.rcParams["svg.fonttype"] = "none"  # words stay words: searchable, and editable in a layout program
        mpl.rcParams["svg.hashsalt"] = "sitewatch"
        mpl.rcParams["pdf.fonttype"] = 42
        for kind, metadata in (
            ("png", {"Software": None}), ("svg", {"Date": None, "Creator": None}),
            ("pdf", {"CreationDate": None, "Creator": None, "Producer": None}),
        ):  # fmt: skip
            figure = draw_plate(plate, brief=brief)
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
            figure.clear()
            path = folder / f"before_after.{kind}"
            with atomic_path(path) as temporary:
                temporary.write_bytes(buffer.getvalue())
            written.append(path)
    return written


def draw_plate(plate: Plate, *, brief: bool) -> Figure:
    """The picture: two panels, their facts above, call-outs and the small print below."""
    width = (WIDTH_IN - 2 * MARGIN - _GAP) / 2
    rows, cols = plate.picture.size
    tall = min(max(width * rows / cols, 1.0), _TALLEST)
    below, samples = _below(plate, brief), [] if brief else _samples(plate)
    limits = [] if brief else _wrapped(f"LIMITS. {plate.limits}", _WRAP - 6)
    facts = max(len(plate.before.facts), len(plate.after.facts)) if not brief else 1
    place = plate.place[:1] if brief else [part for line in plate.place for part in _wrapped(line, _WRAP - 25)]
    head = 0.55 + _LINE * len(place) + 0.3 + _LINE * facts + 0.12
    height = (
        head + tall + 0.25 + _LINE * (len(below) + len(limits) + bool(samples) * 1.2) + (0.35 if limits else 0.1) + 0.15
    )
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    FigureCanvasAgg(figure)
    write(figure, MARGIN, height - 0.45, titled(plate.findings), weight="bold", size=14)
    for number, line in enumerate(place, start=1):
        write(figure, MARGIN, height - 0.47 - number * _LINE, line, size=7.5)
    for column, side in enumerate((plate.before, plate.after)):
        left = MARGIN + column * (width + _GAP)
        top = height - head + 0.12 + _LINE * facts
        write(figure, left, top, side.title, width, weight="bold", size=10)
        for number, line in enumerate(side.facts[:facts], start=1):
            write(figure, left, top - number * _LINE, line, width, size=_SMALL)
        _one_panel(figure, plate, (left, width, tall), (height, head), after=column == 1)
    at = height - head - tall - 0.25
    if samples:
        _legend(figure, at - _LINE * 0.6, samples)
        at -= _LINE * 1.2
    for text, bold in below:
        write(
            figure, MARGIN, at - _LINE * 0.6, text, size=7.3 if bold else _SMALL, color="black" if bold else "#333333"
        )
        at -= _LINE
    if limits:
        _box(figure, height, at - 0.1, limits)
    return figure


def titled(findings: Findings) -> str:
    """The site's name, marked where no satellite saw it."""
    name = findings.site.name
    return f"SIMULATED: {name}" if findings.simulated and not name.startswith("SIMULATED") else name


def _one_panel(
    figure: Figure, plate: Plate, place: tuple[float, float, float], frame: tuple[float, float], *, after: bool
) -> None:
    """Image, site and perimeter; call-outs in the later one, where there is something to point at."""
    height, head = frame
    axes = panel(figure, height, plate.picture, place, head)
    axes.add_artist(Pasted(plate.picture.after if after else plate.picture.before))
    for outline in outlines_of_zones(plate.findings, plate.picture):
        if not outline.word.startswith("building"):
            for stroke in _zone_strokes(outline):
                draw_outline(axes, outline, stroke)
    taken: list[tuple[float, float]] = []
    for outline in outlines_of_events(plate.events, plate.picture) if after else ():
        for stroke in _event_strokes(outline):
            draw_outline(axes, outline, stroke)
        if outline.number is not None:
            x, y = _free(number_place(outline, plate.picture), taken, plate.picture)
            rimmed(axes, x, y, str(outline.number), fontsize=9, ha="left", va="bottom", clip_on=True)
    scale_and_north(axes, plate.picture)
    if plate.findings.simulated:
        watermark(axes)


def _free(place: tuple[float, float], taken: list[tuple[float, float]], picture: Picture) -> tuple[float, float]:
    """A place for a number where no other stands: moved down until it is free, and noted."""
    step = max(picture.size) * 0.045
    x, y = place
    while any(abs(x - a) < step and abs(y - b) < step for a, b in taken):
        y += step
    taken.append((x, y))
    return x, y


def _below(plate: Plate, brief: bool) -> list[tuple[str, bool]]:
    """(line, is a call-out) pairs under the panels."""
    called = [item for item in plate.events if item.number is not None][: 5 if brief else CALLED]
    lines = [
        (f"{item.number}  {event_title(item.event)}, {area(item.event.area_m2, item.event.area_px)}, "
         f"{interval(item.event.not_before, item.event.not_after)}", True)
        for item in called
    ]  # fmt: skip
    if len(plate.events) > len(called):
        lines.append(
            (f"…  and {len(plate.events) - len(called)} more, outlined without a number; see the run's findings", True)
        )
    if brief:
        return [*lines, (f"{plate.credit}. Not checked on the ground. {plate.proof}", False)]
    levels = [level for level in MEANING if any(item.event.confidence == level for item in called)]
    small = [
        f"Both panels: same extent, scale and stretch; {plate.same}. Hatched: not observed.",
        *([f"Words: {'; '.join(f'{level} = {MEANING[level]}' for level in levels)}."] if levels else []),
        *plate.ground,
        f"{plate.credit}.",
        plate.proof,
    ]
    return lines + [(part, False) for line in small for part in _wrapped(line)]


def _samples(plate: Plate) -> list[tuple[str, list[dict[str, Any]]]]:
    """What every kind of line in the picture means, with the strokes it is drawn with."""
    found: dict[str, list[dict[str, Any]]] = {}
    for outline in outlines_of_events(plate.events, plate.picture)[::-1]:
        found.setdefault(f"{outline.word.split(':')[0]} change", _event_strokes(outline))
    for outline in outlines_of_zones(plate.findings, plate.picture):
        if not outline.word.startswith("building"):
            found.setdefault(outline.word.split(":")[0], _zone_strokes(outline))
    return list(found.items())


def _legend(figure: Figure, bottom: float, samples: Sequence[tuple[str, list[dict[str, Any]]]]) -> None:
    """One row: a piece of each line on grey, as it lies on the images, and its word."""
    write(figure, MARGIN, bottom, "Outlines:", size=_SMALL, color="#333333")
    left, height = MARGIN + 0.55, figure.get_figheight()
    for word, strokes in samples:
        ends, level = [left / WIDTH_IN, (left + _SAMPLE) / WIDTH_IN], (bottom + _LINE * 0.3) / height
        patch: dict[str, Any] = {"facecolor": "#9aa08f", "transform": figure.transFigure}
        figure.add_artist(Rectangle((ends[0], bottom / height), _SAMPLE / WIDTH_IN, _LINE * 0.65 / height, **patch))
        for stroke in strokes:
            figure.add_artist(Line2D(ends, [level, level], transform=figure.transFigure, **stroke))
        write(figure, left + _SAMPLE + 0.06, bottom, word, size=_SMALL, color="#333333")
        left += _SAMPLE + 0.06 + text_width(word, _SMALL) + 0.25


def _zone_strokes(outline: Outline) -> list[dict[str, Any]]:
    """The line as it was drawn, in one look on both dates: what stands there is for the image to show."""
    style = line_style(outline)
    return [
        style | {"zorder": 3, "color": "white", "linewidth": 2.2, "alpha": 0.6},
        style | {"zorder": 3.1, "color": "black", "linewidth": 0.9},
    ]


def _event_strokes(outline: Outline) -> list[dict[str, Any]]:
    wide = outline.width_mm * POINTS_PER_MM
    rim = {"color": "white", "linewidth": wide + 1.0, "alpha": 0.7, "zorder": 4}
    return [rim, line_style(outline) | {"zorder": 5}]


def _box(figure: Figure, height: float, top: float, lines: Sequence[str]) -> None:
    """The limitations, framed, so that they are not cut away with the small print."""
    tall = _LINE * len(lines) + 0.12
    corner, size = (MARGIN / WIDTH_IN, (top - tall) / height), ((WIDTH_IN - 2 * MARGIN) / WIDTH_IN, tall / height)
    style: dict[str, Any] = {"facecolor": "#f3f3f3", "edgecolor": "black", "linewidth": 0.8}
    figure.add_artist(Rectangle(corner, *size, transform=figure.transFigure, **style))
    for number, line in enumerate(lines, start=1):
        write(figure, MARGIN + 0.08, top - 0.02 - number * _LINE, line, size=_SMALL)


def _wrapped(text: str, width: int = _WRAP) -> list[str]:
    return textwrap.wrap(clean(text), width)[:6]
