"""Kept blocks: the same pixels as without them, each block decoded once, bounded memory."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from geo.files import blocks

SHAPE = (150, 230)
PIXELS = np.random.default_rng(3).integers(0, 60_000, size=(3, *SHAPE)).astype(np.uint16)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("blocks") / "image.tif"
    profile = {"driver": "GTiff", "count": 3, "height": SHAPE[0], "width": SHAPE[1], "dtype": "uint16"}
    tiling = {"tiled": True, "blockxsize": 64, "blockysize": 32, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **tiling, transform=Affine(1, 0, 5, 0, -1, 9)) as target:
        target.write(PIXELS)
    return path


class Counting:
    """A dataset that counts what it is asked to decode."""

    def __init__(self, dataset) -> None:
        self.dataset, self.asked = dataset, []

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def read(self, indexes, window):
        self.asked.append((window.row_off, window.col_off))
        return self.dataset.read(indexes, window=window)


@given(top=st.integers(0, 149), left=st.integers(0, 229), height=st.integers(1, 150), width=st.integers(1, 230))
def test_the_pixels_are_those_of_the_file(image, top: int, left: int, height: int, width: int) -> None:
    """Any window, any bands, in their order."""
    height, width = min(height, SHAPE[0] - top), min(width, SHAPE[1] - left)
    with rasterio.open(image) as dataset, blocks.kept():
        found = blocks.read(dataset, image, (3, 1), Window(left, top, width, height))
    np.testing.assert_array_equal(found, PIXELS[[2, 0], top : top + height, left : left + width])


def test_each_block_is_decoded_once_while_there_is_room(image) -> None:
    """Tiles with halos share what they touch; outside the `with` nothing is kept."""
    windows = [Window(c, r, 80, 50) for r in (10, 40, 80) for c in (10, 60, 120)]
    with rasterio.open(image) as file:
        dataset = Counting(file)
        with blocks.kept():
            for window in windows:
                blocks.read(dataset, image, (1,), window)
            assert len(dataset.asked) == len(set(dataset.asked)) > 9
        blocks.read(dataset, image, (1,), windows[4])
        assert dataset.asked[-1] == (40, 60)


def test_what_is_kept_stays_below_the_limit(image) -> None:
    """The block that was not used for the longest time goes first."""
    with rasterio.open(image) as file:
        dataset = Counting(file)
        with blocks.kept(2 * 64 * 32 * 2):
            for col in (10, 74, 138, 74, 10):
                blocks.read(dataset, image, (1,), Window(col, 1, 5, 5))
    assert dataset.asked == [(0, 0), (0, 64), (0, 128), (0, 0)]


def test_threads_share_a_block_and_its_failure(image) -> None:
    """Whoever waits for a block learns why there is none, and a later try decodes anew."""
    entered, go = threading.Event(), threading.Event()

    class Broken(Counting):
        def read(self, indexes, window):
            entered.set()
            go.wait(5)
            raise OSError("damaged")

    with rasterio.open(image) as file, ThreadPoolExecutor(2) as pool, blocks.kept():
        broken = Broken(file)
        first = pool.submit(blocks.read, broken, image, (1,), Window(1, 1, 3, 3))
        assert entered.wait(5)
        second = pool.submit(blocks.read, broken, image, (1,), Window(2, 2, 3, 3))
        go.set()
        for future in (first, second):
            with pytest.raises(OSError, match="damaged"):
                future.result()
        again = blocks.read(file, image, (1,), Window(1, 1, 3, 3))
    np.testing.assert_array_equal(again[0], PIXELS[0, 1:4, 1:4])


def test_a_stripe_fits_into_what_is_kept() -> None:
    """More bands, narrower stripes; never less than two blocks."""
    widths = [blocks.stripe_px(bands) for bands in (1, 4, 12, 100)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 1024
    assert 2 * 3 * (blocks.stripe_px(4) + 1024) * 512 * 4 * 2 <= blocks.KEPT_BYTES
