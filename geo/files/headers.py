"""What the header of an open raster says: its grid, and the facts from which its encoding is settled."""

from __future__ import annotations

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import MaskFlags
from rasterio.windows import Window as FileWindow

from geo.files.facts import Facts
from geo.grid import Grid

_SAMPLES = 5
_SAMPLE_PX = 64
_CORNER_PX = 16


def grid_of(dataset: Any) -> tuple[Grid, tuple[str, ...]]:
    """The grid of an open dataset, and what had to be left out of it."""
    transform = Affine(*tuple(dataset.transform)[:6])
    shape = (dataset.height, dataset.width)
    if transform == Affine.identity():
        notes = ("There are only ground control points in the file; it is used without georeference.",)
        return Grid(None, Affine.identity(), shape), notes if dataset.gcps[0] else ()
    crs, note = _crs(dataset)
    try:
        return Grid(crs, transform, shape), note
    except ValueError:
        return Grid(None, Affine.identity(), shape), ("Its geotransform is unusable; it has no georeference.",)


def _crs(dataset: Any) -> tuple[str | None, tuple[str, ...]]:
    """`EPSG:n`, WKT, or None with a note."""
    found = dataset.crs
    if not found:
        return None, ("The file states a position but no coordinate system; it is used without georeference.",)
    code = found.to_epsg()
    text = f"EPSG:{code}" if code else found.to_wkt()
    try:
        system = CRS.from_user_input(text)
    except CRSError:
        return None, ("Its coordinate system cannot be understood; it is used without georeference.",)
    if not (system.is_projected or system.is_geographic):
        return None, ("Its coordinate system is a local one; it is used without georeference.",)
    return text, ()


def facts_of(dataset: Any, name: str, grid: Grid) -> Facts:
    """What the header and a small sample of an open dataset say about its encoding."""
    tags = dataset.tags()
    size = grid.pixel_size_m
    values, corners = _sample(dataset)
    own_mask = any(MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags for flags in dataset.mask_flag_enums)
    return Facts(
        name=name,
        dtype=str(np.result_type(*dataset.dtypes)),
        descriptions=tuple(dataset.descriptions),
        colours=tuple(c.name for c in dataset.colorinterp),
        nodata=tuple(dataset.nodatavals),
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        values=values,
        corners=corners,
        hint=" ".join([name, *(str(v) for k, v in sorted(tags.items()) if k not in ("TIFFTAG_DATETIME",))]),
        gsd_m=None if size is None else max(size),
        dataset_mask=own_mask,
    )


def _sample(dataset: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Stored values of a few small windows, each inside one block: (band, pixel), and of the corners."""
    height, width = dataset.shape
    block = dataset.block_shapes[0]
    starts = [_starts(height, block[0]), _starts(width, block[1])]
    parts = []
    for top in starts[0]:
        for left in starts[1]:
            size = (min(_SAMPLE_PX, width - left), min(_SAMPLE_PX, height - top))
            parts.append(dataset.read(window=FileWindow(left, top, *size)))
    edge_rows, edge_cols = min(_CORNER_PX, height), min(_CORNER_PX, width)
    corners = [
        dataset.read(window=FileWindow(left, top, edge_cols, edge_rows)).reshape(dataset.count, -1)
        for top in (0, height - edge_rows)
        for left in (0, width - edge_cols)
    ]
    return np.concatenate([p.reshape(dataset.count, -1) for p in parts], axis=1), np.stack(corners)


def _starts(length: int, block: int) -> list[int]:
    """Where windows start along one axis: first, last, and between, moved into one block."""
    last = max(0, length - _SAMPLE_PX)
    found = set()
    for step in range(_SAMPLES):
        start = last * step // (_SAMPLES - 1)
        if block >= _SAMPLE_PX:
            start = min(start, start // block * block + block - _SAMPLE_PX)
        found.add(start)
    return sorted(found)
