"""Iteratively reweighted multivariate alteration detection (Nielsen, Conradsen & Simpson 1998; Nielsen 2007).

Two looks at the same ground are turned into pairs of linear combinations of their bands that agree as well as
possible (canonical correlation); their differences, the MAD variates, are what no gain, offset or mixing of bands
can explain. Pixels that look unchanged get more weight in the next round, until nothing moves.

The fit wants a sample of pixels, (band, pixel); the transform works on whole planes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_CHUNK = 8192  # pixels: all planes of a chunk stay in the second-level cache from one step to the next
_COARSE_FROM, _COARSE = 60_000, 16
_COARSE_FROM, _COARSE = 60_000, 16
_MIN_SHARE = 0.05  # below this share of unchanged weight the iteration feeds on a corner of the scene: stop


class IrMad(NamedTuple):
    """A fitted transform.

    Attributes:
        mean_before, mean_after: (band,) weighted means of the unchanged ground.
        before, after: (variate, band) canonical coefficients, unit variance of each variate of each date.
        rho: (variate,) canonical correlations, most correlated last.
        variance: (variate,) variance of each MAD variate over unchanged ground, 2 (1 - rho).
        rounds: rounds done; converged: True if rho had settled, False if stopped by `rounds` or by collapse.
        unchanged_share: mean weight of the sample in the last round, 0-1.
    """

    mean_before: Float64
    mean_after: Float64
    before: Float64
    after: Float64
    rho: Float64
    variance: Float64
    rounds: int
    converged: bool
    unchanged_share: float


def fit(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    *,
    noise_variance: tuple[Float64, Float64] | None = None,
    rounds: int = 100,
    tolerance: float = 1e-5,
) -> IrMad:
    """Iterate IR-MAD on a sample.

    Args:
        before: (band, pixel), finite; at least 10 pixels a band.
        after: the same pixels; the number of bands may differ.
        noise_variance: (band,) variance of noise below which a difference means nothing, for each date; it is added
            to the variances, so that a noiseless pair cannot be told apart by its rounding errors.
        rounds: most rounds; 1 is plain MAD.
        tolerance: largest change of a canonical correlation that counts as settled.

    Returns:
        The transform. Where fewer than 5 % of the sample would stay unchanged, the iteration has begun to fit an ever
        smaller corner of the scene (a known weakness of IR-MAD where most ground has changed a little): the last
        round before that is returned, `converged` False.

    Raises:
        ValueError: shapes that do not fit, too few pixels, values that are not finite, bands without any variance.
    """
    x, y = _checked(before, after)
    bands = len(x)
    ridge = np.zeros(bands + len(y)) if noise_variance is None else np.concatenate(noise_variance)
    # Differences from a plain mean keep the cross products small, so nothing cancels.
    origin = np.concatenate([x.mean(axis=1), y.mean(axis=1)])
    z = np.concatenate([x, y])
    z -= origin[:, None]
    moments = _moments(z, None)
    if z.shape[1] >= _COARSE_FROM and rounds > 1:
        # Most rounds on a sixteenth of the pixels: the whole sample then starts next to where it settles.
        some = z[:, ::_COARSE]
        start = fit(some[:bands], some[bands:], noise_variance=noise_variance, rounds=rounds, tolerance=tolerance)
        moments = _moments(z, start)
        rounds = max(2, rounds // 4)
    best: IrMad | None = None
    for count in range(1, rounds + 1):
        found = _solve(moments, ridge, bands, count)
        moments = _moments(z, found)
        settled = best is not None and float(np.abs(found.rho - best.rho).max()) < tolerance
        found = found._replace(unchanged_share=moments.share, converged=settled)
        if best is not None and moments.share < _MIN_SHARE:
            break
        best = found
        if settled:
            break
    assert best is not None  # noqa: S101 - rounds >= 1
    return best._replace(mean_before=best.mean_before + origin[:bands], mean_after=best.mean_after + origin[bands:])


def chi2(model: IrMad, before: Float32, after: Float32) -> Float32:
    """Sum of squared, standardised MAD variates.

    Args:
        model: a fitted transform.
        before: float32 (band, row, col) (or any planes after the band axis); NaN is no observation.
        after: the later date, same planes.

    Returns:
        float32 without the band axis: chi-square distributed with `len(rho)` degrees of freedom where nothing changed
        and noise is Gaussian; NaN where any band of any date is NaN.
    """
    scale = 1 / np.sqrt(model.variance)
    a, b = (model.before * scale[:, None]).astype(np.float32), (model.after * scale[:, None]).astype(np.float32)
    # One constant a variate instead of one a band keeps float32 exact enough and saves two passes.
    shift = (model.before * scale[:, None]) @ model.mean_before - (model.after * scale[:, None]) @ model.mean_after
    total = np.zeros(before.shape[1:], np.float32)
    term = np.empty_like(total)
    variate = np.empty_like(total)
    for i in range(len(model.rho)):
        variate.fill(np.float32(-shift[i]))
        for k in range(len(before)):
            np.multiply(before[k], a[i, k], out=term)
            variate += term
        for k in range(len(after)):
            np.multiply(after[k], b[i, k], out=term)
            variate -= term
        np.multiply(variate, variate, out=variate)
        total += variate
    return total


def chi_square_survival(value: NDArray[np.floating], freedom: int) -> Float64:
    """P(chi-square with `freedom` degrees of freedom > value), in closed form (Abramowitz & Stegun 26.4.4-5).

    >>> [round(float(p), 6) for p in chi_square_survival(np.array([0.0, 3.841459, 9.487729]), 1)]
    [1.0, 0.05, 0.002069]
    """
    if freedom < 1:
        raise ValueError(f"a chi-square needs at least one degree of freedom, not {freedom}")
    half = np.asarray(value, np.float64) / 2
    if freedom % 2 == 0:
        term = np.asarray(np.exp(-half))
        total = term.copy()
        for k in range(1, freedom // 2):
            term = term * half / k
            total += term
        return total

    root = np.sqrt(half)
    total = np.asarray(erfc(root), np.float64)
    term = np.exp(-half) * root * (2 / np.sqrt(np.pi))
    for k in range(freedom // 2):
        total += term
        term = term * half / (k + 1.5)
    return total


def _checked(before: NDArray[np.floating], after: NDArray[np.floating]) -> tuple[Float64, Float64]:
    x, y = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"samples must be (band, pixel) of the same pixels, not {x.shape} and {y.shape}")
    if x.shape[1] < 10 * max(len(x), len(y)):
        raise ValueError(f"{x.shape[1]} pixels are too few for {len(x)} and {len(y)} bands")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("samples must be finite")
    return x, y


class _Moments(NamedTuple):
    """Weighted mean and covariance of the stacked bands, and the mean weight."""

    mean: Float64
    covariance: Float64
    share: float


def _moments(z: Float64, model: IrMad | None) -> _Moments:
    """Moments of (band, pixel), weighted by how unchanged `model` finds each pixel (all alike without one).

    Weights and sums are made chunk by chunk, of a fixed size and in a fixed order: one walk over the sample a round.
    """
    total, first, second = 0.0, np.zeros(len(z)), np.zeros((len(z), len(z)))
    if model is not None:
        scale = 1 / np.sqrt(model.variance)[:, None]
        combine = np.concatenate([model.before * scale, -model.after * scale], axis=1)
        shift = (combine @ np.concatenate([model.mean_before, model.mean_after]))[:, None]
    for start in range(0, z.shape[1], _CHUNK):
        part = z[:, start : start + _CHUNK]
        weighted = part
        if model is None:
            total += part.shape[1]
        else:
            variates = combine @ part
            variates -= shift
            variates *= variates
            weights = chi_square_survival(variates.sum(axis=0), len(model.rho))
            total += float(weights.sum())
            weighted = part * weights
        first += weighted.sum(axis=1)
        second += weighted @ part.T
    mean = first / total if total > 0 else first
    covariance = second / total - np.outer(mean, mean) if total > 0 else second
    return _Moments(mean, covariance, total / z.shape[1])


def _solve(moments: _Moments, ridge: Float64, bands: int, rounds: int) -> IrMad:
    """Canonical correlation of the two dates through their whitened cross covariance (singular values)."""
    mean = moments.mean
    s = moments.covariance + np.diag(ridge)
    scale = np.sqrt(np.diag(s))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError("a band without any variance cannot be compared; leave it out")
    s = s / np.outer(scale, scale)
    white_x, white_y = _whitener(s[:bands, :bands]), _whitener(s[bands:, bands:])
    u, rho, vt = np.linalg.svd(white_x.T @ s[:bands, bands:] @ white_y, full_matrices=False)
    rho = np.clip(rho[::-1], 0, 1 - 1e-9)
    before = (white_x @ u[:, ::-1]).T / scale[:bands]
    after = (white_y @ vt[::-1].T).T / scale[bands:]
    return IrMad(mean[:bands], mean[bands:], before, after, rho, 2 * (1 - rho), rounds, False, 1.0)


def _whitener(covariance: Float64) -> Float64:
    """W with W.T C W = 1; directions that hold only rounding errors are damped instead of blown up."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(np.maximum(values, values[-1] * 1e-10)))
