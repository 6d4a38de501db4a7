"""Relative radiometric normalisation: bring the later look to the scale of the earlier one, on unchanged ground.

A straight line a band, fitted to the pixels that agree with it (two-sided robust, errors in both dates), so that
neither clearing nor new roofs tilt it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

NOISE_FLOOR = 0.02  # of a band's spread: relative radiometric stability of calibrated imagers is 1-3 %
_MAD_TO_SIGMA = 1.4826
_CUT = 2.0  # residuals beyond 2 sigma do not vote: half the pixels always do, changed ones never
_ROUNDS = 30
_START_PIXELS, _START_LINES = 2000, 200


class Normalisation(NamedTuple):
    """after * gain + offset is on the scale of before. Arrays are (band,).

    Attributes:
        gain, offset: the straight line of each band.
        noise: robust standard deviation of the difference over unchanged ground, not below the floor.
        floor: difference below which nothing is claimed: `NOISE_FLOOR` of the spread (5th-95th percentile).
        dark: level of the darkest ground of both dates (0.5th percentile), on the scale of before.
    """

    gain: Float64
    offset: Float64
    noise: Float64
    floor: Float64
    dark: Float64


def fit(before: NDArray[np.floating], after: NDArray[np.floating]) -> Normalisation:
    """Fit one line a band to a sample of pixels seen on both dates.

    Args:
        before: (band, pixel), finite, at least one pixel.
        after: the same pixels and bands.

    Returns:
        The lines; a band that is constant on either date gets gain 1 and the difference of the medians.

    Raises:
        ValueError: shapes that differ, an empty sample, or values that are not finite.
    """
    x, y = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if x.ndim != 2 or x.shape != y.shape or x.shape[1] == 0:
        raise ValueError(f"samples must be (band, pixel) of the same pixels, not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("samples must be finite")
    rows = [_band(x[k], y[k]) for k in range(len(x))]
    gain, offset, noise, floor, dark = (np.array(column) for column in zip(*rows, strict=True))
    return Normalisation(gain, offset, noise, floor, dark)


def apply(model: Normalisation, after: Float32) -> Float32:
    """Return the later look, float32 (band, ...), on the scale of the earlier one; NaN stays NaN."""
    shape = (-1,) + (1,) * (after.ndim - 1)
    out = after * model.gain.astype(np.float32).reshape(shape)
    out += model.offset.astype(np.float32).reshape(shape)
    return out


def _band(x: Float64, y: Float64) -> tuple[float, float, float, float, float]:
    gain, offset = _line(x, y)
    fitted = gain * y + offset
    low, high = np.percentile(x, [5, 95])
    floor = NOISE_FLOOR * float(high - low)
    difference = fitted - x
    noise = _MAD_TO_SIGMA * float(np.median(np.abs(difference)))
    dark = float(min(np.percentile(x, 0.5), np.percentile(fitted, 0.5)))
    tiny = float(np.finfo(np.float32).eps) * float(np.abs(x).max() or 1.0)
    return gain, offset, max(noise, floor, tiny), max(floor, tiny), dark


def _line(x: Float64, y: Float64) -> tuple[float, float]:
    """X = gain * y + offset by reduced major axis on agreeing pixels, repeated until they settle."""
    sx, sy = (float(np.subtract(*np.percentile(v, [75, 25]))) for v in (x, y))
    if sx <= 0 or sy <= 0:
        return 1.0, float(np.median(x) - np.median(y))
    gain, offset = _start(x, y, sx / sy)
    for _ in range(_ROUNDS):
        residual = x - gain * y - offset
        middle = _shorth(residual)
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(residual - middle)))
        agree = np.abs(residual - middle) <= _CUT * spread
        a, b = x[agree], y[agree]
        da, db = float(a.std()), float(b.std())
        if agree.sum() < 3 or da == 0 or db == 0 or float(np.corrcoef(a, b)[0, 1]) < 0.5:  # no line to see
            break
        new = da / db
        offset_new = float(a.mean() - new * b.mean())
        done = abs(new - gain) < 1e-9 * gain and abs(offset_new - offset) < 1e-9 * da
        gain, offset = new, offset_new
        if done:
            break
    return gain, offset


def _start(x: Float64, y: Float64, ratio: float) -> tuple[float, float]:
    """Of lines through many pairs of pixels, the one with the least median residual (Rousseeuw 1984).

    Half of the pixels may have changed. `ratio`, of the spreads, is the first candidate.
    """
    step = max(1, len(x) // _START_PIXELS)
    a, b = x[::step], y[::step]
    first, second = np.random.default_rng(0).integers(0, len(a), size=(2, _START_LINES))
    run = b[first] - b[second]
    far = np.abs(run) > 0.1 * float(np.ptp(b))  # close pixels give wild slopes
    slopes = (a[first] - a[second])[far] / run[far]
    slopes = np.concatenate([[ratio, 1.0], slopes[(slopes > ratio / 4) & (slopes < ratio * 4)]])
    best = (np.inf, 1.0, 0.0)
    for gain in slopes:
        residual = a - gain * b
        middle = _shorth(residual)
        # Over the root of the gain, residuals count alike whichever date is called x; else flat lines would win.
        size = float(np.median(np.abs(residual - middle))) / float(np.sqrt(gain))
        best = min(best, (size, float(gain), middle))
    return best[1], best[2]


def _shorth(values: Float64) -> float:
    """Middle of the shortest half: where most of the values are, though 40 % lie elsewhere."""
    ordered = np.sort(values)
    half = (len(ordered) + 1) // 2
    widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    at = int(np.argmin(widths))
    return float(ordered[at] + ordered[at + half - 1]) / 2
