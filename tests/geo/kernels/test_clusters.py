"""Pieces of pure chance: what the theory says of them is what happens."""

import numpy as np
import pytest
from scipy import ndimage, stats

from geo.kernels.clusters import benjamini_hochberg, density, gradient_variance, piece_p, roughness

SIZE = 400


def field_p(seed: int, sigma: float) -> np.ndarray:
    """Null probabilities of smooth Gaussian noise."""
    noise = np.random.default_rng(seed).standard_normal((SIZE, SIZE))
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return stats.norm.sf(smooth / smooth.std())


def pieces(p: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Area and smallest p of every piece."""
    labels, count = ndimage.label(p <= level, np.ones((3, 3)))
    at = np.arange(1, count + 1)
    return ndimage.sum_labels(np.ones_like(p), labels, at), ndimage.minimum(p, labels, at)


@pytest.mark.parametrize("sigma", [2.0, 3.0, 4.5])
def test_the_smoothness_of_a_field_is_read_from_its_neighbours(sigma: float) -> None:
    """Closely, and hardly moved by a tenth of the ground changing."""
    p = field_p(1, sigma)
    expected = 1 / (2 * sigma**2)
    assert gradient_variance(roughness(p)) == pytest.approx(expected, rel=0.1)
    changed = slice(0, SIZE // 10)
    p[:, changed] = stats.norm.sf(stats.norm.isf(p[:, changed]) + 5)
    assert gradient_variance(roughness(p)) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
@pytest.mark.parametrize("level", [0.01, 0.003])
def test_as_many_pieces_as_the_theory_says(sigma: float, level: float) -> None:
    """Counted on eight fields, within a fifth."""
    counted = sum(len(pieces(field_p(seed, sigma), level)[0]) for seed in range(8))
    expected = 8 * SIZE**2 * float(density(level, 1 / (2 * sigma**2)))
    assert counted == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_chance_is_rarely_taken_for_change(sigma: float) -> None:
    """Of forty fields of pure chance hardly more than the asked one in twenty shows any piece."""
    wrong = 0
    for seed in range(40):
        p = field_p(100 + seed, sigma)
        gradient = gradient_variance(roughness(p))
        found = piece_p(*pieces(p, 0.01), formed_at=0.01, gradient=gradient)
        wrong += bool(benjamini_hochberg(found, 0.05).any())
    assert wrong <= 6  # 99 % of binomial(40, 0.05) lies at or below 6


def test_a_wide_weak_piece_and_a_small_strong_one_are_both_sure() -> None:
    """Extent and height each suffice."""
    found = piece_p(np.array([400.0, 4.0, 4.0]), np.array([0.008, 1e-12, 0.008]), formed_at=0.01, gradient=0.1)
    assert found[0] < 1e-6
    assert found[1] < 1e-6
    assert found[2] > 0.5


def test_a_field_without_chance_makes_every_piece_sure() -> None:
    """Where nothing varies, whatever stands out stands out."""
    assert gradient_variance(roughness(np.ones((5, 5)))) == 0
    assert piece_p(np.array([1.0]), np.array([0.009]), formed_at=0.01, gradient=0.0).tolist() == [0.0]


def test_levels_beyond_the_theory_are_refused() -> None:
    """Near the middle of the distribution pieces join into one network."""
    with pytest.raises(ValueError, match=r"0\.16"):
        piece_p(np.array([1.0]), np.array([0.1]), formed_at=0.3, gradient=0.1)
