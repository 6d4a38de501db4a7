"""What a file does not say about its numbers: each guess is a sentence for the report."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from geo.errors import InputError
from geo.files.bandnames import OPTICAL, RADAR
from geo.files.encoding import LAWS, Encoding
from geo.files.facts import Array, Facts, Numbers, Told, percentile
from geo.files.layouts import BY_COUNT, Layout, lay_out

QUANTIFICATION = 10_000.0
LANDSAT_C2 = (2.75e-5, -0.2)
"""Scale and offset of Landsat Collection 2 surface reflectance (USGS LSDS-1619)."""


class _Units(NamedTuple):
    """Law, unit, and scale and offset of each image band."""

    law: str
    unit: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]


def guess_encoding(facts: Facts, told: Told) -> Encoding:
    """Return the reading rule of a file: what is told, else what the file says, else what its numbers suggest.

    Raises:
        InputError: what is told does not fit the file, or nothing in it is an image.
    """
    layout = lay_out(facts, told.bands)
    at = sorted(layout.names)
    units = _units(facts, told, layout, at)
    nodata, joint = _nodata(facts, told, layout, at, units.unit)
    return Encoding(
        bands=tuple(layout.names[i] for i in at),
        scale=units.scale,
        offset=units.offset,
        nodata=nodata,
        unit=units.unit,
        indexes=tuple(i + 1 for i in at),
        mask_index=None if layout.mask is None else layout.mask + 1,
        mask_kind=layout.kind,
        alpha_index=None if layout.alpha is None else layout.alpha + 1,
        notes=tuple(layout.notes),
        law=units.law,
        joint=joint,
        dataset_mask=facts.dataset_mask,
    )


def _units(facts: Facts, told: Told, layout: Layout, at: list[int]) -> _Units:
    """What is told, else what the tags say, else a guess."""
    if told.law is not None and told.law not in LAWS:
        raise InputError(f"{facts.name}: the law of its numbers is one of {', '.join(LAWS)}, not {told.law}.")
    radar = any(name in RADAR for name in layout.names.values())
    law = told.law or "linear"
    scale = tuple(facts.scales[i] for i in at)
    offset = tuple(facts.offsets[i] for i in at)
    stated = set(scale) != {1.0} or set(offset) != {0.0}
    if told.scale is not None or told.offset is not None:
        scale = _each(told.scale, 1.0, facts, at, "scale")
        offset = _each(told.offset, 0.0, facts, at, "offset")
    elif not (stated and np.all(np.isfinite([*scale, *offset])) and all(scale)):
        if radar:
            return _radar(facts, told.law, layout, at)
        unit, factor, shift, note = _optical(facts, layout, at)
        layout.notes.extend([note] if note else [])
        return _Units(law, unit, (factor,) * len(at), (shift,) * len(at))
    return _Units(law, "linear-power" if radar else _stated_unit(facts, layout, at, scale, offset), scale, offset)


def _stated_unit(
    facts: Facts, layout: Layout, at: list[int], scale: tuple[float, ...], offset: tuple[float, ...]
) -> str:
    """`reflectance` where a stated scale brings the sample to the range of reflectance."""
    middle = percentile(facts.honest(at), 50)
    if facts.dtype == "uint8" or not _spectral(layout):
        return "value"
    return "reflectance" if middle is None or -0.2 <= middle * scale[0] + offset[0] <= 1.6 else "value"


def _spectral(layout: Layout) -> bool:
    """True where something says that the bands are those of a multispectral instrument."""
    names = set(layout.names.values())
    return layout.family is not None or bool(names & (OPTICAL - {"red", "green", "blue", "pan"}))


def _radar(facts: Facts, law: str | None, layout: Layout, at: list[int]) -> _Units:
    """Radar numbers: decibels show themselves by being negative; anything else stays as it is."""
    factor = 1.0
    middle = percentile(facts.honest(at), 50)
    if law is None and middle is not None and middle < 0:
        law, factor = "decibel", 0.01 if not facts.floating and middle < -100 else 1.0
        layout.notes.append(f"Negative radar numbers are read as decibels{' x 100' if factor != 1 else ''}.")
    elif law is None and not facts.floating:
        layout.notes.append("Radar numbers of an unknown scaling are used as they are; state their law and scale.")
    return _Units(law or "linear", "linear-power", (factor,) * len(at), (0.0,) * len(at))


def _optical(facts: Facts, layout: Layout, at: list[int]) -> tuple[str, float, float, str]:
    """Unit, scale, offset and note for optical or unnamed numbers without a stated scale."""
    if facts.dtype == "uint8":
        return "value", 1 / 255, 0.0, ""
    values = facts.honest(at)
    # Nothing but no data: any reading is as good as another.
    low, high = percentile(values, 5) or 0.0, percentile(values, 99) or 0.0
    unit = "reflectance" if _spectral(layout) or (layout.guessed and len(at) in BY_COUNT) else "value"
    if facts.floating:
        return _decimal(unit, high)
    if _landsat(facts, layout) and facts.dtype == "uint16" and low > 5000:
        text = "Landsat Collection 2 numbers: reflectance = number x 0.0000275 - 0.2."
        return "reflectance", *LANDSAT_C2, text
    if unit == "value":
        top = 255 if high <= 255 else 65535 if high > 30_000 else QUANTIFICATION
        return "value", 1 / top, 0.0, f"Whole numbers of unknown scale are divided by {top:.0f}."
    shift, extra = _baseline(facts, values)
    return "reflectance", 1 / QUANTIFICATION, shift, f"Whole numbers are read as reflectance x 10000{extra}."


def _landsat(facts: Facts, layout: Layout) -> bool:
    """True for Landsat by name, or by its pixel size and narrow near infrared."""
    if layout.family is not None:
        return layout.family.startswith("Landsat")
    names = set(layout.names.values())
    return facts.gsd_m is not None and 25 <= facts.gsd_m <= 35 and "nir08" in names and "nir" not in names


def _decimal(unit: str, high: float) -> tuple[str, float, float, str]:
    """Decimal numbers: reflectance as it is, unless they go far beyond it."""
    if high <= 2:
        return unit, 1.0, 0.0, ""
    if high <= 255.5:
        return "value", 1 / 255, 0.0, "Decimal numbers up to 255 are read as display values 0-1."
    return unit, 1 / QUANTIFICATION, 0.0, "Decimal numbers far above 1 are divided by 10000."


def _baseline(facts: Facts, values: Array) -> tuple[float, str]:
    """The 1000 that ESA adds to Sentinel-2 numbers since processing baseline 04.00, if the pixels show it too."""
    match = re.search(r"MSIL[12][AC]_\d{8}T\d{6}_N(\d{4})", facts.hint)
    if not match or int(match.group(1)) < 400:
        return 0.0, ""
    finite = values[np.isfinite(values)]
    if finite.size and float(np.mean(finite < 500)) > 0.01:
        return 0.0, " (its processing baseline adds 1000, but the pixels show that this was taken off already)"
    return -0.1, ", less the 1000 that its processing baseline adds"


def _nodata(
    facts: Facts, told: Told, layout: Layout, at: list[int], unit: str
) -> tuple[tuple[float | None, ...], bool]:
    """Stored values that mean no data, and whether only jointly."""
    if told.nodata is not None:
        return tuple(_each(told.nodata, 0.0, facts, at, "nodata")), False
    if any(facts.nodata[i] is not None for i in at):
        # NaN needs no declaration: it is never data.
        return tuple(None if v is None or np.isnan(v) else v for v in (facts.nodata[i] for i in at)), False
    nothing: tuple[float | None, ...] = (None,) * len(at)
    if facts.dataset_mask or layout.alpha is not None:
        return nothing, False
    if facts.dtype == "uint16" and unit == "reflectance":
        layout.notes.append("0 is read as no data, as both Sentinel-2 and Landsat define it.")
        return (0.0,) * len(at), False
    guess = _collar(facts, at)
    if guess is None:
        return nothing, False
    layout.notes.append(f"{guess:g} in all bands at once is read as no data.")
    return (guess,) * len(at), True


def _collar(facts: Facts, at: list[int]) -> float | None:
    """A value that fills all bands where a scene does not reach, or None."""
    values, corners = facts.values[at], facts.corners[:, at]
    signed = facts.dtype.startswith("int")
    candidates = (-9999.0, -32768.0, -1.0, 0.0) if signed else (-9999.0, -999.0, -32768.0) if facts.floating else ()
    for candidate in candidates:
        several = len(at) > 1 or candidate < -1
        if several and np.any(np.all(values == candidate, axis=0)):
            return candidate
    if facts.dtype == "uint16" and np.any(np.all(values == 0, axis=0)):
        return 0.0
    # Black is also a colour: only an image whose corner is black through and through has a collar.
    black = not signed and any(np.all(corner == 0) for corner in corners)
    return 0.0 if black and not np.all(values == 0) else None


def _each(told: Numbers, default: float, facts: Facts, at: list[int], what: str) -> tuple[float, ...]:
    """One number an image band: from one number, one a band of the file, or one an image band."""
    if told is None:
        return (default,) * len(at)
    numbers = (float(told),) * len(at) if isinstance(told, int | float) else tuple(float(v) for v in told)
    if len(numbers) == len(facts.descriptions):
        numbers = tuple(numbers[i] for i in at)
    if len(numbers) != len(at):
        raise InputError(f"{facts.name} has {len(at)} image bands, but {len(numbers)} values of {what} are given.")
    if what != "nodata" and not np.all(np.isfinite(numbers)):
        raise InputError(f"{facts.name}: {what} must be finite.")
    return numbers
