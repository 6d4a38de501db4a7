"""Radar: tests of change on linear power, speckle-aware. Power is gamma distributed; its logarithm is nearly normal.

One series per relative orbit, always: another look angle is another backscatter. A change that the whole scene
shares (rain, calibration) is taken out with the scene's median, never with a local mean, which removes large events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Float = NDArray[np.float64]
Power = NDArray[np.floating]

DB = 10 / np.log(10)  # decibel per unit of natural logarithm


class TTest(NamedTuple):
    """A t-statistic per pixel or zone and its degrees of freedom; NaN where it cannot be formed."""

    t: Float
    dof: Float


class Omnibus(NamedTuple):
    """p of no change at all, (…); and p of each step given none before it, (T-1, …), see `omnibus`."""

    p: Float
    p_step: Float


def decibel(power: Power) -> Float:
    """10 log10 of linear power; NaN where power is NaN or not positive.

    >>> decibel(np.array([1.0, 100.0, 0.0])).tolist()
    [0.0, 20.0, nan]
    """
    values = np.asarray(power, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(values > 0, DB * np.log(np.where(values > 0, values, 1.0)), np.nan))


def speckle_db(enl: float | Float) -> Float:
    """Standard deviation in decibel of the logarithm of gamma speckle with `enl` looks: sqrt(trigamma) * 10 / ln 10.

    >>> float(speckle_db(4.0).round(2))
    2.31
    """
    return np.asarray(DB * np.sqrt(special.polygamma(1, np.asarray(enl, np.float64))))


def estimate_enl(power: Power, *, share: float = 0.5) -> float:
    """Equivalent number of looks of a series over mostly unchanged ground.

    Each pixel's variance over time of log power, after the scene's median of each date, is trigamma(ENL) where nothing
    changes; the `share` quantile over pixels is compared with what sampling gives at that quantile.

    Args:
        power: linear (T, …) of one orbit and polarisation, at least 3 dates; NaN = no observation.
        share: quantile over pixels; lower it where much of the scene changes.

    Returns:
        ENL of a single date; NaN without a pixel that is seen three times. Source: Anfinsen et al. 2009 (IEEE TGRS 47)
        for log-moments; here temporal, so that texture does not count.
    """
    log = level(decibel(power).reshape(len(power), -1)) / DB
    count = np.isfinite(log).sum(axis=0)
    log, count = log[:, count >= 3], count[count >= 3]
    if not count.size:
        return float("nan")
    variance = np.nanvar(log, axis=0, ddof=1)
    usual = int(np.median(count))
    expected = stats.chi2.ppf(share, usual - 1) / (usual - 1)
    return _looks_of(float(np.quantile(variance[count >= usual], share)) / expected)


def _looks_of(variance: float) -> float:
    """Solve trigamma(looks) = variance, by bisection on the logarithm."""
    low, high = -7.0, 12.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if special.polygamma(1, np.exp(middle)) > variance else (low, middle)
    return float(np.exp((low + high) / 2))


def level(db: Float) -> Float:
    """Take from each date the scene's median departure from the pixels' own medians over time; (T, …) in decibel."""
    flat = db.reshape(len(db), -1)
    return np.asarray((flat - scene_offset_db(flat)[:, None]).reshape(db.shape))


def scene_offset_db(sample_db: Float) -> Float:
    """The scene's departure on each date of one orbit, (T,), from a sample (T,N) in decibel; NaN where unseen."""
    own = _nanmedian(sample_db, axis=0)
    return _nanmedian(sample_db - own, axis=1)


def multilook(power: Power, radius: int) -> Float:
    """Mean power over squares of 2 * radius + 1 pixels of the last two axes; NaN carries no weight and stays NaN."""
    values = np.asarray(power, np.float64)
    seen = np.isfinite(values)
    total, mass = np.where(seen, values, 0.0), seen.astype(np.float64)
    for axis in (-2, -1):
        total, mass = _box(total, radius, axis), _box(mass, radius, axis)
    return np.where(seen, total / np.maximum(mass, 1), np.nan)


def zone_power(power: Power, weights: Power, *, least: float = 0.5) -> Float:
    """Mean power of zones on each date.

    Args:
        power: linear (T,row,col), or (T,P,row,col) with P polarisations.
        weights: coverage (Z,row,col), 0-1.
        least: share of a zone's weight that must be observed.

    Returns:
        (T,Z) or (T,P,Z); NaN where less is observed, so that half a zone never stands for the whole.
    """
    values = np.asarray(power, np.float64)
    flat = values.reshape(*values.shape[:-2], -1)
    share = np.asarray(weights, np.float64).reshape(len(weights), -1)
    seen = np.isfinite(flat)
    mass = np.einsum("...n,zn->...z", seen.astype(np.float64), share)
    total = np.einsum("...n,zn->...z", np.where(seen, flat, 0.0), share)
    whole = share.sum(axis=1)
    return np.where((mass >= least * whole) & (mass > 0), total / np.maximum(mass, 1e-12), np.nan)


def t_statistic(before: Power, after: Power) -> TTest:
    """Student's t of log power after against before, one orbit and polarisation (the PWTT).

    Args:
        before: linear power (K, …), at least 2 dates where an answer is wanted; zones or (`multilook`ed) pixels.
        after: linear power (M, …), same trailing shape.

    Returns:
        t with pooled variance, positive where power rose. Source: Ballinger 2024 (arXiv 2405.06323), without its
        speckle filter: context enters as looks, before the logarithm.
    """
    if before.shape[1:] != after.shape[1:]:
        raise ValueError(f"before {before.shape} and after {after.shape} show different pixels")
    first, second = decibel(before), decibel(after)
    n1, n2 = (np.isfinite(x).sum(axis=0).astype(np.float64) for x in (first, second))
    mean1, mean2 = (_nanmean(x) for x in (first, second))
    rest = np.nansum((first - mean1) ** 2, axis=0) + np.nansum((second - mean2) ** 2, axis=0)
    dof = n1 + n2 - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (mean2 - mean1) / np.sqrt(rest / dof * (1 / n1 + 1 / n2))
    known = (dof >= 1) & (n1 >= 1) & (n2 >= 1) & np.isfinite(t)
    return TTest(np.where(known, t, np.nan), np.where(known, dof, np.nan))


def combine(tests: list[list[TTest]]) -> Float:
    """Probability of no change from several orbits and polarisations.

    Args:
        tests: one list a polarisation, one test an orbit in it. Orbits see one change with one sign: their normal
            scores are added (Stouffer). Polarisations may part (structure raises VV, lost plants lower VH): the squares
            of their scores are added.

    Returns:
        p of the pixels or zones; NaN where nothing was formed.
    """
    total, degrees = None, None
    for orbits in tests:
        scores = np.stack([_normal_score(test) for test in orbits])
        seen = np.isfinite(scores).sum(axis=0)
        square = np.nansum(scores, axis=0) ** 2 / np.maximum(seen, 1)
        total = square if total is None else total + square
        degrees = (seen > 0).astype(np.float64) if degrees is None else degrees + (seen > 0)
    if total is None or degrees is None:
        raise ValueError("nothing to combine")
    return np.where(degrees > 0, stats.chi2.sf(total, np.maximum(degrees, 1)), np.nan)


def omnibus(power: Power, enl: float) -> Omnibus:
    """Has anything changed, and when: the sequential omnibus test of equal gamma (diagonal Wishart) means.

    Args:
        power: linear (T,P, …) of one orbit; P polarisations taken as independent (the diagonal of the covariance).
            NaN anywhere in a pixel's series gives NaN: compare the dates that are there instead.
        enl: equivalent number of looks of one date.

    Returns:
        p of equality of all T dates, and for each date j = 2 … T the p that it equals the mean of those before it
        (R_j, independent of each other when nothing changes). The first small p_step ends the interval of change.

    Source: Conradsen, Nielsen & Skriver 2016 (IEEE TGRS 54, eqs 9-13 with p = 1), Box's two-term approximation.
    """
    values = np.asarray(power, np.float64)
    if values.ndim < 2 or len(values) < 2 or enl <= 0:
        raise ValueError(
            f"an omnibus test needs (T,P, …) of two dates or more and looks > 0, not {values.shape}, {enl}"
        )
    dates, pols = values.shape[:2]
    values = np.where(values > 0, values, np.nan)
    log = np.log(values)
    sums = np.log(np.cumsum(values, axis=0))
    k = float(dates)
    q = enl * (k * np.log(k) + log.sum(axis=0) - k * sums[-1]).sum(axis=0)
    p_all = _box_p(q, pols * (k - 1), 1 - (k / enl - 1 / (enl * k)) / (6 * (k - 1)))
    steps = np.empty((dates - 1, *values.shape[2:]))
    for n in range(1, dates):
        j = float(n + 1)
        entropy = j * np.log(j) - (j - 1) * np.log(j - 1) if n > 1 else 2 * np.log(2.0)
        r = enl * (entropy + (j - 1) * sums[n - 1] + log[n] - j * sums[n]).sum(axis=0)
        steps[n - 1] = _box_p(r, float(pols), 1 - (1 + 1 / (j * (j - 1))) / (6 * enl))
    return Omnibus(p_all, steps)


def _box_p(log_q: Float, degrees: float, rho: float) -> Float:
    """P(-2 rho ln Q > z) to second order; for p = 1 the weight omega_2 has only its second term."""
    z = np.maximum(-2 * rho * log_q, 0)
    omega = -degrees / 4 * (1 - 1 / rho) ** 2
    plain = stats.chi2.sf(z, degrees)
    return np.asarray(np.clip(plain + omega * (stats.chi2.sf(z, degrees + 4) - plain), 0, 1))


def _normal_score(test: TTest) -> Float:
    """The normal deviate of the same probability, sign kept; far tails through the logarithm."""
    with np.errstate(invalid="ignore"):
        tail = np.maximum(stats.t.sf(np.abs(test.t), test.dof), 1e-300)
        return np.asarray(np.sign(test.t) * stats.norm.isf(tail))


def _box(values: Float, radius: int, axis: int) -> Float:
    """Running sum over 2 * radius + 1 values by shifted additions: the same bits whatever the tile."""
    moved = np.moveaxis(values, axis, 0)
    out = moved.copy()
    for distance in range(1, radius + 1):
        if distance < len(moved):
            out[distance:] += moved[:-distance]
            out[:-distance] += moved[distance:]
    return np.moveaxis(out, 0, axis)


def _nanmean(values: Float) -> Float:
    seen = np.isfinite(values).sum(axis=0)
    return np.asarray(np.where(seen > 0, np.nansum(values, axis=0) / np.maximum(seen, 1), np.nan))


def _nanmedian(values: Float, axis: int) -> Float:
    """Median of the observed; NaN, without a warning, where none is."""
    blind = ~np.isfinite(values).any(axis=axis, keepdims=True)
    filled = np.where(blind, 0.0, values)
    return np.asarray(np.where(np.squeeze(blind, axis), np.nan, np.nanmedian(filled, axis=axis)))
