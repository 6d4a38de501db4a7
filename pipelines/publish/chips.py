"""One small picture a candidate of a search, or a change: before and after side by side, its outline on both."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rasterio.windows import Window
from shapely.affinity import scale, translate
from shapely.geometry.base import BaseGeometry

from geo.files.atomic import atomic_path
from geo.files.opening import reading
from geo.grid import Grid
from pipelines.assess.findings import Candidate
from pipelines.publish.palette import VERMILION, rgb
from pipelines.publish.shapes import Numbered, in_pixels
from pipelines.publish.styles import PICTURES

Bytes = NDArray[np.uint8]

MARGIN = 0.6  # of the candidate's own size, on each side: what lies around tells what it is
LEAST_PX, SIDE_PX, GAP_PX = 32, 320, 6


def write_chips(folder: Path, candidates: list[Candidate], grid: Grid) -> list[Bytes]:
    """Write figures/candidates/NN.png for every candidate, from the run's own before.tif and after.tif.

    Returns:
        The pictures, uint8 (row, col, 3), in the order of the candidates.
    """
    made = []
    for candidate in candidates:
        image = _chip(folder, in_pixels(candidate.geometry, grid))
        _save(image, folder / "figures" / "candidates" / f"{candidate.rank:02d}.png", "PNG", compress_level=6)
        made.append(image)
    return made


def write_tips(folder: Path, events: Sequence[Numbered], grid: Grid) -> None:
    """Write figures/changes/NN.jpg for every numbered event: the picture that QGIS shows on hovering over it."""
    for item in events:
        if item.number is not None:
            image = _chip(folder, in_pixels(item.event.geometry, grid))
            _save(image, folder / PICTURES / f"{item.number:02d}.jpg", "JPEG", quality=85)


def _save(image: Bytes, path: Path, kind: str, **options: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _chip(folder: Path, outline: BaseGeometry) -> Bytes:
    left, top, right, bottom = outline.bounds
    half = max((right - left) * (0.5 + MARGIN), (bottom - top) * (0.5 + MARGIN), LEAST_PX / 2)
    col, row = round((left + right) / 2 - half), round((top + bottom) / 2 - half)
    size = round(2 * half)
    factor = SIDE_PX / size
    drawn = scale(translate(outline, -col, -row), factor, factor, origin=(0, 0))
    sides = [_side(folder / name, (row, col, size), drawn) for name in ("before.tif", "after.tif")]
    gap = np.full((SIDE_PX, GAP_PX, 3), 255, np.uint8)
    return np.concatenate([sides[0], gap, sides[1]], axis=1)


def _side(path: Path, where: tuple[int, int, int], outline: BaseGeometry) -> Bytes:
    row, col, size = where
    # Beyond the image there is nothing: alpha 0, shown white. (A boundless read needs GDAL's VRT driver, which is off.)
    pixels = np.zeros((4, size, size), np.uint8)
    with reading(path) as dataset:
        top, left = max(0, row), max(0, col)
        bottom, right = min(dataset.height, row + size), min(dataset.width, col + size)
        if top < bottom and left < right:
            part = dataset.read(window=Window(left, top, right - left, bottom - top))
            pixels[:, top - row : bottom - row, left - col : right - col] = part
    image = Image.fromarray(np.moveaxis(pixels, 0, -1), "RGBA")
    enlarged = image.resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST if size < SIDE_PX else Image.Resampling.BOX)
    flat = Image.new("RGB", enlarged.size, "white")
    flat.paste(enlarged, mask=enlarged.getchannel("A"))
    draw = ImageDraw.Draw(flat)
    for part in getattr(outline, "geoms", [outline]):
        for ring in (part.exterior, *part.interiors):
            draw.line(list(ring.coords), fill=rgb(VERMILION), width=2)
    return np.asarray(flat, np.uint8)
