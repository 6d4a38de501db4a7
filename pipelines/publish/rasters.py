"""The rasters of a run in one walk over the tiles: change.tif, change_mask.tif, before.tif, after.tif."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geo.files.pyramid import keep_change, mean_rgba, nearest, pyramid
from geo.files.rasters import Encoding, RasterFile
from geo.grid import Grid, Window
from geo.kernels.render import Composite, choose_composite, displayable, stamp, stretch_limits, to_rgba
from geo.tiles import PixelSource, map_tiles
from pipelines.detect import ChangeMap
from pipelines.detect.change_map import DATES, LAYERS
from pipelines.prepare import Pair, Prepared
from pipelines.publish.settings import PublishSettings

CHANGE_BANDS = ("score", "p", "first_seen", "last_unseen", "direction", "observed")
NOT_OBSERVED = 255
TILE = 512
_PATCHES, _PATCH = 8, 64
_ENOUGH = 4096
# Reflectance of plants and roofs differs tenfold; display numbers have been through a curve already.
_GAMMA = 0.7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class View:
    """How both dates are shown: the same bands, and the same limits per band."""

    composite: Composite
    unit: str
    limits: NDArray[np.float64]
    simulated: bool

    @property
    def gamma(self) -> float:
        """Exponent of the tone curve, the same for both dates."""
        return _GAMMA if self.unit == "reflectance" else 1.0

    def paint(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """RGBA of one tile of the bands that are shown."""
        return to_rgba(displayable(pixels, self.unit), self.limits, self.composite, self.gamma)

    def signed(self, image: NDArray[np.uint8], origin: tuple[int, int], whole: tuple[int, int]) -> NDArray[np.uint8]:
        """The tile at `origin` of an image, stamped where no satellite saw it."""
        return stamp(image, origin, whole) if self.simulated else image


@dataclass(frozen=True)
class _Some:
    """A source reduced to some bands, for sources that cannot do so themselves."""

    source: PixelSource
    indexes: tuple[int, ...]

    @property
    def grid(self) -> Grid:
        return self.source.grid

    def read(self, window: Window) -> NDArray[np.float32]:
        return np.asarray(self.source.read(window)[list(self.indexes)], dtype=np.float32)


def choose_view(pair: Pair, settings: PublishSettings) -> View:
    """Choose bands and one stretch, from samples of both dates taken all over the image."""
    composite = choose_composite(pair.bands, pair.unit)
    shown = [shown_bands(look, composite) for look in (pair.before, pair.after)]
    samples = displayable(np.concatenate([_sample(source) for source in shown], axis=1), pair.unit)
    limits = stretch_limits(samples, settings.stretch_low, settings.stretch_high)
    return View(composite, pair.unit, limits, pair.simulated)


def shown_bands(look: Prepared, composite: Composite) -> PixelSource:
    """The bands of a look that are shown, read without the others where the file allows it."""
    indexes = composite.unique
    if isinstance(look.source, RasterFile):
        return look.source.select([look.source.bands[index] for index in indexes])
    return _Some(look.source, indexes)


def write_rasters(
    folder: Path, pair: Pair, change_map: ChangeMap, view: View, executor: Executor | None = None
) -> None:
    """Write the four COGs of a run, all on the run's grid, reading every input once; tiles are made by `executor`.

    change.tif is float32 with NaN for not observed. `score` and `p` keep twelve significant bits (1 part in 4000).
    `first_seen` and `last_unseen` are days since 1970-01-01 where the ground changed and the date is known: of a pair
    the days of AFTER and BEFORE, of a series those of the looks that bound the pixel's own change. `direction` is a
    code of `Direction`. `observed` counts the dates on which the ground was seen (of a pair 2 has a score, 1 and 0
    have none); it is never NaN, so that nothing can hide in it.
    """
    grid = pair.grid
    whole = grid.shape
    layers = exact_file(change_map.layers, grid, LAYERS)
    mask = exact_file(change_map.mask, grid, ("mask",))
    days = days_of(pair.after), days_of(pair.before)
    looks = [shown_bands(look, view.composite) for look in (pair.before, pair.after)]
    tags = {"SOFTWARE": "sitewatch", "SIMULATED": "yes" if pair.simulated else "no"}
    rgba = {"names": ("red", "green", "blue", "alpha"), "dtype": "uint8", "nodata": None, "reduce": mean_rgba}
    with ExitStack() as stack:
        write_change = stack.enter_context(
            pyramid(
                folder / "change.tif", grid, names=CHANGE_BANDS, dtype="float32", nodata=math.nan, reduce=nearest,
                tags=tags | {"UNITS": "score 1; p 0-1; first_seen, last_unseen days since 1970-01-01; "
                             "direction code; observed number of dates"},
            )
        )  # fmt: skip
        write_mask = stack.enter_context(
            pyramid(
                folder / "change_mask.tif", grid, names=("change",), dtype="uint8", nodata=NOT_OBSERVED,
                reduce=keep_change, tags=tags | {"CLASSES": "0 unchanged; 1 change; 255 not observed"},
            )
        )  # fmt: skip
        write_before, write_after = (
            stack.enter_context(pyramid(folder / name, grid, tags=tags | _picture_tags(look, view), **rgba))  # type: ignore[arg-type]
            for name, look in (("before.tif", pair.before), ("after.tif", pair.after))
        )
        dated = [] if change_map.dates is None else [exact_file(change_map.dates, grid, DATES)]
        drawn = map_tiles(partial(_drawn, view, days), *looks, layers, mask, *dated, size=TILE, executor=executor)
        for tile, (change, flags, before, after) in drawn:
            origin = tile.core[0].start, tile.core[1].start
            write_change(tile, change)
            write_mask(tile, flags)
            write_before(tile, view.signed(before, origin, whole))
            write_after(tile, view.signed(after, origin, whole))


def _drawn(
    view: View,
    days: tuple[float, float],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    layers: NDArray[np.float32],
    mask: NDArray[np.float32],
    *dates: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """One tile of each raster: the bands of change.tif, the mask, both pictures still without their stamp."""
    bands = change_bands(layers, mask[0], before, after, days)
    if dates:
        bands = with_dates(bands, mask[0], dates[0])
    return bands, mask.astype(np.uint8), view.paint(before), view.paint(after)


def change_bands(
    layers: NDArray[np.float32],
    mask: NDArray[np.float32],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    days: tuple[float, float],
) -> NDArray[np.float32]:
    """The six bands of change.tif (band, row, col) from (score, p, direction), the mask and both dates' pixels."""
    score, p, direction = layers
    seen = np.isfinite(score)
    changed = mask == 1
    out = np.full((len(CHANGE_BANDS), *score.shape), np.nan, dtype=np.float32)
    out[0], out[1] = _rounded(score), _rounded(p)
    out[2][changed], out[3][changed] = days
    out[4] = np.where(seen, direction, np.float32(np.nan))
    looks = np.isfinite(before).all(axis=0).astype(np.float32) + np.isfinite(after).all(axis=0)
    out[5] = np.where(seen, 2, np.minimum(looks, 1))
    return out


def with_dates(
    bands: NDArray[np.float32], mask: NDArray[np.float32], dates: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The bands of change.tif with a series' own days and counts of looks in place of those of a pair."""
    changed = mask == 1
    for k in (0, 1):
        bands[2 + k] = np.where(changed, dates[k], np.float32(np.nan))
    bands[5] = np.maximum(np.nan_to_num(dates[2]), 0)
    return bands


def days_of(look: Prepared) -> float:
    """UTC day of a look as days since 1970-01-01; NaN where nothing states it."""
    time = look.record.scene.time
    return math.nan if time is None else float((time.astimezone(UTC) - _EPOCH).days)


def exact_file(path: Path, grid: Grid, names: tuple[str, ...]) -> RasterFile:
    """An intermediate of ours as a source: its numbers as they are, whatever nodata it declares."""
    count = len(names)
    numbers = Encoding(names, (1.0,) * count, (0.0,) * count, (None,) * count, "value", tuple(range(1, count + 1)))
    return RasterFile(path, grid, numbers)


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    # The last twelve bits are noise that would double the size of the file and the time to compress it.
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x800)) & np.uint32(0xFFFFF000)).view(np.float32)


def _picture_tags(look: Prepared, view: View) -> dict[str, str]:
    time = look.record.scene.time
    tags = {"SHOWN": view.composite.label}
    return tags if time is None else tags | {"TIFFTAG_DATETIME": f"{time.astimezone(UTC):%Y:%m:%d %H:%M:%S}"}


def _sample(source: PixelSource) -> NDArray[np.float32]:
    """Pixels (band, n) from patches all over the image; from all of it where those saw too little."""
    rows, cols = source.grid.shape
    if rows * cols > (2 * _PATCHES * _PATCH) ** 2 // 4:
        windows = [(r, c) for r in _patches(rows) for c in _patches(cols)]
        taken = np.concatenate([_flat(source.read(window)) for window in windows], axis=1)
        if taken.shape[1] >= _ENOUGH:
            return taken
    step = max(1, math.isqrt(rows * cols // 1_000_000))
    parts = [_flat(source.read(tile.core)[:, ::step, ::step]) for tile in source.grid.tiles(TILE)]
    return np.concatenate(parts, axis=1)


def _patches(length: int) -> list[slice]:
    size = min(_PATCH, length)
    starts = np.linspace(0, length - size, min(_PATCHES, max(1, length // size))).astype(int)
    return [slice(int(start), int(start) + size) for start in starts]


def _flat(array: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = array.reshape(array.shape[0], -1)
    return flat[:, np.isfinite(flat).all(axis=0)]
