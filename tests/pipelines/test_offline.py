"""What is made, proved and handed on here needs no network at all: tried where there is none, not even loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import Story, write_images, write_site

ROOT = Path(__file__).parents[2]
WITHOUT = ["unshare", "--net", "--map-root-user", "--user"]


def can_unshare() -> bool:
    """Some machines keep user namespaces from ordinary users."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*WITHOUT, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare(), reason="no network namespaces for this user")
def test_nothing_but_fetching_asks_the_network(tmp_path: Path) -> None:
    """A scan of a folder with all it publishes, and every command that reads a result."""
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace, perimeter=True)
    images = write_images(workspace / "images", Story(clearing=6, building=9, dates=14))
    (workspace / "sitewatch.toml").write_text(
        'workers = 2\n[scan]\nprovider = "folder"\nsource = "images"\n[publish]\nfigure_dpi = 72\n'
    )
    first, last = (sorted(images.iterdir())[index] for index in (0, -1))
    commands: list[list[object]] = [
        ["scan", "--due"],
        ["compare", first, last, "--out", tmp_path / "pair"],
        ["verify", workspace, "--recompute"],
        ["status"],
        ["figure", "wood", "--out", tmp_path / "figure"],
        ["timelapse", "wood", "--out", tmp_path / "timelapse"],
        ["export", "--out", tmp_path / "export"],
        ["export-evidence", workspace / "outputs/runs/wood/latest", "--out", tmp_path / "bag"],
        ["review", "export", "wood", "--out", tmp_path / "verdicts.csv"],
        ["schedule"],
        ["sites", "check"],
    ]
    for words in commands:
        done = subprocess.run(
            [*WITHOUT, sys.executable, "-m", "pipelines", "-w", str(workspace), "--now", "2020-02-01", *map(str, words)],
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=240,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert "network" not in done.stderr.lower(), words


def test_no_network_means_none(tmp_path: Path) -> None:
    """The trial itself: even loopback is out of reach there."""
    if not can_unshare():
        pytest.skip("no network namespaces for this user")
    program = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    done = subprocess.run([*WITHOUT, sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "unreachable" in done.stderr
