"""The series monitor: what it finds, what it must not find, and that nothing but the set of observations matters."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st
from series_cases import SOIL, make, sample

from geo.kernels import series
from geo.kernels.series import SeriesSettings, fit_reference, monitor, ordered, states

RULES = SeriesSettings()


def watch(cube, days, group, settings=RULES):
    reference = fit_reference(sample(cube), days, group, settings)
    return monitor(cube, days, group, reference, settings), reference


def equal(one, other) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=getattr(one, f.name).dtype.kind == "f")
        for f in dataclasses.fields(one)
    )


@pytest.mark.parametrize(("times", "years"), [(60, 3.0), (25, 0.8), (20, 0.5)])
def test_finds_clearings_at_once_and_brackets_them(times: int, years: float) -> None:
    """With and without a year of history: seen at the first clear look, the truth inside (unchanged, first]."""
    cube, days, group, truth = make(seed=3, times=times, years=years, change=0.08)
    found, _ = watch(cube, days, group)
    changed = (truth >= 0) & (np.isfinite(cube[:, 0]) & (np.arange(times)[:, None, None] >= truth)).sum(axis=0).__ge__(
        4
    )
    lasting = (found.confirmed >= 0) & (found.returned < 0)
    assert changed.sum() > 50
    assert lasting[changed].mean() >= 0.9  # the soil is close to one of the covers
    hit = changed & lasting
    assert ((found.unchanged < truth) & (truth <= found.first))[hit].mean() >= 0.97
    clear = np.isfinite(cube[:, 0])
    looks = np.array([clear[truth[p] : found.first[p], *p].sum() for p in map(tuple, np.argwhere(hit))])
    assert np.median(looks) == 0
    np.testing.assert_allclose(np.median(found.after[:, hit], axis=1), SOIL, atol=0.03)


@pytest.mark.parametrize("cycles", [1, 2])
def test_season_noise_and_haze_rarely_make_a_change_that_lasts(cycles: int) -> None:
    """5 % hazy looks, one or two harvests a year: at most 0.5 % of pixels, over three years and five seeds."""
    shares = []
    for seed in range(5):
        cube, days, group, _ = make(seed=seed, times=78, cycles=cycles)
        found, _ = watch(cube, days, group)
        shares.append(((found.confirmed >= 0) & (found.returned < 0)).mean())
    assert np.mean(shares) <= 0.005


def test_pure_noise_is_quiet() -> None:
    """Without season, haze and cloud one pixel in five hundred may be named, in three years."""
    cube, days, group, _ = make(seed=1, times=78, haze=0, cloud=0)
    found, _ = watch(cube, days, group)
    assert (found.confirmed >= 0).mean() <= 0.002


@rules(max_examples=10)
@given(st.integers(0, 10_000))
def test_order_and_repetitions_do_not_matter(seed: int) -> None:
    """Scenes in any order, some of them twice or thrice, give the same bytes."""
    cube, days, group, _ = make(seed=5, times=18, years=0.8, size=16, change=0.2)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(np.concatenate([np.arange(18), rng.integers(0, 18, 7)]))
    again = ordered(cube[shuffled], days[shuffled], group[shuffled])
    straight = ordered(cube, days, group)
    for a, b in zip(again, straight, strict=True):
        np.testing.assert_array_equal(a, b)
    assert equal(watch(*again)[0], watch(*straight)[0])


@rules(max_examples=8)
@given(st.integers(1, 47), st.integers(1, 47), st.integers(0, 100))
def test_tiles_do_not_show(row: int, col: int, seed: int) -> None:
    """Any cut of the plane gives the bytes of the whole."""
    cube, days, group, _ = make(seed=seed, times=20, years=0.8, change=0.1)
    whole, reference = watch(cube, days, group)
    for part in ((slice(0, row), slice(0, col)), (slice(row, 48), slice(col, 48))):
        tile = monitor(cube[:, :, *part], days, group, reference, RULES)
        cut = dataclasses.replace(
            whole, **{f.name: getattr(whole, f.name)[..., *part] for f in dataclasses.fields(whole)}
        )
        assert equal(tile, cut)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many pixels are worked on at a time does not change a bit."""
    cube, days, group, _ = make(seed=2, times=24, change=0.1)
    whole, reference = watch(cube, days, group)
    for block in (1000, 37):
        monkeypatch.setattr(series, "_BLOCK", block)
        assert equal(monitor(cube, days, group, reference, RULES), whole)


def test_a_later_scene_does_not_move_an_old_onset() -> None:
    """With more scenes no old event is lost, and 93 of 100 onsets stay; the others had been near the threshold."""
    cube, days, group, _ = make(seed=12, times=60, change=0.15, size=64)
    early, _ = watch(cube[:45], days[:45], group[:45])
    old = (early.confirmed >= 0) & (early.confirmed < 35) & (early.returned < 0)
    assert old.sum() > 50
    for until in (46, 50, 60):
        late, _ = watch(cube[:until], days[:until], group[:until])
        assert (late.confirmed >= 0)[old].all()
        assert (late.first == early.first)[old].mean() >= 0.93


def test_one_scene_more_is_a_full_run() -> None:
    """There is no state: the same set of observations, the same bytes, however it came together."""
    cube, days, group, _ = make(seed=4, times=30, change=0.1)
    watch(cube[:29], days[:29], group[:29])
    grown = ordered(np.concatenate([cube[29:], cube[:29]]), np.r_[days[29:], days[:29]], group)
    assert equal(watch(*grown)[0], watch(cube, days, group)[0])


def test_candidate_at_one_look_confirmed_at_three() -> None:
    """One clear look outside is a candidate; it is confirmed with the third, and then no candidate any more."""
    cube, days, group, truth = make(seed=6, times=40, haze=0, cloud=0, change=0.1, after=39 - 5)
    site = truth >= 0
    start = int(truth[site].min())
    truth_site = truth == start
    for seen, expected in ((1, start), (2, start)):
        cut = start + seen
        found, _ = watch(cube[:cut], days[:cut], group[:cut])
        assert (found.candidate == expected)[truth_site].mean() > 0.95
        assert (found.confirmed < 0)[truth_site].all()
    found, _ = watch(cube[: start + 3], days[: start + 3], group[: start + 3])
    assert (found.confirmed == start + 2)[truth_site].mean() > 0.95
    assert (found.candidate < 0)[(found.confirmed >= 0) & (found.returned < 0)].all()


def test_change_after_three_looks_is_found() -> None:
    """The shortest history that is allowed: three clear looks, then a clearing."""
    cube, days, group, _ = make(seed=8, times=14, years=0.4, haze=0, cloud=0)
    cube[3:, :, 8:16, 8:16] = SOIL[:, None, None] + np.random.default_rng(0).normal(0, 0.01, (11, 4, 8, 8))
    found, _ = watch(cube, days, group)
    assert (found.first == 3)[8:16, 8:16].mean() > 0.9
    assert (found.unchanged == 2)[8:16, 8:16].mean() > 0.9


def test_regrowth_is_said_to_return_and_can_be_left_out() -> None:
    """Ground that is cleared and green again a year later comes back; `lasting` does not name it."""
    cube, days, group, _ = make(seed=9, times=60, haze=0, cloud=0.1)
    where = slice(16, 24)
    painted = cube.copy()
    bare = SOIL[:, None, None] + np.random.default_rng(0).normal(0, 0.01, (12, 4, 8, 8))
    painted[25:37, :, where, where] = np.where(np.isfinite(cube[25:37, :, where, where]), bare, np.nan)
    found, _ = watch(painted, days, group)
    assert (found.returned >= 37)[where, where].mean() > 0.9
    assert (found.first >= 25)[where, where].mean() > 0.9
    found, _ = watch(painted, days, group, dataclasses.replace(RULES, lasting=True))
    assert (found.confirmed < 0)[where, where].mean() > 0.9


def test_a_lasting_change_is_preferred_to_an_earlier_one_that_came_back() -> None:
    """Cleared, regrown, cleared for good: the last is reported."""
    cube, days, group, _ = make(seed=9, times=60, haze=0, cloud=0)
    where = slice(16, 24)
    cube[20:30, :, where, where] = cube[50:, :, where, where] = SOIL[:, None, None] + np.random.default_rng(0).normal(
        0, 0.01, (10, 4, 8, 8)
    )
    found, _ = watch(cube, days, group)
    assert (found.first == 50)[where, where].mean() > 0.9


def test_unchanged_is_provable_where_ground_was_bare_anyway() -> None:
    """Fields that are bare every winter: work that begins in winter dates back to the last green look."""
    rng = np.random.default_rng(0)
    days = 17_000 + 12.0 * np.arange(90)
    green = 0.5 + 0.5 * np.cos(2 * np.pi * (days - 17_000 - 180) / 365.2425)
    field = np.array([0.04, 0.07, 0.05, 0.40])
    cube = (green[:, None] * field + (1 - green[:, None]) * SOIL)[:, :, None, None] + rng.normal(
        0, 0.006, (90, 4, 24, 24)
    )
    onset = int(np.searchsorted(days, 17_000 + 2 * 365.25 + 15))  # mid-winter: as bare as it gets
    cube[onset:, :, :6, :6] = SOIL[:, None, None] + rng.normal(0, 0.006, (90 - onset, 4, 6, 6))
    cube = cube.astype(np.float32)
    found, reference = watch(cube, days, np.zeros(90, np.int64))
    site = np.s_[:6, :6]
    hit = found.confirmed[site] >= 0
    assert hit.mean() > 0.9
    assert (found.unchanged[site] < onset)[hit].all()
    assert (found.first[site] >= onset)[hit].mean() > 0.95
    # The looks of that winter cannot tell: they are neither unchanged nor changed.
    told = states(cube, days, np.zeros(90, np.int64), reference, found, RULES)
    assert (told[onset - 1][site] == series.UNSURE)[hit].mean() > 0.9
    assert (found.unchanged < found.seen_before)[site][hit].mean() > 0.9


def test_what_is_not_seen_is_not_judged() -> None:
    """Dates without a pixel, pixels without a date: NaN and -1, never "unchanged"."""
    cube, days, group, _ = make(seed=3, times=40, change=0.1)
    cube[[5, 20]] = np.nan
    cube[:, 1, :8] = np.nan  # one band is enough to spoil a look
    cube[5:, :, 8:10] = np.nan
    found, reference = watch(cube, days, group)
    assert np.isnan(found.score[:10]).all()
    assert np.isnan(found.z_max[:10]).all()
    assert (found.first[:10] == -1).all()
    assert (found.clear[:8] == 0).all()
    assert (found.model[:8] == series.NOT_JUDGED).all()
    told = states(cube, days, group, reference, found, RULES)
    assert (told[[5, 20]] == series.NOT_SEEN).all()
    assert np.array_equal(told == series.NOT_SEEN, ~np.isfinite(cube).all(axis=1))


def test_states_name_old_and_new() -> None:
    """Far from the onset, on either side, an observation shows its state."""
    cube, days, group, truth = make(seed=3, change=0.1, haze=0)
    found, reference = watch(cube, days, group)
    told = states(cube, days, group, reference, found, RULES)
    date = np.arange(60)[:, None, None]
    hit = (truth >= 0) & (found.first >= truth) & (found.returned < 0)
    clear = told != series.NOT_SEEN
    before, later = hit & clear & (date < truth) & (date > 5), hit & clear & (date >= found.first)
    assert (told[before] == series.OLD).mean() > 0.8
    assert (told[before] == series.NEW).sum() == 0
    assert (told[later] == series.NEW).mean() > 0.8
    assert (told[later] == series.OLD).mean() < 0.01


def test_orbits_keep_their_own_offsets() -> None:
    """Radar of two relative orbits, 3 dB apart by slope: no change; a 6 dB drop is one."""
    rng = np.random.default_rng(2)
    days = 18_000 + 6.0 * np.arange(50)
    group = np.tile([22, 95], 25)
    slope = rng.normal(0, 1.5, (24, 24))
    cube = -14 + rng.normal(0, 1, (50, 2, 24, 24)) + np.where(group[:, None, None] == 22, slope, -slope)[:, None]
    found, _ = watch(cube.astype(np.float32), days, group)
    assert (found.confirmed >= 0).mean() < 0.005
    cube[30:, :, 4:8, 4:8] -= 6
    found, _ = watch(cube.astype(np.float32), days, group)
    assert ((found.confirmed >= 0) & (found.first >= 29))[4:8, 4:8].mean() > 0.9


@pytest.mark.parametrize("bands", [1, 2, 10])
def test_any_number_of_bands(bands: int) -> None:
    """One to ten bands, a step of eight noise standard deviations in each."""
    rng = np.random.default_rng(bands)
    days = 18_000 + 10.0 * np.arange(30)
    cube = rng.normal(0, 1, (30, bands, 20, 20)).astype(np.float32) + 50
    cube[18:, :, 4:8, 4:8] += 8
    found, _ = watch(cube, days, np.zeros(30, np.int64))
    assert (found.first == 18)[4:8, 4:8].mean() > 0.9
    assert (np.delete(found.confirmed, np.s_[4:8], axis=0) < 0).mean() > 0.995


def test_the_input_is_left_alone_and_everything_pickles() -> None:
    """No kernel writes into its input; reference and settings travel between processes."""
    cube, days, group, _ = make(seed=1, times=15, years=0.6, size=24)
    kept = cube.copy()
    found, reference = watch(cube, days, group)
    np.testing.assert_array_equal(cube, kept)
    assert equal(monitor(cube, days, group, pickle.loads(pickle.dumps(reference)), RULES), found)


def test_refuses_what_it_cannot_mean() -> None:
    """Unsorted dates, other dates than the reference's, wrong shapes, settings that contradict themselves."""
    cube, days, group, _ = make(seed=1, times=15, years=0.6, size=24)
    reference = fit_reference(sample(cube), days, group, RULES)
    with pytest.raises(ValueError, match="sorted"):
        fit_reference(sample(cube)[:, ::-1], days[::-1], group, RULES)
    with pytest.raises(ValueError, match="other dates"):
        monitor(cube, days + 1, group, reference, RULES)
    with pytest.raises(ValueError, match="bands"):
        monitor(cube[:, :2], days, group, reference, RULES)
    with pytest.raises(ValueError, match="finite"):
        fit_reference(np.full((60, 15, 4), np.inf, np.float32), days, group, RULES)
    with pytest.raises(ValueError, match="sample"):
        fit_reference(np.empty((0, 15, 4), np.float32), days, group, RULES)
    for wrong in ({"k": 5}, {"min_history": 0}, {"z_inside": 9.0}):
        with pytest.raises(ValueError, match=r"must|needs"):
            SeriesSettings(**wrong)
