"""Small pictures of a run's rasters, on ground-square pixels, for the report and the figures."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pyproj import Geod
from rasterio.enums import Resampling
from shapely.affinity import scale
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from geo.files.opening import reading
from geo.grid import Grid
from geo.kernels.render import hatch
from geo.zones import from_pixels, to_grid, to_lonlat, to_pixels
from pipelines.assess.findings import Geometry
from pipelines.publish.palette import UNSEEN, VERMILION, rgb
from pipelines.publish.rasters import NOT_OBSERVED
from pipelines.publish.shapes import in_pixels

Bytes = NDArray[np.uint8]
_NORTH_STEP_M = 500.0
_NICE = (1, 2, 5)


@dataclass(frozen=True, eq=False)
class Picture:
    """Both dates and the mask, reduced to the same size.

    Attributes:
        before, after: uint8 (row, col, 4); alpha 0 is not seen.
        mask: uint8 (row, col): 0 unchanged, 1 change, 255 not observed.
        grid: of the full rasters.
        scale: (rows, cols) of the picture for one row or column of the grid.
        metres: width of a picture's pixel on the ground; None without georeference.
    """

    before: Bytes
    after: Bytes
    mask: Bytes
    grid: Grid
    scale: tuple[float, float]
    metres: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.mask.shape
        return rows, cols

    def place(self, geometry: Geometry) -> BaseGeometry:
        """A finding's geometry in the picture's pixels (x, y), simplified to what an eye can tell."""
        pixels = in_pixels(geometry, self.grid)
        placed = scale(pixels, self.scale[1], self.scale[0], origin=(0, 0))
        simple = placed.simplify(0.3)
        return placed if simple.is_empty else simple


def read_picture(folder: Path, grid: Grid, longest: int) -> Picture:
    """Read before.tif, after.tif and change_mask.tif reduced to at most `longest` pixels; small images stay small.

    Where there is no mask, nothing is marked as change.

    Pixels that are not square on the ground are made so.
    """
    rows, cols = grid.shape
    height, width = grid.pixel_size_m or (1.0, 1.0)
    tall, wide = rows * height, cols * width
    finest = min(height, width)
    pixel = max(finest, max(tall, wide) / longest)
    size = max(1, round(tall / pixel)), max(1, round(wide / pixel))
    before, after = (_read(folder / name, size, Resampling.average) for name in ("before.tif", "after.tif"))
    masked = folder / "change_mask.tif"
    mask = _read(masked, size, Resampling.nearest)[0] if masked.is_file() else np.zeros(size, np.uint8)
    return Picture(
        before=np.moveaxis(before, 0, -1),
        after=np.moveaxis(after, 0, -1),
        mask=mask,
        grid=grid,
        scale=(size[0] / rows, size[1] / cols),
        metres=None if grid.pixel_size_m is None else wide / size[1],
    )


def change_picture(picture: Picture) -> Bytes:
    """The change map: the after image in faded grey, change in colour, not observed hatched: three looks, never two."""
    grey = picture.after[..., :3].mean(axis=2)
    image = np.repeat((150 + grey * (90 / 255))[..., None], 3, axis=2)
    changed, blind = picture.mask == 1, picture.mask == NOT_OBSERVED
    image[changed] = image[changed] * 0.3 + np.array(rgb(VERMILION)) * 0.7
    dark = hatch((0, 0), picture.size)
    image[blind & dark] = rgb(UNSEEN)
    image[blind & ~dark] = 255
    return image.round().astype(np.uint8)


def read_figure(path: Path) -> Bytes | None:
    """A figure as the report shows it, (row, col, 3), half as many pixels as for print; None where there is none."""
    if not path.is_file():
        return None
    with Image.open(path) as image:
        small = image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    return np.asarray(small, np.uint8)


def data_uri(image: Bytes, *, lossless: bool = False) -> str:
    """A picture as a `data:` address: WebP, which is small, keeps transparency, and every browser shows."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", lossless=lossless, quality=85, method=1, exact=False)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def scale_bar(picture: Picture) -> tuple[float, str]:
    """(length in picture pixels, label) of a bar of a round length near a fifth of the width."""
    wanted = picture.size[1] / 5
    metres = picture.metres or 1.0 / picture.scale[1]
    exponent = math.floor(math.log10(max(wanted * metres, 1e-9)))
    nice = max(n * 10**e for e in (exponent - 1, exponent) for n in _NICE if n * 10**e <= wanted * metres)
    if picture.metres is None:
        return nice / metres, f"{nice:g} px"
    return nice / metres, f"{nice / 1000:g} km" if nice >= 1000 else f"{nice:g} m"


def north(grid: Grid) -> tuple[float, float] | None:
    """Direction of true north in the picture as a unit vector (x right, y down); None without georeference."""
    if grid.crs is None:
        return None
    rows, cols = grid.shape
    centre = cast("Point", to_lonlat(from_pixels(Point(cols / 2, rows / 2), grid), grid))
    lon, lat, _ = Geod(ellps="WGS84").fwd(centre.x, centre.y, 0.0, _NORTH_STEP_M)
    tip = cast("Point", to_pixels(to_grid(Point(lon, lat), grid), grid))
    height, width = grid.pixel_size_m or (1.0, 1.0)
    x, y = (tip.x - cols / 2) * width, (tip.y - rows / 2) * height
    length = math.hypot(x, y)
    return x / length, y / length


def corner_words(grid: Grid) -> list[str]:
    """Upper left and lower right corner and the centre in longitude, latitude; pixels without georeference."""
    rows, cols = grid.shape
    if grid.crs is None:
        return [f"image of {cols} × {rows} pixels, no georeference"]
    places = (("upper left", 0, 0), ("lower right", cols, rows), ("centre", cols / 2, rows / 2))
    return [
        f"{name} {_lonlat(cast('Point', to_lonlat(from_pixels(Point(x, y), grid), grid)))}" for name, x, y in places
    ]


def _lonlat(point: Point) -> str:
    north_south, east_west = "N" if point.y >= 0 else "S", "E" if point.x >= 0 else "W"
    return f"{abs(point.y):.5f}° {north_south}, {abs(point.x):.5f}° {east_west}"


def _read(path: Path, size: tuple[int, int], resampling: Resampling) -> Bytes:
    with reading(path) as dataset:
        return np.asarray(dataset.read(out_shape=(dataset.count, *size), resampling=resampling), dtype=np.uint8)
