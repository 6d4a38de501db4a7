"""One overpass is one look, however often and in whatever order a catalogue lists it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from geo.acquisitions import Part, newest, overpass_name, overpasses

NOON = datetime(2019, 1, 5, 3, 21, 30, tzinfo=UTC)


def part(name: str, seconds: float = 0, **words: object) -> Part:
    facts = {"sensor": "sentinel-2-l2a", "platform": "sentinel-2a", "tile": "48PUS", "baseline": (2, 7), "made": "2019"}
    return Part(id=name, time=NOON + timedelta(seconds=seconds), **{**facts, **words})  # type: ignore[arg-type]


def test_tiles_and_stations_of_one_pass_are_one_group_and_the_next_orbit_is_another() -> None:
    parts = [part("a"), part("b", 14, tile="48PUT"), part("c", 2, made="2020"), part("next", 6000)]
    assert [[p.id for p in group] for group in overpasses(parts)] == [["a", "c", "b"], ["next"]]


def test_satellites_and_levels_are_never_one_group() -> None:
    parts = [part("a"), part("b", platform="sentinel-2b"), part("c", sensor="sentinel-2-l1c")]
    assert len(overpasses(parts)) == 3


def test_the_highest_baseline_wins_then_the_latest_made() -> None:
    old, new, newer = part("z"), part("b", baseline=(5, 0)), part("a", baseline=(5, 0), made="2023")
    kept, superseded = newest([old, new, newer])
    assert [p.id for p in kept] == ["a"]
    assert {p.id for p in superseded} == {"z", "b"}
    # Numbers, not words: 10.00 comes after 5.00.
    kept, _ = newest([part("five", baseline=(5, 0)), part("ten", baseline=(10, 0))])
    assert kept[0].id == "ten"


def test_items_without_a_tile_do_not_supersede_each_other() -> None:
    kept, superseded = newest([part("a", tile=""), part("b", tile="")])
    assert len(kept) == 2
    assert superseded == ()


@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("AB"), st.integers(2, 5)), max_size=12),
)
def test_the_order_given_never_shows(seed: int, drawn: list[tuple[int, str, int]]) -> None:
    parts = [
        part(f"p{n}", 86_400 * day + 7 * n, tile=tile, baseline=(baseline, 0))
        for n, (day, tile, baseline) in enumerate(drawn)
    ]
    shuffled = random.Random(seed).sample(parts, len(parts))
    assert overpasses(shuffled) == overpasses(parts)
    assert [newest(g) for g in overpasses(shuffled)] == [newest(g) for g in overpasses(parts)]
    for group in overpasses(parts):
        kept, superseded = newest(group)
        assert sorted(p.id for p in (*kept, *superseded)) == sorted(p.id for p in group)
        assert len({p.tile for p in kept}) == len(kept)


def test_names_tell_level_and_satellite_and_nothing_that_reprocessing_changes() -> None:
    assert overpass_name("sentinel-2a", "sentinel-2-l2a", NOON) == "sentinel-2a_20190105T032130_l2a"
    assert overpass_name("", "sentinel-1-rtc", NOON) == "sentinel-1-rtc_20190105T032130_rtc"
