"""What a run may choose about the detection of change in a series. Every number has its reason beside it."""

from __future__ import annotations

from dataclasses import dataclass

from geo.kernels.series import SeriesSettings


@dataclass(frozen=True, kw_only=True)
class SeriesDetectSettings:
    """Settings of `detect_series`.

    Attributes:
        k, n: a change is confirmed by k of n clear dates. One date alone gives 1.2 false alarms a site and year where
            one date in twenty holds haze that nobody masked; 3 of 4 give 0.01, at a delay of three clear dates.
        false_alarms_per_site_year: the rate asked for; it sets the threshold, and the controls show what it became.
        least_score: smallest score that is ever believed, in robust standard deviations.
        least_radar_score: the same of radar, whose score is the normal deviate of a chance read from the scene: one in
            a thousand.
        min_area_px: smallest piece that is reported, pixels.
        link_days: neighbours whose ground began to change within this time belong to one event.
        sample_px: most pixels in the sample that scene-wide fits see.
    """

    k: int = 3
    n: int = 4
    false_alarms_per_site_year: float = 0.05
    least_score: float = 4.0
    least_radar_score: float = 3.0
    min_area_px: int = 4
    link_days: float = 90.0
    sample_px: int = 4000

    def __post_init__(self) -> None:
        """Refuse values without a meaning."""
        if not 1 <= self.k <= self.n:
            raise ValueError(f"k of n needs 1 <= k <= n, not {self.k} of {self.n}")
        if not 0 < self.false_alarms_per_site_year <= 100:
            raise ValueError("false_alarms_per_site_year must lie between 0 and 100")
        if self.min_area_px < 1 or self.sample_px < 100 or self.link_days <= 0:
            raise ValueError("min_area_px must be at least 1, sample_px at least 100, link_days more than 0")

    def rule(self) -> SeriesSettings:
        """The kernel's settings."""
        return SeriesSettings(k=self.k, n=self.n)
