"""The rule for every scene: up to 0.2 px left alone, up to 1.5 px put right, beyond that or without a peak refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from smalltif import TRANSFORM, UTM, write_tif

from geo.grid import Grid
from geo.scene import Provenance, Scene, SceneRecord
from pipelines.prepare import PrepareSettings, Series, prepare_series
from pipelines.prepare import prepare as prepare_pair

GRID = Grid(UTM, TRANSFORM, (120, 120))
START = datetime(2019, 1, 5, 3, 30, tzinfo=UTC)
BANDS = ("blue", "green", "red", "nir", "SCL")

RULE = [(0.05, "within tolerance"), (0.15, "within tolerance"), (0.35, "corrected"), (0.8, "corrected"), (1.35, "corrected"),
        (1.7, "refused"), (3.0, "refused")]  # fmt: skip


def record(folder: Path, name: str, data: NDArray[np.uint16], time: datetime) -> SceneRecord:
    path = write_tif(folder / f"{name}.tif", data, names=BANDS)
    kept = Provenance(provider="folder", request={}, received=START)
    scene = Scene(id=name, time=time, sensor="sentinel-2-l2a", href=name)
    return SceneRecord(scene=scene, provenance=kept, path=path, sha256=name, size_bytes=1)


def prepare(records: list[SceneRecord], folder: Path) -> Series:
    folder.mkdir()
    return prepare_series(records, grid=GRID, folder=folder, settings=PrepareSettings())


def ground(shift: float = 0.0, seed: int = 3) -> NDArray[np.uint16]:
    """Five bands with sharp detail, moved down by some pixels and sideways by half of it."""
    rng = np.random.default_rng(seed)
    fine = ndimage.gaussian_filter(rng.normal(0, 1, (160, 160)), 1.2)
    fine = ndimage.shift(fine, (shift / np.hypot(1, 0.5), 0.5 * shift / np.hypot(1, 0.5)), order=5, mode="nearest")[
        20:140, 20:140
    ]
    levels = np.array([500, 700, 900, 3000])[:, None, None]
    bands = np.clip(levels * (1 + 1.2 * fine), 50, 9000)
    return np.concatenate([bands, np.full((1, 120, 120), 4)]).astype(np.uint16)


@pytest.mark.parametrize(("shift", "state"), RULE)
def test_in_a_series(tmp_path: Path, shift: float, state: str) -> None:
    data = [ground(), ground(), ground(shift), ground()]
    records = [record(tmp_path, f"s{k}", look, START + timedelta(days=12 * k)) for k, look in enumerate(data)]
    found = prepare(records, tmp_path / "work")
    refused = {item.record.scene.id: item.reason for item in found.refused}
    if state == "refused":
        assert set(refused) == {"s2"}
        assert "px" in refused["s2"]
        return
    assert refused == {}
    look = next(look for look in found.looks if look.record.scene.id == "s2")
    assert look.registration == state
    assert look.shift_px is not None
    assert np.hypot(*look.shift_px) == pytest.approx(shift, abs=0.12)


def test_in_a_series_a_scene_without_a_peak_is_refused_where_the_others_have_one(tmp_path: Path) -> None:
    data = [ground(), ground(), ground(seed=99), ground()]  # another ground altogether
    records = [record(tmp_path, f"s{k}", look, START + timedelta(days=12 * k)) for k, look in enumerate(data)]
    found = prepare(records, tmp_path / "work")
    (refused,) = found.refused
    assert refused.record.scene.id == "s2"
    assert "could not be measured" in refused.reason or "px" in refused.reason


@pytest.mark.parametrize(("shift", "state"), RULE)
def test_in_a_pair(tmp_path: Path, shift: float, state: str) -> None:
    before = record(tmp_path, "a", ground(), START)
    after = record(tmp_path, "b", ground(shift), START + timedelta(days=12))
    pair = prepare_pair(before, after, folder=tmp_path, settings=PrepareSettings())
    assert pair.after.registration == state
    assert pair.after.shift_px is not None
    assert np.hypot(*pair.after.shift_px) == pytest.approx(shift, abs=0.12)
