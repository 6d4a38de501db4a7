"""Figures of geo.kernels.structure on real half-metre pairs: `python tests/benchmarks/bench_structure.py DATA_FOLDER`.

Pairs: `vhr_xbd_joplin` with the dates swapped, so that houses appear where a tornado left debris. Definitions:

- truth: connected footprints (8 neighbours) of pre_label; class by majority of post_label. Class 4 (destroyed) appears.
  Classes 3 (major) and 5 (unclassified) are ignored. Classes 1 and 2 (none, minor: tarpaulins) are stable buildings.
- detections: connected regions of at least MIN_AREA_M2 where the gain, opened by `widen_only`, passes a threshold.
- a footprint is recalled where detections cover >= 25 % of it. Recall is given for all footprints, and for those of
  at least HOUSE_M2: sheds of some 3 x 5 m are shorter than the 10 m line that the kernel looks for.
- a detection is right where >= 25 % of its area lies on appearing footprints; ignored where it only reaches 25 %
  together with ignored ones; else wrong. Precision = right / (right + wrong).
  Neighbouring houses may share one detection, so "of flagged footprints" gives the share that appears as well.
- leave one out: the threshold with the highest house recall at precision >= 0.5 on two pairs, applied to the third.
  Only the threshold is held out: the kernel's lengths were settled while looking at these same three pairs.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import rankdata

from geo.kernels.objects import label_objects, widen_only
from geo.kernels.structure import structure_change, structure_gain_loss

GSD_M = 0.451
MIN_AREA_M2 = 100.0
HOUSE_M2 = 40.0
COVERED = 0.25
ON_TRUTH = 0.25
GOAL_PRECISION = 0.5
THRESHOLDS = np.round(np.geomspace(0.05, 0.5, 41), 4)
EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class JoplinPair:
    """One pair, dates swapped: `before` shows debris, `after` shows houses."""

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    footprints: NDArray[np.int32]
    damage: NDArray[np.int64]  # of each footprint; [0] is 0

    @property
    def classes(self) -> NDArray[np.int64]:
        """Damage class of every pixel."""
        return self.damage[self.footprints]


@dataclass(frozen=True)
class Counts:
    """Objects counted at one threshold; they add up over pairs."""

    recalled: int = 0
    truth: int = 0
    houses_recalled: int = 0
    houses: int = 0
    right: int = 0
    wrong: int = 0
    stable_flagged: int = 0
    stable: int = 0
    undamaged_flagged: int = 0
    undamaged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def recall(self) -> float:
        return self.recalled / max(self.truth, 1)

    @property
    def house_recall(self) -> float:
        return self.houses_recalled / max(self.houses, 1)

    @property
    def precision(self) -> float:
        return self.right / max(self.right + self.wrong, 1)

    def __str__(self) -> str:
        return (
            f"house recall {self.house_recall:.2f} ({self.houses_recalled}/{self.houses}), all {self.recall:.2f} "
            f"({self.recalled}/{self.truth}), precision {self.precision:.2f} ({self.right} right, {self.wrong} wrong), "
            f"of flagged footprints {self.recalled / max(self.recalled + self.stable_flagged, 1):.2f} appear, "
            f"stable flagged {self.stable_flagged}/{self.stable}, undamaged {self.undamaged_flagged}/{self.undamaged}"
        )


def load_pairs(data: Path) -> list[JoplinPair]:
    """Read the three pairs, dates swapped."""
    pairs = []
    for folder in sorted(path for path in (data / "vhr_xbd_joplin").iterdir() if path.is_dir()):
        layers = {}
        for name in ("pre", "post", "pre_label", "post_label"):
            with rasterio.open(folder / f"{name}.tif") as file:
                layers[name] = file.read()
        footprints, count = ndimage.label(layers["pre_label"][0] > 0, structure=EIGHT)
        votes = np.zeros((count + 1, 6), dtype=np.int64)
        np.add.at(votes, (footprints.ravel(), np.minimum(layers["post_label"][0], 5).ravel()), 1)
        damage = votes[:, 1:].argmax(axis=1) + 1
        damage[0] = 0
        after, before = (layers[name].astype(np.float32) for name in ("pre", "post"))
        pairs.append(JoplinPair(before, after, footprints.astype(np.int32), damage))
    return pairs


def count_objects(pair: JoplinPair, gain: NDArray[np.float32], threshold: float) -> Counts:
    """Compare detections with footprints; see the module's definitions."""
    found, n = label_objects(gain, threshold, gsd_m=GSD_M, min_area_m2=MIN_AREA_M2)
    area = np.bincount(pair.footprints.ravel())
    covered = np.bincount(pair.footprints.ravel(), (found > 0).ravel()) / area >= COVERED
    appears, stable = pair.damage == 4, np.isin(pair.damage, (1, 2))
    house = area * GSD_M**2 >= HOUSE_M2

    def share(classes: tuple[int, ...]) -> NDArray[Any]:
        inside = np.isin(pair.classes, classes)
        size = np.maximum(np.bincount(found.ravel(), minlength=n + 1), 1)
        return (np.bincount(found.ravel(), inside.ravel(), minlength=n + 1) / size)[1:]

    right = share((4,)) >= ON_TRUTH
    ignored = ~right & (share((3, 4, 5)) >= ON_TRUTH)
    undamaged = pair.damage == 1
    return Counts(
        *(int(v) for v in ((covered & appears).sum(), appears.sum())),
        *(int(v) for v in ((covered & appears & house).sum(), (appears & house).sum())),
        *(int(v) for v in (right.sum(), (~right & ~ignored).sum())),
        *(int(v) for v in ((covered & stable).sum(), stable.sum())),
        *(int(v) for v in ((covered & undamaged).sum(), undamaged.sum())),
    )


def sweep(pair: JoplinPair, gain: NDArray[np.float32]) -> list[Counts]:
    """Count at every one of THRESHOLDS."""
    opened = widen_only(gain, gsd_m=GSD_M)
    return [count_objects(pair, opened, float(threshold)) for threshold in THRESHOLDS]


def operating_index(curve: list[Counts]) -> int:
    """Index of the highest house recall at GOAL_PRECISION, or of the highest precision where none reaches it."""
    good = [i for i, c in enumerate(curve) if c.precision >= GOAL_PRECISION]
    if good:
        return max(good, key=lambda i: (curve[i].house_recall, curve[i].precision))
    return max(range(len(curve)), key=lambda i: curve[i].precision)


def leave_one_out(curves: list[list[Counts]]) -> list[tuple[float, Counts]]:
    """For each pair: the threshold chosen on the others, and what it gives on this one."""
    chosen = []
    for i, curve in enumerate(curves):
        others = [sum(counts, Counts()) for counts in zip(*(c for j, c in enumerate(curves) if j != i), strict=True)]
        k = operating_index(others)
        chosen.append((float(THRESHOLDS[k]), curve[k]))
    return chosen


def auc(inside: NDArray[Any], outside: NDArray[Any]) -> float:
    """Area under the ROC curve of values inside against values outside."""
    ranks = rankdata(np.concatenate([inside, outside]))[: inside.size].sum()
    return float((ranks - inside.size * (inside.size + 1) / 2) / (inside.size * outside.size))


def pixel_aucs(pair: JoplinPair, score: NDArray[np.float32]) -> tuple[float, float]:
    """Pixel AUC of appearing footprints against all else, and against stable buildings alone."""
    classes = pair.classes
    inside, stable = score[classes == 4], score[np.isin(classes, (1, 2))]
    return auc(inside, score[np.isin(classes, (0, 1, 2))]), auc(inside, stable)


def alterations(image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The same ground seen a little differently: nothing changed, so nothing may be found."""
    noise = np.random.default_rng(0)

    def moved(rows: float, cols: float) -> NDArray[np.float32]:
        return ndimage.shift(image, (0, rows, cols), order=1, mode="nearest").astype(np.float32)

    altered = {
        "itself": image,
        "noise of 3 DN": image + noise.normal(0, 3, image.shape),
        "noise of 8 DN": image + noise.normal(0, 8, image.shape),
        "gain 1.4, offset 20": image * 1.4 + 20,
        "gamma 0.7": 255 * (image / 255) ** 0.7,
        "band gains 0.8, 1, 1.3": image * np.array([0.8, 1.0, 1.3])[:, None, None],
        "shifted 1 px": moved(1, 1),
        "shifted 2.5 px": moved(2.5, -1.5),
        "shifted 3 px": moved(3, 3),
    }
    return {name: np.maximum(values, 0).astype(np.float32) for name, values in altered.items()}


def _report_joplin(pairs: list[JoplinPair]) -> list[float]:
    gains = [structure_gain_loss(p.before, p.after, gsd_m=GSD_M).gain for p in pairs]
    greys = [structure_gain_loss(p.before.mean(0), p.after.mean(0), gsd_m=GSD_M).gain for p in pairs]
    backwards = [structure_gain_loss(p.before, p.after, gsd_m=GSD_M).loss for p in pairs]
    brightness = [np.abs(p.after.mean(0) - p.before.mean(0)) for p in pairs]
    print("pixel AUC (appearing against all; against stable buildings), pair by pair")
    for name, scores in (("gain", gains), ("grey", greys), ("loss", backwards), ("|brightness|", brightness)):
        values = [pixel_aucs(p, s) for p, s in zip(pairs, scores, strict=True)]
        mean = np.mean(values, axis=0)
        print(f"  {name:13s}", "  ".join(f"{a:.3f} {b:.3f}" for a, b in values), f"  mean {mean[0]:.3f} {mean[1]:.3f}")
    print("base rates: classes 1 to 5 of the footprints, pair by pair")
    for pair in pairs:
        print("  ", np.bincount(pair.damage[1:], minlength=6)[1:])
    for label, scores in (("RGB", gains), ("grey", greys)):
        curves = [sweep(p, s) for p, s in zip(pairs, scores, strict=True)]
        pooled = [sum(counts, Counts()) for counts in zip(*curves, strict=True)]
        print(f"{label}: all pairs, threshold by threshold")
        for k in range(0, len(THRESHOLDS), 4):
            print(f"  {THRESHOLDS[k]:.3f}", pooled[k])
        best = operating_index(pooled)
        print(f"{label}: best at precision >= {GOAL_PRECISION}: threshold {THRESHOLDS[best]:.3f}:", pooled[best])
        for i, curve in enumerate(curves):
            print(f"  pair {i} there:", curve[best])
        held_out = leave_one_out(curves)
        for i, (threshold, counts) in enumerate(held_out):
            print(f"  pair {i} left out, threshold {threshold:.3f}:", counts)
        print("  left out, together:", sum((counts for _, counts in held_out), Counts()))
        if label == "RGB":
            chosen = [float(THRESHOLDS[best])]
    return chosen


def _report_unchanged(pairs: list[JoplinPair], threshold: float) -> None:
    print(f"unchanged ground (quantiles 0.5, 0.99, 0.999, 1; objects above {threshold:.3f})")
    for name, altered in alterations(pairs[0].after).items():
        score = structure_change(pairs[0].after, altered, gsd_m=GSD_M)
        count = label_objects(score, threshold, gsd_m=GSD_M, min_area_m2=MIN_AREA_M2)[1]
        print(f"  {name:24s}", np.quantile(score, [0.5, 0.99, 0.999, 1]).round(3), count)


def _report_speed() -> None:
    random = np.random.default_rng(0)
    pair = random.random((2, 3, 1024, 1024), dtype=np.float32)
    start = time.perf_counter()
    structure_change(pair[0], pair[1], gsd_m=0.5)
    print(f"speed: {(time.perf_counter() - start) / 1.048576:.2f} s per megapixel of an RGB pair, one thread, 0.5 m")


def main(data: Path) -> None:
    """Print all figures."""
    pairs = load_pairs(data)
    (threshold,) = _report_joplin(pairs)
    _report_unchanged(pairs, threshold)
    _report_speed()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
