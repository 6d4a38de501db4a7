"""Geometries of the findings in the three systems that outputs need: longitude and latitude, the grid's, and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affine import Affine
from shapely.affinity import affine_transform
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.zones import to_grid, to_lonlat, to_pixels
from pipelines.assess import Findings
from pipelines.assess.findings import Event, Geometry

SURROUNDINGS = "surroundings"


@dataclass(frozen=True)
class Numbered:
    """An event with its number in pictures and tables; the number is None beyond those that are numbered."""

    event: Event
    number: int | None


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


def numbered(events: Sequence[Event], most: int) -> list[Numbered]:
    """Number the events as they come (the most certain first), those that concern the site before all others."""
    ordered = [e for e in events if concerns(e)] + [e for e in events if not concerns(e)]
    return [Numbered(event, place if place <= most else None) for place, event in enumerate(ordered, start=1)]


def concerns(event: Event) -> bool:
    """True for an event at the site itself, not beside it or on a control."""
    return event.zone != SURROUNDINGS and not event.zone.startswith("control ")
