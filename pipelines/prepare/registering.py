"""How far AFTER lies off BEFORE, measured on a few chips, and what is to be done about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.files.warp import CHUNK_PX
from geo.grid import Window
from geo.kernels.register import Shift, chips, shift_of_chips
from geo.tiles import PixelSource
from pipelines.prepare.settings import PrepareSettings

Float = NDArray[np.float32]

_PREFERRED = ("green", "red", "pan", "blue", "nir", "vv", "vh")
_CHIPS = (9, 25)
"""Chips that are measured on first, and where they find nothing."""
FAR_PX = 40.0
_THIN = 4
_DARK_PERCENT = 1.0
_OFFSET = 0.1
_OFFSET_MARGIN = 0.025


class Registration(NamedTuple):
    """What was found and decided.

    Attributes:
        state: `within tolerance`, `corrected`, `refused` or `not measurable`.
        shift_px: measured (row, col), None if it could not be measured.
        notes: one sentence each, for the report.
        correction_px: what has to be put right, (0, 0) if nothing; whole pixels, which need no resampling, where they
            come within tolerance.
    """

    state: str
    shift_px: tuple[float, float] | None
    notes: tuple[str, ...]
    correction_px: tuple[float, float] = (0.0, 0.0)


class Chip(NamedTuple):
    """The same window of both dates: one band (row, col) to look for edges in, and all bands thinned out."""

    pair: tuple[Float, Float]
    thin: tuple[Float, Float]


def read_chips(
    before: PixelSource, after: PixelSource, window: Window, *, band: int, unit: str, most: int
) -> list[Chip]:
    """Read the chips to measure on: up to `most`, on a fixed lattice inside `window` of the common grid."""
    rows, cols = window
    top, left = rows.start // CHUNK_PX * CHUNK_PX, cols.start // CHUNK_PX * CHUNK_PX
    found = []
    for part in chips((rows.stop - top, cols.stop - left), size=CHUNK_PX, most=most):
        where = (
            slice(max(part[0].start + top, rows.start), part[0].stop + top),
            slice(max(part[1].start + left, cols.start), part[1].stop + left),
        )
        one, other = before.read(where), after.read(where)
        # Copies, so that the other bands need not be kept.
        pair = (_texture(one[band], unit).copy(), _texture(other[band], unit).copy())
        found.append(Chip(pair, (one[:, ::_THIN, ::_THIN].copy(), other[:, ::_THIN, ::_THIN].copy())))
    return found


def measure(
    before: PixelSource, after: PixelSource, window: Window, bands: Sequence[str], unit: str, max_shift_px: float
) -> tuple[Shift, list[Chip]]:
    """Measure the shift of `after` against `before`, both on one grid, and return it with the chips it rests on.

    Where nothing is found up to `max_shift_px`, larger shifts are looked for: two dates that lie far apart must not
    pass as two that cannot be measured.
    """
    shift, read = _measure(before, after, window, bands, unit, max_shift_px)
    if not shift.found and max_shift_px < FAR_PX:
        far, _ = _measure(before, after, window, bands, unit, FAR_PX)
        shift = far if far.found else shift
    return shift, read


def _measure(
    before: PixelSource, after: PixelSource, window: Window, bands: Sequence[str], unit: str, max_shift_px: float
) -> tuple[Shift, list[Chip]]:
    band = next((bands.index(name) for name in _PREFERRED if name in bands), 0)
    for most in _CHIPS:
        read = read_chips(before, after, window, band=band, unit=unit, most=most)
        shift = shift_of_chips([chip.pair for chip in read], max_shift_px=max_shift_px)
        if shift.found or len(read) < most:
            break
    return shift, read


def decide(shift: Shift, settings: PrepareSettings) -> Registration:
    """Say what is to be done about a measured shift."""
    if not shift.found:
        note = f"The shift between the two dates could not be measured: {shift.reason}; they are compared as they lie."
        return Registration("not measurable", None, (note,))
    at = (round(shift.row, 3), round(shift.col, 3))
    size = math.hypot(*at)
    measured = f"{size:.2f} px (row {at[0]:+.2f}, column {at[1]:+.2f}, standard error {shift.uncertainty_px:.2f})"
    uneven: tuple[str, ...] = ()
    if shift.spread_px > 0.5:
        uneven = (f"The shift differs by about {shift.spread_px:.1f} px from place to place (relief or distortion).",)
    if size > settings.max_correct_px:
        note = (
            f"AFTER lies off BEFORE by {measured}, more than the {settings.max_correct_px:g} px that may be put right."
        )
        return Registration("refused", at, (note, *uneven))
    if size <= max(settings.tolerance_px, 2 * shift.uncertainty_px):
        return Registration("within tolerance", at, uneven)
    whole = (float(round(at[0])), float(round(at[1])))
    correction = whole if math.dist(at, whole) <= settings.tolerance_px else at
    return Registration(
        "corrected", at, (f"AFTER lay off BEFORE by {measured}; this was put right.", *uneven), correction
    )


def confirm(registration: Registration, left: Shift) -> Registration:
    """Look again after a correction: what is left is noted, and a correction that does not help is not made."""
    shift = registration.shift_px or (0.0, 0.0)
    rest = math.hypot(left.row, left.col) if left.found else math.inf
    if rest > 0.5 * math.hypot(*shift):
        note = "A shift was measured, but putting it right did not bring the dates together; they stay as they lie."
        return Registration("not measurable", None, (*registration.notes[1:], note))
    first, *others = registration.notes
    return registration._replace(notes=(f"{first[:-1]}, and {rest:.2f} px are left.", *others))


def offset_suspicion(read: Sequence[Chip], bands: Sequence[str], unit: str) -> tuple[str, ...]:
    """A note if one date's darkest ground lies 0.1 above the other's in every band: a processing offset left in.

    Nothing is subtracted: a flag that lies is as common as an offset left in, and the normalisation takes out what is
    added to all pixels.
    """
    if unit != "reflectance" or len(bands) < 2:
        return ()
    before, after = (np.concatenate([chip.thin[date].reshape(len(bands), -1) for chip in read], 1) for date in (0, 1))
    both = np.isfinite(before + after).all(axis=0)
    if np.count_nonzero(both) < 100:
        return ()
    dark = [np.percentile(date[:, both], _DARK_PERCENT, axis=1) for date in (before, after)]
    steps = dark[1] - dark[0]
    for sign, name in ((1, "AFTER"), (-1, "BEFORE")):
        if (np.abs(sign * steps - _OFFSET) <= _OFFSET_MARGIN).all():
            return (
                f"The darkest ground of {name} is about 0.1 brighter in every band, as if an offset of 1000 counts had "
                "been left in; nothing was subtracted.",
            )
    return ()


def _texture(band: Float, unit: str) -> Float:
    """What edges are looked for in: radar speckle is multiplicative, so its logarithm is taken."""
    if unit != "linear-power":
        return band
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(band > 0, np.log(band), np.float32(np.nan)).astype(np.float32)
