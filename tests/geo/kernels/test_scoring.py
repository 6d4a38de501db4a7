"""Scores against their definitions, worked out in another way, and against published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.kernels.scoring import Confusion, match_greedily, score_pixels

counts = st.integers(0, 500)


@given(counts, counts, counts, counts)
def test_scores_are_those_of_the_labels_themselves(tp: int, fp: int, fn: int, tn: int) -> None:
    """Kappa and MCC from the label vectors: agreement beyond chance, and the correlation of two binary variables."""
    found = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
    known = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    c = Confusion(tp, fp, fn, tn)
    n = len(found)
    if n:
        chance = sum(np.mean(found == k) * np.mean(known == k) for k in (0, 1))
        if chance < 1 - 1e-12:
            assert c.kappa == pytest.approx((np.mean(found == known) - chance) / (1 - chance))
        if found.std() > 0 and known.std() > 0:
            assert c.mcc == pytest.approx(np.corrcoef(found, known)[0, 1], abs=1e-9)
    if tp:
        assert 1 / c.f1 == pytest.approx((1 / c.precision + 1 / c.recall) / 2)
        assert c.iou == pytest.approx(c.f1 / (2 - c.f1))
    else:
        assert not c.recall > 0


def test_kappa_of_a_worked_example() -> None:
    """Fleiss, Levin and Paik (2003), ch. 18, two-by-two: 20 and 15 agreed, 5 and 10 not: kappa 0.4."""
    assert Confusion(20, 5, 10, 15).kappa == pytest.approx(0.4)


def test_what_is_undefined_is_nan() -> None:
    nothing = Confusion(0, 0, 0, 0)
    assert all(math.isnan(v) for v in (nothing.precision, nothing.recall, nothing.f1, nothing.kappa, nothing.mcc))


def test_what_was_not_seen_is_no_mistake_and_is_counted() -> None:
    mask = np.array([[0, 1, 255, 255, 1, 0, 0]], np.uint8)
    truth = np.array([[0, 1, 1, 0, 0, 1, 255]], np.uint8)
    result = score_pixels(mask, truth)
    assert result.seen == Confusion(tp=1, fp=1, fn=1, tn=1)
    assert (result.unseen_changed, result.unseen_same, result.unknown) == (1, 1, 1)
    with pytest.raises(ValueError, match="shape"):
        score_pixels(mask, truth[:, :3])
    with pytest.raises(ValueError, match="other numbers"):
        score_pixels(mask + 2, truth)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 999))
def test_matching_is_one_to_one_and_leaves_no_better_pair(rows: int, cols: int, seed: int) -> None:
    scores = np.random.default_rng(seed).random((rows, cols)).round(1)
    pairs = match_greedily(scores, 0.3)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    values = [scores[r, c] for r, c in pairs]
    assert values == sorted(values, reverse=True)
    free = [(r, c) for r in range(rows) for c in range(cols)
            if r not in {p for p, _ in pairs} and c not in {q for _, q in pairs}]  # fmt: skip
    assert all(scores[r, c] < 0.3 for r, c in free)
