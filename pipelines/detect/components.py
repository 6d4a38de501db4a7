"""The statistics that are fused into one score: one row of a table each, so that adding one is one line.

A statistic is made of two looks at the same pixels and is then seen in its surroundings (`geo.kernels.context`):

- *distances* cannot be negative; a grey opening takes out the lines that registration errors draw along edges, and
  their logarithm is averaged, so that one glaring roof does not outshine its block;
- *signed* changes are averaged as they are: the bright and the dark side of a shifted edge cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.kernels import context, cva, indices, irmad, normalise
from geo.kernels.threshold import LogLogistic, Table, fit_fused, fit_log_logistic, fused_log10_p
from pipelines.detect.calibrate import Calibrated

Float32 = NDArray[np.float32]

CONTEXT_M = 45.0  # ground that belongs together in construction: a few houses, one hall
OUTLINE = "distance"  # the component whose unsmoothed values draw the outlines
_RAW = "distance itself"
_OPENING_PX = 1
_NEAR_SHARE = 0.5  # inside a change both levels say the same; two pixels outside the wide one says twice as much
_FLOORS = {False: 0.5, True: 0.1}  # in units of noise: averaged distance and averaged signed change of pure noise


@dataclass(frozen=True)
class Component:
    """One statistic.

    Attributes:
        name: as printed in the report.
        signed: True for signed changes, False for distances.
        fits: whether this pair (its bands, its pixel size in metres or None) can show it.
        compute: (fits, before, after, after on the scale of before) -> float32 (row, col), NaN unobserved.
    """

    name: str
    signed: bool
    fits: Callable[[Calibrated, float | None], bool]
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


def _always(c: Calibrated, gsd_m: float | None) -> bool:
    del c, gsd_m
    return True


def _has_colour(c: Calibrated, gsd_m: float | None) -> bool:
    del gsd_m
    return len(c.sharp) > 1 and not c.decibel


def _has_index(c: Calibrated, gsd_m: float | None) -> bool:
    del gsd_m
    return c.can_index


COMPONENTS = (
    Component("distance", False, _always, _mad),
    Component("spectral shape", False, _has_colour, _shape),
    Component("vegetation", True, _has_index, _vegetation),
    Component("brightness", True, _always, _brightness),
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
        return context.smooth_reach_px(self.levels) + 2 * _OPENING_PX


def choose(calibrated: Calibrated, gsd_m: float | None) -> Method:
    """Pick what this pair can show."""
    names = tuple(c.name for c in COMPONENTS if c.fits(calibrated, gsd_m))
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
        if component.signed:
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

    laws: Mapping[str, tuple[LogLogistic, ...]]
    fused: float
    texture: float
    gradient: float = 0.0

    @classmethod
    def fit(cls, method: Method, samples: Mapping[str, list[Float32]], texture: float) -> Nulls:
        """Fit to the statistics of a sample of pixels."""
        laws = {
            component.name: tuple(
                fit_log_logistic(_amplitude(component.signed, level), floor=_FLOORS[component.signed])
                for level in samples[component.name]
            )
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
                Table.of(partial(_evidence, law, component.signed)) for law in nulls.laws[component.name]
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
        first, *others = method.names
        total = self.evidence[first][level](planes[first][level])
        for name in others:
            total += self.evidence[name][level](planes[name][level])
        total *= np.float32(1 / len(method.names))
        return total


def _evidence(law: LogLogistic, signed: bool, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return law.evidence(_amplitude(signed, x))


def _amplitude(signed: bool, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Back from the mean of ln(1 + z^2) to a z; signed changes are their own."""
    z: NDArray[np.float64] = np.asarray(x, np.float64)
    return z if signed else np.asarray(np.sqrt(np.expm1(np.minimum(z, 600))), np.float64)
