"""Which band of a file is what: image, mask, alpha, or something to leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from geo.errors import InputError
from geo.files.bandnames import NOT_REFLECTANCE, OPTICAL, RADAR, SENTINEL2, Names, translate
from geo.files.facts import Facts, percentile

_TWELVE = [name for name in SENTINEL2.values() if name != "cirrus"]
_TEN = [name for name in _TWELVE if name not in ("coastal", "nir09")]
_FOUR = ["blue", "green", "red", "nir"]
_SIX = ["blue", "green", "red", "nir08", "swir16", "swir22"]

BY_COUNT: Mapping[int, tuple[list[str], str]] = {
    4: (_FOUR, "blue, green, red, near infrared"),
    6: (_SIX, "blue, green, red, near infrared and two short-wave infrared"),
    7: (["coastal", *_SIX], "bands 1 to 7 of Landsat 8/9"),
    10: (_TEN, "the ten 10 m and 20 m bands of Sentinel-2"),
    12: (_TWELVE, "the twelve bands of Sentinel-2 Level-2A"),
    13: (list(SENTINEL2.values()), "the thirteen bands of Sentinel-2 Level-1C"),
}
"""Bands of a file that names none, by count, for numbers that can be reflectance."""


@dataclass
class Layout:
    """Bands by position (0-based): image bands with their names, mask with its kind, alpha.

    `family` is the sensor family if something says it, `guessed` is True where only the count names the bands, and
    `notes` collects a sentence for every guess.
    """

    names: dict[int, str] = field(default_factory=dict)
    mask: int | None = None
    kind: str | None = None
    alpha: int | None = None
    family: str | None = None
    guessed: bool = False
    notes: list[str] = field(default_factory=list)


def lay_out(facts: Facts, told: Sequence[str] | None) -> Layout:
    """Return what each band is: as told, else by description, colour, or number and type of the bands.

    Raises:
        InputError: the names told do not fit the file, or no band is an image.
    """
    layout = _as_told(facts, told) if told is not None else _as_described(facts)
    _name_once(layout)
    _keep_one_unit(layout)
    if not layout.names:
        raise InputError(f"{facts.name} holds no image band, only masks; name its bands with --bands.")
    if layout.mask is not None and layout.kind == "mask":
        layout.kind = _sense_of_mask(facts, layout, layout.mask)
    return layout


def _as_told(facts: Facts, bands: Sequence[str]) -> Layout:
    """Names given for all bands of the file, in order; `-` leaves a band out."""
    count = len(facts.descriptions)
    if len(bands) != count:
        raise InputError(f"{facts.name} has {count} bands, but {len(bands)} names are given ({', '.join(bands)}).")
    used = [None if band in ("-", "", "alpha") else band for band in bands]
    said = translate(used, hint=facts.hint, gsd_m=facts.gsd_m)
    layout = _started(said)
    layout.alpha = list(bands).index("alpha") if "alpha" in bands else None
    layout.names = {
        i: said.names[i] or band.lower() for i, band in enumerate(used) if band is not None and i not in said.masks
    }
    return layout


def _as_described(facts: Facts) -> Layout:
    """Names by the file's descriptions, else its colours, else the number and type of its bands."""
    said = translate(facts.descriptions, hint=facts.hint, gsd_m=facts.gsd_m)
    layout = _started(said)
    layout.alpha = _alpha(facts, said.names)
    aside = {*said.masks, *said.auxiliary, layout.alpha}
    image = [i for i in range(len(facts.descriptions)) if i not in aside]
    if said.auxiliary and image:
        listed = ", ".join(facts.descriptions[i] or "" for i in said.auxiliary)
        layout.notes.append(f"Layers that are no image are left out: {listed}.")
    image = image or list(said.auxiliary)
    if any(said.names[i] for i in image):
        layout.names = {i: said.names[i] or f"b{i + 1}" for i in image}
        unknown = [facts.descriptions[i] or f"band {i + 1}" for i in image if not said.names[i]]
        if unknown:
            layout.notes.append(f"Bands without a known name are kept as numbers: {', '.join(unknown)}.")
    else:
        _by_count(facts, layout, image)
    return layout


def _started(said: Names) -> Layout:
    layout = Layout(family=said.family, notes=list(said.notes))
    for i, kind in said.masks.items():
        if layout.mask is None or kind == "scl":
            layout.mask, layout.kind = i, kind
    return layout


def _alpha(facts: Facts, names: Sequence[str | None]) -> int | None:
    """Position of a true alpha band: GDAL marks any fourth 8-bit band as alpha, near infrared too."""
    for i, colour in enumerate(facts.colours):
        if colour == "alpha" and names[i] is None and np.mean(np.isin(facts.values[i], (0, 255, 65535))) > 0.95:
            return i
    return None


def _by_count(facts: Facts, layout: Layout, image: list[int]) -> None:
    """Name bands that no description names."""
    colours = [facts.colours[i] for i in image]
    if len(image) == 3 and set(colours) == {"red", "green", "blue"}:
        layout.names = dict(zip(image, colours, strict=True))
        return
    layout.guessed = True
    names, words = [f"b{i + 1}" for i in image], ""
    if len(image) == 3:
        names, words = ["red", "green", "blue"], "red, green, blue"
    elif len(image) == 4 and facts.dtype == "uint8":
        names, words = ["red", "green", "blue", "nir"], "red, green, blue, near infrared (as in aerial photographs)"
    elif facts.dtype != "uint8" and len(image) in BY_COUNT:
        names, words = BY_COUNT[len(image)]
    layout.names = dict(zip(image, names, strict=True))
    if words:
        layout.notes.append(f"Nothing names the {len(image)} bands; they are taken as {words}.")
    elif len(image) > 1:
        layout.notes.append(f"Nothing names the {len(image)} bands; they are numbered.")


def _name_once(layout: Layout) -> None:
    """No two bands may share a name: a later one becomes a number."""
    seen: set[str] = set()
    for i in sorted(layout.names):
        if layout.names[i] in seen:
            layout.notes.append(f"Band {i + 1} repeats the name {layout.names[i]} and is kept as b{i + 1}.")
            layout.names[i] = f"b{i + 1}"
        seen.add(layout.names[i])


def _keep_one_unit(layout: Layout) -> None:
    """One file, one unit: radar or thermal bands beside optical ones are left out, and said so."""
    if not any(name in OPTICAL - NOT_REFLECTANCE for name in layout.names.values()):
        return
    out = {i: name for i, name in layout.names.items() if name in RADAR | NOT_REFLECTANCE}
    if out:
        layout.names = {i: name for i, name in layout.names.items() if i not in out}
        layout.notes.append(f"Bands of another unit are left out beside the optical ones: {', '.join(out.values())}.")


def _sense_of_mask(facts: Facts, layout: Layout, mask: int) -> str:
    """Whether the non-zeros of a band called just `mask` are the good pixels (`valid`) or the bad ones (`cloud`).

    255 marks the good ones, as in GDAL. Otherwise the side that is clearly brighter is cloud; without contrast, the
    side that leaves more of the image wins.
    """
    marked = facts.values[mask] != 0
    kind = "valid"
    if marked.size and facts.values[mask].max() != 255:
        image = facts.honest(sorted(layout.names))
        on, off = percentile(image[:, marked], 50), percentile(image[:, ~marked], 50)
        if on is not None and off is not None and min(on, off) > 0 and max(on / off, off / on) > 1.3:
            kind = "cloud" if on > off else "valid"
        else:
            kind = "valid" if marked.mean() >= 0.5 else "cloud"
    sense = "usable" if kind == "valid" else "cloud"
    layout.notes.append(f"Non-zeros of the band “{facts.descriptions[mask] or 'mask'}” are read as {sense}.")
    return kind
