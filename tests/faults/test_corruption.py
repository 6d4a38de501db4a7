"""Every kind of damage to what was kept and published is found, and nothing is found where there is none."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from faults.soak import many
from runs import sitewatch
from seriesworld import Story, write_images, write_site

from pipelines.verify import verify


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rot") / "w"
    sitewatch("init", place)
    write_site(place)
    for day, dates in ((1, range(2)), (2, range(2, 3))):
        write_images(place / "images", Story(clearing=1, dates=3), dates)
        words = ("scan", "wood", "-w", place, "--source", place / "images", "--pair", "--now", f"2022-01-{day:02d}")
        assert sitewatch(*words).code == 0
    return place


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_damage_of_every_kind_is_found(workspace: Path) -> None:
    """Flips, cuts, zeroed tails, losses, swaps, strangers, sidecars and links in archive, runs and log."""
    rng = random.Random(9)
    outputs = workspace / "outputs"
    assert verify(workspace).faults == []

    def damage(path: Path, whole: bytes) -> str:
        kind = rng.choice(["flip", "cut", "tail", "lose", "grow", "stranger", "sidecar", "link"])
        if kind == "flip":
            at = rng.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        elif kind == "cut":
            path.write_bytes(whole[: rng.randrange(len(whole))])
        elif kind == "tail":
            keep = rng.randrange(len(whole))
            path.write_bytes(whole[:keep] + b"\1" + bytes(len(whole) - keep))
        elif kind == "lose":
            path.unlink()
        elif kind == "grow":
            path.write_bytes(whole + b"\n")
        elif kind == "stranger":
            path.with_name(f"{path.name}~").write_bytes(b"x")
        elif kind == "sidecar":
            path.with_name(f"{path.name}.aux.xml").write_text("<PAMDataset/>")
        else:
            path.unlink()
            path.symlink_to("/etc/hostname")
        return kind

    files = [p for p in (*(outputs / "archive").rglob("*"), *(outputs / "runs").rglob("*")) if p.is_file()]
    files = [p for p in files if p.name != "latest"]
    found = 0
    for _ in range(many(1000, 10_000)):
        path = rng.choice(files)
        whole, mode = path.read_bytes(), path.stat().st_mode
        path.chmod(0o644)
        before = set(path.parent.iterdir())
        kind = damage(path, whole)
        assert verify(workspace).faults, (kind, path)
        found += 1
        for other in set(path.parent.iterdir()) - before:
            other.unlink()
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
        path.chmod(mode)
    assert verify(workspace).faults == []
    print(f"{found} of {found} found, 0 false")


def test_a_run_or_a_scene_that_is_gone_is_found(workspace: Path, tmp_path: Path) -> None:
    """A whole folder taken away leaves a gap in the chain, in the log, or under the runs."""
    for pattern in ("archive/wood/*", "runs/wood/2*"):
        for folder in sorted((workspace / "outputs").glob(pattern)):
            copy = tmp_path / f"{folder.name}-copy"
            shutil.copytree(workspace, copy)
            shutil.rmtree(copy / folder.relative_to(workspace))
            assert verify(copy).faults, folder
            shutil.rmtree(copy)
