"""From evidence to claims: is there a line, how much of it stands, since when; and what would not have been seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from geo.kernels import perimeter as kernel
from pipelines.detect import wall_evidence
from pipelines.detect.wall_evidence import Evidence
from pipelines.detect.wall_lines import Layout
from pipelines.detect.wall_seen import SegmentSeen, WallSeen, WallSettings

FINEST_LINES_M = 1.0  # at this pixel or better the wall itself is traced
PSF_PX = 0.85  # standard deviation of a pixel's footprint (2 pixels full width at half maximum)
SURE = 0.9
GREY = 0.1  # contrast in reflectance for which widths are stated


def blind(layout: Layout, fine: bool, reason: str, seen: NDArray[np.bool_] | None = None) -> WallSeen:
    """Nothing may be claimed, and why; `seen` is (time, segment)."""
    parts = layout.segments
    share = np.zeros(len(parts)) if seen is None else seen.mean(axis=0)
    return WallSeen(
        observable=False, reason=reason, traced=fine, length_m=parts[-1].end_m,
        observed_m=float(sum(s.length_m for s, v in zip(parts, share, strict=True) if v > 0)),
        built_m=None, completeness=None, closed=None, p=None, unchanged=-1, first=-1,
        segments=tuple(
            SegmentSeen(
                id=s.id, start_m=s.start_m, end_m=s.end_m, p=None, present=None, chance=None,
                observed_fraction=float(v), unchanged=-1, first=-1,
            )
            for s, v in zip(parts, share, strict=True)
        ),
        gaps=(), minimum_width_m=None, null_lines=len(layout.moves) - 1, method=_method(fine),
    )  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What would have been seen: the narrowest grey line, the narrowest shadow, metres; None: no line at all."""

    fine: bool
    grey_m: float | None
    shadow_m: float | None

    @classmethod
    def of(cls, evidence: Evidence, sampled: NDArray[np.float32], gsd_m: float, settings: WallSettings) -> Limits:
        """Add lines to the moved lines until 9 of 10 would be claimed; `sampled` is the perimeter on one date."""
        if gsd_m <= FINEST_LINES_M:
            # Evidence there is the response itself; a ridge one pixel wide is what could be seen at best.
            found = wall_evidence.lowest(evidence, np.ones(1), settings.alpha)
            return cls(True, None if found is None else gsd_m, None if found is None else gsd_m)
        bands = sampled.shape[-1]
        per_m = _line_gain(gsd_m)
        surface = np.nanmedian(sampled[:, 0, 0].astype(np.float64), axis=0)
        grey = wall_evidence.lowest(evidence, np.full(bands, GREY * per_m), settings.alpha)
        shadow = wall_evidence.lowest(evidence, -0.65 * np.nan_to_num(surface) * per_m, settings.alpha)
        return cls(False, grey, shadow)


def _line_gain(gsd_m: float) -> float:
    """Contrast between the ribbons for each metre of width of a line with contrast 1."""
    sigma = PSF_PX * gsd_m
    on, beside = np.array([0.0, 0.25]) * gsd_m, np.array([1.5, 2.0, 2.5]) * gsd_m

    def response(u: NDArray[np.float64]) -> float:
        return float(np.mean(np.exp(-((u / sigma) ** 2) / 2)) / (sigma * np.sqrt(2 * np.pi)))

    return response(on) - response(beside)


def decide(
    evidence: Evidence, layout: Layout, seen: NDArray[np.bool_], limits: Limits, settings: WallSettings
) -> WallSeen:
    """Turn evidence into claims; `seen` is (time, segment)."""
    parts = layout.segments
    p = evidence.scores.p()
    lengths = np.array([s.length_m for s in parts])
    starts, ends = np.array([s.start_m for s in parts]), np.array([s.end_m for s in parts])
    known = np.isfinite(evidence.y[0])
    closed_ring = bool(parts[0].line.coords[0] == parts[-1].line.coords[-1])
    claimed = p <= settings.alpha
    shadow = settings.shadow_m or 0.0
    would_show = limits.fine and limits.grey_m is not None
    if limits.shadow_m is not None and shadow >= limits.shadow_m:
        would_show = True
    if limits.grey_m is not None and settings.wall_m >= limits.grey_m:
        would_show = True
    if claimed:
        chance, level = kernel.standing(evidence.y[0], closed=closed_ring)
    else:
        chance, level = np.zeros(len(parts)), float("nan")
    observable = claimed or would_show
    found = _segments(evidence, layout, seen, chance, level if claimed else None, observable, settings)
    built = float((chance * lengths)[known].sum()) if observable else None
    observed = float(lengths[known].sum())
    gaps = kernel.runs((chance < 0.5) & known, starts, ends, closed=closed_ring) if observable else ()
    unchanged, first = _when(evidence, chance, level, found, settings) if claimed else (-1, -1)
    return WallSeen(
        observable=observable, reason=_reason(claimed, observable, p, limits, settings), traced=limits.fine,
        length_m=parts[-1].end_m, observed_m=observed, built_m=built,
        completeness=built / observed if built is not None and observed else None,
        closed=_closed(chance, known, observable) if closed_ring else None, p=p, unchanged=unchanged, first=first,
        segments=found, gaps=gaps, minimum_width_m=limits.grey_m, null_lines=evidence.scores.lines,
        method=_method(limits.fine),
    )  # fmt: skip


def _closed(chance: NDArray[np.float64], known: NDArray[np.bool_], observable: bool) -> bool | None:
    if not observable:
        return None
    if (chance[known] < 1 - SURE).any():
        return False
    return True if known.all() and (chance >= SURE).all() else None


def _segments(
    evidence: Evidence, layout: Layout, seen: NDArray[np.bool_], chance: NDArray[np.float64], level: float | None,
    observable: bool, settings: WallSettings,
) -> tuple[SegmentSeen, ...]:  # fmt: skip
    found = []
    for k, part in enumerate(layout.segments):
        y = float(evidence.y[0, k])
        known = bool(np.isfinite(y))
        present: bool | None = None
        if known and observable and (chance[k] >= SURE or chance[k] <= 1 - SURE):
            present = bool(chance[k] >= SURE)
        bounds = (-1, -1)
        if present and level is not None:
            own = float(np.clip(y, 1.0, level))
            bounds = kernel.interval(evidence.dates[:, 0, k], evidence.dates[:, 1:, k], own, settings.alpha)
        found.append(
            SegmentSeen(
                id=part.id, start_m=part.start_m, end_m=part.end_m,
                p=float(kernel.rank_p(y, evidence.y[1:])) if known else None, present=present,
                chance=float(chance[k]) if known and observable else None,
                observed_fraction=float(seen[:, k].mean()), unchanged=bounds[0], first=bounds[1],
            )
        )  # fmt: skip
    return tuple(found)


def _when(
    evidence: Evidence,
    chance: NDArray[np.float64],
    level: float,
    found: tuple[SegmentSeen, ...],
    settings: WallSettings,
) -> tuple[int, int]:
    """The interval of the line as a whole: never later than that of the first of its segments."""
    built = np.flatnonzero(chance >= 0.5)
    if not built.size:
        return -1, -1
    together = np.clip(evidence.dates[:, :, built], -2 * level, 2 * level)
    seen = np.isfinite(together)
    enough = seen.mean(axis=-1) >= 0.5
    mean = np.where(enough, np.where(seen, together, 0.0).sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1), np.nan)
    later = mean[evidence.split :, 0]
    full = float(np.nanmedian(later)) if np.isfinite(later).any() else level
    unchanged, first = kernel.interval(mean[:, 0], mean[:, 1:], full, settings.alpha)
    # Where the line grew piece by piece: it had begun when more pieces showed than chance makes, and had not begun
    # while any of its pieces was provably missing for the last time.
    told = [x for x in found if x.present and x.first >= 0]
    spare = int(binom.ppf(0.99, len(found), settings.alpha))
    if len(told) > spare:
        early = sorted(x.first for x in told)[spare]
        first = early if first < 0 else min(first, early)
    before = [x.unchanged for x in told if x.unchanged >= 0]
    before = [t for t in [unchanged, *before] if 0 <= t < max(first, 0)]
    return min(before, default=-1), first


def _reason(claimed: bool, observable: bool, p: float, limits: Limits, settings: WallSettings) -> str:
    what = "the wall itself" if limits.fine else "a line (wall, shadow, track or cleared strip)"
    if claimed:
        return f"{what} stands out along the perimeter, with a false-alarm probability of {p:.2g}"
    said = "no wall was traced" if limits.fine else "no line stands out along the perimeter"
    width = "of any width" if limits.grey_m is None else f"narrower than {limits.grey_m:.1f} m"
    if observable and not limits.fine:
        return (
            f"{said}; a wall with a shadow of {settings.shadow_m or 0:.1f} m would have been seen (from"
            f" {limits.shadow_m or 0:.1f} m), a shadowless line of contrast {GREY} {width} would not"
        )
    if observable:
        return f"{said} (false-alarm probability {p:.2g})"
    return f"{said}, but a line of contrast {GREY} {width} would not have been seen either: not observable"


def _method(fine: bool) -> str:
    if fine:
        return (
            "Ridges brighter or darker than both their sides, within metres of the drawn line, in units of the texture"
            " along it; judged against the same line moved over unchanged ground."
        )
    return (
        "Contrast of the line against ribbons on both sides, later dates against earlier, in all bands without assuming"
        " a spectrum; judged against the same line moved over unchanged ground."
    )
