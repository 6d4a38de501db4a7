"""What became what: a land class a date, from indices that survive offsets and unknown units.

Direction names a change, it never decides whether there is one. Where the bands cannot tell classes apart, it only
says brighter or darker.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geo.kernels import context, indices
from pipelines.detect.calibrate import Calibrated
from pipelines.detect.change_map import Direction

Float32 = NDArray[np.float32]
Int8 = NDArray[np.int8]

_OTHER, _VEGETATION, _WATER, _BARE, _BUILT = range(5)
_NDWI = 0.1  # open water; McFeeters' zero line is crossed by wet concrete and shaded roofs
_REDNESS = 0.12  # (red - blue) / (red + blue): soils are rusty (0.2-0.5), roofs, concrete and asphalt grey (-0.1-0.1)
TEXTURE_REACH_PX = 3

_TO = {
    (_VEGETATION, _BARE): Direction.VEGETATION_TO_BARE,
    (_VEGETATION, _BUILT): Direction.VEGETATION_TO_BUILT,
    (_BARE, _BUILT): Direction.BARE_TO_BUILT,
    (_BUILT, _BARE): Direction.BUILT_TO_BARE,
    (_BARE, _VEGETATION): Direction.BARE_TO_VEGETATION,
    (_BUILT, _VEGETATION): Direction.BUILT_TO_VEGETATION,
    (_BARE, _BARE): Direction.BARE_TO_BARE,
    (_BUILT, _BUILT): Direction.BUILT_TO_BUILT,
}


def _table() -> NDArray[np.float32]:
    """Direction by (class before, class after, brighter); classes that say nothing fall back on brightness."""
    out = np.empty((5, 5, 2), np.float32)
    for first in range(5):
        for second in range(5):
            if first != second and second == _WATER:
                found = (Direction.TO_WATER,) * 2
            elif first != second and first == _WATER:
                found = (Direction.FROM_WATER,) * 2
            elif (first, second) in _TO:
                found = (_TO[first, second],) * 2
            else:
                found = (Direction.DARKER, Direction.BRIGHTER)
            out[first, second] = found
    return out


_DIRECTIONS = _table()


def directions(c: Calibrated, before: Float32, scaled: Float32, texture_null: float) -> Float32:
    """Direction code of every pixel as if it had changed.

    Args:
        c: the global fits of the pair.
        before: float32 (band, row, col); NaN is no observation.
        scaled: the later date on the radiometry of the earlier one.
        texture_null: median local contrast of the pair, for values without a unit.

    Returns:
        float32 (row, col) of `Direction` codes, NaN where not observed.
    """
    bright_a, bright_b = (look[c.visible].mean(axis=0) for look in (before, scaled))
    brighter = (bright_b > bright_a).astype(np.intp)
    first, second = (_classes(c, look, texture_null) for look in (before, scaled))
    out = _DIRECTIONS[first, second, brighter]
    out[np.isnan(bright_a) | np.isnan(bright_b)] = np.nan
    return np.asarray(out)


def texture(c: Calibrated, look: Float32) -> Float32:
    """Local contrast of the visible bands: mean absolute difference to the next pixels over the mean. (row, col)."""
    plane = look[c.visible].mean(axis=0) - np.float32(c.dark)
    step = np.zeros_like(plane)
    step[1:] += np.abs(plane[1:] - plane[:-1])
    step[:, 1:] += np.abs(plane[:, 1:] - plane[:, :-1])
    weights = context.smooth_weights(np.isfinite(step), 1)
    change, level = context.smooth(step, weights)[0], np.abs(plane) + np.float32(c.noise)
    return np.asarray(change / level, np.float32)


def _classes(c: Calibrated, look: Float32, texture_null: float) -> Int8:
    """Land class of each pixel of one date; `_OTHER` where the bands cannot tell."""
    out = np.full(look.shape[1:], _OTHER, np.int8)
    if c.decibel or not c.can_index:
        return out
    index = indices.normalised_difference(*c.index_bands(look), dark=c.dark)
    if c.has("red", "blue"):
        red, blue = (look[k] for k in c.at("red", "blue"))
        grey = indices.normalised_difference(red, blue, dark=c.dark) < np.float32(_REDNESS)
        if not c.reflectance:
            # Without calibrated colours, grey fields are common; buildings also have edges, fields do not.
            grey &= texture(c, look) > np.float32(texture_null)
        out[grey] = _BUILT
        out[~grey] = _BARE
    else:
        out[:] = _BARE
    out[index > np.float32(c.vegetation)] = _VEGETATION
    if c.has("green", "nir"):
        green, nir = (look[k] for k in c.at("green", "nir"))
        wet = indices.normalised_difference(green, nir, dark=c.dark) > np.float32(_NDWI)
        wet &= nir - np.float32(c.dark) < np.float32(c.water_nir)
        out[wet] = _WATER
    return out
