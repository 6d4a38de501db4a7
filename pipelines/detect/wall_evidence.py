"""Evidence of a line along the perimeter, on the perimeter and on its moved copies alike; line 0 is the perimeter.

Coarse pixels show the line's contrast against both sides in all bands, and how it *changed* between the dates before
and after a split of the series. Pixels of a metre or better show the wall as a ridge, at every date by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.kernels import perimeter as kernel

Float = NDArray[np.float64]

TRIM = 0.2  # of the segments of moved lines may have changed for real
BOUND = 0.2  # a segment counts in full up to this quantile of the distances on unchanged ground
LEAST_SIDE = 3  # segments; a shorter side is not judged by itself
MOST_SPLITS = 40
WHOLE = 0.8  # of the false alarms allowed go to the line as a whole, the rest to its sides
_CLIP = 4.0  # most that one segment may add to the evidence of one date, in standard deviations
_MAD = 1.4826


@dataclass(frozen=True, eq=False)
class Scores:
    """How far each line stands out: (line,) the line as a whole, and the best of its sides (NaN: none is judged)."""

    whole: Float
    sides: Float

    def p(self) -> float:
        """False-alarm probability of line 0; two chances to be wrong, so each is paid for (weighted Bonferroni)."""
        found = [
            float(kernel.rank_p(float(s[0]), s[1:])) / share
            for s, share in ((self.whole, WHOLE), (self.sides, 1 - WHOLE))
            if np.isfinite(s[0])
        ]
        return min([1.0, *found])

    def limits(self, alpha: float) -> tuple[float, float]:
        """Scores of the whole and of a side above which a line would be claimed."""
        return _quantile(self.whole[1:], 1 - WHOLE * alpha), _quantile(self.sides[1:], 1 - (1 - WHOLE) * alpha)

    @property
    def lines(self) -> int:
        """Moved lines that were seen."""
        return int(np.isfinite(self.whole[1:]).sum())


def fewest_lines(alpha: float) -> int:
    """Below so many moved lines no rank can reach `alpha`."""
    return int(np.ceil(1 / (WHOLE * alpha) - 1))


def _quantile(null: Float, q: float) -> float:
    known = null[np.isfinite(null)]
    return float(np.quantile(known, q)) if known.size else float("inf")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for a line.

    Attributes:
        split: first date of the later epoch. scores: of all lines.
        y: (line, segment) evidence of the later epoch; dates: (time, line, segment) of each date; both in standard
            deviations of unchanged ground, 0 on average there.
        strength: scores with a signal (band,) added along all lines: what would be seen?
    """

    split: int
    scores: Scores
    y: Float
    dates: Float
    strength: Callable[[Float], Scores]


def groups_of(side: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Segments of the whole line, then those of each side long enough to be judged."""
    found = [np.arange(len(side))]
    sides = [np.flatnonzero(side == k) for k in np.unique(side)]
    return found + ([s for s in sides if len(s) >= LEAST_SIDE] if len(sides) > 1 else [])


def splits(times: int, before: int | None) -> list[int]:
    """First dates of the later epoch to try: the one given, or up to `MOST_SPLITS` spread over the series."""
    if before is not None:
        return [before]
    return sorted({int(t) for t in np.linspace(1, times - 1, min(times - 1, MOST_SPLITS)).round()})


# --- coarse ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Split:
    """One split of a series: changes (line, segment, band), group means (line, band), their nulls, distances."""

    changes: Float
    single: kernel.LineNull
    limit: float
    groups: list[NDArray[np.intp]]
    means: list[Float]
    nulls: list[kernel.LineNull]
    far: Float
    scores: Scores


def coarse_evidence(
    contrast: Float, side: NDArray[np.intp], near: NDArray[np.bool_], before: int | None
) -> Evidence | None:
    """Evidence from contrasts (time, line, segment, band); None where too few moved lines were seen."""
    groups = groups_of(side)
    tried = [(s, _split(contrast, s, groups, near)) for s in splits(len(contrast), before)]
    judged = [(s, found) for s, found in tried if found is not None]
    if not judged:
        return None
    # The perimeter's best split is judged against the best split of each moved line.
    scores = Scores(
        np.fmax.reduce([f.scores.whole for _, f in judged]), np.fmax.reduce([f.scores.sides for _, f in judged])
    )
    if not np.isfinite(scores.whole[0]):
        return None
    first, split = max(judged, key=lambda item: float(item[1].scores.whole[0]))
    ways = _ways(split, contrast.shape[2])
    y = _projected(split.changes, ways)
    scale = _spread(y[1:])
    dates = _dates(contrast, first, ways) / scale
    return Evidence(first, scores, y / scale, dates, lambda added: _scored(split.changes + added, split))


def _split(contrast: Float, first: int, groups: list[NDArray[np.intp]], near: NDArray[np.bool_]) -> _Split | None:
    before, after = _mean(contrast[:first]), _mean(contrast[first:])
    changes = after - before @ kernel.fit_prediction(before[1:], after[1:])
    bands = changes.shape[-1]
    flat = changes[1:].reshape(-1, bands)
    if np.isfinite(flat).all(axis=1).sum() < 10 * bands:
        return None
    single = kernel.fit_null(flat, trim=TRIM)
    limit = max(float(np.nanquantile(np.sqrt(single.distance(flat)), BOUND)), 1e-9)
    means = [kernel.bounded_mean(changes[:, g], single, limit) for g in groups]
    # A side that was not seen, or that too few moved lines show, is not judged; the whole line must be.
    judged = [(g, m, *kernel.line_distances(m, near)) for g, m in zip(groups, means, strict=True)]
    if judged[0][3] is None:
        return None
    kept = [(g, m, d, n) for g, m, d, n in judged if n is not None]
    far = np.column_stack([d for _, _, d, _ in kept])
    return _Split(
        changes, single, limit, [g for g, *_ in kept], [m for _, m, *_ in kept], [n for *_, n in kept], far[1:],
        _as_scores(far, far[1:]),
    )  # fmt: skip


def _scored(changes: Float, split: _Split) -> Scores:
    """Scores of lines whose changes are other than those of the fit."""
    means = [kernel.bounded_mean(changes[:, g], split.single, split.limit) for g in split.groups]
    found = np.column_stack([n.distance(m) for n, m in zip(split.nulls, means, strict=True)])
    return _as_scores(found, split.far)


def _as_scores(statistic: Float, null: Float) -> Scores:
    """Statistics (line, group), the whole first, as scores against their null (line, group)."""
    out = kernel.standing_out(statistic, null)
    sides = np.fmax.reduce(out[:, 1:], axis=1) if out.shape[1] > 1 else np.full(len(out), np.nan)
    return Scores(out[:, 0], sides)


def _mean(x: Float) -> Float:
    """Mean over dates, NaN where none was seen."""
    seen = np.isfinite(x)
    count = seen.sum(axis=0)
    return np.asarray(np.where(count > 0, np.where(seen, x, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan))


def _ways(split: _Split, segs: int) -> Float:
    """The direction (segment, band) in which each segment's change is read: its side's where that side stands out."""
    ways = np.tile(split.single.precision @ (split.means[0][0] - split.nulls[0].middle), (segs, 1))
    for k, group in enumerate(split.groups[1:], start=1):
        here = split.nulls[k].distance(split.means[k][0])
        if kernel.rank_p(float(here), split.far[:, k]) <= 0.01:
            ways[group] = split.single.precision @ (split.means[k][0] - split.nulls[k].middle)
    return ways


def _projected(changes: Float, ways: Float) -> Float:
    return np.asarray(np.einsum("...sb,sb->...s", changes, ways))


def _dates(contrast: Float, first: int, ways: Float) -> Float:
    """Evidence (time, line, segment) of single dates against the earlier epoch, the date itself left out of that."""
    found = np.empty(contrast.shape[:-1])
    for t in range(len(contrast)):
        others = [k for k in range(first) if k != t] or [t]
        before = _mean(contrast[others])
        now = np.asarray(contrast[t], np.float64)
        found[t] = _projected(now - before @ kernel.fit_prediction(before[1:], now[1:]), ways)
    return found


def _spread(null: Float) -> Float:
    """Robust standard deviation (segment,) of unchanged ground."""
    return np.maximum(_MAD * np.nanmedian(np.abs(null), axis=0), 1e-12)


# --- a metre or better -----------------------------------------------------------------------------------------


def fine_evidence(response: Float, side: NDArray[np.intp], before: int | None) -> Evidence | None:
    """Evidence from ridge responses (time, line, segment); a line that is there at every date has split 0."""
    logs = np.log1p(np.asarray(response, np.float64))
    null = logs[:, 1:].reshape(len(logs), -1)
    if (np.isfinite(null).sum(axis=1) < 30).all():
        return None
    middle = np.nanmedian(null, axis=1)[:, None, None]
    spread = _MAD * np.nanmedian(np.abs(null - middle[..., 0]), axis=1)[:, None, None]
    dates = np.clip((logs - middle) / np.maximum(spread, 1e-9), -_CLIP, 2 * _CLIP)
    groups = groups_of(side)

    def statistic(y: Float) -> Float:
        bounded = np.clip(y, -_CLIP, _CLIP)
        return np.column_stack([_mean(np.moveaxis(bounded[:, g], 1, 0)) for g in groups])

    tried = [0, *splits(len(logs), before)] if len(logs) > 1 else [0]
    nulls = [statistic(_mean(dates[first:])) for first in tried]
    each = [_as_scores(found, found[1:]) for found in nulls]
    best = int(np.argmax([float(np.nan_to_num(s.whole[0], nan=-np.inf)) for s in each]))
    y = _mean(dates[tried[best] :])
    scores = Scores(np.fmax.reduce([s.whole for s in each]), np.fmax.reduce([s.sides for s in each]))
    return Evidence(
        tried[best], scores, y, dates, lambda added: _as_scores(statistic(y + float(added[0])), nulls[best][1:])
    )


def lowest(evidence: Evidence, signal: Float, alpha: float, share: float = 0.9) -> float | None:
    """Smallest multiple of `signal` (band,) with which `share` of the moved lines would be claimed, or None."""
    whole, side = evidence.scores.limits(alpha)
    seen = np.isfinite(evidence.scores.whole[1:])

    def passes(factor: float) -> bool:
        found = evidence.strength(factor * signal)
        return bool(((found.whole > whole) | (found.sides > side))[1:][seen].mean() >= share)

    low, high = 0.0, 1.0
    while not passes(high):
        low, high = high, high * 4
        if high > 1e5:
            return None
    for _ in range(7):  # to within 1 %
        middle = (low + high) / 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
