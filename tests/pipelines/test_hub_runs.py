"""Whole runs over Sentinel Hub: the findings of the same imagery from the simulator; budget, credentials, restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hubworld import SimulatorPainter, paint, publish_simulated
from runs import files_of, sitewatch
from seriesworld import write_site
from services.sentinel_hub import PROCESS, Fault, Hub, entry, serving
from shapely.geometry import shape

from geo.providers.simulator import OPTICAL, RADAR, Scenario, Simulator, site_collection
from geo.scene import Query
from geo.sites import parse_site
from geo.zones import site_grid
from pipelines.assess.findings import Findings

SPAN = ("2017-03-20", "2017-04-20")
SEED = 3
CLIENT, SECRET = "planted-client", "planted-secret"
DAYS = ("2019-01-05", "2019-01-15", "2019-01-25", "2019-02-04")


def at(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the environment at the service."""
    hub.client_id, hub.client_secret = CLIENT, SECRET
    words = {"BASE_URL": hub.url, "TOKEN_URL": hub.token_url, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
    for name, value in words.items():
        monkeypatch.setenv(f"SH_{name}", value)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(paint) as running:
        at(running, monkeypatch)
        running.items["sentinel-2-l2a"] = [
            entry(f"S2A_MSIL2A_{d.replace('-', '')}T032121_N0211_R118_T48PUS_20190105T070000.SAFE", f"{d}T03:21:30Z")
            for d in DAYS
        ]
        yield running


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    return tmp_path / "w"


def acquire(workspace: Path, *words: object) -> tuple[int, str]:
    ended = sitewatch(
        "acquire", "wood", "-w", workspace, "--provider", "sentinel-hub", "--json", "--workers", 1, *words
    )
    return ended.code, ended.out or ended.err


def kept(workspace: Path) -> list[Path]:
    return sorted((workspace / "outputs" / "archive").glob("*/*/scene.json"))


@pytest.mark.slow
def test_the_same_findings_as_from_the_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = Scenario(seed=SEED)
    collection = site_collection(scenario)
    site = parse_site(collection, file="simulated")
    for workspace in (tmp_path / "remote", tmp_path / "local"):  # an earlier run's events would count
        sitewatch("init", workspace)
        (workspace / "aois" / f"{site.id}.geojson").write_text(json.dumps(collection))
    start, end = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in SPAN)
    simulator = Simulator(scenario, sensors=(OPTICAL, RADAR))
    with serving(SimulatorPainter(simulator, tmp_path)) as hub:
        at(hub, monkeypatch)
        count = publish_simulated(hub, simulator, Query(grid=site_grid(site), start=start, end=end))
        words = ("scan", site.id, "--from", SPAN[0], "--to", SPAN[1], "--json")
        ended = sitewatch(*words, "-w", tmp_path / "remote", "--provider", "sentinel-hub")
        assert ended.code == 0, ended.err
        remote = _findings(ended.out)
        optical = sum(scene.sensor == OPTICAL for scene in remote.scenes)
        assert hub.asked[PROCESS] == count + optical  # an image each, and the angles of the optical ones
    ended = sitewatch(*words, "-w", tmp_path / "local", "--provider", "simulator", "--seed", SEED)
    assert ended.code == 0, ended.err
    local = _findings(ended.out)
    assert len(remote.scenes) == len(local.scenes) == count
    assert [(s.time, s.state) for s in remote.scenes] == [(s.time, s.state) for s in local.scenes]
    assert local.events, "the span shows nothing"
    for one, other in zip(_sorted(remote), _sorted(local), strict=True):
        assert (one.kind, one.zone, one.not_before, one.not_after) == (
            other.kind,
            other.zone,
            other.not_before,
            other.not_after,
        )
        a, b = shape(one.geometry), shape(other.geometry)
        assert a.intersection(b).area / a.union(b).area > 0.999
        assert (one.area_m2, one.p, one.confidence) == (other.area_m2, other.p, other.confidence)
    written = b"".join(files_of(tmp_path / "remote").values())
    assert SECRET.encode() not in written
    assert not [token for token in hub.tokens if token.encode() in written]


def test_a_dry_run_tells_the_price_and_fetches_nothing(hub: Hub, workspace: Path) -> None:
    code, out = acquire(workspace, "--dry-run")
    assert code == 0
    told = json.loads(out)
    assert [row["state"] for row in told["scenes"]] == ["missing"] * 4
    assert hub.asked[PROCESS] == 0
    code, _ = acquire(workspace)
    assert code == 0
    assert told["estimate"]["processing_units"] == pytest.approx(hub.spent)
    assert told["estimate"]["requests"] == hub.asked[PROCESS]


def test_what_is_kept_is_not_asked_for_again(hub: Hub, workspace: Path) -> None:
    assert acquire(workspace)[0] == 0
    assert acquire(workspace, "--provider", "sentinel_hub")[0] == 0  # the other way to write it
    assert hub.asked[PROCESS] == 2 * len(kept(workspace)) == 8  # images and their angles


def test_the_months_budget_holds_over_runs_and_nothing_is_lost(hub: Hub, workspace: Path) -> None:
    """Each run stops in time, exit code 75; the next month goes on where this one stopped."""
    code, out = acquire(workspace, "--dry-run")
    price = json.loads(out)["estimate"]["processing_units"] / 4
    (workspace / "sitewatch.toml").write_text(f"[providers.sentinel_hub]\nmonthly_units = {2.5 * price + 0.02:.6f}\n")
    code, out = acquire(workspace)
    assert code == 75
    assert "budget" in out
    assert len(kept(workspace)) == 2
    code, _ = acquire(workspace)
    assert code == 75
    assert hub.asked[PROCESS] == 2 * len(kept(workspace)) == 4
    ended = sitewatch("--now", "2022-06-01T00:00:00Z", "acquire", "wood", "-w", workspace, "--provider", "sentinel-hub")
    assert ended.code == 0, ended.err
    assert len(kept(workspace)) == 4


def test_a_quota_of_the_service_ends_with_75_and_keeps_what_came(hub: Hub, workspace: Path) -> None:
    _, out = acquire(workspace, "--dry-run")
    hub.quota = json.loads(out)["estimate"]["processing_units"] * 0.6
    assert acquire(workspace)[0] == 75
    assert len(kept(workspace)) == 2
    hub.quota = None
    assert acquire(workspace)[0] == 0
    assert hub.asked[PROCESS] <= 12  # eight, and what was refused before the run had stopped


def test_a_scene_that_the_service_will_not_make_is_told_and_tried_again(hub: Hub, workspace: Path) -> None:
    hub.faults.append(Fault("400", times=1))
    code, out = acquire(workspace)
    assert code == 0
    assert sorted(row["state"] for row in json.loads(out)["scenes"]) == ["fetched"] * 3 + ["unusable"]
    assert SECRET not in out
    assert acquire(workspace)[0] == 0
    assert len(kept(workspace)) == 4


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SH_CLIENT_SECRET", "wrong", "secret"),
        ("SH_CLIENT_ID", "", "SH_CLIENT_ID"),
        ("SH_TOKEN_URL", "", "SH_TOKEN_URL"),
    ],
)
def test_wrong_credentials_are_78_and_nothing_is_made(
    hub: Hub, workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    code, out = acquire(workspace)
    assert code == 78
    assert words in out
    assert SECRET not in out
    assert hub.asked[PROCESS] == 0


def _findings(out: str) -> Findings:
    (site,) = json.loads(out)["sites"]
    assert site["folder"], site["summary"]
    return Findings.model_validate_json((Path(site["folder"]) / "findings.json").read_text())


def _sorted(found: Findings) -> list:  # type: ignore[type-arg]
    return sorted(found.events, key=lambda e: (str(e.not_after), e.zone, -(e.area_m2 or 0)))
