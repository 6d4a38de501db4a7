"""What `detect` hands on: rasters of score, p and direction, the mask, and the changed objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from geo.grid import Grid


class Direction(IntEnum):
    """What became what. `UNCHANGED` pixels carry 0; the codes are written into change.tif band 5."""

    UNCHANGED = 0
    VEGETATION_TO_BARE = 1
    VEGETATION_TO_BUILT = 2
    BARE_TO_BUILT = 3
    BUILT_TO_BARE = 4
    BARE_TO_VEGETATION = 5
    BUILT_TO_VEGETATION = 6
    TO_WATER = 7
    FROM_WATER = 8
    BRIGHTER = 9
    DARKER = 10
    OTHER = 11
    BARE_TO_BARE = 12
    BUILT_TO_BUILT = 13


@dataclass(frozen=True, kw_only=True)
class ChangeObject:
    """One connected piece of change.

    Attributes:
        polygon: outline in the grid's coordinates (pixel col, row without georeference).
        area_px: number of changed pixels; area_m2 is None without georeference.
        score: mean score of its pixels; peak_score the largest.
        p: false-alarm probability of the object as a whole (0-1).
        direction: the commonest direction of its pixels.
        direction_share: share of its pixels with that direction, 0-1.
    """

    polygon: BaseGeometry
    area_px: int
    area_m2: float | None
    score: float
    peak_score: float
    p: float
    direction: Direction
    direction_share: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How scores became probabilities, and what the run expects to get wrong.

    Attributes:
        method: one sentence on the null distribution.
        fdr: false-discovery rate asked for.
        p_strong: p of a pixel that is change by itself; p_weak: p at or below which touching pixels form a piece.
        min_area_px: minimum mapping unit in pixels; min_area_m2 in square metres where known.
        expected_false_objects: expected number of false objects in this run's observed area.
        contrast: range of the ground's values over the noise between the dates; None where it has no meaning. Where it
            is small the dates differ everywhere, and a change cannot be told from season, light or haze.
        observed_px: pixels with both dates clear; flagged_px: pixels called change.
    """

    method: str
    fdr: float
    p_strong: float
    p_weak: float
    min_area_px: int
    min_area_m2: float | None
    expected_false_objects: float
    observed_px: int
    flagged_px: int
    contrast: float | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeMap:
    """The change between two dates, on disk as plain tiled GeoTIFFs in the run's work folder.

    Attributes:
        layers: float32 GeoTIFF with the bands named in `LAYERS`, NaN where not observed on both dates.
        mask: uint8 GeoTIFF: 0 unchanged, 1 change, 255 not observed.
        objects: the pieces of change, most certain first.
        method, parameters: what was computed, with every setting filled in (plain JSON values).
        dates: of a series, a float32 GeoTIFF with the bands named in `DATES`; None where two dates bound everything.
    """

    grid: Grid
    layers: Path
    mask: Path
    objects: tuple[ChangeObject, ...]
    calibration: Calibration
    method: str
    parameters: Mapping[str, object]
    dates: Path | None = None


LAYERS = ("score", "p", "direction")
DATES = ("first_seen", "last_unseen", "clear_looks")
