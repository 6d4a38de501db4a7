"""What interpolation does to fine detail, and how to do the same to an image that was not interpolated.

An image moved by half a pixel has lost what is finest in it; compared with one that was not moved, every roof and road
differs. What is lost is the amplitude that the kernel's frequency response lacks, so the other image, filtered by a
symmetric kernel (no movement) of that amplitude, differs no more.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Float = NDArray[np.float32]

REACH_PX = 4
_FREQUENCIES = 200


def cubic_weights(phase: float) -> NDArray[np.float64]:
    """Weights of cubic convolution (Keys 1981, a = -1/2) on the four pixels around a point.

    Args:
        phase: how far the point lies beyond the second of them, 0 to 1 pixels.

    Returns:
        float64 (4,), sum 1.

    >>> cubic_weights(0.5).tolist()
    [-0.0625, 0.5625, 0.5625, -0.0625]
    """
    t = phase
    return np.array(
        [
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        ]
    )


@cache
def taps(phase: float) -> tuple[float, ...]:
    """The symmetric kernel whose response comes nearest (least squares) to the amplitude of cubic convolution.

    Args:
        phase: part of a pixel by which the image was moved; whole pixels do not count.

    Returns:
        2 * `REACH_PX` + 1 weights, sum 1; only the middle one where nothing was interpolated.

    >>> [round(w, 3) for w in taps(0.0)]
    [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    frequency = np.linspace(0, np.pi, _FREQUENCIES)[:, None]
    amplitude = np.abs(np.exp(-1j * frequency * np.arange(-1, 3)) @ cubic_weights(phase % 1))
    cosines = 2 * np.cos(frequency * np.arange(1, REACH_PX + 1)) - 2  # of kernels with sum 0 about the middle
    side = np.linalg.lstsq(cosines, amplitude - 1, rcond=None)[0]
    return (*side[::-1].tolist(), float(1 - 2 * side.sum()), *side.tolist())


def soften(values: Float, phase: tuple[float, float]) -> Float:
    """Filter an image by what cubic convolution at `phase` does to amplitudes.

    Args:
        values: float32 (band, row, col); NaN is no observation. A band's unseen pixels carry no weight.
        phase: (row, col), see `taps`.

    Returns:
        float32 (band, row, col), NaN where `values` is NaN.
    """
    rows, cols = (np.array(taps(p)) for p in phase)

    def filtered(plane: Float) -> Float:
        out: Float = correlate1d(plane, rows, axis=-2, mode="constant")
        return np.asarray(correlate1d(out, cols, axis=-1, mode="constant"))

    seen = np.isfinite(values)
    total = filtered(np.where(seen, values, np.float32(0)))
    if not seen.all():
        # Weights may be negative: where too little of the kernel lies on seen ground, the pixel stays as it is.
        weight = filtered(seen.astype(np.float32))
        enough = weight > np.float32(0.5)
        total = np.where(enough, total / np.where(enough, weight, np.float32(1)), values)
        total[~seen] = np.nan
    return total
