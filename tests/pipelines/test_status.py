"""`status` and outputs/index.html: who was seen when, and who is blind; `schedule`: text that cron and systemd take."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chromium import Chromium, find_chromium
from runs import Ended, sitewatch
from seriesworld import Story, write_images, write_site

from pipelines.publish.portfolio import Happening, SiteRow, portfolio_html
from pipelines.schedule import Plan, crontab, units

NOW = datetime(2019, 11, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("status") / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    other = json.loads((workspace / "aois/wood.geojson").read_text())
    other["features"][0]["properties"] |= {"id": "hidden", "name": "A place", "sensitive": True}
    (workspace / "aois/hidden.geojson").write_text(json.dumps(other))
    write_images(workspace / "images", Story(clearing=10, building=14, dates=26))
    ended = sitewatch("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", NOW.isoformat())
    assert ended.code == 0
    return workspace


def told(workspace: Path, now: str) -> list[dict[str, object]]:
    ended = sitewatch("status", "-w", workspace, "--json", "--now", now)
    assert (ended.code, ended.err) == (0, "")
    rows: list[dict[str, object]] = json.loads(ended.out)["sites"]
    return rows


def test_a_site_is_seen_then_overdue_then_blind(scanned: Path) -> None:
    """The same files, later and later: silence is never taken for rest."""
    hidden, wood = told(scanned, "2019-11-20")
    assert (wood["state"], wood["overdue"], wood["blind_since"]) == ("change", False, None)
    assert wood["phase"] == "Active Construction"
    assert wood["buildings"] == "1 of 1 planned stand"
    assert (hidden["state"], hidden["last_look"], hidden["blind_since"]) == (None, None, None)
    _, wood = told(scanned, "2019-12-10")
    assert (wood["overdue"], wood["blind_since"]) == (True, None)
    _, wood = told(scanned, "2020-03-01")
    assert wood["blind_since"] == wood["last_clear"]


def test_a_failed_run_and_a_broken_file_stand_out(scanned: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(scanned, workspace)
    (workspace / "aois/broken.geojson").write_text("{")
    sitewatch("scan", "wood", "-w", workspace, "--source", workspace / "nowhere", "--now", "2019-11-07")
    ended = sitewatch("status", "-w", workspace, "--now", "2019-11-08")
    assert re.search(r"^wood +failed", ended.out, re.M)
    assert "the last run failed: " in ended.out
    assert "broken.geojson" in ended.out
    assert "change" not in ended.out.split("wood")[1].split("\n")[0]


def test_status_of_an_empty_workspace_says_so(tmp_path: Path) -> None:
    sitewatch("init", tmp_path / "w")
    ended = sitewatch("status", "-w", tmp_path / "w")
    assert (ended.code, len(ended.out.splitlines())) == (0, 1)
    assert not (tmp_path / "w/outputs/sitewatch.db").exists()


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed")
def test_the_index_opens_without_network_and_leads_to_the_report(scanned: Path, tmp_path: Path) -> None:
    """Real Chromium: nothing is asked for, nothing complains, the link works, a sensitive place is not on the map."""
    browser = Chromium(tmp_path / "profile")
    try:
        browser.open(scanned / "outputs/index.html")
        assert browser.evaluate("document.querySelectorAll('tbody tr').length") == 2
        link = browser.evaluate("document.querySelector('#wood a').getAttribute('href')")
        assert (scanned / "outputs" / str(link)).is_file()
        assert browser.evaluate("document.querySelectorAll('.chart .name').length") == 1
        assert browser.evaluate("document.querySelectorAll('.news li').length") == 1
        (tmp_path / "index.png").write_bytes(browser.screenshot(whole=True))
        assert browser.complaints() == []
    finally:
        browser.close()


def test_an_index_that_a_killed_run_left_behind_is_written_anew(scanned: Path, tmp_path: Path) -> None:
    """It died between signing off and the index; the next run finds nothing new, and the index tells all the same."""
    workspace = tmp_path / "w"
    shutil.copytree(scanned, workspace)
    index = workspace / "outputs/index.html"
    whole = index.read_text()
    words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", NOW.isoformat())
    for spoil in (index.unlink, lambda: (index.write_text("no change"), os.utime(index, ns=(0, 0)))):
        spoil()
        assert sitewatch(*words).code == 0
        assert len(list(workspace.glob("outputs/runs/wood/*/manifest.json"))) == 1
        assert index.read_text() == whole


def test_no_text_from_outside_becomes_markup() -> None:
    bad = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    row = SiteRow(
        id=bad, name=bad, known_to=bad, place=(104.0, 11.0), state="change", problem=bad, summary=bad, phase=bad,
        wall=bad, buildings=bad, report=bad, happenings=(Happening(told=NOW, words=bad, report=bad),),
    )  # fmt: skip
    text = portfolio_html([row], now=NOW)
    assert text.count("<script>") == 1  # our own
    assert "<img" not in text


def test_the_crontab_line_survives_spaces_and_percent_signs(tmp_path: Path) -> None:
    """Run by a real shell, after cron's own unescaping, the words arrive as they were."""
    workspace = tmp_path / "100% mine; it's"
    plan = Plan.of(workspace, program=Path("/bin/echo"), at="03:05", mail="desk@example.org", workers=2)
    first, line = crontab(plan).splitlines()
    assert first == "MAILTO=desk@example.org"
    minute, hour, day, month, week, command = line.split(" ", 5)
    assert (minute, hour, day, month, week) == ("5", "3", "*", "*", "*")
    assert not re.search(r"(?<!\\)%", command)
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace(r"\%", "%")], capture_output=True, text=True, check=True, timeout=10
    )
    assert done.stdout == f"-w {workspace} scan --due --workers 2\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    plan = Plan.of(tmp_path / "a b", program=Path("/bin/true"), at="3:20")
    for name, text in units(plan).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.glob("sitewatch.*"))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [("--at", "25:00"), ("--at", "3"), ("--mail", "a b@c"), ("--mail", "x'y@z")])
def test_what_no_crontab_can_hold_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    ended = sitewatch("schedule", "-w", tmp_path, *words)
    assert (ended.code, ended.out) == (2, "")


def test_schedule_names_the_workspace_and_how_to_install(tmp_path: Path) -> None:
    ended = sitewatch("schedule", "-w", tmp_path / "w")
    assert isinstance(ended, Ended)
    assert f"-w {tmp_path / 'w'} scan --due" in ended.out
    assert "OnCalendar=*-*-* 03:20:00" in ended.out
    assert "systemctl --user enable" in ended.out
