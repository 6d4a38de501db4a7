"""Figures: every convention on the sheet, the same pixels in both panels, nothing read as a formula."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from publish_cases import NOW, make_case

from pipelines.publish import PublishSettings, publish
from pipelines.publish.figures import Sheet, before_after, change_map_figure
from pipelines.publish.pasting import Pasted
from pipelines.publish.pictures import north, read_picture, scale_bar
from pipelines.publish.pieces import drawable
from pipelines.publish.rasters import choose_view, write_rasters
from pipelines.publish.shapes import numbered


def _sheet(folder, **case):
    made = make_case(folder / "work", **case)
    view = choose_view(made.pair, PublishSettings())
    write_rasters(folder, made.pair, made.change_map, view)
    picture = read_picture(folder, made.pair.grid, 600)
    return Sheet(made.findings, numbered(made.findings.events, 30), picture, view.composite.label, 0.9, 72)


def _words(figure) -> str:
    texts = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return "\n".join(texts)


@pytest.fixture(scope="module")
def utm(tmp_path_factory):
    return _sheet(tmp_path_factory.mktemp("sheet"))


def test_the_sheet_tells_all_that_publications_ask_for(utm):
    """Place, dates in UTC, sensor, product, scale, north, corners, system, words, credit, limits, hashes."""
    words = _words(before_after(utm))
    for part in (
        "Kaev Phos centre", "location known to: commune", "BEFORE   2017-12-04 03:25 UTC",
        "AFTER   2019-01-03 03:24 UTC",
        "sentinel-2-l2a, resolution 10 m", "S2A_before_", "S2A_after_", "200 m", "N", "upper left 10.81657° N",
        "lower right", "EPSG:32648",
        "same extent, scale and stretch; natural colour", "1  probable construction, 9.0 ha",
        "possible = weak", "Contains modified Copernicus Sentinel data 2017", "not checked on the ground",
        "before abababababababab", "not observed",
    ):  # fmt: skip
        assert part in words.replace("\n", " "), part
    assert "SIMULATED" not in words


def _pasted(axes):
    (found,) = (artist for artist in axes.get_children() if isinstance(artist, Pasted))
    return found.image


def test_both_panels_show_the_same_ground_at_the_same_scale(utm):
    """Same extent, same size, and the pixels that the files hold."""
    before, after = before_after(utm).axes
    assert before.get_xlim() == after.get_xlim()
    assert before.get_ylim() == after.get_ylim()
    one, two = before.get_position(), after.get_position()
    assert (one.width, one.height) == pytest.approx((two.width, two.height))
    assert np.array_equal(_pasted(before), utm.picture.before)
    assert np.array_equal(_pasted(after), utm.picture.after)


def test_the_map_names_three_kinds_of_ground(utm):
    """Change, seen without change, and not observed have a legend entry each; a fence is dashed."""
    figure = change_map_figure(utm)
    words = _words(figure)
    for part in (
        "change, per pixel",
        "seen on both dates, no change found",
        "NOT OBSERVED",
        "line of the fence: changed",
        "gap",
    ):
        assert part in words
    fence = next(h for h in figure.legends[0].legend_handles if h.get_label().startswith("line of the fence: changed"))
    assert fence.get_linestyle() == "--"


def test_simulated_lies_across_both_panels(tmp_path):
    """In each panel, beside the stamp in the pixels, and in the title."""
    figure = before_after(_sheet(tmp_path, simulated=True))
    marks = [text for axes in figure.axes for text in axes.texts if text.get_text() == "SIMULATED"]
    assert len(marks) == 2
    assert "SIMULATED: Kaev Phos centre" in _words(figure)


def test_without_georeference_and_dates_nothing_is_invented(tmp_path):
    """No north, no metres, no dates: pixels and `date not stated`."""
    sheet = _sheet(tmp_path, system="none", dated=False)
    words = _words(before_after(sheet))
    assert "BEFORE   date not stated" in words
    assert "no georeference" in words
    assert "\nN\n" not in words
    assert scale_bar(sheet.picture)[1].endswith(" px")
    assert north(sheet.picture.grid) is None


def test_north_is_true_and_pixels_are_square_on_the_ground(tmp_path):
    """On a turned grid north leans; degrees are drawn in their true proportions."""
    sheet = _sheet(tmp_path / "turned", system="wkt")
    right, down = north(sheet.picture.grid)
    assert right == pytest.approx(np.sin(np.arctan2(3, 8)), abs=0.02)
    assert down < 0
    degrees = _sheet(tmp_path / "degrees", system="degrees").picture
    assert degrees.size[1] / degrees.size[0] == pytest.approx(240 * 109.4 / (180 * 88.5), rel=0.01)


def test_text_is_drawn_as_it_is_and_stays_on_the_sheet(tmp_path):
    """Formulas, markup and very long names are plain text that fits; letters that the font lacks become boxes."""
    sheet = _sheet(tmp_path, text="$x^{2$ <b>ក " + "W" * 400)
    figure = before_after(sheet)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=72)
    renderer = figure.canvas.get_renderer()
    for text in figure.texts:
        assert text.get_window_extent(renderer).x1 <= figure.bbox.x1, text.get_text()[:40]
    assert drawable("ក$x\n") == "□$x "


def test_the_files_carry_no_maker_and_no_users_taste(tmp_path, monkeypatch):
    """300 dots an inch for print; the same bytes whatever a matplotlibrc says; no name of a program inside."""
    made = make_case(tmp_path / "case")
    pictures = []
    for name in ("plain", "taste"):
        if name == "taste":
            monkeypatch.setitem(mpl.rcParams, "font.size", 22)
            monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "pink")
        folder = tmp_path / name
        folder.mkdir()
        settings = PublishSettings()
        publish(made.findings, made.pair, made.change_map, folder=folder, settings=settings, now=NOW)
        pictures.append((folder / "figures" / "before_after.png").read_bytes())
    assert pictures[0] == pictures[1]
    image = Image.open(io.BytesIO(pictures[0]))
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert set(image.info) == {"dpi"}
    assert image.width == 3000
