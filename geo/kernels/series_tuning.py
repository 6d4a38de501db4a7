"""The second half of fitting a reference: let the monitor run over the sample, and measure how honest ground strays.

Nothing here comes from a textbook distribution: the spread of each date, the width of the tails and the season of
single pixels are those of the sample itself, by medians that a minority of changed pixels cannot move.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geo.kernels.series_baseline import scan, whitened
from geo.kernels.series_reference import (
    Bool,
    Float32,
    Float64,
    Reference,
    SeriesSettings,
    design,
    known_dates,
    seen,
)

_MIN_VOTES = 12
_FEW = 4  # looks of an orbit that tell its offset
_BOUND = 30.0  # noise standard deviations beyond which a residual has no more pull
_ROUNDS = 2
_MOST_HARMONIC, _LEAST = 100.0, 0.01
_OWN_QUANTILE, _OWN_NORMAL = 0.8, 1.2816  # of absolute values; a tenth of the pixels may have changed
_TAIL_QUANTILE, _TAIL_NORMAL = 0.9, 1.2816  # far enough out to see wide tails, far enough in to leave out change


def tuned(
    draft: Reference,
    sample: Float32,
    classes: NDArray[np.intp],
    group: NDArray[np.integer],
    settings: SeriesSettings,
) -> Reference:
    """Reference with season, orbit offsets, date-wise spread and tails measured on the sample.

    Args:
        draft: curves and noise.
        sample: (pixel, time, band).
        classes: (pixel,) of the sample.
        group: (time,).
        settings: rules of the monitor.

    Returns:
        The finished reference; the draft itself where there are no surroundings.
    """
    if not draft.spatial:
        return draft
    values = np.ascontiguousarray(sample.transpose(1, 2, 0), np.float32)
    clear = seen(values) & known_dates(draft)[classes].T
    u = whitened(values, clear, classes, draft)
    reference, steady = draft, np.ones(values.shape[2], np.bool_)
    for _ in range(_ROUNDS):
        own = [_own_terms(u, clear & steady & (classes == c), draft, group, settings) for c in range(len(draft.curve))]
        season, offset = np.array(own).T
        reference = replace(draft, harmonic_variance=season, group_variance=offset)
        found = scan(values, clear, classes, group, reference, settings)
        # What changed for good has no say in how unchanged ground strays.
        steady = (found.first < 0) | (found.returned >= 0)
    for _ in range(_ROUNDS):
        reference = _spread(reference, values, clear, classes, group, settings)
    return _tails(reference, values, clear, classes, group, settings)


def _own_terms(
    u: Float32, clear: Bool, draft: Reference, group: NDArray[np.integer], settings: SeriesSettings
) -> tuple[float, float]:
    """Variance over a class of the pixels' own harmonic and orbit terms, the error of finding them taken off."""
    bounded = np.where(clear[:, None], np.clip(u, -_BOUND, _BOUND), np.float32(0))
    offset = 1.0
    if len(draft.groups) > 1:
        total = _mean(bounded, clear)
        shares = []
        for code in draft.groups:
            chosen = clear & (group == code)[:, None]
            apart = np.where(clear.any(axis=0) & chosen.any(axis=0), _mean(bounded, chosen) - total, 0)
            bounded = np.where(chosen[:, None], bounded - apart, bounded)
            shares.append(_wide(apart[:, chosen.sum(axis=0) >= _FEW], 1 / max(float(np.median(chosen.sum(axis=0))), 1)))
        offset = float(np.mean(shares))
    if not draft.seasonal:
        return 1.0, offset
    rows = design(draft.days, np.zeros(len(u), np.int64), replace(draft, groups=draft.groups[:1]), settings.harmonics)
    weight = clear.astype(np.float64)
    ridge = np.diag([1e-4] + [1e-2] * (rows.shape[1] - 1))
    enough = clear.sum(axis=0) >= 2 * rows.shape[1]
    if enough.sum() < _MIN_VOTES:
        return 1.0, offset
    normal = np.einsum("tp,ti,tj->pij", weight, rows, rows, optimize=True) + ridge
    inverse = np.linalg.inv(normal[enough])
    found = inverse @ np.einsum("tbp,ti->pib", bounded, rows, optimize=True)[enough]
    own = np.median(np.diagonal(inverse, axis1=1, axis2=2), axis=0)
    season = [_wide(found[:, i].T, own[i]) for i in range(1, rows.shape[1])]
    return float(np.mean(season)), offset


def _mean(values: NDArray[np.floating], which: Bool) -> Float64:
    count = np.maximum(which.sum(axis=0), 1)
    return np.asarray(np.where(which[:, None], values, 0).sum(axis=0, dtype=np.float64) / count)


def _wide(terms: NDArray[np.floating], error: float) -> float:
    """Mean variance of (band, pixel) terms. Not by the median: minorities of a class are honest ground too."""
    if terms.shape[1] < _MIN_VOTES:
        return 1.0
    centred = np.abs(terms - np.median(terms, axis=1)[:, None])
    spread = np.quantile(centred, _OWN_QUANTILE, axis=1) / _OWN_NORMAL
    return float(np.clip((spread**2).mean() - error, _LEAST, _MOST_HARMONIC))


def _spread(
    reference: Reference,
    values: Float32,
    clear: Bool,
    classes: NDArray[np.intp],
    group: NDArray[np.integer],
    settings: SeriesSettings,
) -> Reference:
    """Centre the curve on what the walk finds, and measure the spread of each date."""
    found = scan(
        values, clear, classes, group, replace(reference, tail=np.ones_like(reference.tail)), settings, keep=True
    )
    if found.residual is None or found.variance is None:
        raise AssertionError("a kept walk holds its residuals")
    bands = values.shape[1]
    # Median of a chi-square over its degrees of freedom: what a median square is compared with.
    typical = (1 - 2 / (9 * bands)) ** 3
    unmix = np.linalg.inv(reference.whiten)
    curve, spread2 = reference.curve.copy(), reference.spread2.copy()
    for c in range(len(curve)):
        for t in range(len(values)):
            voters = clear[t] & (classes == c)
            if voters.sum() < _MIN_VOTES:
                continue
            error = found.residual[t][:, voters].astype(np.float64)
            shift = np.median(error, axis=1)
            curve[c, t] += unmix @ shift * reference.scale[c]
            square = ((error - shift[:, None]) ** 2).mean(axis=0) / found.size2[voters]
            spread2[c, t] = max(1.0, float(np.median(square)) / typical - float(np.median(found.variance[t][voters])))
    return replace(reference, curve=curve, spread2=spread2)


def _tails(
    reference: Reference,
    values: Float32,
    clear: Bool,
    classes: NDArray[np.intp],
    group: NDArray[np.integer],
    settings: SeriesSettings,
) -> Reference:
    """By how much the distances of each class are wider than Gaussian."""
    found = scan(values, clear, classes, group, reference, settings)
    # A lasting change is no tail; one that comes back is.
    gone = (found.first >= 0) & (found.returned < 0)
    z = np.where(gone & (np.arange(len(found.z))[:, None] >= found.first), np.nan, found.z)
    tail: Float64 = np.ones(len(reference.curve))
    for c in range(len(tail)):
        some = z[:, classes == c]
        some = some[np.isfinite(some)]
        if len(some) >= _MIN_VOTES:
            tail[c] = max(1.0, float(np.quantile(some, _TAIL_QUANTILE)) / _TAIL_NORMAL)
    return replace(reference, tail=tail)
