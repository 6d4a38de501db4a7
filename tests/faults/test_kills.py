"""Killed or failed at any write: nothing lost, nothing torn, no false success, and one clean run brings all right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.soak import many
from runs import sitewatch
from seriesworld import Story, write_images, write_site

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[2]


def made(place: Path, dates: int) -> Path:
    sitewatch("init", place)
    write_site(place)
    write_images(place / "images", Story(clearing=dates // 2, dates=dates))
    (place / "sitewatch.toml").write_text("workers = 1\n[publish]\nfigure_dpi = 72\npicture_px = 200\n")
    return place


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images, compared as a pair."""
    return made(tmp_path_factory.mktemp("kills") / "w", 2)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty images, a series."""
    return made(tmp_path_factory.mktemp("kills") / "long", 30)


def points(program: str, *words: object) -> list[dict[str, Any]]:
    """What came of every disturbed run; the last was not disturbed any more."""
    done = subprocess.run(
        [sys.executable, str(HERE / program), *map(str, words)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    whole, *told = map(json.loads, done.stdout.splitlines())
    assert whole["code"] == 0
    assert len(whole["tree"]) > 25
    return told


def assert_all_right(told: list[dict[str, Any]]) -> None:
    """O1-O7 of the plan of record: after one clean run archive, run, log and ledger are those of an undisturbed one."""
    for point in told:
        assert (point["second"]["code"], point["second"]["err"]) == (0, ""), point
        assert point["second"]["verify"] == 0, point
        assert point["second"]["left"] == [], point
        assert point["differs"] == [], point


def can_trace() -> bool:
    """Containers may forbid it."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_kill_9_at_any_write_of_a_series(long: Path) -> None:
    told = points("driver.py", long, "kill", 3, many(300, 1))
    assert sum(point["killed"] for point in told) >= many(3, 800)
    assert_all_right(told)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.skipif(not can_trace(), reason="faults below Python take strace, and the right to trace")
@pytest.mark.parametrize("fault", ["kill", "EIO", "ENOSPC"])
def test_no_failed_system_call_is_a_success(workspace: Path, fault: str) -> None:
    """GDAL's and SQLite's, too, which may not tell: what they did not write is missed, and told in a sentence."""
    told = points("syscalls.py", workspace, fault, many(900, 7), many(450, 1))
    assert len(told) >= many(1, 200)
    assert any(point["first"]["code"] != 0 for point in told), "no fault has struck"
    for point in told:
        first, second = point["first"], point["second"]
        assert not point["false success"], point
        assert "Traceback" not in first["err"], point
        assert "Unexpected" not in first["err"], point
        assert (second["code"], second["verify"], second["left"]) == (0, 0, []), point
        assert set(point["differs"]) <= {"ledger, ending"}, point  # a failure that is told stands there, too


def can_mount() -> bool:
    """Root may still lack the right, or the machine loop devices."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return False
    return subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kill_9_at_any_write_loses_and_tears_nothing(workspace: Path) -> None:
    """Just before a write, and just before and after a transaction."""
    told = points("driver.py", workspace, "kill", 3, many(24, 1))
    killed = [point for point in told if point["killed"]]
    assert len(killed) >= many(8, 180)
    assert_all_right(told)
    print(f"{len(killed)} kill points: nothing lost, nothing torn")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not can_mount(), reason="mounting a disk image takes root and loop devices")
def test_a_power_cut_at_any_write_loses_and_tears_nothing(workspace: Path) -> None:
    """Only what had reached the disk is there; after a run that ended with success that is everything."""
    told = points("power.py", workspace, 2, many(6, 1))
    cuts = [point for point in told if point["killed"]]
    assert len(cuts) >= many(30, 180)
    assert_all_right(told)
    assert told[-1]["first"]["code"] == 0
    assert told[-1]["left"] == []
    print(f"{len(cuts)} power cuts, and one after the end: nothing lost, nothing torn")


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="mounting a disk image takes root and loop devices")
@pytest.mark.parametrize("block", [1024, 4096])
def test_a_disk_that_fills_up_is_told_and_kills_nobody(tmp_path: Path, block: int) -> None:
    """Mapped files have their room or are not begun: else the kernel ends the process without a word."""
    workspace, image, place = made(tmp_path / "w", 12), tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    for mib in many((12,), range(8, 21)):
        with image.open("wb") as file:
            file.truncate(mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-b", str(block), str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
        try:
            shutil.copytree(workspace, place / "w")
            words = ["scan", "wood", "--source", str(place / "w" / "images")]
            done = subprocess.run(
                [sys.executable, "-m", "pipelines", "-w", str(place / "w"), *words], cwd=ROOT, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
        finally:
            subprocess.run(["umount", str(place)], check=True)
        assert done.returncode == 7, (mib, done.returncode, done.stderr)
        assert done.stderr.startswith("sitewatch: ")
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("mode", "code"), [("ENOSPC", 7), ("EIO", 1)])
def test_an_error_at_any_write_is_never_a_success(workspace: Path, mode: str, code: int) -> None:
    """A run that could not write all says so in one sentence with its code; what it had is kept, the next completes it."""
    told = points("driver.py", workspace, mode, 5, many(45, 1))
    assert len(told) >= many(4, 180)
    for point in told:
        first, second = point["first"], point["second"]
        assert not point["false success"], point
        assert first["code"] in (0, code, 1, 7, 78), point
        assert "Traceback" not in first["err"]
        assert "Unexpected" not in first["err"], point
        assert (second["code"], second["verify"], second["left"]) == (0, 0, []), point
        assert set(point["differs"]) <= {"ledger, ending"}, point  # the failure stands there, too
    failed = sum(point["first"]["code"] != 0 for point in told)
    assert failed >= len(told) // 3
    print(f"{len(told)} points with {mode}: {failed} told, none a false success")
