"""One walk through a series of pixels, oldest first: baseline, residual, k-of-n rule, onset, return.

The baseline is a regression on level, season and orbit offsets about the curve of the pixel's class, updated
observation by observation (recursive least squares with prior variances; an observation that does not fit counts
less the farther out it lies, Huber & Ronchetti 2009, and nothing counts while a change is on). What was said about
an observation therefore depends on earlier ones only, and a short history widens the prediction by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.kernels.series_reference import (
    YEAR_DAYS,
    Bool,
    Float32,
    Reference,
    SeriesSettings,
    design,
    first_clear,
    median,
    prior_variance,
)

Int16 = NDArray[np.int16]

_FIT_WITHIN = 2.0  # noise standard deviations (all bands together) up to which an observation counts in full
_SCALE_PRIOR = 4.0  # observations' worth of belief that a pixel is as noisy as its class
_SCALE_LEAST = 0.25  # variance below which no pixel is believed to be quieter than its class
_NONE = np.int16(-1)
MUCH_STRONGER = 1.5


class Scan(NamedTuple):
    """What one walk found; pixel last.

    Attributes:
        z: (time, pixel) Gaussian-equivalent distance from the baseline; NaN where not seen.
        clear: (time, pixel) seen, and the surroundings too.
        whitened: (time, band, pixel) residual from the class curve, independent unit-noise channels; 0 where not seen.
        residual: the same from the baseline, if kept; variance: (time, pixel) of the baseline's prediction, if kept.
        first, confirmed, returned, candidate: (pixel,) indices, -1 none.
        score, z_max: (pixel,).
        size2: (pixel,) noise variance of the pixel in units of its class.
        span_days: (pixel,) from the first clear observation to the event, or to the last.
    """

    z: Float32
    clear: Bool
    whitened: Float32
    residual: Float32 | None
    variance: Float32 | None
    first: Int16
    confirmed: Int16
    returned: Int16
    candidate: Int16
    score: Float32
    z_max: Float32
    size2: Float32
    span_days: Float32


def gaussian_equivalent(mean_square: Float32, bands: int) -> Float32:
    """Normal deviate of a chi-square of `bands` degrees of freedom divided by them (Wilson & Hilferty 1931)."""
    width = 2 / (9 * bands)
    return ((np.cbrt(mean_square) - np.float32(1 - width)) / np.float32(np.sqrt(width))).astype(np.float32)


def class_offset(reference: Reference) -> Float32:
    """(class, time, band): the class curve in whitened units, so that states of two dates can be compared."""
    scaled = np.nan_to_num(reference.curve) / reference.scale[:, None]
    return np.asarray(scaled @ reference.whiten.T, np.float32)


def whitened(values: Float32, clear: Bool, classes: NDArray[np.intp], reference: Reference) -> Float32:
    """(time, band, pixel) distance from the class curve in independent unit-noise channels; 0 where not clear."""
    curve = np.nan_to_num(reference.curve).astype(np.float32)
    scale = (1 / reference.scale).astype(np.float32)
    bands = values.shape[1]
    out = np.empty_like(values)
    for b in range(bands):
        np.subtract(values[:, b], curve[:, :, b].T[:, classes], out=out[:, b])
        out[:, b] *= scale[:, b][classes]
    out[np.broadcast_to(~clear[:, None], out.shape)] = 0
    lower = reference.whiten.astype(np.float32)
    # Element by element, from the last row up: a matrix product may round differently for another block size.
    for i in range(bands - 1, -1, -1):
        out[:, i] *= lower[i, i]
        for j in range(i):
            if lower[i, j]:
                out[:, i] += lower[i, j] * out[:, j]
    return out


def scan(
    values: Float32,
    clear: Bool,
    classes: NDArray[np.intp],
    group: NDArray[np.integer],
    reference: Reference,
    settings: SeriesSettings,
    *,
    keep: bool = False,
) -> Scan:
    """Walk through the series of a block of pixels.

    Args:
        values: float32 (time, band, pixel).
        clear: (time, pixel): every band finite, and the class has a curve on that date.
        classes: (pixel,) index into the reference.
        group: (time,) codes.
        reference: what the surroundings did; its days are those of `values`.
        settings: rules.
        keep: hand out residuals and prediction variances too.

    Returns:
        See `Scan`.
    """
    times, _, pixels = values.shape
    u = whitened(values, clear, classes, reference)
    walk = _Baseline(u, clear, classes, group, reference, settings)
    watch = _Watch(u, class_offset(reference), classes, settings, reference.days)
    rank = np.zeros(pixels, np.int16)
    z = np.full((times, pixels), np.nan, np.float32)
    residual = np.zeros_like(u) if keep else None
    variance = np.zeros((times, pixels), np.float32) if keep else None
    for t in range(times):
        seen = clear[t]
        rank += seen
        error, spread, score = walk.look(t, rank, watch.open)
        z[t, seen] = score[seen]
        if residual is not None and variance is not None:
            residual[t], variance[t] = error, spread
        judged = seen & (rank > walk.start)
        walk.learn(t, seen & ~watch.open, judged & (score >= settings.z_candidate))
        watch.see(t, seen, judged, score, walk.noise2(t))
    watch.close(rank >= walk.start + settings.k)
    return Scan(z, clear, u, residual, variance, watch.first, watch.confirmed, watch.returned, watch.candidate(),
                watch.score, watch.z_max, walk.size2, watch.span_days(clear))  # fmt: skip


class _Baseline:
    """State of the recursive regression of a block."""

    def __init__(
        self, u: Float32, clear: Bool, classes: NDArray[np.intp], group: NDArray[np.integer],
        reference: Reference, settings: SeriesSettings,
    ) -> None:  # fmt: skip
        self.u, self.bands = u, u.shape[1]
        self.rows = design(reference.days, group, reference, settings.harmonics).astype(np.float32)
        prior = prior_variance(reference, settings.harmonics).astype(np.float32)
        q, pixels = prior.shape[1], u.shape[2]
        self.spread2 = reference.spread2.astype(np.float32)[classes].T
        self.tail = reference.tail.astype(np.float32)[classes]
        self.centre, self.start = self._begin(clear, settings)
        self.weights = np.zeros((q, self.bands, pixels), np.float32)
        self.weights[0] = self.centre
        self.cover = np.zeros((q, q, pixels), np.float32)
        self.cover[np.arange(q), np.arange(q)] = prior[classes].T  # only the upper triangle is kept up
        self.gain = np.empty((q, pixels), np.float32)
        self.step = (
            settings.drift_per_year**2 * np.diff(reference.days, prepend=reference.days[:1]) / YEAR_DAYS
        ).astype(np.float32)
        self.count = np.full(pixels, _SCALE_PRIOR, np.float32)
        self.total = np.full(pixels, _SCALE_PRIOR, np.float32)
        self.size2 = np.ones(pixels, np.float32)

    def _begin(self, clear: Bool, settings: SeriesSettings) -> tuple[Float32, Int16]:
        """Where the level starts, and after how many looks it may judge: twice as many where the first disagree."""
        m = settings.min_history
        centre = _first_median(self.u, clear, m)
        start = np.full(clear.shape[1], m, np.int16)
        worst = np.zeros(clear.shape[1], np.float32)
        early = first_clear(clear, m)
        for t in range(len(early)):
            apart = _mean_square(self.u[t] - centre) / self.spread2[t]
            np.maximum(worst, apart, out=worst, where=early[t])
        torn = np.flatnonzero(gaussian_equivalent(worst, self.bands) / self.tail >= settings.z_candidate)
        if len(torn):
            centre[:, torn] = _first_median(np.ascontiguousarray(self.u[:, :, torn]), clear[:, torn], 2 * m)
            start[torn] = 2 * m
        return centre, start

    def noise2(self, t: int) -> Float32:
        """Variance of one observation of date t about the truth."""
        return np.asarray(self.spread2[t] * self.size2)

    def look(self, t: int, rank: Int16, frozen: Bool) -> tuple[Float32, Float32, Float32]:
        """Residuals, prediction variance and Gaussian-equivalent distance of date t; a frozen level does not wander."""
        row = self.rows[t]
        used = np.flatnonzero(row)
        self.cover[0, 0] += np.where(frozen, np.float32(0), self.step[t])
        q = len(row)
        for i in range(q):
            np.multiply(self.cover[0, i], row[0], out=self.gain[i])
            for j in used[1:]:
                self.gain[i] += row[j] * self.cover[min(i, j), max(i, j)]
        self.cross = self.gain[0] * row[0]
        error = self.u[t] - self.weights[0] * row[0]
        for j in used[1:]:
            self.cross += row[j] * self.gain[j]
            error -= row[j] * self.weights[j]
        np.maximum(self.cross, 0, out=self.cross)
        square = _mean_square(error)
        self.error, self.raw = error, square / (self.cross + self.spread2[t])
        # The first observations are judged by their own median: nothing else is known yet.
        early = rank <= self.start
        apart = _mean_square(self.u[t] - self.centre) / self.noise2(t)
        self.distance = np.where(early, apart, square / (self.cross + self.noise2(t)))
        return error, self.cross, np.asarray(gaussian_equivalent(self.distance, self.bands) / self.tail)

    def learn(self, t: int, taken: Bool, out: Bool) -> None:
        """Take the observation of date t into the baseline, the less the farther out it lies."""
        trust = np.minimum(np.float32(1), _FIT_WITHIN**2 / np.maximum(self.distance, np.float32(1e-6)))
        share = np.where(taken, 1 / (self.cross + self.noise2(t) / trust), np.float32(0))
        for i in range(len(self.gain)):
            step = self.gain[i] * share
            self.weights[i] += step * self.error
            for j in range(i, len(self.gain)):
                self.cover[i, j] -= step * self.gain[j]
        counted = taken & ~out
        self.total += np.where(counted, self.raw * trust, np.float32(0))
        self.count += counted
        self.size2 = np.maximum(self.total / self.count, np.float32(_SCALE_LEAST))


class _Watch:
    """k of n, onset and return."""

    def __init__(
        self,
        u: Float32,
        offset: Float32,
        classes: NDArray[np.intp],
        settings: SeriesSettings,
        days: NDArray[np.float64],
    ) -> None:
        pixels = u.shape[2]
        self.u, self.offset, self.classes, self.settings, self.days = u, offset, classes, settings, days
        self.open = np.zeros(pixels, np.bool_)
        self.ring = np.full((settings.n, pixels), -np.inf, np.float32)
        self.index = np.full((settings.n, pixels), _NONE)
        self.back = np.full((settings.n, pixels), _NONE)  # index of an observation that is back, else -1
        self.first, self.confirmed, self.returned = (np.full(pixels, _NONE) for _ in range(3))
        self.score = np.full(pixels, -np.inf, np.float32)
        self.z_max = np.full(pixels, -np.inf, np.float32)
        self.state = np.zeros((u.shape[1], pixels), np.float32)
        self.past = tuple(np.full(pixels, _NONE) for _ in range(3))
        self.past_score = np.full(pixels, -np.inf, np.float32)

    def see(self, t: int, seen: Bool, judged: Bool, z: Float32, noise2: Float32) -> None:
        """Take the observation of date t into the rules."""
        rules = self.settings
        self.ring[:-1] = np.where(judged, self.ring[1:], self.ring[:-1])
        self.ring[-1] = np.where(judged, z, self.ring[-1])
        self.index[:-1] = np.where(judged, self.index[1:], self.index[:-1])
        self.index[-1] = np.where(judged, np.int16(t), self.index[-1])
        weakest = _kth_largest(self.ring, rules.k)
        np.maximum(self.z_max, weakest, out=self.z_max, where=judged)
        np.maximum(self.score, weakest, out=self.score, where=judged & self.open)
        running = np.flatnonzero(seen & self.open)
        if len(running):
            self._may_return(t, running, z[running], noise2[running])
        ready = np.flatnonzero(judged & ~self.open & (weakest >= rules.z_candidate))
        if len(ready):
            self._confirm(t, ready, weakest[ready])

    def absolute(self, index: Int16, who: NDArray[np.intp]) -> Float32:
        """(band, pixel) whitened values at one index a pixel, about zero instead of the class curve."""
        t = index.astype(np.intp)
        return np.asarray((self.u[t, :, who] + self.offset[self.classes[who], t]).T)

    def _confirm(self, t: int, who: NDArray[np.intp], weakest: Float32) -> None:
        """Open an event where k of the excursions are of one kind: haze of one day does not confirm a clearing."""
        out = self.ring[:, who] >= self.settings.z_candidate
        index = self.index[:, who]
        values = np.stack(
            [np.where(o, self.absolute(np.maximum(i, 0), who), np.nan) for o, i in zip(out, index, strict=True)]
        )
        state = median(values.astype(np.float32)).astype(np.float32)
        # Nearer to the new state than to the baseline, in plain whitened distance.
        apart = np.stack([_mean_square(v - state) for v in values])
        limit = self.ring[:, who] * np.float32(np.sqrt(2 / (9 * len(state)))) + np.float32(1 - 2 / (9 * len(state)))
        agree = out & (apart <= np.maximum(limit, 0) ** 3)
        good = agree.sum(axis=0) >= self.settings.k
        oldest = np.take_along_axis(index, agree.argmax(axis=0)[None], axis=0)[0]
        who, oldest = who[good], oldest[good]
        self.open[who] = True
        self.first[who], self.confirmed[who], self.returned[who] = oldest, t, _NONE
        self.score[who] = weakest[good]
        self.state[:, who] = state[:, good]
        self.back[:, who] = _NONE

    def _may_return(self, t: int, who: NDArray[np.intp], z: Float32, noise2: Float32) -> None:
        """Close events whose ground is back: k of n clear looks inside the baseline that are not the new state."""
        rules = self.settings
        here = self.absolute(np.full(len(who), t, np.int16), who)
        apart = gaussian_equivalent(_mean_square(here - self.state[:, who]) / noise2, len(here))
        inside = (z < rules.z_inside) & (apart >= rules.z_candidate)
        self.back[:-1, who] = self.back[1:, who]
        self.back[-1, who] = np.where(inside, np.int16(t), _NONE)
        looks = self.back[:, who]
        is_back = (looks >= 0).sum(axis=0) >= rules.k
        gone, looks = who[is_back], looks[:, is_back]
        if not len(gone):
            return
        self.returned[gone] = np.take_along_axis(looks, (looks >= 0).argmax(axis=0)[None], axis=0)[0]
        self._put_aside(gone)

    def _put_aside(self, who: NDArray[np.intp]) -> None:
        """Remember the strongest change that came back, and watch on."""
        better = who[self.score[who] > self.past_score[who]]
        for kept, now in zip(self.past, (self.first, self.confirmed, self.returned), strict=True):
            kept[better] = now[better]
        self.past_score[better] = self.score[better]
        for now in (self.first, self.confirmed, self.returned):
            now[who] = _NONE
        self.open[who] = False
        self.score[who] = -np.inf
        self.ring[:, who], self.index[:, who] = -np.inf, _NONE

    def close(self, enough: Bool) -> None:
        """Choose the event to report: the one that lasts, unless a much stronger one came back."""
        # Felled, planted again, and green but not as before: the felling is what happened.
        lost = ~self.open | (self.past_score > MUCH_STRONGER * self.score)
        if not self.settings.lasting:
            for kept, now in zip(self.past, (self.first, self.confirmed, self.returned), strict=True):
                now[lost] = kept[lost]
            self.score[lost] = self.past_score[lost]
        none = self.first < 0
        self.score[none] = self.z_max[none]
        self.score[~enough], self.z_max[~enough] = np.nan, np.nan

    def candidate(self) -> Int16:
        """First of the excursions at the end of the series that may still be confirmed."""
        n, k = self.settings.n, self.settings.k
        out = self.ring >= self.settings.z_candidate
        found = np.full(out.shape[1], _NONE)
        for place in range(n - 1, 0, -1):
            # From this place on the window still has `place` looks to come.
            hopeful = out[place] & (out[place:].sum(axis=0) + place >= k) & ~self.open
            found = np.where(hopeful, self.index[place], found).astype(np.int16)
        return found

    def span_days(self, clear: Bool) -> Float32:
        """Days between the first clear observation and the event (or the last observation)."""
        last = len(clear) - 1 - clear[::-1].argmax(axis=0)
        until = np.where(self.first >= 0, self.first, last)
        return np.where(clear.any(axis=0), self.days[until] - self.days[clear.argmax(axis=0)], 0).astype(np.float32)


def _mean_square(values: Float32) -> Float32:
    """Over the first axis, added in a fixed order."""
    total = values[0] * values[0]
    for v in values[1:]:
        total += v * v
    return np.asarray(total / np.float32(len(values)), np.float32)


def _kth_largest(values: Float32, k: int) -> Float32:
    """k-th largest along the short first axis, by passes of a bubble sort on whole rows."""
    rows = list(values)
    for done in range(k):
        for i in range(len(rows) - 1 - done):
            rows[i], rows[i + 1] = np.maximum(rows[i], rows[i + 1]), np.minimum(rows[i], rows[i + 1])
            rows[i], rows[i + 1] = rows[i + 1], rows[i]
    return np.asarray(rows[len(rows) - k])


def _first_median(u: Float32, clear: Bool, count: int) -> Float32:
    """(band, pixel) median of the first clear observations."""
    looks = np.full((count, *u.shape[1:]), np.nan, np.float32)
    rank = np.zeros(u.shape[2], np.int16)
    for seen, values in zip(clear, u, strict=True):
        for j in range(count):
            now = seen & (rank == j)
            if now.any():
                np.copyto(looks[j], values, where=now)
        rank += seen
        if (rank >= count).all():
            break
    return np.asarray(np.nan_to_num(median(looks)), np.float32)
