"""From score to objects: width, area and unobserved ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.kernels.objects import label_objects, opening_reach_px, widen_only


def _score() -> np.ndarray:
    score = np.zeros((60, 60), dtype=np.float32)
    score[10:30, 10:30] = 0.5
    score[45:48, :] = 1.0
    return score


def test_thin_lines_drop_out_and_houses_stay() -> None:
    """A strip of three pixels vanishes under an opening of four metres; a house of ten metres keeps its height."""
    kept = widen_only(_score(), gsd_m=0.5, width_m=4.0)
    assert kept[45:48].max() == 0
    np.testing.assert_array_equal(kept[10:30, 10:30], np.float32(0.5))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), row=st.integers(0, 20), col=st.integers(0, 20))
def test_opening_is_local_and_never_raises(seed: int, row: int, col: int) -> None:
    """The opening never exceeds its input, keeps NaN, and a cut array gives the same values beyond its reach."""
    random = np.random.default_rng(seed)
    score = random.random((60, 60), dtype=np.float32)
    score[random.random(score.shape) < 0.1] = np.nan
    opened = widen_only(score, gsd_m=1.0)
    assert np.array_equal(np.isnan(opened), np.isnan(score))
    assert (opened[np.isfinite(score)] <= score[np.isfinite(score)]).all()
    reach = opening_reach_px(1.0)
    part = widen_only(score[row:, col:], gsd_m=1.0)
    np.testing.assert_array_equal(part[reach:, reach:], opened[row + reach :, col + reach :])


def test_objects_are_numbered_and_small_ones_dropped() -> None:
    """Two regions are found at first, one where the least area rises; NaN is never an object."""
    score = _score()
    score[0, 0] = np.nan
    labels, count = label_objects(score, 0.2, gsd_m=0.5, min_area_m2=20)
    assert count == 2
    assert set(np.unique(labels)) == {0, 1, 2}
    labels, count = label_objects(score, 0.2, gsd_m=0.5, min_area_m2=80)
    assert count == 1
    assert (labels > 0).sum() == 400


def test_senseless_sizes_are_refused() -> None:
    """Pixel sizes and widths that are not positive are errors."""
    for gsd in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="positive"):
            widen_only(_score(), gsd_m=gsd)
        with pytest.raises(ValueError, match="positive"):
            label_objects(_score(), 0.1, gsd_m=gsd)
    with pytest.raises(ValueError, match="row, col"):
        widen_only(np.zeros((1, 4, 4), np.float32), gsd_m=1.0)
