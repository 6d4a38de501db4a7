"""Relative radiometric normalisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.kernels import normalise


def scene(seed: int = 0, n: int = 20000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([0.1 + 0.05 * rng.gamma(2, size=n), 0.3 + 0.08 * rng.normal(size=n)])


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 2), st.floats(-0.2, 0.2), st.integers(0, 20))
def test_undoes_gain_and_offset(gain: float, offset: float, seed: int) -> None:
    """Without change and noise the line is found exactly, and the noise is only the floor."""
    x = scene(seed, 3000)
    model = normalise.fit(x, (x - offset) / gain)
    np.testing.assert_allclose(model.gain, gain, rtol=1e-6)
    np.testing.assert_allclose(model.offset, offset, atol=1e-6)
    np.testing.assert_array_equal(model.noise, model.floor)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_change_does_not_tilt_the_line(share: float) -> None:
    """Nearly a third of the scene cleared and rebuilt in one direction moves the line by less than the noise."""
    rng = np.random.default_rng(3)
    x = scene(3)
    y = (x + 0.004 * rng.normal(size=x.shape) - 0.01) / 1.2
    changed = rng.random(x.shape[1]) < share
    y[:, changed] += 0.25
    model = normalise.fit(x, y)
    fitted = normalise.apply(model, y.astype(np.float32))
    assert np.abs(np.median((fitted - x)[:, ~changed], axis=1)).max() < 0.004
    np.testing.assert_allclose(model.gain, 1.2, rtol=0.06)


def test_noise_is_measured_and_never_below_the_floor() -> None:
    """The robust standard deviation of the difference; outliers do not count."""
    rng = np.random.default_rng(1)
    x = scene(1)
    y = x + 0.02 * rng.normal(size=x.shape)
    y[:, :500] += 1
    np.testing.assert_allclose(normalise.fit(x, y).noise, 0.02, rtol=0.1)


def test_constant_bands_and_single_pixels_are_legal() -> None:
    """No spread, no line: gain 1 and the difference of medians, positive noise."""
    for x in (np.full((1, 50), 3.0), np.full((1, 1), 3.0), np.zeros((1, 5))):
        model = normalise.fit(x, x + 2)
        assert (model.gain[0], model.offset[0]) == (1, -2)
        assert model.noise[0] > 0


@pytest.mark.parametrize("bad", [np.empty((2, 0)), np.full((2, 3), np.nan)])
def test_refuses_what_it_cannot_fit(bad: np.ndarray) -> None:
    """Empty and not finite."""
    with pytest.raises(ValueError, match="sample"):
        normalise.fit(bad, bad)
