"""The global fits of a pair, made once on a sample: radiometry, IR-MAD, dark level, scales of the index changes.

The sample lies on a lattice of the grid (every n-th row and column) and is put together by position, so neither the
tile size nor the number of workers can change a bit of it.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from geo.kernels import indices, irmad, normalise
from geo.tiles import map_tiles
from pipelines.prepare.pair import Pair

Float32 = NDArray[np.float32]

FEWEST_PIXELS = 64  # fewer common pixels have no bulk to judge a change against
_DECIBEL_FLOOR = 1e-6  # -60 dB: below any radar's noise
_LEAST_RELATIVE = {"index": 0.01, "shape": 0.005}  # repeatability of NDVI and of angles on unchanged bright targets
_VEGETATION = (0.2, 0.45)  # NDVI between which soil ends and plants begin, wherever the scene's own middle lies
_WATER_NIR = 0.3  # water is darker in the near infrared than 30 % of what the scene's bright quarter shows


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """All that a tile needs to know about the whole pair. Picklable.

    Attributes:
        bands: names of the bands compared; keep: their places in the sources.
        decibel: True where the bands are radar power, compared as decibel.
        reflectance: True where values are calibrated reflectance.
        lines: radiometric normalisation of the later date.
        mad: IR-MAD transform, or None where there are too few bands or pixels.
        dark: offset common to all bands and dates (an additive constant left in the files, or haze).
        noise: noise of one band of one date, mean over the visible and near-infrared bands.
        shape_relative, index_relative, index_centre: scale and centre of the change of shape and of vegetation index.
        vegetation, water_nir: thresholds of the land classes on this pair.
        pixels: number of pixels in the sample.
        contrast: range of the ground (5 to 95 %) in units of the noise between the dates, in the best band.
    """

    bands: tuple[str, ...]
    keep: tuple[int, ...]
    decibel: bool
    reflectance: bool
    lines: normalise.Normalisation
    mad: irmad.IrMad | None
    dark: float
    noise: float
    shape_relative: float
    index_relative: float
    index_centre: float
    vegetation: float
    water_nir: float
    pixels: int
    contrast: float

    def has(self, *names: str) -> bool:
        """True if all these bands are there."""
        return set(names) <= set(self.bands)

    def at(self, *names: str) -> list[int]:
        """Places of these bands."""
        return [self.bands.index(name) for name in names]

    @property
    def visible(self) -> list[int]:
        """Places of the visible bands, or of all bands where none is."""
        found = [k for k, name in enumerate(self.bands) if name in ("blue", "green", "red", "pan")]
        return found or list(range(len(self.bands)))

    @property
    def sharp(self) -> list[int]:
        """Places of visible and near-infrared bands (one resolution, so edges keep their colour), or all."""
        found = [k for k, name in enumerate(self.bands) if name in ("blue", "green", "red", "nir")]
        return found if len(found) > 1 else list(range(len(self.bands)))

    @property
    def can_index(self) -> bool:
        """True if vegetation can be told by an index."""
        return not self.decibel and (self.has("red", "nir") or self.has("red", "green", "blue"))

    def index_bands(self, look: Float32) -> tuple[Float32, Float32]:
        """The two planes whose normalised difference rises with vegetation: (nir, red), or green and its neighbours."""
        if self.has("red", "nir"):
            return look[self.bands.index("nir")], look[self.bands.index("red")]
        red, green, blue = (look[k] for k in self.at("red", "green", "blue"))
        return green, (red + blue) * np.float32(0.5)

    def looks(self, before: Float32, after: Float32) -> tuple[Float32, Float32]:
        """The compared bands of both dates, in the unit of comparison, NaN where any band of any date is missing."""
        x, y = (look[list(self.keep)] for look in (before, after))
        if self.decibel:
            x, y = to_decibel(x), to_decibel(y)
        missing = ~(np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0))
        x[:, missing] = np.nan
        y[:, missing] = np.nan
        return x, y


def calibrate(pair: Pair, *, size: int, sample_px: int, executor: Executor | None) -> Calibrated | None:
    """Fit everything that is global, on a lattice sample.

    Returns:
        The fits, or None where fewer than `FEWEST_PIXELS` pixels were seen on both dates.
    """
    rows, cols = pair.grid.shape
    # A power of two divides the tiles evenly: no block of a file is decoded twice.
    step = 2 ** max(0, ceil(log2(rows * cols / sample_px) / 2))
    decibel = pair.unit == "linear-power"
    before, after = _sample(pair, step, size, executor)
    if decibel:
        before, after = to_decibel(before), to_decibel(after)
    seen = np.isfinite(before).all(axis=0) & np.isfinite(after).all(axis=0)
    if int(seen.sum()) < FEWEST_PIXELS:
        return None
    before, after = before[:, seen], after[:, seen]
    varies = [k for k in range(len(before)) if np.ptp(before[k]) > 0 or np.ptp(after[k]) > 0]
    keep = tuple(varies or range(len(before)))
    return fit(
        before[list(keep)],
        after[list(keep)],
        bands=tuple(pair.bands[k] for k in keep),
        keep=keep,
        decibel=decibel,
        reflectance=pair.unit == "reflectance",
    )


def fit(
    before: Float32, after: Float32, *, bands: tuple[str, ...], keep: tuple[int, ...], decibel: bool, reflectance: bool
) -> Calibrated:
    """Fit to samples, (band, pixel), finite. See `Calibrated`."""
    lines = normalise.fit(before, after)
    scaled = normalise.apply(lines, after)
    low = float(lines.dark.min())
    # What every band of both dates has at least is an offset; 2 % of the bright end is what true darkness may hold.
    dark = 0.0 if decibel else max(0.0, low - 0.02 * float(np.percentile(before, 99)))
    spread = np.ptp(np.percentile(before, (5, 95), axis=1), axis=0)
    draft = Calibrated(
        contrast=float((spread / np.maximum(lines.noise, 1e-12)).max()),
        bands=bands, keep=keep, decibel=decibel, reflectance=reflectance, lines=lines,
        mad=_mad(before, after, lines), dark=dark, noise=1.0, shape_relative=1.0, index_relative=1.0,
        index_centre=0.0, vegetation=_VEGETATION[1], water_nir=0.0, pixels=before.shape[1],
    )  # fmt: skip
    noise = float(np.sqrt(np.mean(lines.noise[draft.sharp] ** 2) / 2))
    shape = index = 1.0
    centre, vegetation, water = 0.0, _VEGETATION[1], 0.0
    if len(draft.sharp) > 1 and not decibel:
        angle = indices.shape_change(before[draft.sharp], scaled[draft.sharp], dark=dark, noise=0, relative=1)
        shape = max(_LEAST_RELATIVE["shape"], float(np.median(angle)))
    if draft.can_index:
        first, second = (
            indices.normalised_difference(*draft.index_bands(look), dark=dark) for look in (before, scaled)
        )
        change = second - first
        centre = float(np.median(change))
        index = max(_LEAST_RELATIVE["index"], 1.4826 * float(np.median(np.abs(change - centre))))
        middle = float(np.mean(np.percentile(np.concatenate([first, second]), [5, 95])))
        vegetation = float(np.clip(middle, *_VEGETATION)) if draft.has("nir") else max(middle, 0.02)
    if draft.has("nir"):
        water = _WATER_NIR * (float(np.percentile(before[draft.at("nir")], 75)) - dark)
    return replace(
        draft, noise=noise, shape_relative=shape, index_relative=index, index_centre=centre, vegetation=vegetation,
        water_nir=water,
    )  # fmt: skip


def to_decibel(power: Float32) -> Float32:
    """Radar power as decibel; NaN stays NaN."""
    return np.float32(10) * np.log10(np.maximum(power, np.float32(_DECIBEL_FLOOR)))


def _mad(before: Float32, after: Float32, lines: normalise.Normalisation) -> irmad.IrMad | None:
    """IR-MAD where there are bands to correlate and pixels enough to do it."""
    varying = [k for k in range(len(before)) if np.ptp(before[k]) > 0 and np.ptp(after[k]) > 0]
    if len(before) < 2 or len(varying) < len(before) or before.shape[1] < 50 * len(before):
        return None
    half = lines.floor**2 / 2  # the floor is one of a difference: half of its variance belongs to each date
    return irmad.fit(before, after, noise_variance=(half, half / lines.gain**2))


def _sample(pair: Pair, step: int, size: int, executor: Executor | None) -> tuple[Float32, Float32]:
    """Every step-th row and column of both dates, (band, pixel) in row order."""
    rows, cols = (ceil(n / step) for n in pair.grid.shape)
    out = np.empty((2, len(pair.bands), rows, cols), np.float32)
    aligned = max(step, size // step * step)
    thin = partial(_thinned, step)
    tiles = pair.grid.tiles(aligned)
    for tile, part in map_tiles(
        thin, pair.before.compared, pair.after.compared, executor=executor, tiles=tiles, trim=False
    ):
        top, left = (edge.start // step for edge in tile.core)
        out[:, :, top : top + part.shape[2], left : left + part.shape[3]] = part
    return out[0].reshape(len(pair.bands), -1), out[1].reshape(len(pair.bands), -1)


def _thinned(step: int, before: Float32, after: Float32) -> Float32:
    return np.stack([before[:, ::step, ::step], after[:, ::step, ::step]])
