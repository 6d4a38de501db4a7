"""From statistics to probabilities and masks: an empirical null, false-discovery control, hysteresis.

No textbook distribution survives real imagery: neighbours are correlated, noise differs with land cover, tails are
heavy. So each statistic is judged against its own bulk, by a heavy-tailed law whose parameters are read from the
middle of the sample (40th and 60th percentile): up to 30 % of the ground may have changed without moving them much.
The evidences of several statistics are averaged; as they depend on each other, their mean is judged against its own
bulk once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

QUANTILES = (0.4, 0.6)  # of all ground; with 30 % changed they are the 57th and 86th percentile of the rest
TAIL = 1.2  # Weibull shape of the fused evidence; measured on shifted, noisy and resampled pairs without change
_FUSED_FLOOR = 0.3  # ln 2 is the median of one evidence; a pair without any noise stays below
_EIGHT = np.ones((3, 3), bool)
P_BINS_PER_DECADE = 128
P_DECADES = 30


class LogLogistic(NamedTuple):
    """Null of a positive statistic: P(T > t) = 1 / (1 + (t / median) ** slope)."""

    median: float
    slope: float

    def evidence(self, statistic: NDArray[np.floating]) -> Float64:
        """-ln P(T > t): 0 for no change at all, ln 2 at the median; NaN stays NaN.

        >>> float(LogLogistic(2.0, 3.0).evidence(np.float32([2.0]))[0].round(4))
        0.6931
        """
        ratio: Float64 = np.asarray(statistic, np.float64) / self.median
        return np.asarray(np.log1p(ratio**self.slope), np.float64)


_KNEE = 4.0  # the same ratio is 1 for an exponential law, 1.4 and 3.5 for log-normal ones with sigma 1 and 2
_OUT_OF_REACH = 12.0  # scales beyond the sixth decile: one in 400,000 of an exponential law


class ExponentialTail(NamedTuple):
    """Null of a statistic beyond its ninth decile: P(T > t) = 0.1 exp(-(t - start) / scale); below it no less."""

    start: float
    scale: float

    def evidence(self, statistic: NDArray[np.floating]) -> Float64:
        """-ln P(T > t); at the ninth decile and below ln 10 at most; NaN stays NaN.

        >>> float(ExponentialTail(2.0, 0.5).evidence(np.float32([2.5]))[0].round(4))
        3.3026
        """
        beyond = (np.asarray(statistic, np.float64) - self.start) / self.scale
        return np.asarray(np.maximum(beyond + np.log(10), 0.0), np.float64)

    def quantile(self, p: float) -> float:
        """The statistic that is exceeded with probability `p`, at most 0.1."""
        return self.start + self.scale * float(np.log(0.1 / min(p, 0.1)))


def fit_exponential_tail(sample: NDArray[np.floating], *, floor: float) -> ExponentialTail:
    """Fit the upper tail of a statistic on ground that is mostly unchanged, by its seventh and ninth decile.

    A normal tail is steeper, so the chance of a false alarm is overstated, never understated; ground that changed, up
    to a tenth of the sample, can only move it further that way. Where a tenth to three tenths of it changed, the ninth
    decile lies among what changed: the tail is then far wider between these deciles than between the fourth and the
    sixth, wider than a log-normal law of any sensible spread could be. What no tail of the middle could reach is then
    left out, and the scale doubled for safety.

    Args:
        sample: statistics of any shape; NaN is left out.
        floor: smallest scale that is believed, positive.
    """
    if floor <= 0:
        raise ValueError(f"the floor of a null must be positive, not {floor}")
    values = _finite(sample)
    if not values.size:
        return ExponentialTail(0.0, floor)
    fourth, sixth, seventh, ninth = (float(q) for q in np.quantile(values, (0.4, 0.6, 0.7, 0.9)))
    middle = max((sixth - fourth) / float(np.log(1.5)), floor)
    upper = (ninth - seventh) / float(np.log(3))
    safety = 1.0
    if upper > _KNEE * middle:
        rest = values[values <= sixth + _OUT_OF_REACH * middle]
        seventh, ninth = (float(q) for q in np.quantile(rest, (0.7, 0.9)))
        upper, safety = (ninth - seventh) / float(np.log(3)), 2.0
    return ExponentialTail(ninth, max(safety * upper, floor))


def fit_log_logistic(sample: NDArray[np.floating], *, floor: float, steepest: float = 8.0) -> LogLogistic:
    """Fit the null of one statistic to a sample that is mostly unchanged ground.

    Args:
        sample: statistics >= 0 of any shape; NaN is left out.
        floor: smallest median that is believed, positive: a pair without noise must not turn rounding into change.
        steepest: largest slope that is believed; keeps the tail heavy where the bulk happens to be narrow.

    Returns:
        The law through two inner quantiles; the floor and the steepest slope for an empty sample.
    """
    if floor <= 0:
        raise ValueError(f"the floor of a null must be positive, not {floor}")
    values = _finite(sample)
    if not values.size:
        return LogLogistic(floor, steepest)
    low, high = (max(float(q), floor * 1e-3) for q in np.quantile(values, QUANTILES))
    odds = [q / (1 - q) for q in QUANTILES]
    ratio = np.log(max(high / low, 1 + 1e-6))
    slope = min(steepest, float(np.log(odds[1] / odds[0]) / ratio))
    return LogLogistic(max(low * odds[0] ** (-1 / slope), floor), slope)


def fit_fused(sample: NDArray[np.floating]) -> float:
    """Scale of the Weibull null of a mean of dependent evidences, from its 40th percentile; see `fused_log10_p`."""
    values = _finite(sample)
    low = float(np.quantile(values, QUANTILES[0])) if values.size else 0.0
    return max(low, _FUSED_FLOOR) / float((-np.log(1 - QUANTILES[0])) ** (1 / TAIL))


def fused_log10_p(scale: float, evidence: NDArray[np.floating]) -> Float64:
    """-log10 P(E > e) for the mean E of several evidences on unchanged ground: (e / scale) ** TAIL / ln 10.

    >>> float(fused_log10_p(1.0, np.array([0.0]))[0])
    0.0
    """
    ratio: Float64 = np.asarray(evidence, np.float64) / scale
    return np.asarray(ratio**TAIL / np.log(10), np.float64)


class Table(NamedTuple):
    """A function of a positive float32, tabulated at 1024 steps an octave: a look-up where a power would cost more."""

    values: Float32

    @classmethod
    def of(cls, function: Callable[[Float64], Float64]) -> Table:
        """Tabulate `function` from 2 ** -20 to 2 ** 20; below and beyond, its end values hold; NaN gives NaN."""
        bits = (np.arange(_FIRST, _LAST + 1, dtype=np.int64) << _SHIFT).astype(np.int32)
        with np.errstate(over="ignore"):
            values = function(bits.view(np.float32).astype(np.float64)).astype(np.float32)
        values[0] = function(np.zeros(1))[0]
        return cls(np.append(values, np.float32(np.nan)))

    def __call__(self, x: Float32) -> Float32:
        """Look up float32 values >= 0 of any shape."""
        index = x.view(np.int32) >> _SHIFT
        # NaN has the largest bit patterns of all: it falls on the last entry, everything finite before it.
        nan = index >= _NAN
        index -= _FIRST
        np.clip(index, 0, _LAST - _FIRST, out=index)
        index[nan] = _LAST - _FIRST + 1
        return np.asarray(self.values[index])


_SHIFT = 13  # keeps 10 bits of the mantissa: steps of 0.1 %
_FIRST = (127 - 20) << 10
_LAST = (127 + 20) << 10
_NAN = (255 << 10) + 1  # infinity is 255 << 10 with an empty mantissa


def score_histogram(score: Float32) -> NDArray[np.int64]:
    """Counts of scores (-log10 p), `P_BINS_PER_DECADE` bins a decade; NaN is left out. Histograms of tiles add up."""
    last = P_BINS_PER_DECADE * P_DECADES - 1
    index = np.minimum(score[np.isfinite(score)] * np.float32(P_BINS_PER_DECADE), np.float32(last)).astype(np.int64)
    return np.bincount(index, minlength=last + 1)


def benjamini_hochberg(histogram: NDArray[np.int64], rate: float) -> float:
    """Largest p at which the expected share of false discoveries stays at `rate` (Benjamini & Hochberg 1995).

    Args:
        histogram: of `score_histogram`.
        rate: false-discovery rate, between 0 and 1.

    Returns:
        The threshold (a bin's lower edge, so never more than the exact one); 0 where nothing can be claimed.

    >>> even = -np.log10(np.linspace(0.01, 1, 100)).astype(np.float32)
    >>> benjamini_hochberg(score_histogram(even), 0.05)
    0.0
    """
    if not 0 < rate < 1:
        raise ValueError(f"a false-discovery rate lies between 0 and 1, not {rate}")
    total = int(histogram.sum())
    # Bin k holds p in (edge[k + 1], edge[k]]; everything in bins >= k has p <= edge[k].
    edges = 10.0 ** (-np.arange(len(histogram)) / P_BINS_PER_DECADE)
    found = histogram[::-1].cumsum()[::-1]
    good = edges * total <= rate * found
    good &= found > 0
    return float(edges[int(np.argmax(good))]) if good.any() else 0.0


def hysteresis(strong: NDArray[np.bool_], weak: NDArray[np.bool_], min_px: int = 1) -> NDArray[np.bool_]:
    """Connected pieces (8 neighbours) of `weak` that hold a `strong` pixel and have at least `min_px` pixels.

    >>> weak = np.array([[1, 1, 0, 1]], bool); strong = np.array([[1, 0, 0, 0]], bool)
    >>> hysteresis(strong, weak).astype(int).tolist()
    [[1, 1, 0, 0]]
    """
    labels, count = ndimage.label(weak | strong, structure=_EIGHT)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    keep = np.zeros(count + 1, bool)
    keep[np.unique(labels[strong])] = True
    keep &= size >= min_px
    keep[0] = False
    return np.asarray(keep[labels])


def _finite(sample: NDArray[np.floating]) -> Float64:
    values = np.asarray(sample, np.float64).ravel()
    return values[np.isfinite(values)]
