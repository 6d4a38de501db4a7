"""SMART site models keep to the programme's published words and patterns."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import Story, write_images, write_site

from geo.errors import UsageError
from pipelines.assess.findings import Findings, PhaseFinding
from pipelines.publish.smart import phase_at, site_model

STORY = Story(clearing=6, building=11, dates=18)
# The programme's site model schema, as far as a writer can break it.
SITE_ID = re.compile(r"[A-Z]{2}_([RST]\d{3}|C[0-7]\d{2}|[RC][Xx]{3})_\d{4}")
MGRS = re.compile(r"(0[1-9]|[1-5]\d|60)[CDEFGHJKLMNPQRSTUVWX][ABCDEFGHJKLMNPQRSTUVWXYZ][ABCDEFGHJKLMNPQRSTUV]")
SITE = {
    "type", "site_id", "region_id", "version", "mgrs", "status", "model_content", "start_date", "end_date", "originator",
    "score", "validated", "cache",
}  # fmt: skip
LOOK = {
    "type", "observation_date", "source", "sensor_name", "current_phase", "is_occluded", "is_site_boundary", "score",
    "cache",
}  # fmt: skip
PHASES = {"No Activity", "Site Preparation", "Active Construction", "Post Construction", "Unknown"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Findings of a small series."""
    folder = tmp_path_factory.mktemp("smart")
    images = write_images(folder / "images", STORY)
    sitewatch("init", folder / "w")
    write_site(folder / "w")
    ended = sitewatch("scan", "wood", "-w", folder / "w", "--source", images, "--json")
    run = Path(json.loads(ended.out)["sites"][0]["folder"])
    return Findings.model_validate_json((run / "findings.json").read_text())


def test_a_strict_model_keeps_to_the_published_words(found: Findings) -> None:
    model = site_model(found, strict=True, region="KH_Rxxx", number=7)
    site, *looks = (feature["properties"] for feature in model["features"])
    assert set(site) == SITE
    assert SITE_ID.fullmatch(site["site_id"])
    assert site["site_id"] == "KH_Rxxx_0007"
    assert MGRS.fullmatch(site["mgrs"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", site["version"])
    assert site["originator"] in {"te", "pmo", "acc", "ast", "bla", "iai", "kit", "str", "iMERIT"}
    assert (site["status"], site["model_content"]) == ("system_proposed", "proposed")
    assert site["start_date"] == STORY.day(5).isoformat()
    assert all(set(look) == LOOK for look in looks)
    assert {look["current_phase"] for look in looks} <= PHASES
    assert {look["sensor_name"] for look in looks} <= {None, "Sentinel-2", "Landsat 8"}
    assert {look["is_occluded"] for look in looks} <= {"True", "False"}
    assert all(len(point) == 2 for feature in model["features"] for point in feature["geometry"]["coordinates"][0])


def test_a_native_model_keeps_the_sites_own_name(found: Findings) -> None:
    site = site_model(found, strict=False)["features"][0]["properties"]
    assert (site["site_id"], site["originator"]) == ("wood", "sitewatch")
    assert site["cache"]["phases"][1]["not_before"] is not None


def test_what_the_programme_does_not_know_is_refused(found: Findings) -> None:
    with pytest.raises(UsageError, match="region"):
        site_model(found, strict=True, region="Cambodia")
    with pytest.raises(UsageError, match="no phases"):
        site_model(found.model_copy(update={"phases": []}), strict=False)


def test_a_look_within_the_interval_of_a_beginning_is_unknown() -> None:
    def at(day: int) -> datetime:
        return datetime(2019, 1, day, tzinfo=UTC)

    phases = [
        PhaseFinding(phase="No Activity", not_before=None, not_after=None, reason=""),
        PhaseFinding(phase="Site Preparation", not_before=at(5), not_after=at(9), reason=""),
    ]
    assert [phase_at(phases, at(day)) for day in (4, 5, 7, 9, 20)] == [
        "No Activity", "No Activity", "Unknown", "Site Preparation", "Site Preparation",
    ]  # fmt: skip
