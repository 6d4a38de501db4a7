"""Rendering: the same stretch for both dates, honest gaps, a stamp that tiles cannot lose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.kernels import render


@pytest.mark.parametrize(
    ("bands", "unit", "indexes", "kind"),
    [
        (("blue", "green", "red"), "reflectance", (2, 1, 0), "natural"),
        (("red", "green", "blue", "nir"), "value", (0, 1, 2), "natural"),
        (("green", "red", "nir"), "reflectance", (2, 1, 0), "false"),
        (("pan",), "value", (0, 0, 0), "grey"),
        (("vv", "vh"), "linear-power", (0, 0, 0), "grey"),
        (("b1", "b2", "b3"), "value", (0, 1, 2), "false"),
    ],
)
def test_the_composite_fits_the_bands(bands, unit, indexes, kind):
    """False colour comes only where red, green and blue are not all there."""
    composite = render.choose_composite(bands, unit)
    assert (composite.indexes, composite.kind) == (indexes, kind)


def test_no_bands_are_refused():
    """There is no picture of nothing."""
    with pytest.raises(ValueError, match="at least one band"):
        render.choose_composite(())


def test_limits_ignore_what_was_not_seen_and_outliers():
    """One dead pixel and any number of NaN do not move the contrast."""
    rng = np.random.default_rng(1)
    values = rng.uniform(0.1, 0.3, 5000)
    spoilt = np.concatenate([values, [1e9], np.full(5000, np.nan)])
    np.testing.assert_allclose(render.stretch_limits([spoilt]), render.stretch_limits([values]), atol=2e-3)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e9])
def test_limits_of_a_flat_band_still_stretch(value):
    """A constant image becomes mid grey, not a division by zero."""
    limits = render.stretch_limits(np.full((1, 100), value))
    image = render.to_rgba(np.full((1, 2, 2), value), limits, render.choose_composite(("pan",)))
    assert 100 < int(image[0, 0, 0]) < 156


def test_nan_is_transparent_and_dark_ground_is_not():
    """Not seen has alpha 0; the darkest seen pixel has alpha 255."""
    values = np.array([[[np.nan, 0.0, 1.0]]], dtype=np.float32)
    image = render.to_rgba(values, [[0, 1]], render.choose_composite(("pan",)))
    assert image[:, 0].T.tolist() == [[0, 0, 0, 0], [0, 0, 0, 255], [255, 255, 255, 255]]


def test_wrong_band_counts_are_refused():
    """Limits of other bands are not stretched silently."""
    with pytest.raises(ValueError, match="do not fit"):
        render.to_rgba(np.zeros((2, 3, 3)), [[0, 1]], render.choose_composite(("pan",)))


def test_radar_is_shown_in_decibel():
    """Power 0.01 is -20 dB; zero power has none."""
    shown = render.displayable(np.array([0.01, 1.0, 0.0]), "linear-power")
    assert shown[:2].tolist() == pytest.approx([-20.0, 0.0])
    assert np.isnan(shown[2])


def test_colour_maps_need_rising_bounds():
    """A map that falls would hide values."""
    with pytest.raises(ValueError, match="rising"):
        render.colourise([1.0], ((2, (0, 0, 0, 0)), (1, (1, 1, 1, 1))))


def test_colourise_leaves_nan_clear():
    """A value that is not there has no colour."""
    assert render.colourise([np.nan], ((1.0, (9, 9, 9, 255)),)).tolist() == [[0], [0], [0], [0]]


@given(rows=st.integers(1, 90), cols=st.integers(1, 90), cut_row=st.integers(0, 90), cut_col=st.integers(0, 90))
def test_a_stamp_in_tiles_is_the_stamp_of_the_whole(rows, cols, cut_row, cut_col):
    """Tiling does not show in the stamp, at any size, and every image carries it."""
    image = np.full((4, rows, cols), 77, dtype=np.uint8)
    whole = render.stamp(image, (0, 0), (rows, cols))
    row, col = min(cut_row, rows), min(cut_col, cols)
    pieces = np.empty_like(whole)
    for r in (slice(0, row), slice(row, rows)):
        for c in (slice(0, col), slice(col, cols)):
            pieces[:, r, c] = render.stamp(image[:, r, c], (r.start, c.start), (rows, cols))
    assert np.array_equal(pieces, whole)
    assert (whole[:3] == 255).any()
    assert (image == 77).all()


def test_the_hatch_joins_across_tiles():
    """The hatch is fixed to the image, not to the tile."""
    whole = render.hatch((0, 0), (20, 20))
    assert np.array_equal(render.hatch((7, 5), (6, 9)), whole[7:13, 5:14])
    assert 0 < whole.mean() < 1
