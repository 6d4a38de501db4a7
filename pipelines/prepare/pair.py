"""What `prepare` hands on: two looks at one grid, in the same bands and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from geo.grid import Grid
from geo.scene import SceneRecord
from geo.tiles import PixelSource


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One scene on the run's grid.

    Attributes:
        source: float32 (band, row, col) in physical units, NaN wherever the ground was not honestly seen.
        record: the scene as kept.
        bands: STAC common names in the order of `source`; `b1`, `b2`, ... where nothing names them.
        unit: `reflectance`, `linear-power` or `value` (display or unknown numbers).
        clear_fraction: share of the grid's pixels that are clear, 0-1.
        flag_fractions: share of the grid's pixels by reason, e.g. {"outside": 0.3, "cloud": 0.1}.
        shift_px: measured (row, col) shift of this scene against the other one, in grid pixels; None if not measured.
        registration: `reference`, `within tolerance`, `corrected`, `refused`, `not measurable`.
        notes: one sentence for every guess or correction, for the report.
        masked: whether the file brings a mask of clouds.
        matched: `source` made as soft as the other date is, where that one was resampled; None where it was not.
    """

    source: PixelSource
    record: SceneRecord
    bands: tuple[str, ...]
    unit: str
    clear_fraction: float
    flag_fractions: Mapping[str, float] = field(default_factory=dict)
    shift_px: tuple[float, float] | None = None
    registration: str = "reference"
    notes: tuple[str, ...] = ()
    masked: bool = False
    matched: PixelSource | None = None

    @property
    def compared(self) -> PixelSource:
        """The pixels to compare; `source` is what was seen."""
        return self.source if self.matched is None else self.matched


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two prepared scenes, oldest first, with the same bands on the same grid.

    `gsd_m` is the coarser native ground sampling distance of the two (None without georeference): what can be told
    apart on the ground, whatever the pixel size of the grid.
    """

    grid: Grid
    before: Prepared
    after: Prepared
    gsd_m: float | None

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that both have, in order."""
        return self.before.bands

    @property
    def unit(self) -> str:
        """The unit that both have."""
        return self.before.unit

    @property
    def simulated(self) -> bool:
        """True if any of the two was never seen by a satellite."""
        return self.before.record.scene.simulated or self.after.record.scene.simulated
