"""Quality bands become flags: every class and bit, and the bits are those of geo.raster.Flag."""

import numpy as np
import pytest

from geo.kernels import clouds
from geo.raster import Flag


def test_the_bits_are_those_of_flag() -> None:
    """Kernels may not import rasters, so the two tables are held together here."""
    for flag in Flag:
        assert getattr(clouds, flag.name) == flag.value


@pytest.mark.parametrize(
    ("value", "flag"),
    [(0, 1), (1, 8), (2, 0), (3, 4), (4, 0), (5, 0), (6, 0), (7, 0), (8, 2), (9, 2), (10, 64), (11, 32)],
)
def test_every_scene_class(value: int, flag: int) -> None:
    """Each of the twelve classes of SCL has one meaning, in any integer or float type."""
    for dtype in (np.uint8, np.int16, np.uint16, np.float32):
        assert clouds.scl(np.full((2, 3), value, dtype)).tolist() == [[flag] * 3] * 2


def test_what_is_no_scene_class_is_not_observed() -> None:
    """A class beyond the table, negative or NaN, is no honest observation."""
    assert clouds.scl(np.array([12, 255, -1, 300])).tolist() == [1, 1, 1, 1]
    assert clouds.scl(np.array([np.nan, 4.0])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (21824, 0),  # clear, low confidences: the usual clear land
        (21952, 0),  # clear water
        (1, Flag.OUTSIDE),
        (22280, Flag.CLOUD),  # cloud, high confidence
        (1 << 1, Flag.CLOUD),  # dilated cloud
        (23888, Flag.SHADOW),
        (1 << 2, Flag.HAZE),
        (30048, Flag.SNOW),
        (54596, Flag.HAZE),  # cirrus high confidence (bit 15 set, negative in int16)
    ],
)
def test_landsat_collection_2_bits(value: int, flag: int) -> None:
    """Values of the product guide, also when a signed type holds the bits."""
    assert clouds.qa_pixel(np.array([value], np.uint16))[0] == flag
    assert clouds.qa_pixel(np.array([value], np.uint16).view(np.int16))[0] == flag


@pytest.mark.parametrize(
    ("value", "flag"),
    [(322, 0), (324, 0), (1, 1), (328, Flag.SHADOW), (336, Flag.SNOW), (352, Flag.CLOUD), (834, Flag.HAZE)],
)
def test_landsat_collection_1_bits(value: int, flag: int) -> None:
    """Values of the Collection 1 guide: clear, water, fill, shadow, snow, cloud, cirrus."""
    assert clouds.pixel_qa(np.array([value], np.int16))[0] == flag


def test_masks_and_nan() -> None:
    """A NaN in a mask never counts as clear."""
    assert clouds.valid(np.array([np.nan, 0, 2])).tolist() == [1, 1, 0]
    assert clouds.cloud(np.array([np.nan, 0, 2])).tolist() == [2, 0, 2]


def test_inputs_are_never_written() -> None:
    """Kernels leave their arguments alone."""
    bits = np.array([1, 2, 322, 834], np.int16)
    bits.flags.writeable = False
    for kernel in (clouds.scl, clouds.qa_pixel, clouds.pixel_qa, clouds.fmask, clouds.valid, clouds.cloud):
        kernel(bits)
