"""Random numbers that depend on a place and a name, never on the order of calls or on the grid asked for.

Every draw is keyed by a tuple of plain values (seed, scene, purpose). Smooth fields are value noise on a lattice
anchored to the coordinate system, so that two grids which overlap see the same field.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_SMOOTH_SD = 0.743 / np.sqrt(12.0)  # of smoothstep-interpolated uniform noise, averaged over a lattice cell


def key(*parts: object) -> int:
    """Return a 63-bit integer that names `parts`.

    >>> key(7, "cloud") == key(7, "cloud"), key(7, "cloud") == key(8, "cloud")
    (True, False)
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def rng(*parts: object) -> np.random.Generator:
    """Return a generator of its own for `parts`."""
    return np.random.default_rng(key(*parts))


def hashed(x: NDArray[np.int64], y: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) for pairs of integers, broadcast against each other (splitmix64)."""
    with np.errstate(over="ignore"):
        z = x.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = z ^ (y.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(seed))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def smooth(xs: NDArray[np.float64], ys: NDArray[np.float64], scale_m: float, seed: int) -> Float:
    """Return smooth noise of mean 0 and standard deviation near 1.

    Args:
        xs: eastings of the columns, metres.
        ys: northings of the rows, metres.
        scale_m: distance of the lattice points, metres; about the size of the blobs.
        seed: names the field.

    Returns:
        float32 (len(ys), len(xs)).
    """
    x0, fx = _lattice(xs, scale_m)
    y0, fy = _lattice(ys, scale_m)
    columns = np.arange(x0.min(), x0.max() + 2)
    rows = np.arange(y0.min(), y0.max() + 2)
    values = (hashed(columns[None, :], rows[:, None], seed) - 0.5).astype(np.float32) / np.float32(_SMOOTH_SD)
    i, j = y0 - rows[0], x0 - columns[0]
    bands = values[i] + fy[:, None] * (values[i + 1] - values[i])
    near: Float = bands[:, j]
    near += fx * (bands[:, j + 1] - near)
    return near


def octaves(xs: NDArray[np.float64], ys: NDArray[np.float64], scales_m: tuple[float, ...], seed: int) -> Float:
    """Return the sum of smooth fields, weights falling by 0.62 from the first scale, standard deviation near 1."""
    weights = 0.62 ** np.arange(len(scales_m))
    weights /= np.sqrt((weights**2).sum())
    total = np.zeros((len(ys), len(xs)), np.float32)
    for n, (weight, scale) in enumerate(zip(weights, scales_m, strict=True)):
        total += np.float32(weight) * smooth(xs, ys, scale, seed + 7919 * n)
    return total


def white(xs: NDArray[np.float64], ys: NDArray[np.float64], cell_m: float, seed: int) -> Float:
    """Return independent numbers, one a cell of `cell_m`, mean 0 and standard deviation 1, not far out (uniform)."""
    columns = np.floor(xs / cell_m).astype(np.int64)
    rows = np.floor(ys / cell_m).astype(np.int64)
    return np.asarray((hashed(columns[None, :], rows[:, None], seed) - 0.5) * np.sqrt(12.0), np.float32)


def _lattice(at: NDArray[np.float64], scale_m: float) -> tuple[NDArray[np.int64], Float]:
    place = at / scale_m
    corner = np.floor(place).astype(np.int64)
    part = place - corner
    return corner, (part * part * (3 - 2 * part)).astype(np.float32)
