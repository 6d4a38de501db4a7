"""The rasters' pixels: samples for the stretch, dates, looks, and the bits that are kept."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from publish_cases import make_case

from geo.grid import Grid
from pipelines.publish import PublishSettings
from pipelines.publish.rasters import change_bands, choose_view


class _Patchy:
    """A large source that is blind but for one corner, and counts how much is read of it."""

    def __init__(self, shape, seen):
        self.grid, self.seen, self.read_px = Grid(None, Affine.identity(), shape), seen, 0

    def read(self, window):
        rows, cols = (np.arange(s.start, s.stop) for s in window)
        self.read_px += rows.size * cols.size
        values = np.add.outer(rows, cols).astype(np.float32)
        values[np.add.outer(rows, cols) >= self.seen] = np.nan
        return values[None]


def test_dates_looks_and_gaps():
    """Changed, unchanged, seen once, never seen: one pixel each."""
    nan = np.nan
    layers = np.array([[[9, 1, nan, nan]], [[1e-6, 0.5, nan, nan]], [[3, 0, nan, nan]]], np.float32)
    mask = np.array([[1, 0, 255, 255]], np.float32)
    before, after = np.array([[[1, 1, 1, nan]]], np.float32), np.array([[[1, 1, nan, nan]]], np.float32)
    bands = change_bands(layers, mask, before, after, (18000.0, 17000.0))[:, 0]
    np.testing.assert_array_equal(bands[2], [18000, nan, nan, nan])
    np.testing.assert_array_equal(bands[3], [17000, nan, nan, nan])
    np.testing.assert_array_equal(bands[4], [3, 0, nan, nan])
    np.testing.assert_array_equal(bands[5], [2, 2, 1, 0])
    np.testing.assert_allclose(bands[:2, :2], layers[:2, 0, :2], rtol=2.5e-4)
    assert np.isnan(bands[:2, 2:]).all()


@given(
    st.floats(allow_subnormal=False, width=32, min_value=-(2.0**100), max_value=2.0**100),
    st.sampled_from([math.nan, 17500.0]),
)
def test_rounding_keeps_one_part_in_four_thousand(value, day):
    """No score moves further, and none turns into NaN."""
    layers = np.full((3, 1, 1), value, np.float32)
    one = np.ones((1, 1, 1), np.float32)
    bands = change_bands(layers, one[0], one, one, (day, day))
    assert bands[0, 0, 0] == pytest.approx(float(np.float32(value)), rel=1 / 4096, abs=1e-37)


def test_the_stretch_is_sampled_not_read_whole(tmp_path):
    """A whole tile's stretch costs a few per cent of its pixels; a tile seen only in a corner is searched."""
    made = make_case(tmp_path, bands=("pan",))
    for seen, most in ((10**9, 0.05), (900, 1.2)):
        source = _Patchy((5000, 5000), seen)
        pair = made.pair.__class__(
            grid=source.grid, gsd_m=None,
            before=made.pair.before.__class__(**{**vars(made.pair.before), "source": source}),
            after=made.pair.after.__class__(**{**vars(made.pair.after), "source": source}),
        )  # fmt: skip
        limits = choose_view(pair, PublishSettings()).limits[0]
        assert source.read_px <= most * 2 * 25e6
        assert 0 <= limits[0] < limits[1] <= min(seen, 10000)
