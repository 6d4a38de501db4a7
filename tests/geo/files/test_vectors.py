"""Site files and areas of interest from disk, the honest and the hostile."""

import json
import os
import random
from pathlib import Path

import geopandas
import pytest
import sitefiles
from shapely.geometry import box, mapping

from geo import geojson
from geo.errors import ConfigurationError, InputError
from geo.files import vectors
from geo.sites import SiteFaults


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good site."""
    (tmp_path / "test-site.geojson").write_text(json.dumps(sitefiles.document()))
    return tmp_path


def test_a_broken_file_hides_no_other(folder: Path) -> None:
    """The good site is there, and every broken file is told."""
    (folder / "broken.geojson").write_text("{")
    (folder / "other-name.geojson").write_text(json.dumps(sitefiles.document()))
    (folder / "README.md").write_text("not a site")
    (folder / "schema.json").write_text("{}")
    (folder / ".hidden.geojson").write_text("{")
    (folder / "a-folder.geojson").mkdir()
    found = vectors.read_sites(folder)
    assert list(found.sites) == ["test-site"]
    assert [f.split("/")[-1].split()[0] for f in found.faults] == [
        "a-folder.geojson",
        "broken.geojson",
        "other-name.geojson",
    ]
    assert "call the file test-site.geojson" in found.faults[2]


def test_links_pipes_and_giants_are_refused(folder: Path) -> None:
    """Nothing outside the folder is read, nothing hangs, nothing fills the memory."""
    secret = folder / "secret"
    secret.write_text(json.dumps(sitefiles.document()))
    (folder / "link.geojson").symlink_to(secret)
    os.mkfifo(folder / "pipe.geojson")
    with (folder / "giant.geojson").open("wb") as stream:
        stream.truncate(geojson.MAX_BYTES + 1)
    found = vectors.read_sites(folder)
    told = " ".join(found.faults)
    assert len(found.faults) == 3
    assert all(word in told for word in ("symbolic link", "not a regular file", "larger than 20 MB"))


def test_a_missing_file_or_folder_is_told(tmp_path: Path) -> None:
    """One sentence, code 78."""
    with pytest.raises(SiteFaults, match="cannot be read"):
        vectors.read_site(tmp_path / "x.geojson")
    with pytest.raises(ConfigurationError, match="no folder"):
        vectors.read_sites(tmp_path / "none")


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "A", "x\0", "é", "x" * 65])
def test_an_id_cannot_leave_the_folder(name: str, tmp_path: Path) -> None:
    """A site id is a name, never a path."""
    with pytest.raises(ConfigurationError, match="is no site id"):
        vectors.site_path(tmp_path, name)
    assert vectors.site_path(tmp_path, "a-1") == tmp_path / "a-1.geojson"


AREA = box(103.70, 10.80, 103.72, 10.83)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648", "EPSG:3857"])
@pytest.mark.parametrize("name", ["area.gpkg", "area.shp", "area.geojson"])
def test_an_area_is_read_in_any_dress(name: str, crs: str, tmp_path: Path) -> None:
    """GeoPackage, Shapefile and GeoJSON give the same lon/lat polygon."""
    frame = geopandas.GeoDataFrame({"note": ["x"]}, geometry=[AREA], crs="EPSG:4326")
    if name.endswith("geojson"):
        (tmp_path / name).write_text(frame.to_json())
    else:
        frame.to_crs(crs).to_file(tmp_path / name, engine="pyogrio")
    found = vectors.read_aoi(tmp_path / name)
    assert found.symmetric_difference(AREA).area < 1e-9


def test_an_area_may_be_a_feature_or_a_geometry(tmp_path: Path) -> None:
    """Several polygons become one area."""
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(mapping(AREA)))
    assert vectors.read_aoi(path).equals(AREA)
    path.write_text(json.dumps({"type": "Feature", "properties": None, "geometry": mapping(AREA)}))
    assert vectors.read_aoi(path).equals(AREA)
    other = box(103.72, 10.80, 103.74, 10.83)
    frame = geopandas.GeoDataFrame(geometry=[AREA, other], crs="EPSG:4326")
    path.write_text(frame.to_json())
    assert vectors.read_aoi(path).area == pytest.approx(2 * AREA.area)


BAD = {
    "text.geojson": (b"hello", "neither GeoJSON, GeoPackage nor Shapefile"),
    "empty.geojson": (b"", "is empty"),
    "vrt.gpkg": (b"<OGRVRTDataSource/>", "neither GeoJSON"),
    "vrt.geojson": (b'{"type": "FeatureCollection", "features": []}', "no features"),
    "point.geojson": (b'{"type": "Point", "coordinates": [1, 2]}', "is a Point"),
    "bow.geojson": (
        b'{"type": "Polygon", "coordinates": [[[0,0],[1,1],[1,0],[0,1],[0,0]]]}',
        "feature 1 crosses or touches itself",
    ),
    "swapped.geojson": (
        b'{"type": "Polygon", "coordinates": [[[10,103],[11,103],[11,104],[10,104],[10,103]]]}',
        "look swapped",
    ),
    "list.geojson": (b"[]", "neither GeoJSON"),
    "sqlite.gpkg": (b"SQLite format 3\0" + b"\0" * 4096, "cannot be read as vector data"),
    "sqlite.tif": (b"SQLite format 3\0" + b"\0" * 4096, "give it the suffix .gpkg"),
    "shape.shp": (b"\x00\x00\x27\x0a" + b"\0" * 96, "shape.shp"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_area_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    """The message names the file; code 65."""
    content, expected = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        vectors.read_aoi(tmp_path / name)
    assert name in str(caught.value)
    assert caught.value.exit_code == 65


def test_a_layer_without_coordinate_system_is_refused(tmp_path: Path) -> None:
    """Degrees or metres: nobody knows."""
    path = tmp_path / "a.shp"
    with pytest.warns(UserWarning, match="crs"):
        geopandas.GeoDataFrame(geometry=[AREA]).to_file(path, engine="pyogrio")
    with pytest.raises(InputError, match="coordinate system"):
        vectors.read_aoi(path)


def test_damaged_geopackages_never_crash(tmp_path: Path) -> None:
    """A hundred mutants: an area or an InputError."""
    path = tmp_path / "area.gpkg"
    geopandas.GeoDataFrame({"n": [1]}, geometry=[AREA], crs="EPSG:4326").to_file(path, engine="pyogrio")
    whole, rng = bytearray(path.read_bytes()), random.Random(3)
    told = []
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 10, 200])):
            content[rng.randrange(16, len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([len(content), rng.randrange(16, len(content))])])
        try:
            vectors.read_aoi(path)
        except InputError as error:
            told.append(str(error))
    assert len(told) > 50
    assert all("area.gpkg" in sentence for sentence in told)
