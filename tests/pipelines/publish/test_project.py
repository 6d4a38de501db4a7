"""site.qgz in a real QGIS: opens, moved or not; themes show what they promise; the form asks what it should."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from publish_cases import NOW, make_case

from geo.files.sums import check_folder
from pipelines.publish import Lineage, PublishSettings, publish
from pipelines.publish.project import layers_of

PROBE = Path(__file__).parent.parent.parent / "qgis_probe.py"
PYTHON = "/usr/bin/python3"  # QGIS binds to the system's Python only


@cache
def _has_qgis() -> bool:
    command = [PYTHON, "-c", "import qgis.core"]
    return Path(PYTHON).exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _has_qgis(), reason="no QGIS on this machine (apt install python3-qgis qgis-providers)"),
]


def _probe(folder: Path, review: str | None = None, **case) -> tuple[dict, Path]:
    """Publish, move the folder elsewhere, open it there."""
    made = make_case(folder / "work", **case)
    run = folder / "run"
    run.mkdir()
    settings, lineage = PublishSettings(figure_dpi=72), Lineage(review=review)
    publish(made.findings, made.pair, made.change_map, folder=run, settings=settings, now=NOW, lineage=lineage)
    moved = folder / "elsewhere" / "a folder with spaces"
    moved.parent.mkdir()
    shutil.move(run, moved)
    pictures = folder / "pictures"
    pictures.mkdir()
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [PYTHON, str(PROBE), str(moved / "site.qgz"), str(pictures)],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": home, "QT_QPA_PLATFORM": "offscreen"},
        )
    assert "PROBE" in done.stdout, done.stderr[-2000:]
    # Looking changes nothing: the run is still what its sums say.
    assert check_folder(moved, leave_out=["manifest.json"]).ok
    return json.loads(done.stdout.split("PROBE")[1]), pictures


def _pixel(picture: Path, x: float, y: float) -> tuple[int, ...]:
    """Colour at a place given as shares of the picture."""
    image = np.asarray(Image.open(picture).convert("RGB"))
    return tuple(int(v) for v in image[int(y * image.shape[0]), int(x * image.shape[1])])


# Shares of the picture: in the first square beside its number, in the cloud, and in untouched ground.
SQUARE, CLOUD, GROUND = (38 / 240, 52 / 180), (204 / 240, 150 / 180), (120 / 240, 130 / 180)


@pytest.fixture(scope="module")
def utm(tmp_path_factory):
    return _probe(tmp_path_factory.mktemp("qgis"))


def test_it_opens_after_the_folder_was_moved(utm):
    """All layers are valid and in place, the coordinate system is known, three themes are there."""
    told = utm[0]
    assert (told["read"], told["crs"], told["epsg"]) == (True, True, "EPSG:32648")
    assert len(told["layers"]) == 11
    assert all(told["layers"].values())
    assert all(valid for name, valid in told["layer_crs"].items() if name != "reviews")
    assert told["themes"] == {"After": 2, "Before": 2, "Change": 7}


def test_themes_show_before_after_and_change(utm):
    """The square is dark before, bright after, coloured on the change map; the cloud is never like ground or roof."""
    told, pictures = utm
    before, after, change = (pictures / f"{name}.png" for name in ("Before", "After", "Change"))
    assert max(_pixel(before, *SQUARE)) < 130
    assert min(_pixel(after, *SQUARE)) > 200
    red, green, blue = _pixel(change, *SQUARE)
    assert red > green + 40 > blue + 40
    background = tuple(int(told["background"][i : i + 2], 16) for i in (1, 3, 5))
    assert _pixel(after, *CLOUD) == background != (255, 255, 255)
    grey = _pixel(change, *CLOUD)
    assert max(grey) - min(grey) < 60
    assert abs(grey[0] - _pixel(change, *GROUND)[0]) > 40


def test_the_time_slider_shows_the_image_of_its_time(utm):
    """In 2018 the before image, in 2020 the after image."""
    pictures = utm[1]
    assert max(_pixel(pictures / "2018-06-01.png", *SQUARE)) < 130
    assert min(_pixel(pictures / "2020-06-01.png", *SQUARE)) > 200


def test_the_time_slider_plays_the_changes(utm):
    """None before the last look without them; dotted until the first that shows them; then each in its own look."""
    shown = utm[0]["shown"]
    assert shown["2017-06-01"] == {}
    assert shown["2018-06-01"] == {"within its interval (time slider)": 3}
    assert sum(shown["2020-06-01"].values()) == 3
    assert set(shown["2020-06-01"]) <= {"confirmed", "probable", "possible"}


def test_hovering_shows_the_picture_of_the_change(utm):
    """The address in the tip names a file of the moved folder."""
    (address,) = re.findall(r'src="file://([^"]+)"', utm[0]["tip"])
    assert "a folder with spaces" in address
    with Image.open(address) as picture:
        assert picture.size == (646, 320)


def test_the_form_asks_for_a_verdict(utm):
    """Verdicts are chosen from a list, and only the reviews can be edited."""
    told = utm[0]
    kind, config = told["form"]
    assert kind == "ValueMap"
    assert {"Confirmed change": "confirmed"} in config["map"]
    assert told["relations"] == [True]
    assert told["required"] == ["fid", "event_id", "verdict"]
    assert told["tabs"] == ["Review", "All that is known"]
    assert [name for name, locked in told["read_only"].items() if not locked] == ["reviews"]


def test_the_geopackage_alone_comes_styled(utm):
    """Opened without the project, a layer looks the same."""
    assert utm[0]["default_style"] == ["categorizedSymbol", "confirmed"]
    colours = np.unique(np.asarray(Image.open(utm[1] / "alone.png").convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 5  # outlines and numbers, not bare ground


@pytest.mark.parametrize(("seen", "warned"), [(True, False), (False, True)])
def test_an_empty_map_of_unseen_ground_says_so_in_the_legend(tmp_path, seen, warned):
    """A layer without any change must not read like "no change" where nothing could be told."""
    findings = make_case(tmp_path / "work", seen=seen).findings
    titles = [layer.title for layer in layers_of(findings, Lineage()) if layer.name == "change_mask"]
    assert ["NOT-OBSERVED" in title for title in titles] == [warned]


def test_a_run_that_was_sent_without_the_verdicts_shows_its_changes(tmp_path):
    """The verdicts' file stays at home; all else is there, drawn as ever, by what the run itself knows."""
    told, pictures = _probe(tmp_path, review="../../../review/kaev-phos.gpkg")
    assert [name for name, valid in told["layers"].items() if not valid] == ["reviews"]
    assert sum(told["shown"]["2020-06-01"].values()) == 3
    assert set(told["shown"]["2020-06-01"]) <= {"confirmed", "probable", "possible"}
    assert "review: none yet" in told["tip"]
    red, green, blue = _pixel(pictures / "Change.png", *SQUARE)
    assert red > green + 40 > blue + 40


@pytest.mark.parametrize("system", ["degrees", "wkt", "none"])
def test_other_systems_open_too(tmp_path, system):
    """Degrees, a system without a code, and none at all: everything lies where it belongs."""
    told, pictures = _probe(tmp_path, system=system, dated=system != "none", text='a <b> & "c" \' \x07 ក្រុម')
    assert told["read"]
    assert all(told["layers"].values())
    assert told["crs"] is (system != "none")
    if system != "wkt":  # that one is turned, so shares of the picture are not shares of the grid
        red, green, blue = _pixel(pictures / "Change.png", *SQUARE)
        assert red > green + 40 > blue + 40
