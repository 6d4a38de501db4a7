"""Structure on real half-metre pairs: floors under the figures that tests/benchmarks/bench_structure.py prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import bench_structure as bench

from geo.kernels.objects import label_objects
from geo.kernels.structure import structure_change, structure_gain_loss

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def pairs() -> list[bench.JoplinPair]:
    """The three pairs, dates swapped."""
    from conftest import REAL_DATA

    if not (Path(REAL_DATA) / "vhr_xbd_joplin").is_dir():
        pytest.skip("no vhr_xbd_joplin beside the project (set SITEWATCH_REAL_DATA)")
    return bench.load_pairs(Path(REAL_DATA))


def test_houses_that_appear_are_found(pairs: list[bench.JoplinPair]) -> None:
    """Four of five houses at every second detection right, with a threshold chosen on the other pairs."""
    gains = [structure_gain_loss(p.before, p.after, gsd_m=bench.GSD_M).gain for p in pairs]
    curves = [bench.sweep(p, gain) for p, gain in zip(pairs, gains, strict=True)]
    total = sum((counts for _, counts in bench.leave_one_out(curves)), bench.Counts())
    assert total.house_recall >= 0.8
    assert total.precision >= 0.5
    assert total.recall >= 0.6
    assert total.stable_flagged / total.stable < 0.2
    assert total.undamaged_flagged / total.undamaged < 0.05
    aucs = np.array([bench.pixel_aucs(p, gain) for p, gain in zip(pairs, gains, strict=True)])
    assert aucs.min(axis=0)[0] > 0.88
    assert aucs.min(axis=0)[1] > 0.8


def test_brightness_alone_does_far_worse(pairs: list[bench.JoplinPair]) -> None:
    """The difference of brightness is what structure must beat, and it does on every pair."""
    for pair in pairs:
        gain = structure_gain_loss(pair.before, pair.after, gsd_m=bench.GSD_M).gain
        brightness = np.abs(pair.after.mean(0) - pair.before.mean(0))
        assert bench.pixel_aucs(pair, gain)[0] > bench.pixel_aucs(pair, brightness)[0] + 0.15


def test_unchanged_ground_stays_unchanged(pairs: list[bench.JoplinPair]) -> None:
    """Noise, gain, gamma, band gains and shifts up to 3 px raise no object among houses nor among debris."""
    for image in (pairs[1].before[:, :600, :600], pairs[1].after[:, :600, :600]):
        for name, altered in bench.alterations(image).items():
            score = structure_change(image, altered, gsd_m=bench.GSD_M)
            assert label_objects(score, 0.1, gsd_m=bench.GSD_M, min_area_m2=20)[1] == 0, name
