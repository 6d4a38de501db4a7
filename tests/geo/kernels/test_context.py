"""Context filters: same bits under tiling, honest about missing pixels."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.grid import Grid
from geo.kernels import context


def plane(seed: int, rows: int, cols: int, holes: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(rows, cols)).astype(np.float32)
    out[rng.random((rows, cols)) < holes] = np.nan
    return out


def tiled(function, x: np.ndarray, size: int, halo: int) -> np.ndarray:
    grid = Grid(None, Affine.identity(), x.shape)
    out = np.empty_like(x)
    for tile in grid.tiles(size, halo):
        out[tile.core] = function(x[tile.read])[tile.trim]
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(1, 70), st.integers(1, 70), st.sampled_from([0, 0.3]), st.integers(5, 80))
def test_tiling_does_not_show(seed: int, rows: int, cols: int, holes: float, size: int) -> None:
    """Smoothing, opening and widening of tiles with their halo are those of the whole, to the bit."""
    x = plane(seed, rows, cols, holes)
    for levels in (1, 3):
        smooth = lambda v, n=levels: context.smooth(v, context.smooth_weights(np.isfinite(v), n))[-1]  # noqa: E731
        np.testing.assert_array_equal(tiled(smooth, x, size, context.smooth_reach_px(levels)), smooth(x))
    np.testing.assert_array_equal(tiled(context.opening, x, size, 2), context.opening(x))
    wide = lambda v: context.widen(v, 3)  # noqa: E731
    np.testing.assert_array_equal(tiled(wide, x, size, 3), wide(x))


def test_smoothing_is_a_weighted_mean_of_what_was_seen() -> None:
    """A constant stays constant beside holes and borders, and holes stay holes."""
    x = plane(1, 40, 50, 0.4)
    x[np.isfinite(x)] = 7
    out = context.smooth(x, context.smooth_weights(np.isfinite(x), 3))
    for level in out:
        np.testing.assert_allclose(level[np.isfinite(x)], 7, rtol=1e-6)
        assert np.isnan(level[np.isnan(x)]).all()


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_kernel_has_the_stated_width_and_reach(levels: int) -> None:
    """The response to one bright pixel has the standard deviation and the reach that the functions state."""
    x = np.zeros((121, 121), np.float32)
    x[60, 60] = 1
    out = context.smooth(x, context.smooth_weights(np.isfinite(x), levels))[-1].astype(float)
    at = np.arange(121) - 60
    assert np.sqrt((out.sum(1) * at**2).sum() / out.sum()) == pytest.approx(context.smooth_sigma_px(levels), rel=1e-5)
    assert np.abs(at[out.sum(1) > 0]).max() == context.smooth_reach_px(levels)


def test_opening_removes_lines_and_keeps_blocks() -> None:
    """Two-pixel lines go, three-pixel blocks stay."""
    x = np.zeros((20, 20), np.float32)
    x[5:7, :] = 5
    x[12:15, 4:7] = 8
    expected = np.zeros_like(x)
    expected[12:15, 4:7] = 8
    np.testing.assert_array_equal(context.opening(x), expected)


def test_inputs_are_untouched_and_a_bad_radius_is_refused() -> None:
    """Kernels do not write into what they are given."""
    x = plane(3, 20, 20, 0.2)
    copy = x.copy()
    context.opening(x)
    context.widen(x, 2)
    context.smooth(x, context.smooth_weights(np.isfinite(x), 2))
    np.testing.assert_array_equal(x, copy)
    with pytest.raises(ValueError, match="radius"):
        context.opening(x, 0)
