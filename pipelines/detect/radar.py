"""What radar adds to ground that optical looks found changed: a second, cloud-proof opinion on when it began.

The ground is cut into cells of about a hectare, so that speckle averages out and work that moves over a site in stages
is dated by its first cell. Cells of the same size on ground that did not change give the noise of every date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geo.kernels import sar, sar_steps, sar_track
from geo.kernels.sar_windows import INDEPENDENT
from pipelines.prepare import Series

CELL_M = 100.0
LEAST_CELL = 0.5  # share of a cell that must belong to the ground asked about
MOST_CONTROLS = 300
FEWEST_CONTROLS, FEWEST_DATES = 12, 6
LEAST_PX = 12  # of ground that is judged alone
FIRST_CELLS = 2  # so many cells must show the new state before the beginning is believed


@dataclass(frozen=True, kw_only=True)
class RadarBracket:
    """When radar saw the beginning: times of the last look provably before it and of the first provably after it."""

    not_before: datetime
    not_after: datetime
    before_scene: str
    after_scene: str
    cells: int


class RadarSteps:
    """The lasting steps of every cell of a radar series; cells are judged when they are first asked about."""

    def __init__(self, looks: Series, changed: NDArray[np.bool_]) -> None:
        """Read the series.

        Args:
            looks: a radar series, linear power.
            changed: (row, col) all ground that changed or may have; the rest gives the noise.
        """
        self._looks = looks
        self._size = max(2, round(CELL_M / _pixel_m(looks)))
        self._steps: dict[int, sar_steps.Steps] = {}
        self._scene: sar_track.SceneNoise | None = None
        rows, cols = (n // self._size * self._size for n in looks.grid.shape)
        quiet = _blocks(ndimage.binary_dilation(changed, iterations=2)[:rows, :cols], self._size)
        quiet = quiet.mean(axis=(2, 3)) == 0
        if len(looks.looks) < FEWEST_DATES or np.count_nonzero(quiet) < FEWEST_CONTROLS:
            return
        self._orbit = np.array(looks.groups)
        self._days = np.array([t.timestamp() / 86400 for t in looks.times])
        power, enl = _cells(looks, self._size, self._orbit)
        controls = power[:, :, quiet]
        step = max(1, controls.shape[2] // MOST_CONTROLS)
        self._many = self._size**2 * INDEPENDENT * enl
        self._scene = sar_track.fit_scene(controls[:, :, ::step], self._many, self._orbit)
        self._power = power.reshape(*power.shape[:2], -1)

    def bracket(
        self, inside: NDArray[np.bool_], start: datetime | None, end: datetime, *, rising: bool | None = None
    ) -> RadarBracket | None:
        """Bracket the first step of some ground between two times; None where radar does not show it clearly.

        Args:
            inside: (row, col) the ground. Where it fills no cell, its own pixels are judged as one.
            start: the step lies after it; None for no bound.
            end: and not after this.
            rising: whether the echo must have become stronger (building) or weaker (clearing); None for either.
        """
        if self._scene is None:
            return None
        rows, cols = (n // self._size * self._size for n in inside.shape)
        own = np.flatnonzero(_blocks(inside[:rows, :cols], self._size).mean(axis=(2, 3)) >= LEAST_CELL)
        zones = [self._of(int(cell)) for cell in own] if len(own) else [self._alone(inside)]
        times = self._looks.times
        first: list[tuple[int, int]] = []
        for steps in zones:
            up = steps.change_db.mean(axis=1) > 0
            for n in range(len(steps.zone)):
                before, after = int(steps.not_before[n]), int(steps.not_after[n])
                fits = times[before] < end and (start is None or times[after] > start)
                if fits and rising in (None, bool(up[n])):
                    first.append((int(steps.safely_before[n]), after))
                    break
        need = min(FIRST_CELLS, len(zones))
        if len(first) < need:
            return None
        # The earliest lower bound of all, and the first look on which enough cells are new: it widens, never narrows.
        before, after = min(safe for safe, _ in first), sorted(after for _, after in first)[need - 1]
        if not 0 <= before < after:
            return None
        names = [look.record.scene.id for look in self._looks.looks]
        return RadarBracket(
            not_before=times[before], not_after=times[after], before_scene=names[before], after_scene=names[after],
            cells=len(first),
        )  # fmt: skip

    def _alone(self, inside: NDArray[np.bool_]) -> sar_steps.Steps:
        """The steps of some ground as one zone; none where it is too small to average speckle out."""
        rows, cols = np.nonzero(inside)
        if len(rows) < LEAST_PX:
            return _no_steps(len(self._looks.bands))
        window = slice(int(rows.min()), int(rows.max()) + 1), slice(int(cols.min()), int(cols.max()) + 1)
        mask = inside[window]
        power = np.full((len(self._looks.looks), len(self._looks.bands), 1), np.nan)
        for index, look in enumerate(self._looks.looks):
            pixels = look.source.read(window)[:, mask].astype(np.float64)
            if np.isfinite(pixels).mean() >= LEAST_CELL:
                power[index, :, 0] = np.nanmean(pixels, axis=1)
        many = len(rows) * self._many / self._size**2
        return sar_steps.zone_steps(power, many, self._days, self._orbit, self._noise)

    @property
    def _noise(self) -> sar_track.SceneNoise:
        assert self._scene is not None  # noqa: S101 - asked by `bracket`
        return self._scene

    def _of(self, cell: int) -> sar_steps.Steps:
        if cell not in self._steps:
            one = self._power[:, :, cell : cell + 1]
            self._steps[cell] = sar_steps.zone_steps(one, self._many, self._days, self._orbit, self._noise)
        return self._steps[cell]


def _no_steps(bands: int) -> sar_steps.Steps:
    none = np.zeros(0, np.int64)
    return sar_steps.Steps(none, none, none, none, np.zeros(0), np.zeros((0, bands)))


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
