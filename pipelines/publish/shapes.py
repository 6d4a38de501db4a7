"""Geometries of the findings in the three systems that outputs need: longitude and latitude, the grid's, and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from affine import Affine
from shapely.affinity import affine_transform
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.zones import to_grid, to_lonlat, to_pixels
from pipelines.assess import Findings
from pipelines.assess.findings import Event, Geometry
from pipelines.assess.verdicts import CONFIRMED, REJECTED, Verdict, Verdicts

SURROUNDINGS = "surroundings"


@dataclass(frozen=True)
class Numbered:
    """An event with its number in pictures and tables, and what an analyst said of it.

    The number is None beyond those that are numbered, and for what was rejected.
    """

    event: Event
    number: int | None
    verdict: Verdict | None = None

    @property
    def rejected(self) -> bool:
        """True where an analyst said that it is no such change."""
        return self.verdict is not None and self.verdict.verdict == REJECTED


def grid_of(findings: Findings) -> Grid:
    """The run's grid."""
    return Grid(findings.grid.crs, Affine(*findings.grid.transform), findings.grid.shape)


def in_grid(geometry: Geometry, grid: Grid) -> BaseGeometry:
    """A finding's geometry in the grid's coordinates, as a GIS draws them.

    Without georeference findings are in pixels (col, row), rows downwards; a GIS puts such an image below zero, so
    the rows become negative.
    """
    made = shape(geometry)
    return affine_transform(made, [1, 0, 0, -1, 0, 0]) if grid.crs is None else to_grid(made, grid)


def in_pixels(geometry: Geometry, grid: Grid) -> BaseGeometry:
    """A finding's geometry in pixels (col, row) of the grid."""
    made = shape(geometry)
    return made if grid.crs is None else to_pixels(to_grid(made, grid), grid)


def footprint(grid: Grid) -> Geometry | None:
    """The outline of the grid as longitude, latitude; None without georeference."""
    if grid.crs is None:
        return None
    rows, cols = grid.shape
    corners = [(0, 0), (0, rows), (cols, rows), (cols, 0), (0, 0)]
    ring = shape({"type": "Polygon", "coordinates": [[tuple(grid.transform @ corner) for corner in corners]]})
    made: dict[str, Any] = dict(mapping(to_lonlat(ring, grid)))
    return made


def numbered(events: Sequence[Event], most: int, verdicts: Verdicts = MappingProxyType({})) -> list[Numbered]:
    """Number the events: what analysts confirmed leads, then those at the site, the most certain first, as they come.

    What analysts rejected stays listed, last and without a number.
    """

    def order(event: Event) -> tuple[bool, bool, bool]:
        verdict = verdicts[event.id].verdict if event.id in verdicts else ""
        return verdict == REJECTED, verdict != CONFIRMED, not concerns(event)

    return [
        Numbered(event, place if place <= most and not order(event)[0] else None, verdicts.get(event.id))
        for place, event in enumerate(sorted(events, key=order), start=1)
    ]


def concerns(event: Event) -> bool:
    """True for an event at the site itself, not beside it or on a control."""
    return event.zone != SURROUNDINGS and not event.zone.startswith("control ")
