"""Sixty hostile texts in every text field that comes from outside: none runs, none is a formula, none breaks a file.

Fields: the site's name, note, source of its place; the labels and notes of building, perimeter and control; names of
files, usable and broken; band names; the reviewer's name and reason.
"""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from chromium import Chromium, find_chromium
from payloads import GROUPS
from runs import sitewatch
from seriesworld import Story, write_images, write_site
from smalltif import write_tif

from geo.files.reviews import Review, add_reviews

DANGEROUS = {"script", "iframe", "object", "embed", "link", "base", "form", "video", "animate", "math", "foreignObject"}


def spread(workspace: Path, text: str) -> None:
    """Put the text wherever a site file has room for one."""
    path = workspace / "aois/wood.geojson"
    document = json.loads(path.read_text())
    for feature in document["features"]:
        properties = feature["properties"]
        if properties["role"] == "site":
            # The shortest that is refused names what is wrong; a name holds 200 characters.
            properties |= {"name": text[:200], "note": text}
            properties["location"]["source"] = text
            properties["timeline"] = [{"date": "2019-02", "event": text, "source": text}]
        else:
            properties |= {"label": text, "note": text}
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module", params=range(len(GROUPS)))
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = GROUPS[request.param]
    workspace = tmp_path_factory.mktemp("payloads") / "w"
    sitewatch("init", workspace)
    write_site(workspace, perimeter=True)
    spread(workspace, text)
    story = Story(clearing=5, building=8, dates=12, clouds=(3,))
    images = write_images(workspace / "images", story, range(11))
    plain = text.replace("/", "\N{DIVISION SLASH}").replace("\0", "")
    write_tif(
        images / f"{plain[:150]} {story.day(11):%Y%m%d}.tif",
        story.look(11),
        names=("blue", "green", "red", "nir", "SCL"),
    )
    (images / f"{plain[-150:]}.tif").write_bytes(b"II*\0broken")
    ended = sitewatch("scan", "wood", "-w", workspace, "--source", images, "--now", "2019-12-01")
    assert (ended.code, ended.err) == (0, "")
    (findings,) = (workspace / "outputs/runs/wood").glob("2*/findings.json")
    events = [event["id"] for event in json.loads(findings.read_text())["events"]]
    said = [Review(event_id=event, verdict="confirmed", reason=text, reviewer=text[:200]) for event in events]
    assert said
    add_reviews(workspace / "outputs/review/wood.gpkg", said)
    ended = sitewatch("scan", "wood", "-w", workspace, "--source", images, "--now", "2019-12-02")
    assert (ended.code, ended.err) == (0, "")
    assert sitewatch("export", "-w", workspace, "--out", workspace / "export").code == 0
    assert sitewatch("figure", "wood", "-w", workspace, "--out", workspace / "figure").code == 0
    return workspace


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (apt install chromium)")
def test_no_page_and_no_picture_runs_or_asks_for_anything(workspace: Path, tmp_path: Path) -> None:
    """Report, index and the figure's SVG: no dialog, no request, no complaint, no element that we did not write."""
    pages = [
        *sorted((workspace / "outputs/runs/wood").glob("2*/report.html"))[-1:],
        workspace / "outputs/index.html",
        *workspace.glob("figure/**/*.svg"),
    ]
    assert len(pages) >= 3
    browser = Chromium(tmp_path / "profile")
    try:
        for page in pages:
            browser.open(page)
            found = set(
                json.loads(
                    browser.evaluate("JSON.stringify([...document.querySelectorAll('*')].map(e => e.localName))")
                )
            )
            scripts = browser.evaluate("document.querySelectorAll('script').length")
            assert scripts == (0 if page.suffix == ".svg" else 1), page
            assert not (found - {"script"}) & DANGEROUS, page
            # An attribute that runs begins with `on`; a link that does, with another scheme than ours.
            assert (
                browser.evaluate(
                    "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => /^on/i.test(a.name) ||"
                    " (/^(href|src|xlink:href)$/i.test(a.name) && !/^(#|data:image|https:|[a-z0-9_.-]+\\/|[a-z0-9_.-]+$)/i.test(a.value)))"
                    ".map(a => a.name + '=' + a.value.slice(0, 80)).join(' ')"
                )
                == ""
            ), page
            assert browser.complaints() == [], page
            if page.suffix == ".html":  # shown, as text
                name = json.loads((workspace / "aois/wood.geojson").read_text())["features"][0]["properties"]["name"]
                assert name.split()[0] in browser.evaluate("document.body.textContent"), page
    finally:
        browser.close()


def entity_free(document: bytes) -> bytes:
    """The document itself, which declares nothing."""
    assert b"<!ENTITY" not in document
    return document


@pytest.mark.slow
def test_no_file_is_broken_and_no_cell_is_a_formula(workspace: Path) -> None:
    """XML of every kind parses without entities, tables open as text, JSON is JSON."""
    run = sorted((workspace / "outputs/runs/wood").glob("2*"))[-1]
    looked_at = {""}
    for path in [*workspace.glob("export/**/*"), *workspace.glob("figure/**/*"), *run.rglob("*")]:
        looked_at.add(path.suffix)
        if path.suffix in (".atom", ".svg", ".qml", ".xml"):
            ET.fromstring(entity_free(path.read_bytes()))
        elif path.suffix in (".json", ".geojson"):
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".qgz":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(".qgs"):
                        ET.fromstring(entity_free(archive.read(name)))
        elif path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
            numbers = [cell for cell in cells if cell[:1] in ("-", "+")]
            assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "@", "\t", "\r")], path
            assert all(cell.replace(".", "").lstrip("+-").isdigit() for cell in numbers), path
    assert looked_at >= {".atom", ".csv", ".geojson", ".json", ".qgz", ".qml", ".svg"}


@pytest.mark.slow
def test_the_result_is_whole_and_can_be_made_again(workspace: Path) -> None:
    ended = sitewatch("verify", workspace, "--recompute")
    assert (ended.code, ended.err) == (0, "")
