"""Many scenes on one grid: what is looked at, what is refused and why, whatever the order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from seriesworld import BANDS, Story
from smalltif import TRANSFORM, UTM, write_tif

from geo.errors import InputError
from geo.grid import Grid
from geo.scene import Provenance, Scene, SceneRecord
from pipelines.prepare import PrepareSettings, Series, prepare_series

GRID = Grid(UTM, TRANSFORM, (120, 120))
START = datetime(2019, 1, 5, 3, 30, tzinfo=UTC)


def record(
    folder: Path, name: str, data: np.ndarray, time: datetime | None, bands: tuple[str, ...] = BANDS
) -> SceneRecord:
    path = write_tif(folder / f"{name}.tif", data, names=bands)
    scene = Scene(id=name, time=time, sensor="sentinel-2-l2a", href=name)
    kept = Provenance(provider="folder", request={}, received=START)
    return SceneRecord(scene=scene, provenance=kept, path=path, sha256=name, size_bytes=1)


def prepare(records: list[SceneRecord], folder: Path) -> Series:
    folder.mkdir(exist_ok=True)
    return prepare_series(records, grid=GRID, folder=folder, settings=PrepareSettings())


def test_every_scene_ends_as_a_look_or_with_its_reason(tmp_path: Path) -> None:
    story = Story(clouds=(3,))
    records = [record(tmp_path, f"s{k}", story.look(k), START + timedelta(days=12 * k)) for k in range(6)]
    records.append(record(tmp_path, "twin", story.look(2), START + timedelta(days=24, minutes=1)))
    records.append(record(tmp_path, "undated", story.look(1), None))
    records.append(record(tmp_path, "few", story.look(4)[:2], START + timedelta(days=100), BANDS[:2]))
    torn = record(tmp_path, "torn", story.look(1), START + timedelta(days=110))
    torn.path.write_bytes(b"no image")
    found = prepare([*records, torn], tmp_path / "work")
    assert [look.record.scene.id for look in found.looks] == ["s0", "s1", "s2", "s4", "s5"]
    why = {item.record.scene.id: item.reason for item in found.refused}
    assert set(why) == {"s3", "twin", "undated", "few", "torn"}
    assert why["s3"].startswith("not observed")
    assert "same overpass as s2" in why["twin"]
    assert "states no time" in why["undated"]
    assert "the other scenes" in why["few"]
    assert found.bands == ("blue", "green", "red", "nir")


def test_the_order_of_the_scenes_does_not_matter(tmp_path: Path) -> None:
    story = Story(clearing=2)
    records = [record(tmp_path, f"s{k}", story.look(k), START + timedelta(days=12 * k)) for k in range(5)]
    one, other = prepare(records, tmp_path / "one"), prepare(records[::-1], tmp_path / "two")
    assert [look.record for look in one.looks] == [look.record for look in other.looks]
    assert one.cube.numbers.read_bytes() == other.cube.numbers.read_bytes()
    assert one.cube.flags.read_bytes() == other.cube.flags.read_bytes()


def test_a_shifted_scene_is_put_right_and_one_far_off_is_refused(tmp_path: Path) -> None:
    story = Story()
    fine = np.random.default_rng(3).normal(0, 250, (1, 120, 120))
    data = [np.clip(story.look(k)[:4] + ndimage.gaussian_filter(fine, (0, 1, 1)) * 3, 1, None) for k in range(4)]
    moved = ndimage.shift(data[1], (0, 0.6, 0), order=3, mode="nearest")
    far = np.roll(data[2], 5, axis=2)
    scl = np.full((1, 120, 120), 4)
    looks = [np.concatenate([np.clip(d, 1, 9000), scl]).astype(np.uint16) for d in (data[0], moved, far, data[3])]
    records = [record(tmp_path, f"s{k}", look, START + timedelta(days=12 * k)) for k, look in enumerate(looks)]
    found = prepare(records, tmp_path / "work")
    states = {look.record.scene.id: look.registration for look in found.looks}
    assert states["s1"] == "corrected"
    shift = next(look.shift_px for look in found.looks if look.record.scene.id == "s1")
    assert shift is not None
    assert shift[0] == pytest.approx(0.6, abs=0.15)
    assert [item.record.scene.id for item in found.refused] == ["s2"]


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    cloud = np.full((5, 120, 120), 9, np.uint16)
    with pytest.raises(InputError, match="not observed"):
        prepare([record(tmp_path, "s0", cloud, START)], tmp_path / "work")


def test_a_bright_roof_under_a_cloud_class_is_seen_again_and_a_cloud_is_not(tmp_path: Path) -> None:
    """The mask calls the same bright block cloud on every date: it is a surface. A true cloud comes once."""
    story = Story(building=0, clearing=0)
    records = []
    for k in range(8):
        look = story.look(k)
        look[4, 52:62, 52:64] = 9
        if k == 4:
            look[:4, 90:110, 20:50], look[4, 90:110, 20:50] = 6000, 9
        records.append(record(tmp_path, f"s{k}", look, START + timedelta(days=12 * k)))
    found = prepare(records, tmp_path / "work")
    whole = (slice(0, 120), slice(0, 120))
    seen = np.isfinite(found.cube.cut(whole)).all(axis=1)
    assert seen[:, 52:62, 52:64].mean() > 0.95
    assert seen[4, 92:108, 22:48].mean() < 0.02
