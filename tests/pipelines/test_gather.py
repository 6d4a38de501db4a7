"""`acquire`: only what is lacking, never twice, whole or not at all, however often it is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import write_site
from services.stac import Fault, Store, serving
from stacworld import publish_wood, tile_grid

from geo import archive

SMALL = tile_grid(170, left=299_800, top=1_200_200)
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with serving(tmp_path / "store") as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    return tmp_path / "w"


def fill(store: Store, count: int, bands: tuple[str, ...] = ("red", "nir", "SCL")) -> list[str]:
    """Days of even wood."""
    days = [date(2019, 1, 5) + timedelta(days=5 * n) for n in range(count)]
    for day in days:
        publish_wood(store, f"S2A_48PUS_{day:%Y%m%d}_0_L2A", f"{day}T03:21:30Z", grid=SMALL, bands=bands)
    return [f"{day}" for day in days]


def acquire(workspace: Path, store: Store, *words: object) -> tuple[int, dict[str, object]]:
    ended = sitewatch(
        "acquire", "wood", "-w", workspace, "--provider", "stac", "--source", f"{store.url}/stac", "--json", *words
    )
    return ended.code, json.loads(ended.out) if ended.out else {"error": ended.err}


def states(said: dict[str, object]) -> list[str]:
    return [scene["state"] for scene in said["scenes"]]  # type: ignore[attr-defined, index]


def file_requests(store: Store) -> int:
    return sum(n for path, n in store.asked.items() if path.startswith("/files/"))


def test_a_dry_run_fetches_nothing_and_says_what_is_kept_and_what_the_rest_costs(workspace: Path, store: Store) -> None:
    fill(store, 3)
    code, said = acquire(workspace, store, "--dry-run")
    assert (code, states(said)) == (0, ["missing"] * 3)
    assert file_requests(store) == 0
    assert not (workspace / "outputs/archive/wood").exists()
    assert said["estimate"]["bytes"] > 0  # type: ignore[index]
    assert acquire(workspace, store, "--to", "2019-01-08")[0] == 0
    _, said = acquire(workspace, store, "--dry-run")
    assert states(said) == ["kept", "missing", "missing"]
    text = sitewatch(
        "acquire", "wood", "-w", workspace, "--provider", "stac", "--source", f"{store.url}/stac", "--dry-run"
    ).out
    assert "2019-01-05 03:21  kept" in text
    assert "1 kept, 2 missing. To fetch: about" in text


def test_only_what_is_lacking_is_fetched_and_open_spans_are_asked_again(workspace: Path, store: Store) -> None:
    fill(store, 3)
    assert states(acquire(workspace, store)[1]) == ["fetched"] * 3
    before = file_requests(store)
    assert states(acquire(workspace, store)[1]) == ["kept"] * 3
    assert file_requests(store) == before
    fill(store, 4)
    assert states(acquire(workspace, store, "--workers", 3)[1]) == ["kept"] * 3 + ["fetched"]
    for _, check in archive.verify(workspace / "outputs/archive"):
        assert check.ok


def test_a_replaced_item_is_a_new_version_and_a_deleted_one_stays(workspace: Path, store: Store) -> None:
    fill(store, 2)
    acquire(workspace, store)
    first = archive.list_scenes(workspace / "outputs/archive", "wood")
    name = store.items[0]["id"]
    publish_wood(
        store,
        name,
        "2019-01-05T03:21:30Z",
        grid=SMALL,
        bands=("red", "nir", "SCL"),
        added=3,
        updated="2025-06-01T00:00:00Z",
    )
    del store.items[0]  # the other one
    assert states(acquire(workspace, store)[1]) == ["fetched"]
    assert states(acquire(workspace, store)[1]) == ["kept"]
    kept = archive.list_scenes(workspace / "outputs/archive", "wood")
    assert len(kept) == 3
    assert {r.sha256 for r in first} < {r.sha256 for r in kept}
    assert sum(r.path.parent.name.endswith("_v2") for r in kept) == 1
    # Only the catalogue's entry is touched: the same bytes, kept once more and then not asked for again.
    store.items[0]["properties"]["updated"] = "2026-01-01T00:00:00Z"
    assert states(acquire(workspace, store)[1]) == ["fetched"]
    assert states(acquire(workspace, store)[1]) == ["kept"]


def test_one_bad_scene_costs_only_itself_and_is_told(workspace: Path, store: Store) -> None:
    fill(store, 3)
    store.faults.append(Fault("404", "20190110"))
    code, said = acquire(workspace, store)
    assert (code, states(said)) == (0, ["fetched", "unusable", "fetched"])
    assert "gone" in said["scenes"][1]["reason"]  # type: ignore[index]
    store.faults.clear()
    assert states(acquire(workspace, store)[1]) == ["kept", "fetched", "kept"]


def test_exit_codes(workspace: Path, store: Store) -> None:
    fill(store, 2)
    store.faults.append(Fault("404", "/files/"))
    assert acquire(workspace, store)[0] == 65
    store.faults[:] = [Fault("html", "/files/")]
    code, said = acquire(workspace, store)
    assert code == 75
    assert "page" in str(said["error"])
    store.faults[:] = [Fault("garbage", "/stac/search")]
    assert acquire(workspace, store)[0] == 75
    assert sitewatch("acquire", "nobody", "-w", workspace).code == 78
    assert sitewatch("acquire", "wood", "-w", workspace, "--provider", "nothing").code == 78
    assert sitewatch("acquire", "-w", workspace).code == 2
    assert sitewatch("acquire", "wood", "-w", workspace, "--workers", 0).code == 2


def test_what_arrived_before_the_network_gave_out_is_kept(workspace: Path, store: Store) -> None:
    fill(store, 4)
    store.faults.append(Fault("html", "20190120"))
    assert acquire(workspace, store, "--workers", 1)[0] == 75
    assert len(archive.list_scenes(workspace / "outputs/archive", "wood")) == 3
    store.faults.clear()
    assert states(acquire(workspace, store)[1]) == ["kept"] * 3 + ["fetched"]


def test_under_cron_nothing_is_said_of_what_went_well(workspace: Path, store: Store) -> None:
    fill(store, 1)
    ended = sitewatch("acquire", "wood", "-w", workspace, "--provider", "stac", "--source", f"{store.url}/stac")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


KILLED = """
import os, signal, sys
sys.path[:0] = [{root!r}, {tests!r}]
import rasterio, pystac_client
from pipelines.cli import run
import pipelines.commands, pipelines.site_commands, pipelines.acquire_command
words = {words!r}

def killing(at):
    seen = 0
    def hook(event, _):
        nonlocal seen
        if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.copyfile", "socket.connect",
                     "sqlite3.connect", "fcntl.flock", "os.listdir", "os.scandir"):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for line in sys.stdin:
    at = int(line)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if at:
            killing(at)
        os._exit(run(words))
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)
"""


@pytest.mark.slow
def test_killed_at_200_points_nothing_is_lost_torn_or_fetched_twice(workspace: Path, store: Store) -> None:
    """SIGKILL before the n-th change of files or connection, in one run after the other, from any state it left.

    The points step through the whole length of a run; whenever all scenes are there, the archive is emptied.
    """
    fill(store, 4, bands=("red", "SCL"))
    words = [
        "acquire",
        "wood",
        "-w",
        str(workspace),
        "--provider",
        "stac",
        "--source",
        f"{store.url}/stac",
        "--workers",
        "2",
    ]
    code = KILLED.format(root=str(ROOT), tests=str(ROOT / "tests"), words=words)
    place = workspace / "outputs/archive"
    kills = rounds = 0
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(at: int) -> str:
            process.stdin.write(f"{at}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return process.stdout.readline().strip()  # type: ignore[union-attr]

        at = 1
        while kills < 200:
            kept = {r.scene.id: (r.sha256, r.path) for r in archive.list_scenes(place, "wood")}
            days = [scene.split("_")[1][:8] for scene in kept]
            before = len(store.log)
            ended = run(at)
            fresh = store.log[before:]
            assert not [p for p in fresh if any(day in p for day in days)], "fetched again what was kept"
            after = {r.scene.id: (r.sha256, r.path) for r in archive.list_scenes(place, "wood")}
            assert kept.items() <= after.items(), "lost"
            assert all(check.ok or ".partial" in path.name for path, check in archive.verify(place)), "torn"
            if ended == "killed":
                kills, at = kills + 1, at + 3
                continue
            assert ended == "0"
            assert len(after) == 4
            assert all(check.ok for _, check in archive.verify(place)), "not tidied"
            rounds += 1
            _empty(place)
            at = 1 + rounds % 3
        process.stdin.close()
    assert rounds >= 1


def _empty(place: Path) -> None:
    import shutil

    for folder in (place / "wood").iterdir():
        os.chmod(folder, 0o755)
    shutil.rmtree(place / "wood")


@pytest.mark.slow
def test_365_scenes_by_4_workers_keep_to_the_rate_and_waste_none_of_it(workspace: Path, store: Store) -> None:
    """In requests, not in seconds of this machine: the service's own limit is the floor, refusals are few."""
    days = [date(2019, 1, 1) + timedelta(days=n) for n in range(365)]
    item = publish_wood(store, "day", "2019-01-01T03:21:30Z", grid=SMALL, bands=("red",))
    store.items[:] = [
        {**item, "id": f"day{n}", "properties": {**item["properties"], "datetime": f"{day}T03:21:30Z"}}
        for n, day in enumerate(days)
    ]
    store.rate = 40
    start = time.monotonic()
    code, said = acquire(workspace, store, "--workers", 4)
    took = time.monotonic() - start
    assert code == 0
    assert states(said) == ["fetched"] * 365
    passed = sum(store.asked.values()) - store.refused
    floor = passed / store.rate
    print(f"365 scenes: {passed} requests passed, {store.refused} refused, {took:.1f} s of {floor:.1f} s")
    assert passed <= 365 * 3 + 60
    assert store.refused <= 0.3 * passed
