"""Whether a change may be a cloud: asked of images that bring no mask of their own."""

from __future__ import annotations

import numpy as np
from shapely.geometry.base import BaseGeometry

from geo.grid import Window
from geo.kernels import cloudiness
from geo.kernels.clouds import CLOUD, HAZE, SHADOW
from geo.zones import coverage, to_pixels
from pipelines.prepare import Pair, Prepared

AROUND_M = 2000.0  # a cloud's clear level is read from what lies around it
COARSE_M = (5.0, 60.0)  # pixel sizes at which the test was made and measured
SHARE = 0.3
DARK_PERCENT, CLEAR = 1.0, 0.02  # reflectance of the darkest ground under a clear sky


def cloudlike(pair: Pair, polygon: BaseGeometry) -> str | None:
    """Name the date, BEFORE or AFTER, on which a changed piece looks like a cloud or its shadow, or None.

    Only a date whose file brings no mask is asked, and only reflectance can tell. A white roof wider than a hundred
    metres looks the same, and so does a smaller one beside a cloud: the answer is a doubt, and hides nothing.

    Args:
        pair: the two dates.
        polygon: the piece, in the grid's coordinates.
    """
    size = pair.grid.pixel_size_m
    bands = cloudiness.with_nir(pair.bands)
    if pair.unit != "reflectance" or size is None or not COARSE_M[0] <= max(size) <= COARSE_M[1]:
        return None
    if not set(cloudiness.NEEDED) <= set(bands):
        return None
    window = _around(polygon, pair, AROUND_M / max(size))
    part = coverage(polygon, pair.grid.window(window))
    if part is None:
        return None
    inner, weights = part
    for name, look in (("AFTER", pair.after), ("BEFORE", pair.before)):
        if look.masked:
            continue
        flags = cloudiness.spectral(_read(look, window), bands, gsd_m=max(size))[inner]
        if weights[(flags & (CLOUD | HAZE | SHADOW)) != 0].sum() >= SHARE * weights.sum():
            return name
    return None


def _read(look: Prepared, window: Window) -> cloudiness.Float:
    """Pixels above the darkest ground near by: an offset or a haze left in lifts all ground alike."""
    pixels = np.asarray(look.source.read(window), np.float32)
    seen = np.isfinite(pixels).all(axis=0)
    if not seen.any():
        return pixels
    dark = np.percentile(pixels[:, seen], DARK_PERCENT, axis=1)
    return np.asarray(pixels - np.maximum(dark - CLEAR, 0)[:, None, None], np.float32)


def _around(polygon: BaseGeometry, pair: Pair, reach_px: float) -> Window:
    rows, cols = pair.grid.shape
    left, top, right, bottom = to_pixels(polygon, pair.grid).bounds
    return (
        slice(max(0, int(top - reach_px)), min(rows, int(bottom + reach_px) + 1)),
        slice(max(0, int(left - reach_px)), min(cols, int(right + reach_px) + 1)),
    )
