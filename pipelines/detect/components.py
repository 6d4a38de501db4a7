"""The statistics that are fused into one score: one row of a table each, so that adding one is one line.

A statistic is made of two looks at the same pixels and is then seen in its surroundings (`geo.kernels.context`):

- *distances* cannot be negative; a grey opening takes out the lines that registration errors draw along edges, and
  their logarithm is averaged, so that one glaring roof does not outshine its block;
- *signed* changes are averaged as they are: the bright and the dark side of a shifted edge cancel;
- *structure*, at two metres and finer, brings its own surroundings and leads: there colour and brightness change
  everywhere with sun, season and view, and only say a fifth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.kernels import context, cva, indices, irmad, normalise
from geo.kernels.structure import structure_change, structure_reach_px
from geo.kernels.threshold import (
    Exponential,
    LogLogistic,
    Table,
    fit_exponential,
    fit_fused,
    fit_log_logistic,
    fused_log10_p,
)
from pipelines.detect.calibrate import Calibrated

Float32 = NDArray[np.float32]

Law = LogLogistic | Exponential

FINE_M = 2.0  # a house is six pixels wide: it has edges
_LEAD = 0.8  # structure alone ranks half-metre change as well; colour settles ties
_STRUCTURE_BANDS = ("red", "green", "blue", "nir")
CONTEXT_M = 45.0  # ground that belongs together in construction: a few houses, one hall
OUTLINE = "distance"  # the component whose unsmoothed values draw the outlines
_RAW = "distance itself"
_OPENING_PX = 1
_NEAR_SHARE = 0.5  # inside a change both levels say the same; two pixels outside the wide one says twice as much


class Kind(Enum):
    """How a statistic is seen in its surroundings."""

    DISTANCE = "distance"
    SIGNED = "signed"
    STRUCTURE = "structure"


@dataclass(frozen=True)
class Component:
    """One statistic.

    Attributes:
        name: as printed in the report.
        kind: how it is seen in its surroundings.
        fits: whether this pair (its bands, its pixel size) can show it.
        compute: (fits, before, after, after on the scale of before) -> float32 (row, col), NaN unobserved.
    """

    name: str
    kind: Kind
    fits: Callable[[Calibrated], bool]
    compute: Callable[[Calibrated, Float32, Float32, Float32], Float32]


def _mad(c: Calibrated, before: Float32, after: Float32, scaled: Float32) -> Float32:
    plain = cva.magnitude(before, scaled, c.lines.noise)
    if c.mad is None:
        return plain
    total = irmad.chi2(c.mad, before, after)
    total *= np.float32(1 / len(c.mad.rho))
    np.sqrt(total, out=total)
    # Badly correlated variates weigh the two dates' bands differently, so a rare surface (the only lake of a scene)
    # is far from nothing though its pixels are equal on both dates: what did not move at all has not changed.
    return np.minimum(total, plain, out=total)


def _shape(c: Calibrated, before: Float32, after: Float32, scaled: Float32) -> Float32:
    del after
    return indices.shape_change(before[c.sharp], scaled[c.sharp], dark=c.dark, noise=c.noise, relative=c.shape_relative)


def _vegetation(c: Calibrated, before: Float32, after: Float32, scaled: Float32) -> Float32:
    del after
    return indices.index_change(
        c.index_bands(before), c.index_bands(scaled), dark=c.dark, noise=c.noise, relative=c.index_relative,
        centre=c.index_centre,
    )  # fmt: skip


def _brightness(c: Calibrated, before: Float32, after: Float32, scaled: Float32) -> Float32:
    del after
    return cva.mean_difference(before[c.visible], scaled[c.visible], c.lines.noise[c.visible])


def _structure(c: Calibrated, before: Float32, after: Float32, scaled: Float32) -> Float32:
    del scaled
    at = [k for k, name in enumerate(c.bands) if name in _STRUCTURE_BANDS] or c.visible[:1]
    names = [c.bands[k] for k in at] if len(at) > 1 else ["pan"]
    assert c.gsd_m is not None  # noqa: S101 - `_is_fine` has seen it
    return structure_change(before[at], after[at], gsd_m=c.gsd_m, bands=names)


def _is_fine(c: Calibrated) -> bool:
    return c.gsd_m is not None and c.gsd_m <= FINE_M and not c.decibel


def _always(c: Calibrated) -> bool:
    del c
    return True


def _has_colour(c: Calibrated) -> bool:
    return len(c.sharp) > 1 and not c.decibel


def _has_index(c: Calibrated) -> bool:
    return c.can_index


# In units of noise: the averaged distance and the averaged signed change of pure noise; structure has units of its own,
# 0.1-0.4 on a new house, and a tenth of that is nothing.
_FLOORS = {Kind.DISTANCE: 0.5, Kind.SIGNED: 0.1, Kind.STRUCTURE: 0.01}

COMPONENTS = (
    Component("distance", Kind.DISTANCE, _always, _mad),
    Component("spectral shape", Kind.DISTANCE, _has_colour, _shape),
    Component("vegetation", Kind.SIGNED, _has_index, _vegetation),
    Component("brightness", Kind.SIGNED, _always, _brightness),
    Component("structure", Kind.STRUCTURE, _is_fine, _structure),
)


class Method(NamedTuple):
    """The components that a pair can show, and the scales at which they are seen.

    Attributes:
        calibrated: the global fits.
        names: of the components, in order.
        levels: number of context levels; the last two carry the score.
    """

    calibrated: Calibrated
    names: tuple[str, ...]
    levels: int

    @property
    def components(self) -> tuple[Component, ...]:
        """The components, in the order of `names`."""
        return tuple(c for c in COMPONENTS if c.name in self.names)

    @property
    def reach_px(self) -> int:
        """How far a pixel's score looks, each way."""
        around = context.smooth_reach_px(self.levels) + 2 * _OPENING_PX
        gsd_m = self.calibrated.gsd_m
        return max(around, structure_reach_px(gsd_m)) if self.led_by_structure and gsd_m is not None else around

    @property
    def led_by_structure(self) -> bool:
        """True at two metres and finer."""
        return any(component.kind is Kind.STRUCTURE for component in self.components)

    @property
    def weights(self) -> dict[str, float]:
        """Share of each component in the mean evidence."""
        kinds = {component.name: component.kind for component in self.components}
        others = sum(kind is not Kind.STRUCTURE for kind in kinds.values())
        lead = _LEAD if self.led_by_structure else 0.0
        return {name: lead if kind is Kind.STRUCTURE else (1 - lead) / others for name, kind in kinds.items()}


def choose(calibrated: Calibrated, gsd_m: float | None) -> Method:
    """Pick what this pair can show."""
    calibrated = replace(calibrated, gsd_m=gsd_m)
    names = tuple(component.name for component in COMPONENTS if component.fits(calibrated))
    # 45 m at 10 m; coarser pixels see less wide in pixels, finer ones not wider, or a house would drown.
    levels = 3 if gsd_m is None or context.smooth_sigma_px(3) * gsd_m <= 2 * CONTEXT_M else 2
    return Method(calibrated, names, levels)


def statistics(method: Method, before: Float32, after: Float32) -> dict[str, list[Float32]]:
    """Every component in its surroundings: {name: [level 1, level 2, ...]}, all >= 0, NaN where not observed."""
    c = method.calibrated
    scaled = normalise.apply(c.lines, after)
    weights = context.smooth_weights(np.isfinite(before[0]), method.levels)
    out = {}
    for component in method.components:
        plane = component.compute(c, before, after, scaled)
        if component.kind is Kind.STRUCTURE:
            out[component.name] = [plane] * method.levels
            continue
        if component.kind is Kind.SIGNED:
            out[component.name] = [np.abs(level, out=level) for level in context.smooth(plane, weights)]
            continue
        plane *= plane
        plane += np.float32(1)
        np.log(plane, out=plane)
        if component.name == OUTLINE:
            out[_RAW] = [plane]
        plane = context.opening(plane, _OPENING_PX)
        # Rounding of weighted sums may leave -1e-9 of a zero.
        out[component.name] = [np.maximum(level, 0, out=level) for level in context.smooth(plane, weights)]
    return out


def changed_itself(planes: Mapping[str, list[Float32]]) -> NDArray[np.bool_]:
    """True where the pixel itself moved (in logarithm) at least half as far as the most changed ground beside it.

    Context blurs a change beyond its edge; this cuts it back, as one draws an edge at half of its height.
    """
    crest = context.widen(planes[OUTLINE][0], context.smooth_reach_px(len(planes[OUTLINE]) - 1))
    crest *= np.float32(0.5)
    return planes[_RAW][0] >= crest


class Nulls(NamedTuple):
    """What each statistic does on unchanged ground.

    Attributes:
        laws: {component: one law a level}.
        fused: scale of the Weibull law of the mean evidence over the last two levels.
        texture: median local contrast (uncalibrated pairs only).
        gradient: variance of the derivative of the fused field per pixel, see `geo.kernels.clusters`.
    """

    laws: Mapping[str, tuple[Law, ...]]
    fused: float
    texture: float
    gradient: float = 0.0

    @classmethod
    def fit(cls, method: Method, samples: Mapping[str, list[Float32]], texture: float) -> Nulls:
        """Fit to the statistics of a sample of pixels."""
        laws = {
            component.name: tuple(_fit(component.kind, level) for level in samples[component.name])
            for component in method.components
        }
        draft = cls(laws, 1.0, texture)
        return draft._replace(fused=fit_fused(Tables.of(method, draft).fuse(method, samples)[0]))


class Tables(NamedTuple):
    """The nulls as look-up tables."""

    evidence: Mapping[str, tuple[Table, ...]]
    score: Table
    p: Table

    @classmethod
    def of(cls, method: Method, nulls: Nulls) -> Tables:
        """Tabulate."""
        evidence = {
            component.name: tuple(
                Table.of(partial(_evidence, law, component.kind)) for law in nulls.laws[component.name]
            )
            for component in method.components
        }
        score = Table.of(lambda e: fused_log10_p(nulls.fused, e))
        p = Table.of(lambda e: 10.0 ** -np.minimum(fused_log10_p(nulls.fused, e), 30))
        return cls(evidence, score, p)

    def fuse(self, method: Method, planes: Mapping[str, list[Float32]]) -> tuple[Float32, NDArray[np.bool_]]:
        """Mean evidence over the components and the last two levels, and where the narrower level holds its share.

        Beside a strong change the wide level alone still sees it; there the second array is False.
        """
        narrow, wide = (self._mean(method, planes, level) for level in (-2, -1))
        near = narrow >= np.float32(_NEAR_SHARE) * wide
        narrow += wide
        narrow *= np.float32(0.5)
        return narrow, near

    def _mean(self, method: Method, planes: Mapping[str, list[Float32]], level: int) -> Float32:
        total: Float32 | None = None
        for name, weight in method.weights.items():
            part = self.evidence[name][level](planes[name][level])
            part *= np.float32(weight)
            total = part if total is None else np.add(total, part, out=total)
        assert total is not None  # noqa: S101 - there is always a distance and a brightness
        return total


def _fit(kind: Kind, level: Float32) -> Law:
    if kind is Kind.STRUCTURE:
        return fit_exponential(level, floor=_FLOORS[kind])
    return fit_log_logistic(_amplitude(kind, level), floor=_FLOORS[kind])


def _evidence(law: Law, kind: Kind, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return law.evidence(_amplitude(kind, x))


def _amplitude(kind: Kind, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Back from the mean of ln(1 + z^2) of a distance to a z; other statistics are their own."""
    z: NDArray[np.float64] = np.asarray(x, np.float64)
    return z if kind is not Kind.DISTANCE else np.asarray(np.sqrt(np.expm1(np.minimum(z, 600))), np.float64)
