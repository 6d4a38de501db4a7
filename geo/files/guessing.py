"""What a file does not say about its numbers: each guess is a sentence for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.errors import InputError
from geo.files.bandnames import NOT_REFLECTANCE, OPTICAL, RADAR, translate
from geo.files.encoding import LAWS, Encoding

Array = NDArray[Any]
Numbers = float | Sequence[float] | None

_S2_12 = [
    "coastal",
    "blue",
    "green",
    "red",
    "rededge1",
    "rededge2",
    "rededge3",
    "nir",
    "nir08",
    "nir09",
    "swir16",
    "swir22",
]
LAYOUTS: Mapping[int, tuple[list[str], str]] = {
    4: (["blue", "green", "red", "nir"], "blue, green, red, near infrared"),
    6: (
        ["blue", "green", "red", "nir08", "swir16", "swir22"],
        "blue, green, red, near infrared and two short-wave infrared",
    ),
    7: (["coastal", "blue", "green", "red", "nir08", "swir16", "swir22"], "bands 1 to 7 of Landsat 8/9"),
    10: ([b for b in _S2_12 if b not in ("coastal", "nir09")], "the ten 10 m and 20 m bands of Sentinel-2"),
    12: (_S2_12, "the twelve bands of Sentinel-2 Level-2A"),
    13: ([*_S2_12[:10], "cirrus", *_S2_12[10:]], "the thirteen bands of Sentinel-2 Level-1C"),
}
"""Bands of a file without descriptions, by count, for numbers that can be reflectance."""

QUANTIFICATION = 10_000.0
LANDSAT_C2 = (2.75e-5, -0.2)
_MASKISH = re.compile(r"mask|valid", re.I)


@dataclass(frozen=True)
class Facts:
    """What the header says and a small sample shows; `values` is (band, pixel) and `corners` (corner, band, pixel)."""

    name: str
    dtype: str
    descriptions: tuple[str | None, ...]
    colours: tuple[str, ...]
    nodata: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    values: Array
    corners: Array
    hint: str = ""
    gsd_m: float | None = None
    dataset_mask: bool = False


@dataclass(frozen=True)
class Told:
    """What the user or a STAC item says; None = nothing."""

    bands: Sequence[str] | None = None
    scale: Numbers = None
    offset: Numbers = None
    nodata: Numbers = None
    law: str | None = None


@dataclass
class _Layout:
    """Positions (0-based) of the image bands with their names, of the mask and of alpha."""

    names: dict[int, str] = field(default_factory=dict)
    mask: int | None = None
    kind: str | None = None
    alpha: int | None = None
    family: str | None = None
    guessed: bool = False
    notes: list[str] = field(default_factory=list)


def guess_encoding(facts: Facts, told: Told) -> Encoding:
    """Return the reading rule of a file: what is told, else what the file says, else what its numbers suggest.

    Raises:
        InputError: what is told does not fit the file, or nothing in it is an image.
    """
    layout = _told_layout(facts, told.bands) if told.bands is not None else _file_layout(facts)
    if layout.mask is not None and layout.kind == "mask":
        layout.kind = _mask_sense(facts, layout)
    _keep_one_kind(layout)
    if not layout.names:
        raise InputError(f"{facts.name} holds no image band, only masks; name its bands with --bands.")
    at = sorted(layout.names)
    names = tuple(layout.names[i] for i in at)
    law, unit, scale, offset = _numbers(facts, told, layout, at)
    nodata, joint = _nodata(facts, told, layout, at, unit)
    return Encoding(
        bands=names,
        scale=scale,
        offset=offset,
        nodata=nodata,
        unit=unit,
        indexes=tuple(i + 1 for i in at),
        mask_index=None if layout.mask is None else layout.mask + 1,
        mask_kind=layout.kind,
        alpha_index=None if layout.alpha is None else layout.alpha + 1,
        notes=tuple(layout.notes),
        law=law,
        joint=joint,
        dataset_mask=facts.dataset_mask,
    )


def _told_layout(facts: Facts, bands: Sequence[str]) -> _Layout:
    """Names given for all bands of the file, in order; `-` leaves a band out."""
    count = len(facts.descriptions)
    if len(bands) != count:
        raise InputError(f"{facts.name} has {count} bands, but {len(bands)} names are given ({', '.join(bands)}).")
    said = translate([None if b in ("-", "") else b for b in bands], hint=facts.hint, gsd_m=facts.gsd_m)
    layout = _Layout(family=said.family, notes=list(said.notes))
    for i, band in enumerate(bands):
        if i in said.masks:
            layout.mask, layout.kind = i, said.masks[i]
        elif band.lower() == "alpha":
            layout.alpha = i
        elif band not in ("-", ""):
            layout.names[i] = said.names[i] or band.lower()
    return _distinct(layout)


def _file_layout(facts: Facts) -> _Layout:
    """Names by the file's descriptions, else its colours, else the number and type of its bands."""
    said = translate(facts.descriptions, hint=facts.hint, gsd_m=facts.gsd_m)
    layout = _Layout(family=said.family, notes=list(said.notes))
    for i, kind in said.masks.items():
        if layout.mask is None or (kind == "scl" and layout.kind != "scl"):
            layout.mask, layout.kind = i, kind
    if "alpha" in facts.colours:
        layout.alpha = facts.colours.index("alpha")
    aside = {*said.masks, *said.auxiliary, layout.alpha}
    if said.auxiliary:
        listed = ", ".join(facts.descriptions[i] or "" for i in said.auxiliary)
        layout.notes.append(f"Layers that are no image are left out: {listed}.")
    image = [i for i in range(len(facts.descriptions)) if i not in aside]
    if any(said.names[i] for i in image):
        layout.names = {i: said.names[i] or f"b{i + 1}" for i in image}
        unknown = [facts.descriptions[i] or f"band {i + 1}" for i in image if not said.names[i]]
        if unknown:
            layout.notes.append(f"Bands without a known name are kept as numbers: {', '.join(unknown)}.")
    else:
        _by_count(facts, layout, image)
    return _distinct(layout)


def _by_count(facts: Facts, layout: _Layout, image: list[int]) -> None:
    """Name bands that nothing names."""
    layout.guessed = True
    colours = [facts.colours[i] for i in image]
    if [c for c in colours if c in ("red", "green", "blue")] == colours and len(set(colours)) == len(colours) > 1:
        layout.names = dict(zip(image, colours, strict=True))
        layout.guessed = False
        return
    names: list[str] | None = None
    if len(image) == 3:
        names, words = ["red", "green", "blue"], "red, green, blue"
    elif len(image) == 4 and facts.dtype == "uint8":
        names, words = ["red", "green", "blue", "nir"], "red, green, blue, near infrared (as in aerial photographs)"
    elif facts.dtype != "uint8" and len(image) in LAYOUTS:
        names, words = LAYOUTS[len(image)]
    if names is None:
        names = [f"b{i + 1}" for i in image]
        if len(image) > 1:
            layout.notes.append(f"Nothing names the {len(image)} bands; they are numbered.")
    else:
        layout.notes.append(f"Nothing names the {len(image)} bands; they are taken as {words}.")
    layout.names = dict(zip(image, names, strict=True))


def _distinct(layout: _Layout) -> _Layout:
    """No two bands may share a name: a later one becomes a number."""
    seen: set[str] = set()
    for i in sorted(layout.names):
        if layout.names[i] in seen:
            layout.notes.append(f"Band {i + 1} repeats the name {layout.names[i]} and is kept as b{i + 1}.")
            layout.names[i] = f"b{i + 1}"
        seen.add(layout.names[i])
    return layout


def _keep_one_kind(layout: _Layout) -> None:
    """One file, one unit: radar or thermal bands beside optical ones are left out, and said so."""
    names = layout.names
    if not any(n in OPTICAL - NOT_REFLECTANCE for n in names.values()):
        return
    out = {i: n for i, n in names.items() if n in RADAR or n in NOT_REFLECTANCE}
    if out:
        layout.names = {i: n for i, n in names.items() if i not in out}
        layout.notes.append(f"Bands of another unit are left out beside the optical ones: {', '.join(out.values())}.")


def _numbers(
    facts: Facts, told: Told, layout: _Layout, at: list[int]
) -> tuple[str, str, tuple[float, ...], tuple[float, ...]]:
    """Law, unit, scale and offset of the image bands."""
    names = [layout.names[i] for i in at]
    law = told.law or "linear"
    if law not in LAWS:
        raise InputError(f"{facts.name}: the law of its numbers is one of {', '.join(LAWS)}, not {law}.")
    radar = any(n in RADAR for n in names)
    reflective = layout.family is not None or any(n in OPTICAL and n not in ("red", "green", "blue") for n in names)
    unit = "linear-power" if radar else "value"
    scales, offsets = [facts.scales[i] for i in at], [facts.offsets[i] for i in at]
    tagged = any(s != 1 for s in scales) or any(o != 0 for o in offsets)
    if told.scale is not None or told.offset is not None:
        scale = _each(told.scale, 1.0, len(at), facts.name, "scale")
        offset = _each(told.offset, 0.0, len(at), facts.name, "offset")
        return law, _unit_of(facts, unit, at, scale, offset), scale, offset
    if tagged and all(np.isfinite([*scales, *offsets])) and all(scales):
        return law, _unit_of(facts, unit, at, tuple(scales), tuple(offsets)), tuple(scales), tuple(offsets)
    if radar:
        law, factor = _radar_law(facts, layout, at, told.law)
        return law, unit, (factor,) * len(at), (0.0,) * len(at)
    unit, factor, shift, note = _optical_law(facts, layout, at, reflective)
    if note:
        layout.notes.append(note)
    return law, unit, (factor,) * len(at), (shift,) * len(at)


def _unit_of(facts: Facts, unit: str, at: list[int], scale: tuple[float, ...], offset: tuple[float, ...]) -> str:
    """`reflectance` where a stated scale brings the sample to reflectance."""
    values = _percentile(_image(facts, at), 50)
    if unit == "linear-power" or values is None or facts.dtype == "uint8":
        return unit
    return "reflectance" if -0.2 <= values * scale[0] + offset[0] <= 1.6 else unit


def _radar_law(facts: Facts, layout: _Layout, at: list[int], law: str | None) -> tuple[str, float]:
    """Radar numbers: decibel shows itself by being negative; anything else that is no float stays as it is."""
    values = _image(facts, at)
    middle = _percentile(values, 50)
    floating = facts.dtype.startswith("float")
    if law is not None:
        return law, 1.0
    if middle is not None and middle < 0:
        factor = 1.0 if floating or middle > -100 else 0.01
        unit = "decibels" if factor == 1 else "hundredths of a decibel"
        layout.notes.append(f"Negative radar numbers are read as {unit}.")
        return "decibel", factor
    if not floating:
        layout.notes.append("Radar numbers of an unknown scaling are used as they are; state their law and scale.")
    return "linear", 1.0


def _optical_law(facts: Facts, layout: _Layout, at: list[int], reflective: bool) -> tuple[str, float, float, str]:
    """Unit, scale, offset and note for optical or unnamed numbers without stated scale."""
    values = _image(facts, at)
    low, middle, high = (_percentile(values, q) for q in (5, 50, 99))
    if facts.dtype == "uint8":
        return "value", 1 / 255, 0.0, ""
    if low is None or middle is None or high is None:
        factor = 1.0 if facts.dtype.startswith("float") else 1 / QUANTIFICATION
        return ("reflectance" if reflective or layout.guessed else "value"), factor, 0.0, ""
    if facts.dtype.startswith("float"):
        return _float_law(reflective or layout.guessed, high)
    if layout.family in ("Landsat 8/9", "Landsat 4-7") and facts.dtype == "uint16" and low > 5000:
        text = "Landsat Collection 2 numbers: reflectance = number x 0.0000275 - 0.2."
        return "reflectance", *LANDSAT_C2, text
    if high <= 255 and not reflective and len(at) <= 4:
        return "value", 1 / 255, 0.0, "Whole numbers up to 255 are read as display values 0-1."
    spectral = reflective or (layout.guessed and len(at) in LAYOUTS)
    if not spectral:
        factor = 1 / 65535 if high > 30_000 else 1 / QUANTIFICATION
        return "value", factor, 0.0, f"Whole numbers of unknown scale are divided by {1 / factor:.0f}."
    shift, extra = _baseline(facts, values)
    return "reflectance", 1 / QUANTIFICATION, shift, f"Whole numbers are read as reflectance x 10000{extra}."


def _float_law(reflective: bool, high: float) -> tuple[str, float, float, str]:
    if high <= 2:
        return ("reflectance" if reflective else "value"), 1.0, 0.0, ""
    if high <= 255.5:
        return "value", 1 / 255, 0.0, "Decimal numbers up to 255 are read as display values 0-1."
    unit = "reflectance" if reflective else "value"
    return unit, 1 / QUANTIFICATION, 0.0, "Decimal numbers far above 1 are divided by 10000."


def _baseline(facts: Facts, values: Array) -> tuple[float, str]:
    """The 1000 that ESA adds to Level-1C/2A numbers since processing baseline 04.00, if the pixels show it too."""
    match = re.search(r"MSIL[12][AC]_\d{8}T\d{6}_N(\d{4})", facts.hint)
    if not match or int(match.group(1)) < 400:
        return 0.0, ""
    if values.size and float(np.mean(values < 500)) > 0.01:
        return 0.0, " (its processing baseline adds 1000, but the pixels show that this was taken off already)"
    return -0.1, ", less the 1000 that its processing baseline adds"


def _nodata(
    facts: Facts, told: Told, layout: _Layout, at: list[int], unit: str
) -> tuple[tuple[float | None, ...], bool]:
    """Stored values that mean no data, and whether only jointly."""
    if told.nodata is not None:
        return tuple(_each(told.nodata, 0.0, len(at), facts.name, "nodata")), False
    declared = [facts.nodata[i] for i in at]
    if any(value is not None for value in declared):
        return tuple(declared), False
    if facts.dataset_mask or layout.alpha is not None:
        return (None,) * len(at), False
    if facts.dtype == "uint16" and unit == "reflectance":
        layout.notes.append("0 is read as no data, as both Sentinel-2 and Landsat define it.")
        return (0.0,) * len(at), False
    guess = _collar(facts, at)
    if guess is None:
        return (None,) * len(at), False
    layout.notes.append(f"{guess:g} in all bands at once is read as no data.")
    return (guess,) * len(at), True


def _collar(facts: Facts, at: list[int]) -> float | None:
    """A value that fills all bands where a scene does not reach, or None."""
    values, corners = facts.values[at], facts.corners[:, at]
    if facts.dtype in ("uint8", "float32", "float64") and corners.size:
        full = [c for c in corners if np.all(c == 0)]
        if full and not np.all(values == 0):
            return 0.0
    if facts.dtype == "uint8" or not values.size:
        return None
    for candidate in (-9999, -32768, -1, 0) if facts.dtype.startswith("int") else (-9999, -999, -32768):
        if np.any(np.all(values == candidate, axis=0)) and (candidate != -1 or len(at) > 1):
            return float(candidate)
    if facts.dtype == "uint16" and np.any(np.all(values == 0, axis=0)):
        return 0.0
    return None


def _mask_sense(facts: Facts, layout: _Layout) -> str:
    """Whether the non-zeros of a band called `mask` are the good pixels or the bad ones.

    255 marks the good ones, as in GDAL. Otherwise the side that is brighter is cloud; without contrast, the side
    that leaves more of the image wins.
    """
    assert layout.mask is not None  # noqa: S101 - the caller looked
    mask = facts.values[layout.mask]
    image = _image(facts, sorted(layout.names), flat=False)
    marked = mask != 0
    kind = "valid"
    if mask.size and mask.max() != 255:
        share = float(marked.mean())
        on, off = (_percentile(image[:, side], 50) for side in (marked, ~marked))
        if on is not None and off is not None and min(on, off) > 0 and max(on / off, off / on) > 1.3:
            kind = "cloud" if on > off else "valid"
        else:
            kind = "valid" if share >= 0.5 else "cloud"
    sense = "usable" if kind == "valid" else "cloud"
    layout.notes.append(f"Non-zeros of the band “{facts.descriptions[layout.mask] or 'mask'}” are read as {sense}.")
    return kind


def _image(facts: Facts, at: list[int], *, flat: bool = True) -> Array:
    """Sampled values of image bands without those that mean no data (as float, NaN there if not flat)."""
    values = facts.values[at].astype(np.float64)
    for row, i in enumerate(at):
        if facts.nodata[i] is not None:
            values[row][values[row] == facts.nodata[i]] = np.nan
    if facts.dtype in ("uint16", "uint32") or not facts.dtype.startswith("u"):
        values[:, np.all(facts.values[at] == 0, axis=0)] = np.nan
    values[~np.isfinite(values) | np.isin(values, (-9999, -32768))] = np.nan
    return values[np.isfinite(values)] if flat else values


def _percentile(values: Array, q: float) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.percentile(finite, q)) if finite.size else None


def _each(told: Numbers, default: float, count: int, name: str, what: str) -> tuple[float, ...]:
    """One number a band from one number or a list."""
    if told is None:
        return (default,) * count
    numbers = [float(told)] * count if isinstance(told, int | float) else [float(v) for v in told]
    if len(numbers) != count:
        raise InputError(f"{name} has {count} image bands, but {len(numbers)} values of {what} are given.")
    if what != "nodata" and not all(np.isfinite(numbers)):
        raise InputError(f"{name}: {what} must be finite numbers.")
    return tuple(numbers)
