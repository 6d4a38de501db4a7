"""What radar adds to ground that optical looks found changed: a second, cloud-proof opinion on when it began.

The ground is cut into cells of about a hectare, so that speckle averages out and work that moves over a site in stages
is dated by its first cell. Cells of the same size on ground that did not change give the noise of every date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geo.kernels import sar, sar_track
from pipelines.detect.pieces import Piece
from pipelines.prepare import Series

CELL_M = 100.0
LEAST_CELL = 0.5  # share of a cell that must belong to the ground asked about
MOST_CONTROLS = 300
FEWEST_CONTROLS = 12
INDEPENDENT = 0.5  # neighbouring pixels of a resampled radar image share about half of their speckle
FIRST_CELLS = 2  # so many cells must show the new state before the beginning is believed


@dataclass(frozen=True, kw_only=True)
class RadarBracket:
    """When radar saw the beginning: times of the last look provably before it and of the first provably after it."""

    not_before: datetime
    not_after: datetime
    before_scene: str
    after_scene: str
    cells: int


def radar_brackets(looks: Series, pieces: Sequence[Piece], changed: NDArray[np.bool_]) -> list[RadarBracket | None]:
    """Bracket the beginning of each piece by radar; None where radar does not show it clearly.

    Args:
        looks: a radar series on the grid of the pieces, linear power.
        pieces: ground that changed.
        changed: (row, col) all ground that changed or may have; the rest gives the noise.
    """
    size = max(2, round(CELL_M / _pixel_m(looks)))
    rows, cols = (n // size * size for n in looks.grid.shape)
    quiet = _blocks(ndimage.binary_dilation(changed, iterations=2)[:rows, :cols], size).mean(axis=(2, 3)) == 0
    if len(looks.looks) < 6 or np.count_nonzero(quiet) < FEWEST_CONTROLS:
        return [None] * len(pieces)
    orbit = np.array(looks.groups)
    days = np.array([t.timestamp() / 86400 for t in looks.times])
    power, enl = _cells(looks, size, orbit)
    controls = power[:, :, quiet]
    step = max(1, controls.shape[2] // MOST_CONTROLS)
    many = size * size * INDEPENDENT * enl
    scene = sar_track.fit_scene(controls[:, :, ::step], many, orbit)
    found = []
    for piece in pieces:
        mask = np.zeros(looks.grid.shape, bool)
        mask[piece.window] = piece.inside
        own = _blocks(mask[:rows, :cols], size).mean(axis=(2, 3)) >= LEAST_CELL
        found.append(_bracket(power[:, :, own], many, days, orbit, scene, looks) if own.any() else None)
    return found


def _bracket(
    power: NDArray[np.float64],
    many: float,
    days: NDArray[np.float64],
    orbit: NDArray[np.int64],
    scene: sar_track.SceneNoise,
    looks: Series,
) -> RadarBracket | None:
    track = sar_track.zone_track(power, many, days, orbit, scene)
    sure = track.confirmed & (track.not_before >= 0) & (track.not_after >= 0)
    need = min(FIRST_CELLS, power.shape[2])
    if np.count_nonzero(sure) < need:
        return None
    # The earliest lower bound of all, and the first look on which enough cells are new: it widens, never narrows.
    before = min(_last_but_one(track.states[:, cell], int(track.not_before[cell])) for cell in np.flatnonzero(sure))
    after = int(np.sort(track.not_after[sure])[need - 1])
    if not 0 <= before < after:
        return None
    names = [look.record.scene.id for look in looks.looks]
    return RadarBracket(
        not_before=looks.times[before],
        not_after=looks.times[after],
        before_scene=names[before],
        after_scene=names[after],
        cells=int(np.count_nonzero(sure)),
    )


def _last_but_one(states: NDArray[np.uint8], not_before: int) -> int:
    """The last look before `not_before` that shows the old state, -1 for none.

    Work that has taken a small part of a cell hides in speckle, so that the last look of the old state proves little.
    """
    older = np.flatnonzero(states[:not_before] == sar_track.OLD)
    return int(older[-1]) if older.size else -1


def _cells(looks: Series, size: int, orbit: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Mean power (time, band, cell row, cell col) of all cells, and the number of looks of one pixel."""
    rows, cols = (n // size * size for n in looks.grid.shape)
    out = np.empty((len(looks.looks), len(looks.bands), rows // size, cols // size))
    window = (slice(0, rows), slice(0, cols))
    commonest = np.bincount(orbit).argmax()
    sample = []
    for index, look in enumerate(looks.looks):
        pixels = look.source.read(window).astype(np.float64)
        blocks = _blocks(pixels, size)
        seen = np.isfinite(blocks)
        total = np.where(seen, blocks, 0).sum(axis=(-2, -1))
        share = seen.mean(axis=(-2, -1))
        out[index] = np.where(share >= LEAST_CELL, total / np.maximum(seen.sum(axis=(-2, -1)), 1), np.nan)
        if orbit[index] == commonest:
            sample.append(pixels[0, ::3, ::3])
    enl = sar.estimate_enl(np.stack(sample)) if len(sample) >= 3 else 1.0
    return out, float(enl) if np.isfinite(enl) else 1.0


def _blocks(values: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    """(..., row, col) as (..., cell row, cell col, row in cell, col in cell)."""
    rows, cols = values.shape[-2:]
    cut = values.reshape(*values.shape[:-2], rows // size, size, cols // size, size)
    return np.moveaxis(cut, -3, -2)


def _pixel_m(looks: Series) -> float:
    size = looks.grid.pixel_size_m
    return float(max(size)) if size is not None else 10.0
