"""From a score per pixel to things: keep what is as wide as a building, and tell the pieces apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geo.kernels.windows import Float, odd, window_max, window_min


def widen_only(score: Float, *, gsd_m: float, width_m: float = 6.0) -> Float:
    """Keep a score only where it is at least `width_m` wide: a grey opening that ignores unobserved pixels.

    Thin leftovers (edges of roads, misregistration) drop out; wide ones keep their height. Local: a halo of
    `opening_reach_px` gives the bits of the whole image.

    Args:
        score: float32 (row, col) >= 0, NaN unobserved.
        gsd_m: size of a pixel in metres.
        width_m: least width kept, in metres.

    Returns:
        float32 (row, col), never above `score`, NaN where it is NaN.

    Raises:
        ValueError: `gsd_m` or `width_m` is not positive, or the score is not (row, col).
    """
    if score.ndim != 2:
        raise ValueError(f"a score is (row, col), not {score.shape}")
    size = _opening_px(gsd_m, width_m)
    seen = np.isfinite(score)
    low = window_min(np.where(seen, score, np.float32(np.inf)), size)
    # Windows without any observation say nothing.
    low = np.where(np.isfinite(low), low, np.float32(0))
    return np.where(seen, np.minimum(window_max(low, size), score), np.float32(np.nan)).astype(np.float32)


def opening_reach_px(gsd_m: float, width_m: float = 6.0) -> int:
    """Return the halo in pixels that `widen_only` needs."""
    return 2 * (_opening_px(gsd_m, width_m) // 2)


def label_objects(
    score: Float, threshold: float, *, gsd_m: float, min_area_m2: float = 100.0
) -> tuple[NDArray[np.int32], int]:
    """Number the connected regions (8 neighbours) where the score exceeds `threshold`; drop the small ones.

    Not local: regions that cross a tile's border must be joined by the caller.

    Returns:
        int32 (row, col) labels 1 … n in row order, 0 elsewhere and where the score is NaN; and n.

    Raises:
        ValueError: `gsd_m` is not positive.

    >>> label_objects(np.ones((10, 10), np.float32), 0.5, gsd_m=1.0)[1]
    1
    """
    if not (math.isfinite(gsd_m) and gsd_m > 0):
        raise ValueError(f"the pixel size must be positive, not {gsd_m} m")
    labels, _ = ndimage.label(score > threshold, structure=np.ones((3, 3), dtype=bool))
    large = np.bincount(labels.ravel()) * gsd_m**2 >= min_area_m2
    large[0] = False
    numbers = np.where(large, np.cumsum(large), 0).astype(np.int32)
    return numbers[labels], int(large.sum())


def _opening_px(gsd_m: float, width_m: float) -> int:
    if not (math.isfinite(gsd_m) and gsd_m > 0 and width_m > 0):
        raise ValueError(f"pixel size and width must be positive, not {gsd_m} m and {width_m} m")
    return odd(width_m / gsd_m)
