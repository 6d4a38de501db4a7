"""The sky over one pass: clouds and their shadows, haze, and the imperfect classes a processor makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from geo.providers.simulator import fields
from geo.providers.simulator.orbits import Pass
from geo.providers.simulator.plan import Scenario

# Chance of a clear and of a scattered sky by month; the rest is overcast. Coast of Cambodia: monsoon May to October.
CLEAR = (0.62, 0.60, 0.48, 0.34, 0.13, 0.06, 0.04, 0.04, 0.05, 0.12, 0.42, 0.58)
SCATTERED = (0.26, 0.27, 0.33, 0.36, 0.32, 0.26, 0.22, 0.21, 0.23, 0.32, 0.34, 0.28)
CLOUD = np.array([0.66, 0.65, 0.66, 0.665, 0.67, 0.67, 0.665, 0.66, 0.42, 0.30], np.float32)
SMOKE = np.array([0.225, 0.195, 0.165, 0.155, 0.15, 0.145, 0.14, 0.135, 0.07, 0.05], np.float32)

Axis = NDArray[np.float64]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class Sky:
    """The weather of one pass.

    Attributes:
        cover: share of the sky under cloud, over tens of kilometres.
        size_m: size of the clouds.
        height_m: height of their base above ground.
        thick: how fast they become opaque from their edge inwards.
        haze: opacity of haze in the blue, 0-1; the processor's residue, mostly unmasked.
        seed: names the fields of this pass.
    """

    cover: float
    size_m: float
    height_m: float
    thick: float
    haze: float
    seed: int

    def opacity(self, xs: Axis, ys: Axis) -> Field:
        """Return the clouds' opacity, 0-1, on columns `xs` and rows `ys` (metres)."""
        if self.cover <= 0:
            return np.zeros((len(ys), len(xs)), np.float32)
        s = self.size_m
        deck = fields.octaves(xs, ys, (2.6 * s, s, 0.42 * s, 0.17 * s, 0.07 * s), self.seed)
        depth = np.maximum(deck - np.float32(ndtri(1 - min(self.cover, 0.9999))), 0)
        return np.asarray(1 - np.exp(-self.thick * depth), np.float32)

    def shade(self, xs: Axis, ys: Axis, sun: tuple[float, float]) -> Field:
        """Return how much of the direct light the clouds take from the ground, 0-1; `sun` is (elevation, azimuth)."""
        dx, dy = self.shadow_offset_m(sun)
        return self.opacity(xs - dx, ys - dy)

    def shadow_offset_m(self, sun: tuple[float, float]) -> tuple[float, float]:
        """Return (east, north): from a cloud to its shadow, away from the sun."""
        length = self.height_m / math.tan(math.radians(max(sun[0], 10.0)))
        away = math.radians(sun[1] + 180)
        return length * math.sin(away), length * math.cos(away)

    def veil(self, xs: Axis, ys: Axis) -> Field:
        """Return the haze's opacity in the blue; it changes slowly over kilometres."""
        wave = fields.smooth(xs, ys, 2200.0, self.seed + 5)
        return np.asarray(self.haze * np.clip(1 + 0.3 * wave, 0.2, 2.0), np.float32)


def sky(scenario: Scenario, scene: Pass) -> Sky:
    """Draw the weather of a pass; it depends on nothing but the scenario's seed and the pass."""
    draw = fields.rng(scenario.seed, "sky", scene.sensor, scene.time.isoformat())
    month = scene.time.month - 1
    chance = draw.uniform()
    dry = CLEAR[month] > 0.3
    if chance < CLEAR[month]:
        cover = 0.0 if draw.uniform() < 0.7 else float(draw.uniform(0.005, 0.03))
    elif chance < CLEAR[month] + SCATTERED[month]:
        cover = float(draw.beta(1.3, 2.2)) * 0.6 + 0.03
    else:
        cover = float(draw.choice([draw.uniform(0.6, 0.93), 0.999]))
    size = float(draw.uniform(260, 650) if dry and cover < 0.6 else draw.uniform(600, 2600))
    height = float(draw.uniform(600, 1500) if dry else draw.uniform(500, 2600))
    thick = float(draw.uniform(1.2, 4.5))
    haze = float(draw.gamma(1.3, 0.012))
    if scene.time.month in (2, 3, 4) and draw.uniform() < 0.25:
        haze += float(draw.uniform(0.05, 0.22))  # smoke of burning fields
    elif draw.uniform() < 0.08:
        haze += float(draw.uniform(0.04, 0.16))  # thin cirrus
    return Sky(cover, size, height, thick, haze, fields.key(scenario.seed, "deck", scene.time.isoformat()) >> 2)


def through(refl: Field, opacity: Field, shade: Field, veil: Field, wavelength_um: NDArray[np.float64]) -> Field:
    """Return reflectance (band,row,col) as seen through the sky.

    Args:
        refl: surface reflectance (10,row,col).
        opacity: of the clouds, (row,col), 0-1.
        shade: share of direct light lost to clouds, (row,col), 0-1.
        veil: haze in the blue, (row,col), 0-1.
        wavelength_um: middles of the bands.
    """
    direct = 1 - np.array([0.62, 0.66, 0.70, 0.71, 0.72, 0.73, 0.735, 0.74, 0.82, 0.85], np.float32)
    seen = np.empty_like(refl)
    for n in range(len(refl)):
        lit = refl[n] * (1 - (1 - direct[n]) * shade)
        thin = veil * np.float32((wavelength_um[n] / 0.492) ** -1.25)
        lit = lit + thin * (SMOKE[n] - lit)
        bright = CLOUD[n] * (0.72 + 0.5 * opacity * opacity)
        seen[n] = lit + opacity * (bright - lit)
    return seen


def classify(
    refl: Field, opacity: Field, shade: Field, draw: np.random.Generator, noise: tuple[Field, Field]
) -> NDArray[np.uint8]:
    """Return scene classes like Sen2Cor's, wrong as it is wrong.

    Thin cloud, cloud edges and some shadows are missed, in blobs; bright roofs and dry soil are called cloud on some
    dates; dark water is called shadow and the other way round. `refl` is (10,row,col) as delivered, `noise` two smooth
    fields, one for what is missed and one for what is invented.
    """
    blue, green, red, nir, swir = refl[0], refl[1], refl[2], refl[6], refl[8]
    with np.errstate(divide="ignore", invalid="ignore"):
        ndvi = np.nan_to_num((nir - red) / (nir + red))
        ndwi = np.nan_to_num((green - nir) / (green + nir))
    scl = np.full(blue.shape, 7, np.uint8)
    scl[ndvi > 0.42] = 4
    scl[(ndvi <= 0.42) & (ndvi > -0.1)] = 5
    scl[(blue < 0.06) & (nir < 0.09) & (swir < 0.10)] = 2
    scl[(ndwi > 0.1) & (swir < 0.06) & (blue < 0.14)] = 6
    missed, invented = noise
    careless = float(draw.uniform(0.0, 0.22))  # share of thin cloud and shadow that this processing run misses
    blind = missed > ndtri(1 - careless) if careless > 0 else np.zeros_like(opacity, bool)
    scl[(shade > 0.35) & ~blind & (nir < 0.24)] = 3
    scl[(opacity > 0.06) & ~blind] = 10
    scl[opacity > (0.22 + 0.08 * missed)] = 8
    scl[opacity > 0.52] = 9
    limit = float(draw.uniform(0.17, 0.30))  # brightness above which clear ground is mistaken for cloud
    bright = (blue > limit + 0.03 * invented) & (opacity < 0.06)
    scl[bright] = np.where(blue > limit + 0.1, 9, 8)[bright]
    return scl
