"""Radar series of zones: when did a zone pass from one lasting state to another?

The noise of a date is read from control zones of the scene beside the speckle that theory gives: where fields come and
go, or rain falls in showers, little can be proven, and the states say so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geo.kernels.sar import decibel, scene_offset_db, speckle_db

Float = NDArray[np.float64]
Power = NDArray[np.floating]
Ints = NDArray[np.integer]

UNSEEN, OLD, NEW, UNSURE = 0, 1, 2, 3
ODDS = 6.0  # twice the log-likelihood ratio from which one date shows a state: wrong at most once in 140
_LEAST_DATES = 3  # on both sides of an onset
_PRIOR = 10.0
_FEW = 40  # controls below which their own tail cannot be read
_SHARE = 0.1  # of the controls beyond `start`; fewer than that may have changed
_START, _DECADE = 1.0, 2.5  # textbook start; decades of p for one of truth, suburban California over three years
_DECISIVE = 0.75  # share of the seen dates that show one state or the other
_STILL_OLD = 0.15  # share of the step that a date may have gone and still show the old state
_ASIDE = 9.0  # chi-square of what does not lie on the way from old to new
_LESS_LIKELY = 9.0  # chi-square by which an onset explains less than the best: ruled out
_AGREE = 0.8  # of the dates that show a state on either side of the onset


class SceneNoise(NamedTuple):
    """What a scene does where nothing is built.

    offset_db, spread_db: (T,P), the scene's departure on each date and the spread of its controls about it.
    start, decade: where the controls' -log10 p has its 90th percentile, and how far it runs on for each tenfold rarer.
    """

    offset_db: Float
    spread_db: Float
    start: float
    decade: float


class Rules(NamedTuple):
    """When a step is confirmed.

    alpha: chance of a false step per zone and series, as the controls show it, before the other rules. k of n: of n
    seen dates from the onset on, k show the new state. least_db: smallest step, root mean square over the
    polarisations. lasting_days: how long the new state has been seen at least: tilled or wet ground lasts for weeks.
    """

    alpha: float = 1e-2
    k: int = 3
    n: int = 4
    least_db: float = 2.0
    lasting_days: float = 24.0


class Fit(NamedTuple):
    """The one step that explains a zone's series best, sure or not.

    onset: int (Z,), first date of the new state. earliest, latest: int (Z,), the range of onsets that explain the
    series nearly as well. p: as in `Track`. change_db: (P,Z) new against old state. states: uint8 (T,Z) as in `Track`.
    """

    onset: NDArray[np.int64]
    earliest: NDArray[np.int64]
    latest: NDArray[np.int64]
    p: Float
    change_db: Float
    states: NDArray[np.uint8]


class Track(NamedTuple):
    """The history of zones.

    states: uint8 (T,Z): 0 not seen, 1 old, 2 new, 3 seen but not distinguishable. confirmed: bool (Z,).
    not_before, not_after: int (Z,), index of the last date that provably shows the old state and of the first that
    provably shows the new one; -1 where nothing is confirmed. p: (Z,) how often chance makes
    such a step on the controls' ground, over all possible onsets (0.1 and above: at least that). onset: (Z,) index of
    the likeliest first date of the new state, confirmed or not. change_db: (P,Z) new against old state, NaN where not
    confirmed.
    """

    states: NDArray[np.uint8]
    confirmed: NDArray[np.bool_]
    not_before: NDArray[np.int64]
    not_after: NDArray[np.int64]
    p: Float
    onset: NDArray[np.int64]
    change_db: Float


def fit_scene(controls: Power, looks: float | Power, orbit: Ints) -> SceneNoise:
    """Read from control zones each date's offset and spread, and how often chance makes a step.

    Args:
        controls: mean linear power (T,P,C) of zones as large as those to be tracked, spread over the scene (blocks of
            a lattice do); up to 10 % may change. With fewer than 40, the tail measured on other ground is used.
        looks: of a zone's mean, one or (C,).
        orbit: (T,) relative orbit of each date.

    Returns:
        NaN where a date or polarisation shows no control, or its orbit has one date only.
    """
    db = decibel(controls)
    offset, spread = np.full(db.shape[:2], np.nan), np.full(db.shape[:2], np.nan)
    for one in np.unique(orbit):
        dates = np.flatnonzero(orbit == one)
        if len(dates) < 2:
            continue
        for pol in range(db.shape[1]):
            part = db[dates, pol]
            offset[dates, pol] = scene_offset_db(part)
            rest = part - offset[dates, pol][:, None]
            rest = np.abs(rest - _nanmedian0(rest))
            # A median of few dates hugs them: widen by what it takes away.
            widen = np.sqrt(len(dates) / (len(dates) - 1))
            for n, date in enumerate(dates):
                values = rest[n][np.isfinite(rest[n])]
                if values.size:
                    spread[date, pol] = widen * max(1.4826 * np.median(values), np.quantile(values, 0.95) / 1.96)
    steps = _best_step(*_standard(controls, looks, offset, spread), orbit)
    evidence = -np.log10(np.maximum(steps.p[np.isfinite(steps.p)], 1e-300))
    if evidence.size < _FEW:
        return SceneNoise(offset, spread, _START, _DECADE)
    inner, start = (float(q) for q in np.quantile(evidence, (0.7, 1 - _SHARE)))
    # An exponential tail through two quantiles that real changes on a few zones hardly move.
    decade = max((start - inner) / np.log10(0.3 / _SHARE), 1.0)
    return SceneNoise(offset, spread, max(start, _START), decade)


def zone_track(
    power: Power,
    looks: float | Power,
    days: NDArray[np.floating],
    orbit: Ints,
    scene: SceneNoise,
    *,
    rules: Rules = Rules(),  # noqa: B008
) -> Track:
    """Find the one lasting step of each zone's radar series, over all orbits and polarisations.

    Args:
        power: mean linear power (T,P,Z) of `zone_power`, dates rising whatever their orbit; NaN = not seen.
        looks: of a zone's mean, (Z,) or one: ENL times the independent pixels.
        days: (T,) rising, in days.
        orbit: (T,) relative orbit of each date; states are compared within an orbit only.
        scene: of `fit_scene`, same dates and polarisations.
        rules: when a step is confirmed.

    Returns:
        See `Track`. Beside the rules, a confirmed step has 3 dates or more on both sides; at least 75 % of the seen
        dates show one of the two states, and 80 % of those on either side the right one; the last of them is new. A
        state that comes and goes (a crop, a flood) is not confirmed.

    Raises:
        ValueError: shapes differ.
    """
    dates, pols = power.shape[:2]
    if orbit.shape != (dates,) or len(days) != dates or scene.offset_db.shape != (dates, pols):
        raise ValueError(f"power {power.shape}, orbits {orbit.shape} and scene {scene.offset_db.shape} do not fit")
    return _confirm(step_fit(power, looks, orbit, scene), np.asarray(days, np.float64), rules)


def step_fit(power: Power, looks: float | Power, orbit: Ints, scene: SceneNoise) -> Fit:
    """Fit one step to each zone's series: when, how surely, and how well its date is known.

    Args:
        power: mean linear power (T,P,Z), dates rising whatever their orbit; NaN = not seen.
        looks: of a zone's mean, (Z,) or one.
        orbit: (T,) relative orbit of each date.
        scene: of `fit_scene`, same dates and polarisations.

    Returns:
        See `Fit`. The range of onsets is a likelihood interval (Hinkley 1970, Biometrika 57): outside it the data are
        at least 90 times less probable, see `_LESS_LIKELY`.
    """
    db, weight = _standard(power, looks, scene.offset_db, scene.spread_db)
    best = _best_step(db, weight, orbit)
    beyond = -np.log10(np.maximum(best.p, 1e-300)) - scene.start
    best = best._replace(p=np.where(beyond > 0, _SHARE * 10 ** (-beyond / scene.decade), np.maximum(best.p, _SHARE)))
    change = _steps_db(db, weight, orbit, best.onset)
    state = _states(db, weight, orbit, best, change)
    return Fit(best.onset, best.earliest, best.latest, best.p, change, state)


def _standard(power: Power, looks: float | Power, offset: Float, spread: Float) -> tuple[Float, Float]:
    """Decibel without the scene's part, and the weight 1 / sigma²: 0 where there is no observation."""
    db = decibel(power) - offset[:, :, None]
    speckle = np.broadcast_to(speckle_db(np.asarray(looks, np.float64)), db.shape[2:])
    sigma = np.maximum(spread[:, :, None], speckle)
    weight = np.where(np.isfinite(db) & np.isfinite(sigma), 1 / np.square(sigma), 0.0)
    return np.where(weight > 0, db, 0.0), weight


class _Step(NamedTuple):
    onset: NDArray[np.int64]  # (Z,) first date of the new state
    p: Float  # (Z,)
    scale: Float  # (Z,) reduced chi-square of the two states, at least 1
    earliest: NDArray[np.int64]  # (Z,) of the onsets that are nearly as likely
    latest: NDArray[np.int64]


def _best_step(db: Float, weight: Float, orbit: Ints) -> _Step:
    """The onset that explains most, and how surely anything does.

    The model: a level of its own for each orbit and polarisation, and one step a polarisation that all orbits share.
    """
    dates, pols, zones = db.shape
    seen = (weight > 0).any(axis=1)
    gains, degrees = np.zeros((dates, zones)), np.zeros((dates, zones))
    total, known, layers = np.zeros(zones), np.zeros(zones), np.zeros(zones)
    for pol in range(pols):
        pull, grip = np.zeros((dates, zones)), np.zeros((dates, zones))
        for one in np.unique(orbit):
            w = np.where((orbit == one)[:, None], weight[:, pol], 0.0)
            wy = w * db[:, pol]
            mass, sums = np.cumsum(w, axis=0), np.cumsum(wy, axis=0)
            rise, share = _split(mass[:-1], mass[-1] - mass[:-1], sums[:-1], sums[-1] - sums[:-1])
            pull[1:] += share * rise
            grip[1:] += share
            total += (wy * db[:, pol]).sum(axis=0) - np.square(sums[-1]) / np.maximum(mass[-1], 1e-12)
            known += (w > 0).sum(axis=0)
            layers += (w > 0).any(axis=0)
        gains += np.square(pull) / np.maximum(grip, 1e-12)
        degrees += grip > 0
    count = np.cumsum(seen, axis=0)
    enough = np.zeros_like(gains, bool)
    enough[1:] = (count[:-1] >= _LEAST_DATES) & (count[-1] - count[:-1] >= _LEAST_DATES)
    gains[~enough] = 0.0
    onset = np.argmax(gains, axis=0)
    gain, free = (layer[onset, np.arange(zones)] for layer in (gains, degrees))
    rest = np.maximum(known - layers - free, 0)
    # The controls' spread counts as _PRIOR dates' worth of knowledge of this zone's own (Smyth 2004, moderated t).
    scale = np.maximum(1.0, (np.maximum(total - gain, 0) + _PRIOR) / (rest + _PRIOR))
    tried = np.maximum(enough.sum(axis=0), 1)
    p = stats.f.sf(gain / np.maximum(free, 1) / scale, np.maximum(free, 1), rest + _PRIOR)
    p = np.where((free > 0) & enough.any(axis=0), np.minimum(p * tried, 1.0), 1.0)
    near = gains >= gain - _LESS_LIKELY * scale
    near &= enough
    earliest = np.where(near.any(axis=0), near.argmax(axis=0), onset)
    latest = np.where(near.any(axis=0), dates - 1 - near[::-1].argmax(axis=0), onset)
    return _Step(onset, np.where(seen.any(axis=0), p, np.nan), scale, earliest, latest)


def _split(w1: Float, w2: Float, s1: Float, s2: Float) -> tuple[Float, Float]:
    """Rise of the weighted mean from the first part to the second, and its weight; 0 where a part is empty."""
    both = (w1 > 1e-9) & (w2 > 1e-9)
    safe1, safe2 = np.where(both, w1, 1.0), np.where(both, w2, 1.0)
    return np.where(both, s2 / safe2 - s1 / safe1, 0.0), np.where(both, safe1 * safe2 / (safe1 + safe2), 0.0)


def _steps_db(db: Float, weight: Float, orbit: Ints, onset: NDArray[np.int64]) -> Float:
    """The step of each polarisation, (P,Z)."""
    after = np.arange(len(db))[:, None] >= onset
    pull, grip = np.zeros(db.shape[1:]), np.zeros(db.shape[1:])
    for one in np.unique(orbit):
        w = np.where((orbit == one)[:, None, None], weight, 0.0)
        new = w * after[:, None]
        old = w - new
        rise, share = _split(old.sum(axis=0), new.sum(axis=0), (old * db).sum(axis=0), (new * db).sum(axis=0))
        pull += share * rise
        grip += share
    return np.asarray(pull / np.maximum(grip, 1e-12))


def _states(db: Float, weight: Float, orbit: Ints, best: _Step, change: Float) -> NDArray[np.uint8]:
    """Which of its two states each date shows, judged by its own orbit's level.

    A date on the way from one to the other is not old any more, nor is one that goes elsewhere: it must lie within
    noise of the old level.
    """
    after = np.arange(len(db))[:, None, None] >= best.onset
    toward, size, far = (np.zeros((len(db), db.shape[2])) for _ in range(3))
    for one in np.unique(orbit):
        w = np.where((orbit == one)[:, None, None], weight, 0.0)
        base = (w * (db - after * change)).sum(axis=0) / np.maximum(w.sum(axis=0), 1e-12)
        toward += (w * (db - base) * change).sum(axis=1)
        size += (w * np.square(change)).sum(axis=1)
        far += (w * np.square(db - base)).sum(axis=1)
    # Share of the way gone, and its standard deviation; twice the log-likelihood ratio is (2 way - 1) / deviation ** 2.
    way = toward / np.maximum(size, 1e-12)
    deviation = np.sqrt(best.scale / np.maximum(size, 1e-12))
    ratio = (2 * way - 1) / np.square(deviation)
    state = np.where((weight > 0).any(axis=1), np.uint8(UNSURE), np.uint8(UNSEEN))
    state[ratio > ODDS] = NEW
    aside = (far - np.square(way) * size) / best.scale
    state[(ratio < -ODDS) & (np.abs(way) <= np.maximum(2 * deviation, _STILL_OLD)) & (aside <= _ASIDE)] = OLD
    return state


def _confirm(best: Fit, days: Float, rules: Rules) -> Track:
    state, change = best.states, best.change_db
    zones = state.shape[1]
    confirmed = np.zeros(zones, bool)
    before, after = np.full(zones, -1), np.full(zones, -1)
    strong = np.sqrt(np.square(change).mean(axis=0)) >= rules.least_db
    for zone in np.flatnonzero((best.p <= rules.alpha) & strong):
        found = _interval(state[:, zone], int(best.onset[zone]), days, rules)
        if found is not None:
            confirmed[zone], before[zone], after[zone] = True, *found
    # Without a new state there is nothing to be told from the old one.
    states = np.where(confirmed | (state == UNSEEN), state, np.uint8(UNSURE))
    return Track(states, confirmed, before, after, best.p, best.onset, np.where(confirmed, change, np.nan))


def _interval(line: NDArray[np.uint8], onset: int, days: Float, rules: Rules) -> tuple[int, int] | None:
    """Last date provably old and first provably new of one zone, or None where the rules are not met."""
    index = np.flatnonzero(line != UNSEEN)
    shown = line[index]
    runs = (i for i, s in enumerate(shown) if s == NEW and (shown[i : i + rules.n] == NEW).sum() >= rules.k)
    first = next(runs, None)
    told = index[shown != UNSURE]
    if first is None or (shown != UNSURE).mean() < _DECISIVE or line[told[-1]] != NEW:
        return None
    older = index[:first][shown[:first] == OLD]
    if not older.size or days[told[-1]] - days[index[first]] < rules.lasting_days:
        return None
    past, since = told[told < onset], told[told >= onset]
    if not past.size or not since.size:
        return None
    if min((line[past] == OLD).mean(), (line[since] == NEW).mean()) < _AGREE:
        return None
    return int(older[-1]), int(index[first])


def _nanmedian0(values: Float) -> Float:
    blind = ~np.isfinite(values).any(axis=0)
    return np.asarray(np.where(blind, np.nan, np.nanmedian(np.where(blind, 0.0, values), axis=0)))
