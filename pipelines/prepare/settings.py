"""Settings of `prepare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

FARTHEST_PX = 25.0
"""As far as chips of the size that shifts are measured on can be asked."""


@dataclass(frozen=True, kw_only=True)
class PrepareSettings:
    """What the user may say about the imagery, and how far a shift is put right.

    Attributes:
        bands: names of all bands of both files in order; None leaves it to the files.
        scale, offset, nodata, law: of both files, as in `geo.files.rasters.describe`; None leaves it to the files.
        tolerance_px: shifts up to this are left alone (0.2 px gives no false object, 0.5 px gives nine on 9 km2).
        max_correct_px: larger shifts are not put right. Satellite scenes that are off by more than 1.5 px are wrong
            in other ways too; imagery given by hand may be off by tens of pixels.
        max_correct_m: nor shifts larger than both. Imagery of a metre or finer is orthorectified to within 3 to 10 m
            (CE90), and two views of different angle lie that far apart.
    """

    bands: Sequence[str] | None = None
    scale: float | Sequence[float] | None = None
    offset: float | Sequence[float] | None = None
    nodata: float | Sequence[float] | None = None
    law: str | None = None
    tolerance_px: float = 0.2
    max_correct_px: float = 1.5
    max_correct_m: float = 10.0

    def at(self, pixel_m: tuple[float, float] | None) -> PrepareSettings:
        """The settings for a grid with pixels of this size, its two limits of a shift as one in pixels."""
        if pixel_m is None:
            return self
        most = min(self.max_correct_m / max(pixel_m), FARTHEST_PX)
        return replace(self, max_correct_px=max(self.max_correct_px, most))
