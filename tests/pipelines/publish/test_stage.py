"""The stage as a whole: every file there, hashed, whole, and the same bytes again."""

import json
import shutil
import subprocess
import warnings
from pathlib import Path

import jsonschema
import numpy as np
import pyogrio
import pytest
import rasterio
from publish_cases import BEFORE, NOW, make_case
from rio_cogeo.cogeo import cog_validate

from geo.files.reviews import create_reviews
from geo.files.sums import check_folder
from pipelines.assess import Findings
from pipelines.publish import Lineage, PublishSettings, publish, read_manifest
from pipelines.publish.schema import schema_text, shipped_schema

FILES = {
    "SHA256SUMS", "after.qml", "after.tif", "before.qml", "before.tif", "change.qml", "change.tif", "change_mask.qml", "change_mask.tif",
    "figures/before_after.png", "figures/map.png", "findings.geojson", "findings.gpkg", "findings.json", "item.json",
    "manifest.json", "report.html", "site.qgz",
}  # fmt: skip
SETTINGS = PublishSettings(figure_dpi=72)
CASES = {
    "utm": {},
    "degrees": {"system": "degrees", "simulated": True},
    "wkt": {"system": "wkt", "dated": False},
    "none": {"system": "none", "bands": ("b1",)},
    "blind": {"seen": False, "bands": ("vv", "vh")},
    "empty": {"events": 0, "site": False},
}


def _run(folder: Path, lineage: Lineage | None = None, **case):
    folder.mkdir(parents=True)
    made = make_case(folder / ".work", **case)
    manifest = publish(
        made.findings, made.pair, made.change_map, folder=folder, settings=SETTINGS, now=NOW, lineage=lineage
    )
    shutil.rmtree(folder / ".work")
    return made, manifest


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _events(case: dict) -> int:
    return case.get("events", 3) if case.get("seen", True) else 0


@pytest.fixture(scope="module")
def utm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "utm"
    return folder, *_run(folder)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_file_is_there_hashed_and_the_same_again(tmp_path, case):
    """Any georeference, dates or none, seen or not: all files, sums that hold, and no byte that the clock made."""
    for name in ("one", "two"):
        _, manifest = _run(tmp_path / name, **CASES[case])
    one, two = tmp_path / "one", tmp_path / "two"
    tips = {name for name in _names(one) if name.startswith("figures/changes/")}
    assert tips == {f"figures/changes/{event:02d}.jpg" for event in range(1, _events(CASES[case]) + 1)}
    assert _names(one) - tips == FILES
    assert check_folder(one, leave_out=["manifest.json"]).ok
    assert read_manifest(one) == manifest
    assert {entry.name for entry in manifest.files} == (FILES | tips) - {"manifest.json"}
    different = [name for name in sorted(FILES | tips) if (one / name).read_bytes() != (two / name).read_bytes()]
    assert different == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        for name in ("change.tif", "change_mask.tif", "before.tif", "after.tif"):
            assert cog_validate(str(one / name), quiet=True)[0], name


def test_a_stranger_can_check_it_with_coreutils(utm):
    """`sha256sum -c SHA256SUMS` is enough."""
    command = ["sha256sum", "-c", "--quiet", "SHA256SUMS"]
    done = subprocess.run(command, cwd=utm[0], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_no_path_or_user_is_told(utm):
    """Nothing written names a folder, a user or a host of this machine."""
    folder = utm[0]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in (b"secret-user", b"/somewhere", str(folder.parent).encode(), b"/home/", b"/root", b"/tmp/"):
                assert word not in content, (path.name, word)


def test_change_tif_says_what_its_bands_promise(utm):
    """Dates where it changed, NaN where it was not seen, and the number of looks everywhere."""
    folder = utm[0]
    with rasterio.open(folder / "change.tif") as source:
        bands = dict(zip(source.descriptions, source.read(), strict=True))
        assert np.isnan(source.nodata)
        assert source.crs.to_epsg() == 32648
    with rasterio.open(folder / "change_mask.tif") as source:
        mask = source.read(1)
    changed, blind = mask == 1, mask == 255
    assert set(np.unique(mask)) == {0, 1, 255}
    assert set(bands["first_seen"][changed]) == {17899.0}  # 2019-01-03
    assert np.isnan(bands["first_seen"][~changed]).all()
    assert set(bands["last_unseen"][changed]) == {17504.0}  # 2017-12-04
    assert np.isnan(bands["score"][blind]).all()
    assert np.isnan(bands["direction"][blind]).all()
    assert set(bands["observed"][~blind]) == {2.0}
    assert set(bands["observed"][blind]) == {1.0}  # the cloud was over the second date only
    assert (bands["p"][changed] < 1e-3).all()
    assert (bands["direction"][changed] == 3).all()


def test_both_dates_share_one_stretch(utm):
    """The same value has the same colour on both dates, and what was not seen is transparent."""
    folder, made, _ = utm
    whole = (slice(0, 180), slice(0, 240))
    pairs = []
    for name, look in (("before.tif", made.pair.before), ("after.tif", made.pair.after)):
        with rasterio.open(folder / name) as source:
            image = source.read()
        values = look.source.read(whole)[2]
        assert np.array_equal(image[3] == 0, np.isnan(values))
        seen = image[3] == 255
        pairs.append((values[seen], image[0][seen]))
    values, colours = (np.concatenate(part) for part in zip(*pairs, strict=True))
    order = np.argsort(values, kind="stable")
    assert (np.diff(colours[order].astype(int)) >= 0).all()
    assert colours.min() == 0
    assert colours.max() == 255


def test_simulated_is_burnt_into_the_pixels(tmp_path):
    """What no satellite saw cannot be cut free of that word."""
    plain, _ = _run(tmp_path / "plain")
    _run(tmp_path / "made-up", simulated=True)
    with (
        rasterio.open(tmp_path / "plain" / "after.tif") as one,
        rasterio.open(tmp_path / "made-up" / "after.tif") as two,
    ):
        differs = (one.read() != two.read()).any(axis=0)
        assert two.tags()["SIMULATED"] == "yes"
    for half in (differs[:90, :120], differs[90:, 120:]):
        assert half.mean() > 0.01
    assert plain.pair.simulated is False


def test_findings_json_fits_the_shipped_schema(utm):
    """The document is valid, reads back as the same findings, and the schema is the model's."""
    text = (utm[0] / "findings.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(json.loads(shipped_schema())).validate(json.loads(text))
    assert Findings.model_validate_json(text).to_json() == text == utm[1].findings.to_json()
    assert shipped_schema() == schema_text(), "run: python -m pipelines.publish.schema"


def test_the_geopackage_measures_in_metres(utm):
    """Layers are in the run's system, so that areas can be measured; the GeoJSON is longitude, latitude."""
    folder = utm[0]
    layers = [name for name, _ in pyogrio.list_layers(folder / "findings.gpkg")]
    assert layers == [
        "changes", "perimeter_segments", "buildings", "site", "scenes", "controls", "reviews", "layer_styles",
    ]  # fmt: skip
    frame = pyogrio.read_dataframe(folder / "findings.gpkg", layer="changes")
    assert frame.crs.to_epsg() == 32648
    np.testing.assert_allclose(frame.area, frame["area_m2"], rtol=1e-4)
    assert frame["not_before"][0].timestamp() == pytest.approx(BEFORE.timestamp(), abs=1)
    document = json.loads((folder / "findings.geojson").read_text(encoding="utf-8"))
    roles = [feature["properties"]["role"] for feature in document["features"]]
    assert {role: roles.count(role) for role in roles} == {
        "change": 3, "perimeter": 5, "building": 3, "site": 1, "control": 1,
    }  # fmt: skip
    lon, lat = document["features"][0]["geometry"]["coordinates"][0][0][:2]
    assert (int(lon), int(lat)) == (103, 10)


def test_the_manifest_links_inputs_settings_and_the_run_before(tmp_path):
    """Custody: which bytes, with which settings, after which run; verdicts outside are not shadowed inside."""
    lineage = Lineage(previous_manifest="ef" * 32, settings={"detect": {"fdr": 0.05}}, review="../../review/x.gpkg")
    made, manifest = _run(tmp_path / "run", lineage)
    assert [entry.sha256 for entry in manifest.inputs] == ["ab" * 32, "cd" * 32]
    assert (manifest.previous, manifest.settings) == ("ef" * 32, {"detect": {"fdr": 0.05}})
    assert {"sitewatch", "numpy", "scipy", "rasterio", "gdal (rasters)"} <= set(manifest.versions)
    layers = [name for name, _ in pyogrio.list_layers(tmp_path / "run" / "findings.gpkg")]
    assert "reviews" not in layers
    assert made.findings.run_id == manifest.run_id


def test_different_grids_are_refused(tmp_path):
    """A change map of another grid would be drawn in the wrong place."""
    one, two = make_case(tmp_path / "a"), make_case(tmp_path / "b", system="wkt")
    with pytest.raises(ValueError, match="share one grid"):
        publish(one.findings, one.pair, two.change_map, folder=tmp_path, settings=SETTINGS, now=NOW)


def test_reviews_are_made_once_and_never_replaced(tmp_path):
    """What analysts wrote is not ours to touch."""
    path = tmp_path / "site.gpkg"
    create_reviews(path, NOW)
    assert [name for name, _ in pyogrio.list_layers(path)] == ["reviews"]
    path.write_bytes(b"theirs")
    create_reviews(path, NOW)
    assert path.read_bytes() == b"theirs"


def test_hostile_text_breaks_no_file(tmp_path):
    """Names full of markup, control characters, other scripts and formulas pass through every format."""
    text = "</Option>\"'<&>]]>\x00\x0b\u202e $x^{2$ {{7*7}} %s =1+1 ក្រុម " + "long" * 300
    made, _ = _run(tmp_path / "run", text=text)
    assert check_folder(tmp_path / "run", leave_out=["manifest.json"]).ok
    frame = pyogrio.read_dataframe(tmp_path / "run" / "findings.gpkg", layer="site")
    assert frame["name"][0].startswith("</Option>\"'<&>]]> $x^{2$ {{7*7}} %s =1+1 ក្រុម")
    assert made.findings.site.name == text
