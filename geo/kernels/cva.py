"""Change vector analysis (Malila 1980): how far, and which way, a pixel moved in the space of its bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def magnitude(before: Float, after: Float, noise: Sequence[float] | NDArray[np.floating] | None = None) -> Float:
    """Root mean square difference over the bands, in units of `noise`.

    Args:
        before: float32 (band, row, col); NaN is no observation.
        after: the same bands on the same radiometric scale.
        noise: (band,) positive standard deviation of the difference on unchanged ground; None is 1 for every band.

    Returns:
        float32 (row, col), NaN where any band of any date is NaN.

    Raises:
        ValueError: shapes that differ, or a noise that is not positive.

    >>> a = np.zeros((2, 1, 1), np.float32)
    >>> float(magnitude(a, a + 3, noise=[1, 3])[0, 0] ** 2)
    5.0
    """
    scale = _inverse(before, after, noise)
    total = np.zeros(before.shape[1:], np.float32)
    for k, factor in enumerate(scale):
        difference = after[k] - before[k]
        difference *= factor
        difference *= difference
        total += difference
    total *= np.float32(1 / len(scale))
    return np.sqrt(total, out=total)


def mean_difference(before: Float, after: Float, noise: Sequence[float] | NDArray[np.floating] | None = None) -> Float:
    """Mean signed difference over the bands in units of `noise`: brighter is positive. See `magnitude`.

    >>> a = np.zeros((2, 1, 1), np.float32)
    >>> float(mean_difference(a, a - 3, noise=[1, 3])[0, 0])
    -2.0
    """
    scale = _inverse(before, after, noise)
    total = np.zeros(before.shape[1:], np.float32)
    for k, factor in enumerate(scale):
        difference = after[k] - before[k]
        difference *= factor
        total += difference
    total *= np.float32(1 / len(scale))
    return total


def _inverse(before: Float, after: Float, noise: Sequence[float] | NDArray[np.floating] | None) -> Float:
    if before.shape != after.shape or before.ndim < 2:
        raise ValueError(f"both dates must have the same (band, row, col), not {before.shape} and {after.shape}")
    sigma = np.ones(len(before)) if noise is None else np.asarray(noise, np.float64)
    if sigma.shape != (len(before),) or not (sigma > 0).all():
        raise ValueError("noise must be one positive number a band")
    return (1 / sigma).astype(np.float32)
