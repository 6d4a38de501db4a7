"""Several steps of one zone's radar series: cleared, then built upon, then planted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.kernels.sar_track import OLD, Rules, SceneNoise, zone_track

Float = NDArray[np.float64]
Power = NDArray[np.floating]
Ints = NDArray[np.integer]

HIDDEN_DAYS = 10.0
"""How long work on a hectare may go on unseen: clearing takes one to three weeks."""


class Steps(NamedTuple):
    """Confirmed steps of zones, by zone and then by time; N of them.

    zone, not_before, not_after: int (N,), the last two as in `Track`. safely_before: int (N,), the last date that shows
    the earlier state `HIDDEN_DAYS` or more before `not_before`, -1 for none: work that has taken a part of a zone hides
    in speckle, so that the last such date alone proves little. p: (N,). change_db: (N,P) over the step before.
    """

    zone: NDArray[np.int64]
    not_before: NDArray[np.int64]
    not_after: NDArray[np.int64]
    safely_before: NDArray[np.int64]
    p: Float
    change_db: Float


def zone_steps(
    power: Power,
    looks: float | Power,
    days: NDArray[np.floating],
    orbit: Ints,
    scene: SceneNoise,
    *,
    rules: Rules = Rules(),  # noqa: B008
) -> Steps:
    """Find all lasting steps of zones by binary segmentation; each is then judged between its neighbours.

    Args:
        power: linear (T,P,Z), and all else as `zone_track` takes it.
        looks: of a zone's mean, one or (Z,).
        days: (T,) rising.
        orbit: (T,) relative orbit.
        scene: of `fit_scene`, for the whole series.
        rules: what confirms a step, among the dates between the step before and the one after.

    Returns:
        See `Steps`. A split that is not confirmed between its neighbours is forgotten, and the rest judged again, so
        that every interval rests on two states that lasted. Source: Scott & Knott 1974 (Biometrics 30).
    """
    rows: list[tuple[int, int, int, int, float, Float]] = []
    each_day = np.asarray(days, np.float64)
    each = np.broadcast_to(np.asarray(looks, np.float64), (power.shape[2],))
    for zone in range(power.shape[2]):
        one = power[:, :, zone : zone + 1]
        judge = partial(_judge, (one, float(each[zone]), each_day, orbit, scene, rules))
        splits = sorted(_split(judge, 0, len(days), rules.alpha))
        rows += [
            (zone, *step.inside, step.safely_before, step.p, step.change_db)
            for step in _agreed(judge, splits, each_day, rules.lasting_days)
        ]
    whole = np.array([row[:4] for row in rows], np.int64).reshape(-1, 4)
    change = np.array([row[5] for row in rows], np.float64).reshape(-1, power.shape[1])
    zone_of, before, after, safe = whole.T
    return Steps(zone_of, before, after, safe, np.array([row[4] for row in rows], np.float64), change)


_Series = tuple[Power, float, Float, Ints, SceneNoise, Rules]


class _Judged(NamedTuple):
    onset: int
    p: float
    confirmed: bool
    inside: tuple[int, int]
    safely_before: int
    change_db: Float


def _judge(series: _Series, start: int, stop: int) -> _Judged:
    """The one step of the dates from `start` to `stop`."""
    power, looks, days, orbit, scene, rules = series
    part = slice(start, stop)
    noise = scene._replace(offset_db=scene.offset_db[part], spread_db=scene.spread_db[part])
    track = zone_track(power[part], looks, days[part], orbit[part], noise, rules=rules)
    inside = int(track.not_before[0]) + start, int(track.not_after[0]) + start
    last = int(track.not_before[0])
    early = days[part] <= days[part][last] - HIDDEN_DAYS if last >= 0 else np.zeros(stop - start, bool)
    older = np.flatnonzero((track.states[:, 0] == OLD) & early)
    return _Judged(
        int(track.onset[0]) + start, float(track.p[0]), bool(track.confirmed[0]), inside,
        int(older[-1]) + start if older.size else -1, track.change_db[:, 0],
    )  # fmt: skip


_Judge = Callable[[int, int], _Judged]


def _split(judge: _Judge, start: int, stop: int, alpha: float) -> list[int]:
    """Onsets, whether or not they last, until no part shows a step."""
    if stop - start < 6:
        return []
    found = judge(start, stop)
    if not found.p <= alpha or not start < found.onset < stop:
        return []
    return [
        found.onset,
        *_split(judge, start, found.onset, alpha),
        *_split(judge, found.onset, stop, alpha),
    ]


def _agreed(judge: _Judge, splits: list[int], days: Float, lasting_days: float) -> list[_Judged]:
    """The steps that are confirmed between their neighbours; the weakest that is not goes first.

    A last step too young to be confirmed still ends the state before it.
    """
    while splits:
        edges = [0, *splits, len(days)]
        steps = [judge(edges[n], edges[n + 2]) for n in range(len(splits))]
        young = not steps[-1].confirmed and days[-1] - days[splits[-1]] < lasting_days
        sure = steps[:-1] if young else steps
        failed = {n for n, step in enumerate(sure) if not step.confirmed}
        # Two steps that overlap are one.
        failed |= {
            max(n, n + 1, key=lambda i: sure[i].p)
            for n in range(len(sure) - 1)
            if {n, n + 1}.isdisjoint(failed) and sure[n].inside[1] > sure[n + 1].inside[0]
        }
        if not failed:
            return sure
        del splits[max(sorted(failed), key=lambda n: sure[n].p)]
    return []
