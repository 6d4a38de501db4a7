"""Quality bands of satellite products, translated to one set of flag bits by table.

The bits are those of `geo.raster.Flag` (kernels know no rasters; a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

OUTSIDE, CLOUD, SHADOW, SATURATED, UNREGISTERED, SNOW, HAZE, SUSPECT = (1 << bit for bit in range(8))

Flags = NDArray[np.uint8]

SCL_FLAGS: Mapping[int, int] = {
    0: OUTSIDE,
    1: SATURATED,  # saturated or defective
    3: SHADOW,
    8: CLOUD,  # medium probability
    9: CLOUD,  # high probability
    10: HAZE,  # thin cirrus
    11: SNOW,
}
"""Sen2Cor scene classes that are not clear; 2 dark, 4 vegetation, 5 bare, 6 water and 7 unclassified are clear."""

_QA_PIXEL_BITS = ((0, OUTSIDE), (1, CLOUD), (2, HAZE), (3, CLOUD), (4, SHADOW), (5, SNOW))
_PIXEL_QA_BITS = ((0, OUTSIDE), (3, SHADOW), (4, SNOW), (5, CLOUD))
_FMASK_BITS = ((1, CLOUD), (2, CLOUD), (3, SHADOW), (4, SNOW))


def scl(classes: NDArray[np.integer]) -> Flags:
    """Flags of a Sentinel-2 scene classification (SCL).

    Args:
        classes: integers of any shape, 0-11; anything else is no class and becomes OUTSIDE.

    Returns:
        uint8 flags of the same shape, 0 = clear.

    Source: Sentinel-2 Level-2A Algorithm Theoretical Basis Document (Sen2Cor 2.10), table of scene classes.

    >>> scl(np.array([4, 8, 3, 10, 0])).tolist()
    [0, 2, 4, 64, 1]
    """
    table = np.full(256, OUTSIDE, np.uint8)
    table[:12] = 0
    for value, flag in SCL_FLAGS.items():
        table[value] = flag
    values = _whole_numbers(classes)
    inside = (values >= 0) & (values < 12)
    return table[np.where(inside, values, 255)]


def qa_pixel(bits: NDArray[np.integer]) -> Flags:
    """Flags of a Landsat Collection 2 QA_PIXEL band (uint16, or the same bits in a signed type).

    Fill is OUTSIDE; cloud and dilated cloud are CLOUD; cirrus is HAZE; shadow and snow are themselves.
    Source: USGS LSDS-1619, Landsat 8-9 Collection 2 Level 2 Science Product Guide, table of QA_PIXEL bits.

    >>> qa_pixel(np.array([21824, 22280, 1, 23888])).tolist()
    [0, 2, 1, 4]
    """
    return _from_bits(bits, _QA_PIXEL_BITS)


def pixel_qa(bits: NDArray[np.integer]) -> Flags:
    """Flags of a Landsat Collection 1 surface-reflectance pixel_qa band.

    Two bits of cirrus confidence (8-9) that are both set are HAZE. Source: USGS LSDS-1368, Landsat 8 Surface
    Reflectance Code (LaSRC) Product Guide, table of pixel_qa bits.

    >>> pixel_qa(np.array([322, 352, 328, 1, 834])).tolist()
    [0, 2, 4, 1, 64]
    """
    flags = _from_bits(bits, _PIXEL_QA_BITS)
    flags[((_whole_numbers(bits) >> 8) & 3) == 3] |= np.uint8(HAZE)
    return flags


def fmask(bits: NDArray[np.integer]) -> Flags:
    """Flags of a NASA HLS Fmask band: 255 is OUTSIDE; cloud and its neighbourhood are CLOUD.

    Source: HLS Product User Guide v2.0, table of Fmask bits.

    >>> fmask(np.array([0, 2, 8, 16, 255])).tolist()
    [0, 2, 4, 32, 1]
    """
    flags = _from_bits(bits, _FMASK_BITS)
    flags[_whole_numbers(bits) == 255] = OUTSIDE
    return flags


def valid(mask: NDArray[np.generic]) -> Flags:
    """Flags of a mask whose zeros (and NaN) are not valid: OUTSIDE there, clear elsewhere.

    >>> valid(np.array([0, 1, 255])).tolist()
    [1, 0, 0]
    """
    numbers = np.nan_to_num(np.asarray(mask, np.float64), nan=0.0)
    return np.where(numbers == 0, np.uint8(OUTSIDE), np.uint8(0))


def cloud(mask: NDArray[np.generic]) -> Flags:
    """Flags of a mask whose non-zeros (and NaN) are cloud.

    >>> cloud(np.array([0, 1])).tolist()
    [0, 2]
    """
    numbers = np.nan_to_num(np.asarray(mask, np.float64), nan=1.0)
    return np.where(numbers != 0, np.uint8(CLOUD), np.uint8(0))


def _whole_numbers(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Integers of a band that may have passed through a float or signed type; NaN becomes -1."""
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.floating):
        return np.nan_to_num(array, nan=-1.0, posinf=-1.0, neginf=-1.0).astype(np.int64)
    if array.dtype == np.int16:
        array = array.view(np.uint16)
    return array.astype(np.int64)


def _from_bits(values: NDArray[np.generic], table: tuple[tuple[int, int], ...]) -> Flags:
    numbers = _whole_numbers(values)
    flags = np.zeros(numbers.shape, np.uint8)
    for bit, flag in table:
        flags |= (((numbers >> bit) & 1) * flag).astype(np.uint8)
    return flags
