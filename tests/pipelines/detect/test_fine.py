"""Half a metre: structure decides, on a fixed scale, and other looks at unchanged ground raise nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pairs import digest, pair_of, read, run
from scipy import ndimage

RGB = ("red", "green", "blue")


def meadow(rows: int = 300, cols: int = 320) -> np.ndarray:
    """Grass with grain, uint8-like."""
    rng = np.random.default_rng(3)
    grain = ndimage.gaussian_filter(rng.normal(size=(rows, cols)), 2)
    return np.array([70.0, 95.0, 55.0])[:, None, None] * (1 + 0.2 * grain / grain.std())


def with_hall(image: np.ndarray) -> np.ndarray:
    out = image.copy()
    out[:, 120:160, 130:180] = np.array([150.0, 145.0, 140.0])[:, None, None]
    out[:, 160:166, 130:180] *= 0.4
    return out


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    return np.clip(image + np.random.default_rng(seed).normal(0, 3, image.shape), 0, 255)


def test_a_new_hall_is_found_whatever_the_tiles(tmp_path: Path) -> None:
    """20 x 25 m of roof on a meadow: one piece over it, same bits for two tile sizes."""
    pair = pair_of(noisy(meadow(), 1), noisy(with_hall(meadow()), 2), RGB, "value", 0.5)
    found = run(pair, tmp_path)
    assert len(found.objects) == 1
    _, mask = read(found)
    assert (mask[125:155, 135:175] == 1).mean() > 0.6
    assert found.calibration.min_area_px == 400
    assert digest(found) == digest(run(pair, tmp_path, tile_px=130))


@pytest.mark.parametrize("look", [lambda x: x, lambda x: x * 1.3 + 10, lambda x: 255 * (x / 255) ** 0.8])
def test_another_light_is_no_change(look, tmp_path: Path) -> None:
    """Gain, offset and gamma on a scene with a hall."""
    image = with_hall(meadow())
    found = run(pair_of(noisy(image, 1), noisy(look(image), 2), RGB, "value", 0.5), tmp_path)
    assert found.objects == ()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("folder", "least"), [("0", 0.8), ("1", 0.6)])
def test_houses_that_appear(real_data: Path, tmp_path: Path, folder: str, least: float) -> None:
    """Joplin with the dates swapped: most destroyed houses appear, at the precision that the method states."""
    case = real_data / "vhr_xbd_joplin" / folder
    with rasterio.open(case / "post.tif") as post, rasterio.open(case / "pre.tif") as pre:
        looks = post.read().astype(float), pre.read().astype(float)
    with rasterio.open(case / "post_label.tif") as label:
        houses, count = ndimage.label(label.read(1) == 4)
    _, mask = read(run(pair_of(*looks, RGB, "value", 0.451), tmp_path))
    sizes = np.bincount(houses.ravel())
    large = [k for k in range(1, count + 1) if sizes[k] * 0.451**2 >= 40]
    covered = ndimage.mean(mask == 1, houses, large)
    assert np.mean(covered >= 0.25) >= least
