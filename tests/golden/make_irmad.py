"""Make golden values for IR-MAD with an implementation of its own: run `python tests/golden/make_irmad.py`.

Plainly after Nielsen 2007, section II, on all pixels at once in float64: the generalised eigenproblem
S12 S22^-1 S21 a = rho^2 S11 a (scipy.linalg.eigh), b = S22^-1 S21 a / rho, weights = 1 - chi2.cdf (scipy.stats).
Nothing is shared with geo.kernels.irmad, which whitens, takes singular values and works in chunks.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.linalg import eigh
from scipy.stats import chi2

HERE = Path(__file__).parent
PIXELS = 8000
ROUNDS = 200
KEPT = 40


def scene(seed: int, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """A correlated scene (band, pixel) and its later look: gain, offset, band mixing, noise; a tenth has changed."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(bands, bands)) + 2 * np.eye(bands)
    before = mixing @ rng.normal(size=(bands, PIXELS)) * 0.05 + 0.3
    gains = 1 + 0.2 * rng.normal(size=(bands, 1))
    after = before * gains + 0.02 + 0.03 * rng.normal(size=before.shape)
    after[:, : PIXELS // 10] += 0.2 * rng.normal(size=(bands, 1)) + 0.05 * rng.normal(size=(bands, PIXELS // 10))
    return before, after


def ir_mad(x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """Iterate to 1e-10; return correlations and statistics."""
    weights = np.ones(x.shape[1])
    old = np.full(len(x), 2.0)
    for _ in range(ROUNDS):
        covariance = np.cov(np.vstack([x, y]), aweights=weights, bias=True)
        p = len(x)
        s11, s12, s22 = covariance[:p, :p], covariance[:p, p:], covariance[p:, p:]
        squares, a = eigh(s12 @ np.linalg.inv(s22) @ s12.T, s11)
        rho = np.sqrt(squares)
        b = np.linalg.inv(s22) @ s12.T @ a / rho
        mean_x, mean_y = (np.average(v, axis=1, weights=weights)[:, None] for v in (x, y))
        mads = a.T @ (x - mean_x) - b.T @ (y - mean_y)
        statistic = (mads**2 / (2 * (1 - rho))[:, None]).sum(axis=0)
        weights = 1 - chi2.cdf(statistic, p)
        if np.abs(rho - old).max() < 1e-10:
            break
        old = rho
    return {
        "rho": rho.tolist(),
        "chi2": statistic[:: PIXELS // KEPT].tolist(),
        "unchanged_share": float(weights.mean()),
        "before_sum": float(x.sum()),
        "after_sum": float(y.sum()),
    }


if __name__ == "__main__":
    cases = {f"{seed}-{bands}": ir_mad(*scene(seed, bands)) for seed, bands in ((1, 4), (2, 6), (3, 5))}
    (HERE / "irmad.json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
