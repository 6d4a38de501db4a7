"""How a file's numbers become physical units: which bands, which law, what counts as no data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.errors import InputError

Float = NDArray[np.float32]
LAWS = ("linear", "decibel", "amplitude")


@dataclass(frozen=True)
class Encoding:
    """The reading rule of one file.

    Attributes:
        bands: STAC common names of the image bands that are read, in order.
        scale: one a band; physical = law(stored * scale + offset).
        offset: one a band.
        nodata: stored value of each band that means no data, or None.
        unit: `reflectance` (0-1), `linear-power` (radar) or `value` (display or unknown numbers).
        indexes: 1-based band numbers of `bands` in the file.
        mask_index: 1-based number of the mask band, or None.
        mask_kind: `scl`, `qa_pixel`, `qa_pixel_c1`, `fmask`, `valid` (zero: not valid) or `cloud` (non-zero: cloud).
        alpha_index: 1-based number of the alpha band, or None.
        notes: one sentence for every guess, for the report.
        law: `linear`; `decibel` (power = 10 ** (x / 10)); `amplitude` (power = x ** 2).
        joint: True if only a pixel that holds `nodata` in all bands is no data (a guessed collar, where a single dark
            band is still an observation).
        dataset_mask: True if the file carries a mask of its own inside.
    """

    bands: tuple[str, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    nodata: tuple[float | None, ...]
    unit: str
    indexes: tuple[int, ...]
    mask_index: int | None = None
    mask_kind: str | None = None
    alpha_index: int | None = None
    notes: tuple[str, ...] = ()
    law: str = "linear"
    joint: bool = False
    dataset_mask: bool = False

    def select(self, bands: tuple[str, ...]) -> Encoding:
        """Return the rule for some of the bands, in the order asked for.

        Raises:
            InputError: a band is not there.
        """
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise InputError(f"There is no band {missing[0]}; the file has {', '.join(self.bands)}.")
        at = [self.bands.index(band) for band in bands]
        return replace(
            self,
            bands=tuple(bands),
            scale=tuple(self.scale[i] for i in at),
            offset=tuple(self.offset[i] for i in at),
            nodata=tuple(self.nodata[i] for i in at),
            indexes=tuple(self.indexes[i] for i in at),
        )


def decode(stored: NDArray[Any], encoding: Encoding) -> Float:
    """Turn stored numbers into physical units.

    Args:
        stored: (band, row, col) as in the file, bands as in `encoding`; never changed.
        encoding: the file's reading rule.

    Returns:
        float32 (band, row, col); NaN where the file says no data, or holds no finite number.
    """
    missing = _missing(stored, encoding)
    scale = np.asarray(encoding.scale, np.float32)[:, None, None]
    offset = np.asarray(encoding.offset, np.float32)[:, None, None]
    if np.all(scale == 1):
        data = stored.astype(np.float32)
    else:
        # Straight to float32: subtracting in an unsigned type would wrap round.
        data = np.multiply(stored, scale, dtype=np.float32, casting="same_kind")
    if np.any(offset != 0):
        data += offset
    if encoding.law == "decibel":
        data *= np.float32(np.log(10) / 10)
        np.exp(data, out=data)
    elif encoding.law == "amplitude":
        np.square(data, out=data)
    if missing is not None:
        np.copyto(data, np.float32(np.nan), where=missing)
    if stored.dtype.kind == "f":
        np.copyto(data, np.float32(np.nan), where=~np.isfinite(data))
    return data


def _missing(stored: NDArray[Any], encoding: Encoding) -> NDArray[np.bool_] | None:
    """Where the file says no data: (band, row, col), (1, row, col) if jointly, None if nowhere."""
    held = [_representable(value, stored.dtype) for value in encoding.nodata]
    if all(value is None for value in held):
        return None
    equal = np.zeros(stored.shape, np.bool_)
    for band, value in enumerate(held):
        if value is not None:
            np.equal(stored[band], value, out=equal[band])
    return np.asarray(equal.all(axis=0, keepdims=True)) if encoding.joint else equal


def _representable(value: float | None, dtype: np.dtype[Any]) -> Any:
    """`value` in the file's own type, or None where that type cannot hold it (NaN is found by itself)."""
    if value is None or not np.isfinite(value):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(value)
    limits = np.iinfo(dtype)
    if value != int(value) or not limits.min <= value <= limits.max:
        return None
    return dtype.type(value)
