"""From physical values to what an eye sees: band choice, one stretch for two dates, colours, the SIMULATED stamp.

Everything works per pixel (or on a pixel's place in the whole image), so a tile and the whole give the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_FALSE_COLOURS = (
    (("nir", "red", "green"), "near infrared, red, green"),
    (("nir08", "red", "green"), "near infrared, red, green"),
    (("swir16", "nir", "red"), "short-wave infrared, near infrared, red"),
    (("swir22", "swir16", "red"), "short-wave infrared 2 and 1, red"),
)
_RADAR = ("vv", "vh", "hh", "hv")
_MIN_SAMPLES = 16
_STEPS = 4095


class Composite(NamedTuple):
    """Which bands are shown, as indexes in (red, green, blue) order, and how to name that to a reader."""

    indexes: tuple[int, int, int]
    kind: str
    label: str

    @property
    def unique(self) -> tuple[int, ...]:
        """The bands that must be read, each once, in the order of first use."""
        return tuple(dict.fromkeys(self.indexes))


def choose_composite(bands: tuple[str, ...], unit: str = "value") -> Composite:
    """Choose the bands to show: natural colour, else grey for one or two bands or radar, else a named false colour.

    `kind` is `natural`, `grey` or `false`. Raises ValueError without bands.

    >>> choose_composite(("blue", "green", "red", "nir")).indexes
    (2, 1, 0)
    >>> choose_composite(("swir16", "nir", "red")).label
    'false colour (short-wave infrared, near infrared, red)'
    """
    if not bands:
        raise ValueError("an image needs at least one band to be shown")
    if {"red", "green", "blue"} <= set(bands):
        return Composite((bands.index("red"), bands.index("green"), bands.index("blue")), "natural", "natural colour")
    if unit == "linear-power" or bands[0] in _RADAR or len(bands) < 3:
        scale = ", decibel" if unit == "linear-power" else ""
        return Composite((0, 0, 0), "grey", f"grey (band {bands[0]}{scale})")
    for names, label in _FALSE_COLOURS:
        if set(names) <= set(bands):
            first, second, third = (bands.index(name) for name in names)
            return Composite((first, second, third), "false", f"false colour ({label})")
    named = all(band.startswith("b") and band[1:].isdigit() for band in bands[:3])
    what = "colours as in the file" if named else "false colour"
    return Composite((0, 1, 2), "false", f"{what} (bands {', '.join(bands[:3])})")


def displayable(values: ArrayLike, unit: str) -> Float:
    """Return the values on the scale that is stretched: radar power in decibel, all else unchanged; NaN stays NaN.

    Power at or below zero has no decibel and becomes NaN.
    """
    array = np.asarray(values, dtype=np.float32)
    if unit != "linear-power":
        return array
    positive = np.where(array > 0, array, np.float32(np.nan))
    return np.asarray(10 * np.log10(positive), dtype=np.float32)


def stretch_limits(samples: ArrayLike, low: float = 1.0, high: float = 99.0) -> NDArray[np.float64]:
    """Return (band, 2) limits, black and white, from pooled samples (band, n) of all dates; NaN is left out.

    Percentiles, so that a cloud or a dead pixel does not set the contrast. A band without spread gets limits half a
    unit of its own size apart, a band with fewer than 16 samples gets 0 and 1.

    >>> stretch_limits([list(range(101))]).tolist()
    [[1.0, 99.0]]
    """
    bands = np.atleast_2d(np.asarray(samples, dtype=np.float64))
    limits = np.empty((len(bands), 2))
    for band, values in enumerate(bands):
        finite = values[np.isfinite(values)]
        if finite.size < _MIN_SAMPLES:
            limits[band] = 0.0, 1.0
            continue
        bottom, top = np.percentile(finite, [low, high])
        if not top > bottom:
            half = max(abs(bottom) * 0.25, 0.5 * np.finfo(np.float32).eps, 1e-6)
            bottom, top = bottom - half, top + half
        limits[band] = bottom, top
    return limits


def to_rgba(values: ArrayLike, limits: ArrayLike, composite: Composite, gamma: float = 1.0) -> Bytes:
    """Stretch (band, row, col) values of `composite.unique` into uint8 (4, row, col) red, green, blue, alpha.

    `limits` is (band, 2), one row for each unique band; between them values rise as (0 to 1) ** `gamma`, so that
    below 1 dark ground is told apart beside bright roofs. Alpha is 0 where a shown band is NaN (not seen), else 255;
    colours there are 0. Seen pixels are never made transparent.
    """
    array = np.asarray(values, dtype=np.float32)
    edges = np.asarray(limits, dtype=np.float32)
    if array.shape[0] != len(composite.unique) or edges.shape != (array.shape[0], 2):
        raise ValueError(f"{array.shape[0]} bands and {len(edges)} limits do not fit {len(composite.unique)} to show")
    seen = np.isfinite(array).all(axis=0)
    scale = np.float32(_STEPS) / (edges[:, 1] - edges[:, 0])
    curve = np.rint(255 * np.linspace(0, 1, _STEPS + 1) ** gamma).astype(np.uint8)
    out = np.zeros((4, *array.shape[1:]), dtype=np.uint8)
    done: dict[int, Bytes] = {}
    for channel, index in enumerate(composite.indexes):
        if index not in done:
            place = composite.unique.index(index)
            level = (array[place] - edges[place, 0]) * scale[place]
            level[~seen] = 0
            done[index] = curve[np.clip(level, 0, _STEPS, out=level).astype(np.uint16)]
        out[channel] = done[index]
    out[3] = np.where(seen, 255, 0)
    return out


def colourise(values: ArrayLike, stops: tuple[tuple[float, tuple[int, int, int, int]], ...]) -> Bytes:
    """Colour values by upper bounds: the first stop whose bound is not below a value gives its RGBA; NaN is clear.

    Returns uint8 (4, *shape). Values above the last bound take the last colour. Bounds must rise.

    >>> colourise([0.5, 3.0], ((1, (255, 0, 0, 255)), (2, (0, 0, 255, 9)))).tolist()
    [[255, 0], [0, 0], [0, 255], [255, 9]]
    """
    array = np.asarray(values, dtype=np.float64)
    bounds = np.array([bound for bound, _ in stops])
    if bounds.size == 0 or np.any(np.diff(bounds) <= 0):
        raise ValueError("a colour map needs at least one stop, with rising bounds")
    table = np.array([colour for _, colour in stops], dtype=np.uint8)
    known = np.isfinite(array)
    place = np.searchsorted(bounds, np.where(known, array, bounds[0]), side="left").clip(max=len(bounds) - 1)
    return np.ascontiguousarray(np.moveaxis(np.where(known[..., None], table[place], np.uint8(0)), -1, 0))


def hatch(origin: tuple[int, int], shape: tuple[int, int], period: int = 8, width: int = 3) -> NDArray[np.bool_]:
    """Return a diagonal hatch as bool (row, col), fixed to the whole image: `origin` is the part's first (row, col)."""
    rows = np.arange(origin[0], origin[0] + shape[0])[:, None]
    cols = np.arange(origin[1], origin[1] + shape[1])[None, :]
    return np.asarray((rows + cols) % period < width)


# --- the stamp -------------------------------------------------------------------------------------------------------
# A 5 x 7 dot alphabet for one word: a kernel has no fonts, and the stamp must not depend on any.
_GLYPHS = {
    "S": (".####", "#....", "#....", ".###.", "....#", "....#", "####."),
    "I": ("#####", "..#..", "..#..", "..#..", "..#..", "..#..", "#####"),
    "M": ("#...#", "##.##", "#.#.#", "#.#.#", "#...#", "#...#", "#...#"),
    "U": ("#...#", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."),
    "L": ("#....", "#....", "#....", "#....", "#....", "#....", "#####"),
    "A": (".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "T": ("#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."),
    "E": ("#####", "#....", "#....", "####.", "#....", "#....", "#####"),
    "D": ("####.", "#...#", "#...#", "#...#", "#...#", "#...#", "####."),
}
_STAMP_LINES = (("SIMULATED",), ("SIMU", "LATED"), ("SIM", "ULA", "TED"))
_STAMP_SHARE = 0.4  # of the image's width that one stamp takes
_STAMP_PITCH = 0.5  # stamps repeat at this share of the image, so that no crop worth publishing is without one


def stamp(rgba: ArrayLike, origin: tuple[int, int], whole: tuple[int, int]) -> Bytes:
    """Return a copy of uint8 (4, row, col) with the word SIMULATED burnt in, white on a dark rim, opaque.

    `origin` is the tile's first (row, col) in the image and `whole` the image's (rows, cols): the stamp's size and
    place depend on the image only, so tiles join. It repeats over the image; images under 17 pixels get a white frame.
    """
    image = np.array(rgba, dtype=np.uint8, copy=True)
    letters, rim = _stamp_masks(whole)
    rows = (np.arange(image.shape[1]) + origin[0]) % letters.shape[0]
    cols = (np.arange(image.shape[2]) + origin[1]) % letters.shape[1]
    here, around = letters[np.ix_(rows, cols)], rim[np.ix_(rows, cols)]
    image[:3, around] = 24
    image[:3, here] = 255
    image[3, here | around] = 255
    return image


def _stamp_masks(whole: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """One period of the stamp pattern: the letters and their dark rim, bool (row, col) each."""
    for lines in _STAMP_LINES:
        word = _dots(lines)
        if word.shape[1] + 2 <= whole[1] and word.shape[0] + 2 <= whole[0]:
            break
    else:
        frame = np.ones(whole, dtype=bool)
        frame[1:-1, 1:-1] = False
        return frame, np.zeros(whole, dtype=bool)
    size = max(1, int(min(whole[1] * _STAMP_SHARE / word.shape[1], whole[0] * 0.25 / word.shape[0])))
    big = np.kron(word, np.ones((size, size), dtype=bool))
    thick = max(1, size // 2)
    height = max(int(whole[0] * _STAMP_PITCH), big.shape[0] + 2 * thick)
    width = max(int(whole[1] * _STAMP_PITCH), big.shape[1] + 2 * thick)
    letters = np.zeros((height, width), dtype=bool)
    top, left = (height - big.shape[0]) // 2, (width - big.shape[1]) // 2
    letters[top : top + big.shape[0], left : left + big.shape[1]] = big
    rim = np.zeros_like(letters)
    for down in (-thick, 0, thick):
        for right in (-thick, 0, thick):
            rim |= np.roll(letters, (down, right), axis=(0, 1))
    return letters, rim & ~letters


def _dots(lines: tuple[str, ...]) -> NDArray[np.bool_]:
    """The dots of a word, one blank row and column between letters."""
    width = max(map(len, lines)) * 6 - 1
    dots = np.zeros((len(lines) * 8 - 1, width), dtype=bool)
    for row, line in enumerate(lines):
        for col, letter in enumerate(line):
            glyph = np.array([[dot == "#" for dot in part] for part in _GLYPHS[letter]])
            dots[row * 8 : row * 8 + 7, col * 6 : col * 6 + 5] = glyph
    return dots
