"""Change vector analysis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.kernels import cva


def pair(seed: int = 0, bands: int = 3, rows: int = 20, cols: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, bands, rows, cols)).astype(np.float32)
    y[0, 2, 3] = np.nan
    return x, y


def test_magnitude_and_mean_are_their_formulas() -> None:
    """Against numpy in double precision."""
    x, y = pair()
    noise = np.array([1.0, 2.0, 0.5])
    z = (y.astype(float) - x) / noise[:, None, None]
    np.testing.assert_allclose(cva.magnitude(x, y, noise), np.sqrt((z**2).mean(0)), rtol=2e-6)
    np.testing.assert_allclose(cva.mean_difference(x, y, noise), z.mean(0), rtol=1e-4, atol=1e-6)
    assert np.isnan(cva.magnitude(x, y)[2, 3])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(1, 6), st.integers(1, 19), st.integers(1, 29))
def test_every_window_gives_the_same_bits(seed: int, bands: int, row: int, col: int) -> None:
    """A pixel's value does not depend on the array it lies in."""
    x, y = pair(seed, bands)
    np.testing.assert_array_equal(cva.magnitude(x[:, row:, :col], y[:, row:, :col]), cva.magnitude(x, y)[row:, :col])


def test_refuses_other_shapes_and_noise_that_is_not_positive() -> None:
    """Errors name what is wrong."""
    x, y = pair()
    with pytest.raises(ValueError, match="same"):
        cva.magnitude(x, y[:2])
    with pytest.raises(ValueError, match="positive"):
        cva.magnitude(x, y, [1, 0, 1])
