"""Land cover per date, and since when for good."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geo.kernels import cover

BANDS = ("blue", "green", "red", "nir")
PALM, SOIL, ROOF, POND = (
    (0.03, 0.06, 0.04, 0.40),
    (0.06, 0.11, 0.18, 0.28),
    (0.30, 0.31, 0.32, 0.34),
    (0.05, 0.05, 0.04, 0.02),
)


def _scene(*columns: tuple[float, ...]) -> np.ndarray:
    return np.array(columns, np.float32).T[:, None, :]


def test_classes_of_typical_ground() -> None:
    found = cover.classes(_scene(PALM, SOIL, ROOF, POND), BANDS)
    assert found.tolist() == [[cover.VEGETATION, cover.BARE, cover.BUILT, cover.WATER]]


def test_what_was_not_seen_has_no_class_and_bands_without_red_cannot_tell() -> None:
    scene = _scene(PALM, SOIL)
    scene[2, 0, 1] = np.nan
    assert cover.classes(scene, BANDS).tolist() == [[cover.VEGETATION, cover.UNSEEN]]
    assert cover.classes(scene[:2], BANDS[:2]).tolist() == [[cover.OTHER, cover.OTHER]]


def test_a_stack_is_its_dates() -> None:
    stack = np.stack([_scene(PALM, SOIL), _scene(ROOF, POND)])
    together = cover.classes(stack, BANDS)
    assert (together == np.stack([cover.classes(one, BANDS) for one in stack])).all()


def _one(holds: list[int], since: int = 0) -> tuple[int, int]:
    first, without = cover.onset(np.array(holds, np.int8)[:, None, None], np.array([[since]], np.int16))
    return int(first[0, 0]), int(without[0, 0])


def test_onset_needs_most_of_the_next_clear_dates() -> None:
    assert _one([0, 0, 1, 1, 0, 1, 1, 1]) == (2, 1)
    assert _one([0, 0, 1, 0, 0, 1, 1, 1]) == (5, 4)  # the lone date is weather
    assert _one([0, 0, 1, 1]) == (-1, -1)  # not yet three


def test_onset_passes_over_dates_that_were_not_seen() -> None:
    assert _one([0, -1, -1, 1, -1, 1, -1, 1]) == (3, 0)


def test_what_does_not_last_has_no_onset() -> None:
    assert _one([0, 1, 1, 1, 0, 0, 0, 0, 0]) == (-1, -1)


def test_onset_not_before_asked() -> None:
    assert _one([1, 1, 1, 1, 1, 1], since=2) == (2, -1)
    assert _one([1, 1, 1, 1, 1, 1], since=-1) == (-1, -1)


@settings(max_examples=60, deadline=None)
@given(
    holds=hnp.arrays(np.int8, st.tuples(st.integers(1, 12), st.just(2), st.just(3)), elements=st.integers(-1, 1)),
    seed=st.integers(0, 1000),
)
def test_unseen_dates_in_between_change_nothing_but_the_index(holds: np.ndarray, seed: int) -> None:
    draw = np.random.default_rng(seed)
    times = len(holds)
    places = np.sort(draw.choice(2 * times, times, replace=False))
    wide = np.full((2 * times, 2, 3), -1, np.int8)
    wide[places] = holds
    first, without = cover.onset(holds, np.zeros((2, 3), np.int16))
    first_wide, without_wide = cover.onset(wide, np.zeros((2, 3), np.int16))
    there = first >= 0
    assert ((first_wide >= 0) == there).all()
    assert (first_wide[there] == places[first[there]]).all()
    bounded = without >= 0
    assert (without_wide[bounded] == places[without[bounded]]).all()
    assert (np.take_along_axis(holds, np.maximum(first, 0)[None].astype(np.int64), 0)[0][there] == 1).all()


def _soil(pixels: int, red: float, blue: float, times: int = 3) -> np.ndarray:
    look = np.empty((pixels, times, len(BANDS)))
    for band, value in (("blue", blue), ("green", (red + blue) / 2), ("red", red), ("nir", red * 1.1)):
        look[..., list(BANDS).index(band)] = value
    return look


def test_grey_is_judged_by_the_soil_of_the_date() -> None:
    """Rusty soil: concrete may be redder than the absolute limit. Haze on one date lowers that date's limit."""
    rusty = _soil(200, 0.24, 0.10)
    redness = (0.24 - 0.10) / 0.34
    assert cover.grey_below(rusty, BANDS) == pytest.approx(np.full(3, min(0.6 * redness, cover.REDNESS_MOST)))
    hazy = rusty.copy()
    hazy[:, 1] += 0.1
    limits = cover.grey_below(hazy, BANDS)
    assert limits[1] == pytest.approx(max(0.6 * 0.14 / 0.54, cover.REDNESS_SOIL))
    assert limits[0] == limits[2] > limits[1]


def test_where_no_soil_shows_the_limit_is_the_absolute_one() -> None:
    assert (cover.grey_below(np.full((200, 4, len(BANDS)), np.nan), BANDS) == cover.REDNESS_SOIL).all()
    assert (cover.grey_below(_soil(200, 0.2, 0.19), BANDS) == cover.REDNESS_SOIL).all()
    some = np.concatenate([_soil(200, 0.24, 0.10)] * 1)
    some[:, 2] = np.nan
    assert len(set(cover.grey_below(some, BANDS).tolist())) == 1


def test_limits_go_with_their_dates() -> None:
    stack = np.stack([_scene(PALM, SOIL, ROOF, POND)] * 2)
    strict, lax = cover.classes(stack, BANDS, np.array([0.0, 0.99]))
    assert not (strict == cover.BUILT).any()
    assert (lax == cover.BUILT).sum() > (cover.classes(stack[0], BANDS) == cover.BUILT).sum()
