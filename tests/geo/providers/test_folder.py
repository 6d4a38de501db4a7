"""Imagery given by hand: every file is a scene or has a reason; bytes are copied as they are."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from smalltif import noise, write_tif

from geo.errors import InputError
from geo.files.rasters import describe
from geo.providers import Provider
from geo.providers.folder import Folder, Options
from geo.scene import Query

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = Query()


def clock() -> datetime:
    return NOW


def item(href: str, bands: list[dict[str, Any]], **properties: Any) -> str:
    return json.dumps(
        {"type": "Feature", "properties": properties, "assets": {"data": {"href": href, "eo:bands": bands}}}
    )


@pytest.fixture
def imagery(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("20230810.tif", "20210305T101112.tif", "undated.tif"):
        write_tif(folder / name, noise(2), names=("B04", "B08"), nodata=0)
    (folder / "20220101.tif").write_text("not an image")
    (folder / "20230230.tif").write_bytes((folder / "undated.tif").read_bytes())
    (folder / "undated.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    (folder / "notes.txt").write_text("hello")
    (folder / "more").mkdir()
    return folder


def test_every_file_is_a_scene_or_has_a_reason(imagery: Path) -> None:
    """Oldest first, undated last; the rest is listed with a sentence that names it."""
    provider = Folder(imagery, clock)
    seam: Provider = provider
    scenes = list(seam.search(ALL))
    assert [s.id for s in scenes] == ["20210305T101112", "20230810", "undated"]
    assert scenes[0].time == datetime(2021, 3, 5, 10, 11, 12, tzinfo=UTC)
    assert scenes[2].time is None
    assert scenes[0].properties["bands"] == ["red", "nir"]
    assert [name for name, _ in provider.refused] == [
        "20220101.tif", "20230230.tif", "more", "notes.txt", "undated.tfw"
    ]  # fmt: skip
    assert all(name in reason for name, reason in provider.refused)
    names = {s.href for s in scenes} | {name for name, _ in provider.refused}
    assert names == {p.name for p in imagery.iterdir()}


def test_the_span_is_half_open(imagery: Path) -> None:
    """Scenes outside the span are left out; undated ones cannot be, so they stay."""
    query = Query(start=datetime(2021, 3, 5, 10, 11, 12, tzinfo=UTC), end=datetime(2023, 8, 10, tzinfo=UTC))
    assert [s.id for s in Folder(imagery, clock).search(query)] == ["20210305T101112", "undated"]


def test_bytes_are_copied_as_they_are(imagery: Path, tmp_path: Path) -> None:
    """The provenance says file and options and when, and no path of this machine."""
    provider = Folder(imagery, clock, Options(scale=2e-4), licence="CC-BY-4.0", credit="contains …")
    scene = provider.search(ALL)[1]
    path, how = provider.fetch(scene, ALL, tmp_path / "out")
    assert path.read_bytes() == (imagery / "20230810.tif").read_bytes()
    assert how.request == {"file": "20230810.tif", "options": {"scale": 2e-4}}
    assert (how.received, how.licence, how.credit) == (NOW, "CC-BY-4.0", "contains …")
    assert str(tmp_path) not in json.dumps([how.request, scene.href, dict(scene.properties)])
    assert describe(path, **scene.properties["describe"]).encoding.scale == (2e-4, 2e-4)  # type: ignore[arg-type]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["20230810.tif"]


def test_a_single_file(imagery: Path, tmp_path: Path) -> None:
    """`compare` names one file; if it is bad, that is an error, not a list."""
    provider = Folder(imagery / "undated.tif", clock)
    scene = provider.search(ALL)[0]
    assert provider.fetch(scene, ALL, tmp_path / "out")[0].name == "undated.tif"
    with pytest.raises(InputError, match="20220101"):
        Folder(imagery / "20220101.tif", clock).search(ALL)
    with pytest.raises(InputError, match="does not exist"):
        Folder(imagery / "nowhere", clock).search(ALL)


def test_a_stac_item_beside_the_image(tmp_path: Path) -> None:
    """It gives time, band names, scale and offset; options win over it; used items are no refused files."""
    write_tif(tmp_path / "scene.tif", noise(3))
    bands = [{"name": "B04", "common_name": "red", "scale": 1e-4, "offset": -0.1}, {"name": "B08"}, {"name": "SCL"}]
    (tmp_path / "scene.json").write_text(item("./scene.tif", bands, datetime="2023-08-10T10:00:31Z"))
    provider = Folder(tmp_path, clock)
    (scene,) = provider.search(ALL)
    assert provider.refused == []
    assert scene.time == datetime(2023, 8, 10, 10, 0, 31, tzinfo=UTC)
    found = describe(tmp_path / "scene.tif", **scene.properties["describe"]).encoding  # type: ignore[arg-type]
    assert (found.bands, found.scale, found.offset) == (("red", "nir"), (1e-4, 1.0), (-0.1, 0.0))
    assert found.mask_kind == "scl"
    other = Folder(tmp_path, clock, Options(bands=("green", "blue", "-"))).search(ALL)[0]
    assert other.properties["bands"] == ["green", "blue"]


def test_an_item_of_many_files_says_nothing_of_this_one(tmp_path: Path) -> None:
    """Bands are taken from the asset that is this file, never from another."""
    write_tif(tmp_path / "scene.tif", noise(2), names=("B03", "B04"))
    asset = {"href": "other.tif", "eo:bands": [{"name": "VV"}]}
    text = {"type": "Feature", "properties": {}, "assets": {"a": asset, "b": {**asset, "href": "third.tif"}}}
    (tmp_path / "scene.tif.json").write_text(json.dumps(text))
    assert Folder(tmp_path, clock).search(ALL)[0].properties["bands"] == ["green", "red"]


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff", '{"type": "Feature", "properties": {}, "assets": 5}'])
def test_items_that_are_none(tmp_path: Path, text: str) -> None:
    """Unreadable JSON beside an image refuses the image in words; an odd one is simply not used."""
    write_tif(tmp_path / "20200101.tif", noise(2))
    (tmp_path / "20200101.json").write_bytes(text.encode("latin-1"))
    provider = Folder(tmp_path, clock)
    scenes = provider.search(ALL)
    assert len(scenes) + len(provider.refused) == 1
    assert all("20200101.json" in reason for _, reason in provider.refused)


def test_names_that_differ_only_in_their_suffix(tmp_path: Path) -> None:
    """Each keeps an id of its own, so that neither is taken for a new version of the other."""
    write_tif(tmp_path / "a.tif", noise(3, "uint8", 1, 250))
    write_tif(tmp_path / "a.png", noise(3, "uint8", 1, 250), driver="PNG", crs=None, transform=None)
    for stray in tmp_path.glob("*.aux.xml"):
        stray.unlink()
    assert [s.id for s in Folder(tmp_path, clock).search(ALL)] == ["a.png", "a.tif"]


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("S2A_MSIL2A_20230810T100031_N0509_R122_T33TWM.tif", "sentinel-2-l2a"),
        ("LC08_L2SP_218074_20190114_20200829_02_T1.tif", "landsat-8-l2"),
        ("OPERA_L2_RTC-S1_T137-292319-IW2_20211119T015858Z.tif", "sentinel-1-rtc"),
        ("20200101.tif", "unknown"),
    ],
)
def test_the_sensor_is_only_said_where_known(tmp_path: Path, name: str, sensor: str) -> None:
    """Product names tell the sensor; nothing else does."""
    write_tif(tmp_path / name, noise(2))
    assert Folder(tmp_path, clock).search(ALL)[0].sensor == sensor


def test_searching_again_starts_afresh(imagery: Path) -> None:
    """Refusals are those of the last search."""
    provider = Folder(imagery, clock)
    provider.search(ALL)
    first = list(provider.refused)
    provider.search(ALL)
    assert provider.refused == first
