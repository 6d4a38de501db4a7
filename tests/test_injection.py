"""The injection harness: what it paints, and that it leaves the rest of the real series alone."""

import numpy as np
import pytest
from injection import VARIANTS, Series, backgrounds, inject


def made(radar: bool = False) -> Series:
    rng = np.random.default_rng(0)
    days = 18_000 + 20.0 * np.arange(20)
    if radar:
        cube = -14 + 3 * rng.normal(size=(1, 2, 60, 60)) + rng.normal(0, 1, (20, 2, 60, 60))
        return Series("made", cube.astype(np.float32), days, np.zeros(20, np.int64), ("vv", "vh"), 10.0, radar=True)
    kind = np.repeat(np.repeat(rng.choice(3, (6, 6), p=[0.7, 0.2, 0.1]), 10, 0), 10, 1)
    spectra = np.array([[0.03, 0.05, 0.04, 0.35], [0.10, 0.13, 0.17, 0.24], [0.2, 0.2, 0.2, 0.2]])
    cube = spectra[kind].transpose(2, 0, 1)[None] * rng.lognormal(0, 0.05, (20, 1, 60, 60))
    cube[:, :, :10, :10][rng.random(20) < 0.3] = np.nan
    return Series("made", cube.astype(np.float32), days, np.zeros(20, np.int64), ("blue", "green", "red", "nir"), 10.0)


@pytest.mark.parametrize("radar", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_paints_inside_the_site_from_the_onset_on(radar: bool, variant: str) -> None:
    """Before the onset and away from the site every value stays; clouds stay everywhere; a seed says it all."""
    series = made(radar)
    for seed in range(5):
        found = inject(series, seed=seed, variant=variant)
        changed = ~np.isclose(found.series.cube, series.cube, equal_nan=True)
        assert not changed[: found.onset].any()
        assert not changed[:, :, found.site == 0].any()
        assert changed[found.onset][:, found.site > 0.9].mean() > 0.5
        assert np.array_equal(np.isnan(found.series.cube), np.isnan(series.cube))
        area = found.site.sum() * series.gsd_m**2 / 1e4
        assert area == pytest.approx(found.area_ha, rel=0.1)
        assert series.days[found.onset - 1] < found.onset_day <= series.days[found.onset]
        again = inject(series, seed=seed, variant=variant)
        np.testing.assert_array_equal(again.series.cube, found.series.cube)


def test_regrowth_comes_back_and_construction_does_not() -> None:
    """At the end of a long series the one is as it was, the other is not."""
    series = made()

    def left(variant: str, seed: int) -> float:
        found = inject(series, seed=seed, variant=variant, onset=(0.1, 0.15))
        return float(np.abs(found.series.cube[-1] - series.cube[-1])[:, found.site > 0.9].mean())

    assert np.mean([left("construction", seed) for seed in range(6)]) > 0.03
    assert max(left("regrowth", seed) for seed in range(6)) < 1e-6


def test_an_unknown_variant_is_refused() -> None:
    """Rather than painted as something else."""
    with pytest.raises(ValueError, match="variant"):
        inject(made(), seed=0, variant="castle")


@pytest.mark.real
def test_real_backgrounds_take_a_site(real_data) -> None:
    """Each real series that is there can be painted, and the paint shows on some date."""
    found = backgrounds(real_data)
    if not found:
        pytest.skip("no series among the real imagery")
    for series in found.values():
        painted = inject(series, seed=1)
        assert (~np.isclose(painted.series.cube, series.cube, equal_nan=True)).any()
