"""Moving windows agree with scipy and do not depend on where the array is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geo.kernels.windows import line_means, odd, window_max, window_mean, window_min

sizes = st.integers(0, 12).map(lambda n: 2 * n + 1)
seeds = st.integers(0, 2**16)


def _image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((23, 31), dtype=np.float32)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, size=sizes)
def test_windows_agree_with_scipy(seed: int, size: int) -> None:
    """Mean, maximum and minimum are those of scipy, borders included."""
    image = _image(seed)
    mean = ndimage.uniform_filter(image.astype(float), size, mode="constant")
    np.testing.assert_allclose(window_mean(image, size), mean, atol=1e-6)
    np.testing.assert_array_equal(window_max(image, size), ndimage.maximum_filter(image, size, mode="nearest"))
    np.testing.assert_array_equal(window_min(image, size), ndimage.minimum_filter(image, size, mode="nearest"))


@settings(max_examples=40, deadline=None)
@given(seed=seeds, size=sizes, row=st.integers(0, 15), col=st.integers(0, 15))
def test_a_cut_array_gives_the_same_bits(seed: int, size: int, row: int, col: int) -> None:
    """Wherever the array is cut, the pixels a window away from the cut keep every bit."""
    image = np.random.default_rng(seed).random((60, 60), dtype=np.float32)
    half = size // 2
    for window in (window_mean, window_max, window_min):
        whole = window(image, size)[row + half :, col + half :]
        np.testing.assert_array_equal(window(image[row:, col:], size)[half:, half:], whole)


def test_a_line_counts_its_own_pixels_only() -> None:
    """A slanted line of ones has the mean 1 at its middle along itself and 1 / length across."""
    image = np.eye(41, dtype=np.float32)
    diagonal = (np.sqrt(0.5), np.sqrt(0.5))
    along = line_means(image, 9, diagonal)[0]
    across = line_means(image, 9, (diagonal[0], -diagonal[1]))[0]
    assert along[20, 20] > 0.5
    assert across[20, 20] == pytest.approx(1 / 9)


def test_multiples_are_means_of_longer_lines() -> None:
    """Three times five pixels along a row is the mean of fifteen, and twice five that of ten."""
    image = _image(1)
    five, ten, fifteen = line_means(image, 5, (0.0, 1.0), 3)
    np.testing.assert_allclose(five[:, 10], image[:, 8:13].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(fifteen[:, 15], image[:, 8:23].mean(axis=1), rtol=1e-5)
    window = np.stack([image[:, k : k + 10].mean(axis=1) for k in (10, 11)])
    assert np.isclose(ten[:, 15], window, rtol=1e-5).all(axis=1).any()


def test_a_line_without_pixels_is_refused() -> None:
    """A length below one pixel is an error, not an empty answer."""
    with pytest.raises(ValueError, match="at least one pixel"):
        line_means(_image(0), 0, (0.0, 1.0))


@given(st.floats(0, 1000))
def test_odd_is_odd_and_near(length: float) -> None:
    """`odd` gives the nearest odd whole number, never below 1."""
    value = odd(length)
    assert value % 2 == 1
    assert value >= 1
    assert abs(value - length) <= 1 or length < 1
