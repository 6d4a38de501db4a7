"""Write omnibus.json: the sequential omnibus test of Conradsen, Nielsen & Skriver (2016), computed the slow way.

    python tests/golden/make_omnibus.py

Nothing is shared with geo.kernels.sar: one pixel at a time, sums written out as in the paper (there with p x p matrices,
here the blocks of a diagonal covariance, each with p = 1), the chi-square tail by numerical integration of its density.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from scipy.integrate import quad


def chi2_tail(z: float, f: float) -> float:
    """P(chi2(f) > z) by integration."""
    norm = 2 ** (f / 2) * math.gamma(f / 2)
    # x = u ** 2 takes the singularity at zero out for one degree of freedom.
    inside, _ = quad(lambda u: 2 * u ** (f - 1) * math.exp(-u * u / 2) / norm, 0, math.sqrt(z), epsabs=1e-13, limit=400)
    return 1 - inside


def omnibus(series: list[list[float]], n: float) -> float:
    """Equation 9-11 of the paper for q blocks of p = 1; `series` is [date][block]."""
    k, q, p = len(series), len(series[0]), 1
    log_q = 0.0
    for block in range(q):
        x = [n * date[block] for date in series]
        log_q += n * (p * k * math.log(k) + sum(math.log(v) for v in x) - k * math.log(sum(x)))
    f = (k - 1) * p**2
    rho = 1 - (2 * p**2 - 1) / (6 * (k - 1) * p) * (k / n - 1 / (n * k))
    w2 = p**2 * (p**2 - 1) / (24 * rho**2) * (k / n**2 - 1 / (n * k) ** 2) - p**2 * (k - 1) / 4 * (1 - 1 / rho) ** 2
    # The characteristic functions of independent blocks multiply: degrees of freedom and, to second order, w2 add.
    z, f, w2 = -2 * rho * log_q, q * f, q * w2
    return (1 - w2) * chi2_tail(z, f) + w2 * chi2_tail(z, f + 4)


def step(series: list[list[float]], j: int, n: float) -> float:
    """Equation 12-13: date j (from 2) against the sum of those before it."""
    q, p = len(series[0]), 1
    log_r = 0.0
    for block in range(q):
        x = [n * date[block] for date in series[:j]]
        log_r += n * (
            p * (j * math.log(j) - (j - 1) * math.log(j - 1) if j > 2 else 2 * math.log(2))
            + (j - 1) * math.log(sum(x[:-1])) + math.log(x[-1]) - j * math.log(sum(x))
        )  # fmt: skip
    f = p**2
    rho = 1 - (2 * p**2 - 1) / (6 * p * n) * (1 + 1 / (j * (j - 1)))
    w2 = p**2 * (p**2 - 1) / (24 * n**2 * rho**2) * (1 + (2 * j - 1) / (j**2 * (j - 1) ** 2))
    w2 -= p**2 / 4 * (1 - 1 / rho) ** 2
    z, f, w2 = -2 * rho * log_r, q * f, q * w2
    return (1 - w2) * chi2_tail(z, f) + w2 * chi2_tail(z, f + 4)


def main() -> None:
    draw = np.random.default_rng(2016)
    cases = []
    for dates, blocks, looks in ((2, 1, 4.4), (2, 2, 5.0), (5, 1, 3.2), (6, 2, 4.9), (19, 2, 13.0)):
        for change in (1.0, 1.6, 4.0):
            power = draw.gamma(looks, 0.1 / looks, (dates, blocks))
            power[dates // 2 :] *= change
            series = [[round(float(v), 6) for v in date] for date in power]
            cases.append(
                {
                    "looks": looks,
                    "power": series,
                    "p": omnibus(series, looks),
                    "p_step": [step(series, j, looks) for j in range(2, dates + 1)],
                }
            )
    path = Path(__file__).parent / "omnibus.json"
    path.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
