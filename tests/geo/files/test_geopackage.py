"""GeoPackages: the same bytes again, old enough for QGIS 3.22, styled, and text made safe."""

import sqlite3
import time
from datetime import UTC, datetime

import pyogrio
import pytest
from shapely.geometry import LineString, box

from geo.files.geopackage import Table, write_geopackage

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
QML = "<qgis>" + "x" * 5000 + "</qgis>"
TABLES = [
    Table(
        name="changes",
        columns={"id": "text", "p": "real", "n": "integer", "ok": "boolean", "seen": "time"},
        rows=[{"id": "a\x00<b>'\"", "p": 0.1, "n": 3, "ok": True, "seen": NOW}, {"id": "empty"}],
        geometries=[box(0, 0, 1, 1), box(2, 2, 3, 3)],
        geometry_type="MultiPolygon",
        style=QML,
    ),
    Table(name="lines", columns={"id": "text"}, rows=[], geometries=[], geometry_type="MultiLineString"),
    Table(name="reviews", columns={"event_id": "text", "reviewed_at": "time"}, rows=[]),
]


@pytest.mark.parametrize("crs", ["EPSG:32648", None])
def test_the_same_tables_give_the_same_bytes(tmp_path, crs):
    """No clock shows, in no table: the second file is written a second later."""
    one = write_geopackage(tmp_path / "a.gpkg", TABLES, crs=crs, now=NOW).read_bytes()
    time.sleep(1.1)
    assert write_geopackage(tmp_path / "b.gpkg", TABLES, crs=crs, now=NOW).read_bytes() == one


def test_what_is_read_is_what_was_written(tmp_path):
    """Values, nulls, empty layers and the default style come back; control characters do not."""
    path = write_geopackage(tmp_path / "a.gpkg", TABLES, crs="EPSG:32648", now=NOW)
    frame = pyogrio.read_dataframe(path, layer="changes")
    assert frame["id"].tolist() == ["a<b>'\"", "empty"]
    assert (frame["p"][0], frame["n"][0], bool(frame["ok"][0])) == (0.1, 3, True)
    assert frame.iloc[1][["p", "n", "ok", "seen"]].isna().all()
    assert frame["seen"][0].timestamp() == NOW.timestamp()
    assert frame.crs.to_epsg() == 32648
    assert [tuple(row) for row in pyogrio.list_layers(path)] == [
        ("changes", "MultiPolygon"), ("lines", "MultiLineString"), ("reviews", None), ("layer_styles", None),
    ]  # fmt: skip
    with sqlite3.connect(path) as database:
        styles = database.execute("select f_table_name, styleQML, useAsDefault, update_time from layer_styles")
        styles = styles.fetchall()
        version = database.execute("pragma user_version").fetchone()[0]
    assert styles == [("changes", QML, 1, "2024-01-02T03:04:05.000Z")]
    assert version == 10200


def test_the_global_option_is_put_back(tmp_path):
    """Another writer in this process gets the clock again."""
    write_geopackage(tmp_path / "a.gpkg", TABLES[:1], crs=None, now=NOW)
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_a_failure_leaves_nothing(tmp_path):
    """A table that cannot be written leaves no half file."""
    wrong = Table(name="x", columns={}, rows=[{}], geometries=[LineString([(0, 0), (1, 1)])], geometry_type="Nonsense")
    with pytest.raises(Exception, match="Nonsense"):
        write_geopackage(tmp_path / "a.gpkg", [wrong], crs=None, now=NOW)
    assert list(tmp_path.iterdir()) == []
