"""Exports: other programs read them, no spreadsheet runs them, and the public one tells no more than it may."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import sitewatch
from seriesworld import Story, write_images, write_site
from shapely.geometry import shape

from geo.files.reviews import Review, add_reviews
from geo.sites import RADIUS_M
from pipelines.publish.listing import ATOM, cell

NOW = "2019-11-05"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("exchange") / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    change(workspace, name="=cmd|' /C calc'!A0 <script>")
    write_images(workspace / "images", Story(clearing=10, building=14, dates=26))
    assert sitewatch("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", NOW).code == 0
    return workspace


@pytest.fixture
def workspace(scanned: Path, tmp_path: Path) -> Path:
    shutil.copytree(scanned, tmp_path / "w")
    return tmp_path / "w"


def change(workspace: Path, kind: str | None = None, **properties: object) -> None:
    """Write other properties into the site file."""
    path = workspace / "aois/wood.geojson"
    document = json.loads(path.read_text())
    site = document["features"][0]["properties"]
    site |= properties
    if kind:
        site["location"]["class"] = kind
    path.write_text(json.dumps(document))


def judge(workspace: Path, verdicts: dict[str, str]) -> None:
    path = workspace / "outputs/review/wood.gpkg"
    add_reviews(path, [Review(event_id=event, verdict=verdict) for event, verdict in verdicts.items()])


def events(workspace: Path) -> list[dict[str, object]]:
    (path,) = (workspace / "outputs/runs/wood").glob("*/findings.json")
    found: list[dict[str, object]] = json.loads(path.read_text())["events"]
    return found


def exported(workspace: Path, *words: str) -> Path:
    out = workspace / "out"
    assert sitewatch("export", "-w", workspace, "--out", out, *words).code == 0
    return out


def table(out: Path) -> list[dict[str, str]]:
    with (out / "findings.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_and_the_map_hold_every_event_and_no_formula(workspace: Path) -> None:
    out = exported(workspace)
    rows = table(out)
    assert [row["event"] for row in rows] == [event["id"] for event in events(workspace)]
    assert all(row["name"].startswith("'=cmd") for row in rows)
    assert all((out / row["report"]).resolve().is_file() for row in rows)
    frame = gpd.read_file(out / "findings.geojson")
    assert len(frame) == len(rows)
    assert frame.geometry.is_valid.all()


def test_the_feed_names_each_confirmed_change_once_and_for_ever(workspace: Path) -> None:
    first = ET.parse(exported(workspace) / "feed.atom").getroot()
    entries = first.findall(f"{{{ATOM}}}entry")
    confirmed = [event for event in events(workspace) if event["confirmed"]]
    assert len(entries) == len(confirmed) > 0
    ids = [entry.findtext(f"{{{ATOM}}}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    judge(workspace, {str(confirmed[0]["id"]): "rejected"})
    again = ET.parse(exported(workspace) / "feed.atom").getroot()
    assert len(again.findall(f"{{{ATOM}}}entry")) == len(confirmed) - 1


def test_the_catalogue_is_valid_and_its_files_are_there(workspace: Path) -> None:
    out = exported(workspace)
    catalogue = pystac.Catalog.from_file(str(out / "stac/catalog.json"))
    items = list(catalogue.get_items(recursive=True))
    assert len(items) == 1
    for document in [catalogue, *catalogue.get_children()]:
        assert document.to_dict()["stac_version"]
        document.validate()
    for asset in items[0].assets.values():
        assert Path(asset.get_absolute_href() or "").is_file()


def test_the_public_learn_nothing_that_no_person_confirmed(workspace: Path) -> None:
    out = exported(workspace, "--public")
    assert len((out / "findings.csv").read_text().splitlines()) == 1
    assert json.loads((out / "findings.geojson").read_text())["features"] == []
    assert not (out / "stac").exists()
    chosen = str(events(workspace)[0]["id"])
    judge(workspace, {chosen: "confirmed", str(events(workspace)[1]["id"]): "unsure"})
    rows = table(exported(workspace, "--public"))
    assert [row["event"] for row in rows] == [chosen]
    text = "".join(path.read_text() for path in out.iterdir())
    assert all(str(event["after_scene"]) not in text for event in events(workspace))
    assert "report.html" not in text


def test_the_public_see_a_place_as_coarsely_as_it_is_known(workspace: Path) -> None:
    """Wherever the ground truly lies within its class, the circle is the same: it cannot be undone."""
    judge(workspace, {str(event["id"]): "confirmed" for event in events(workspace)})
    change(workspace, kind="village")
    found = json.loads((exported(workspace, "--public") / "findings.geojson").read_text())["features"]
    circles = [shape(feature["geometry"]) for feature in found]
    assert len(circles) == len(events(workspace))
    assert all(circle.equals(circles[0]) for circle in circles)
    metres = gpd.GeoSeries(circles[:1], crs="OGC:CRS84").to_crs("EPSG:32648")
    assert metres.area.iloc[0] >= 3.1 * RADIUS_M["village"] ** 2
    assert all(shape(event["geometry"]).within(circles[0]) for event in events(workspace))
    place = found[0]["properties"]
    assert (place["longitude"], place["latitude"]) == pytest.approx(
        (circles[0].centroid.x, circles[0].centroid.y), abs=1e-4
    )


def test_a_sensitive_site_is_not_in_the_public_export(workspace: Path) -> None:
    judge(workspace, {str(event["id"]): "confirmed" for event in events(workspace)})
    change(workspace, sensitive=True)
    ended = sitewatch("export", "-w", workspace, "--out", workspace / "out", "--public")
    text = "".join(path.read_text() for path in (workspace / "out").iterdir())
    assert "wood" not in text + ended.err
    assert "sensitive" in ended.err


def test_verdicts_that_cannot_be_read_stop_the_export(workspace: Path) -> None:
    """Else rejected findings would be told again."""
    (workspace / "outputs/review/wood.gpkg").write_bytes(b"broken" * 300)
    assert sitewatch("export", "-w", workspace, "--out", workspace / "out").code == 6


@given(st.text(max_size=30))
def test_no_text_begins_like_a_formula(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
