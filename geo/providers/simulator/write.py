"""A rendered scene becomes a GeoTIFF as a provider would deliver it: bands named, scale stated, marked SIMULATED."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from geo.errors import InputError, SitewatchError
from geo.files.readback import Readback
from geo.grid import Grid
from geo.providers.simulator.stamp import stamp

DEFECTIVE = 1  # the scene class under the stamp: these pixels are no observation
INK, PAPER = 0.30, 0.06  # reflectance of the stamp
WORDS = "SIMULATED: drawn by sitewatch from a seed; no satellite saw this."


@dataclass(frozen=True)
class Delivery:
    """What goes into one file.

    Attributes:
        data: reflectance or linear power, float32 (band,row,col); NaN is written as nodata.
        bands: names of its bands.
        classes: uint8 (row,col) written as a last band called SCL, or None.
        offset: added to stored values after the scale, reflectance only.
        reflectance: uint16 with scale 0.0001 where true, float32 as it is where false.
    """

    data: NDArray[np.float32]
    bands: tuple[str, ...]
    classes: NDArray[np.uint8] | None = None
    offset: float = 0.0
    reflectance: bool = True


def stamped(delivery: Delivery) -> Delivery:
    """Return the delivery with the word burnt in, at values that are the same on every date."""
    where, ink = stamp(delivery.data.shape[1:])
    data = delivery.data.copy()
    data[:, where[0], where[1]] = np.where(ink, np.float32(INK), np.float32(PAPER))
    classes = delivery.classes
    if classes is not None:
        classes = classes.copy()
        classes[where] = DEFECTIVE
    return Delivery(data, delivery.bands, classes, delivery.offset, delivery.reflectance)


def write(path: Path, delivery: Delivery, grid: Grid, tags: Mapping[str, str]) -> None:
    """Write one GeoTIFF; it appears under its name only when it is complete.

    Raises:
        InputError: the folder cannot be written to.
    """
    delivery = stamped(delivery)
    stored, names = _numbers(delivery), list(delivery.bands)
    if delivery.classes is not None:
        stored = np.concatenate([stored, delivery.classes[None].astype(stored.dtype)])
        names.append("SCL")
    profile = {
        "driver": "GTiff", "dtype": stored.dtype.name, "count": len(stored), "height": grid.shape[0],
        "width": grid.shape[1], "crs": grid.crs, "transform": grid.transform, "compress": "deflate", "tiled": True,
        "predictor": 2 if delivery.reflectance else 3, "zlevel": 1, "interleave": "band", "blockxsize": 256,
        "blockysize": 256, "nodata": 0 if delivery.reflectance else float("nan"),
    }  # fmt: skip
    half_made = path.with_name(path.name + ".part")
    try:
        with rasterio.open(half_made, "w", **profile) as file:
            file.write(stored)
            file.descriptions = names
            if delivery.reflectance:
                image = len(delivery.bands)
                file.scales = [1e-4] * image + [1.0] * (len(names) - image)
                file.offsets = [delivery.offset] * image + [0.0] * (len(names) - image)
            file.update_tags(SIMULATED="YES", TIFFTAG_IMAGEDESCRIPTION=WORDS, TIFFTAG_SOFTWARE="sitewatch", **tags)
        written = Readback(stored.dtype)
        written.note(stored, 0, 0)
        written.check(half_made, str(path))
        half_made.replace(path)
    except (OSError, rasterio.errors.RasterioError, SitewatchError) as error:
        half_made.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written ({error}); choose a folder that can.") from error


def _numbers(delivery: Delivery) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Reflectance as uint16 (0 is nodata), power as float32."""
    if not delivery.reflectance:
        return delivery.data
    with np.errstate(invalid="ignore"):
        numbers = np.rint((delivery.data - np.float32(delivery.offset)) * np.float32(1e4))
        return np.where(np.isnan(delivery.data), 0, np.clip(numbers, 1, 65535)).astype(np.uint16)
