"""A bag that others can check: with bagit, with coreutils, and by making the result again from what lies in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import bagit
import pytest
from runs import files_of, sitewatch
from seriesworld import Story, write_images, write_site

STORY = Story(clearing=6, building=9, dates=15)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("bag") / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    for day, dates in ((1, range(13)), (2, range(13, 15))):
        write_images(workspace / "images", STORY, dates)
        words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", f"2020-01-{day:02d}")
        assert sitewatch(*words).code == 0
    return workspace


@pytest.fixture
def workspace(scanned: Path, tmp_path: Path) -> Path:
    shutil.copytree(scanned, tmp_path / "w")
    return tmp_path / "w"


def latest(workspace: Path) -> Path:
    return workspace / "outputs/runs/wood/latest"


def pack(workspace: Path, name: str = "bag") -> Path:
    out = workspace.parent / name
    ended = sitewatch("export-evidence", latest(workspace), "--out", out)
    assert (ended.code, ended.err) == (0, "")
    return out


@pytest.mark.slow
def test_others_can_check_the_bag_and_make_the_result_again(workspace: Path) -> None:
    bag = pack(workspace)
    bagit.Bag(str(bag)).validate(processes=1)
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        done = subprocess.run(["sha256sum", "-c", "--quiet", name], cwd=bag, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, b"")
    shutil.rmtree(workspace)
    (run,) = (bag / "data/outputs/runs/wood").iterdir()
    ended = sitewatch("verify", run, "--recompute")
    assert (ended.code, ended.err) == (0, "")
    assert "every byte came out the same" in ended.out


def test_the_same_run_gives_the_same_bag(workspace: Path) -> None:
    assert files_of(pack(workspace, "one")) == files_of(pack(workspace, "two"))


def test_every_published_file_leads_to_the_received_bytes(workspace: Path) -> None:
    """Every file of the run has a derivation from every scene, and each scene lies in the bag under its checksum."""
    bag = pack(workspace)
    document = json.loads((bag / "data/prov.json").read_text())
    (run,) = (bag / "data/outputs/runs/wood").iterdir()
    names = {f"file:{p.relative_to(run).as_posix()}" for p in run.rglob("*") if p.is_file()} - {"file:manifest.json"}
    scenes = {key for key in document["entity"] if key.startswith("sha256:")}
    pairs = {(d["prov:generatedEntity"], d["prov:usedEntity"]) for d in document["wasDerivedFrom"].values()}
    assert pairs == {(name, scene) for name in names for scene in scenes}
    sums = (bag / "manifest-sha256.txt").read_text()
    assert len(scenes) == 15
    assert all(f"{scene.removeprefix('sha256:')}  data/outputs/archive/wood/" in sums for scene in scenes)
    text = (bag / "data/METHOD.md").read_text()
    assert "sha256sum -c" in text
    assert "False alarms" in text


def test_what_is_not_whole_is_not_packed(workspace: Path) -> None:
    scene = next((workspace / "outputs/archive/wood").glob("*/*.tif"))
    scene.chmod(0o644)
    scene.write_bytes(scene.read_bytes() + b"x")
    ended = sitewatch("export-evidence", latest(workspace), "--out", workspace.parent / "bag")
    assert ended.code == 6
    assert not (workspace.parent / "bag").exists()


def test_a_sensitive_place_leaves_only_when_that_is_said(workspace: Path) -> None:
    path = workspace / "aois/wood.geojson"
    document = json.loads(path.read_text())
    document["features"][0]["properties"]["sensitive"] = True
    path.write_text(json.dumps(document))
    words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", "2020-01-05")
    assert sitewatch(*words).code == 0
    refused = sitewatch("export-evidence", latest(workspace), "--out", workspace.parent / "bag")
    assert refused.code == 2
    assert "--sensitive" in refused.err
    assert sitewatch("export-evidence", latest(workspace), "--out", workspace.parent / "bag", "--sensitive").code == 0


def test_what_is_no_run_of_a_scan_is_refused(workspace: Path) -> None:
    assert sitewatch("export-evidence", workspace, "--out", workspace.parent / "bag").code == 78
    assert sitewatch("export-evidence", workspace / "nothing", "--out", workspace.parent / "bag").code == 2
