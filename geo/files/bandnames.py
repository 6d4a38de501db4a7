"""Band names of products, people and programs, translated to STAC common names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

SENTINEL2 = {
    "1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "rededge1", "6": "rededge2", "7": "rededge3",
    "8": "nir", "8a": "nir08", "9": "nir09", "10": "cirrus", "11": "swir16", "12": "swir22",
}  # fmt: skip
LANDSAT_OLI = {
    "1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "nir08", "6": "swir16", "7": "swir22",
    "8": "pan", "9": "cirrus", "10": "lwir11", "11": "lwir12",
}  # fmt: skip
LANDSAT_TM = {
    "1": "blue", "2": "green", "3": "red", "4": "nir08", "5": "swir16", "6": "lwir", "7": "swir22", "8": "pan",
}  # fmt: skip
FAMILIES = {"Sentinel-2": SENTINEL2, "Landsat 8/9": LANDSAT_OLI, "Landsat 4-7": LANDSAT_TM}

RADAR = frozenset({"vv", "vh", "hh", "hv"})
OPTICAL = frozenset(name for table in FAMILIES.values() for name in table.values()) | {"yellow", "green05", "rededge"}
COMMON = OPTICAL | RADAR
NOT_REFLECTANCE = frozenset({"lwir", "lwir11", "lwir12"})

_ALIASES = {
    "r": "red", "g": "green", "b": "blue", "n": "nir", "ir": "nir", "nearinfrared": "nir", "infrared": "nir",
    "nnir": "nir08", "narrownir": "nir08", "nira": "nir08", "nir2": "nir09", "watervapour": "nir09",
    "watervapor": "nir09", "wv": "nir09", "swir1": "swir16", "swir": "swir16", "swir2": "swir22",
    "coastalaerosol": "coastal", "aerosol": "coastal", "coastalblue": "coastal", "ultrablue": "coastal",
    "panchromatic": "pan", "re1": "rededge1", "re2": "rededge2", "re3": "rededge3", "re": "rededge",
    "vegetationrededge1": "rededge1", "thermal": "lwir11", "vegetationrededge2": "rededge2",
    "vegetationrededge3": "rededge3", "tir": "lwir11", "tirs1": "lwir11", "tirs2": "lwir12", "greeni": "green05",
}  # fmt: skip

_PHRASES = (
    (re.compile(r"red[ _-]edge ?"), "rededge"),
    (re.compile(r"near[ _-]?infra[ _-]?red"), "nir"),
    (re.compile(r"short[ _-]?wave[ _-]?infra[ _-]?red ?1|swir ?1"), "swir16"),
    (re.compile(r"short[ _-]?wave[ _-]?infra[ _-]?red ?2|swir ?2"), "swir22"),
)

MASKS = {
    "scl": "scl", "sceneclassification": "scl", "sceneclassificationmap": "scl", "qapixel": "qa_pixel",
    "pixelqa": "qa_pixel_c1", "fmask": "fmask", "mask": "mask", "qamask": "mask", "valid": "valid",
    "validmask": "valid", "validity": "valid", "datamask": "valid", "clear": "valid", "clearmask": "valid",
    "cloud": "cloud", "clouds": "cloud", "cloudmask": "cloud", "clm": "cloud", "cloudshadowmask": "cloud",
}  # fmt: skip

# Layers that products carry beside the image and that are no picture of the ground.
_AUXILIARY = re.compile(
    r"(sr)?aerosol(qa)?$|qa|radsat|cld|snw|snow|cloudprob|confidence|udm|aot|wvp|tci|angle|zenith|azimuth|incidence|"
    r"alpha|shadow|probability|class|label|dem|elevation"
)
_NUMBERED = re.compile(r"(?:sr|toa|boa|st|s2|l[4-9]|lc0?[89]|msi|oli|etm|tm|reflectance)?(?:b|band)0?(\d{1,2})(a?)$")
_HINTS = (
    (
        "Sentinel-2",
        re.compile(r"sentinel.?2|(?<![A-Z0-9])S2[ABCD]?_|MSIL[12][AC]|HLS\.S30|T\d\d[A-Z]{3}_\d{8}T", re.I),
    ),
    ("Landsat 8/9", re.compile(r"landsat.?[89]|(?<![A-Z0-9])L[CO]0?[89][_\d]|HLS\.L30|\bOLI(?:_TIRS)?\b", re.I)),
    ("Landsat 4-7", re.compile(r"landsat.?[4-7]|(?<![A-Z0-9])L[TE]0?[4-7][_\d]|\bETM\b", re.I)),
)


class Names(NamedTuple):
    """What the descriptions say: one common name a band (None = nothing said), masks by position, notes."""

    names: tuple[str | None, ...]
    masks: dict[int, str]
    auxiliary: tuple[int, ...]
    family: str | None
    notes: tuple[str, ...]


def translate(descriptions: Sequence[str | None], *, hint: str = "", gsd_m: float | None = None) -> Names:
    """Translate band descriptions to common names.

    Args:
        descriptions: one a band, None or empty where the file says nothing.
        hint: anything that may name the sensor: product name, tags.
        gsd_m: pixel size, which tells Landsat's `B4` from Sentinel-2's where nothing else does.

    Returns:
        Names, masks (position to kind), positions of layers that are no image, sensor family if one was used.

    >>> translate(["B02", "B03", "B8A", "SCL"]).names
    ('blue', 'green', 'nir08', None)
    >>> translate(["SR_B4", "SR_B5", "SR_B6", "SR_B7"]).names
    ('red', 'nir08', 'swir16', 'swir22')
    """
    plain = [_plain(text or "") for text in descriptions]
    numbers = {i: m.group(1) + m.group(2) for i, text in enumerate(plain) if (m := _NUMBERED.match(text))}
    family = next((family for family, pattern in _HINTS if pattern.search(hint)), None)
    notes: tuple[str, ...] = ()
    if family is None and numbers:
        family, notes = _family(descriptions, set(numbers.values()), gsd_m)
    names: list[str | None] = []
    masks: dict[int, str] = {}
    auxiliary = []
    for i, text in enumerate(plain):
        name = None
        if text in MASKS:
            masks[i] = MASKS[text]
        elif i in numbers and family:
            name = FAMILIES[family].get(numbers[i])
        else:
            name = _worded(descriptions[i] or "", text)
            if name is None and _AUXILIARY.search(text):
                auxiliary.append(i)
        names.append(name)
    return Names(tuple(names), masks, tuple(auxiliary), family, notes)


def _plain(text: str) -> str:
    """Letters and digits only, without a resolution at the end: `B8A_20m` becomes `b8a`."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"[_ ]\d+ ?m$", "", text.lower()))


def _worded(text: str, plain: str) -> str | None:
    """Common name of a description in words: `Red`, `VV gamma0 linear`, `Band 4 - Red`."""
    if plain in COMMON:
        return plain
    if plain in _ALIASES:
        return _ALIASES[plain]
    joined = text.lower()
    for phrase, word in _PHRASES:
        joined = phrase.sub(word, joined)
    words = re.findall(r"[a-z]+\d*", joined)
    for group in (RADAR, OPTICAL):
        found = {word for word in words if word in group}
        if len(found) == 1:
            return str(found.pop())
    return None


def _family(descriptions: Sequence[str | None], numbers: set[str], gsd_m: float | None) -> tuple[str, tuple[str, ...]]:
    """Whose numbering `B4` is, and a note where it had to be guessed."""
    said = " ".join(text or "" for text in descriptions)
    tm = {"1", "5", "7"} <= numbers and "6" not in numbers and not numbers & {"8a", "9", "10", "11", "12"}
    landsat = "Landsat 4-7" if tm else "Landsat 8/9"
    if re.search(r"\bsr_?b(and)?_?\d", said, re.I):
        return landsat, (f"Bands named SR_B… are read in the numbering of {landsat}.",)
    if numbers & {"8a", "12"} or re.search(r"\bB0\d", said):
        return "Sentinel-2", ()
    if gsd_m is not None and 25 <= gsd_m <= 35:
        return landsat, (f"Numbered bands with pixels of {gsd_m:.0f} m are read in the numbering of {landsat}.",)
    return "Sentinel-2", ("Numbered bands are read in the numbering of Sentinel-2.",)
