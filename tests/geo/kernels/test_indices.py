"""Indices and their change."""

import numpy as np
import pytest

from geo.kernels import indices


def grey(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None, None]


def test_an_offset_left_in_the_file_is_taken_off() -> None:
    """NDVI with +0.1 on both bands and dark=0.1 is NDVI without; with dark=0 it would be compressed."""
    red, nir = np.float32([0.05]), np.float32([0.4])
    plain = indices.normalised_difference(nir, red)
    np.testing.assert_allclose(indices.normalised_difference(nir + 0.1, red + 0.1, dark=0.1), plain, rtol=1e-6)
    assert indices.normalised_difference(nir + 0.1, red + 0.1)[0] < plain[0] - 0.2


def test_nothing_above_dark_is_zero_and_nan_is_nan() -> None:
    """No division by zero, no warning, no invented index."""
    out = indices.normalised_difference(np.float32([0, 0.1, np.nan]), np.float32([0, -0.3, 1]))
    np.testing.assert_array_equal(out, np.float32([0, 0, np.nan]))


def test_greenness_is_high_on_green() -> None:
    """Leaves above soil above zero for grey."""
    red, green, blue = np.float32([0.04, 0.3, 0.2]), np.float32([0.1, 0.25, 0.2]), np.float32([0.04, 0.2, 0.2])
    leaf, soil, concrete = indices.greenness(red, green, blue)
    assert leaf > 0.3 > abs(soil)
    assert concrete == 0


def test_shape_ignores_brightness_and_sees_colour() -> None:
    """A repainted grey roof has the same shape; soil to concrete, as bright as before, has not."""
    roof, painted = grey(0.1, 0.1, 0.1, 0.1), grey(0.5, 0.5, 0.5, 0.5)
    soil, concrete = grey(0.1, 0.18, 0.28, 0.35), grey(0.25, 0.25, 0.25, 0.25)
    settings = {"dark": 0.0, "noise": 0.005, "relative": 0.02}
    assert indices.shape_change(roof, painted, **settings)[0, 0] < 0.1
    assert indices.shape_change(soil, concrete, **settings)[0, 0] > 5


def test_dark_ground_does_not_shout() -> None:
    """The same noise on water and on a field has statistics of one size, where a bare angle differs ten times."""
    rng = np.random.default_rng(0)
    noise = 0.003 * rng.normal(size=(2, 4, 1, 5000)).astype(np.float32)
    water, field = (np.full((4, 1, 5000), v, np.float32) for v in (0.01, 0.3))
    z = [
        np.median(indices.shape_change(v + noise[0], v + noise[1], dark=0, noise=0.003, relative=1e-4))
        for v in (water, field)
    ]
    assert 0.5 < z[0] / z[1] < 2


def test_index_change_has_a_sign_a_centre_and_no_nan_of_its_own() -> None:
    """Loss of vegetation is negative; the seasonal mean is taken off; empty ground gives zero, not a division."""
    before, after = (
        (np.float32([[0.4, 0.0]]), np.float32([[0.05, 0.0]])),
        (np.float32([[0.3, 0.0]]), np.float32([[0.3, 0.0]])),
    )
    settings = {"dark": 0.0, "noise": 0.01, "relative": 0.05}
    lost = indices.index_change(before, after, **settings)
    assert lost[0, 0] < -5
    assert lost[0, 1] == 0
    change = -(0.35 / 0.45)
    assert abs(indices.index_change(before, after, centre=change, **settings)[0, 0]) < 1e-3


def test_shape_needs_two_bands() -> None:
    """One band has no shape."""
    with pytest.raises(ValueError, match="two or more"):
        indices.shape_change(grey(1.0), grey(2.0), dark=0, noise=1, relative=1)
