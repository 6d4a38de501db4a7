"""Scores of a detection against a truth, from counts: the field's usual ones, undefined where they are undefined."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

NOT_OBSERVED = 255


@dataclass(frozen=True)
class Confusion:
    """Counts of a binary decision. A score is NaN where its denominator is zero."""

    tp: int
    fp: int
    fn: int
    tn: int = 0

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), intersection over union, Jaccard's index."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen, 1960, Educational and Psychological Measurement 20(1), 37-46)."""
        n = self.tp + self.fp + self.fn + self.tn
        observed = _ratio(self.tp + self.tn, n)
        yes = (self.tp + self.fp) * (self.tp + self.fn)
        no = (self.tn + self.fn) * (self.tn + self.fp)
        chance = _ratio(yes + no, n * n)
        return _ratio(observed - chance, 1 - chance)

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient (1975, Biochimica et Biophysica Acta 405(2), 442-451)."""
        under = (self.tp + self.fp) * (self.tp + self.fn) * (self.tn + self.fp) * (self.tn + self.fn)
        return _ratio(self.tp * self.tn - self.fp * self.fn, math.sqrt(under))


@dataclass(frozen=True)
class PixelScore:
    """Pixels compared, and those that the detection did not see: truly changed or not, they are no mistake of it.

    Attributes:
        seen: counts over the pixels that were observed and whose truth is known.
        unseen_changed, unseen_same: pixels not observed, by their truth.
        unknown: pixels whose truth is not known.
    """

    seen: Confusion
    unseen_changed: int
    unseen_same: int
    unknown: int


def score_pixels(mask: ArrayLike, truth: ArrayLike) -> PixelScore:
    """Compare a change mask with the truth.

    Args:
        mask: uint8 (row, col): 0 unchanged, 1 change, 255 not observed.
        truth: uint8 (row, col): 0 unchanged, 1 change, 255 not known.

    Raises ValueError where the shapes differ or other numbers occur.
    """
    found, known = np.asarray(mask), np.asarray(truth)
    if found.shape != known.shape:
        raise ValueError(f"the mask has shape {found.shape}, the truth {known.shape}")
    for name, array in (("mask", found), ("truth", known)):
        if not np.isin(array, (0, 1, NOT_OBSERVED)).all():
            raise ValueError(f"the {name} holds other numbers than 0, 1 and 255")
    told, blind = known != NOT_OBSERVED, found == NOT_OBSERVED
    both = told & ~blind
    changed, called = known == 1, found == 1

    def count(where: np.ndarray) -> int:
        return int(np.count_nonzero(where))

    return PixelScore(
        seen=Confusion(
            tp=count(both & called & changed), fp=count(both & called & ~changed), fn=count(both & ~called & changed),
            tn=count(both & ~called & ~changed),
        ),
        unseen_changed=count(told & blind & changed), unseen_same=count(told & blind & ~changed), unknown=count(~told),
    )  # fmt: skip


def match_greedily(scores: ArrayLike, least: float) -> list[tuple[int, int]]:
    """Pair rows with columns one to one, best score first, as long as it reaches `least`; ties by lowest index.

    >>> match_greedily([[0.9, 0.8], [0.85, 0.0]], 0.2)
    [(0, 0)]
    >>> match_greedily([[0.9, 0.0], [0.0, 0.3]], 0.2)
    [(0, 0), (1, 1)]
    """
    left = np.array(scores, float)
    pairs: list[tuple[int, int]] = []
    while left.size and np.nanmax(left) >= least:
        row, col = np.unravel_index(int(np.nanargmax(left)), left.shape)
        pairs.append((int(row), int(col)))
        left[row, :] = -1.0
        left[:, col] = -1.0
    return pairs


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan
