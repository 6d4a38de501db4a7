"""What the perimeter monitor is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from geo.zones import SEGMENT_M


@dataclass(frozen=True, kw_only=True)
class WallSettings:
    """Settings of `watch_wall`.

    Attributes:
        alpha: false-alarm probability at which a line is claimed, and at which a date proves anything.
        before: number of leading dates that form the earlier epoch; None looks for the split in the series.
        shadow_m: width of the shadow that a wall would throw here (height / tan of the sun's elevation), where known;
            None or 0 assumes none. It decides what "nothing seen" may mean.
        wall_m: width of the masonry.
        segment_m: length of a segment.
        lines: most moved lines that form the null; fewest: below this nothing is claimed.
        reach_m: farthest move of a line at 10 m; at finer pixels half of it.
        search_m: how far from the drawn line the wall may lie, at a metre or better.
    """

    alpha: float = 0.01
    before: int | None = None
    shadow_m: float | None = None
    wall_m: float = 0.5
    segment_m: float = SEGMENT_M
    lines: int = 500
    fewest: int = 60
    reach_m: float = 1500.0
    search_m: float = 4.0

    def __post_init__(self) -> None:
        """Refuse values without a meaning."""
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha must lie between 0 and 0.5, not {self.alpha}")
        if self.before is not None and self.before < 1:
            raise ValueError(f"the earlier epoch needs a date, not {self.before}")
        if self.lines < self.fewest or self.fewest < 20:
            raise ValueError("lines must not be fewer than fewest, and fewest at least 20")


@dataclass(frozen=True, kw_only=True)
class SegmentSeen:
    """One segment of the perimeter.

    Attributes:
        id, start_m, end_m: as in `geo.zones.segments`.
        p: chance of such evidence on unchanged ground; None where not seen.
        present: True or False where sure, None where it cannot be told.
        chance: that the line stands here, 0-1, given the whole line; None where nothing is claimed.
        observed_fraction: share of the dates that show it.
        unchanged, first: indices of the last date provably without and the first provably with the line; -1: none.
    """

    id: str
    start_m: float
    end_m: float
    p: float | None
    present: bool | None
    chance: float | None
    observed_fraction: float
    unchanged: int
    first: int


@dataclass(frozen=True, kw_only=True)
class WallSeen:
    """What the series says of the perimeter.

    Attributes:
        observable: False where neither presence nor absence may be claimed; `reason` says why, or on what condition.
        traced: True where pixels of a metre or better show the wall itself. False where only a line shows: then `first`
            dates whatever made it first, a track or a cleared strip too, and the wall may be younger; it is not older
            than `unchanged`.
        length_m, observed_m: of the perimeter; seen before and after.
        built_m, completeness: length of the line that stands (of what was observed), and its share; None: not known.
        closed: True if it stands all round, False if there is a gap, None if that cannot be told.
        p: false-alarm probability of "there is a line", at least 1 / (null_lines + 1); None: not judged.
        unchanged, first: indices into the times, see `SegmentSeen`; for any part of the line. -1: nothing bounds.
        gaps: (start, end) chainages without a line; an end below its start runs over the first vertex.
        minimum_width_m: narrowest line with a grey contrast of 0.1 that 9 of 10 moved lines would have shown.
        null_lines: moved lines behind p.
    """

    observable: bool
    reason: str
    traced: bool
    length_m: float
    observed_m: float
    built_m: float | None
    completeness: float | None
    closed: bool | None
    p: float | None
    unchanged: int
    first: int
    segments: tuple[SegmentSeen, ...]
    gaps: tuple[tuple[float, float], ...]
    minimum_width_m: float | None
    null_lines: int
    method: str
