"""Outlines over a picture, decided once for the report (SVG) and for the figures (matplotlib)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from shapely.geometry.base import BaseGeometry

from pipelines.assess import Findings
from pipelines.assess.findings import Geometry
from pipelines.publish.palette import BLACK, BLUE, CONFIDENCE, PURPLE, UNSEEN, VERMILION
from pipelines.publish.pictures import Picture
from pipelines.publish.shapes import Numbered
from pipelines.publish.wording import MEANING

_SEGMENTS = {
    "changed": (VERMILION, 0.7),
    "no change seen": (BLUE, 0.5),
    "not observed": (UNSEEN, 0.5),
    "not observable": (UNSEEN, 0.3),
}
_SVG_DASHES = {"solid": "", "dash": "8 5", "dot": "2 3", "dash dot": "9 3 2 3"}
_SVG_PX_PER_MM = 4.0
_SMALLEST = 1 / 60  # of the picture: smaller changes get a ring


@dataclass(frozen=True)
class Outline:
    """One line to draw: in the picture's pixels, width in mm at print size, `word` as in the legend."""

    shape: BaseGeometry
    colour: str
    width_mm: float
    line: str
    word: str
    number: int | None = None


@dataclass(frozen=True)
class Mark:
    """An outline as SVG; `x` and `y` (percent of the picture) are where its number stands."""

    path: Markup  # of numbers only; as a text from outside it would be cut off where it is long
    colour: str
    width: float
    dash: str
    number: int | None
    x: float
    y: float


def outlines_of_events(events: Sequence[Numbered], picture: Picture) -> list[Outline]:
    """Outlines by confidence, the most certain last, so that it lies on top. None is too small to be seen."""
    made = []
    smallest = max(picture.size) * _SMALLEST
    for item in events:
        colour, line, width = CONFIDENCE[item.event.confidence]
        shape = picture.place(item.event.geometry)
        left, top, right, bottom = shape.bounds
        if max(right - left, bottom - top) < smallest:
            shape = shape.centroid.buffer(smallest / 2)
        word = f"{item.event.confidence}: {MEANING[item.event.confidence]}"
        made.append(Outline(shape, colour, width, line, word, item.number))
    return made[::-1]


def outlines_of_zones(findings: Findings, picture: Picture) -> list[Outline]:
    """Site, perimeter (solid is a wall, dashed a fence), its gaps, and buildings, dotted where nothing can be told."""
    made: list[Outline] = []

    def add(geometry: Geometry, colour: str, width_mm: float, line: str, word: str) -> None:
        made.append(Outline(picture.place(geometry), colour, width_mm, line, word))

    if findings.site.geometry is not None:
        add(findings.site.geometry, BLACK, 0.4, "dash dot", "site")
    if findings.perimeter is not None:
        noun, line = ("fence", "dash") if findings.perimeter.material == "fence" else ("wall", "solid")
        for segment in findings.perimeter.segments:
            add(segment.geometry, *_SEGMENTS[segment.status], line, f"line of the {noun}: {segment.status}")
        for gap in findings.perimeter.gaps:
            add(gap, PURPLE, 1.0, "dot", "gap")
    for building in findings.buildings:
        if building.status is None:
            add(building.geometry, UNSEEN, 0.3, "dot", "building: cannot be told")
        else:
            add(building.geometry, BLACK, 0.3, "solid", "building")
    return made


def legend_of(outlines: Sequence[Outline]) -> list[Outline]:
    """One outline for each word, in the order of first use."""
    return list({outline.word: outline for outline in reversed(outlines)}.values())[::-1]


def number_place(outline: Outline, picture: Picture) -> tuple[float, float]:
    """Where an outline's number stands, (x, y) in the picture's pixels: at its upper right, inside the picture."""
    rows, cols = picture.size
    _, top, right, _ = outline.shape.bounds
    return min(max(right, cols * 0.02), cols * 0.96), min(max(top, rows * 0.04), rows * 0.99)


def rings(shape: BaseGeometry) -> Iterator[list[tuple[float, float]]]:
    """All lines of a shape, holes included, as lists of (x, y)."""
    for part in getattr(shape, "geoms", [shape]):
        for line in [part.exterior, *part.interiors] if hasattr(part, "exterior") else [part]:
            if line.geom_type != "Point" and not line.is_empty:
                yield [(x, y) for x, y, *_ in line.coords]


def as_marks(outlines: Sequence[Outline], picture: Picture) -> list[Mark]:
    """Outlines for the page."""
    rows, cols = picture.size
    marks = []
    for outline in outlines:
        path = "".join("M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in ring) for ring in rings(outline.shape))
        x, y = number_place(outline, picture)
        width = outline.width_mm * _SVG_PX_PER_MM
        place = round(x / cols * 100, 2), round(y / rows * 100, 2)
        marks.append(Mark(Markup(path), outline.colour, width, _SVG_DASHES[outline.line], outline.number, *place))  # noqa: S704
    return marks


def legend_marks(outlines: Sequence[Outline]) -> list[dict[str, str | float]]:
    """The page's legend, one entry a word."""
    return [
        {"word": o.word, "colour": o.colour, "width": o.width_mm * _SVG_PX_PER_MM, "dash": _SVG_DASHES[o.line]}
        for o in legend_of(outlines)
    ]
