"""What the surroundings did: class curves, noise and season of unchanged ground, fitted once on a sample of pixels.

A pixel is compared with the ground that looked like it at the beginning of the series. The curve of that class
carries what the whole scene went through (season, haze, view angle); what is left over is the pixel's own story.
Classes are found on the first clear observations only, so that ground that changes later cannot found a class of
its own and hide in it. The spread of a class on a date says how far honest ground strays that day.

Two-way median polish: Tukey 1977. Robust scale: median absolute deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

YEAR_DAYS = 365.2425
MAD_TO_SIGMA = 1.4826
_FLOOR = 0.02  # of a band's spread: relative radiometric stability of calibrated imagers is 1-3 %
_MIN_SAMPLE = 50  # pixels below which there are no surroundings to speak of
_MIN_VOTES = 12  # clear sample pixels a class needs on a date
_MIN_SHARE = 0.05  # of the sample: a smaller class may be the change itself
_POLISH, _LLOYD = 4, 6
_SHRINK = 0.2  # of the correlation matrix towards independence: tiny directions are not to be trusted
_LEVEL_VARIANCE = 100.0  # of a pixel about its class, in noise variances: practically unknown
_ALONE_VARIANCE = 100.0  # season of a pixel without surroundings, in noise variances: practically unknown


@dataclass(frozen=True, kw_only=True)
class SeriesSettings:
    """What the monitor takes for a change.

    Attributes:
        k, n: a change is confirmed where k of n clear observations in a row stand outside the baseline.
        harmonics: of the year, where the series is a year long or more; 0 is a level only.
        z_candidate: Gaussian-equivalent standard deviations, all bands together, beyond which an observation is out.
        z_inside: below it an observation agrees with the baseline.
        min_history: clear observations that a pixel needs before it is judged; their median starts its baseline.
        classes: most classes of ground in the reference.
        drift_per_year: noise standard deviations by which a pixel's level may wander in a year. Above 0, decline over
            years is taken for normal; what a whole class does is in its curve anyway.
        lasting: True leaves out changes that return to the baseline ("does not grow back").
    """

    k: int = 3
    n: int = 4
    harmonics: int = 2
    z_candidate: float = 3.0
    z_inside: float = 2.0
    min_history: int = 3
    classes: int = 12
    drift_per_year: float = 0.0
    lasting: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that contradict themselves."""
        if not 1 <= self.k <= self.n:
            raise ValueError(f"k of n needs 1 <= k <= n, not {self.k} of {self.n}")
        if self.min_history < 1 or self.classes < 1 or self.harmonics < 0:
            raise ValueError("min_history and classes must be at least 1, harmonics at least 0")
        if not 0 < self.z_inside <= self.z_candidate:
            raise ValueError("z_inside must lie between 0 and z_candidate")


@dataclass(frozen=True)
class Reference:
    """The surroundings, ready to compare pixels with. Small arrays; pickles.

    Attributes:
        days: (time,) of the series it was fitted on; groups: codes met, sorted.
        curve: (class, time, band) value of the class on the date; NaN where too few of the sample were clear.
        scale: (class, band) noise standard deviation.
        whiten: (band, band) lower triangle: turns scaled residuals into independent ones.
        spread2: (class, time) variance of unchanged ground on that date, 1 = as usual.
        tail: (class,) >= 1, by how much the honest residuals are wider than Gaussian.
        harmonic_variance, group_variance: (class,) of the pixels' own season and orbit offsets about the class curve.
        seasonal: True if the series is long enough for harmonics.
        spatial: False where the sample is too small: no surroundings, the pixel's own past is all there is.
    """

    days: Float64
    groups: NDArray[np.int64]
    curve: Float64
    scale: Float64
    whiten: Float64
    spread2: Float64
    tail: Float64
    harmonic_variance: Float64
    group_variance: Float64
    seasonal: bool
    spatial: bool


def check_times(days: Float64, group: NDArray[np.integer], times: int) -> None:
    """Raise ValueError unless days rise (ties only between groups) and fit the series."""
    if days.shape != (times,) or group.shape != (times,):
        raise ValueError(f"{times} dates need as many days and groups, not {days.shape} and {group.shape}")
    if not np.isfinite(days).all():
        raise ValueError("days must be finite")
    step, turn = np.diff(days), np.diff(group)
    if not ((step > 0) | ((step == 0) & (turn > 0))).all():
        raise ValueError("observations must be sorted by day and group, each once: see `ordered`")


def ordered(
    cube: Float32, days: NDArray[np.floating], group: NDArray[np.integer]
) -> tuple[Float32, Float64, NDArray[np.int64]]:
    """Sort observations by (day, group) and merge those that share both (median, NaN left out).

    Any order of scenes, and any number of repetitions of the same scene, gives the same answer.

    Args:
        cube: (time, ...) values; NaN is no observation.
        days: (time,) in any order.
        group: (time,) codes.

    Returns:
        The cube, days and groups, rising, each (day, group) once.
    """
    keys = np.stack([np.asarray(days, np.float64), np.asarray(group, np.float64)], axis=1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    out = np.empty((len(unique), *cube.shape[1:]), np.float32)
    for i in range(len(unique)):
        same = np.flatnonzero(inverse == i)
        out[i] = cube[same[0]] if len(same) == 1 else median(cube[same])
    return out, unique[:, 0].copy(), unique[:, 1].astype(np.int64)


def seen(values: NDArray[np.floating]) -> Bool:
    """(time, pixel) True where all bands of (time, band, pixel) are finite."""
    return np.asarray(np.isfinite(values).all(axis=1), np.bool_)


def last_true(which: Bool) -> NDArray[np.int16]:
    """Index of the last True along the first axis, -1 without any."""
    last = len(which) - 1 - which[::-1].argmax(axis=0)
    return np.where(which.any(axis=0), last, -1).astype(np.int16)


def known_dates(reference: Reference) -> Bool:
    """(class, time) True where the class has a curve."""
    return np.asarray(np.isfinite(reference.curve).all(axis=2), np.bool_)


def median(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Median along the first axis, NaN left out; NaN where nothing is left."""
    ranked = np.array(np.moveaxis(values, 0, -1), order="C")  # a copy, always: it is sorted in place
    ranked.sort(axis=-1)  # NaN last; much faster along memory
    count = np.isfinite(values).sum(axis=0)
    low = np.take_along_axis(ranked, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ranked, np.minimum(count // 2, len(values) - 1)[..., None], axis=-1)[..., 0]
    # Equal halves must give that very value, or repeating a scene would move it.
    middle = low + (high - low) / 2
    return np.where(count > 0, np.where(count % 2 == 1, low, middle), np.nan).astype(values.dtype)


def design(days: Float64, group: NDArray[np.integer], reference: Reference, harmonics: int) -> Float64:
    """Rows of the baseline: level, cosine and sine of each harmonic, one offset a group where there are several."""
    columns = [np.ones(len(days))]
    if reference.seasonal:
        for j in range(1, harmonics + 1):
            angle = 2 * np.pi * j * days / YEAR_DAYS
            columns += [np.cos(angle), np.sin(angle)]
    if len(reference.groups) > 1:
        columns += [(group == code).astype(np.float64) for code in reference.groups]
    return np.stack(columns, axis=1)


def prior_variance(reference: Reference, harmonics: int) -> Float64:
    """(class, coefficient) variance of the terms of `design` before a pixel is seen, in noise variances."""
    season = [reference.harmonic_variance] * (2 * harmonics if reference.seasonal else 0)
    offsets = [reference.group_variance] * (len(reference.groups) if len(reference.groups) > 1 else 0)
    level = np.full(len(reference.curve), _LEVEL_VARIANCE)
    return np.stack([level, *season, *offsets], axis=1)


def first_clear(clear: Bool, count: int) -> Bool:
    """(time, pixel) True at the first `count` clear observations of a pixel; cut after the last of them."""
    out = np.zeros_like(clear)
    rank = np.zeros(clear.shape[1], np.int16)
    for t, seen in enumerate(clear):
        np.logical_and(seen, rank < count, out=out[t])
        rank += seen
        if (rank >= count).all():
            return out[: t + 1]
    return out


def nearest_class(values: Float32, clear: Bool, curve: Float64, scale: Float64, early: int) -> NDArray[np.intp]:
    """Class whose curve a pixel followed in its first clear observations.

    Args:
        values: (time, band, pixel).
        clear: (time, pixel).
        curve: (class, time, band).
        scale: (class, band) noise.
        early: how many clear observations decide.

    Returns:
        (pixel,) class; 0 where nothing is clear.
    """
    if len(curve) == 1:
        return np.zeros(values.shape[2], np.intp)
    deciding = first_clear(clear, early)
    dates = range(len(deciding))
    common = np.exp(np.log(scale).mean(axis=0)).astype(np.float32)
    best = np.zeros(values.shape[2], np.intp)
    least = np.full(values.shape[2], np.inf, np.float32)
    for c in range(len(curve)):
        total = np.zeros(values.shape[2], np.float32)
        for t in dates:
            if not np.isfinite(curve[c, t]).all():
                continue
            distance = np.zeros(values.shape[2], np.float32)
            for b in range(values.shape[1]):
                distance += np.abs(values[t, b] - np.float32(curve[c, t, b])) / common[b]
            # Bounded, so that one hazy look does not choose the class.
            total += np.where(deciding[t], np.minimum(distance, np.float32(30 * values.shape[1])), np.float32(0))
        nearer = total < least
        best[nearer], least[nearer] = c, total[nearer]
    return best


def start(
    sample: Float32, days: Float64, group: NDArray[np.integer], settings: SeriesSettings
) -> tuple[Reference, NDArray[np.intp]]:
    """First draft of the reference (no date-wise spread yet), and the class of each pixel of the sample.

    Args:
        sample: (pixel, time, band) float32; NaN is no observation.
        days: (time,).
        group: (time,).
        settings: number of classes, length of the early history.
    """
    values = np.array(sample.transpose(1, 2, 0), np.float32, order="C")  # a copy: what is not clear is blanked
    clear = seen(values)
    values[np.broadcast_to(~clear[:, None], values.shape)] = np.nan
    span = float(days[-1] - days[0]) if len(days) else 0.0
    seasonal = settings.harmonics > 0 and span >= YEAR_DAYS and len(days) >= 2 * (2 * settings.harmonics + 1)
    spatial = len(sample) >= _MIN_SAMPLE
    floor = np.maximum(_spread(values) * _FLOOR, 1e-9)
    codes = np.unique(group).astype(np.int64)
    if not spatial:
        return _alone(values, days, codes, seasonal, floor), np.zeros(len(sample), np.intp)
    classes = _classes(values, clear, settings, floor)
    curve, scale, residual = _polish(values, classes, floor, group=group)
    whiten = _whitener(residual / scale[classes].T[None])
    ones = np.ones(curve.shape[:2])
    unit = np.ones(len(curve))
    draft = Reference(days, codes, curve, scale, whiten, ones, unit, unit, unit, seasonal, True)
    return draft, classes


def _spread(values: Float32) -> Float64:
    flat = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
    return np.array([np.ptp(np.quantile(b[np.isfinite(b)], [0.05, 0.95])) if np.isfinite(b).any() else 1 for b in flat])


def _alone(values: Float32, days: Float64, codes: NDArray[np.int64], seasonal: bool, floor: Float64) -> Reference:
    """No surroundings: a constant curve, and the noise from differences of neighbouring dates."""
    times, bands, _ = values.shape
    level, scale = np.zeros(bands), np.ones(bands)
    steps: list[NDArray[np.floating]] = []
    for p in range(values.shape[2]):
        seen = values[np.isfinite(values[:, :, p]).all(axis=1), :, p]
        if len(seen) > 2:
            # Second differences: a slope, such as spring, is not noise.
            steps.append(seen[1:-1] - (seen[:-2] + seen[2:]) / 2)
    if steps:
        noise = MAD_TO_SIGMA * np.median(np.abs(np.concatenate(steps)), axis=0) / np.sqrt(1.5)
        scale = np.maximum(noise.astype(np.float64), floor)
        level = np.array([np.nanmedian(values[:, b]) for b in range(bands)])
    curve = np.broadcast_to(level, (1, times, bands)).copy()
    whiten = _whitener((np.concatenate(steps)[:, :, None] / scale[None, :, None]) if steps else None, bands)
    return Reference(days, codes, curve, scale[None], whiten, np.ones((1, times)), np.ones(1),
                     np.full(1, _ALONE_VARIANCE), np.ones(1), seasonal, False)  # fmt: skip


def _classes(values: Float32, clear: Bool, settings: SeriesSettings, floor: Float64) -> NDArray[np.intp]:
    """Group the sample by its early level (k-medians on curves), small groups joined to their neighbours."""
    pixels = values.shape[2]
    wanted = max(1, min(settings.classes, pixels // 100))
    early = 2 * settings.min_history
    deciding = first_clear(clear, early)
    chosen = np.where(deciding[:, None], values[: len(deciding)], np.nan).astype(np.float32)
    level = median(chosen).astype(np.float64)
    known = np.isfinite(level).all(axis=0)
    if wanted == 1 or known.sum() < _MIN_SAMPLE:
        return np.zeros(pixels, np.intp)
    centred = (level[:, known] - np.median(level[:, known], axis=1)[:, None]) / (floor / _FLOOR)[:, None]
    axis = np.linalg.svd(centred @ centred.T)[0][:, 0]
    axis = axis * np.sign(axis[np.abs(axis).argmax()])  # a singular vector has no sign of its own
    along = np.zeros(pixels)
    along[known] = axis @ centred
    classes = np.searchsorted(np.quantile(along[known], np.arange(1, wanted) / wanted), along).astype(np.intp)
    scale = np.broadcast_to(floor, (wanted, len(floor)))
    for _ in range(_LLOYD):
        curve, _, _ = _polish(values, classes, floor, rounds=1)
        classes = nearest_class(values, clear, curve, scale[: len(curve)], early)
        classes = _join_small(classes, curve, pixels)
    return classes


def _join_small(classes: NDArray[np.intp], curve: Float64, pixels: int) -> NDArray[np.intp]:
    """Number the classes anew without those that hold too few pixels; these go to the nearest kept one."""
    count = np.bincount(classes, minlength=len(curve))
    kept = np.flatnonzero(count >= max(_MIN_VOTES, _MIN_SHARE * pixels))
    gap = np.abs(curve[:, None] - curve[kept][None])
    finite = np.isfinite(gap)
    total = np.where(finite, gap, 0).sum(axis=(2, 3)) / np.maximum(finite.sum(axis=(2, 3)), 1)
    into = np.argmin(np.where(finite.any(axis=(2, 3)), total, np.inf), axis=1)
    into[kept] = np.arange(len(kept))
    return np.asarray(into[classes], np.intp)


def _polish(
    values: Float32,
    classes: NDArray[np.intp],
    floor: Float64,
    rounds: int = _POLISH,
    group: NDArray[np.integer] | None = None,
) -> tuple[Float64, Float64, Float32]:
    """Curve of each class (median polish against the pixels' levels), its noise, and the residuals."""
    count = int(classes.max()) + 1
    times, bands, _ = values.shape
    curve, scale = np.full((count, times, bands), np.nan), np.empty((count, bands))
    residual = np.empty_like(values)
    for c in range(count):
        member = values[:, :, classes == c]
        base = median(member.reshape(times, -1)).reshape(bands, -1)
        common = np.array([np.nanmedian(v) if np.isfinite(v).any() else 0 for v in base], np.float32)
        level = np.where(np.isfinite(base), base - common[:, None], 0).astype(np.float32)
        for _ in range(rounds):
            row = median(np.moveaxis(member - level, 2, 0)).astype(np.float32)
            level = median(member - row[:, :, None]).astype(np.float32)
            level = np.where(np.isfinite(level), level, 0).astype(np.float32)
        rest = member - level - row[:, :, None]
        for code in np.unique(group) if group is not None else ():
            # A pixel's own offset of an orbit is not noise.
            offset = median(rest[group == code])
            rest[group == code] -= np.where(np.isfinite(offset), offset, 0).astype(np.float32)
        enough = np.isfinite(member[:, 0]).sum(axis=1) >= _MIN_VOTES
        curve[c, enough] = row[enough]
        off = np.abs(rest)
        noise = [np.nanmedian(off[:, b]) if np.isfinite(off[:, b]).any() else 0 for b in range(bands)]
        scale[c] = np.maximum(MAD_TO_SIGMA * np.array(noise), floor)
        residual[:, :, classes == c] = rest
    return curve, scale, residual


def _whitener(scaled: NDArray[np.floating] | None, bands: int = 1) -> Float64:
    """Lower triangle L with L R L' = 1 for the robust correlation R of (time, band, pixel) scaled residuals."""
    if scaled is None:
        return np.eye(bands)
    flat = np.clip(np.moveaxis(scaled, 1, 0).reshape(scaled.shape[1], -1), -4, 4)
    flat = flat[:, np.isfinite(flat).all(axis=0)].astype(np.float64)
    if flat.shape[1] < 10 * len(flat):
        return np.eye(len(flat))
    moment = flat @ flat.T / flat.shape[1]
    size = np.sqrt(np.maximum(np.diag(moment), 1e-12))
    correlation = (1 - _SHRINK) * moment / np.outer(size, size) + _SHRINK * np.eye(len(flat))
    return np.asarray(np.linalg.inv(np.linalg.cholesky(correlation)))
