"""Softening: the amplitude of cubic convolution, without its movement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline

from geo.kernels.softening import REACH_PX, cubic_weights, soften, taps

PHASES = st.floats(0, 1, allow_nan=False)


@given(PHASES)
def test_weights_are_those_of_the_cubic_hermite_spline(phase: float) -> None:
    """Keys's kernel at a = -1/2 is the Hermite spline with central differences as slopes (scipy computes it)."""
    for k, weight in enumerate(cubic_weights(phase)):
        values = np.zeros(4)
        values[k] = 1
        slopes = [(values[2] - values[0]) / 2, (values[3] - values[1]) / 2]
        assert weight == pytest.approx(float(CubicHermiteSpline([0, 1], values[1:3], slopes)(phase)), abs=1e-12)


@given(PHASES)
def test_taps_are_symmetric_keep_the_mean_and_do_not_know_the_direction(phase: float) -> None:
    kernel = np.array(taps(phase))
    assert kernel.sum() == pytest.approx(1)
    assert kernel == pytest.approx(kernel[::-1])
    assert kernel == pytest.approx(np.array(taps(1 - phase)), abs=1e-9)


@given(PHASES, st.floats(0.1, 2.2))
def test_a_wave_loses_what_interpolation_takes(phase: float, frequency: float) -> None:
    """Moved by cubic convolution or softened: the same amplitude is left of a wave."""
    x = np.arange(200)
    wave = np.exp(1j * frequency * x)
    moved = np.convolve(wave, cubic_weights(phase)[::-1], mode="valid")
    still = np.convolve(wave, taps(phase), mode="valid")
    assert abs(still).mean() == pytest.approx(abs(moved).mean(), abs=0.03)
    assert np.abs(still - wave[REACH_PX:-REACH_PX] * abs(still).mean()).max() < 1e-6


def test_unseen_stays_unseen_and_does_not_bleed() -> None:
    values = np.full((2, 30, 30), 0.3, np.float32)
    values[:, 10:14, 5:9] = np.nan
    given_before = values.copy()
    out = soften(values, (0.5, 0.25))
    assert np.array_equal(values, given_before, equal_nan=True)
    assert np.array_equal(np.isnan(out), np.isnan(values))
    assert np.nanmax(np.abs(out - 0.3)) < 1e-6
    assert out.dtype == np.float32
