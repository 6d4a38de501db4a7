"""Where the two looks lie: one grid for both, and a plain word where they do not meet."""

from __future__ import annotations

import math
from dataclasses import replace

from affine import Affine
from pyproj import CRS, Transformer

from geo.errors import InputError
from geo.files.warp import outline
from geo.grid import Grid, Window
from pipelines.prepare.looks import Look


def one_reference(before: Look, after: Look) -> tuple[Look, Look]:
    """Make the two looks comparable in place: both with georeference, or both in pixels.

    A file without georeference beside one that has it takes over its grid if it has the same shape. Two files without
    are laid on each other by their top left corners. Raises InputError where neither holds.
    """
    one, other = before.file.grid, after.file.grid
    if (one.crs is None) != (other.crs is None):
        if one.shape != other.shape:
            bare = before if one.crs is None else after
            raise InputError(
                f"{bare.name} has no georeference, the other file has, and their sizes differ "
                f"({_size(one)} and {_size(other)}); georeference {bare.name} or give both without."
            )
        known = other if one.crs is None else one
        note = "One of the two files has no georeference; having the same size, it was laid on the other's grid."
        return _on(before, known), _on(after, known).noted(note)
    if one.crs is None and Affine.identity() in (one.transform, other.transform):
        placed = _on(after, Grid(None, one.transform, other.shape))
        if one.shape != other.shape:
            placed = placed.noted(
                f"Neither file has a georeference and their sizes differ ({_size(one)} and {_size(other)}); "
                "they were laid on each other by their top left corners."
            )
        return before, placed
    return before, after


def overlap(before: Look, after: Look, grid: Grid) -> Window:
    """Return the window of `grid` that both looks reach.

    Raises InputError, naming both files and the likely reason, where there is none.
    """
    rows, cols = grid.shape
    top, left, bottom, right = 0.0, 0.0, float(rows), float(cols)
    for look in (before, after):
        reach = outline(look.file.grid, grid)
        if reach is None:
            raise InputError(f"{look.name} lies outside the area of its coordinate system{_swapped(look.file.grid)}.")
        top, left = max(top, reach[0]), max(left, reach[1])
        bottom, right = min(bottom, reach[2]), min(right, reach[3])
    if bottom - top < 1 or right - left < 1:
        raise InputError(f"{before.name} and {after.name} do not overlap{_reason(before.file.grid, after.file.grid)}.")
    return slice(math.floor(top), math.ceil(bottom)), slice(math.floor(left), math.ceil(right))


def gsd_m(before: Look, after: Look) -> float | None:
    """The coarser native ground sampling distance of the two, None without georeference."""
    areas = [look.file.grid.pixel_area_m2 for look in (before, after)]
    known = [math.sqrt(area) for area in areas if area is not None]
    return max(known) if known else None


def _on(look: Look, grid: Grid) -> Look:
    return look if look.file.grid == grid else replace(look, file=replace(look.file, grid=grid))


def _size(grid: Grid) -> str:
    return f"{grid.shape[1]} x {grid.shape[0]} pixels"


def _swapped(grid: Grid) -> str:
    """A hint for degrees that cannot be: latitudes beyond the poles that would be fine as longitudes."""
    left, bottom, right, top = grid.bounds
    if grid.is_geographic and max(abs(bottom), abs(top)) > 90 and max(abs(left), abs(right)) <= 90:
        return "; longitude and latitude seem to be swapped"
    return "; check its coordinate system"


def _reason(one: Grid, other: Grid) -> str:
    """Why two grids may fail to meet, as the end of a sentence."""
    if one.crs is None or other.crs is None:
        return " (neither names a coordinate system; are they of the same place?)"
    for first, second in ((one, other), (other, one)):
        if first.is_geographic and _meet(_turned(_degrees(first)), _degrees(second)):
            return "; in one of them longitude and latitude seem to be swapped"
    if one.crs != other.crs and _meet(one.bounds, other.bounds):
        return (
            f", though their coordinates would in one system: one of {_system(one)} and {_system(other)} is probably "
            "declared wrongly"
        )
    return f": the first lies near {_place(one)}, the second near {_place(other)}"


def _degrees(grid: Grid) -> tuple[float, float, float, float]:
    left, bottom, right, top = grid.bounds
    if not grid.is_geographic:
        there = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
        left, bottom, right, top = there.transform_bounds(left, bottom, right, top)
    return left, bottom, right, top


def _turned(bounds: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, bottom, right, top = bounds
    return bottom, left, top, right


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _system(grid: Grid) -> str:
    return f"EPSG:{grid.epsg}" if grid.epsg else str(CRS.from_user_input(grid.crs).name)


def _place(grid: Grid) -> str:
    left, bottom, right, top = _degrees(grid)
    lon, lat = (left + right) / 2, (bottom + top) / 2
    return f"longitude {lon:.3f}, latitude {lat:.3f}" if math.isfinite(lon + lat) else "nowhere on Earth"
