"""Spectral indices, and change of an index or of the spectrum's shape in units of its own noise.

Differences over sums blow up where the sum is small (water, shadow). The change kernels here divide by the noise of
the quotient instead of hoping: additive sensor noise, which matters on dark ground, plus a relative part (view angle,
haze), which matters on bright ground.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_TINY = np.float32(1e-12)


def normalised_difference(first: Float, second: Float, dark: float = 0.0) -> Float:
    """(first - second) / (first + second - 2 dark), cut to -1..1; 0 where nothing is left above `dark`.

    NDVI is (nir, red) [Rouse 1974], NDWI (green, nir) [McFeeters 1996], NDBI (swir16, nir) [Zha 2003].

    Args:
        first: float32 plane, reflectance or plain values; NaN is no observation.
        second: the other band, same shape and unit.
        dark: offset common to both (an additive constant left in the file, or haze), in the same unit.

    Returns:
        float32 of the same shape, NaN where either is NaN.

    >>> round(float(normalised_difference(np.float32([0.6]), np.float32([0.2]), dark=0.1)[0]), 4)
    0.6667
    """
    total = first + second
    total -= np.float32(2 * dark)
    difference = first - second
    positive = total > _TINY
    out = np.divide(difference, total, out=np.zeros_like(total), where=positive)
    out[np.isnan(total)] = np.nan
    return np.asarray(np.clip(out, -1, 1, out=out))


def greenness(red: Float, green: Float, blue: Float, dark: float = 0.0) -> Float:
    """(2 green - red - blue) / (2 green + red + blue - 4 dark): vegetation where there is no near infrared.

    The green leaf index [Louhaichi 2001]. Arguments and result as in `normalised_difference`.
    """
    rest = (red + blue) * np.float32(0.5)
    return normalised_difference(green, rest, dark)


def index_change(
    before: tuple[Float, Float],
    after: tuple[Float, Float],
    *,
    dark: float,
    noise: float,
    relative: float,
    centre: float = 0.0,
) -> Float:
    """Change of a normalised difference in units of its noise; positive where the first band gains.

    Args:
        before: (first, second) float32 planes of the earlier date; NaN is no observation.
        after: the same of the later date, same shape.
        dark: offset common to all, see `normalised_difference`.
        noise: standard deviation of one plane's noise, same unit as the planes, positive.
        relative: standard deviation of the index change itself on bright unchanged ground, positive.
        centre: change of the index on unchanged ground (season), taken off.

    Returns:
        float32, NaN where any plane is NaN.
    """
    total_a, total_b = (np.maximum(p + q - np.float32(2 * dark), np.float32(noise)) for p, q in (before, after))
    numerator = (after[0] - after[1]) * total_a
    numerator -= (before[0] - before[1]) * total_b
    product = total_a * total_b
    numerator -= np.float32(centre) * product
    product *= np.float32(relative)
    # noise of n/s is about sigma/s: var = noise^2 (1/sa^2 + 1/sb^2) + relative^2, all times (sa sb)^2
    spread = total_a * total_a
    spread += total_b * total_b
    spread *= np.float32(noise * noise)
    spread += product * product
    return np.asarray(np.divide(numerator, np.sqrt(spread, out=spread), out=numerator))


def shape_change(before: Float, after: Float, *, dark: float, noise: float, relative: float) -> Float:
    """Angle between the spectra of two dates (spectral angle mapper, Kruse 1993) in units of its noise.

    Blind to how bright a surface is, so a cloud's shade, a different sun or a repainted roof counts little, and soil
    that becomes concrete counts though both are bare.

    Args:
        before: float32 (band, row, col), at least two bands; NaN is no observation.
        after: the same bands on the same radiometric scale.
        dark: offset common to all bands and dates.
        noise: standard deviation of the noise of one band, positive, same unit.
        relative: standard deviation of the sine of the angle on bright unchanged ground, positive.

    Returns:
        float32 (row, col), not negative; NaN where any band of any date is NaN.

    >>> a = np.array([0.1, 0.2, 0.3], np.float32)[:, None, None]
    >>> float(shape_change(a, 2 * a, dark=0, noise=1e-3, relative=0.01)[0, 0].round(3))
    0.0
    """
    if before.shape != after.shape or len(before) < 2:
        raise ValueError(f"both dates need the same two or more bands, not {before.shape} and {after.shape}")
    xx, dd, xd = (np.zeros(before.shape[1:], np.float32) for _ in range(3))
    for x, y in zip(before, after, strict=True):
        x = x - np.float32(dark)
        d = y - np.float32(dark)
        d -= x
        xd += x * d
        dd += d * d
        x *= x
        xx += x
    yy = xx + dd
    yy += np.float32(2) * xd
    # Lagrange: |x|^2 |y|^2 - (x.y)^2 = |x|^2 |d|^2 - (x.d)^2 with y = x + d; no cancellation where d is small.
    cross = xx * dd
    cross -= xd * xd
    np.maximum(cross, 0, out=cross)
    spread = xx + yy
    spread *= np.float32(noise * noise)
    spread += np.float32(relative * relative) * xx * yy
    spread += _TINY
    cross /= spread
    return np.asarray(np.sqrt(cross, out=cross))
