"""Whole scans of a series: what began between which looks, what was not seen, and what stays the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from runs import Ended, files_of, sitewatch
from seriesworld import Story, write_images, write_site

from pipelines.assess.findings import Event, Findings
from pipelines.ledger import Ledger

STORY = Story(clearing=10, building=17, felling=(6, 16), clouds=(8, 9, 20))


def scan(workspace: Path, images: Path, *words: str) -> tuple[Ended, Findings | None]:
    """Scan the site and read what came out."""
    ended = sitewatch("scan", "wood", "-w", workspace, "--provider", "folder", "--source", images, "--json", *words)
    assert ended.code == 0, ended.err
    (site,) = json.loads(ended.out)["sites"]
    folder = site["folder"]
    return ended, None if folder is None else Findings.model_validate_json((Path(folder) / "findings.json").read_text())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Findings]:
    """Workspace, images, and findings of the whole story."""
    folder = tmp_path_factory.mktemp("series")
    workspace, images = folder / "w", write_images(folder / "images", STORY)
    sitewatch("init", workspace)
    write_site(workspace, perimeter=True)
    _, found = scan(workspace, images)
    assert found is not None
    return workspace, images, found


def _days(event: Event) -> tuple[str, str]:
    assert event.not_before is not None
    assert event.not_after is not None
    return f"{event.not_before:%Y-%m-%d}", f"{event.not_after:%Y-%m-%d}"


def _day(index: int) -> str:
    return STORY.day(index).isoformat()


def test_the_clearing_is_bracketed_by_the_looks_around_the_clouds(story: tuple[Path, Path, Findings]) -> None:
    """Cleared at look 10, looks 8 and 9 are cloud: between 7 and 10, confirmed, and it lasts."""
    clearing = next(e for e in story[2].events if e.kind == "clearing" and e.zone == "inside")
    assert _days(clearing) == (_day(7), _day(10))
    assert clearing.confirmed
    assert clearing.lasts
    assert clearing.area_m2 == pytest.approx(90_000, rel=0.05)
    assert "2 did not show this ground" in clearing.gap_reason
    assert clearing.confirmed_by == f"{STORY.day(12):%Y%m%d}"


def test_what_is_built_on_it_later_is_an_event_of_its_own(story: tuple[Path, Path, Findings]) -> None:
    building = next(e for e in story[2].events if e.kind == "construction")
    assert _days(building) == (_day(16), _day(17))
    assert building.area_m2 == pytest.approx(12_000, rel=0.05)
    last = building.area_series[-1]
    assert last.area_m2 == pytest.approx(12_000, rel=0.1)


def test_a_block_that_is_planted_again_is_cleared_and_grows_back(story: tuple[Path, Path, Findings]) -> None:
    around = [e for e in story[2].events if e.zone == "surroundings" and e.confidence != "possible"]
    assert {e.kind for e in around} == {"clearing", "regrowth"}
    felled = next(e for e in around if e.kind == "clearing")
    assert _days(felled) == (_day(5), _day(6))
    assert felled.lasts is False


def test_every_clouded_date_is_not_observed(story: tuple[Path, Path, Findings]) -> None:
    states = {scene.id: scene.state for scene in story[2].scenes}
    assert len(states) == STORY.dates
    for index in range(STORY.dates):
        wanted = "not-observed" if index in STORY.clouds else "change" if index >= 10 else "no-change"
        assert states[f"{STORY.day(index):%Y%m%d}"] == wanted


def test_building_progress_and_phases_follow(story: tuple[Path, Path, Findings]) -> None:
    found = story[2]
    (hall,) = found.buildings
    assert (hall.status, hall.not_after.date().isoformat()) == ("built", _day(17))  # type: ignore[union-attr]
    assert found.progress is not None
    assert found.progress.share == 1
    named = [(p.phase, p.not_after and p.not_after.date().isoformat()) for p in found.phases]
    assert named[:3] == [("No Activity", None), ("Site Preparation", _day(10)), ("Active Construction", _day(17))]
    assert [c.flagged_objects for c in found.calibration.controls] == [0, 0]
    assert found.calibration.asked_false_alarms_per_site_year == 0.05


def test_the_run_is_whole_and_the_report_tells_it(story: tuple[Path, Path, Findings]) -> None:
    workspace, _, found = story
    run = workspace / "outputs/runs/wood" / found.run_id
    assert (run / "figures/series.png").stat().st_size > 20_000
    page = (run / "report.html").read_text()
    assert "Active Construction" in page
    assert "these two images" not in page
    assert sitewatch("verify", workspace).code == 0
    ended = sitewatch("sites", "smart", "wood", "-w", workspace, "--region", "KH_Rxxx", "--out", workspace / "m.json")
    assert ended.code == 0, ended.err
    model = json.loads((workspace / "m.json").read_text())
    phases = [f["properties"]["current_phase"] for f in model["features"][1:]]
    assert set(phases) >= {"No Activity", "Site Preparation", "Active Construction"}
    assert phases[0] == "No Activity"


def test_nothing_new_makes_no_run(story: tuple[Path, Path, Findings]) -> None:
    workspace, images, found = story
    before = files_of(workspace / "outputs/runs")
    ended, again = scan(workspace, images)
    assert again == found
    assert "nothing new" in ended.out
    assert files_of(workspace / "outputs/runs") == before


def test_one_scene_more_keeps_the_ids_and_the_old_interval(story: tuple[Path, Path, Findings], tmp_path: Path) -> None:
    """A late scene changes nothing but what it shows; the order in which scenes came does not matter."""
    workspace, images, found = story
    copy, more = tmp_path / "w", tmp_path / "images"
    shutil.copytree(workspace, copy)
    shutil.copytree(images, more)
    write_images(more, STORY, range(STORY.dates, STORY.dates + 1))
    ended = sitewatch("--now", "2022-06-01T00:00:00Z", "scan", "wood", "-w", copy, "--source", more, "--json")
    assert ended.code == 0, ended.err
    folder = Path(json.loads(ended.out)["sites"][0]["folder"])
    later = Findings.model_validate_json((folder / "findings.json").read_text())
    firm = {e.id: (e.kind, e.not_before, e.not_after) for e in found.events if e.confirmed}
    again = {e.id: (e.kind, e.not_before, e.not_after) for e in later.events if e.confirmed}
    assert firm
    assert firm.items() <= again.items()


def test_the_same_series_twice_leaves_the_same_bytes(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", Story(clearing=6, dates=12))
    for name in ("one", "two"):
        sitewatch("init", tmp_path / name)
        write_site(tmp_path / name)
        scan(tmp_path / name, images)
    assert files_of(tmp_path / "one/outputs/runs") == files_of(tmp_path / "two/outputs/runs")


def test_where_nothing_happens_nothing_is_found(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", Story(clouds=(3, 4), dates=14))
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    _, found = scan(tmp_path / "w", images)
    assert found is not None
    assert found.observability.state == "no-change"
    assert found.events == []
    assert found.observability.clear_scenes == 12


def test_a_last_excursion_is_pending_until_it_is_confirmed(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", Story(clearing=12, dates=14))
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    _, found = scan(tmp_path / "w", images)
    assert found is not None
    assert found.observability.state == "pending"
    assert {e.confidence for e in found.events} == {"possible"}
    assert not any(e.confirmed for e in found.events)


def test_clouds_at_the_end_are_a_gap_and_no_answer(tmp_path: Path) -> None:
    """Clear until look 11, then half a year of cloud: nothing is said of that half year."""
    images = write_images(tmp_path / "images", Story(clouds=tuple(range(12, 24)), dates=24))
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    _, found = scan(tmp_path / "w", images)
    assert found is not None
    assert found.observability.state == "not-observed"
    assert "since then no look was clear" in found.observability.state_reason


def test_a_search_ranks_candidates_and_pin_drafts_one(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", Story(clearing=6, dates=14))
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace, kind="commune")
    ended, found = scan(workspace, images)
    assert found is not None
    assert found.perimeter is None
    assert found.buildings == []
    assert not [e for e in found.events if e.kind == "wall"]
    (site,) = json.loads(ended.out)["sites"]
    chips = sorted((Path(site["folder"]) / "figures/candidates").iterdir())
    assert len(chips) == len(found.candidates)
    with Image.open(chips[0]) as chip:
        assert chip.size == (646, 320)
        before, after = (np.asarray(chip.crop((x, 60, x + 200, 260)), float).mean(axis=(0, 1)) for x in (60, 386))
    assert after[0] - before[0] > 20  # bare soil is redder than wood
    assert (Path(site["folder"]) / "report.html").read_text(encoding="utf-8").count('class="candidate"') == len(chips)
    assert found.candidates[0].area_m2 == pytest.approx(90_000, rel=0.05)
    assert sitewatch("sites", "pin", "wood", "-w", workspace, "--candidate", 9).code == 2
    ended = sitewatch("sites", "pin", "wood", "-w", workspace, "--candidate", 1)
    assert ended.code == 0, ended.err
    assert sitewatch("sites", "check", "-w", workspace).code == 0
    document = json.loads((workspace / "aois/wood.geojson").read_text())
    roles = [f["properties"]["role"] for f in document["features"]]
    assert roles.count("perimeter") == 1
    assert document["features"][0]["properties"]["location"]["class"] == "exact"
    assert "commune" in document["features"][0]["properties"]["location"]["source"]
    assert (workspace / "outputs/review/wood-before-pin.geojson").is_file()
    _, again = scan(workspace, images)
    assert again is not None
    assert again.perimeter is not None


@pytest.mark.parametrize("words", [(), ("--pair",)])
def test_an_image_that_cannot_be_read_has_failed(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Not pending, not unseen: one is cut off in its header, of one no pixels can be read; the rest is compared."""
    place = tmp_path / "w"
    sitewatch("init", place)
    write_site(place)
    images = write_images(place / "images", Story(clearing=5, dates=9))
    names = sorted(path.name for path in images.iterdir())
    for name, kept in ((names[0], 60), (names[-1], 20_000)):
        whole = (images / name).read_bytes()
        assert len(whole) > kept
        (images / name).write_bytes(whole[:kept])
    assert sitewatch("scan", "wood", "-w", place, "--source", images, *words).code == 0
    with Ledger(place / "outputs" / "sitewatch.db") as ledger:
        states = {o.scene: o.state for o in ledger.observations("wood")}
        reasons = {o.reason for o in ledger.observations("wood") if o.state == "failed"}
    failed = sorted(scene for scene, state in states.items() if state == "failed")
    assert len(failed) == 2
    assert failed[0].startswith(names[0][:8])
    assert failed[1].startswith(names[-1][:8])
    assert all("truncated" in reason or "image" in reason for reason in reasons)
    (found,) = (place / "outputs" / "runs" / "wood").glob("*/findings.json")
    told = {s["id"]: s["state"] for s in json.loads(found.read_text())["scenes"]}
    assert [told[scene] for scene in failed] == ["failed", "failed"]
