"""What covers the ground on one date, and since when for good: vegetation, water, bare soil, built.

Classes name a change; they never decide whether there is one. Thresholds are those of single calibrated scenes and
will be wrong for single dates; `onset` therefore asks for the same answer on most of several clear dates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geo.kernels import indices

UNSEEN, OTHER, VEGETATION, WATER, BARE, BUILT = -1, 0, 1, 2, 3, 4

Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]

NDVI_PLANTS = 0.45  # soils stay below, closed canopies above; half-grown crops lie between
NDWI_WATER = 0.1  # McFeeters' zero line is crossed by wet concrete and shaded roofs
NIR_WATER = 0.12
REDNESS_SOIL = 0.12  # (red - blue) / (red + blue): soils are rusty (0.2-0.5), roofs, concrete and asphalt grey
REDNESS_MOST = 0.25  # nothing redder is called built, however rusty the soil around it is
SHARE_OF_SOIL = 0.6  # of the redness of the date's own bare ground: two thirds of concrete in a pixel of laterite
_ENOUGH_SOIL = 20
DARKEST_BUILT = 0.07  # shadow and wet ground are grey, too


def classes(
    pixels: NDArray[np.floating], bands: Sequence[str], greyest: NDArray[np.floating] | float = REDNESS_SOIL
) -> Int8:
    """Land cover of every pixel of calibrated reflectance.

    Args:
        pixels: (..., band, row, col) reflectance 0-1; NaN in any band is not seen.
        bands: STAC common names along the band axis.
        greyest: redness below which bare ground is called built: one number, or (...,) of `grey_below`.

    Returns:
        int8 (..., row, col): UNSEEN, VEGETATION, WATER, BARE or BUILT; OTHER where the bands cannot tell (without red
        and near infrared).

    Source: NDVI (Rouse et al. 1974), NDWI (McFeeters 1996); redness of soils as in Escadafal & Huete 1991.
    """
    plane = {name: pixels[..., k, :, :] for k, name in enumerate(bands)}
    seen = np.isfinite(pixels).all(axis=-3)
    out = np.where(seen, np.int8(OTHER), np.int8(UNSEEN))
    if not {"red", "nir"} <= plane.keys():
        return out
    with np.errstate(invalid="ignore", divide="ignore"):
        plants = indices.normalised_difference(plane["nir"], plane["red"]) > NDVI_PLANTS
        built = np.zeros_like(plants)
        if "blue" in plane:
            redness = indices.normalised_difference(plane["red"], plane["blue"])
            limit = np.asarray(greyest, np.float32)[..., None, None]
            built = (redness < limit) & (plane["red"] > DARKEST_BUILT)
        out[seen] = BARE
        out[seen & built] = BUILT
        out[seen & plants] = VEGETATION
        if "green" in plane:
            wet = indices.normalised_difference(plane["green"], plane["nir"]) > NDWI_WATER
            out[seen & wet & (plane["nir"] < NIR_WATER)] = WATER
    return out


def grey_below(sample: NDArray[np.floating], bands: Sequence[str]) -> NDArray[np.float64]:
    """Redness below which ground of a date is called built, by the date's own soil.

    Concrete on laterite is greyer than its surroundings and yet redder than a roof in a grey country; haze makes all
    ground of a date greyer. So the limit is a share of the median redness of the date's bare ground.

    Args:
        sample: (pixel, time, band) reflectance of ground all over the scene, NaN where not seen.
        bands: STAC common names along the band axis.

    Returns:
        float64 (time,), `REDNESS_SOIL` to `REDNESS_MOST`; of all dates together where a date shows too little soil.
    """
    times = sample.shape[1]
    if not {"red", "nir", "blue"} <= set(bands):
        return np.full(times, REDNESS_SOIL)
    red, nir, blue = (sample[..., list(bands).index(name)] for name in ("red", "nir", "blue"))
    with np.errstate(invalid="ignore", divide="ignore"):
        redness = (red - blue) / (red + blue)
        soil = ((nir - red) / (nir + red) < NDVI_PLANTS) & (redness > REDNESS_SOIL) & (red > DARKEST_BUILT)
    limits = np.full(times, np.nan)
    for t in range(times):
        own = redness[soil[:, t], t]
        limits[t] = np.median(own) if own.size >= _ENOUGH_SOIL else np.nan
    common = np.nanmedian(limits) if np.isfinite(limits).any() else 0.0
    limits = np.where(np.isfinite(limits), limits, common)
    return np.clip(SHARE_OF_SOIL * limits, REDNESS_SOIL, REDNESS_MOST)


def onset(holds: Int8, since: Int16, *, k: int = 3, n: int = 4) -> tuple[Int16, Int16]:
    """Since when a condition holds for good, per pixel.

    It begins on the first date on which it holds, is followed by at least k of n clear dates (that one counted) on
    which it holds, and after which it holds on most clear dates to the end.

    Args:
        holds: (time, row, col): 1 holds, 0 does not, -1 not seen.
        since: (row, col) first date that may count; negative means none may.
        k: on how many clear dates it must hold, the first counted.
        n: out of how many.

    Returns:
        (first, last_without), both int16 (row, col): index of the first date with it and of the last clear date
        before on which it did not hold; -1 where there is none.
    """
    times, rows, cols = holds.shape
    flat, start = holds.reshape(times, -1), since.ravel().astype(np.int64)
    seen, has = flat >= 0, flat == 1
    rank = np.cumsum(seen, axis=0)  # number of clear dates up to here
    total, held = rank[-1], np.cumsum(has, axis=0)
    first = np.full(flat.shape[1], -1, np.int16)
    # Clear dates only, moved to the front, so that "the next n clear dates" is a plain window.
    order = np.argsort(~seen, axis=0, kind="stable")
    packed = np.take_along_axis(has, order, axis=0)
    sums = np.concatenate([np.zeros((1, flat.shape[1]), np.int64), np.cumsum(packed, axis=0)])
    for t in range(times):
        here = rank[t] - 1
        ahead = np.minimum(here + n, total)
        window = np.take_along_axis(sums, ahead[None], 0)[0] - np.take_along_axis(sums, np.maximum(here, 0)[None], 0)[0]
        left = total - here
        lasting = 2 * (held[-1] - held[t] + 1) > left
        start_here = has[t] & (first < 0) & (start >= 0) & (t >= start) & (window >= k) & lasting
        first[start_here] = t
    index = np.arange(times)[:, None]
    without = np.where((flat == 0) & (index < first[None]), index, -1).max(axis=0).astype(np.int16)
    return first.reshape(rows, cols), without.reshape(rows, cols)
