"""Workspaces and the sites in them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import sitefiles
from shapely.geometry import box, mapping

from geo.errors import ConfigurationError, InputError, UsageError
from geo.files.vectors import read_site
from geo.sites import LOCATION_CLASSES, RADIUS_M, SEARCHED, SiteFaults
from geo.zones import area_m2
from pipelines import registry
from pipelines.registry import NewSite, add_site

NOW = datetime(2022, 4, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A fresh workspace with one site."""
    registry.init(tmp_path / "w")
    (tmp_path / "w/aois/test-site.geojson").write_text(json.dumps(sitefiles.document()))
    return tmp_path / "w"


def test_a_new_workspace_is_complete_and_valid(tmp_path: Path) -> None:
    """READMEs, schema and settings are there; no site yet, no fault; nothing half-made."""
    written = registry.init(tmp_path / "new")
    names = {p.relative_to(tmp_path / "new").as_posix() for p in (tmp_path / "new").rglob("*") if p.is_file()}
    assert names == {"aois/README.md", "aois/schema.json", "outputs/README.md", "sitewatch.toml"}
    assert {p.relative_to(tmp_path / "new").as_posix() for p in written} == names
    assert registry.list_sites(tmp_path / "new") == ()
    assert registry.check_sites(tmp_path / "new") == ()


def test_a_full_folder_is_left_alone(tmp_path: Path) -> None:
    """Without force nothing is written; with it nothing is replaced."""
    (tmp_path / "sitewatch.toml").write_text("mine")
    with pytest.raises(ConfigurationError, match="not empty"):
        registry.init(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["sitewatch.toml"]
    registry.init(tmp_path, force=True)
    assert (tmp_path / "sitewatch.toml").read_text() == "mine"
    assert (tmp_path / "aois/README.md").is_file()
    with pytest.raises(ConfigurationError, match="not a folder"):
        registry.init(tmp_path / "sitewatch.toml")


def test_the_repository_tells_the_same_as_a_new_workspace() -> None:
    """One text, in two places because both must lie where people look."""
    templates = ROOT / "pipelines/workspace"
    assert (ROOT / "outputs/README.md").read_text() == (templates / "outputs.md").read_text()
    assert (ROOT / "aois/README.md").read_text().startswith((templates / "aois.md").read_text())


def test_the_readme_names_every_property_and_class() -> None:
    """What the schema knows, the README tells."""
    text = (ROOT / "aois/README.md").read_text()
    for kind in LOCATION_CLASSES:
        radius = RADIUS_M[kind]
        told = f"{radius / 1000:.0f} km" if radius >= 1000 else f"{radius:.0f} m"
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{kind}` ")]
        assert f"| {told} |" in row
        assert ("search" in row) == (kind in SEARCHED)
    properties = {key for role in registry.json_schema()["$defs"].values() for key in role.get("properties", {})}
    assert {key for key in properties if key not in text} == set()


def test_sites_are_listed(workspace: Path) -> None:
    """Columns for people, plain values for machines."""
    rows = registry.list_sites(workspace)
    assert [r.to_json()["id"] for r in rows] == ["test-site"]
    lines = list(registry.table(rows))
    assert lines[1].split() == ["test-site", "exact", "watch", "5", "Test", "site"]
    json.dumps([r.to_json() for r in rows])


def test_a_site_is_shown(workspace: Path) -> None:
    """Everything that is known, and what can be measured."""
    shown = json.loads(json.dumps(registry.show_site(workspace, "test-site")))
    assert shown["location"] == {"class": "exact", "source": "drawn for a test", "as_of": "2022-03"}
    assert shown["perimeter"]["length_m"] == pytest.approx(4 * 440, rel=0.01)
    assert [b["id"] for b in shown["buildings"]] == ["b1", "b2"]
    assert shown["timeline"][1]["date"] == "2017-08-10 to 2017-11"
    assert shown["grid"]["crs"] == "EPSG:32648"


def test_a_missing_or_broken_site_is_told(workspace: Path) -> None:
    """The message names what there is, or what is wrong with it."""
    with pytest.raises(ConfigurationError, match="there are: test-site"):
        registry.find_site(workspace, "other")
    with pytest.raises(ConfigurationError, match="no site id"):
        registry.find_site(workspace, "../x")
    (workspace / "aois/other.geojson").write_text("{")
    with pytest.raises(SiteFaults, match="not valid JSON"):
        registry.find_site(workspace, "other")
    faults = registry.check_sites(workspace)
    assert len(faults) == 1
    with pytest.raises(SiteFaults):
        registry.raise_for_faults(faults)
    registry.raise_for_faults(())


@pytest.mark.parametrize("kind", LOCATION_CLASSES)
def test_a_point_becomes_a_site_with_its_circle(kind: str, workspace: Path) -> None:
    """The file is valid by program and schema; the circle is as large as the class says."""
    new = NewSite(id="new", kind=kind, source="a test", point=(103.81, 10.73))  # type: ignore[arg-type]
    path = add_site(workspace, new, now=NOW)
    site = read_site(path)
    assert (site.id, site.name, site.location.as_of) == ("new", "new", "2022-04-01")
    assert site.search_area is not None
    assert area_m2(site.search_area) == pytest.approx(3.1376 * RADIUS_M[site.location.kind] ** 2, rel=1e-3)
    jsonschema.validate(json.loads(path.read_text()), registry.json_schema())


def test_polygons_become_a_site(workspace: Path) -> None:
    """An outline is the site; where the class is vague, it also bounds the search."""
    outline = workspace / "outline.geojson"
    outline.write_text(json.dumps(mapping(box(103.70, 10.80, 103.72, 10.83))))
    site = read_site(add_site(workspace, NewSite(id="a", kind="exact", source="s", outline=outline), now=NOW))
    assert site.geometry.equals(box(103.70, 10.80, 103.72, 10.83))
    assert site.search_area is None
    site = read_site(add_site(workspace, NewSite(id="b", kind="commune", source="s", outline=outline), now=NOW))
    assert site.search_area is not None
    assert site.search_area.equals(site.geometry)


def test_what_cannot_be_added_leaves_nothing(workspace: Path) -> None:
    """Taken ids, no ids, no place, two places, swapped coordinates, no source: one error, no file."""
    before = sorted((workspace / "aois").iterdir())
    point = (103.81, 10.73)
    wrong = [
        (NewSite(id="test-site", kind="exact", source="s", point=point), ConfigurationError, "there already"),
        (NewSite(id="../x", kind="exact", source="s", point=point), ConfigurationError, "no site id"),
        (NewSite(id="x", kind="exact", source="s"), UsageError, "either"),
        (NewSite(id="x", kind="exact", source="s", point=point, outline=workspace), UsageError, "either"),
        (NewSite(id="x", kind="exact", source="s", point=(10.73, 103.81)), SiteFaults, "look swapped"),
        (NewSite(id="x", kind="exact", source="s", point=(float("nan"), 1.0)), SiteFaults, "test|x"),
        (NewSite(id="x", kind="exact", source="", point=point), SiteFaults, "source"),
        (NewSite(id="x", kind="near", source="s", point=point), SiteFaults, "class"),  # type: ignore[arg-type]
        (NewSite(id="x", kind="exact", source="s", outline=workspace / "none.geojson"), InputError, "none.geojson"),
    ]
    for new, error, expected in wrong:
        with pytest.raises(error, match=expected):
            add_site(workspace, new, now=NOW)
    assert sorted((workspace / "aois").iterdir()) == before
    with pytest.raises(ConfigurationError, match="not a workspace"):
        add_site(workspace / "aois", NewSite(id="x", kind="exact", source="s", point=point), now=NOW)


def test_a_whole_site_file_is_copied_as_it_is(workspace: Path, tmp_path: Path) -> None:
    """Byte for byte, under its id, once; a broken one is not."""
    file = tmp_path / "from-a-friend.json"
    document = sitefiles.document(id="friend")
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    path = registry.add_file(workspace, file)
    assert (path.name, path.read_bytes()) == ("friend.geojson", file.read_bytes())
    assert registry.find_site(workspace, "friend").id == "friend"
    with pytest.raises(ConfigurationError, match="there already"):
        registry.add_file(workspace, file)
    for content, expected in ((b"{", "not valid JSON"), (b'{"type": "FeatureCollection", "features": []}', "no feat")):
        file.write_bytes(content)
        with pytest.raises(SiteFaults, match=expected):
            registry.add_file(workspace, file)
    assert registry.check_sites(workspace) == ()
