"""Change in a series of images, pixel by pixel: when, how surely, since when, and until when it was provably not so.

A pixel is followed against its own past (level, season, one offset a relative orbit) relative to what the ground
like it did on the same dates. One clear observation outside makes a candidate, k of n confirm it. Every answer is a
function of the set of observations: no state is kept, so one scene more is the same as starting anew.

Related: CCDC (Zhu & Woodcock 2014), COLD (Zhu et al. 2020), BFAST Monitor (Verbesselt et al. 2012). What differs: the
surroundings take part, and an observation that cannot tell the old state from the new one is never called unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.kernels.series_baseline import Scan, class_offset, gaussian_equivalent, scan
from geo.kernels.series_reference import (
    YEAR_DAYS,
    Bool,
    Float32,
    Float64,
    Reference,
    SeriesSettings,
    check_times,
    known_dates,
    last_true,
    median,
    nearest_class,
    ordered,
    seen,
    start,
)
from geo.kernels.series_tuning import tuned

__all__ = ["Breaks", "Reference", "SeriesSettings", "fit_reference", "monitor", "ordered", "states"]

Int16 = NDArray[np.int16]
_BLOCK = 8192  # pixels at a time: the state of the regression stays in the cache
NOT_JUDGED, LEVEL, SEASONAL = 0, 1, 2
NOT_SEEN, OLD, NEW, UNSURE = 0, 1, 2, 3


@dataclass(frozen=True)
class Breaks:
    """The change of each pixel; (row, col) unless said. Indices count the dates of the cube; -1 is none.

    Attributes:
        first: first of the confirming observations.
        confirmed: where k of n was reached.
        candidate: first of the excursions at the end of the series that are not confirmed yet.
        unchanged: last observation before `first` that is within the baseline and cannot be the new state.
        seen_before: last clear observation before `first`.
        returned: first of k of n observations back at the baseline; -1 where the change lasts.
        score: weakest of the best k of n distances, in Gaussian-equivalent standard deviations, from `first` on
            (where nothing was confirmed: `z_max`); NaN where not observed enough to judge.
        z_max: the same over the whole series, for a null taken over unchanged ground.
        clear: number of clear observations.
        before: (band, row, col) median of the clear values up to `unchanged` (all, without a change).
        after: (band, row, col) median of the clear values from `first` on (until `returned`); NaN without a change.
        model: uint8, 0 not judged, 1 level against the surroundings, 2 a year of own history or more.
    """

    first: Int16
    confirmed: Int16
    candidate: Int16
    unchanged: Int16
    seen_before: Int16
    returned: Int16
    score: Float32
    z_max: Float32
    clear: Int16
    before: Float32
    after: Float32
    model: NDArray[np.uint8]


def fit_reference(sample: Float32, days: Float64, group: NDArray[np.integer], settings: SeriesSettings) -> Reference:
    """Learn from a lattice sample what the surroundings did.

    Args:
        sample: float32 (pixel, time, band), sorted (`ordered`); NaN is no observation. Ground that is not part of the
            site is best: a change that covers half of a class would become its normal. Below 50 pixels there are no
            surroundings: pixels are then judged by their own past alone.
        days: (time,) rising.
        group: (time,) sensor or relative orbit codes.
        settings: number of classes, harmonics.

    Returns:
        The reference.

    Raises:
        ValueError: shapes that do not fit, unsorted dates, infinite values.
    """
    days, group = np.asarray(days, np.float64), np.asarray(group)
    if sample.ndim != 3 or 0 in sample.shape:
        raise ValueError(f"a sample is (pixel, time, band), not {sample.shape}")
    check_times(days, group, sample.shape[1])
    if np.isinf(sample).any():
        raise ValueError("values must be finite or NaN")
    # Ground that is hardly ever seen, as beyond an image's edge, would crowd the classes of the rest.
    known = seen(sample.transpose(1, 2, 0)).sum(axis=0) > settings.min_history
    if known.any():
        sample = sample[known]
    draft, classes = start(sample, days, group, settings)
    return tuned(draft, sample, classes, group, settings)


def monitor(
    cube: Float32, days: Float64, group: NDArray[np.integer], reference: Reference, settings: SeriesSettings
) -> Breaks:
    """Find the change of every pixel.

    Args:
        cube: float32 (time, band, row, col); an observation is clear where all bands are finite.
        days: (time,), those of the reference.
        group: (time,) codes.
        reference: from `fit_reference` on the same dates.
        settings: the same as for the reference.

    Returns:
        See `Breaks`.

    Raises:
        ValueError: shapes that do not fit, dates that are not the reference's.
    """
    _check(cube, days, group, reference)
    _, bands, rows, cols = cube.shape
    whole = _empty(bands, rows * cols)
    for part, values in _blocks(cube):
        found = _judge(values, group, reference, settings)
        for name, plane in whole.items():
            plane[..., part] = getattr(found, name)
    planes: dict[str, Any] = {n: p.reshape(*p.shape[:-1], rows, cols) for n, p in whole.items()}
    return Breaks(**planes)


def states(
    cube: Float32,
    days: Float64,
    group: NDArray[np.integer],
    reference: Reference,
    breaks: Breaks,
    settings: SeriesSettings,
) -> NDArray[np.int8]:
    """What each observation shows: 0 not seen, 1 the old state, 2 the new one, 3 clear but it cannot tell.

    Without a change, an observation within the baseline shows the old state and any other cannot tell.

    Args:
        cube: as for `monitor`.
        days: the same.
        group: the same.
        reference: the same.
        breaks: what `monitor` said about them.
        settings: the same.

    Returns:
        int8 (time, row, col).
    """
    _check(cube, days, group, reference)
    times, _, rows, cols = cube.shape
    out = np.empty((times, rows * cols), np.int8)
    first, returned = breaks.first.reshape(-1), breaks.returned.reshape(-1)
    confirmed = breaks.confirmed.reshape(-1)
    for part, values in _blocks(cube):
        found, classes = _walk(values, group, reference, settings)
        told = found._replace(first=first[part], returned=returned[part], confirmed=confirmed[part])
        out[:, part] = _labels(told, *_inside_apart(told, classes, reference, settings), settings)
    return out.reshape(times, rows, cols)


def _check(cube: Float32, days: Float64, group: NDArray[np.integer], reference: Reference) -> None:
    if cube.ndim != 4 or cube.shape[1] != len(reference.whiten):
        raise ValueError(f"a cube is (time, {len(reference.whiten)} bands, row, col), not {cube.shape}")
    check_times(np.asarray(days, np.float64), np.asarray(group), len(cube))
    if not np.array_equal(days, reference.days) or not np.isin(group, reference.groups).all():
        raise ValueError("the reference was fitted on other dates")


def _blocks(cube: Float32) -> Iterator[tuple[slice, Float32]]:
    flat = cube.reshape(*cube.shape[:2], -1)
    for begin in range(0, flat.shape[2], _BLOCK):
        part = slice(begin, min(begin + _BLOCK, flat.shape[2]))
        yield part, np.ascontiguousarray(flat[:, :, part], np.float32)


def _walk(
    values: Float32, group: NDArray[np.integer], reference: Reference, settings: SeriesSettings
) -> tuple[Scan, NDArray[np.intp]]:
    clear = seen(values)
    classes = nearest_class(values, clear, reference.curve, reference.scale, 2 * settings.min_history)
    clear &= known_dates(reference)[classes].T
    return scan(values, clear, classes, group, reference, settings), classes


def _inside_apart(
    found: Scan, classes: NDArray[np.intp], reference: Reference, settings: SeriesSettings
) -> tuple[Bool, Bool]:
    """(time, pixel): within the baseline; provably not the new state."""
    times, bands, pixels = found.whitened.shape
    inside = found.clear & (np.nan_to_num(found.z, nan=np.inf) < settings.z_inside)
    apart = np.zeros((times, pixels), np.bool_)
    who = np.flatnonzero(found.first >= 0)
    if not len(who):
        return inside, apart
    here = found.whitened[:, :, who] + class_offset(reference)[classes[who]].transpose(1, 2, 0)
    date = np.arange(times)[:, None]
    new = (found.z[:, who] >= settings.z_candidate) & found.clear[:, who] & (date >= found.first[who])
    # The state right after the onset decides: what comes later may be another stage of the same work.
    new &= np.cumsum(new, axis=0) <= settings.n
    state = median(np.where(new[:, None], here, np.nan).astype(np.float32)).astype(np.float32)
    scatter = median(np.where(new, _mean_square(here - state), np.nan).astype(np.float32))
    noise2 = reference.spread2.astype(np.float32)[classes[who]].T * found.size2[who]
    distance = _mean_square(here - state) / (noise2 + np.nan_to_num(scatter) / 2)
    apart[:, who] = gaussian_equivalent(distance, bands) >= settings.z_candidate
    return inside, apart & found.clear


def _mean_square(values: Float32) -> Float32:
    total = values[:, 0] ** 2
    for b in range(1, values.shape[1]):
        total += values[:, b] ** 2
    return (total / np.float32(values.shape[1])).astype(np.float32)


def _labels(found: Scan, inside: Bool, apart: Bool, settings: SeriesSettings) -> NDArray[np.int8]:
    date = np.arange(len(inside))[:, None]
    changed = found.first >= 0
    on = changed & (date >= found.first) & ((found.returned < 0) | (date < found.returned))
    out = found.clear & (np.nan_to_num(found.z, nan=-np.inf) >= settings.z_candidate)
    label = np.where(found.clear, np.int8(UNSURE), np.int8(NOT_SEEN))
    label[inside & (apart | ~changed)] = OLD
    # Later stages of the same work (bare, then roofs) are as far from the old state as the first.
    label[on & out] = NEW
    return label.astype(np.int8)


def _judge(values: Float32, group: NDArray[np.integer], reference: Reference, settings: SeriesSettings) -> Breaks:
    found, classes = _walk(values, group, reference, settings)
    inside, apart = _inside_apart(found, classes, reference, settings)
    date = np.arange(len(values))[:, None]
    changed = found.first >= 0
    earlier = date < found.first
    unchanged = last_true(earlier & inside & apart)
    clear = found.clear
    until = np.where(changed, unchanged, len(values))
    ended = np.where(found.returned >= 0, found.returned, len(values))
    before = _median_where(values, clear & (date <= until))
    after = _median_where(values, clear & (date >= found.first) & (date < ended) & changed)
    count = clear.sum(axis=0).astype(np.int16)
    judged = count >= settings.min_history + 1
    own_year = reference.seasonal & (found.span_days >= YEAR_DAYS)
    model = np.where(judged, np.where(own_year, SEASONAL, LEVEL), NOT_JUDGED).astype(np.uint8)
    return Breaks(found.first, found.confirmed, found.candidate, unchanged, last_true(earlier & clear), found.returned,
                  found.score, found.z_max, count, before, after, model)  # fmt: skip


def _median_where(values: Float32, which: Bool) -> Float32:
    out = np.full(values.shape[1:], np.nan, np.float32)
    who = np.flatnonzero(which.any(axis=0))
    if len(who):
        out[:, who] = median(np.where(which[:, None, who], values[:, :, who], np.nan).astype(np.float32))
    return out


def _empty(bands: int, pixels: int) -> dict[str, NDArray[np.generic]]:
    indices = ("first", "confirmed", "candidate", "unchanged", "seen_before", "returned", "clear")
    whole: dict[str, NDArray[np.generic]] = {name: np.empty(pixels, np.int16) for name in indices}
    whole |= {name: np.empty(pixels, np.float32) for name in ("score", "z_max")}
    whole |= {name: np.empty((bands, pixels), np.float32) for name in ("before", "after")}
    return whole | {"model": np.empty(pixels, np.uint8)}
