"""The same softness for both dates: what sampling and interpolation did to one look is done to the other.

Only what is compared is softened; what is shown and published stays as it was seen.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from geo.files.warp import Warped, coincides, onto, read_beyond, write_warped
from geo.grid import Grid, Window
from geo.kernels.softening import REACH_PX, soften
from geo.tiles import PixelSource
from pipelines.prepare.pair import Prepared

Phase = tuple[float, float]

_LEAST = 0.02  # pixels; what so small a part of a pixel takes away cannot be measured
_DIGITS = 3
_FINER = 1.25  # from so many source pixels to a target pixel on, averaging leaves the image as sharp as its grid


@dataclass(frozen=True)
class Softened:
    """A source seen with the softness of one that was interpolated at `phase` (row, col)."""

    source: PixelSource
    phase: Phase

    @property
    def grid(self) -> Grid:
        """The grid of the source."""
        return self.source.grid

    def read(self, window: Window) -> NDArray[np.float32]:
        """Return float32 (band, row, col) of the window, the same numbers whatever the window."""
        wide = tuple(slice(w.start - REACH_PX, w.stop + REACH_PX) for w in window)
        out = soften(read_beyond(self.source, (wide[0], wide[1])), self.phase)
        return np.ascontiguousarray(out[:, REACH_PX:-REACH_PX, REACH_PX:-REACH_PX])


@dataclass(frozen=True)
class Trimmed:
    """A source without the rim of what it saw: how an image was resampled beside unseen ground, nobody can know."""

    source: PixelSource
    px: int = 2

    @property
    def grid(self) -> Grid:
        """The grid of the source."""
        return self.source.grid

    def read(self, window: Window) -> NDArray[np.float32]:
        """Return float32 (band, row, col) of the window, the same numbers whatever the window."""
        wide = tuple(slice(w.start - self.px, w.stop + self.px) for w in window)
        values = read_beyond(self.source, (wide[0], wide[1]))
        near = minimum_filter(np.isfinite(values), size=(1, 2 * self.px + 1, 2 * self.px + 1))
        return np.where(near, values, np.float32(np.nan))[:, self.px : -self.px, self.px : -self.px]


def what_was_done(source: PixelSource) -> Phase | Grid | None:
    """How a look came onto its grid, as far as that shows in its sharpness.

    Returns:
        The part of a pixel (row, col) by which a look of the same pixels was moved; or the grid of other pixels
        (another size, place, direction or coordinate system) that it was sampled on; or None: it lies as it was, or
        was averaged.
    """
    if not isinstance(source, Warped) or max(source.ratio) > _FINER:
        return None
    if coincides(source.source.grid, source.grid) is None:
        return source.source.grid
    row, col = (round(shift % 1, _DIGITS) for shift in source.shift_px)
    return (row, col) if any(min(part, 1 - part) > _LEAST for part in (row, col)) else None


def matched(look: Prepared, other: Phase | Grid | None, path: Path, executor: Executor | None) -> Prepared:
    """The look, to be compared as if the same had been done to it as to the other date (`what_was_done`).

    A look that must go through the other date's grid and back is written to `path` once.
    """
    if other is None:
        return look
    source: PixelSource = Softened(look.source, other) if isinstance(other, tuple) else look.source
    if isinstance(other, Grid):
        through = Trimmed(onto(onto(look.source, other), look.source.grid))
        source = write_warped(through, path, names=look.bands, unit=look.unit, executor=executor)
    note = "The other date was resampled; this one is compared as soft as that, and shown as it is."
    return replace(look, matched=source, notes=(*look.notes, note))
