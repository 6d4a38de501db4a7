"""Series monitor on real backgrounds with painted sites: `python -m tests.benchmarks.bench_series_real DATA [--seeds 10]`.

DATA is the folder of real imagery. Pixel-level figures with the default settings, the same for all backgrounds:
what is named where nothing was painted, and what becomes of painted sites. A site "shows" where its painted ground
differs from what would have been there by 1.5 temporal noise standard deviations or more (median over its later
looks): a field painted bare while it is bare anyway does not show, whoever looks.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from geo.kernels.series import Breaks, SeriesSettings, fit_reference, monitor
from tests.injection import VARIANTS, Series, backgrounds, inject

RULES = SeriesSettings()


def smoothed(series: Series, sigma_px: float) -> Series:
    """Small context: a Gaussian over the clear pixels; what is not clear stays NaN."""
    if not sigma_px:
        return series
    clear = np.isfinite(series.cube)
    reach = (0, 0, sigma_px, sigma_px)
    weight = ndimage.gaussian_filter(clear.astype(np.float32), reach)
    total = ndimage.gaussian_filter(np.where(clear, series.cube, 0), reach)
    return replace(series, cube=np.where(clear, total / np.maximum(weight, 1e-6), np.nan).astype(np.float32))


def watch(series: Series) -> Breaks:
    """Reference from a lattice of the same stack, site included: nobody tells it where the site is."""
    step = 2 if series.cube[0, 0].size < 20_000 else 4
    some = series.cube[:, :, ::step, ::step]
    sample = some.reshape(*some.shape[:2], -1).transpose(2, 0, 1)
    reference = fit_reference(sample, series.days, series.group, RULES)
    return monitor(series.cube, series.days, series.group, reference, RULES)


def noise(series: Series) -> np.ndarray:
    """(band,) temporal noise of unchanged ground, from neighbouring dates."""
    showing = np.isfinite(series.cube[:, 0]).mean(axis=(1, 2)) > 0.3
    steps = np.diff(series.cube[showing], axis=0)
    steps = steps - np.nanmedian(steps, axis=(2, 3), keepdims=True)
    return 1.4826 * np.nanmedian(np.abs(steps), axis=(0, 2, 3)) / np.sqrt(2)


def site_row(series: Series, seed: int, variant: str, sigma_px: float, sigma: np.ndarray) -> tuple[float, ...]:
    """(contrast, share lasting, share returned or lasting, share bracketing of lasting, site bracket) of one site."""
    painted = inject(series, seed=seed, variant=variant)
    core = painted.site > 0.6
    change = (painted.series.cube - series.cube)[painted.onset :, :, core] / sigma[None, :, None]
    contrast = float(np.nanmedian(np.sqrt(np.nanmean(change**2, axis=1)))) if np.isfinite(change).any() else 0.0
    found = watch(smoothed(painted.series, sigma_px))
    named = (found.confirmed >= 0) & core
    lasting = named & (found.returned < 0)
    inside = (found.unchanged < painted.onset) & (found.first >= painted.onset)
    whole = np.nan
    if lasting.sum() >= 0.3 * core.sum():
        # The rule of an event: quarter of its pixels on either side may err.
        first, last = np.quantile(found.first[lasting], 0.75), np.quantile(found.unchanged[lasting], 0.25)
        whole = float(last < painted.onset <= first)
    bracket = (inside & lasting).sum() / lasting.sum() if lasting.any() else np.nan
    return contrast, lasting.sum() / core.sum(), named.sum() / core.sum(), float(bracket), whole


def report(series: Series, seeds: int, sigma_px: float) -> None:
    """Print the lines of one background."""
    found = watch(smoothed(series, sigma_px))
    judged = np.isfinite(found.z_max)
    lasting = (found.confirmed >= 0) & (found.returned < 0)
    pieces, count = ndimage.label(lasting, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:] * series.gsd_m**2 / 1e4
    km2_years = judged.sum() * series.gsd_m**2 / 1e6 * np.ptp(series.days) / 365.25
    tail = np.nanquantile(found.z_max, [0.99, 0.999]).round(2) if judged.any() else "-"
    print(
        f"{series.name}, context {sigma_px} px: {len(series.days)} dates, {judged.mean():.2f} of pixels judged; nothing painted: "
        f"lasting {lasting[judged].mean() if judged.any() else 0:.4f}, pieces >= 0.25 ha {(sizes >= 0.25).sum()} in {km2_years:.2f} km2 years, z_max 99 %, 99.9 % {tail}"
    )
    sigma = noise(series)
    for variant in VARIANTS:
        rows = np.array([site_row(series, seed, variant, sigma_px, sigma) for seed in range(seeds)])
        shows = rows[:, 0] >= 1.5
        some = rows[shows]
        if not len(some):
            print(f"  {variant:13s} no site shows")
            continue
        print(
            f"  {variant:13s} {shows.sum()} of {seeds} sites show: pixels lasting {some[:, 1].mean():.2f} (any {some[:, 2].mean():.2f}), "
            f"sites with half of their pixels {np.mean(some[:, 1] >= 0.5):.2f}, with 0.3 {np.mean(some[:, 1] >= 0.3):.2f}, "
            f"truth inside: pixels {np.nanmean(some[:, 3]):.2f}, sites {np.nanmean(some[:, 4]):.2f}; "
            f"sites that do not show (regrown, bare anyway): lasting {rows[~shows, 1].mean() if (~shows).any() else 0:.2f}",
            flush=True,
        )


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="")
    words = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing, where a site does not show
    for name, series in backgrounds(words.data).items():
        if words.only in name:
            for sigma_px in (0.0, 1.0):
                report(series, words.seeds, sigma_px)


if __name__ == "__main__":
    main()
