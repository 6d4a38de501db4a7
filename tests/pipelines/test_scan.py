"""A scan that fails is in the ledger, too: "no row" must never mean "nothing was wrong"."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from runs import sitewatch
from scipy import ndimage
from seriesworld import BANDS, Story, write_site
from smalltif import write_tif

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


def test_two_dates_that_lie_off_each_other_are_not_seen_and_the_reason_stands(workspace: Path) -> None:
    """Pixels of ten metres that lie five of them apart: no comparison, and not "only one clear scene" alone."""
    images = workspace / "images"
    images.mkdir()
    # Ground with edges, to measure on.
    ground = ndimage.gaussian_filter(np.random.default_rng(3).normal(0, 1, (130, 130)), 1.5)
    look = Story().look(0).astype(np.float64)
    look[:4] *= 1 + 0.8 * ground[5:125, 5:125]
    write_tif(images / "20190101.tif", look.astype(np.uint16), names=BANDS)
    look = Story().look(0).astype(np.float64)
    look[:4] *= 1 + 0.8 * ground[:120, 8:128]
    write_tif(images / "20190601.tif", look.astype(np.uint16), names=BANDS)
    ended = sitewatch("scan", "wood", "-w", workspace, "--source", images, "--pair", "--fail-on-blind")
    assert ended.code == 4
    ((_, state, reason),) = runs_of(workspace)
    assert state == "not-observed"
    assert re.search(r"20190601 lies 5\.\d px off 20190101, which is too far", reason)
