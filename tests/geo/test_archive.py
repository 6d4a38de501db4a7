"""Scenes are kept once, whole, read-only, and prove it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geo import archive
from geo.errors import ConfigurationError, InputError, IntegrityError
from geo.files.sums import Check
from geo.scene import Provenance, Scene

TAKEN = datetime(2023, 8, 10, 10, 0, 31, tzinfo=UTC)
SCENE = Scene(id="S2A_33TWM", time=TAKEN, sensor="sentinel-2-l2a", href="a.tif", properties={"bands": ["red", "nir"]})
HOW = Provenance(
    provider="folder", request={"file": "a.tif"}, received=datetime(2024, 1, 2, tzinfo=UTC), licence="CC-BY", credit="©"
)


@pytest.fixture
def received(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.tif"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def test_what_is_kept(tmp_path: Path, received: Path) -> None:
    """The bytes as received, the record and the sums, read-only, under a name that says when and what."""
    record = archive.keep(tmp_path / "archive", "centre", SCENE, HOW, received)
    folder = record.path.parent
    assert folder.name.startswith("20230810T100031Z_sentinel-2-l2a_")
    assert folder.parent.name == "centre"
    assert sorted(p.name for p in folder.iterdir()) == ["SHA256SUMS", "a.tif", "scene.json"]
    assert record.path.read_bytes() == b"pixels"
    assert all(p.stat().st_mode & 0o777 == 0o444 for p in folder.iterdir())
    assert archive.read(folder) == record
    assert (record.size_bytes, record.provenance, record.scene) == (6, HOW, SCENE)
    assert received.exists()


def test_keeping_twice_changes_nothing(tmp_path: Path, received: Path) -> None:
    """The same bytes of the same scene are one record."""
    first = archive.keep(tmp_path / "a", "centre", SCENE, HOW, received)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")}
    again = archive.keep(tmp_path / "a", "centre", SCENE, replace(HOW, received=TAKEN), received)
    assert again == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")} == before


def test_new_bytes_are_a_new_version_and_both_stay(tmp_path: Path, received: Path) -> None:
    """A reprocessed scene never replaces the one that a report was written from."""
    first = archive.keep(tmp_path / "a", "centre", SCENE, HOW, received)
    received.write_bytes(b"reprocessed")
    second = archive.keep(tmp_path / "a", "centre", SCENE, HOW, received)
    received.write_bytes(b"pixels")
    assert archive.keep(tmp_path / "a", "centre", SCENE, HOW, received) == first
    assert second.path.parent.name == first.path.parent.name + "_v2"
    assert [r.sha256 for r in archive.list_scenes(tmp_path / "a", "centre")] == [first.sha256, second.sha256]
    assert first.path.read_bytes() == b"pixels"


def test_listing_is_by_time_and_undated_last(tmp_path: Path, received: Path) -> None:
    """Order of arrival does not matter; a site without scenes has none."""
    times = [datetime(2024, 5, 1, tzinfo=UTC), None, datetime(2019, 1, 1, tzinfo=UTC)]
    for i, time in enumerate(times):
        archive.keep(tmp_path / "a", "centre", replace(SCENE, id=str(i), time=time), HOW, received)
    records = archive.list_scenes(tmp_path / "a", "centre")
    assert [r.scene.time for r in records] == [times[2], times[0], None]
    assert records[2].path.parent.name.startswith("undated_")
    assert archive.list_scenes(tmp_path / "a", "other") == ()


def test_two_providers_may_use_the_same_id(tmp_path: Path, received: Path) -> None:
    """The short hash covers the provider too."""
    folders = {archive.folder_name(SCENE, name) for name in ("folder", "stac")}
    assert len(folders) == 2


def test_verify_finds_everything(tmp_path: Path, received: Path) -> None:
    """A changed byte, a missing file, a sidecar, a stray file and a forged record are all found, nothing else is."""
    root = tmp_path / "a"
    paths = [archive.keep(root, "centre", replace(SCENE, id=str(i)), HOW, received).path for i in range(5)]
    assert all(check.ok for _, check in archive.verify(root))
    assert len(list(archive.verify(root, "centre"))) == 5
    for path in paths[:2]:
        path.chmod(0o644)
    paths[0].write_bytes(b"pixelz")
    paths[1].unlink()
    (paths[2].parent / "a.tif.aux.xml").write_text("<PAMDataset/>")
    record = paths[3].parent / "scene.json"
    record.chmod(0o644)
    record.write_text(record.read_text().replace("2023-08-10", "2023-08-11"))
    (root / "centre" / "link").symlink_to("/")
    (root / "note.txt").write_text("x")
    found = {place.name: check for place, check in archive.verify(root) if not check.ok}
    assert found[paths[0].parent.name] == Check(("a.tif",), (), ())
    assert found[paths[1].parent.name].missing == ("a.tif",)
    assert found[paths[2].parent.name].strangers == ("a.tif.aux.xml",)
    assert found["centre"].strangers == ("link",)
    assert found["a"].strangers == ("note.txt",)
    assert paths[4].parent.name not in found
    assert found[paths[3].parent.name] == Check(("scene.json",), (), ())
    assert len(found) == 6


def test_a_record_that_does_not_fit_its_bytes(tmp_path: Path, received: Path) -> None:
    """Sums rewritten to fit changed bytes still contradict the record."""
    record = archive.keep(tmp_path / "a", "centre", SCENE, HOW, received)
    folder = record.path.parent
    for path in folder.iterdir():
        path.chmod(0o644)
    record.path.write_bytes(b"forged")
    archive.write_sums(folder)
    assert archive.verify_scene(folder) == Check(("a.tif",), (), ())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}', "null"])
def test_a_damaged_record(tmp_path: Path, received: Path, text: str) -> None:
    """A scene.json that is not one is an integrity error that names the folder, and verify goes on."""
    record = archive.keep(tmp_path / "a", "centre", SCENE, HOW, received)
    path = record.path.parent / "scene.json"
    path.chmod(0o644)
    path.write_text(text)
    with pytest.raises(IntegrityError, match=record.path.parent.name):
        archive.read(record.path.parent)
    assert not archive.verify_scene(record.path.parent).ok


def test_a_record_cannot_point_outside(tmp_path: Path, received: Path) -> None:
    """A file name with a folder in it is no record of ours."""
    record = archive.keep(tmp_path / "a", "centre", SCENE, HOW, received)
    path = record.path.parent / "scene.json"
    facts = json.loads(path.read_text())
    facts["file"]["name"] = "../../secret"
    path.chmod(0o644)
    path.write_text(json.dumps(facts))
    with pytest.raises(IntegrityError):
        archive.read(record.path.parent)


@pytest.mark.parametrize("site", ["../x", "", "A", "a/b", ".", "x" * 65, "-a", "a\n"])
def test_site_ids_stay_inside(tmp_path: Path, received: Path, site: str) -> None:
    """No id leads out of the archive."""
    with pytest.raises(ConfigurationError):
        archive.keep(tmp_path / "a", site, SCENE, HOW, received)
    assert not (tmp_path / "a").exists()


def test_odd_names_become_plain(tmp_path: Path, received: Path) -> None:
    """A received name cannot hide, escape or replace our own files; the real one is in the record."""
    for name in ("scene.json", "SHA256SUMS", ".hidden.tif", "smörgås bord.tif"):
        path = received.rename(received.with_name(name))
        record = archive.keep(tmp_path / "a", "centre", replace(SCENE, id=name), HOW, path)
        assert archive.verify_scene(record.path.parent).ok
        assert record.path.read_bytes() == b"pixels"
        assert not record.path.name.startswith(".")
        received = path


def test_nothing_received(tmp_path: Path) -> None:
    """A file that is not there leaves no folder."""
    with pytest.raises(InputError, match="was not received"):
        archive.keep(tmp_path / "a", "centre", SCENE, HOW, tmp_path / "none.tif")
    assert list(tmp_path.iterdir()) == []
