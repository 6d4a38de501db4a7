"""The tiles of one overpass become one image of the site: numbers as delivered, one lossless GeoTIFF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.errors import ConfigurationError, InputError
from geo.grid import Grid
from geo.providers.keeping import Bands, write_bands
from geo.providers.stac.harmonise import Stated, settle, shown_by_pixels
from geo.providers.stac.items import CLASSES, RADAR_WANTED, WANTED, Asset, Item
from geo.providers.stac.ranges import RemoteFile
from geo.providers.stac.windows import PAD_PX, Piece, lattice_for, lay, read_piece

MAX_PIXELS = 40_000_000
QUANTIFICATION = 1e-4
Open = Callable[[Item, Asset, str], RemoteFile]


@dataclass
class Image:
    """What will be kept.

    Attributes:
        grid: its pixels.
        bands: names in order; `SCL` last.
        data: stored numbers by band.
        scale, offset: physical = number x scale + offset, of the image bands.
        empty: the number that means no data.
        facts: what was read and decided, a tile.
    """

    grid: Grid
    bands: tuple[str, ...]
    data: dict[str, NDArray[Any]]
    scale: float
    offset: float
    empty: float
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def holes(self) -> NDArray[np.bool_]:
        """Pixels (row, col) that no tile has filled yet."""
        empty: NDArray[np.bool_] = np.zeros(self.grid.shape, bool)
        for band in self.bands:
            if band != CLASSES:
                empty |= _is_empty(self.data[band], self.empty)
        return empty


def bands_wanted(item: Item) -> tuple[str, ...]:
    """The bands of an item that are read, in order."""
    optical = tuple(band for band in WANTED if band in item.assets)
    if optical:
        return (*optical, CLASSES) if CLASSES in item.assets else optical
    return tuple(band for band in RADAR_WANTED if band in item.assets)


def merge(parts: Sequence[Item], site: Grid, remote: Open) -> Image:
    """Read the site's window of the tiles of one overpass; where tiles overlap the first one counts.

    Tiles in the site's own system come first. A tile is read only if those before it left holes. One that cannot be
    laid over the first honestly (other bands, another offset) is left out, and that is noted.

    Raises:
        InputError: no tile reaches the site, or what came cannot be used; TemporaryError: the network.
    """
    ordered = sorted(parts, key=lambda p: (p.epsg is None, p.epsg != site.epsg, p.tile, p.id))
    image: Image | None = None
    left_out: list[str] = []
    for item in ordered:
        if image is not None and not image.holes.any():
            left_out.append(f"{item.id}: not read, the tiles before it show all of the site")
            continue
        own = _image(item, site, remote, image.grid if image is not None else None)
        if own is None:
            left_out.append(f"{item.id}: it does not reach the site")
        elif image is None:
            image = own
        elif own.bands != image.bands or (own.scale, own.offset, own.empty) != (image.scale, image.offset, image.empty):
            left_out.append(f"{item.id}: other bands or another offset than {ordered[0].id}")
        else:
            _fill(image, own)
    if image is None:
        raise InputError("None of its tiles reaches the site, though the catalogue says so.")
    image.facts["left_out"] = left_out
    return image


def write_image(image: Image, path: Path, tags: Mapping[str, str]) -> None:
    """Write one tiled GeoTIFF, lossless; the same image gives the same bytes.

    Raises:
        NoSpaceError: the disk is full; ConfigurationError: the folder cannot be written.
    """
    radar = image.bands[0] in RADAR_WANTED
    is_class = [band == CLASSES for band in image.bands]
    kept = Bands(
        grid=image.grid,
        names=image.bands,
        stored=np.stack([image.data[band] for band in image.bands]),
        empty=image.empty,
        scales=None if radar else [1.0 if c else image.scale for c in is_class],
        offsets=None if radar else [0.0 if c else image.offset for c in is_class],
    )
    write_bands(kept, path, tags)


def _image(item: Item, site: Grid, remote: Open, grid: Grid | None) -> Image | None:
    """One tile's image on `grid` (None: on its own pixels), or None where it does not reach the site."""
    around, bands = site.pad(PAD_PX), bands_wanted(item)
    pieces: dict[str, Piece] = {}
    read: dict[str, object] = {}
    for band in bands:
        file = remote(item, item.assets[band], band)
        piece = read_piece(file, item.assets[band].index, around)
        if piece is None:
            return None
        pieces[band] = piece
        read[band] = {**file.facts, "fetched_bytes": file.fetched_bytes}
    if grid is None:
        finest = min(pieces.values(), key=lambda p: p.grid.pixel_area_m2 or 0.0)
        grid = lattice_for(finest.grid, site)
    if grid.shape[0] * grid.shape[1] > MAX_PIXELS:
        raise ConfigurationError("The site is too large to be fetched in one piece; draw smaller ones.")
    empty = _empty(item, pieces)
    data, laid = {}, {}
    for band, piece in pieces.items():
        # Classes count 0 as nothing, whatever the images do.
        data[band], laid[band] = lay(piece, grid, classes=band == CLASSES, empty=0 if band == CLASSES else empty)
    dtype = np.result_type(*[array.dtype for array in data.values()])
    if dtype.kind == "i" and dtype.itemsize > 2:
        raise InputError(f"{item.id} mixes types of numbers that cannot be kept in one file.")
    data = {band: array.astype(dtype, copy=False) for band, array in data.items()}
    scale, offset, note = _scaling(item, data)
    facts = {"item": item.id, "assets": read, "laid": laid, "offset": note}
    return Image(grid=grid, bands=bands, data=data, scale=scale, offset=offset, empty=empty, facts={"tiles": [facts]})


def _scaling(item: Item, data: Mapping[str, NDArray[Any]]) -> tuple[float, float, str]:
    """Scale and offset of the image bands: as stated, but for Sentinel-2's offset, which is looked into."""
    own = [item.assets[band] for band in data if band != CLASSES]
    scales, offsets = {asset.scale for asset in own}, {asset.offset for asset in own}
    if len(scales) > 1 or len(offsets) > 1:
        raise InputError(f"{item.id} states scales or offsets that differ between its bands.")
    scale, offset = scales.pop(), offsets.pop()
    if not item.is_sentinel2:
        return scale or 1.0, offset or 0.0, "as stated"
    scale = scale or QUANTIFICATION
    if not np.isclose(scale, QUANTIFICATION):
        raise InputError(f"{item.id} states a scale of {scale:g}, where Sentinel-2's is {QUANTIFICATION:g}.")
    stated = Stated(offset=offset, baseline=item.baseline, applied=item.applied, time=item.time)
    try:
        settled = settle(stated, shown_by_pixels(data, data.get(CLASSES)))
    except InputError as error:
        raise InputError(f"{item.id}: {error}") from None
    return scale, settled.counts * QUANTIFICATION, settled.note


def _empty(item: Item, pieces: Mapping[str, Piece]) -> float:
    """The number that means no data: as the catalogue states, else the file, else 0 for whole numbers."""
    own = {band: piece for band, piece in pieces.items() if band != CLASSES}
    said = [value for band in own if (value := item.assets[band].nodata) is not None]
    filed = [float(piece.nodata) for piece in own.values() if piece.nodata is not None]
    whole = all(piece.data.dtype.kind in "ui" for piece in own.values())
    values = set(said or [v for v in filed if not np.isnan(v)] or [0.0 if whole else float("nan")])
    if len(values) > 1:
        raise InputError(f"{item.id} states values of no data that differ between its bands.")
    return values.pop()


def _is_empty(band: NDArray[Any], empty: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.isnan(band) if np.isnan(empty) else band == empty
    return found


def _fill(image: Image, other: Image) -> None:
    """Fill holes with another tile's pixels, all bands at once, so that no pixel mixes two tiles."""
    where = image.holes & ~other.holes
    for band in image.bands:
        image.data[band] = np.where(where, other.data[band], image.data[band])
    told = image.facts["tiles"]
    if isinstance(told, list) and isinstance(other.facts["tiles"], list):
        told.extend(other.facts["tiles"])
