"""A scan that fails is in the ledger, too: "no row" must never mean "nothing was wrong"."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import write_site

from pipelines.lock import held


def runs_of(workspace: Path) -> list[tuple[str, str, str]]:
    path = workspace / "outputs/sitewatch.db"
    if not path.is_file():
        return []
    with sqlite3.connect(path) as db:
        return db.execute("SELECT site, state, reason FROM runs ORDER BY run").fetchall()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    return tmp_path / "w"


def test_a_source_that_is_not_there_is_a_failed_run_in_the_ledger(workspace: Path) -> None:
    ended = sitewatch("scan", "wood", "-w", workspace, "--provider", "folder", "--source", workspace / "nowhere")
    assert ended.code in (65, 78)
    ((site, state, reason),) = runs_of(workspace)
    assert (site, state) == ("wood", "failed")
    assert reason


def test_a_site_that_another_run_works_on_did_not_fail(workspace: Path) -> None:
    with held(workspace / "outputs", "wood", now=datetime(2020, 1, 1, tzinfo=UTC)):
        ended = sitewatch("scan", "wood", "-w", workspace, "--provider", "folder", "--source", workspace)
    assert ended.code == 11
    assert runs_of(workspace) == []
