"""The stage: a pair in, a change map on disk and its objects out, in three passes over the pair.

1. a lattice sample of the whole pair fits radiometry and IR-MAD; patches of it fit the null of every statistic;
2. every pixel gets score, p and direction, streamed to disk while the histogram of p is counted;
3. strips of the layers become pieces; those that chance does not make become the mask and the objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geo.files import blocks
from geo.files.rasters import RasterFile, write_tiled
from geo.grid import Tile
from geo.kernels import context, threshold
from geo.tiles import map_tiles
from pipelines.detect import objects
from pipelines.detect.calibrate import FEWEST_PIXELS, Calibrated, calibrate
from pipelines.detect.change_map import LAYERS, Calibration, ChangeMap, ChangeObject
from pipelines.detect.components import Tables, choose
from pipelines.detect.fine import FALSE_PER_KM2, MEDIAN, P_THRESHOLD, THRESHOLD, FineScorer, is_fine
from pipelines.detect.score import Scorer, fit_nulls
from pipelines.detect.settings import DetectSettings
from pipelines.prepare.pair import Pair

FORMED_AT = 0.01  # random field theory needs a high level; a wide change needs a low one


def detect(pair: Pair, *, folder: Path, settings: DetectSettings, executor: Executor | None = None) -> ChangeMap:
    """Score every pixel of a pair for change and collect the pieces of change.

    Args:
        pair: two looks at one grid, same bands and units.
        folder: where `score.tif` (bands `LAYERS`) and `mask.tif` are written; it must exist.
        settings: see `DetectSettings`.
        executor: threads, processes or Dask; None works in this thread. No output depends on it.

    Returns:
        The change map. Where fewer than 64 pixels were seen on both dates there is no ground to calibrate on: the map
        is then not observed everywhere (NaN, 255), never unchanged, and has no objects.

    Raises:
        NoSpaceError: the disk is full; InputError: a source file is damaged.
    """
    calibrated = calibrate(pair, size=settings.tile_px, sample_px=settings.sample_px, executor=executor)
    if calibrated is None:
        return _blind(pair, folder, settings)
    scorer = _scorer(pair, calibrated, executor)
    histogram = np.zeros(threshold.P_BINS_PER_DECADE * threshold.P_DECADES, np.int64)

    def scored() -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        sources = pair.before.compared, pair.after.compared
        tiles = pair.grid.stripes(blocks.stripe_px(len(pair.bands)), settings.tile_px, scorer.reach_px)
        with blocks.kept():
            for tile, part in map_tiles(scorer, *sources, tiles=tiles, executor=executor):
                histogram[:] += threshold.score_histogram(part[0])
                yield tile, part

    layers = write_tiled(folder / "score.tif", pair.grid, scored(), names=LAYERS, dtype="float32", nodata=float("nan"))
    least = settings.minimum_px(pair.grid.pixel_area_m2)
    if isinstance(scorer, FineScorer):
        rule = objects.Rule(P_THRESHOLD, P_THRESHOLD, None, settings.fdr, least)
    else:
        sure_at = threshold.benjamini_hochberg(histogram, settings.fdr)
        rule = objects.Rule(FORMED_AT, sure_at, scorer.nulls.gradient, settings.fdr, least)
    mask, pieces, observed = _collect(layers, folder / "mask.tif", rule, executor)
    return ChangeMap(
        grid=pair.grid,
        layers=layers.path,
        mask=mask,
        objects=pieces,
        calibration=_calibration(pair, rule, scorer, observed, pieces),
        method=_sentence(scorer),
        parameters=_parameters(settings, rule, scorer),
    )


def _scorer(pair: Pair, calibrated: Calibrated, executor: Executor | None) -> Scorer | FineScorer:
    """The kernel of the main pass, with its nulls."""
    method = choose(calibrated, pair.gsd_m)
    nulls = fit_nulls(pair, method, executor)
    if pair.gsd_m is not None and is_fine(calibrated, pair.gsd_m):
        return FineScorer(calibrated, pair.gsd_m, nulls.texture)
    return Scorer(method, nulls, Tables.of(method, nulls))


def _collect(
    layers: RasterFile, path: Path, rule: objects.Rule, executor: Executor | None
) -> tuple[Path, tuple[ChangeObject, ...], int]:
    """Mask on disk, objects, number of observed pixels."""
    found = objects.find(layers, rule, executor)
    tracer = objects.Tracer(layers.grid)

    def drawn() -> Iterator[tuple[Tile, NDArray[np.uint8]]]:
        for tile, numbers in objects.draw(layers, rule, found):
            if (numbers > 0).any():
                tracer.add(tile, numbers)
            mask = (numbers > 0).astype(np.uint8)
            mask[numbers < 0] = objects.NOT_OBSERVED
            yield tile, mask

    write_tiled(path, layers.grid, drawn(), names=("change",), dtype="uint8", nodata=objects.NOT_OBSERVED)
    return path, objects.describe(found, tracer, layers.grid.pixel_area_m2), found.observed


def _calibration(
    pair: Pair, rule: objects.Rule, scorer: Scorer | FineScorer, observed: int, pieces: tuple[ChangeObject, ...]
) -> Calibration:
    area = pair.grid.pixel_area_m2
    if isinstance(scorer, FineScorer):
        told = (
            "Built structure on a fixed scale: null and threshold come from three other half-metre pairs, where half "
            "of the flagged pieces were new houses; no false-discovery rate is controlled."
        )
        expected = FALSE_PER_KM2 * observed * (area or scorer.gsd_m**2) / 1e6
    else:
        told = (
            "Every statistic is judged against a heavy-tailed null read from the middle of this pair's own values, and "
            "their mean once more. Touching pixels form a piece; it is kept for a pixel that is sure by itself, or "
            "where chance, in a field as smooth as this one, would hardly make a piece as large or as high (random "
            "field theory); both at a controlled false-discovery rate."
        )
        # Two routes, each at this rate; under no change at all each keeps a piece with a chance of at most the rate.
        expected = 2 * rule.fdr * max(1, len(pieces)) if rule.gradient else 0.0
    return Calibration(
        method=told,
        fdr=rule.fdr,
        p_strong=rule.sure_at,
        p_weak=rule.formed_at,
        min_area_px=rule.min_px,
        min_area_m2=None if area is None else rule.min_px * area,
        expected_false_objects=float(expected),
        contrast=_contrast(scorer),
        observed_px=observed,
        flagged_px=sum(piece.area_px for piece in pieces),
    )


def _contrast(scorer: Scorer | FineScorer) -> float | None:
    if isinstance(scorer, FineScorer) or scorer.method.calibrated.decibel:
        return None
    return scorer.method.calibrated.contrast


def _blind(pair: Pair, folder: Path, settings: DetectSettings) -> ChangeMap:
    """The map of a pair without common ground."""
    layers, mask = folder / "score.tif", folder / "mask.tif"
    tiles = list(pair.grid.tiles(settings.tile_px))
    nothing = ((tile, np.full((len(LAYERS), *tile.shape), np.nan, np.float32)) for tile in tiles)
    write_tiled(layers, pair.grid, nothing, names=LAYERS, dtype="float32", nodata=float("nan"))
    unseen = ((tile, np.full(tile.shape, objects.NOT_OBSERVED, np.uint8)) for tile in tiles)
    write_tiled(mask, pair.grid, unseen, names=("change",), dtype="uint8", nodata=objects.NOT_OBSERVED)
    area = pair.grid.pixel_area_m2
    least = settings.minimum_px(area)
    sentence = f"Not observed: fewer than {FEWEST_PIXELS} pixels were seen on both dates."
    return ChangeMap(
        grid=pair.grid,
        layers=layers,
        mask=mask,
        objects=(),
        calibration=Calibration(
            method=sentence, fdr=settings.fdr, p_strong=0.0, p_weak=0.0, min_area_px=least,
            min_area_m2=None if area is None else least * area, expected_false_objects=0.0, observed_px=0,
            flagged_px=0,
        ),
        method=sentence,
        parameters={"settings": settings.told()},
    )  # fmt: skip


def _sentence(scorer: Scorer | FineScorer) -> str:
    if isinstance(scorer, FineScorer):
        return "Straight edges and right angles that one date has and the other does not explain, as wide as a house."
    method = scorer.method
    first = "IR-MAD distance" if method.calibrated.mad else "change vector magnitude"
    names = [first, *method.names[1:]]
    sigma = context.smooth_sigma_px(method.levels)
    return (
        f"Mean calibrated evidence of {', '.join(names[:-1])} and {names[-1]}, each seen in its surroundings "
        f"(standard deviation up to {sigma:.1f} pixels), in the bands {', '.join(method.calibrated.bands)}."
    )


def _parameters(settings: DetectSettings, rule: objects.Rule, scorer: Scorer | FineScorer) -> dict[str, object]:
    c = scorer.calibrated if isinstance(scorer, FineScorer) else scorer.method.calibrated
    mad = c.mad
    out: dict[str, object] = {
        "settings": settings.told(),
        "bands": list(c.bands),
        "sample_px": c.pixels,
        "gain": [float(v) for v in c.lines.gain],
        "offset": [float(v) for v in c.lines.offset],
        "noise": [float(v) for v in c.lines.noise],
        "common_offset": c.dark,
        "irmad": None if mad is None else {
            "rho": [float(v) for v in mad.rho], "rounds": mad.rounds, "converged": mad.converged,
            "unchanged_share": mad.unchanged_share,
        },
        "formed_at": rule.formed_at,
        "sure_at": rule.sure_at,
        "gradient": rule.gradient,
        "min_area_px": rule.min_px,
    }  # fmt: skip
    if isinstance(scorer, FineScorer):
        return {**out, "components": ["structure"], "structure_median": MEDIAN, "structure_threshold": THRESHOLD}
    return {
        **out,
        "components": list(scorer.method.names),
        "context_levels": scorer.method.levels,
        "nulls": {name: [law._asdict() for law in laws] for name, laws in scorer.nulls.laws.items()},
        "fused_scale": scorer.nulls.fused,
        "fused_tail": threshold.TAIL,
    }
