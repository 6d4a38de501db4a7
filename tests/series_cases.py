"""Seeded series with known change, for the tests of the series kernels. Nothing here knows the detector."""

from __future__ import annotations

import numpy as np

BASE = np.array(
    [[0.04, 0.07, 0.05, 0.35], [0.08, 0.10, 0.12, 0.25], [0.03, 0.05, 0.03, 0.40], [0.10, 0.12, 0.15, 0.20]]
)
SOIL = np.array([0.14, 0.18, 0.22, 0.28])
NIR_SEASON = np.array([-1.0, -1.0, -1.0, 1.0])
HAZE = np.array([1.2, 1.0, 0.9, 0.5])


def make(
    *,
    seed: int,
    times: int = 60,
    years: float = 3.0,
    size: int = 48,
    cloud: float = 0.3,
    haze: float = 0.05,
    change: float = 0.0,
    cycles: int = 1,
    after: int = 8,
):
    """(cube, days, group, truth): truth is the index of the first changed date of a pixel, -1 unchanged."""
    rng = np.random.default_rng(seed)
    patch = size // 8
    days = np.sort(rng.choice(int(years * 365.25), times, replace=False)).astype(float) + 17_000

    def patches(values):
        return np.repeat(np.repeat(values, 8, axis=-2), 8, axis=-1)

    cover = patches(rng.integers(0, 4, (patch, patch)))
    level = BASE[cover].transpose(2, 0, 1) * rng.lognormal(0, 0.08, (1, size, size))
    height = np.array([0.3, 0.25, 0.05, 0.02])[cover]
    phase = rng.normal(0, 0.2, (size, size))
    cube = np.empty((times, 4, size, size), np.float32)
    for t, day in enumerate(days):
        season = height * np.cos(2 * np.pi * cycles * day / 365.2425 + phase)
        scene = rng.normal(0, 0.004) * HAZE
        cube[t] = level * (1 + NIR_SEASON[:, None, None] * season) + scene[:, None, None]
        cube[t] += rng.normal(0, 0.006, cube[t].shape)
    truth = patches(np.where(rng.random((patch, patch)) < change, rng.integers(after, times - 5, (patch, patch)), -1))
    for t in range(times):
        on = (truth >= 0) & (t >= truth)
        cube[t][:, on] = SOIL[:, None] + rng.normal(0, 0.012, (4, int(on.sum())))
    foggy = patches(rng.random((times, patch, patch)) < haze)
    cube += (foggy * rng.uniform(0.03, 0.12, (times, 1, 1)))[:, None] * HAZE[:, None, None]
    cloudy = patches(rng.random((times, patch, patch)) < cloud)
    cube[np.broadcast_to(cloudy[:, None], cube.shape)] = np.nan
    return cube.astype(np.float32), days, np.zeros(times, np.int64), truth


def sample(cube, lattice=2):
    """(pixel, time, band) of every second pixel of every second row."""
    part = cube[:, :, ::lattice, ::lattice]
    return part.reshape(*part.shape[:2], -1).transpose(2, 0, 1)
