"""Radar series without anything to guide them: where on the ground did a lasting step happen?

Every pixel is judged by the square around it, so that speckle averages out, and over all dates together: a change of
one or two noise widths that lasts is as sure as a large one seen thrice. What returns, or is too young for that, is
left to the look-by-look monitor (`geo.kernels.series`), which reads the same squares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geo.kernels.sar import decibel, multilook
from geo.kernels.sar_track import NEW, OLD, UNSEEN, UNSURE, Fit, Rules, SceneNoise, step_fit
from geo.kernels.series import LEVEL, Breaks
from geo.kernels.series_reference import last_true

Bool = NDArray[np.bool_]
Float = NDArray[np.float64]
Int = NDArray[np.int64]
Ints = NDArray[np.integer]
UInt8 = NDArray[np.uint8]

INDEPENDENT = 0.5  # neighbouring pixels of a resampled radar image share about half of their speckle
SUSPECT = 0.1  # chance of an earlier step from which the dates after it no longer prove the old state
SURE_EARLIER = 0.001  # chance from which the earlier step is the beginning
BACK_AT_MOST = 0.25  # of the dates after the step may show the old state
_BLOCK = 8192


class Looks(NamedTuple):
    """What all squares of a series share.

    days: (T,) rising. orbit: (T,) relative orbit of each date. enl: looks of a square's mean, see `window_looks`.
    scene: of `sar_track.fit_scene` over squares of the same size. rules: what confirms a step.
    """

    days: Float
    orbit: Ints
    enl: float
    scene: SceneNoise
    rules: Rules = Rules()

    def until(self, stop: int) -> Looks:
        """The first `stop` dates."""
        scene = self.scene._replace(offset_db=self.scene.offset_db[:stop], spread_db=self.scene.spread_db[:stop])
        return self._replace(days=self.days[:stop], orbit=self.orbit[:stop], scene=scene)

    def fit(self, power: Float) -> Fit:
        """`sar_track.step_fit` of (T,P,Z)."""
        return step_fit(power, self.enl, self.orbit, self.scene)


def averaged_db(power: NDArray[np.floating], radius: int) -> NDArray[np.float32]:
    """Decibel of the mean power over squares of 2 * radius + 1 pixels, (T,P,row,col); NaN where the pixel is NaN."""
    return decibel(multilook(power, radius)).astype(np.float32)


def window_looks(enl: float, radius: int) -> float:
    """Equivalent number of looks of a square's mean.

    >>> window_looks(8.0, 1), window_looks(8.0, 0)
    (36.0, 8.0)
    """
    side = 2 * radius + 1
    return enl * side**2 * INDEPENDENT if radius else enl


def lasting_steps(
    averaged: NDArray[np.floating], looks: Looks, breaks: Breaks, states: NDArray[np.integer]
) -> tuple[Breaks, UInt8]:
    """Put the lasting steps of squares in the place of what the look-by-look monitor said of the same squares.

    Args:
        averaged: (T,P,row,col) of `averaged_db`.
        looks: see `Looks`.
        breaks: of `series.monitor` on `averaged`.
        states: of `series.states` on `averaged`.

    Returns:
        Breaks with the earliest lasting step of each square where one is sure, and its states; elsewhere as given.
        `score` and `z_max` are -log10 of a chance: of the step's p, calibrated on the scene's squares, or that of the
        look-by-look monitor's normal deviate, whichever is less. Where an earlier step is likely but not sure, dates
        after it are not distinguishable: they bound nothing.
    """
    shape = averaged.shape[2:]
    flat = averaged.reshape(*averaged.shape[:2], -1)
    planes: dict[str, Any] = {n: np.array(v).reshape(*v.shape[:-2], -1) for n, v in vars(breaks).items()}
    told = np.array(states, np.uint8).reshape(len(flat), -1)
    for begin in range(0, flat.shape[2], _BLOCK):
        part = slice(begin, min(begin + _BLOCK, flat.shape[2]))
        power = 10.0 ** (flat[:, :, part].astype(np.float64) / 10)
        fit = looks.fit(power)
        sure = -np.log10(np.clip(fit.p, 1e-300, 1.0))
        for name in ("score", "z_max"):
            alone = -stats.norm.logsf(planes[name][part]) / np.log(10)
            planes[name][part] = np.where(np.isnan(alone), np.nan, np.fmax(alone, sure))
        seen: Bool = np.asarray(np.isfinite(power).any(axis=1))
        judged = np.isfinite(planes["z_max"][part])
        who = np.flatnonzero(judged & _lasts(fit, seen, looks))
        if len(who):
            at = part.start + who
            told[:, at] = _take(planes, at, flat[:, :, at], _dated(fit, power, looks, who), looks.rules)
    joined: dict[str, Any] = {n: v.reshape(*v.shape[:-1], *shape) for n, v in planes.items()}
    return Breaks(**joined), told.reshape(len(flat), *shape)


def _lasts(fit: Fit, seen: Bool, looks: Looks) -> Bool:
    """(Z,) where the step is sure, large enough, and has lasted to the end of the series."""
    rules, date = looks.rules, np.arange(len(seen))[:, None]
    strong = np.sqrt(np.square(fit.change_db).mean(axis=0)) >= rules.least_db
    since = seen & (date >= fit.latest)
    count = since.sum(axis=0)
    end = last_true(seen)
    begun = np.where(count > 0, since.argmax(axis=0), end)
    long = (count >= rules.k) & (looks.days[end] - looks.days[begun] >= rules.lasting_days)
    # A crop comes and goes: few of the last dates, and few of all since, may show the old state.
    back = since & (fit.states == OLD)
    last = np.cumsum(seen[::-1], axis=0)[::-1] <= rules.n
    stays = ((back & last).sum(axis=0) <= rules.n - rules.k) & (back.sum(axis=0) <= BACK_AT_MOST * count)
    return np.asarray((fit.p <= rules.alpha) & strong & long & stays)


class _Dated(NamedTuple):
    states: UInt8
    first: Int
    unchanged: NDArray[np.int16]


def _dated(fit: Fit, power: Float, looks: Looks, who: NDArray[np.intp]) -> _Dated:
    """States, first new and last old date of sure squares; the earliest step of the same ground counts.

    The largest step may be the second: roofs echo louder than soil. What lies before it is judged again.
    """
    date = np.arange(len(power))[:, None]
    earliest, latest, onset = fit.earliest[who].copy(), fit.latest[who].copy(), fit.onset[who]
    for stop in np.unique(onset):
        those = np.flatnonzero(onset == stop)
        before = looks.until(int(stop)).fit(power[:stop, :, who[those]])
        likely, sure = before.p <= SUSPECT, before.p <= SURE_EARLIER
        earliest[those] = np.where(likely, np.minimum(before.earliest, earliest[those]), earliest[those])
        latest[those] = np.where(sure, before.latest, latest[those])
    states = np.where(date < earliest, np.uint8(OLD), np.where(date < latest, np.uint8(UNSURE), np.uint8(NEW)))
    states[(fit.states[:, who] == OLD) & (date >= latest)] = UNSURE
    states[~np.isfinite(power[:, :, who]).any(axis=1)] = UNSEEN
    new = states == NEW
    first = np.where(new.any(axis=0), new.argmax(axis=0), latest)
    return _Dated(states, first, last_true(states == OLD))


def _take(
    planes: dict[str, Any], at: NDArray[np.intp], values: NDArray[np.floating], found: _Dated, rules: Rules
) -> UInt8:
    """Write sure squares into the planes, and return their states."""
    states, first, unchanged = found
    date = np.arange(len(states))[:, None]
    new, seen = states == NEW, states != UNSEEN
    count = np.cumsum(new, axis=0)
    planes["first"][at], planes["unchanged"][at] = first, unchanged
    planes["confirmed"][at] = np.argmax(count >= np.minimum(rules.k, count[-1]), axis=0)
    planes["candidate"][at], planes["returned"][at] = -1, -1
    planes["seen_before"][at] = last_true(seen & (date < first))
    planes["model"][at] = LEVEL
    planes["before"][:, at] = _mean(values, states == OLD)
    planes["after"][:, at] = _mean(values, new)
    return states


def _mean(values: NDArray[np.floating], which: Bool) -> NDArray[np.float32]:
    """(P,Z) mean of (T,P,Z) over the dates where `which` (T,Z); NaN without any."""
    chosen = which[:, None] & np.isfinite(values)
    count = chosen.sum(axis=0)
    total = np.where(chosen, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
