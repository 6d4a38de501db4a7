"""Raster and Stack refuse what does not fit, and never confuse unseen with unchanged."""

from datetime import UTC, datetime

import numpy as np
import pytest
from strategies import grid_of, raster_of

from geo.raster import Flag, Raster, Stack

NOON = datetime(2019, 3, 12, 3, 20, tzinfo=UTC)


def test_pixels_are_nan_exactly_where_a_flag_is_set() -> None:
    """Cloud and shadow hide the ground; clear pixels keep their value."""
    data = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    flags = np.array([[0, Flag.CLOUD, 0], [Flag.SHADOW | Flag.HAZE, 0, 0]], np.uint8)
    raster = Raster(data, flags, grid_of(2, 3), ("red", "nir"), NOON, "a")
    np.testing.assert_array_equal(np.isnan(raster.pixels), np.broadcast_to(flags != 0, data.shape))
    np.testing.assert_array_equal(raster.pixels[:, flags == 0], data[:, flags == 0])
    np.testing.assert_array_equal(raster.read((slice(0, 1), slice(0, 3))), raster.pixels[:, :1])


@pytest.mark.parametrize(
    ("data", "flags", "bands", "message"),
    [
        (np.zeros((1, 2, 2), np.float32), np.zeros((2, 2), np.uint8), ("red", "nir"), "bands"),
        (np.zeros((1, 2, 2), np.float32), np.zeros((2, 3), np.uint8), ("red",), "flags"),
        (np.zeros((1, 2, 2)), np.zeros((2, 2), np.uint8), ("red",), "float32"),
    ],
)
def test_what_does_not_fit_is_refused(
    data: np.ndarray, flags: np.ndarray, bands: tuple[str, ...], message: str
) -> None:
    """Shapes and dtypes are checked once, at the door."""
    with pytest.raises(ValueError, match=message):
        Raster(data, flags, grid_of(2, 2), bands)


def test_a_time_without_a_zone_is_refused() -> None:
    """Local time is nobody's time."""
    with pytest.raises(ValueError, match="aware UTC"):
        raster_of(np.zeros((1, 2, 2)), time=datetime(2019, 3, 12))  # noqa: DTZ001


def test_a_stack_needs_one_grid_and_rising_times() -> None:
    """Duplicate and unsorted dates are refused, not sorted in silence."""
    a, b = raster_of(np.zeros((1, 2, 2))), raster_of(np.ones((1, 2, 2)))
    later = NOON.replace(day=27)
    assert Stack((a, b), (NOON, later)).grid == a.grid
    for times in ((later, NOON), (NOON, NOON)):
        with pytest.raises(ValueError, match="rise strictly"):
            Stack((a, b), times)
    with pytest.raises(ValueError, match="share one grid"):
        Stack((a, raster_of(np.zeros((1, 3, 3)))), (NOON, later))
    with pytest.raises(ValueError, match="as many times"):
        Stack((), ())
