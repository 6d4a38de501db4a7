"""QGIS projects as XML: what QGIS is known to stumble over is not there."""

import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from geo.files.qgis import (
    Entry,
    Field,
    Layer,
    Project,
    RasterStyle,
    Relation,
    Theme,
    VectorStyle,
    project_xml,
    style_xml,
    write_project,
)

HOSTILE = "\"'><script>alert(1)</script>&\x00\x0b]]>\u202e"
T0, T1 = datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
LINES = VectorStyle(
    geometry="Line", attribute="look", label='"id"', title='"id"', tip="<b>x</b>", time="not_after",
    entries=(Entry(value="wall", label=HOSTILE, colour="#0072b2"),
             Entry(value="fence", label="f", colour="#000000", line="dash")),
    fields=(Field(name="id", alias=HOSTILE),
            Field(name="v", alias="V", choices=(("", "Not reviewed"), ("c", HOSTILE)), editable=True)),
)  # fmt: skip
LAYERS = (
    Layer(name="lines", title=HOSTILE, source="./f.gpkg|layername=lines", style=LINES, group="A"),
    Layer(name="m", title="Mask", source="./m.tif", group="B", style=RasterStyle(
        kind="palette", entries=(Entry(value=255, label="not observed", colour="#8c8c8c"),))),
    Layer(name="p", title="P", source="./p.tif", group="B", style=RasterStyle(kind="ramp", band=2, entries=(
        Entry(value=0.1, label="low", colour="#000000"), Entry(value="inf", label="more", colour="#ffffff", alpha=0)))),
    Layer(name="i", title="Image", source="./i.tif", group="B", style=RasterStyle(kind="rgb"), period=(T0, T1)),
)  # fmt: skip
PROJECT = Project(
    title=HOSTILE, crs="EPSG:32648", extent=(0, 0, 1, 1), layers=LAYERS, shown=("m",), period=(T0, T1),
    themes=(Theme(name=HOSTILE, layers=("i", "m")),),
    relations=(Relation(name="r", child="lines", child_field="v", parent="lines", parent_field="id"),),
)  # fmt: skip


def test_every_text_is_escaped_and_readable():
    """Hostile text stays text, in the project and in every style."""
    root = ET.fromstring(project_xml(PROJECT))
    assert root.findtext("title").startswith("\"'><script>alert(1)</script>&")
    assert root.find(".//script") is None
    for layer in LAYERS:
        assert ET.fromstring(style_xml(layer)).tag == "qgis"


def test_ids_agree_and_are_long_enough():
    """QGIS silently replaces ids of ten characters or fewer, and the map is empty."""
    root = ET.fromstring(project_xml(PROJECT))
    ids = [e.text for e in root.findall("projectlayers/maplayer/id")]
    assert len(set(ids)) == 4
    assert min(map(len, ids)) > 10
    assert [e.get("id") for e in root.findall("layerorder/layer")] == ids
    assert [e.get("id") for e in root.findall("layer-tree-group//layer-tree-layer")] == ids
    assert {e.get("id") for e in root.findall("visibility-presets/visibility-preset/layer")} <= set(ids)


@pytest.mark.parametrize("crs", ["EPSG:32648", "EPSG:4326", None])
def test_the_crs_is_whole_or_absent(crs):
    """A code alone is no coordinate system to QGIS: the WKT and the switch must be there."""
    root = ET.fromstring(project_xml(replace(PROJECT, crs=crs)))
    enabled = root.findtext("properties/SpatialRefSys/ProjectionsEnabled")
    wkt = root.findtext("projectCrs/spatialrefsys/wkt")
    assert (enabled, bool(wkt)) == (("1", True) if crs else ("0", False))


def test_paths_are_relative_and_nobody_is_named():
    """The folder can be moved, and no user or host shows."""
    text = project_xml(PROJECT)
    root = ET.fromstring(text)
    assert root.findtext("properties/Paths/Absolute") == "false"
    assert all(e.text.startswith("./") for e in root.findall("projectlayers/maplayer/datasource"))
    assert root.get("saveUser") == ""


def test_the_mask_shows_what_was_not_observed():
    """Were QGIS told that 255 is no data, it would show it like unchanged."""
    root = ET.fromstring(style_xml(LAYERS[1]))
    assert root.find("noData/noDataList").get("useSrcNoData") == "0"


def test_only_editable_layers_can_be_edited():
    """Findings stay as published."""
    root = ET.fromstring(project_xml(PROJECT))
    assert root.find("projectlayers/maplayer[@type='vector']").get("readOnly") == "1"


def test_the_file_has_the_same_bytes_again(tmp_path):
    """No time of writing in the zip; one project inside, named after the file."""
    one, two = (write_project(tmp_path / folder / "site.qgz", PROJECT) for folder in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert zipfile.ZipFile(one).namelist() == ["site.qgs"]


@pytest.mark.parametrize(
    "change",
    [{"shown": ("nothing",)}, {"themes": (Theme(name="t", layers=("nothing",)),)}, {"layers": (LAYERS[0], *LAYERS)}],
)
def test_layers_that_do_not_fit_are_refused(tmp_path, change):
    """A theme of a layer that is not there would open empty, without a word."""
    with pytest.raises(ValueError, match=r"does not have|share a name"):
        write_project(tmp_path / "x.qgz", replace(PROJECT, **change))
    assert list(tmp_path.iterdir()) == []
