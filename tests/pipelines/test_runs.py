"""Whole runs: the demo finds what was simulated, a comparison says the same twice, a clouded month is no answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rio_cogeo.cogeo import cog_validate
from runs import Ended, files_of, sitewatch
from shapely.geometry import shape
from smalltif import write_tif

from geo.providers.simulator import Scenario
from geo.zones import project
from pipelines.assess.findings import Findings

BANDS = ("blue", "green", "red", "nir", "SCL")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Ended]:
    """The demo's workspace, its run, and what was said."""
    folder = tmp_path_factory.mktemp("demo") / "w"
    ended = sitewatch("demo", "--out", folder)
    assert ended.code == 0, ended.err
    return folder, Path(ended.out.splitlines()[-1]).parent, ended


@pytest.mark.slow
def test_the_demo_finds_the_compound_that_the_simulator_built(demo: tuple[Path, Path, Ended]) -> None:
    """Inside its walls, and of its size; no replanted block is called construction."""
    workspace, run, ended = demo
    found = Findings.model_validate_json((run / "findings.json").read_text())
    known = json.loads((workspace / "outputs/truth/simulated-centre.json").read_text())
    walls = shape(known["outline"])
    largest = max((e for e in found.events if e.zone == "inside"), key=lambda e: e.area_m2 or 0)
    outline = shape(largest.geometry)
    assert outline.intersection(walls).area / outline.union(walls).area > 0.8
    # The ground is cleared to 6 m outside the wall, and that is what changed.
    cleared = project(walls, "OGC:CRS84", f"EPSG:{known['epsg']}").buffer(Scenario().outer_strip_m).area
    assert largest.area_m2 == pytest.approx(cleared, rel=0.1)
    for block in known["replanted"]:
        ground = shape(block["geometry"])
        assert not [e for e in found.events if e.kind == "construction" and shape(e.geometry).intersects(ground)]
    assert found.simulated
    assert found.summary.startswith("SIMULATED")
    assert found.summary in ended.out


@pytest.mark.slow
def test_a_run_leaves_what_is_promised(demo: tuple[Path, Path, Ended]) -> None:
    """Every file, valid, hashed; verify finds nothing, and then finds the one byte that was changed."""
    workspace, run, _ = demo
    wanted = (
        "report.html findings.json change.tif change_mask.tif before.tif after.tif findings.gpkg findings.geojson"
        " site.qgz figures/before_after.png figures/map.png item.json SHA256SUMS manifest.json"
    )
    assert set(wanted.split()) <= set(files_of(run))
    for name in ("change.tif", "change_mask.tif", "before.tif", "after.tif"):
        assert cog_validate(run / name, strict=True)[0]
    assert sitewatch("verify", workspace).code == 0
    assert sitewatch("verify", run).code == 0
    page = run / "report.html"
    kept = page.read_bytes()
    page.write_bytes(kept[:-1] + b" ")
    ended = sitewatch("verify", workspace)
    assert ended.code == 6
    assert "report.html" in ended.out + ended.err
    page.write_bytes(kept)


def pair(folder: Path, *, changed: bool) -> tuple[Path, Path]:
    """Two dates of 100 x 100 pixels of woodland; on the second a block of 20 x 20 may be bare."""
    rng = np.random.default_rng(5)
    ground = np.array([300, 500, 350, 3200])[:, None, None] * (1 + 0.05 * rng.standard_normal((1, 100, 100)))
    later = ground.copy()
    if changed:
        later[:, 40:60, 30:50] = np.array([1200, 1500, 2000, 2600])[:, None, None]
    paths = folder / "20190312.tif", folder / "20190327.tif"
    for path, look in zip(paths, (ground, later), strict=True):
        noisy = look + rng.normal(0, 15, look.shape)
        write_tif(path, noisy.astype(np.uint16), names=BANDS[:4])
    return paths


def test_a_comparison_says_what_changed_and_between_which_dates(tmp_path: Path) -> None:
    """The block, its interval, its area within a tenth."""
    ended = sitewatch("compare", *pair(tmp_path, changed=True), "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    found = Findings.model_validate_json((tmp_path / "out/findings.json").read_text())
    (event,) = found.events
    assert event.kind == "clearing"
    assert event.area_m2 == pytest.approx(40_000, rel=0.1)
    assert (event.not_before.date().isoformat(), event.not_after.date().isoformat()) == ("2019-03-12", "2019-03-27")  # type: ignore[union-attr]
    assert not event.confirmed
    assert sitewatch("verify", tmp_path / "out").code == 0
    again = sitewatch("compare", *pair(tmp_path, changed=True), "--out", tmp_path / "out", "--fail-on-change")
    assert again.code == 2
    kept = files_of(tmp_path / "out")
    torn = tmp_path / "20190401.tif"
    torn.write_text("no image")
    failed = sitewatch("compare", tmp_path / "20190312.tif", torn, "--out", tmp_path / "out", "--force")
    assert failed.code == 65
    assert files_of(tmp_path / "out") == kept
    replaced = sitewatch("compare", *pair(tmp_path, changed=False), "--out", tmp_path / "out", "--force")
    assert replaced.code == 0, replaced.err
    assert sitewatch("verify", tmp_path / "out").code == 0
    assert files_of(tmp_path / "out") != kept
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_same_comparison_twice_leaves_the_same_bytes(tmp_path: Path) -> None:
    """Report, project, figures and manifest included."""
    images = pair(tmp_path, changed=True)
    for name in ("one", "two"):
        assert sitewatch("compare", *images, "--out", tmp_path / name, "--fail-on-change").code == 10
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_no_change_is_said_only_of_ground_that_was_seen(tmp_path: Path) -> None:
    """Unchanged ground is unchanged; hidden ground is not observed, and exit code 4 can say so."""
    images = pair(tmp_path, changed=False)
    assert sitewatch("compare", *images, "--out", tmp_path / "clear").code == 0
    clear = json.loads((tmp_path / "clear/findings.json").read_text())
    assert (clear["observability"]["state"], clear["events"]) == ("no-change", [])
    hidden = write_tif(tmp_path / "20190401.tif", np.zeros((4, 100, 100), np.uint16), names=BANDS[:4], nodata=0)
    ended = sitewatch("compare", images[0], hidden, "--out", tmp_path / "blind", "--fail-on-blind")
    assert ended.code == 4
    assert "not observed" in ended.out
    assert "no change" not in ended.out


def test_a_clouded_month_is_not_observed(tmp_path: Path) -> None:
    """A folder of scenes that are all cloud gives no run and no `no-change`, and the ledger knows each of them."""
    workspace, images = tmp_path / "w", tmp_path / "images"
    images.mkdir()
    sitewatch("init", workspace)
    added = sitewatch("sites", "add", "-w", workspace, "--id", "wood", "--class", "exact", "--source", "drawn",
                      "--point", "103.1742", "10.8478")  # fmt: skip
    assert added.code == 0, added.err
    data = np.full((5, 100, 100), 9, np.uint16)
    for day in ("20190301", "20190306", "20190311"):
        write_tif(images / f"{day}.tif", data, names=BANDS)
    ended = sitewatch("scan", "wood", "-w", workspace, "--provider", "folder", "--source", images, "--json")
    assert ended.code == 0, ended.err
    (site,) = json.loads(ended.out)["sites"]
    assert site["state"] == "not-observed"
    assert sitewatch("scan", "wood", "-w", workspace, "--source", images, "--fail-on-blind").code == 4
    assert sitewatch("verify", workspace).code == 0


def test_one_broken_site_costs_only_itself(tmp_path: Path) -> None:
    """Exit code 3; the broken file is named, the other site is scanned."""
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    sitewatch("sites", "add", "-w", workspace, "--id", "good", "--class", "exact", "--source", "s",
              "--point", "103.1742", "10.8478")  # fmt: skip
    (workspace / "aois" / "broken.geojson").write_text("{}")
    (tmp_path / "none").mkdir()
    ended = sitewatch("scan", "--all", "-w", workspace, "--source", tmp_path / "none")
    assert ended.code == 3
    assert "broken.geojson" in ended.err
