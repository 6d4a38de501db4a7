"""Outlines for the report's pictures, as SVG paths in the picture's pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry

from pipelines.assess import Findings
from pipelines.publish.palette import BLACK, BLUE, CONFIDENCE, PURPLE, UNSEEN, VERMILION
from pipelines.publish.pictures import Picture
from pipelines.publish.shapes import Numbered

DASHES = {"solid": "", "dash": "8 5", "dot": "2 3"}
SEGMENTS = {
    "changed": (VERMILION, 3.0),
    "no change seen": (BLUE, 2.0),
    "not observed": (UNSEEN, 2.0),
    "not observable": (UNSEEN, 1.0),
}
_SMALLEST = 1 / 60  # of the picture: smaller changes get a ring


@dataclass(frozen=True)
class Shape:
    """One outline; `x` and `y` (percent of the picture) are where its number stands."""

    path: str
    colour: str
    width: float
    dash: str = ""
    number: int | None = None
    x: float = 0.0
    y: float = 0.0


def visible(shape: BaseGeometry, picture: Picture) -> BaseGeometry:
    """The shape, or a ring round it where it would be too small to see: never nothing."""
    smallest = max(picture.size) * _SMALLEST
    left, top, right, bottom = shape.bounds
    return shape.centroid.buffer(smallest / 2) if max(right - left, bottom - top) < smallest else shape


def rings(shape: BaseGeometry) -> Iterator[list[tuple[float, float]]]:
    """All lines of a shape, holes included, as lists of (x, y)."""
    for part in getattr(shape, "geoms", [shape]):
        for line in [part.exterior, *part.interiors] if hasattr(part, "exterior") else [part]:
            if line.geom_type != "Point" and not line.is_empty:
                yield [(x, y) for x, y, *_ in line.coords]


def shapes_of_events(events: Sequence[Numbered], picture: Picture) -> list[Shape]:
    """Outlines by confidence, the most certain drawn last, so that it lies on top."""
    rows, cols = picture.size
    made = []
    for item in events:
        colour, dash, width = CONFIDENCE[item.event.confidence]
        shape = visible(picture.place(item.event.geometry), picture)
        x, y = min(shape.bounds[2] / cols * 100, 96.0), min(max(shape.bounds[1] / rows * 100, 3.0), 99.0)
        made.append(Shape(_path(shape), colour, width * 4, DASHES[dash], item.number, round(x, 2), round(y, 2)))
    return made[::-1]


def shapes_of_zones(findings: Findings, picture: Picture) -> tuple[list[Shape], list[dict[str, Any]]]:
    """Site, perimeter and buildings, and the legend's lines for those that are there."""
    shapes: list[Shape] = []
    legend: dict[str, dict[str, Any]] = {}

    def add(word: str, geometry: dict[str, Any], colour: str, width: float, dash: str = "") -> None:
        shapes.append(Shape(_path(picture.place(geometry)), colour, width, dash))
        legend.setdefault(word, {"word": word, "colour": colour, "width": width, "dash": dash})

    if findings.site.geometry is not None:
        add("site", findings.site.geometry, BLACK, 1.5, "9 3 2 3")
    if findings.perimeter is not None:
        noun = "fence" if findings.perimeter.material == "fence" else "wall"
        for segment in findings.perimeter.segments:
            colour, width = SEGMENTS[segment.status]
            add(
                f"line of the {noun}: {segment.status}",
                segment.geometry,
                colour,
                width,
                "8 5" if noun == "fence" else "",
            )
        for gap in findings.perimeter.gaps:
            add("gap", gap, PURPLE, 5.0, "2 3")
    for building in findings.buildings:
        told = building.status is not None
        add("building" if told else "building: cannot be told", building.geometry, BLACK if told else UNSEEN, 1.0,
            "" if told else "2 3")  # fmt: skip
    return shapes, list(legend.values())


def _path(shape: BaseGeometry) -> str:
    parts = []
    for ring in rings(shape):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in ring)
        parts.append(f"M{points}")
    return "".join(parts)
