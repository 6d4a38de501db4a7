"""The offset of baseline 04.00: right or refused, never doubled, never left in, whatever the flags say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
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


def _real(path: Path) -> tuple[dict[str, NDArray[np.uint16]], NDArray[np.uint8] | None]:
    """Counts by band of a real image, and its classes."""
    with rasterio.open(path) as source:
        data, names = source.read().astype(np.float64), [str(name).upper() for name in source.descriptions]
    data = np.where(np.isfinite(data), data, 0) * (1e4 if np.nanmax(data) < 50 else 1)
    wanted = {"blue": "B02", "green": "B03", "red": "B04", "swir16": "B11", "swir22": "B12"}
    at = {band: names.index(n) for band, n in wanted.items() if n in names}
    at = at or {band: names.index(n.replace("0", "")) for band, n in wanted.items()}
    counts = {band: np.clip(data[i], 0, 65535).astype(np.uint16) for band, i in at.items()}
    return counts, data[names.index("SCL")].astype(np.uint8) if "SCL" in names else None


@pytest.mark.real
def test_real_numbers_without_offset_never_seem_to_have_one(real_data: Path) -> None:
    """Every real date, winter haze included; and with 1000 added none seems to have none."""
    folders = ("s2_scl_belgium_2023", "s2_l2a_120m_styria", "s2_cloud_chip_adwp")
    paths = [p for f in folders for p in sorted((real_data / f).rglob("20*.tif"))]
    told = Counter[Says]()
    for path in paths:
        counts, classes = _real(path)
        told[shown_by_pixels(counts, classes)] += 1
        added = {band: np.where(v > 0, v + 1000, 0).astype(np.uint16) for band, v in counts.items()}
        assert shown_by_pixels(added, classes) != "absent", path
    assert told["present"] == 0
    assert told["absent"] >= 8, told


@pytest.mark.real
def test_a_real_offset_left_in_is_not_denied(real_data: Path) -> None:
    """Composites from which nobody took the 0.1 off."""
    paths = [p for p in sorted((real_data / "s2_urban_pairs").rglob("*.tif")) if "label" not in p.name]
    assert len(paths) == 6
    assert [shown_by_pixels(*_real(path)) for path in paths].count("absent") == 0
