"""Sub-pixel registration that works under masks, and says so where there is nothing to register on.

Two looks are compared by the edges of one band each. Gradients come from a local plane fit that gives masked pixels
no weight (normalised convolution, Knutsson & Westin 1993, CVPR), so that no cloud edge or swath border makes one. The
angle of each gradient is doubled (Bigün & Granlund 1987, ICCV), so that a field which was darker than the road beside
it and is brighter now is still the same edge; strong gradients are compressed, so that a few new roofs cannot outvote
the ground. The normalised cross-correlation of these edges under masks (Padfield 2012, IEEE TIP 21) is exact at
whole-pixel lags and smooth between them: its peak is read off a spline, and the moving look's gradients are then taken
again at the shifted places, which removes the pull of a peak towards whole pixels.

A peak counts only where it stands out of the rest of the surface: two dates of different ground, open water or cloud
have a highest point too. Its uncertainty is the slope of the surface's own noise over the curvature of the peak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from geo.kernels.peaks import Peak, flattest, lobe, sigma, summit

Window = tuple[slice, slice]
Array = NDArray[np.float32]
Double = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIGMA_PX = 1.4
"""Scale of the gradients. On real pairs 1.0 to 2.0 agree to 0.1 px; below, aliasing shows; above, season does."""
COMPRESSION = 2.0
"""Gradients of this many medians count half as much as the strongest."""
MIN_CLARITY = 6.0
"""Least height of a peak in robust sigmas of the surface around it. Real pairs of different ground reach 4.7."""
MAX_SECOND = 0.8
"""Largest height of a second peak against the first: beyond, a plantation's rows could be taken for one another."""
MAX_UNCERTAINTY_PX = 0.5
FLOOR_PX = 0.02
"""What masks, resampling and light leave in a shift however sharp its peak: added to every stated uncertainty."""
MIN_REACH_PX = 32
"""Lags searched at least, so that a peak has surroundings to stand out of."""
MIN_OVERLAP_PX = 400
"""Fewest pixels that a lag may rest on."""
CHIP_PX = 512
_SMALL_REACH_PX = 6


class Shift(NamedTuple):
    """Where the ground of `moving` lies against `reference`: moving[row + shift.row, col + shift.col] is its twin.

    Attributes:
        row, col: shift in pixels; NaN where `found` is False.
        uncertainty_px: one standard deviation along the worse direction; NaN where `found` is False.
        peak: correlation of the edges at the peak, -1..1.
        clarity: height of the peak above the surface around it, in robust sigmas.
        spread_px: robust spread of the shift between parts of the image (relief, parallax, warping); NaN for < 5 parts.
        overlap: share of the compared pixels that both looks saw, 0-1.
        found: False where no peak stands out; `reason` then says why.
    """

    row: float
    col: float
    uncertainty_px: float
    peak: float
    clarity: float
    spread_px: float
    overlap: float
    found: bool
    reason: str


class Surface(NamedTuple):
    """How well two looks agree at every lag.

    Attributes:
        ncc: float64 (2 reach + 1, 2 reach + 1), correlation -1..1 at lag (row - reach, col - reach); 0 where fewer
            than `MIN_OVERLAP_PX` pixels overlap.
        weight: float64, same shape, number of pixels that overlap at that lag.
    """

    ncc: Double
    weight: Double


def estimate_shift(reference: Array, moving: Array, *, max_shift_px: float) -> Shift:
    """Measure the shift of `moving` against `reference`, both (row, col) of one shape with NaN where not seen.

    A large image is measured on chips, so the cost does not grow with it. Shifts somewhat beyond `max_shift_px` are
    found as well: it is for the caller to refuse them. Raises ValueError where shapes differ.

    >>> rng = np.random.default_rng(0)
    >>> ground = ndimage.gaussian_filter(rng.standard_normal((130, 130)), 2).astype("f4")
    >>> shift = estimate_shift(ground[10:120, 10:120], ground[7:117, 12:122], max_shift_px=5)
    >>> f"{shift.row:.2f} {shift.col:.2f} {shift.found}"
    '3.00 -2.00 True'
    """
    if reference.shape != moving.shape or reference.ndim != 2:
        raise ValueError(f"two (row, col) arrays of one shape are needed, not {reference.shape} and {moving.shape}")
    windows = chips((reference.shape[0], reference.shape[1]))
    return shift_of_chips([(reference[w], moving[w]) for w in windows], max_shift_px=max_shift_px)


def shift_of_chips(pairs: Sequence[tuple[Array, Array]], *, max_shift_px: float) -> Shift:
    """Measure one shift for all (reference, moving) chips together; arguments as in `estimate_shift`.

    The chips' surfaces are added up, weighted by the pixels they rest on, so that chips with nothing to say (cloud,
    water, rebuilt ground) add noise without a peak, and chips that agree add up.
    """
    pairs = [pair for pair in pairs if min(pair[0].shape) >= 2 * _SMALL_REACH_PX + 12]
    if not pairs:
        return _nothing("the image is too small to measure a shift on")
    reach = max(MIN_REACH_PX, math.ceil(2 * max_shift_px))
    reach = min(reach, *(min(reference.shape) // 3 for reference, _ in pairs))
    surface = pool([correlate(*pair, reach_px=reach) for pair in pairs])
    overlap = float(surface.weight[reach, reach]) / sum(reference.size for reference, _ in pairs)
    found = _stands_out(surface, overlap)
    if isinstance(found, Shift):
        return found
    coarse, clarity, slope = found
    near = [_again(*pair, coarse) for pair in pairs]
    fine = summit(pool(near).ncc)
    row, col = coarse.row + fine.row, coarse.col + fine.col
    spread, parts = _spread(near)
    noise = slope * math.sqrt(max(0.0, 1.0 - fine.height**2))
    among_parts = spread / math.sqrt(parts) if parts else 0.0
    uncertainty = math.hypot(max(noise / max(flattest(fine.curvature), 1e-9), among_parts), FLOOR_PX)
    if not uncertainty <= MAX_UNCERTAINTY_PX or math.hypot(fine.row, fine.col) > 1.0:
        return _nothing("the agreement has no sharp peak", fine.height, clarity, overlap)
    return Shift(row, col, uncertainty, fine.height, clarity, spread if parts else math.nan, overlap, True, "")


def chips(shape: tuple[int, int], *, size: int = CHIP_PX, most: int = 9) -> tuple[Window, ...]:
    """Return the windows to measure on: the whole of a small image, else up to `most` chips on a fixed lattice.

    Chips begin at multiples of `size`, as the blocks of tiled files do, and are spread evenly, edges included.

    >>> len(chips((10980, 10980))), chips((900, 1024))
    (9, ((slice(0, 900, None), slice(0, 1024, None)),))
    """
    if max(shape) <= 2 * size:
        return ((slice(0, shape[0]), slice(0, shape[1])),)
    per_axis = max(1, math.isqrt(most))
    rows, cols = (_lattice(length, size, per_axis) for length in shape)
    return tuple((r, c) for r in rows for c in cols)


def correlate(reference: Array, moving: Array, *, reach_px: int, offset: tuple[float, float] = (0.0, 0.0)) -> Surface:
    """Correlate the edges of two (row, col) images at all lags up to `reach_px`, NaN pixels left out (Padfield 2012).

    `offset` (row, col; at most a pixel) is where in `moving` its gradients are taken, beside each pixel's centre.
    """
    a, seen_a = _edges(reference, (0.0, 0.0))
    b, seen_b = _edges(moving, offset)
    size = [fft.next_fast_len(n + reach_px, real=True) for n in reference.shape]
    of_a = fft.rfft2(_stack(a, seen_a), size)
    of_b = fft.rfft2(_stack(b, seen_b), size)
    lags = np.ix_(*(np.arange(-reach_px, reach_px + 1) for _ in range(2)))

    def at_lags(spectrum: NDArray[np.complex64]) -> Double:
        surface: Double = fft.irfft2(spectrum, size)[lags].astype(np.float64)
        return surface

    # Rows of the stacks: the two edge components, their energy, the mask.
    cross = at_lags(np.conj(of_a[0]) * of_b[0] + np.conj(of_a[1]) * of_b[1])
    count = np.maximum(np.rint(at_lags(np.conj(of_a[3]) * of_b[3])), 0.0)
    energy_a, energy_b = at_lags(np.conj(of_a[2]) * of_b[3]), at_lags(np.conj(of_a[3]) * of_b[2])
    shared = np.maximum(count, 1.0)
    for part in (0, 1):
        sum_a, sum_b = at_lags(np.conj(of_a[part]) * of_b[3]), at_lags(np.conj(of_a[3]) * of_b[part])
        cross -= sum_a * sum_b / shared
        energy_a -= sum_a**2 / shared
        energy_b -= sum_b**2 / shared
    scale = np.sqrt(np.maximum(energy_a, 0.0) * np.maximum(energy_b, 0.0))
    # Below a thousandth of full energy there is no texture, only the rounding of the transforms.
    enough = (count >= MIN_OVERLAP_PX) & (scale > 1e-3 * count)
    ncc = np.where(enough, cross / np.where(enough, scale, 1.0), 0.0)
    return Surface(np.clip(ncc, -1.0, 1.0), np.where(enough, count, 0.0))


def pool(surfaces: Sequence[Surface]) -> Surface:
    """Add up the surfaces of several chips, each lag weighted by its number of pixels."""
    weight = np.sum([surface.weight for surface in surfaces], axis=0)
    total = np.sum([surface.ncc * surface.weight for surface in surfaces], axis=0)
    return Surface(np.where(weight > 0, total / np.maximum(weight, 1.0), 0.0), weight)


def _lattice(length: int, size: int, parts: int) -> list[slice]:
    whole = max(1, length // size)
    parts = min(parts, whole)
    middle = (whole - 1) / 2
    firsts = [round(part * (whole - 1) / (parts - 1)) if parts > 1 else int(middle) for part in range(parts)]
    return [slice(first * size, min((first + 1) * size, length)) for first in firsts]


def _stack(edges: Array, seen: Mask) -> Array:
    energy = edges[0] ** 2 + edges[1] ** 2
    return np.stack((edges[0], edges[1], energy, seen)).astype(np.float32)


def _edges(image: Array, offset: tuple[float, float]) -> tuple[Array, Mask]:
    """Doubled-angle, compressed gradients (2, row, col), 0 where not known, and where they are known."""
    down, right, seen = _plane(image, offset)
    strength = np.hypot(down, right)
    typical = float(np.median(strength[seen])) if seen.any() else 0.0
    if typical == 0.0:  # mostly flat (drawn or saturated imagery): the mean of the edges that there are
        edgy = strength[strength > 0]
        typical = float(edgy.mean()) if edgy.size else 1.0
    scale = np.maximum(strength * (strength + COMPRESSION * typical), np.finfo(np.float32).tiny)
    return np.stack([(right * right - down * down) / scale, 2 * right * down / scale]).astype(np.float32), seen


def _plane(image: Array, offset: tuple[float, float]) -> tuple[Array, Array, Mask]:
    """Slopes (down, right) of the plane fitted around every pixel plus `offset`, and where the fit is well posed."""
    known = np.isfinite(image)
    everywhere = bool(known.all())
    level = np.float32(np.median(image[known])) if known.any() else np.float32(0)
    value = np.where(known, image - level, np.float32(0))
    (g, gr, grr), (h, hc, hcc) = (_moments(part) for part in offset)

    def weigh(kernel: Double, other: Double) -> Array:
        if everywhere:  # a weight of one everywhere separates into rows and columns
            sides = (
                ndimage.correlate1d(np.ones(n, np.float32), k, mode="constant")
                for n, k in zip(image.shape, (kernel, other), strict=True)
            )
            outer: Array = np.multiply.outer(*sides)
            return outer
        return _filter(known.astype(np.float32), kernel, other)

    total = np.maximum(weigh(g, h), np.float32(1e-6))
    to_row, to_col = weigh(gr, h), weigh(g, hc)
    mean = _filter(value, g, h) / total
    by_row, by_col = _filter(value, gr, h) - mean * to_row, _filter(value, g, hc) - mean * to_col
    rows, cols = weigh(grr, h) - to_row**2 / total, weigh(g, hcc) - to_col**2 / total
    both = weigh(gr, hc) - to_row * to_col / total
    determinant = rows * cols - both**2
    seen = (total >= 0.5) & (determinant >= 0.15 * SIGMA_PX**4)
    divisor = np.where(seen, determinant, np.float32(1))
    down = np.where(seen, (cols * by_row - both * by_col) / divisor, np.float32(0))
    right = np.where(seen, (rows * by_col - both * by_row) / divisor, np.float32(0))
    return down, right, seen


def _moments(offset: float) -> tuple[Double, Double, Double]:
    """A Gaussian around `offset` and its first and second moments, as kernels for `correlate1d`."""
    radius = math.ceil(3 * SIGMA_PX + abs(offset))
    u = np.arange(-radius, radius + 1) - offset
    weight = np.exp(-0.5 * (u / SIGMA_PX) ** 2)
    weight /= weight.sum()
    return weight, weight * u, weight * u * u


def _filter(image: Array, down: Double, right: Double) -> Array:
    halfway = ndimage.correlate1d(image, down, axis=0, mode="constant")
    result: Array = ndimage.correlate1d(halfway, right, axis=1, mode="constant")
    return result


def _again(reference: Array, moving: Array, shift: Peak) -> Surface:
    """Correlate once more with `moving` moved back by a shift that is nearly right."""
    down, right = round(shift.row), round(shift.col)
    rows, cols = reference.shape
    same = reference[max(0, -down) : rows - max(0, down), max(0, -right) : cols - max(0, right)]
    moved = moving[max(0, down) : rows + min(0, down), max(0, right) : cols + min(0, right)]
    return correlate(same, moved, reach_px=_SMALL_REACH_PX, offset=(shift.row - down, shift.col - right))


def _stands_out(surface: Surface, overlap: float) -> tuple[Peak, float, float] | Shift:
    """The peak, its clarity and the slope of the noise around it, or a Shift that says why there is none."""
    ncc, usable = surface.ncc, surface.weight > 0
    if not usable.any():
        return _nothing("too few pixels were seen on both dates, or they have no texture", overlap=overlap)
    index = np.unravel_index(int(np.argmax(np.where(usable, ncc, -np.inf))), ncc.shape)
    top = (int(index[0]), int(index[1]))
    flanks = lobe(ncc, top)
    around = usable & ~flanks
    ridge = flanks[0].any() or flanks[-1].any() or flanks[:, 0].any() or flanks[:, -1].any()
    if ridge or np.count_nonzero(around) < 100:
        return _nothing("the agreement has no sharp peak", overlap=overlap)
    level = float(np.median(ncc[around]))
    noise = max(sigma(ncc[around] - level), 1e-6)
    height = float(ncc[top]) - level
    clarity = height / noise
    if clarity < MIN_CLARITY:
        return _nothing("the two dates show no common pattern", float(ncc[top]), clarity, overlap)
    if float(ncc[around].max()) - level > MAX_SECOND * height:
        return _nothing("the pattern repeats itself: several shifts fit", float(ncc[top]), clarity, overlap)
    slope = max(sigma(np.gradient(ncc, axis=axis)[around]) for axis in (0, 1))
    return summit(ncc), clarity, slope


def _spread(surfaces: Sequence[Surface]) -> tuple[float, int]:
    """Robust spread of the shift over the chips that have a peak of their own, and how many have; (NaN, 0) for few."""
    peaks = [summit(surface.ncc) for surface in surfaces if surface.weight.any()]
    own = [(p.row, p.col) for p in peaks if p.height > 0.1 and max(abs(p.row), abs(p.col)) < _SMALL_REACH_PX - 1]
    if len(own) < 5:
        return math.nan, 0
    places = np.array(own)
    return max(sigma(part - np.median(part)) for part in places.T), len(own)


def _nothing(reason: str, peak: float = math.nan, clarity: float = math.nan, overlap: float = math.nan) -> Shift:
    return Shift(math.nan, math.nan, math.nan, peak, clarity, math.nan, overlap, False, reason)
