"""The line of a wall against the ground on both sides of it: contrast, its null on shifted lines, what of it stands.

Arrays are (line, segment, band): line 0..n-1 are copies of the perimeter moved over ground where nothing was built,
so that all that real ground does along a line of this shape (roads, hedges, season, misregistration) is in the null.
No spectrum of a wall is assumed: the distance is blind (Mahalanobis over the bands). Three steps make it sharp.
The later contrast is first predicted from the earlier one (chronochrome, Schaum & Stocker 1998): a road that is
brighter in a drier year is no change. A segment's vote is then bounded (Huber 1981): a house built beside a segment
counts for one segment, while a wall speaks from all of them. The covariance is shrunk (Schäfer & Strimmer 2005).

At a metre or better the wall itself is a ridge: brighter (or darker) than what lies on *both* sides of it, all along.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

STAY = 0.92  # chance that the next segment is in the same state: walls and gaps come about 350 m long
LEAST_SHRINKAGE = 0.02
_CLIP = 4.0  # most that one segment may say, in natural log of the odds
_ROUNDS = 4


def line_contrast(on: Float, inside: Float, outside: Float) -> tuple[Float, Float]:
    """Return (contrast, step) of ribbons of any equal shape: on against the mean of both sides; outside less inside.

    NaN where any of the three was not seen.

    >>> [float(v) for v in line_contrast(np.float64(0.75), np.float64(0.25), np.float64(0.5))]
    [0.375, 0.25]
    """
    return np.asarray(on - (inside + outside) / 2), np.asarray(outside - inside)


# --- the null --------------------------------------------------------------------------------------------------


class LineNull(NamedTuple):
    """Middle (band,) and inverse covariance (band, band) of contrasts on unchanged ground."""

    middle: Float
    precision: Float

    def distance(self, x: Float) -> Float:
        """Squared Mahalanobis distance of (..., band); NaN where a band is missing."""
        z = np.asarray(x, np.float64) - self.middle
        return np.asarray(((z @ self.precision) * z).sum(axis=-1))


def fit_null(sample: Float, *, trim: float = 0.0) -> LineNull:
    """Fit the null of contrasts to unchanged ground.

    Args:
        sample: (sample, band); rows with NaN are left out.
        trim: share of the samples farthest out that is left out of the fit, 0 to below 1: real change among them.

    Raises:
        ValueError: no more complete samples than there are bands, plus one.
    """
    x = np.asarray(sample, np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    if len(x) <= x.shape[1] + 1:
        raise ValueError(f"{len(x)} lines are too few for the null of {x.shape[1]} bands")
    null = _fit(x)
    for _ in range(3 if trim > 0 else 0):
        d = null.distance(x)
        null = _fit(x[d <= np.quantile(d, 1 - trim)])
    return null


def _fit(x: Float) -> LineNull:
    middle, precision = _fits(x, np.ones((1, len(x))))
    return LineNull(middle[0], precision[0])


def _fits(x: Float, chosen: Float) -> tuple[Float, Float]:
    """Means (fit, band) and shrunk inverse covariances (fit, band, band) of the samples that each fit chooses.

    Correlations are shrunk towards none by as much as their own noise asks for; chosen is (fit, sample), 0 or 1.
    """
    bands = x.shape[1]
    centre = np.median(x, axis=0)
    z = x - centre
    scale = np.maximum(np.sqrt(np.mean(z**2, axis=0)), 1e-9)
    z = z / scale
    n = np.asarray(chosen.sum(axis=1), np.float64)[:, None, None]
    pairs = (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)
    middle = chosen @ z / n[:, 0]
    covariance = (chosen @ pairs).reshape(-1, bands, bands) / n - middle[:, :, None] * middle[:, None, :]
    fourth = (chosen @ pairs**2).reshape(-1, bands, bands) / n
    spread = np.sqrt(np.maximum(np.einsum("kii->ki", covariance), 1e-6))
    both = spread[:, :, None] * spread[:, None, :]
    correlation = covariance / both
    off = np.eye(bands) == 0
    noise = np.where(off, (fourth / both**2 - correlation**2) / n, 0.0).sum(axis=(1, 2))
    signal = np.where(off, correlation**2, 0.0).sum(axis=(1, 2))
    amount = np.asarray(np.clip(noise / np.maximum(signal, 1e-12), LEAST_SHRINKAGE, 1.0))[:, None, None]
    shrunk = np.where(off, (1 - amount) * correlation, 1.0 + 1e-9)
    unit = both * scale[:, None] * scale[None, :]
    return middle * scale + centre, np.linalg.inv(shrunk) / unit


def line_distances(x: Float, near: Bool) -> tuple[Float, LineNull | None]:
    """Judge every line by the moved lines that are not near it, the perimeter (line 0) like all others.

    A moved line and its neighbours see the same ground. Were they in the fit that judges it, unchanged ground would
    look tamer than the perimeter's own, which no moved line sees.

    Args:
        x: (line, band) means; NaN where not seen.
        near: (line, line) True where two lines see much of the same ground.

    Returns:
        Squared distances (line,), NaN where a line was not seen or too few lines (three a band) are left to judge it;
        and the null that judges line 0, None where there is none.
    """
    out = np.full(len(x), np.nan)
    seen = np.isfinite(x).all(axis=1)
    fit = np.flatnonzero(seen)
    fit = fit[fit > 0]
    chosen = (~near[:, fit]).astype(np.float64)
    judged = np.flatnonzero(seen & (chosen.sum(axis=1) >= 3 * x.shape[1]))
    if not judged.size:
        return out, None
    middle, precision = _fits(np.asarray(x[fit], np.float64), chosen[judged])
    z = x[judged] - middle
    out[judged] = np.einsum("li,lij,lj->l", z, precision, z)
    return out, LineNull(middle[0], precision[0]) if judged[0] == 0 else None


def fit_prediction(before: Float, after: Float) -> Float:
    """Return the matrix (band, band) that predicts the later contrast from the earlier: after ~ before @ matrix.

    Args:
        before: (..., band) contrasts of segments of unchanged lines; NaN left out.
        after: the same segments later. Changed ones among them are voted down.

    Returns:
        Zeros where there is too little to learn from.
    """
    bands = before.shape[-1]
    x, y = (np.asarray(v, np.float64).reshape(-1, bands) for v in (before, after))
    seen = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    x, y = x[seen], y[seen]
    if len(x) < 5 * bands:
        return np.zeros((bands, bands))
    ridge = 1e-4 * len(x) * (float(np.mean(x**2)) + 1e-12) * np.eye(bands)
    weight = np.ones(len(x))
    matrix: Float = np.zeros((bands, bands))
    for _ in range(_ROUNDS):
        xw = x * weight[:, None]
        matrix = np.asarray(np.linalg.solve(xw.T @ x + ridge, xw.T @ y), np.float64)
        left = (y - x @ matrix) ** 2
        size = np.sqrt(np.mean(left / np.maximum(np.median(left, axis=0), 1e-18), axis=1))
        weight = np.minimum(1.0, 2.0 / np.maximum(size, 1e-9)) ** 2
    return matrix


def bounded_mean(x: Float, null: LineNull, limit: float, *, least: float = 0.7) -> Float:
    """Mean over segments in which none counts for more than one at the distance `limit` does.

    Args:
        x: (..., segment, band); segments with NaN do not count.
        null: of single segments.
        limit: largest distance (not squared) that counts in full, positive.
        least: share of the segments that must be seen.

    Returns:
        (..., band), times the root of the share seen: a line seen in part is noisier, and must not make the null of
        whole lines wider than it is. NaN where too little was seen.
    """
    d = np.sqrt(null.distance(x))
    seen = np.isfinite(d)
    w = np.where(seen, np.minimum(1.0, limit / np.where(seen, np.maximum(d, 1e-12), 1.0)), 0.0)
    total = w.sum(axis=-1)[..., None]
    share = seen.mean(axis=-1)[..., None]
    summed = np.einsum("...s,...sb->...b", w, np.nan_to_num(x))
    mean = summed / np.where(total > 0, total, 1.0) * np.sqrt(share)
    return np.asarray(np.where((total > 0) & (share >= least), mean, np.nan))


def rank_p(value: NDArray[np.floating] | float, null: NDArray[np.floating]) -> Float:
    """Chance of `value` or more under the null: (1 + null >= value) / (1 + n), so never below 1 / (n + 1).

    NaN in the null is left out; a NaN value gives NaN; without any null p is 1.

    >>> float(rank_p(9.0, np.arange(9.0)))
    0.1
    """
    known = np.sort(np.asarray(null, np.float64)[np.isfinite(null)])
    v = np.asarray(value, np.float64)
    above = len(known) - np.searchsorted(known, v, side="left")
    return np.asarray(np.where(np.isfinite(v), (1.0 + above) / (1.0 + len(known)), np.nan))


def standing_out(x: Float, null: Float) -> Float:
    """Scale statistics so that different groups of segments compare: (x - median) / (q90 - median) of their null.

    Args:
        x: (..., group) statistics.
        null: (line, group) the same on unchanged ground, NaN left out.
    """
    with np.errstate(invalid="ignore"):
        low, high = np.nanquantile(null, (0.5, 0.9), axis=0)
    return np.asarray((x - low) / np.maximum(high - low, 1e-12))


# --- what stands -----------------------------------------------------------------------------------------------


def standing(y: Float, *, closed: bool, stay: float = STAY) -> tuple[Float, float]:
    """Return the chance that each segment stands, and the level of those that do: a two-state chain round the line.

    Args:
        y: (segment,) evidence in units of its null's standard deviation, 0 on average where nothing stands; NaN where
            not seen (judged by its neighbours).
        closed: True where the last segment meets the first.
        stay: chance that a segment is in its neighbour's state.

    Returns:
        Chances (segment,) by forward-backward, and the level found by expectation maximisation from the upper half.
    """
    seen = np.isfinite(y)
    if not seen.any():
        return np.full(len(y), 0.5), float("nan")
    known = y[seen]
    level = max(float(np.mean(known[known >= np.median(known)])), 1.0)
    chance = np.full(len(y), 0.5)
    for _ in range(30):
        odds = np.where(seen, np.clip(level * (np.nan_to_num(y) - level / 2), -_CLIP, _CLIP), 0.0)
        chance = _chain(odds, stay, closed)
        total = chance[seen].sum()
        new = max(float((chance[seen] * known).sum() / total), 1.0) if total > 0.5 else level
        if abs(new - level) < 1e-4:
            break
        level = new
    return chance, level


def _chain(odds: Float, stay: float, closed: bool) -> Float:
    """Chance of state 1 in a two-state chain; a ring is walked three times and read from the middle round."""
    n = len(odds)
    o = np.tile(odds, 3) if closed else odds
    likely = np.column_stack((np.ones(len(o)), np.exp(o)))
    move = np.array([[stay, 1 - stay], [1 - stay, stay]])
    forward, backward = np.empty_like(likely), np.ones_like(likely)
    now = np.array([0.5, 0.5])
    for k in range(len(o)):
        now = likely[k] * (move @ now if k else now)
        now = now / now.sum()
        forward[k] = now
    for k in range(len(o) - 2, -1, -1):
        now = move @ (likely[k + 1] * backward[k + 1])
        backward[k] = now / now.sum()
    both = forward * backward
    chance = both[:, 1] / both.sum(axis=1)
    return np.asarray(chance[n : 2 * n] if closed else chance)


def runs(flags: Bool, start_m: Float, end_m: Float, *, closed: bool) -> tuple[tuple[float, float], ...]:
    """Chainage intervals of runs of True; a run over the first vertex of a ring is one, its end below its start.

    >>> runs(np.array([True, False, True]), np.array([0., 30, 60]), np.array([30., 60, 90]), closed=True)
    ((60.0, 30.0),)
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    found = [(float(start_m[a]), float(end_m[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    if closed and len(found) > 1 and flags[0] and flags[-1]:
        found = [*found[1:-1], (found[-1][0], found[0][1])]
    return tuple(found)


# --- when ------------------------------------------------------------------------------------------------------


def provable(y: Float, null: Float, level: float, alpha: float) -> NDArray[np.int8]:
    """What each date proves: 1 the line is there, -1 it is not (as it is later), 0 not distinguishable or not seen.

    Args:
        y: (time,) evidence.
        null: (time, sample) the same on unchanged ground at the same dates, NaN left out.
        level: evidence of the line where it stands. With a null distribution wider than the level lies high, no date
            proves anything.
        alpha: chance of a wrong proof of either kind.
    """
    there = rank_p_each(y, null) <= alpha
    # Where the line stood, y would be the level plus what unchanged ground does by itself.
    gone = rank_p_each(level - y, -null) <= alpha
    return (there & ~gone).astype(np.int8) - (gone & ~there).astype(np.int8)


def rank_p_each(y: Float, null: Float) -> Float:
    """`rank_p` of y[t] in null[t], (time,); a NaN gives 1: it proves nothing."""
    return np.array([float(np.nan_to_num(rank_p(v, row), nan=1.0)) for v, row in zip(y, null, strict=True)])


def first_seen(states: NDArray[np.int8], *, of: int = 5, at_least: int = 3) -> tuple[int, int]:
    """Return (last date provably without, first date provably with) as indices; -1 where nothing bounds.

    A date counts as first when, of it and the provable dates after it (up to `of`), at least `at_least` (all, where
    there are fewer) show the line. Dates that prove nothing bound nothing.

    >>> first_seen(np.array([-1, -1, 0, 1, 0, 1, 1], np.int8))
    (1, 3)
    """
    first = -1
    for t in np.flatnonzero(states == 1):
        told = states[t:][states[t:] != 0][:of]
        if (told == 1).sum() >= min(at_least, len(told)):
            first = int(t)
            break
    before = np.flatnonzero(states[:first] == -1) if first >= 0 else np.flatnonzero(states == -1)
    return (int(before[-1]) if before.size else -1), first


def interval(y: Float, null: Float, level: float, alpha: float) -> tuple[int, int]:
    """Return (last date provably without, first date provably with) as indices; -1 where nothing bounds.

    Where single dates prove nothing, neighbouring ones are taken together (2, 4, 8, ... seen dates): a line that stays
    once it came was there at the last of dates that show it together, and was not at the first of dates that do not.

    Args:
        y: (time,) evidence, NaN where not seen.
        null: (time, sample) of unchanged ground, NaN left out.
        level: evidence where the line stands.
        alpha: chance of a wrong proof.
    """
    seen = np.flatnonzero(np.isfinite(y))
    y, null = y[seen], null[seen]
    firsts, lasts = [], []
    width = 1
    while width <= len(y):
        states = provable(_moving(y, width), _moving(null, width), level, alpha)
        _, first = first_seen(states)
        if first >= 0:
            firsts.append(first + width - 1)
        lasts.append((states, width))
        width *= 2
    first = min(firsts, default=-1)
    until = first if first >= 0 else len(y)
    without = [int(k) for states, _ in lasts for k in np.flatnonzero(states == -1) if k < until]
    unchanged = max(without, default=-1)
    return (int(seen[unchanged]) if unchanged >= 0 else -1), (int(seen[first]) if first >= 0 else -1)


def _moving(x: Float, width: int) -> Float:
    """Mean of `width` neighbours along the first axis, NaN left out."""
    if width == 1:
        return x
    windows = np.lib.stride_tricks.sliding_window_view(x, width, axis=0)
    ok = np.isfinite(windows)
    count = ok.sum(axis=-1)
    return np.asarray(np.where(count > 0, np.where(ok, windows, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan))


# --- a metre or better -----------------------------------------------------------------------------------------


def ridge(profile: Float, reach: int) -> Float:
    """How much each place stands out against *both* sides, `reach` samples away: > 0 brighter, < 0 darker, 0 a step.

    Args:
        profile: (..., offset) brightness across the line.
        reach: distance to both sides in samples.

    Returns:
        (..., offset); NaN within `reach` of the ends and where not seen.
    """
    out = np.full(np.shape(profile), np.nan)
    here = profile[..., reach:-reach]
    left, right = here - profile[..., : -2 * reach], here - profile[..., 2 * reach :]
    bright, dark = np.minimum(left, right), np.maximum(left, right)
    out[..., reach:-reach] = np.maximum(bright, 0) + np.minimum(dark, 0)
    return out


def ridge_response(profile: Float, spread: Float, reaches: tuple[int, ...], within: slice) -> Float:
    """Largest ridge of a segment's mean profile in units of the texture along it.

    Args:
        profile: (..., offset) mean brightness along the segment.
        spread: (...,) standard error of that mean from the texture along the line.
        reaches: half widths to try, in samples.
        within: which offsets may hold the wall.

    Returns:
        (...,) response >= 0; NaN where not seen.
    """
    best = np.full(np.shape(profile)[:-1], np.nan)
    for reach in reaches:
        size = np.abs(ridge(profile, reach))[..., within]
        found = np.where(np.isfinite(size).any(axis=-1), np.nan_to_num(size).max(axis=-1), np.nan)
        best = np.fmax(best, found)
    return np.asarray(best / np.maximum(spread, 1e-6))
