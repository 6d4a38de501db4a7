"""A site that only radar sees, through the whole program: work on it is found and dated; quiet ground stays quiet."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.bench_injected import judged, place_of
from injection import backgrounds, inject
from runs import sitewatch
from seriesworld import SIZE, write_site
from smalltif import write_tif

FIRST, DATES, ONSET = date(2021, 1, 4), 20, 11
SITE = (slice(50, 70), slice(50, 70))
ENL = 5.0


def workspace(place: Path, db: tuple[float, float] | None, seed: int) -> dict[str, Any]:
    """Scan twenty radar images of a wood, ten metres fine; return what was found."""
    sitewatch("init", place)
    write_site(place)
    rng = np.random.default_rng(seed)
    level = 10 ** ((np.array([-9.0, -15.0])[:, None, None] + rng.normal(0, 1, (2, SIZE, SIZE))) / 10)
    for index in range(DATES):
        power = level * 10 ** (rng.normal(0, 0.3) / 10) * rng.gamma(ENL, 1 / ENL, level.shape)
        if db is not None and index >= ONSET:
            power[:, SITE[0], SITE[1]] *= 10 ** (np.array(db)[:, None, None] / 10)
        day = FIRST + timedelta(days=12 * index)
        (place / "images").mkdir(exist_ok=True)
        write_tif(place / "images" / f"{day:%Y%m%d}.tif", power.astype(np.float32), names=("VV", "VH"))
    ended = sitewatch("scan", "wood", "-w", place, "--source", place / "images")
    assert ended.code == 0, ended.err
    (run,) = (place / "outputs" / "runs" / "wood").glob("*/findings.json")
    told: dict[str, Any] = json.loads(run.read_text())
    return told


@pytest.mark.parametrize(("db", "kind"), [((-1.5, -4.0), "clearing"), ((6.0, 4.0), "construction")])
def test_a_lasting_step_is_an_event_with_an_interval(tmp_path: Path, db: tuple[float, float], kind: str) -> None:
    told = workspace(tmp_path / "w", db, 2)
    (event,) = [e for e in told["events"] if e["confidence"] != "possible"]
    assert event["kind"] == kind
    assert event["confirmed"]
    assert 300 <= event["area_px"] <= 500, "drawn at 400"
    onset = FIRST + timedelta(days=12 * ONSET)
    assert event["not_before"][:10] < onset.isoformat() <= event["not_after"][:10]
    assert (date.fromisoformat(event["not_after"][:10]) - date.fromisoformat(event["not_before"][:10])).days <= 24
    assert "squares of 50 m" in told["method"]


@pytest.mark.parametrize("seed", range(6))
def test_quiet_ground_makes_no_event(tmp_path: Path, seed: int) -> None:
    told = workspace(tmp_path / "w", None, seed)
    assert told["events"] == []
    assert told["observability"]["state"] == "no-change"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 9])
def test_sites_painted_into_a_real_series_are_found_and_dated(real_data: Path, seed: int) -> None:
    """Where the painted ground differs from what would have been there by three noise widths."""
    series = backgrounds(real_data).get("T137-292325-IW1")
    if series is None:
        pytest.skip("no s1_rtc_california among the real imagery")
    painted = inject(series, seed=seed, area_ha=(0.5, 2.0))
    row = judged(painted, series, place_of(series, real_data), seed, None)
    assert row["contrast"] > 3
    assert row["found"]
    assert row["inside"]
    assert row["false"] == 0
