"""IR-MAD against an implementation of another make, and its known limits."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2 as chi2_law

from geo.kernels import irmad

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "irmad.json").read_text(encoding="utf-8"))


def scene(name):
    spec = importlib.util.spec_from_file_location("make_irmad", GOLDEN / "make_irmad.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.scene(*map(int, name.split("-"))), module


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_an_independent_implementation(name: str) -> None:
    """Correlations and statistics are those of a generalised eigenproblem on all pixels (Nielsen 2007)."""
    (x, y), module = scene(name)
    golden = CASES[name]
    assert x.sum() == pytest.approx(golden["before_sum"]), "the golden values were made from other numbers"
    model = irmad.fit(x, y, rounds=200, tolerance=1e-10)
    assert model.converged
    np.testing.assert_allclose(model.rho, golden["rho"], rtol=1e-7)
    values = irmad.chi2(model, x[:, :, None].astype(np.float32), y[:, :, None].astype(np.float32))[:, 0]
    kept = values[:: module.PIXELS // module.KEPT]
    np.testing.assert_allclose(kept, golden["chi2"], rtol=5e-3, atol=5e-3)  # float32 planes
    assert model.unchanged_share == pytest.approx(golden["unchanged_share"], rel=1e-5)


def test_invariant_to_gain_offset_and_mixing_of_bands() -> None:
    """Any invertible linear change of either date leaves the statistic as it is."""
    (x, y), _ = scene("1-4")
    mixing = np.random.default_rng(5).normal(size=(4, 4)) + 3 * np.eye(4)
    a, b = irmad.fit(x, y, tolerance=1e-10), irmad.fit(x, mixing @ y * 7 - 3, tolerance=1e-10)
    np.testing.assert_allclose(a.rho, b.rho, rtol=1e-6)


def test_different_numbers_of_bands_are_allowed() -> None:
    """The dates may have different sensors."""
    (x, y), _ = scene("2-6")
    assert len(irmad.fit(x, y[:4]).rho) == 4


def test_a_sample_agrees_with_the_full_image_to_a_hundredth_of_a_standard_deviation() -> None:
    """Iterating on a lattice sample is as good as iterating on everything."""
    rng = np.random.default_rng(11)
    n = 400_000
    base = rng.normal(size=(4, 4)) @ rng.normal(size=(4, n)) + 10
    later = 1.1 * base + 0.3 + 0.2 * rng.normal(size=base.shape)
    later[:, rng.random(n) < 0.08] += 3
    full, some = irmad.fit(base, later), irmad.fit(base[:, ::4], later[:, ::4])
    planes = [v[:, :, None].astype(np.float32) for v in (base, later)]
    a, b = (np.sqrt(irmad.chi2(model, *planes)) for model in (full, some))
    assert np.sqrt(np.mean((a - b) ** 2)) < 0.01 * a.std()


def test_noise_variance_keeps_rounding_from_looking_like_change() -> None:
    """A pair that differs by rounding only has statistics near zero once a floor of noise is given."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5000))
    y = (x * 1.5).astype(np.float32).astype(np.float64)
    model = irmad.fit(x, y, noise_variance=(np.full(3, 1e-4), np.full(3, 2.25e-4)))
    assert irmad.chi2(model, x[:, :, None].astype(np.float32), y[:, :, None].astype(np.float32)).max() < 1e-3


def test_stops_before_it_collapses_onto_a_corner_of_the_scene() -> None:
    """Where nearly everything has changed in its own way, the last sound round is returned, and said so."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, 6000))
    y = x + rng.standard_t(1, size=x.shape) * np.linspace(0.01, 3, 6000)
    model = irmad.fit(x, y, rounds=300)
    assert model.unchanged_share >= 0.05


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10])
def test_chi_square_survival_is_scipys(freedom: int) -> None:
    """The closed form agrees with scipy far into the tail."""
    values = np.concatenate([np.linspace(0, 60, 301), [200.0]])
    np.testing.assert_allclose(
        irmad.chi_square_survival(values, freedom), chi2_law.sf(values, freedom), rtol=1e-10, atol=1e-300
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (np.ones((2, 100)), np.ones((2, 90)), "same pixels"),
        (np.zeros((4, 20)), np.zeros((4, 20)), "too few"),
        (np.full((1, 50), np.nan), np.ones((1, 50)), "finite"),
        (np.ones((2, 100)), np.ones((2, 100)), "variance"),
    ],
)
def test_refuses_what_it_cannot_fit(before, after, message: str) -> None:
    """Errors say what is wrong."""
    with pytest.raises(ValueError, match=message):
        irmad.fit(before, after)


def test_nan_stays_nan_and_inputs_are_untouched() -> None:
    """An unobserved band makes an unobserved pixel."""
    (x, y), _ = scene("3-5")
    model = irmad.fit(x, y)
    a, b = x.reshape(5, 80, 100).astype(np.float32), y.reshape(5, 80, 100).astype(np.float32)
    a[0, 3, 4] = np.nan
    copies = a.copy(), b.copy()
    out = irmad.chi2(model, a, b)
    assert np.isnan(out[3, 4])
    assert np.isnan(out).sum() == 1
    np.testing.assert_array_equal(a, copies[0])
    np.testing.assert_array_equal(b, copies[1])
