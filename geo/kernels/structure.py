"""Structure that appears or vanishes between two images of half a metre to two metres.

At this scale brightness says little: roofs, season, sun and view angle change it everywhere. What people build has
*long straight edges meeting at right angles*. The kernel looks for straight edges of one date that no straight edge
of the other date explains:

1. contrast: log luminance relative to its surroundings (gain drops out, gamma becomes a factor);
2. for each of 12 directions the signed gradient across it is averaged along a line of 10 m and divided by the mean
   gradient about it: 1 for a perfect edge, near 0 for tree crowns and rubble, whose signs cancel. Gamma drops out;
3. *explained* is what the other date shows within 2.5 m and one direction step, and whatever belongs to a line of
   20-30 m there (a road under cars or debris stays a road). What is left is new;
4. new edges are summed over a house; what all points one way (a new fence, a road's edge) counts little, right angles
   count in full;
5. with colour, ground greener than its surroundings counts less, and ground less green more, both within one date, so
   that a season which turns everything brown changes nothing.

Sources: straight lines from gradients that agree in direction after Burns, Hanson & Riseman 1986,
orientation histograms normalised by local energy after Dalal & Triggs 2005, the double-angle tensor after Bigün &
Granlund 1987. Nothing is learned: there are no weights, only lengths in metres. Every sum has a fixed order, nothing
is measured over the whole image: a tile with a halo of `structure_reach_px` gives the very bits of the whole image.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geo.kernels.windows import Float, line_means, odd, window_max, window_mean, window_min

Mask = NDArray[np.bool_]

COLOURS = {1: ("pan",), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "nir")}
DIRECTIONS = 12
ROAD = 3  # lines up to so many times a building's edge explain an edge that clutter half hides
COARSEST_M = 2.5  # with larger pixels a house has no edges left, and straight lines come by chance
NOISE = np.float32(0.004)  # mean gradient of log contrast, per pixel, below which there is nothing to see
SHADE = np.float32(0.1)  # part of the surroundings' brightness added before the logarithm: tames deep shadow


@dataclass(frozen=True)
class StructureScales:
    """Lengths in metres; they follow houses and view angles, not a sensor.

    Attributes:
        edge_m: length of line that can be a building's edge.
        parallax_m: window within which the other date may show the same edge.
        energy_m: window of the mean gradient that a line is measured against.
        object_m: standard deviation of the window that collects new edges.
        surround_m: window of the surroundings that brightness is relative to.
        green_m: window of the surroundings that greenness is relative to; 0 leaves colour out.
    """

    edge_m: float = 10.0
    parallax_m: float = 5.0
    energy_m: float = 6.0
    object_m: float = 5.0
    surround_m: float = 30.0
    green_m: float = 60.0


class StructureChange(NamedTuple):
    """Structure gained and lost; float32 (row, col) >= 0, about 0.1-0.4 on a new house; NaN unobserved."""

    gain: Float
    loss: Float


class _Sizes(NamedTuple):
    edge: int
    parallax: int
    energy: int
    collect: int
    surround: int
    green: int
    patch: int
    blur: float


class _Lines(NamedTuple):
    """One date's lines in one direction: the strength of edges, and what they explain in the other date."""

    edge: Float
    known: Float


class _Look(NamedTuple):
    """One date, ready for lines: gradients of contrast, 1 / their mean size, and the weight of ground not green."""

    across: Float
    down: Float
    sharpness: Float
    bare: Float


DEFAULT = StructureScales()


def structure_change(
    before: Float, after: Float, *, gsd_m: float, bands: Sequence[str] | None = None, scales: StructureScales = DEFAULT
) -> Float:
    """Score how much built structure changed, either way: the larger of gain and loss.

    Args:
        before: float32 (band, row, col) or (row, col); any linear unit, values >= 0, NaN unobserved.
        after: the same grid, registered to about 2 m.
        gsd_m: size of a pixel in metres.
        bands: common names of the bands; by default 1 band is luminance, 3 are red, green, blue, 4 have nir as well.
        scales: lengths in metres.

    Returns:
        float32 (row, col), >= 0, NaN where either date is unobserved.

    Raises:
        ValueError: shapes differ, fit no band names, or `gsd_m` is not above 0 and at most 2.5 m.
    """
    return np.maximum(*structure_gain_loss(before, after, gsd_m=gsd_m, bands=bands, scales=scales))


def structure_gain_loss(
    before: Float, after: Float, *, gsd_m: float, bands: Sequence[str] | None = None, scales: StructureScales = DEFAULT
) -> StructureChange:
    """Score structure that appears (gain) and structure that vanishes (loss); arguments as in `structure_change`."""
    first, last = _as_bands(before), _as_bands(after)
    if first.shape != last.shape:
        raise ValueError(f"the two dates must have one shape, not {first.shape} and {last.shape}")
    names = tuple(bands) if bands is not None else COLOURS.get(len(first), tuple(f"b{i}" for i in range(len(first))))
    if len(names) != len(first):
        raise ValueError(f"{len(first)} bands need as many names, not {names}")
    sizes = _sizes(gsd_m, scales)
    seen: Mask = np.isfinite(np.concatenate([first, last])).all(axis=0)
    looks = [_look(image, seen, names, sizes) for image in (first, last)]
    new_after, new_before = _unexplained(looks[0], looks[1], sizes)
    return StructureChange(
        *(_collect(new, look.bare, seen, sizes) for new, look in ((new_after, looks[1]), (new_before, looks[0])))
    )


def structure_reach_px(gsd_m: float, scales: StructureScales = DEFAULT) -> int:
    """Return the halo in pixels with which a tile gives the bits of the whole image.

    >>> structure_reach_px(0.5) < 110
    True
    """
    s = _sizes(gsd_m, scales)
    blur = math.ceil(4 * s.blur) + 2
    longest = s.edge * ROAD
    edges = blur + max(longest // 2 + 2, s.energy // 2) + s.parallax // 2 + 2 * (s.collect // 2)
    colour = s.green // 2 + s.patch // 2
    return s.surround // 2 + max(edges, colour) + 2


def _as_bands(image: Float) -> Float:
    if image.ndim not in (2, 3):
        raise ValueError(f"an image is (row, col) or (band, row, col), not {image.shape}")
    return np.asarray(image[None] if image.ndim == 2 else image, dtype=np.float32)


def _sizes(gsd_m: float, scales: StructureScales) -> _Sizes:
    if not (math.isfinite(gsd_m) and gsd_m > 0):
        raise ValueError(f"the pixel size must be positive, not {gsd_m} m")
    if gsd_m > COARSEST_M:
        raise ValueError(f"structure needs pixels of at most {COARSEST_M} m, not {gsd_m} m")
    return _Sizes(
        # Coarse pixels: a line of fewer than five cannot be told from chance.
        edge=max(5, odd(scales.edge_m / gsd_m)),
        parallax=max(3, odd(scales.parallax_m / gsd_m)),
        energy=max(5, odd(scales.energy_m / gsd_m)),
        # Two means over w pixels have the variance w² / 6.
        collect=max(3, odd(scales.object_m * math.sqrt(6) / gsd_m)),
        surround=max(9, odd(scales.surround_m / gsd_m)),
        green=max(9, odd(scales.green_m / gsd_m)) if scales.green_m else 0,
        patch=odd(3 / gsd_m),
        blur=max(0.5, 0.2 / gsd_m),
    )


def _look(image: Float, seen: Mask, names: tuple[str, ...], sizes: _Sizes) -> _Look:
    weight = seen.astype(np.float32)
    visible = [i for i, name in enumerate(names) if name in ("red", "green", "blue")] or list(range(len(names)))
    light = np.where(seen, np.maximum(image[visible].mean(axis=0, dtype=np.float32), 0), np.float32(0))
    share = window_mean(weight, sizes.surround)
    usual = window_mean(light, sizes.surround)
    usual = np.maximum(usual / np.maximum(share, np.float32(1e-6)), np.float32(1e-6)).astype(np.float32)
    contrast = np.where(seen, np.log(light / usual + SHADE), np.log(1 + SHADE)).astype(np.float32)
    smooth = ndimage.gaussian_filter(contrast, sizes.blur, mode="nearest", truncate=4.0)
    # An edge between seen and unseen is no edge of the ground.
    inside = _eroded(seen, math.ceil(4 * sizes.blur) + 1)
    down, across = (np.where(inside, ndimage.sobel(smooth, axis=a, mode="nearest") / 8, 0) for a in (0, 1))
    down, across = down.astype(np.float32), across.astype(np.float32)
    size = np.sqrt(down * down + across * across)
    sharpness = (1 / (window_mean(size, sizes.energy) + NOISE)).astype(np.float32)
    return _Look(across, down, sharpness, _bareness(image, usual, weight, names, sizes))


def _eroded(seen: Mask, radius: int) -> Mask:
    if seen.all():
        return seen
    return window_min(seen.astype(np.float32), 2 * radius + 1) > 0


def _bareness(image: Float, usual: Float, weight: Float, names: tuple[str, ...], sizes: _Sizes) -> Float:
    """Weight 0 (greenest of its surroundings) … 1 … 2 (least green); 1 everywhere without colour."""
    if not sizes.green or not {"red", "green", "blue"} <= set(names):
        return np.ones_like(usual)

    def tone(name: str) -> Float:
        band = np.where(weight > 0, np.maximum(image[names.index(name)], 0), 0)
        return np.log(band / usual + SHADE).astype(np.float32)

    green = np.where(weight > 0, tone("green") - (tone("red") + tone("blue")) / 2, np.float32(0))
    share = np.maximum(window_mean(weight, sizes.green), np.float32(1e-6))
    mean = window_mean(green, sizes.green) / share
    spread = np.sqrt(np.maximum(window_mean(green * green, sizes.green) / share - mean * mean, 0))
    here = window_mean(green, sizes.patch) / np.maximum(window_mean(weight, sizes.patch), np.float32(1e-6))
    greener = (here - mean) / (spread + np.float32(0.02))
    return (2 / (1 + np.exp(2 * greener))).astype(np.float32)


def _unexplained(first: _Look, last: _Look, sizes: _Sizes) -> tuple[list[Float], list[Float]]:
    """Edges of either date that the other does not show: for each date [strength, cos 2a, sin 2a parts]."""
    found = tuple([np.zeros_like(first.sharpness) for _ in range(3)] for _ in range(2))
    window: deque[tuple[_Lines, _Lines]] = deque(maxlen=3)
    for k, pair in enumerate(_lines(first, last, sizes)):
        window.append(pair)
        if k < 2:
            continue
        # The middle one of three neighbours, each 180 degrees / 12 on.
        angle = 2 * math.pi * (k - 1) / DIRECTIONS
        for date, other in ((1, 0), (0, 1)):
            known = np.maximum(np.maximum(window[0][other].known, window[1][other].known), window[2][other].known)
            new = np.maximum(window[1][date].edge - known, 0)
            best, cos, sin = found[1 - date]
            better = new > best
            np.copyto(best, new, where=better)
            np.copyto(cos, new * np.float32(math.cos(angle)), where=better)
            np.copyto(sin, new * np.float32(math.sin(angle)), where=better)
    return found[0], found[1]


def _lines(first: _Look, last: _Look, sizes: _Sizes) -> Iterator[tuple[_Lines, _Lines]]:
    """Both dates' lines in directions 0, 1, …, 11 and, to close the circle, 0 and 1 again."""
    opening: list[tuple[_Lines, _Lines]] = []
    for k in range(DIRECTIONS):
        turn = math.pi * k / DIRECTIONS
        step = (math.sin(turn), math.cos(turn))
        pair = _directed(first, step, sizes), _directed(last, step, sizes)
        opening = [*opening, pair] if k < 2 else opening
        yield pair
    yield from opening


def _directed(look: _Look, step: tuple[float, float], sizes: _Sizes) -> _Lines:
    normal = look.down * np.float32(step[1]) - look.across * np.float32(step[0])
    edge, *roads = (np.abs(mean, out=mean) for mean in line_means(normal, sizes.edge, step, ROAD))
    longest = edge
    for road in roads:
        longest = np.maximum(longest, road)
    return _Lines(edge * look.sharpness, window_max(longest * look.sharpness, sizes.parallax))


def _collect(new: list[Float], bare: Float, seen: Mask, sizes: _Sizes) -> Float:
    """Gather new edges over a house; edges that all point one way cancel most of their own sum."""
    share = np.maximum(_twice(seen.astype(np.float32), sizes.collect), np.float32(1e-6))
    total, cos, sin = (_twice(part, sizes.collect) / share for part in new)
    one_way = np.sqrt(cos * cos + sin * sin)
    score = np.maximum(total - np.float32(0.8) * one_way, 0) * bare
    return np.where(seen, score, np.float32(np.nan)).astype(np.float32)


def _twice(values: Float, size: int) -> Float:
    return window_mean(window_mean(values, size), size)
