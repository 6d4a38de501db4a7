"""A search needs no site: a region, and candidates come out in order, with no wall or building claimed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import BUILT, CLEARED, Story, write_images, write_site
from shapely.geometry import box, mapping, shape
from smalltif import TRANSFORM, UTM

from geo.grid import Grid
from geo.zones import to_lonlat

STORY = Story(clearing=6, building=9, felling=(5, 12), dates=18)


def ground(rows: slice, cols: slice):  # type: ignore[no-untyped-def]
    grid = Grid(UTM, TRANSFORM, (120, 120))
    x, y = TRANSFORM @ (cols.start, rows.stop)
    x2, y2 = TRANSFORM @ (cols.stop, rows.start)
    return to_lonlat(box(x, y, x2, y2), grid)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    sitewatch("init", tmp_path / "w")
    write_images(tmp_path / "images", STORY)
    region = {"type": "Feature", "properties": {}, "geometry": mapping(ground(slice(5, 115), slice(5, 115)))}
    (tmp_path / "A Region.geojson").write_text(json.dumps(region))
    return tmp_path / "w"


def test_what_was_built_is_ranked_first_and_what_grew_again_is_no_construction(workspace: Path) -> None:
    region, images = workspace.parent / "A Region.geojson", workspace.parent / "images"
    ended = sitewatch("search", region, "-w", workspace, "--source", images, "--json")
    assert (ended.code, ended.err) == (0, "")
    told = json.loads(ended.out)
    assert told["site"] == "a-region"
    first = told["candidates"][0]
    assert shape(first["geometry"]).intersects(ground(*CLEARED))
    built = [c for c in told["candidates"] if c["kind"] == "construction"]
    assert built
    assert all(shape(c["geometry"]).intersects(ground(*BUILT).buffer(2e-4)) for c in built)
    findings = json.loads((Path(told["folder"]) / "findings.json").read_text())
    assert findings["perimeter"] is None
    assert findings["buildings"] == []
    assert not (workspace / "aois/a-region.geojson").exists()
    assert sitewatch("verify", "-w", workspace).code == 0


def test_a_region_that_is_kept_can_be_pinned(workspace: Path) -> None:
    region, images = workspace.parent / "A Region.geojson", workspace.parent / "images"
    words = ("search", region, "-w", workspace, "--source", images, "--id", "north", "--keep")
    ended = sitewatch(*words)
    assert ended.code == 0
    assert ended.out.splitlines()[1].lstrip().startswith("1 ")
    assert sitewatch("sites", "pin", "north", "--candidate", "1", "-w", workspace).code == 0
    assert sitewatch(*words).code == 78  # the id is taken


def test_what_is_no_region_is_refused(workspace: Path) -> None:
    write_site(workspace)
    bad = workspace.parent / "bad.geojson"
    bad.write_text('{"type": "Point", "coordinates": [1, 2]}')
    assert sitewatch("search", bad, "-w", workspace, "--source", workspace.parent / "images").code == 65
    assert sitewatch("search", workspace / "no.geojson", "-w", workspace).code in (2, 65)
    odd = workspace.parent / "___.geojson"
    odd.write_text((workspace.parent / "A Region.geojson").read_text())
    assert sitewatch("search", odd, "-w", workspace, "--source", workspace.parent / "images").code == 2
