"""Spatial context: what a pixel's surroundings say. Every filter here gives the same bits whatever the tile it sees.

Only shifted adds, minima and maxima of float32 arrays are used (no running sums, whose rounding depends on where a
row begins), and pixels without an observation carry no weight instead of a guessed value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_B3 = (np.float32(1 / 16), np.float32(4 / 16), np.float32(6 / 16))


def smooth_reach_px(levels: int) -> int:
    """How far (in pixels, each way) `smooth` looks with that many levels: 2, 6, 14, 30, ..."""
    return 2 * ((1 << levels) - 1)


def smooth_sigma_px(levels: int) -> float:
    """Standard deviation in pixels of the kernel of `smooth`: about 1, 2.2, 4.6, 9.2, ..."""
    return float(np.sqrt((4**levels - 1) / 3))


def smooth_weights(observed: NDArray[np.bool_], levels: int) -> list[Float]:
    """Kernel mass that falls on observed pixels, one (row, col) array a level; see `smooth`."""
    return _cascade(observed.astype(np.float32), levels)


def smooth(values: Float, weights: list[Float]) -> list[Float]:
    """Weighted local means at rising scales, by the B3-spline a-trous cascade (Starck & Murtagh 1998).

    Level j (from 1) has a kernel close to a Gaussian of `smooth_sigma_px(j)`; five taps a level and axis make the
    wide levels as cheap as the narrow ones.

    Args:
        values: float32 (row, col); NaN is no observation.
        weights: `smooth_weights` of the observed pixels; its length is the number of levels.

    Returns:
        One float32 (row, col) array a level, NaN where `values` is NaN.

    >>> x = np.full((5, 5), 3, np.float32)
    >>> float(smooth(x, smooth_weights(np.isfinite(x), 1))[0][0, 0])
    3.0
    """
    observed = np.isfinite(values)
    sums = _cascade(np.where(observed, values, np.float32(0)), len(weights))
    return [np.divide(s, w, out=np.full_like(s, np.nan), where=observed) for s, w in zip(sums, weights, strict=True)]


def opening(values: Float, radius: int = 1) -> Float:
    """Grey opening with a square of 2 * radius + 1 pixels: keeps only what is at least that wide.

    Thin lines, which small registration errors draw along every edge, vanish. Unobserved pixels (NaN) stay NaN and
    neither erode nor dilate their neighbours. Looks 2 * radius pixels each way.

    >>> line = np.zeros((5, 5), np.float32); line[2] = 9
    >>> float(opening(line).max())
    0.0
    """
    if radius < 1:
        raise ValueError(f"the radius of an opening must be at least 1 pixel, not {radius}")
    missing = np.isnan(values)
    low = _extreme(np.where(missing, np.float32(np.inf), values), radius, np.minimum)
    low[missing] = -np.inf
    high = _extreme(low, radius, np.maximum)
    high[missing] = np.nan
    return high


def widen(values: Float, radius: int) -> Float:
    """Largest value within a square of 2 * radius + 1 pixels (grey dilation); NaN neither counts nor is filled."""
    missing = np.isnan(values)
    high = _extreme(np.where(missing, np.float32(-np.inf), values), radius, np.maximum)
    high[missing] = np.nan
    return high


def _cascade(plane: Float, levels: int) -> list[Float]:
    out = []
    for level in range(levels):
        plane = _spline(_spline(plane, 2**level, 0), 2**level, 1)
        out.append(plane)
    return out


def _spline(plane: Float, step: int, axis: int) -> Float:
    """Five taps 1 4 6 4 1 (/16) at distance `step` along an axis; beyond the array there is nothing (zero)."""
    source = plane if axis == 0 else plane.T
    out = np.multiply(plane, _B3[2])
    target = out if axis == 0 else out.T
    for distance, tap in ((step, _B3[1]), (2 * step, _B3[0])):
        if distance >= source.shape[0]:
            continue
        part = source * tap
        # First the pixel before, then the one behind: a fixed order of additions, so fixed bits.
        target[distance:] += part[:-distance]
        target[:-distance] += part[distance:]
    return out


def _extreme(plane: Float, radius: int, pick: np.ufunc) -> Float:
    """Running minimum or maximum over a square, by shifted comparisons; beyond the array there is nothing."""
    for axis in (0, 1):
        out = plane.copy()
        source, target = (plane, out) if axis == 0 else (plane.T, out.T)
        for distance in range(1, radius + 1):
            if distance < source.shape[0]:
                pick(target[distance:], source[:-distance], out=target[distance:])
                pick(target[:-distance], source[distance:], out=target[:-distance])
        plane = out
    return plane
