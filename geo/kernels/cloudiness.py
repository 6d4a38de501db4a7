"""Clouds, haze and shadows found in one scene's own pixels, beside whatever mask the product brings.

A cloud veils every band: the darkest of the visible and near-infrared bands rises, which neither vegetation (dark
visible), water (dark near infrared) nor soil (dark blue) shows. Roofs and paving do show it, and are told apart by
size: the darkest band is opened, so that only what is wider than a large building can seed a cloud.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from geo.kernels.clouds import CLOUD, HAZE, OUTSIDE, SHADOW, Flags
from geo.kernels.context import opening

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

NEEDED = ("blue", "green", "red", "nir")
SEED_M = 60.0  # half-width that a cloud's core has and hardly any building
SEED = 0.14  # reflectance of the darkest band in a core
THICK = 0.2  # ... from which a pixel is cloud, not haze
GROW_M = 300.0  # a cloud's thin parts reach this far from its core
MARGIN_M = 60.0
SOIL = 0.75  # blue over red: below, bare soil; clouds are white
CIRRUS = 0.012  # reflectance at 1.37 um of thin cirrus (Sen2Cor ATBD)
SMALL_M = 10.0  # half-width of a small cloud, believed in the company of a large one
COMPANY_M = 2000.0
GROUND_M = 300.0  # sigma of the surroundings whose open ground a veil is compared with
VEIL = 0.02  # above the clear level: the faintest veil that is believed
WEAK = (0.09, 0.13)  # bounds of the level that a thin part has: a scene all cloud has no clear level
_LOW, _USUAL = 0.1, 0.25  # shares of a pixel's dates: its clearest blue, its usual light
_RISE, _TIMES = 0.025, 1.5  # blue of a hazy scene: above its season by that much, and that many times it
_SWING = 0.03  # how far the season moves the blue of clear ground at most
_JUMP = 0.05  # ... of a single pixel above its clearest
_NEAR_DAYS = 40.0
_OTHERWISE_CLEAR = 0.6  # of the scene, on a date that may testify for a surface
_BRIGHT = 0.08  # darkest band of a surface that is taken for cloud
_SHADOW_REACH_M = 4000.0
_DIM = 0.8  # share of its surroundings' light that a shadow leaves at most


def with_nir(bands: tuple[str, ...]) -> tuple[str, ...]:
    """Band names in which the narrow near infrared stands for the broad one, where that is missing (Landsat).

    >>> with_nir(("red", "nir08"))
    ('red', 'nir')
    """
    return bands if "nir" in bands else tuple("nir" if name == "nir08" else name for name in bands)


def spectral(pixels: Float, bands: tuple[str, ...], *, gsd_m: float = 10.0) -> Flags:
    """Flags of clouds, haze and shadows from a single date.

    Args:
        pixels: surface reflectance, float32 (band,row,col); NaN = no observation. Display values without calibration
            (8-bit aerial photographs) are no reflectance: their ground is as bright as cloud. A whole scene or a site
            of a few kilometres: its clear level and its shadows' direction are read from all of it.
        bands: common names, at least blue, green, red and nir; swir16 (bright water, snow) and cirrus help.
        gsd_m: pixel size.

    Returns:
        uint8 (row,col): CLOUD (with its margin), HAZE where thin, SHADOW where a dim patch lies as the clouds do;
        OUTSIDE where a needed band is NaN.

    Raises:
        ValueError: a needed band is missing, shapes differ, or the pixel size is not positive.

    Thin uniform haze without a core is not told from bright ground on one date; see `guard`.
    Source: the dark channel of He, Sun & Tang (2011, IEEE TPAMI 33) over bands instead of patches; whiteness and the
    matching of shadows by projection after Zhu & Woodcock (2012, RSE 118).

    >>> spectral(np.full((4, 30, 30), 0.6, np.float32), NEEDED)[0, 0] & CLOUD
    np.uint8(2)
    """
    missing = [name for name in NEEDED if name not in bands]
    if missing or pixels.ndim != 3 or len(pixels) != len(bands):
        raise ValueError(f"a cloud test needs {', '.join(NEEDED)} as (band,row,col), not {bands} {pixels.shape}")
    if not gsd_m > 0:
        raise ValueError(f"the pixel size must be positive, not {gsd_m}")
    band = {name: pixels[n] for n, name in enumerate(bands)}
    outside = np.isnan(np.stack([band[name] for name in NEEDED])).any(axis=0)
    flags = np.where(outside, np.uint8(OUTSIDE), np.uint8(0))
    if outside.all():
        return flags
    veil = _veil(band)
    cover = _cover(veil, gsd_m)
    thick = cover & (np.nan_to_num(ndimage.uniform_filter(np.nan_to_num(veil), 3)) > THICK)
    cloud = thick | (_dilate(cover, _px(MARGIN_M, gsd_m)) & ~cover)
    flags[cloud & ~outside] |= CLOUD
    hazy = cover & ~thick
    if "cirrus" in band:
        hazy |= np.nan_to_num(band["cirrus"]) > CIRRUS
    flags[hazy & ~outside & ~cloud] |= HAZE
    shade = _shadow(band, cover, (cover | cloud | outside), gsd_m)
    flags[shade & (flags == 0)] |= SHADOW
    return flags


class Guard(NamedTuple):
    """What a series' scenes have in common, read from a sample of its pixels; see `fit_guard`.

    bands: common names. excess: float32 (T,), lower quartile over the scene of blue above the ground's own, in
    reflectance; NaN where the date shows nothing. hazy: bool (T,), scene-wide haze or cloud.
    """

    bands: tuple[str, ...]
    excess: Float
    hazy: Mask


def fit_guard(sample: Float, days: NDArray[np.floating], bands: tuple[str, ...]) -> Guard:
    """Find the dates on which the whole scene is brighter in the blue than its season's normal.

    Args:
        sample: reflectance (N,T,B) of N pixels spread over the scene; NaN = no observation (flagged ones included,
            if the flags are trusted).
        days: (T,) rising, in days.
        bands: names of B; blue is needed.

    Returns:
        The scene-wide part of the guard. With one date there is no normal, and no date is hazy.

    Raises:
        ValueError: blue is missing or shapes differ.

    Source: an increase of the blue band against the pixel's own past is cloud (Hagolle et al. 2010, RSE 114); here it
    is taken over the whole scene, against the clearest fifth of its season.
    """
    if "blue" not in bands or sample.ndim != 3 or sample.shape[1:] != (len(days), len(bands)):
        raise ValueError(f"a guard needs (N,{len(days)},{len(bands)}) with blue, not {sample.shape} {bands}")
    blue = np.asarray(sample[:, :, bands.index("blue")], np.float32).T
    floor = _order(blue, _LOW)
    count = len(blue)
    excess, level = np.full(count, np.nan), np.full(count, np.nan)
    for date in range(count):
        seen = np.isfinite(blue[date])
        if seen.any():
            excess[date] = np.quantile((blue[date] - floor)[seen], 0.25)  # broken cloud must not pass for haze
            level[date] = max(float(np.quantile(blue[date][seen], 0.25)), 1e-4)
    phase = np.asarray(days, np.float64) % 365.25
    apart = np.abs(phase[:, None] - phase[None, :])
    season = np.minimum(apart, 365.25 - apart) <= 60
    hazy = np.zeros(count, bool)
    known = np.flatnonzero(np.isfinite(excess))
    for n in known if len(known) > 1 else ():
        peers = known[season[n, known]]
        usual, spread = _clearest(excess[peers if len(peers) >= 4 else known])
        usual = min(usual, _clearest(excess[known])[0] + _SWING)  # a season may be cloud from end to end
        rise = excess[n] - usual
        hazy[n] = rise > max(_RISE, min(spread, _SWING)) and level[n] > _TIMES * (level[n] - rise)
    return Guard(tuple(bands), excess.astype(np.float32), hazy)


def guard(cube: Float, days: NDArray[np.floating], scene: Guard) -> Flags:
    """Flags of weather that only a series shows: scene-wide haze, and excursions that no neighbouring date shares.

    Args:
        cube: reflectance float32 (T,B,row,col) in the bands of `scene`, any part of the scene; NaN = no observation.
        days: (T,) rising.
        scene: of `fit_guard`; all else is per pixel, so that any tile gives the same flags.

    Returns:
        uint8 (T,row,col): HAZE or CLOUD where blue stands out of the dates on either side, HAZE everywhere on a hazy
        date, SHADOW where blue and near infrared drop on one date alone, OUTSIDE where blue is NaN.

    An excursion needs a date on both sides within 40 days: the first and last date are never judged alone, since a new
    roof looks the same. Raises ValueError where shapes differ.
    """
    if cube.ndim != 4 or cube.shape[:2] != (len(days), len(scene.bands)) or len(days) != len(scene.hazy):
        raise ValueError(f"the cube {cube.shape} does not fit {len(days)} dates of {scene.bands}")
    blue = cube[:, scene.bands.index("blue")]
    dark = cube[:, scene.bands.index("nir")] if "nir" in scene.bands else blue
    floor, usual, blue_usual = _order(blue, _LOW), _order(dark, _USUAL), _order(blue, _USUAL)
    flags = np.where(np.isnan(blue), np.uint8(OUTSIDE), np.uint8(0))
    with np.errstate(invalid="ignore"):
        for n in range(len(days)):
            excess = blue[n] - floor
            bright = (excess > np.maximum(_JUMP, floor)) & _alone(blue, days, n, np.float32(0.3) * excess + 0.01)
            flags[n][bright] |= HAZE
            flags[n][bright & (blue[n] > THICK)] ^= HAZE | CLOUD
            drop = np.float32(0.4) * usual
            dim = (dark[n] < usual - drop) & (blue[n] < np.float32(_DIM) * blue_usual)
            flags[n][dim & _alone(dark, days, n, np.float32(0.5) * drop)] |= SHADOW
            if scene.hazy[n]:
                flags[n][(flags[n] & (OUTSIDE | CLOUD)) == 0] |= HAZE
    return np.asarray(flags)


def retest(
    flags: Flags, cube: Float, days: NDArray[np.floating], *, clear_fraction: NDArray[np.floating] | None = None
) -> Flags:
    """Take CLOUD and HAZE off pixels that show one and the same bright surface on three clear dates in a row.

    Args:
        flags: uint8 (T,row,col).
        cube: reflectance (T,B,row,col) as received, flagged pixels included; NaN = no observation.
        days: (T,) rising.
        clear_fraction: (T,) of the whole scene, where `flags` is a tile of it; from `flags` itself by default.

    Returns:
        The flags without the bits on surfaces. Only dates with at least 60 % clear take part. Two clouds of one
        brightness are not believed where an unflagged date between them shows other ground.
    """
    if cube.ndim != 4 or flags.shape != (len(days), *cube.shape[2:]) or len(cube) != len(days):
        raise ValueError(f"flags {flags.shape}, cube {cube.shape} and {len(days)} dates do not fit")
    out = flags.copy()
    if clear_fraction is None:
        seen = (flags & OUTSIDE) == 0
        clear_fraction = ((flags == 0).sum(axis=(1, 2))) / np.maximum(seen.sum(axis=(1, 2)), 1)
    dates = np.flatnonzero(np.asarray(clear_fraction) >= _OTHERWISE_CLEAR)
    veiled = (flags & (CLOUD | HAZE)) != 0
    with np.errstate(invalid="ignore"):
        for place, n in enumerate(dates):
            tolerance = np.float32(0.02) + np.float32(0.08) * cube[n]
            votes = np.zeros(flags.shape[1:], np.int8)
            for way in (dates[:place][::-1], dates[place + 1 :]):
                unbroken = np.ones(flags.shape[1:], bool)
                for other in way[:3]:
                    same = (np.abs(cube[other] - cube[n]) <= tolerance).all(axis=0)
                    votes += same & unbroken
                    unbroken &= same | veiled[other] | np.isnan(cube[other]).any(axis=0)
            surface = veiled[n] & (votes >= 2) & (cube[n].min(axis=0) > _BRIGHT)
            out[n][surface] &= ~np.uint8(CLOUD | HAZE)
    return out


def _clearest(excess: NDArray[np.float64]) -> tuple[float, float]:
    """Middle and six median deviations of the clearest fifth of the dates."""
    clearest = np.sort(excess)[: max(1, round(0.2 * len(excess)))]
    middle = float(np.median(clearest))
    return middle, 6 * float(np.median(np.abs(clearest - middle)))


def _order(values: Float, share: float) -> Float:
    """The order statistic at `share` of the observed values over time (axis 0); NaN where none is."""
    ranked = np.sort(values, axis=0)  # NaN last
    place = np.floor(share * (np.isfinite(values).sum(axis=0) - 1)).astype(np.int64)
    return np.asarray(np.take_along_axis(ranked, np.maximum(place, 0)[None], axis=0)[0], np.float32)


def _alone(values: Float, days: NDArray[np.floating], n: int, tolerance: Float) -> Mask:
    """Whether neither of the two dates seen before nor of the two after, within 40 days, shares date n's value."""
    alone = np.ones(values.shape[1:], bool)
    for way in (range(n - 1, -1, -1), range(n + 1, len(days))):
        found = np.zeros(values.shape[1:], np.int8)
        for other in way:
            if abs(float(days[other]) - float(days[n])) > _NEAR_DAYS or (found >= 2).all():
                break
            look = np.isfinite(values[other]) & (found < 2)
            alone &= ~(look & (np.abs(values[other] - values[n]) <= tolerance))
            found += look
        alone &= found > 0
    return alone


def dilate(flags: Flags, px: int, *, bits: int = CLOUD | SHADOW | HAZE) -> Flags:
    """Widen each of `bits` by `px` pixels (a disc); other bits stay. Pixels OUTSIDE gain nothing.

    >>> dilate(np.array([[0, 2, 0, 1]], np.uint8), 1).tolist()
    [[2, 2, 2, 1]]
    """
    if px < 0:
        raise ValueError(f"a margin cannot be negative: {px} px")
    out = flags.copy()
    inside = (flags & OUTSIDE) == 0
    for bit in (1 << n for n in range(8)):
        if bits & bit & ~OUTSIDE:
            out[_dilate((flags & bit) != 0, px) & inside] |= np.uint8(bit)
    return out


def _veil(band: dict[str, Float]) -> Float:
    """Reflectance of the darkest band: what a white veil cannot exceed; 0 on coloured ground, NaN unobserved."""
    veil: Float = np.minimum.reduce([band[name] for name in NEEDED])
    if "swir16" in band:
        swir = np.where(np.isnan(band["swir16"]), np.float32(np.inf), band["swir16"])
        veil = np.minimum(veil, np.float32(1.5) * swir)  # clouds keep half their brightness there, snow and foam do not
    soil = band["blue"] < np.float32(SOIL) * band["red"]
    return np.asarray(np.where(soil, np.minimum(veil, np.float32(0)), veil))


def _cover(veil: Float, gsd_m: float) -> Mask:
    """Cores wider than buildings, smaller ones in their company, and the veil that hangs together with them."""
    core = np.nan_to_num(opening(veil, max(1, _px(SEED_M, gsd_m)))) > SEED
    if not core.any():
        return core
    level = min(max(float(np.nanquantile(veil, 0.25)) + VEIL, WEAK[0]), WEAK[1])
    cover = _grow(core, np.nan_to_num(veil) > level, gsd_m)
    # The ground's own brightness around the clouds, now that most of them are known.
    open_sky = np.isfinite(veil) & ~_dilate(cover, _px(MARGIN_M, gsd_m))
    ground = _ground(np.nan_to_num(veil), open_sky, gsd_m)
    small = np.nan_to_num(opening(veil, max(1, _px(SMALL_M, gsd_m)))) > ground + 2 * VEIL
    core = (core & (np.nan_to_num(veil) > ground + VEIL)) | (small & _dilate(core, _px(COMPANY_M, gsd_m)))
    return _grow(core, np.nan_to_num(ndimage.uniform_filter(np.nan_to_num(veil), 3)) > ground + VEIL, gsd_m)


def _ground(veil: Float, open_sky: Mask, gsd_m: float) -> Float:
    """Local mean of the veil under open sky; where none is near, what the scene has, within bounds."""
    scene = float(np.median(veil[open_sky])) if open_sky.any() else WEAK[0] - VEIL
    scene = min(scene, WEAK[1] - VEIL)
    return _local_mean(veil, open_sky, GROUND_M / gsd_m, scene)


def _grow(core: Mask, thin: Mask, gsd_m: float) -> Mask:
    reach = max(1, _px(GROW_M, gsd_m))
    grown = ndimage.binary_dilation(core, structure=np.ones((3, 3), bool), iterations=reach, mask=thin | core)
    return np.asarray(grown, bool)


def _shadow(band: dict[str, Float], cover: Mask, ignore: Mask, gsd_m: float) -> Mask:
    """Patches dim in all bands that repeat the clouds' outline at a displacement on which two halves of them agree."""
    nothing = np.zeros_like(cover)
    if not cover.any() or (~ignore).mean() < 0.02:
        return nothing
    near = np.nan_to_num(band["nir"])
    visible = np.nan_to_num(band["blue"] + band["green"] + band["red"])
    ratio = [light / np.maximum(_local_mean(light, ~ignore, 500.0 / gsd_m), 1e-6) for light in (near, visible)]
    dim = (ratio[0] + ratio[1] < 2 * _DIM) & (np.maximum(*ratio) < (1 + _DIM) / 2) & ~ignore
    rows, cols = np.indices(cover.shape) // max(8, min(cover.shape) // 8)
    chess = (rows + cols) % 2 == 0
    shifts = [
        _displacement(part, dim, ignore, _SHADOW_REACH_M / gsd_m) for part in (cover, cover & chess, cover & ~chess)
    ]
    if any(shift is None for shift in shifts):
        return nothing
    found = np.array(shifts, np.float64)
    if max(np.hypot(*(other - found[0])) for other in found[1:]) > 0.2 * float(np.hypot(*found[0])) + 1.5:
        return nothing
    cast = ndimage.shift(cover.astype(np.uint8), found[0], order=0) > 0
    return np.asarray(dim & _dilate(cast, _px(100.0, gsd_m)))


def _displacement(cover: Mask, dim: Mask, ignore: Mask, reach_px: float) -> tuple[int, int] | None:
    """Rows and columns from clouds to their shadows, by the peak of a masked cross-correlation; None without one."""
    height, width = cover.shape
    size = [fft.next_fast_len(2 * n, real=True) for n in cover.shape]
    seen = (~ignore).astype(np.float32)
    excess = np.where(ignore, 0, dim - np.float32(dim.sum() / max(seen.sum(), 1))).astype(np.float32)
    source = np.conj(fft.rfft2(cover.astype(np.float32), size))
    hits = fft.irfft2(source * fft.rfft2(excess, size), size)
    overlap = fft.irfft2(source * fft.rfft2(seen, size), size)
    rows = (np.arange(size[0]) + size[0] // 2) % size[0] - size[0] // 2
    cols = (np.arange(size[1]) + size[1] // 2) % size[1] - size[1] // 2
    far = np.hypot(rows[:, None], cols[None, :])
    allowed = (far <= min(reach_px, 0.5 * max(height, width))) & (overlap > 0.1 * cover.sum())
    if not allowed.any():
        return None
    score = np.where(allowed, hits / np.sqrt(np.maximum(overlap, 1)), -np.inf)
    row, col = divmod(int(np.argmax(score)), score.shape[1])
    return (int(rows[row]), int(cols[col])) if score[row, col] > 0 else None


def _local_mean(values: Float, weight: Mask, sigma_px: float, prior: float = 0.0) -> Float:
    """Gaussian mean over the pixels of `weight`, drawn to `prior` where hardly any are near."""
    trust = np.float32(0.05 if prior else 1e-6)
    mass = ndimage.gaussian_filter(weight.astype(np.float32), sigma_px, mode="nearest", truncate=3)
    total = ndimage.gaussian_filter(np.where(weight, values, np.float32(0)), sigma_px, mode="nearest", truncate=3)
    return np.asarray((total + trust * np.float32(prior)) / (mass + trust), np.float32)


def _dilate(mask: Mask, px: int) -> Mask:
    if px < 1 or not mask.any():
        return mask.copy()
    return np.asarray(ndimage.distance_transform_edt(~mask) <= px, bool)


def _px(metres: float, gsd_m: float) -> int:
    return round(metres / gsd_m)
