"""What a run may choose about detection. Every number has its reason beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class DetectSettings:
    """Settings of `detect`.

    Attributes:
        fdr: false-discovery rate, 0-1: of the pixels that are sure by themselves, and of the pieces that are too large
            or too high for chance. Pairs known to be unchanged come no nearer than 0.8, pairs of suburbs under
            construction reach 0.005-0.05, so 0.1 stands well between.
        min_area_px: minimum mapping unit in pixels; None is 4 pixels, or 100 m2 (a house) where that is more.
        tile_px: side of the tiles in work. Shows in no output.
        sample_px: most pixels in the sample that the global fits see.
    """

    fdr: float = 0.1
    min_area_px: int | None = None
    tile_px: int = 512
    sample_px: int = 500_000

    def __post_init__(self) -> None:
        """Refuse values without a meaning."""
        if not 0 < self.fdr < 1:
            raise ValueError(f"fdr must lie between 0 and 1, not {self.fdr}")
        if self.tile_px < 16 or self.sample_px < 1000:
            raise ValueError("tile_px must be at least 16 and sample_px at least 1000")
        if self.min_area_px is not None and self.min_area_px < 1:
            raise ValueError(f"min_area_px must be at least 1, not {self.min_area_px}")

    def told(self) -> dict[str, object]:
        """All that can change a result: how the work was cut is left out."""
        return {name: value for name, value in asdict(self).items() if name != "tile_px"}

    def minimum_px(self, pixel_area_m2: float | None) -> int:
        """The minimum mapping unit in pixels on a grid with pixels of this area."""
        if self.min_area_px is not None:
            return self.min_area_px
        if pixel_area_m2 is None:
            return 16  # nothing states a scale: a piece of 4 x 4 pixels is the least that has a shape
        return max(4, round(100.0 / pixel_area_m2))
