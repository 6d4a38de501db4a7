"""The peak of a correlation surface: where it is between the lags, how sharp it is, what belongs to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Double = NDArray[np.float64]
Mask = NDArray[np.bool_]

LOBE_PX = 6
"""Lags this near to a peak belong to it, not to its surroundings."""
_SPLINE = 5


class Peak(NamedTuple):
    """A highest point: (row, col) lag from the surface's centre, height, and the 2 x 2 negative second derivatives."""

    row: float
    col: float
    height: float
    curvature: Double


def lobe(ncc: Double, top: tuple[int, int]) -> Mask:
    """The peak with its flanks: what is above half its height around it, and a margin."""
    level = float(np.median(ncc))
    labels: NDArray[np.int32] = ndimage.label(ncc > level + 0.5 * (ncc[top] - level))[0]
    flanks = ndimage.binary_dilation(labels == labels[top], iterations=LOBE_PX // 2)
    rows, cols = np.ogrid[: ncc.shape[0], : ncc.shape[1]]
    belongs: Mask = flanks | ((rows - top[0]) ** 2 + (cols - top[1]) ** 2 <= LOBE_PX**2)
    return belongs


def summit(ncc: Double) -> Peak:
    """Highest point between the lags, by a spline through them, as a shift from the centre of `ncc`."""
    reach = ncc.shape[0] // 2
    spline = ndimage.spline_filter(ncc, order=_SPLINE, mode="mirror")

    def at(rows: NDArray[Any], cols: NDArray[Any]) -> Double:
        places = np.stack(np.broadcast_arrays(rows, cols))
        found: Double = ndimage.map_coordinates(spline, places, order=_SPLINE, mode="mirror", prefilter=False)
        return found

    row, col = (float(t) for t in np.unravel_index(int(np.argmax(ncc)), ncc.shape))
    for step in (0.1, 0.01, 0.001):
        steps = np.arange(-10, 11) * step
        heights = at(row + steps[:, None], col + steps[None, :])
        best = np.unravel_index(int(np.argmax(heights)), heights.shape)
        row, col = row + float(steps[best[0]]), col + float(steps[best[1]])
    near = np.array([-0.25, 0.0, 0.25])
    patch = at(row + near[:, None], col + near[None, :]) / 0.25**2
    across = (patch[2, 2] + patch[0, 0] - patch[2, 0] - patch[0, 2]) / 4
    down, right = (patch[0, 1] + patch[2, 1] - 2 * patch[1, 1], patch[1, 0] + patch[1, 2] - 2 * patch[1, 1])
    curvature = -np.array([[down, across], [across, right]])
    return Peak(row - reach, col - reach, float(patch[1, 1]) * 0.25**2, curvature)


def sigma(residuals: NDArray[Any]) -> float:
    """Robust standard deviation of residuals around 0 (1.4826 times the median absolute value)."""
    return 1.4826 * float(np.median(np.abs(residuals)))


def flattest(curvature: Double) -> float:
    """Curvature along the direction in which a peak is least sharp; negative on a saddle."""
    return float(np.linalg.eigvalsh(curvature)[0])
