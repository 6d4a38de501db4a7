"""The pixel grid of a site and its tiles: where pixels lie, never what they hold.

Windows are pairs of slices (rows, cols). A coordinate names a pixel's corner unless it says centre: pixel (0, 0)
spans transform * (0, 0) to transform * (1, 1), as in GDAL and rasterio (PixelIsArea).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from affine import Affine
from pyproj import CRS, Geod, Transformer

Window = tuple[slice, slice]

_WGS84 = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Tile:
    """One piece of a grid.

    `core` is what the tile answers for, `read` is core plus halo clipped to the grid, and `trim` cuts the
    core out of an array that covers `read`.
    """

    core: Window
    read: Window
    trim: Window

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the core."""
        return _size(self.core)


@dataclass(frozen=True)
class Grid:
    """Pixels on the ground: coordinate system, affine transform, shape. Two equal grids have the same pixels.

    Attributes:
        crs: `EPSG:n` where the system has a code, WKT where it has none, None without georeference.
        transform: pixel (col, row) to coordinates (x, y).
        shape: (rows, cols), both at least 1.

    >>> from affine import Affine
    >>> grid = Grid("EPSG:32648", Affine(10, 0, 300000, 0, -10, 1200000), (4, 6))
    >>> grid.epsg, grid.bounds
    (32648, (300000.0, 1199960.0, 300060.0, 1200000.0))
    >>> [t.core[1].start for t in grid.tiles(3)]
    [0, 3, 0, 3]
    """

    crs: str | None
    transform: Affine
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        """Refuse a grid without pixels or without an inverse."""
        rows, cols = self.shape
        if rows < 1 or cols < 1:
            raise ValueError(f"a grid needs at least one pixel, not {rows} x {cols}")
        if not all(map(math.isfinite, tuple(self.transform)[:6])) or self.transform.determinant == 0:
            raise ValueError(f"a grid's transform must be finite and invertible, not {tuple(self.transform)[:6]}")

    @property
    def epsg(self) -> int | None:
        """The EPSG code, or None."""
        return int(self.crs[5:]) if self.crs and self.crs.startswith("EPSG:") else None

    @cached_property
    def _system(self) -> CRS | None:
        return None if self.crs is None else CRS.from_user_input(self.crs)

    @property
    def is_geographic(self) -> bool:
        """True where coordinates are degrees."""
        return self._system is not None and self._system.is_geographic

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of all four corners, in the grid's coordinates."""
        rows, cols = self.shape
        corners = [self.transform @ c for c in ((0, 0), (cols, 0), (0, rows), (cols, rows))]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @cached_property
    def pixel_size_m(self) -> tuple[float, float] | None:
        """Height and width of the middle pixel in metres, or None without georeference."""
        if self._system is None:
            return None
        t = self.transform
        if self.is_geographic:
            rows, cols = self.shape
            x, y = t @ (cols / 2, rows / 2)
            right, down = t @ (cols / 2 + 1, rows / 2), t @ (cols / 2, rows / 2 + 1)
            return (_WGS84.inv(x, y, *down)[2], _WGS84.inv(x, y, *right)[2])
        unit = self._system.axis_info[0].unit_conversion_factor if self._system.axis_info else 1.0
        return math.hypot(t.b, t.e) * unit, math.hypot(t.a, t.d) * unit

    @property
    def pixel_area_m2(self) -> float | None:
        """Area of the middle pixel in square metres, or None without georeference."""
        size = self.pixel_size_m
        return None if size is None else size[0] * size[1]

    def window(self, window: Window) -> Grid:
        """Return the part of the grid that `window` names."""
        rows, cols = window
        origin = self.transform @ Affine.translation(cols.start, rows.start)
        return Grid(self.crs, origin, _size(window))

    def pad(self, pixels: int) -> Grid:
        """Return the grid grown (or, if negative, shrunk) by `pixels` on every side."""
        rows, cols = self.shape
        moved = self.transform @ Affine.translation(-pixels, -pixels)
        return Grid(self.crs, moved, (rows + 2 * pixels, cols + 2 * pixels))

    def tiles(self, size: int = 512, halo: int = 0) -> Iterator[Tile]:
        """Yield tiles of `size` pixels row by row; each reads `halo` more pixels where the grid has them."""
        if size < 1 or halo < 0:
            raise ValueError(f"tile size must be positive and halo not negative, not {size} and {halo}")
        height, width = self.shape
        for top in range(0, height, size):
            for left in range(0, width, size):
                core = (slice(top, min(top + size, height)), slice(left, min(left + size, width)))
                read = (_grow(core[0], halo, height), _grow(core[1], halo, width))
                trim = (_inside(core[0], read[0]), _inside(core[1], read[1]))
                yield Tile(core, read, trim)

    def stripes(self, width: int, size: int = 512, halo: int = 0) -> Iterator[Tile]:
        """Yield the tiles of `tiles` stripe by stripe, each about `width` pixels wide, downwards in each.

        What a pass holds of a tile's neighbours (the next row of tiles) is then as wide as a stripe, not as the image.
        """
        across = max(1, width // size)
        tiles = sorted(self.tiles(size, halo), key=lambda tile: tile.core[1].start // (size * across))
        yield from tiles

    def centre(self, row: float, col: float) -> tuple[float, float]:
        """Coordinates (x, y) of the centre of pixel (row, col)."""
        x, y = self.transform @ (col + 0.5, row + 0.5)
        return x, y

    @classmethod
    def around(cls, bounds: tuple[float, float, float, float], epsg: int, resolution: float) -> Grid:
        """Return the grid that covers `bounds`, its edges snapped outwards to multiples of `resolution`."""
        left, bottom = (math.floor(v / resolution) * resolution for v in bounds[:2])
        right, top = (math.ceil(v / resolution) * resolution for v in bounds[2:])
        shape = (max(1, round((top - bottom) / resolution)), max(1, round((right - left) / resolution)))
        return cls(f"EPSG:{epsg}", Affine(resolution, 0, left, 0, -resolution, top), shape)


def utm_epsg(lon: float, lat: float) -> int:
    """EPSG code of the WGS 84 / UTM zone at a point, with the exceptions of Norway and Svalbard.

    >>> utm_epsg(103.7, 10.8), utm_epsg(5.0, 60.0), utm_epsg(-46.6, -23.5)
    (32648, 32632, 32723)
    """
    if not (-180 <= lon <= 180 and -80 <= lat <= 84):
        raise ValueError(f"UTM covers longitude -180 to 180 and latitude -80 to 84, not {lon}, {lat}")
    zone = min(int((lon + 180) // 6) + 1, 60)
    if 56 <= lat < 64 and 3 <= lon < 12:
        zone = 32
    if lat >= 72 and 0 <= lon < 42:
        zone = 31 + 2 * int((lon + 3) // 12)
    return (32600 if lat >= 0 else 32700) + zone


def mgrs_square(lon: float, lat: float) -> str:
    """The 100 km square of the Military Grid Reference System that holds a point, as Sentinel-2 names its tiles.

    Source: NGA.STND.0037, Universal Grids and Grid Reference Systems.

    >>> mgrs_square(103.73, 10.8), mgrs_square(103.73, 10.9), mgrs_square(128.69, 37.66), mgrs_square(-46.6, -23.6)
    ('48PUS', '48PUT', '52SDG', '23KLP')
    """
    epsg = utm_epsg(lon, lat)
    zone = epsg % 100
    x, y = Transformer.from_crs("OGC:CRS84", f"EPSG:{epsg}", always_xy=True).transform(lon, lat)
    band = "CDEFGHJKLMNPQRSTUVWXX"[int((lat + 80) // 8)]
    column = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3][int(x // 100_000) - 1]
    row = "ABCDEFGHJKLMNPQRSTUV"[(int(y // 100_000) + (5 if zone % 2 == 0 else 0)) % 20]
    return f"{zone:02d}{band}{column}{row}"


def _size(window: Window) -> tuple[int, int]:
    rows, cols = window
    return rows.stop - rows.start, cols.stop - cols.start


def _grow(part: slice, halo: int, limit: int) -> slice:
    return slice(max(0, part.start - halo), min(limit, part.stop + halo))


def _inside(core: slice, read: slice) -> slice:
    return slice(core.start - read.start, core.stop - read.start)
