"""How large and how high a connected piece may grow by chance: topological inference on a smooth random field.

Chance makes pieces too, and the smoother the field the larger they are. For a stationary Gaussian field the theory of
random fields says how many pieces rise above a level, how far they reach and how high they peak (Worsley et al. 1992,
J. Cereb. Blood Flow Metab. 12; Friston et al. 1994, Hum. Brain Mapp. 1). A piece that is larger or higher than that is
change, even where no single pixel of it would be sure; controlling the false-discovery rate over pieces rather than
pixels is due to Chumbley & Friston (2009, NeuroImage 44).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Float64 = NDArray[np.float64]

_LEAST_P = 1e-300
_QUARTER = 0.6744897501960817  # third quartile of the standard normal: median |x| of a unit normal


def roughness(p: NDArray[np.floating]) -> Float64:
    """Absolute differences of normal scores between neighbours, along rows and along columns.

    Args:
        p: (row, col) probabilities under the null; NaN is no observation.

    Returns:
        float64 of all finite differences, in no order that matters; feed them to `gradient_variance`.
    """
    z = normal_score(np.asarray(p, np.float64))
    steps: Float64 = np.concatenate([np.abs(np.diff(z, axis=axis)).ravel() for axis in (0, 1)])
    return np.asarray(steps[np.isfinite(steps)], np.float64)


def gradient_variance(steps: NDArray[np.floating]) -> float:
    """Variance of the derivative of a unit normal field per pixel, robustly: the median belongs to unchanged ground.

    Noise smoothed by a Gaussian of standard deviation s has 1 / (2 s^2). No steps, or only zeros, give 0: a field
    without chance in it.
    """
    return float((np.median(steps) / _QUARTER) ** 2) if steps.size else 0.0


def normal_score(p: Float64) -> Float64:
    """The standard normal value that is exceeded with probability p.

    >>> [round(float(z), 3) for z in normal_score(np.array([0.3, 0.01]))]
    [0.524, 2.326]
    """
    return np.array(-ndtri(np.clip(p, _LEAST_P, 1 - 1e-12)), np.float64)


def density(p: NDArray[np.floating] | float, gradient: float) -> Float64:
    """Expected number of pieces per pixel above the level that is exceeded with probability `p` (p < 0.16)."""
    u = normal_score(np.asarray(p, np.float64))
    return np.asarray(gradient * (2 * np.pi) ** -1.5 * u * np.exp(-(u**2) / 2))


def piece_p(
    area_px: NDArray[np.integer] | Float64, peak_p: NDArray[np.floating], *, formed_at: float, gradient: float
) -> Float64:
    """Probability that a chance piece is as large, or peaks as high, as each piece (Bonferroni over the two).

    Args:
        area_px: (piece,) pixels at or below `formed_at`.
        peak_p: (piece,) smallest pixel p of each piece.
        formed_at: the p that formed the pieces, below 0.16.
        gradient: of the field, from `gradient_variance`; with 0 there is no chance, and every piece is sure.

    Returns:
        float64 (piece,), 0-1.

    Raises:
        ValueError: `formed_at` is not between 0 and 0.16.

    >>> one = np.array([40.0]), np.array([0.005])
    >>> [round(float(piece_p(*one, formed_at=0.01, gradient=1 / (2 * s * s))[0]), 3) for s in (2.0, 4.0)]
    [0.014, 0.583]
    """
    if not 0 < formed_at < 0.16:
        raise ValueError(f"pieces must be formed at a p between 0 and 0.16, not {formed_at}")
    if gradient <= 0:
        return np.zeros(np.shape(area_px))
    formed = float(density(formed_at, gradient))
    extent = np.exp(-np.asarray(area_px, np.float64) * formed / formed_at)
    height = density(np.minimum(peak_p, formed_at), gradient) / formed
    return np.asarray(np.minimum(1.0, 2 * np.minimum(extent, height)))


def benjamini_hochberg(p: NDArray[np.floating], rate: float) -> NDArray[np.bool_]:
    """Which of many p-values to reject so that the expected share of wrong ones is at most `rate` (1995).

    >>> benjamini_hochberg(np.array([0.001, 0.03, 0.9]), 0.05).tolist()
    [True, True, False]
    """
    values = np.asarray(p, np.float64)
    ordered = np.sort(values)
    passes = np.flatnonzero(ordered <= rate * np.arange(1, values.size + 1) / max(1, values.size))
    return values <= ordered[passes[-1]] if passes.size else np.zeros(values.shape, bool)
