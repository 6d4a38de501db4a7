"""An answer is taken only if it is exactly the image that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hubworld import site
from hypothesis import given
from hypothesis import strategies as st
from services.sentinel_hub import spoilt

from geo.errors import TemporaryError
from geo.providers.sentinel_hub.checking import most_bytes, numbers_of
from geo.providers.web import Answer

GRID = site(64)
NUMBERS = np.random.default_rng(0).integers(0, 65536, (3, 64, 64)).astype(np.uint16)
BODY = spoilt(NUMBERS.copy(), GRID, "")


def answer(body: bytes, kind: str = "image/tiff") -> Answer:
    return Answer(status=200, headers={"content-type": kind}, body=body)


@pytest.mark.parametrize("kind", ["image/tiff", "image/tiff;application=geotiff", "application/octet-stream", ""])
def test_the_numbers_are_those_sent(kind: str) -> None:
    assert np.array_equal(numbers_of(answer(BODY, kind), GRID, 3, "uint16"), NUMBERS)


@given(st.integers(0, len(BODY) - 1))
def test_no_part_of_an_image_is_taken_for_the_whole(length: int) -> None:
    """Cut anywhere: refused, or (when only unused bytes at the end are lost) every number is right."""
    try:
        found = numbers_of(answer(BODY[:length]), GRID, 3, "uint16")
    except TemporaryError:
        return
    assert np.array_equal(found, NUMBERS)


@given(st.binary(max_size=400))
def test_no_bytes_make_anything_but_our_own_error(tail: bytes) -> None:
    for start in (b"", b"II*\0", b"MM\0+", BODY[:200]):
        with pytest.raises(TemporaryError):
            numbers_of(answer(start + tail), GRID, 3, "uint16")


@pytest.mark.parametrize("kind", ["small", "beside", "zone", "nowhere", "bands", "bytes", "floats", "png"])
def test_another_image_than_was_asked_for_is_refused(kind: str) -> None:
    with pytest.raises(TemporaryError):
        numbers_of(answer(spoilt(NUMBERS.copy(), GRID, kind)), GRID, 3, "uint16")


@pytest.mark.parametrize("kind", ["text/html", "image/png", "application/json"])
def test_a_kind_that_is_none_is_refused(kind: str) -> None:
    with pytest.raises(TemporaryError):
        numbers_of(answer(BODY, kind), GRID, 3, "uint16")


def test_the_least_compressible_image_is_within_the_limit() -> None:
    assert len(BODY) < most_bytes(GRID, 3, "uint16")
