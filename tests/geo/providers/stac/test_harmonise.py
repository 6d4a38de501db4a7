"""The offset of baseline 04.00: right or refused, never doubled, never left in, whatever the flags say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geo.errors import InputError
from geo.providers.stac.harmonise import Says, Stated, settle, shown_by_pixels, told_by_metadata

BEFORE, AFTER = datetime(2021, 6, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)
DARK = {"blue": 250, "green": 450, "red": 300, "swir22": 700}
SAND = {"blue": 1900, "green": 2700, "red": 3400, "swir22": 4300}


def scene(levels: dict[str, int], added: int, seed: int = 1) -> dict[str, NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    return {b: (np.maximum(v * rng.normal(1, 0.15, (60, 60)), 1) + added).astype(np.uint16) for b, v in levels.items()}


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (Stated(offset=-0.1, baseline=(4, 0), time=AFTER), "present"),
        (Stated(offset=None, baseline=(5, 9), time=AFTER), "present"),
        (Stated(offset=None, baseline=(5, 0), time=BEFORE), "present"),  # reprocessed: the date is no sign
        (Stated(offset=-0.1, baseline=(5, 0), applied=False, time=AFTER), "present"),
        (Stated(offset=-0.1, baseline=(5, 0), applied=True, time=AFTER), "absent"),
        (Stated(offset=0.0, baseline=(2, 7), time=BEFORE), "absent"),
        (Stated(offset=None, baseline=(3, 1), time=BEFORE), "absent"),
        (Stated(offset=-0.1, baseline=(3, 1), time=BEFORE), "unknown"),
        (Stated(offset=0.0, baseline=(5, 0), time=AFTER), "unknown"),
        (Stated(time=AFTER), "unknown"),
    ],
)
def test_what_metadata_say(stated: Stated, said: Says) -> None:
    assert told_by_metadata(stated) == said


def test_dark_ground_shows_whether_1000_was_added_and_sand_does_not() -> None:
    assert shown_by_pixels(scene(DARK, 0), None) == "absent"
    assert shown_by_pixels(scene(DARK, 1000), None) == "present"
    assert shown_by_pixels(scene(SAND, 0), None) == "unknown"
    assert shown_by_pixels(scene(SAND, 1000), None) == "unknown"
    assert shown_by_pixels({"red": np.zeros((60, 60), np.uint16)}, None) == "unknown"


def test_only_ground_that_is_clear_is_asked() -> None:
    """Cloud over all but a corner: the corner tells it; without any clear ground nothing does."""
    counts, classes = scene(DARK, 0), np.full((60, 60), 9, np.uint8)
    for band in counts.values():
        band[:] = 6000
    assert shown_by_pixels(counts, classes) == "unknown"
    for name, band in scene(DARK, 1000).items():
        counts[name][:25, :25] = band[:25, :25]
    classes[:25, :25] = 4
    assert shown_by_pixels(counts, classes) == "present"


CASES = [
    # what the numbers hold, what is stated -> counts to add, or None for refused
    (1000, Stated(offset=-0.1, baseline=(5, 0), time=AFTER), -1000),
    (0, Stated(offset=0.0, baseline=(2, 7), time=BEFORE), 0),
    (0, Stated(offset=-0.1, baseline=(5, 0), applied=True, time=AFTER), 0),
    (0, Stated(offset=-0.1, baseline=(5, 0), applied=False, time=AFTER), 0),  # the flag lies: already taken off
    (1000, Stated(offset=-0.1, baseline=(5, 0), applied=True, time=AFTER), None),  # the flag lies: left in
    (1000, Stated(baseline=(5, 0), time=AFTER), -1000),  # no flag at all
    (0, Stated(baseline=(5, 0), time=AFTER), 0),
    (1000, Stated(time=AFTER), -1000),  # nothing stated: date and ground agree
    (1000, Stated(time=BEFORE), None),
    (0, Stated(time=BEFORE), 0),
]


@pytest.mark.parametrize(("added", "stated", "counts"), CASES)
def test_right_or_refused(added: int, stated: Stated, counts: int | None) -> None:
    pixels = shown_by_pixels(scene(DARK, added), None)
    if counts is None:
        with pytest.raises(InputError, match="left out"):
            settle(stated, pixels)
    else:
        assert settle(stated, pixels).counts == counts


@given(
    st.sampled_from([0, 1000]), st.sampled_from([None, 0.0, -0.1]), st.sampled_from([(0, 0), (2, 7), (5, 0)]),
    st.sampled_from([None, True, False]), st.sampled_from([BEFORE, AFTER]), st.integers(0, 50),
)  # fmt: skip
def test_over_dark_ground_no_lie_of_the_metadata_gets_a_wrong_number_through(
    added: int, offset: float | None, baseline: tuple[int, int], applied: bool | None, time: datetime, seed: int
) -> None:
    """Whatever combination is stated: what is accepted has exactly the added counts taken off."""
    stated = Stated(offset=offset, baseline=baseline, applied=applied, time=time)
    try:
        settled = settle(stated, shown_by_pixels(scene(DARK, added, seed), None))
    except InputError:
        return
    assert settled.counts == -added


def test_without_dark_ground_and_with_metadata_that_disagree_nothing_is_guessed() -> None:
    with pytest.raises(InputError, match="guess"):
        settle(Stated(offset=0.0, baseline=(5, 0), time=AFTER), "unknown")


@pytest.mark.real
def test_on_real_numbers_the_pixels_never_contradict_what_is_known(real_data: Path) -> None:
    """Real Sentinel-2 counts before and after an added 1000: said rightly or not at all."""
    import rasterio

    paths = sorted(p for p in real_data.rglob("*.tif*") if "S2" in p.name.upper() or "sentinel-2" in str(p).lower())
    told = {0: 0, 1000: 0}
    for path in paths[:40]:
        with rasterio.open(path) as source:
            names = [str(d or "").lower() for d in source.descriptions]
            bands = {"blue": {"b2", "b02", "blue"}, "green": {"b3", "b03", "green"}, "red": {"b4", "b04", "red"}}
            at = {b: next((i for i, n in enumerate(names, 1) if n in known), None) for b, known in bands.items()}
            if source.dtypes[0] != "uint16" or any(i is None for i in at.values()):
                continue
            counts = {b: source.read(i, window=((0, min(400, source.height)), (0, min(400, source.width)))) for b, i in at.items()}
        first = shown_by_pixels(counts, None)
        shifted = {b: np.where(v > 0, v + 1000, 0).astype(np.uint16) for b, v in counts.items()}
        if first == "absent":  # its numbers hold no offset
            told[0] += 1
            assert shown_by_pixels(shifted, None) != "absent"
            told[1000] += shown_by_pixels(shifted, None) == "present"
    if not told[0]:
        pytest.skip("no real Sentinel-2 counts with named bands")
