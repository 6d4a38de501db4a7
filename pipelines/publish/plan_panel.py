"""A plan beside the latest image, and over it: three panels on the same ground."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.warp
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rasterio.enums import Resampling

from geo.files.atomic import atomic_path
from geo.files.opening import reading
from geo.grid import Grid
from pipelines.publish.pictures import Picture
from pipelines.publish.pieces import MARGIN, WIDTH_IN, own_defaults, scale_and_north, write

_LONGEST, _DPI, _GAP = 900, 300, 0.2


def write_panel(
    path: Path, plan: NDArray[np.uint8], grid: Grid, image: Path | None, *, title: str, words: Sequence[str]
) -> None:
    """Write a PNG: the plan; where there is an image of the ground, that, and the plan half transparent over it.

    Args:
        path: of the picture.
        plan: uint8 (4, row, col) on `grid`.
        grid: of the plan, with georeference.
        image: an RGBA GeoTIFF, or None.
        title: of the sheet.
        words: lines below, e.g. the residuals.
    """
    step = max(1, -(-max(grid.shape) // _LONGEST))
    small = Grid(grid.crs, grid.transform @ grid.transform.scale(step), (grid.shape[0] // step, grid.shape[1] // step))
    shown = np.moveaxis(_on(plan, grid, small), 0, -1)
    panels = [("The plan", _white(shown))]
    if image is not None:
        with reading(image) as dataset:
            ground = _on(dataset.read(), Grid(str(dataset.crs), dataset.transform, dataset.shape), small)
        below = _white(np.moveaxis(ground, 0, -1))
        alpha = shown[..., 3:] / 255 * 0.5
        over = (below * (1 - alpha) + shown[..., :3] * alpha).round().astype(np.uint8)
        panels += [("The latest image of the ground", below), ("The plan over it", over)]
    with own_defaults():
        figure = _figure(panels, small, title, words)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        figure.clear()
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _figure(panels: Sequence[tuple[str, Any]], grid: Grid, title: str, words: Sequence[str]) -> Figure:
    rows, cols = grid.shape
    count = len(panels)
    width = (WIDTH_IN - 2 * MARGIN - (count - 1) * _GAP) / max(count, 2)
    tall = width * rows / cols
    height = tall + 1.15 + 0.16 * len(words)
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    FigureCanvasAgg(figure)
    write(figure, MARGIN, height - 0.4, title, weight="bold", size=12)
    blank = np.zeros((*grid.shape, 4), np.uint8)
    size = grid.pixel_size_m or (1.0, 1.0)
    picture = Picture(blank, blank, blank[..., 0], grid, (1.0, 1.0), size[1])
    for number, (name, image) in enumerate(panels):
        left = MARGIN + number * (width + _GAP)
        axes = figure.add_axes(
            (left / WIDTH_IN, (height - 0.72 - tall) / height, width / WIDTH_IN, tall / height), xticks=[], yticks=[]
        )
        axes.imshow(image, extent=(0, cols, rows, 0), interpolation="nearest", aspect="auto")
        scale_and_north(axes, picture)
        axes.set(xlim=(0, cols), ylim=(rows, 0))
        write(figure, left, height - 0.66, name, width, weight="bold", size=8)
    for number, line in enumerate(words, start=1):
        write(figure, MARGIN, height - 0.8 - tall - 0.16 * number, line, size=7)
    return figure


def _on(source: NDArray[np.uint8], grid: Grid, target: Grid) -> NDArray[np.uint8]:
    out = np.zeros((source.shape[0], *target.shape), np.uint8)
    rasterio.warp.reproject(
        source, out, src_transform=grid.transform, src_crs=grid.crs, dst_transform=target.transform, dst_crs=target.crs,
        resampling=Resampling.average if target.transform.a > grid.transform.a else Resampling.nearest,
    )  # fmt: skip
    return out


def _white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB over white paper."""
    alpha = rgba[..., 3:] / 255
    return np.asarray((rgba[..., :3] * alpha + 255 * (1 - alpha)).round(), np.uint8)
