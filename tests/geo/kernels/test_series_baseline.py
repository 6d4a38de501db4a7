"""The recursive baseline against ordinary linear algebra, and the parts of the k-of-n rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import chi2, norm

from geo.kernels import series_baseline
from geo.kernels.series_baseline import _kth_largest, gaussian_equivalent, scan, whitened
from geo.kernels.series_reference import Reference, SeriesSettings, prior_variance


def flat_reference(days, bands, groups=(0,), seasonal=True):
    """A reference of one class that subtracts nothing."""
    times = len(days)
    one = np.ones(1)
    return Reference(
        days, np.array(groups), np.zeros((1, times, bands)), np.ones((1, bands)), np.eye(bands), np.ones((1, times)),
        one, one * 4.0, one * 2.0, seasonal, True,
    )  # fmt: skip


@pytest.mark.parametrize("groups", [(0,), (22, 95)])
def test_harmonic_fit_is_the_ridge_regression_of_a_textbook(groups: tuple[int, ...], monkeypatch) -> None:
    """Every prediction is that of a fresh least-squares solve on all earlier looks, written independently."""
    monkeypatch.setattr(series_baseline, "_FIT_WITHIN", 1e6)  # nothing counts less: a linear problem
    rng = np.random.default_rng(0)
    days = np.sort(rng.uniform(18_000, 19_200, 60))
    group = np.array(groups)[rng.integers(0, len(groups), 60)]
    angle = 2 * np.pi * days / 365.2425
    y = 0.8 * np.cos(angle) - 0.5 * np.sin(2 * angle) + 0.4 * (group == 95) + rng.normal(0, 0.3, 60)
    clear = rng.random(60) > 0.3
    values = np.where(clear, y, np.nan).astype(np.float32)[:, None, None]
    reference = flat_reference(days, 1, groups)
    rules = SeriesSettings(z_candidate=1e6, z_inside=1.0)
    monkeypatch.setattr(series_baseline, "_SCALE_LEAST", 1.0)
    found = scan(values, clear[:, None], np.zeros(1, np.intp), group, reference, rules, keep=True)
    columns = [np.ones(60)] + [f(j * angle) for j in (1, 2) for f in (np.cos, np.sin)]
    columns += [(group == g).astype(float) for g in groups] if len(groups) > 1 else []
    X = np.stack(columns, axis=1)
    penalty = np.diag(1 / prior_variance(reference, 2)[0])
    seen = np.flatnonzero(clear)
    centre = np.zeros(X.shape[1])
    centre[0] = np.median(y[seen[:3]])
    assert found.residual is not None
    assert found.variance is not None
    for place, t in enumerate(seen[1:], 1):
        A, b = X[seen[:place]], y[seen[:place]] - X[seen[:place]] @ centre
        normal = A.T @ A + penalty
        expected = y[t] - X[t] @ (centre + np.linalg.solve(normal, A.T @ b))
        assert found.residual[t, 0, 0] == pytest.approx(expected, abs=2e-3)
        assert found.variance[t, 0] == pytest.approx(X[t] @ np.linalg.solve(normal, X[t]), rel=2e-2, abs=2e-3)


@pytest.mark.parametrize("bands", [1, 2, 4, 10])
def test_distances_are_gaussian(bands: int) -> None:
    """The quantiles of a chi-square become those of a normal, to a tenth (0.2 for one band, which nobody tests at)."""
    p = np.array([0.5, 0.9, 0.99, 0.9999])
    z = gaussian_equivalent((chi2.ppf(p, bands) / bands).astype(np.float32), bands)
    np.testing.assert_allclose(z, norm.ppf(p), atol=0.25 if bands == 1 else 0.1)


def test_residuals_of_honest_ground_are_standard_normal() -> None:
    """After two years of history: mean 0, spread 1, within what 2,000 pixels allow."""
    rng = np.random.default_rng(3)
    days = 18_000 + 12.0 * np.arange(70)
    values = rng.normal(0, 1, (70, 5, 2000)).astype(np.float32)
    clear = np.ones((70, 2000), np.bool_)
    found = scan(
        values, clear, np.zeros(2000, np.intp), np.zeros(70, np.int64), flat_reference(days, 5), SeriesSettings()
    )
    late = found.z[60:]
    assert abs(np.median(late)) < 0.1
    assert 0.9 < (np.quantile(late, 0.84) - np.quantile(late, 0.16)) / 2 < 1.15
    assert (found.confirmed >= 0).mean() < 0.001


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.floats(-5, 5, width=32)),
    st.data(),
)
def test_kth_largest_is_that_of_a_sort(values: np.ndarray, data) -> None:
    """Whatever the ties."""
    k = data.draw(st.integers(1, len(values)))
    np.testing.assert_array_equal(_kth_largest(values, k), np.sort(values, axis=0)[-k])


def test_whitening_makes_correlated_bands_independent() -> None:
    """What the triangle is for; and a look that is not clear is exactly zero."""
    rng = np.random.default_rng(1)
    R = np.array([[1, 0.8], [0.8, 1]])
    values = (np.linalg.cholesky(R) @ rng.normal(size=(2, 4000))).astype(np.float32)[None]
    clear = np.ones((1, 4000), np.bool_)
    clear[0, 0] = False
    lower = np.linalg.inv(np.linalg.cholesky(R))
    days = np.array([18_000.0])
    flat = flat_reference(days, 2, seasonal=False)
    reference = Reference(**{**vars(flat), "whiten": lower})
    out = whitened(values, clear, np.zeros(4000, np.intp), reference)
    np.testing.assert_allclose(np.cov(out[0]), np.eye(2), atol=0.06)
    assert (out[0, :, 0] == 0).all()


def test_torn_beginning_waits_for_more_looks() -> None:
    """Two hazy looks among the first three do not make the clean ones a change."""
    rng = np.random.default_rng(4)
    days = 18_000 + 10.0 * np.arange(30)
    values = rng.normal(0, 1, (30, 4, 200)).astype(np.float32)
    values[0] += 25
    values[2] += 12
    clear = np.ones((30, 200), np.bool_)
    found = scan(
        values,
        clear,
        np.zeros(200, np.intp),
        np.zeros(30, np.int64),
        flat_reference(days, 4, seasonal=False),
        SeriesSettings(),
    )
    assert (found.confirmed >= 0).mean() < 0.02
