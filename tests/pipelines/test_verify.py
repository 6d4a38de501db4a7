"""Nothing can be changed, taken away or added unseen."""

import hashlib
import json
import random
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from geo import archive
from geo.errors import InputError, IntegrityError
from geo.files.sums import write_sums
from geo.scene import Provenance, Scene
from pipelines.chain import append_runs
from pipelines.verify import Report, verify

NOW = datetime(2022, 4, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def seal(folder: Path, *, previous: str | None = None, inputs: tuple[str, ...] = ()) -> str:
    """Write a run's files, sums and manifest; return the manifest's checksum."""
    (folder / "figures").mkdir(parents=True)
    (folder / "report.html").write_text(f"<p>{folder.name}</p>")
    (folder / "change.tif").write_bytes(bytes(range(256)) * 20)
    (folder / "figures" / "map.png").write_bytes(b"png" + folder.name.encode())
    write_sums(folder)
    names = ["change.tif", "figures/map.png", "report.html", "SHA256SUMS"]
    files = [
        {
            "name": n,
            "sha256": hashlib.sha256((folder / n).read_bytes()).hexdigest(),
            "size_bytes": (folder / n).stat().st_size,
        }
        for n in names
    ]
    document = {"files": files, "inputs": [{"sha256": s} for s in inputs], "previous": previous, "run_id": folder.name,
                "created": NOW.isoformat()}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(document))
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with one kept scene and a chain of three runs."""
    (tmp_path / "aois").mkdir()
    image = tmp_path / "scene.tif"
    image.write_bytes(b"not really a tiff")
    scene = Scene(id="s1", time=NOW, sensor="sentinel-2-l2a", href="scene.tif")
    provenance = Provenance(provider="folder", request={}, received=NOW)
    kept = archive.keep(tmp_path / "outputs/archive", "site-a", scene, provenance, image)
    previous = None
    for day in ("20220401T000000Z-aaaaaaaa", "20220402T000000Z-bbbbbbbb", "20220403T000000Z-cccccccc"):
        previous = seal(tmp_path / "outputs/runs/site-a" / day, previous=previous, inputs=(kept.sha256,))
    (tmp_path / "outputs/runs/site-a/latest").write_text("20220403T000000Z-cccccccc\n")
    append_runs(tmp_path / "outputs", "site-a")
    shutil.rmtree(tmp_path / "outputs/locks")
    (tmp_path / "outputs/index.html").write_text("<p>all sites</p>")
    (tmp_path / "outputs/sitewatch.db").write_bytes(b"x")
    return tmp_path


def run_folder(workspace: Path, index: int = 2) -> Path:
    return sorted(p for p in (workspace / "outputs/runs/site-a").iterdir() if p.is_dir())[index]


def faults(path: Path) -> str:
    report = verify(path)
    with pytest.raises(IntegrityError) as caught:
        report.raise_for_faults()
    assert caught.value.exit_code == 6
    assert report.to_json()["ok"] is False
    assert all("\n" not in line for line in report.lines())
    return " | ".join(report.faults)


def test_an_untouched_workspace_is_whole(workspace: Path) -> None:
    """Archive and runs are counted and nothing is wrong, however one names them."""
    report = verify(workspace)
    assert report.faults == []
    assert (report.runs, report.scenes, report.files) == (3, 1, 18)
    report.raise_for_faults()
    head, told = report.lines()
    assert "chain.log ends with number 3, SHA-256 " in head
    assert told == "3 runs and 1 scene with 18 files: complete, unchanged, closed."
    for part in ("outputs", "outputs/archive", "outputs/archive/site-a", "outputs/runs", "outputs/runs/site-a"):
        assert verify(workspace / part).faults == []
    assert verify(next((workspace / "outputs/archive/site-a").iterdir())).scenes == 1
    assert verify(run_folder(workspace)).runs == 1
    assert verify(workspace / "outputs/runs/site-a/latest").runs == 1


def test_an_outsider_gets_the_same_from_coreutils(workspace: Path) -> None:
    """`sha256sum -c SHA256SUMS` agrees."""
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=run_folder(workspace), capture_output=True, check=False
    )
    assert done.returncode == 0


def test_a_folder_of_compare_is_verified_too(tmp_path: Path) -> None:
    """No workspace, no previous run, no archive."""
    seal(tmp_path / "result", inputs=("0" * 64,))
    assert verify(tmp_path / "result").faults == []


def _write(name: str, content: str = "x") -> Any:
    def change(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    return change


def _edit_manifest(**keys: Any) -> Any:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))

    return change


def _shrink_in_manifest(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    _edit_manifest(files=[{**files[0], "size_bytes": 1}, *files[1:]])(folder)


def _link(folder: Path) -> None:
    (folder / "report.html").rename(folder.parent.parent / "elsewhere.html")
    (folder / "report.html").symlink_to(folder.parent.parent / "elsewhere.html")


def _resum(folder: Path) -> None:
    (folder / "report.html").write_text("forged")
    write_sums(folder, leave_out=("manifest.json",))


WRONG = [
    (_write("report.html"), "report.html was changed"),
    (lambda f: (f / "figures/map.png").unlink(), "figures/map.png is missing"),
    (_write("change.tif.aux.xml"), "change.tif.aux.xml is a stranger"),
    (_write("figures/extra.png"), "figures/extra.png is a stranger"),
    (_write(".hidden"), ".hidden is a stranger"),
    (_link, "report.html is a stranger"),
    (lambda f: (f / "manifest.json").unlink(), "has no manifest.json"),
    (lambda f: (f / "SHA256SUMS").unlink(), "SHA256SUMS cannot be read"),
    (_write("SHA256SUMS", "garbage\n"), "SHA256SUMS is damaged"),
    (_write("manifest.json", "{"), "manifest.json cannot be read"),
    (_write("manifest.json", "[]"), "it names no files"),
    (_write("manifest.json", '{"files": [1]}'), "has no name"),
    (_write("manifest.json", "[" * 100_000), "manifest.json cannot be read"),
    (_shrink_in_manifest, "bytes, its manifest says 1."),
    (_edit_manifest(files=[]), "in SHA256SUMS but not in manifest.json"),
    (_resum, "has different checksums in manifest.json and SHA256SUMS"),
    (_edit_manifest(previous="0" * 64), "follows a run that is not here"),
    (_edit_manifest(previous=5), "is not a checksum"),
    (_edit_manifest(previous=None), "follows no run, although 20220401T000000Z-aaaaaaaa"),
    (_edit_manifest(inputs=[{"sha256": "0" * 64}]), "that the archive lost"),
]


@pytest.mark.parametrize(("change", "expected"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_each_fault_of_a_run_is_told(change: Any, expected: str, workspace: Path) -> None:
    """One line names the file and what became of it."""
    change(run_folder(workspace))
    assert expected in faults(workspace)


def test_a_run_that_vanished_breaks_the_chain(workspace: Path) -> None:
    """The run after it points at nothing; where it was the newest, `latest` does."""
    shutil.rmtree(run_folder(workspace, 1))
    assert "20220403T000000Z-cccccccc follows a run that is not here" in faults(workspace)
    shutil.rmtree(run_folder(workspace, 1))
    assert "latest does not name a run" in faults(workspace)


def test_a_run_altered_with_all_its_sums_breaks_the_chain(workspace: Path) -> None:
    """Forging a run consistently still changes its manifest, which the next run knows."""
    folder = run_folder(workspace, 1)
    previous = json.loads((folder / "manifest.json").read_text())["previous"]
    shutil.rmtree(folder)
    seal(folder, previous=previous)
    assert "20220403T000000Z-cccccccc follows a run that is not here" in faults(workspace)


def test_a_slipped_in_run_is_told(workspace: Path) -> None:
    """Two runs cannot follow the same one."""
    previous = json.loads((run_folder(workspace, 2) / "manifest.json").read_text())["previous"]
    seal(workspace / "outputs/runs/site-a/20220402T120000Z-dddddddd", previous=previous)
    assert "is one of several runs that follow the same one" in faults(workspace)


def test_strangers_among_runs_and_scenes_are_told(workspace: Path) -> None:
    """Files where only folders belong, links that lead away."""
    (workspace / "outputs/runs/note.txt").write_text("x")
    (workspace / "outputs/runs/site-a/note.txt").write_text("x")
    (workspace / "outputs/runs/site-a/link").symlink_to(run_folder(workspace))
    (workspace / "outputs/archive/site-a/note.txt").write_text("x")
    (workspace / "outputs/runs/site-a/latest").write_text("../../x")
    told = faults(workspace)
    for name in ("runs/note.txt", "site-a/note.txt", "site-a/link", "archive/site-a/note.txt"):
        assert f"{name} is a stranger" in told
    assert "latest does not name a run" in told


def test_half_made_folders_are_remarks(workspace: Path) -> None:
    """A killed run proves nothing about the others."""
    (workspace / "outputs/runs/site-a/.20220404T000000Z-eeeeeeee.partial").mkdir()
    (workspace / "outputs/archive/site-a/.x.partial").mkdir()
    report = verify(workspace)
    assert report.faults == []
    assert len(report.remarks) == 3


def test_the_archive_is_part_of_it(workspace: Path) -> None:
    """A kept scene that rots is found, and the fault names it."""
    (scene,) = (workspace / "outputs/archive/site-a").iterdir()
    image = scene / "scene.tif"
    image.chmod(0o644)
    image.write_bytes(b"not really a tifg")
    assert f"{image} was changed" in faults(workspace)
    assert f"{image} was changed" in faults(scene)


def test_every_flipped_byte_is_found(workspace: Path) -> None:
    """Three hundred single-bit flips anywhere in archive and runs: all found, and none where nothing was flipped."""
    rng = random.Random(5)
    paths = [p for p in (workspace / "outputs/archive").rglob("*") if p.is_file()]
    paths += [p for p in (workspace / "outputs/runs").rglob("*") if p.is_file() and p.name not in ("latest",)]
    newest = run_folder(workspace) / "manifest.json"
    for _ in range(300):
        path = rng.choice(paths)
        if path == newest:  # no later run vouches for the newest manifest yet
            continue
        path.chmod(0o644)
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        assert verify(workspace).faults, path
        path.write_bytes(whole)
    assert verify(workspace).faults == []


def test_nothing_and_nonsense(tmp_path: Path) -> None:
    """A path to nowhere is an input error; a folder without seals is a fault; an empty workspace is whole."""
    with pytest.raises(InputError, match="nothing at"):
        verify(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        verify(tmp_path / "file")
    assert "holds no manifest" in faults(tmp_path)
    (tmp_path / "aois").mkdir()
    assert verify(tmp_path) == Report()
