"""`score` as a user meets it: masks, runs and site models against what is true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from runs import sitewatch
from seriesworld import CLEARED, Story, write_images, write_site
from shapely.affinity import translate
from shapely.geometry import box, mapping
from smalltif import TRANSFORM, UTM, write_tif

from geo.grid import Grid
from geo.zones import to_lonlat

SMART = Path(__file__).parents[3] / "shared" / "data" / "iarpa_smart_labels"


def told(*words: object) -> dict[str, float]:
    ended = sitewatch("score", *words, "--json")
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, float] = json.loads(ended.out)
    return found


def area(rows: slice, cols: slice):  # type: ignore[no-untyped-def]
    x, y = TRANSFORM @ (cols.start, rows.stop)
    x2, y2 = TRANSFORM @ (cols.stop, rows.start)
    return to_lonlat(box(x, y, x2, y2), Grid(UTM, TRANSFORM, (120, 120)))


def write(path: Path, *shapes: object) -> Path:
    features = [{"type": "Feature", "properties": {}, "geometry": mapping(s)} for s in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_a_mask_against_polygons_and_against_a_raster(tmp_path: Path) -> None:
    mask = np.zeros((1, 60, 60), np.uint8)
    mask[0, 10:20, 10:20] = 1
    mask[0, 40:50, 40:50] = 255
    write_tif(tmp_path / "mask.tif", mask)
    truth = write(tmp_path / "truth.geojson", area(slice(10, 20), slice(10, 30)), area(slice(40, 45), slice(40, 50)))
    found = told("--mask", tmp_path / "mask.tif", "--truth", truth)
    assert (found["true positives"], found["false positives"], found["false negatives"]) == (100, 0, 100)
    assert found["not observed, truly changed"] == 50
    assert found["recall"] == 0.5
    known = np.zeros_like(mask)
    known[0, 10:20, 10:30] = 1
    known[0, 40:45, 40:50] = 1
    write_tif(tmp_path / "known.tif", known)
    again = told("--mask", tmp_path / "mask.tif", "--truth", tmp_path / "known.tif")
    assert again == found
    write_tif(tmp_path / "small.tif", known[:, :50])
    assert sitewatch("score", "--mask", tmp_path / "mask.tif", "--truth", tmp_path / "small.tif").code == 65
    assert sitewatch("score", "--truth", truth).code == 2


@pytest.mark.slow
def test_a_run_against_what_is_true(tmp_path: Path) -> None:
    """Real events of a made-up wood: the clearing is found, a place where nothing happened is missed."""
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    write_images(tmp_path / "images", Story(clearing=6, dates=14))
    words = ("scan", "wood", "-w", tmp_path / "w", "--source", tmp_path / "images")
    assert sitewatch(*words).code == 0
    (run,) = (p.parent for p in (tmp_path / "w/outputs/runs/wood").glob("*/manifest.json"))
    truth = write(tmp_path / "t.geojson", area(*CLEARED), translate(area(*CLEARED), 0.005))
    found = told("--run", run, "--truth", truth)
    assert found["true positives"] == 1
    assert found["false negatives"] == 1
    assert found["mean IoU of the matched"] > 0.8
    assert sitewatch("score", "--run", tmp_path, "--truth", truth).code == 65


@pytest.mark.slow
def test_the_demo_s_truth_is_read(tmp_path: Path) -> None:
    """The truth that the simulator leaves says whether the beginning lies in its interval."""
    words = (
        "-w",
        tmp_path / "w",
        "--provider",
        "simulator",
        "--from",
        "2017-04-01",
        "--to",
        "2018-04-01",
        "--every",
        "20",
    )
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    assert sitewatch("scan", "wood", *words).code == 0
    run = tmp_path / "w/outputs/runs/wood" / (tmp_path / "w/outputs/runs/wood/latest").read_text().strip()
    found = told("--run", run, "--truth", tmp_path / "w/outputs/truth/wood.json")
    assert found["true beginning"] == "2017-08-10"
    assert found["true beginning inside"] == 1
    assert found["of them called construction"] == 0


def model(path: Path, site: object, start: str, phases: dict[str, str]) -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": mapping(site),
            "properties": {"type": "site", "start_date": start, "end_date": None},
        }
    ]
    features += [
        {"type": "Feature", "geometry": mapping(site),
         "properties": {"type": "observation", "observation_date": day, "current_phase": phase}}
        for day, phase in phases.items()
    ]  # fmt: skip
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_site_models_by_place_time_and_phase(tmp_path: Path) -> None:
    true, ours = tmp_path / "true", tmp_path / "ours"
    true.mkdir()
    ours.mkdir()
    here, there = box(103.1, 10.8, 103.102, 10.802), box(103.2, 10.8, 103.202, 10.802)
    days = {"2019-01-01": "No Activity", "2019-03-01": "Site Preparation", "2019-06-01": "Active Construction"}
    model(true / "a.geojson", here, "2019-02-01", days)
    model(true / "b.geojson", there, "2019-02-01", days)
    model(ours / "a.geojson", translate(here, 0.0005), "2019-02-11", {**days, "2019-06-01": "Site Preparation"})
    model(ours / "c.geojson", translate(there, 0.01), "2019-02-01", days)
    found = told("--sites", ours, "--truth", true)
    assert (found["true positives"], found["false positives"], found["false negatives"]) == (1, 1, 1)
    assert found["median days late at the start"] == 10
    assert found["F1 of No Activity"] == 1
    assert found["F1 of Site Preparation"] == pytest.approx(2 / 3)
    assert found["F1 of Active Construction"] == 0
    assert told("--sites", true, "--truth", true)["F1"] == 1
    (ours / "d.geojson").write_text("{}")
    assert sitewatch("score", "--sites", ours, "--truth", true).code == 65


@pytest.mark.real
@pytest.mark.skipif(not SMART.is_dir(), reason="the SMART labels are not here")
def test_the_programme_s_own_labels_are_read(tmp_path: Path) -> None:
    """Published region models against themselves: every site is found."""
    file = next(iter(sorted(SMART.glob("*.geojson"))))
    found = told("--sites", file, "--truth", file)
    assert found["F1"] == 1
    assert found["true positives"] > 1
