"""What each kind of ground looks like by age and wetness: ten optical bands and two radar polarisations.

Reflectances are plausible surface values for Sentinel-2's bands, of the size found in open spectral libraries; they are
made up for the simulator and calibrate nothing. Radar values are gamma nought in decibel at C-band.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BANDS = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22")
WAVELENGTH_UM = np.array([0.492, 0.560, 0.665, 0.704, 0.741, 0.783, 0.833, 0.865, 1.614, 2.202])

Vector = NDArray[np.float64]


class Look(NamedTuple):
    """One kind at one age: reflectance (10,), texture of brightness and of greenness, (VV, VH) in decibel."""

    reflectance: Vector
    rough: float
    patchy: float
    radar_db: tuple[float, float]


Maker = Callable[[int, float, float], Look]


def _s(*values: float) -> Vector:
    return np.array(values)


# blue, green, red, rededge1-3, nir, nir08, swir16, swir22
_PURE: dict[str, Vector] = {
    "palm_wet": _s(0.024, 0.052, 0.027, 0.076, 0.245, 0.315, 0.335, 0.345, 0.150, 0.064),
    "palm_dry": _s(0.028, 0.053, 0.034, 0.082, 0.225, 0.285, 0.305, 0.315, 0.172, 0.082),
    "young": _s(0.034, 0.074, 0.040, 0.110, 0.290, 0.365, 0.385, 0.395, 0.205, 0.095),
    "forest": _s(0.021, 0.043, 0.022, 0.066, 0.225, 0.285, 0.300, 0.312, 0.132, 0.055),
    "grass_wet": _s(0.040, 0.082, 0.056, 0.125, 0.265, 0.320, 0.340, 0.350, 0.235, 0.122),
    "grass_dry": _s(0.066, 0.096, 0.112, 0.160, 0.215, 0.240, 0.260, 0.275, 0.320, 0.215),
    "crop": _s(0.030, 0.066, 0.034, 0.105, 0.300, 0.375, 0.395, 0.400, 0.195, 0.088),
    "ripe": _s(0.058, 0.095, 0.112, 0.160, 0.240, 0.275, 0.295, 0.305, 0.290, 0.175),
    "stubble": _s(0.082, 0.116, 0.148, 0.180, 0.212, 0.232, 0.252, 0.268, 0.355, 0.262),
    "soil_dry": _s(0.062, 0.104, 0.180, 0.208, 0.228, 0.242, 0.258, 0.272, 0.365, 0.305),
    "soil_wet": _s(0.042, 0.068, 0.116, 0.136, 0.150, 0.160, 0.170, 0.178, 0.215, 0.165),
    "debris": _s(0.052, 0.076, 0.098, 0.130, 0.172, 0.192, 0.212, 0.228, 0.320, 0.232),
    "burnt": _s(0.031, 0.036, 0.041, 0.047, 0.055, 0.062, 0.071, 0.078, 0.120, 0.125),
    "dirt": _s(0.084, 0.132, 0.205, 0.228, 0.245, 0.256, 0.270, 0.282, 0.360, 0.310),
    "gravel": _s(0.125, 0.160, 0.198, 0.212, 0.224, 0.232, 0.240, 0.248, 0.300, 0.270),
    "concrete": _s(0.205, 0.240, 0.268, 0.278, 0.285, 0.290, 0.295, 0.300, 0.315, 0.285),
    "asphalt": _s(0.072, 0.082, 0.092, 0.097, 0.102, 0.106, 0.110, 0.114, 0.140, 0.130),
    "roof_white": _s(0.430, 0.450, 0.455, 0.455, 0.455, 0.455, 0.455, 0.450, 0.400, 0.350),
    "roof_zinc": _s(0.285, 0.300, 0.305, 0.308, 0.310, 0.312, 0.315, 0.318, 0.330, 0.300),
    "roof_blue": _s(0.235, 0.185, 0.115, 0.112, 0.135, 0.170, 0.205, 0.225, 0.275, 0.250),
    "roof_red": _s(0.062, 0.074, 0.215, 0.255, 0.272, 0.282, 0.292, 0.300, 0.300, 0.255),
    "roof_old": _s(0.072, 0.086, 0.120, 0.138, 0.152, 0.162, 0.175, 0.185, 0.235, 0.205),
    "water": _s(0.052, 0.064, 0.050, 0.042, 0.026, 0.022, 0.018, 0.016, 0.007, 0.004),
    "river": _s(0.058, 0.084, 0.088, 0.078, 0.046, 0.042, 0.036, 0.031, 0.011, 0.007),
    "mud": _s(0.066, 0.090, 0.120, 0.130, 0.138, 0.143, 0.150, 0.154, 0.135, 0.085),
}

_RADAR: dict[str, tuple[float, float]] = {
    "palm": (-7.2, -12.8), "forest": (-7.0, -12.6), "young": (-9.0, -14.8), "grass": (-11.0, -18.0),
    "crop": (-9.5, -15.5), "soil": (-12.0, -21.0), "debris": (-9.0, -16.5), "dirt": (-13.0, -21.5),
    "concrete": (-14.5, -23.0), "asphalt": (-16.0, -25.0), "roof": (-5.5, -15.5), "water": (-21.0, -28.0),
    "shell": (-3.5, -14.0), "wall": (-6.0, -16.0), "mud": (-13.5, -22.0),
}  # fmt: skip


def look(kind: str, age_days: int, wet: float, vigour: float = 1.0) -> Look:
    """Return how `kind` looks `age_days` after it came, the ground being `wet` (0 dry season, 1 monsoon).

    Raises ValueError for a kind that nobody described.
    """
    maker = _MAKERS.get(kind)
    if maker is None:
        raise ValueError(f"the simulator does not know the ground {kind!r}")
    return maker(age_days, min(max(wet, 0.0), 1.0), vigour)


def _soil(wet: float) -> Vector:
    return _mix(_PURE["soil_dry"], _PURE["soil_wet"], 0.75 * wet)


def _grass(wet: float) -> Vector:
    return _mix(_PURE["grass_dry"], _PURE["grass_wet"], wet**0.6)


def _mix(a: Vector, b: Vector, share: float) -> Vector:
    mixed: Vector = a + min(max(share, 0.0), 1.0) * (b - a)
    return mixed


def _db(a: str, b: str, share: float, wet: float = 0.0) -> tuple[float, float]:
    share = min(max(share, 0.0), 1.0)
    vv, vh = (
        10 * np.log10((1 - share) * 10 ** (p / 10) + share * 10 ** (q / 10))
        for p, q in zip(_RADAR[a], _RADAR[b], strict=True)
    )
    return float(vv + 2.2 * wet * (1 - share)), float(vh + 1.2 * wet * (1 - share))


def _rise(age: float, from_day: float, to_day: float) -> float:
    """Smooth 0 to 1 between two ages."""
    part = min(max((age - from_day) / (to_day - from_day), 0.0), 1.0)
    return part * part * (3 - 2 * part)


def _palm(_: int, wet: float, vigour: float) -> Look:
    canopy = _mix(_PURE["palm_dry"], _PURE["palm_wet"], wet)
    thin = min(max(0.10 + 0.6 * (1 - vigour), 0.0), 0.4)
    return Look(_mix(canopy, _grass(wet), thin), 0.075, 0.075, _RADAR["palm"])


def _forest(_: int, wet: float, vigour: float) -> Look:
    return Look(_mix(_PURE["palm_dry"], _PURE["forest"], 0.5 + 0.5 * wet) * (2 - vigour), 0.13, 0.06, _RADAR["forest"])


def _replanted(age: int, wet: float, vigour: float) -> Look:
    """Felled palms: debris, bare terraces, creeping legume within months, palms that close after five years."""
    bare = _mix(_PURE["debris"], _soil(wet), _rise(age, 5, 35))
    speed = 0.75 + 0.5 * vigour - 0.2 * (1 - wet)
    green = _rise(age * speed, 55, 230)
    legume = _mix(bare, _mix(_PURE["young"], _grass(wet), 0.25 * (1 - wet)), green)
    closed = _rise(age, 600, 1900)
    refl = _mix(legume, _palm(0, wet, vigour).reflectance, closed)
    radar = _db("debris", "soil", _rise(age, 5, 40), wet) if green <= 0 else _db("soil", "young", green, wet)
    if closed > 0:
        radar = _db("young", "palm", closed)
    return Look(refl, 0.09 - 0.035 * green, 0.03 + 0.05 * green * (1 - closed), radar)


def _shrub(age: int, wet: float, vigour: float) -> Look:
    """A farmer's clearing: cut, burnt, bare, sown and overgrown within the year."""
    first = _mix(_PURE["debris"], _PURE["burnt"], _rise(age, 12, 18) * (1 - _rise(age, 30, 60)))
    bare = _mix(first, _soil(wet), _rise(age, 30, 70))
    green = _rise(age, 70, 320) * vigour
    return Look(
        _mix(bare, _mix(_grass(wet), _PURE["forest"], 0.55), green), 0.1, 0.08, _db("soil", "young", green, wet)
    )


def _earth(age: int, wet: float, vigour: float) -> Look:
    """Ground stripped for building: debris for a month, then laterite, levelled and pushed about; weeds come and go."""
    bare = _mix(_PURE["debris"], _soil(wet), _rise(age, 6, 32))
    pushed = 1 + 0.09 * np.sin(age / 47.0 + 9 * vigour)
    weeds = 0.22 * wet * _rise(age, 300, 620)
    return Look(_mix(bare * pushed, _grass(wet), weeds), 0.1, 0.05, _db("debris", "soil", _rise(age, 6, 32), wet))


def _lawn(age: int, wet: float, vigour: float) -> Look:
    green = _rise(age, 10, 150) * min(1.0, 0.55 + 0.45 * wet + 0.2 * (vigour - 1))
    grass = _mix(_PURE["grass_wet"], _grass(wet), 0.5)
    return Look(_mix(_soil(wet), grass, green), 0.06, 0.08, _db("soil", "grass", green, wet))


def _meadow(_: int, wet: float, vigour: float) -> Look:
    return Look(_mix(_soil(wet), _grass(wet), 0.8 * vigour), 0.08, 0.10, _db("soil", "grass", 0.8, wet))


def _garden(_: int, wet: float, vigour: float) -> Look:
    return Look(_mix(_grass(wet), _PURE["forest"], 0.45 * vigour), 0.14, 0.10, _db("grass", "forest", 0.5, wet))


def _field(age: int, wet: float, vigour: float) -> Look:
    """One crop year from sowing: mud, green, ripe, stubble, often burnt, dust."""
    mud = _mix(_PURE["mud"], _soil(wet), 0.4)
    green = _rise(age, 15, 60)
    refl = _mix(mud, _PURE["crop"] * (0.85 + 0.15 * vigour), green)
    refl = _mix(refl, _PURE["ripe"], _rise(age, 100, 135))
    refl = _mix(refl, _PURE["stubble"], _rise(age, 145, 150))
    if vigour > 1.0:  # this farmer burns the straw
        refl = _mix(refl, _PURE["burnt"], _rise(age, 172, 173) * (1 - _rise(age, 185, 230)))
    refl = _mix(refl, _mix(_PURE["stubble"], _grass(wet), 0.35 + 0.4 * wet), _rise(age, 190, 260))
    share = green * (1 - _rise(age, 140, 152))
    return Look(refl, 0.05, 0.06, _db("mud", "crop", share, wet))


def _hard(pure: str, radar: str, rough: float) -> Maker:
    def maker(age: int, wet: float, _: float) -> Look:
        fresh = 1.06 - 0.10 * _rise(age, 0, 900)  # dust and rust dull what is new
        return Look(_PURE[pure] * fresh * (1 - 0.10 * wet), rough, 0.0, _RADAR[radar])

    return maker


def _water(pure: str) -> Maker:
    def maker(_: int, wet: float, vigour: float) -> Look:
        return Look(_mix(_PURE["water"], _PURE[pure], 0.4 + 0.6 * wet) * vigour, 0.04, 0.0, _RADAR["water"])

    return maker


def _shell(age: int, wet: float, _: float) -> Look:
    inside = _mix(_PURE["concrete"], _soil(wet), 0.45)
    return Look(inside * (0.9 - 0.12 * _rise(age, 0, 60)), 0.16, 0.0, _RADAR["shell"])


_MAKERS: dict[str, Maker] = {
    "palm": _palm, "forest": _forest, "replanted": _replanted, "shrub": _shrub, "earth": _earth, "lawn": _lawn,
    "meadow": _meadow, "garden": _garden, "field": _field, "shell": _shell,
    "water": _water("water"), "river": _water("river"), "mud": _hard("mud", "mud", 0.06),
    "dirt": _hard("dirt", "dirt", 0.06), "gravel": _hard("gravel", "dirt", 0.05),
    "slab": _hard("concrete", "concrete", 0.05), "paved": _hard("concrete", "concrete", 0.04),
    "asphalt": _hard("asphalt", "asphalt", 0.03), "wall": _hard("concrete", "wall", 0.02),
    "roof_white": _hard("roof_white", "roof", 0.03), "roof_zinc": _hard("roof_zinc", "roof", 0.04),
    "roof_blue": _hard("roof_blue", "roof", 0.03), "roof_red": _hard("roof_red", "roof", 0.03),
    "roof_old": _hard("roof_old", "roof", 0.05),
}  # fmt: skip
KINDS = tuple(_MAKERS)
