"""STAC items that validators accept, with and without dates and georeference."""

from datetime import UTC, datetime

import pystac
import pytest
from affine import Affine
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension

from geo.files import stac
from geo.grid import Grid

NOW = datetime(2024, 5, 6, tzinfo=UTC)
TIMES = [datetime(2019, 1, 3, tzinfo=UTC), datetime(2017, 12, 4, tzinfo=UTC)]
SQUARE = {"type": "Polygon", "coordinates": (((103.0, 10.0), (103.1, 10.0), (103.1, 10.1), (103.0, 10.0)),)}
UTM = Grid("EPSG:32648", Affine(10, 0, 350000, 0, -10, 1200000), (5, 6))


def _item(folder, grid=UTM, footprint=SQUARE, times=TIMES):
    (folder / "change.tif").write_bytes(b"abc")
    asset = stac.Asset(name="change.tif", title="Change\x00", media_type=stac.COG, roles=("data",))
    document = stac.item(
        item_id="x", grid=grid, footprint=footprint, times=times, created=NOW, properties={"title": "t"},
        links=[], assets=stac.read_assets(folder, {"change": asset}),
    )  # fmt: skip
    stac.write_item(folder / "item.json", document)
    return pystac.Item.from_file(str(folder / "item.json"))


def test_checksum_size_projection_and_span(tmp_path):
    """What a catalogue needs to check and place the files."""
    item = _item(tmp_path)
    file = FileExtension.ext(item.assets["change"])
    assert file.checksum == "1220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file.size == 3
    projection = ProjectionExtension.ext(item)
    assert (projection.code, projection.shape, projection.transform[:3]) == ("EPSG:32648", [5, 6], [10, 0, 350000])
    assert item.datetime is None
    assert (item.common_metadata.start_datetime, item.common_metadata.end_datetime) == (TIMES[1], TIMES[0])
    assert item.bbox == [103.0, 10.0, 103.1, 10.1]
    assert item.assets["change"].title == "Change"


def test_the_core_schema_accepts_it(tmp_path):
    """The item's structure is valid STAC 1.1; the schema lies in pystac, no network is asked."""
    item = _item(tmp_path)
    item.stac_extensions = []
    item.validate()


@pytest.mark.parametrize("times", [[], TIMES[:1]])
def test_without_two_dates_there_is_one_moment(tmp_path, times):
    """STAC demands a moment: the date that is known, else that of making."""
    assert _item(tmp_path, times=times).datetime == (times[0] if times else NOW)


def test_without_georeference_there_is_no_geometry(tmp_path):
    """No place is invented."""
    item = _item(tmp_path, grid=Grid(None, Affine.identity(), (5, 6)), footprint=None)
    assert (item.geometry, item.bbox) == (None, None)
    assert "proj:code" not in item.properties


def test_only_sha256_becomes_a_multihash():
    """A shortened checksum is refused."""
    with pytest.raises(ValueError, match="not a SHA-256"):
        stac.multihash("abc")
