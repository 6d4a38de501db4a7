"""The contract with cron, kept by the real program in a process of its own: no HOME, no terminal, any zone, signals."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.soak import many
from runs import files_of, sitewatch
from seriesworld import Story, write_images, write_site

NOW = "2020-02-01T00:00:00+00:00"
STORY = Story(clearing=6, building=9, dates=14)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    write_images(workspace / "images", STORY)
    (workspace / "sitewatch.toml").write_text(
        'workers = 1\n[scan]\nprovider = "folder"\nsource = "images"\n[publish]\nfigure_dpi = 72\n'
    )
    return workspace


def command(workspace: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "pipelines", "-w", str(workspace), "--now", NOW, "scan", "--due", *words]


def environment(**more: str) -> dict[str, str]:
    """What `env -i` leaves, and where this checkout lies."""
    return {"PYTHONPATH": str(Path(__file__).parents[2]), **more}


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_home_zone_locale_or_umask(tmp_path: Path) -> None:
    """Three environments that cron may have; the same result, and one line in each."""
    worlds = [
        {},
        {"HOME": "/nonexistent", "TZ": "Asia/Phnom_Penh", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "7"},
        {"TZ": "UTC+12", "LANG": "tr_TR.UTF-8", "COLUMNS": "20", "TERM": "dumb", "PROJ_DATA": "/usr/share/proj"},
    ]
    made = set()
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    write_images(workspace / "images", STORY)
    (workspace / "sitewatch.toml").write_text(
        '[scan]\nprovider = "folder"\nsource = "images"\n[publish]\nfigure_dpi = 72\n'
    )
    for number, world in enumerate(worlds):
        done = subprocess.run(
            command(workspace), env=environment(**world), cwd="/", capture_output=True, text=True, timeout=240,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), world
        assert len(done.stdout.splitlines()) == 1
        made.add(json.dumps({k: v.hex() for k, v in files_of(workspace / "outputs/runs").items()}))
        (workspace / "outputs").rename(tmp_path / f"outputs-{number}")
    assert len(made) == 1


def wait_for(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_stops_it_cleanly(workspace: Path, signum: signal.Signals, code: int) -> None:
    """Within seconds, with the documented code, nothing half-made left, and the next run does the work."""
    process = subprocess.Popen(
        command(workspace), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: list(workspace.glob("outputs/runs/wood/.*.partial")))
    process.send_signal(signum)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (code, "", "sitewatch: Stopped.\n")
    assert not list(workspace.glob("outputs/runs/wood/*"))
    assert not list(workspace.glob("outputs/runs/wood/.*"))
    again = sitewatch("scan", "--due", "-w", workspace)
    assert again.code == 0
    assert sitewatch("verify", "-w", workspace).code == 0


@pytest.mark.slow
def test_kill_9_of_the_parent_frees_the_locks_of_its_workers(workspace: Path) -> None:
    """The kernel ends the workers with their parent, so that the next run need not wait."""
    other = json.loads((workspace / "aois/wood.geojson").read_text())
    other["features"][0]["properties"]["id"] = "grove"
    (workspace / "aois/grove.geojson").write_text(json.dumps(other))
    process = subprocess.Popen(command(workspace, "--workers", "2"), env=environment(), start_new_session=True)
    wait_for(lambda: len(list(workspace.glob("outputs/locks/*.holder"))) == 3)
    held = [path.read_text() for path in workspace.glob("outputs/locks/*.holder")]
    pids = {int(text.split()[1].rstrip(",")) for text in held}
    process.kill()
    process.wait(timeout=10)
    wait_for(lambda: not any(alive(pid) for pid in pids), seconds=2.0)
    assert sitewatch("scan", "--due", "-w", workspace, "--now", NOW).code == 0
    assert {p.parent.parent.name for p in workspace.glob("outputs/runs/*/*/manifest.json")} == {"grove", "wood"}


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_many_simultaneous_starts_exactly_one_works(workspace: Path) -> None:
    """The others say who holds the lock and end with 11, at once."""
    for number in range(many(1, 50)):
        started = [
            subprocess.Popen(
                command(workspace), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(many(6, 10))
        ]
        ended = [(process, *process.communicate(timeout=240)) for process in started]
        codes = sorted(process.returncode for process, _, _ in ended)
        assert codes[0] == 0, number
        # One that starts after the first has ended finds nothing due, and may say so in silence.
        assert set(codes) <= {0, 11}, number
        assert sum(bool(out) for _, out, _ in ended) == 1, number
        assert len(list(workspace.glob("outputs/runs/wood/*/manifest.json"))) == 1
        assert all("Another run works" in err for process, _, err in ended if process.returncode == 11)
        shutil.rmtree(workspace / "outputs")


def test_without_a_terminal_there_is_no_progress(workspace: Path) -> None:
    """Nothing on standard error, one line on standard output; then silence."""
    first = sitewatch("scan", "--due", "-w", workspace, "--now", NOW)
    assert (first.code, first.err, len(first.out.splitlines())) == (0, "", 1)
    second = sitewatch("scan", "--due", "-w", workspace, "--now", NOW)
    assert (second.code, second.err, second.out) == (0, "", "")
