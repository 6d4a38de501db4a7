"""`scan --due`: cron's command. Silent where nothing came in, one line for what is new, one for each failure."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from runs import Ended, files_of, sitewatch
from seriesworld import Story, write_images, write_site

from geo.errors import LockedError
from pipelines.due import in_order
from pipelines.ledger import Ledger, Look
from pipelines.lock import held
from pipelines.scan import WORKSPACE

STORY = Story(clearing=14, building=18, dates=30)
BEGIN = datetime(2020, 2, 1, tzinfo=UTC)


def due(workspace: Path, *words: object, days: float = 0.0) -> Ended:
    return sitewatch("scan", "--due", "-w", workspace, "--now", (BEGIN + timedelta(days=days)).isoformat(), *words)


def set_source(workspace: Path, images: Path, more: str = "") -> None:
    (workspace / "sitewatch.toml").write_text(
        f'[scan]\nprovider = "folder"\nsource = "{images}"\n{more}[publish]\nfigure_dpi = 72\n'
    )


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A workspace after its first scan of all but the last three dates."""
    root = tmp_path_factory.mktemp("due")
    workspace = root / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    write_images(workspace / "images", STORY, range(27))
    set_source(workspace, Path("images"))
    return workspace, due(workspace)


@pytest.fixture
def workspace(scanned: tuple[Path, Ended], tmp_path: Path) -> Path:
    shutil.copytree(scanned[0], tmp_path / "w")
    return tmp_path / "w"


def test_the_first_look_tells_of_a_confirmed_change_in_one_line(scanned: tuple[Path, Ended]) -> None:
    workspace, ended = scanned
    assert (ended.code, ended.err) == (0, "")
    (line,) = ended.out.splitlines()
    assert line.startswith("wood: ")
    report = Path(line.split()[-1])
    assert report.is_absolute()
    assert report.is_file()
    assert "confirmed clearing of 9.0 ha, began between 10 June 2019 and 22 June 2019" in line
    assert workspace in report.parents


def test_a_site_whose_cadence_has_not_passed_is_not_asked_for(workspace: Path) -> None:
    shutil.rmtree(workspace / "images")
    before = files_of(workspace)
    assert due(workspace, days=5) == Ended(0, "", "")
    assert files_of(workspace) == before


def test_nothing_new_means_silence_and_nothing_written(workspace: Path) -> None:
    due(workspace, days=20)  # the workspace has moved, and with it the folder of images
    before = files_of(workspace)
    assert due(workspace, days=40) == Ended(0, "", "")
    assert files_of(workspace) == before


def test_a_new_scene_makes_a_new_run_and_what_was_told_is_not_told_again(workspace: Path) -> None:
    write_images(workspace / "images", STORY, range(27, 29))
    assert due(workspace, days=20) == Ended(0, "", "")
    runs = [p.parent.name for p in (workspace / "outputs/runs/wood").glob("*/manifest.json")]
    assert len(runs) == 2
    assert due(workspace, days=40) == Ended(0, "", "")
    assert len(list((workspace / "outputs/runs/wood").glob("*/manifest.json"))) == 2


def test_a_file_replaced_under_its_name_is_looked_at(workspace: Path) -> None:
    name = f"{STORY.day(26):%Y%m%d}.tif"
    other = write_images(workspace / "other", Story(clearing=14, building=18, clouds=(26,)), range(26, 27))
    shutil.copyfile(other / name, workspace / "images" / name)
    assert due(workspace, days=20).code == 0
    assert len(list((workspace / "outputs/runs/wood").glob("*/manifest.json"))) == 2


def test_zones_drawn_anew_are_another_question(workspace: Path) -> None:
    write_site(workspace, perimeter=True)
    due(workspace, days=20)
    assert len(list((workspace / "outputs/runs/wood").glob("*/manifest.json"))) == 2


def test_what_was_published_and_not_told_is_told_by_the_next_scan(workspace: Path) -> None:
    """A run that died between publishing and printing must not swallow the alert."""
    with sqlite3.connect(workspace / "outputs/sitewatch.db") as db:
        db.execute("UPDATE alerts SET told = NULL")
    assert due(workspace, days=1).out.startswith("wood: ")
    assert due(workspace, days=1).out == ""


def test_a_killed_run_that_noted_nothing_is_told_as_well(workspace: Path) -> None:
    """All of the ledger's later words are lost: the run is there, and no alert, no look, no ending."""
    with sqlite3.connect(workspace / "outputs/sitewatch.db") as db:
        for table in ("alerts", "looks", "runs"):
            db.execute(f"DELETE FROM {table}")
    assert due(workspace, days=1).out.startswith("wood: ")
    assert len(list((workspace / "outputs/runs/wood").glob("*/manifest.json"))) == 1


def test_a_bounded_run_fetches_the_oldest_and_comes_back_for_the_rest(tmp_path: Path) -> None:
    """After a long pause no run may eat the whole quota; nothing is forgotten either."""
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    (workspace / "sitewatch.toml").write_text(
        '[scan]\nprovider = "simulator"\nmost_scenes = 8\n[publish]\nfigure_dpi = 72\n'
    )
    words = ("--from", "2017-01-01", "--to", "2017-03-15")
    counts = []
    for day in range(5):
        assert due(workspace, *words, days=day).code == 0
        counts.append(len(list((workspace / "outputs/archive/wood").glob("*/scene.json"))))
    with sqlite3.connect(workspace / "outputs/sitewatch.db") as db:
        waiting = db.execute("SELECT count(*) FROM observations WHERE reason LIKE 'waits%'").fetchone()[0]
    assert counts[0] == 8
    assert counts == sorted(counts)
    assert counts[-1] == counts[-2] > 16
    assert waiting == 0


def test_a_broken_site_costs_itself_alone(workspace: Path) -> None:
    shutil.copyfile(workspace / "aois/wood.geojson", workspace / "aois/bad.geojson")  # its id is not its name
    write_images(workspace / "images", STORY, range(27, 28))
    ended = due(workspace, days=20)
    assert ended.code == 3
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert "bad.geojson" in line
    assert len(list((workspace / "outputs/runs/wood").glob("*/manifest.json"))) == 2


def test_sites_at_a_time_give_the_same_files(tmp_path: Path) -> None:
    """Processes do not show."""
    made = []
    for name, workers in (("one", 1), ("two", 2)):
        workspace = tmp_path / name / "w"
        workspace.parent.mkdir()
        sitewatch("init", workspace)
        write_site(workspace)
        second = json.loads((workspace / "aois/wood.geojson").read_text())
        for feature in second["features"]:
            if feature["properties"]["role"] == "site":
                feature["properties"]["id"] = "grove"
        (workspace / "aois/grove.geojson").write_text(json.dumps(second))
        write_images(workspace / "images", STORY, range(12))
        set_source(workspace, Path("images"))
        assert due(workspace, "--workers", workers) == Ended(0, "", "")
        made.append(files_of(workspace / "outputs" / "runs"))
    assert made[0] == made[1]
    assert {name.split("/")[0] for name in made[0]} == {"grove", "wood"}


def test_a_due_scan_needs_to_be_told_where_scenes_come_from(workspace: Path) -> None:
    (workspace / "sitewatch.toml").unlink()
    ended = due(workspace)
    assert ended.code == 78
    assert "[scan]" in ended.err


def test_only_one_scan_of_a_workspace_runs(workspace: Path) -> None:
    with held(workspace / "outputs", WORKSPACE, now=BEGIN):
        ended = due(workspace, days=20)
    assert ended.code == LockedError.exit_code
    assert ended.out == ""


def test_the_longest_unseen_come_first_and_a_look_in_the_future_does_not_count() -> None:
    """Cron is not punctual, and clocks go wrong."""

    class Broken:
        """Stands for a site file that cannot be read."""

    now = datetime(2020, 6, 1, tzinfo=UTC)
    looks = {
        "old": Look("", None, now - timedelta(days=90)),
        "older": Look("", None, now - timedelta(days=120)),
        "future": Look("", None, now + timedelta(days=400)),
    }
    names = ("future", "old", "never", "older")
    assert in_order({name: Broken() for name in names}, looks, now) == ["never", "older", "old", "future"]


def test_a_site_that_ended_the_program_does_not_come_first_again(workspace: Path) -> None:
    """Its look is the oldest, but it was tried last: else it would keep all others from being seen, night after night."""
    now = datetime(2020, 6, 1, tzinfo=UTC)
    looks = {
        name: Look("q", None, now - timedelta(days=days)) for name, days in (("crash", 90), ("old", 40), ("new", 20))
    }
    sites = dict.fromkeys(looks, object())
    assert in_order(sites, looks, now) == ["crash", "old", "new"]
    assert in_order(sites, looks, now, {"crash": now - timedelta(days=1)}) == ["old", "new", "crash"]
    write_images(workspace / "images", STORY, range(27, 30))
    before = BEGIN + timedelta(days=30)
    with Ledger(workspace / "outputs/sitewatch.db") as ledger:
        assert ledger.attempts()["wood"] == BEGIN
    assert due(workspace, days=30).code == 0
    with Ledger(workspace / "outputs/sitewatch.db") as ledger:
        assert ledger.attempts()["wood"] == before
