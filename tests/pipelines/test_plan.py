"""A scanned plan on the ground: where its points say, with its residual stated, and a wrong point named."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pyproj import Transformer
from runs import files_of, sitewatch
from seriesworld import Story, write_images, write_site

from geo.errors import InputError
from pipelines.plan import Point, fit, parse_gcp, read_points

UTM = "EPSG:32648"
LON, LAT = 103.1747, 10.8403
X, Y = Transformer.from_crs("OGC:CRS84", UTM, always_xy=True).transform(LON, LAT)
# 2 m a pixel, turned by 12 degrees, row downwards.
TRUE = Affine.translation(X - 200, Y + 150) @ Affine.rotation(-12) @ Affine.scale(2, -2)
PIXELS = [(10, 10), (190, 12), (185, 140), (15, 145), (100, 80), (50, 120)]


def point(x: float, y: float, off: tuple[float, float] = (0, 0)) -> Point:
    east, north = TRUE @ (x, y)
    lon, lat = Transformer.from_crs(UTM, "OGC:CRS84", always_xy=True).transform(east + off[0], north + off[1])
    return Point(x, y, lon, lat)


POINTS = [point(*pixel) for pixel in PIXELS]


def word(p: Point) -> str:
    return f"{p.x},{p.y}={p.lon!r},{p.lat!r}"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A sheet with a wall, two halls and a transparent margin."""
    image = Image.new("RGBA", (200, 150), (255, 255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 180, 130), outline=(0, 0, 0, 255), width=2)
    draw.rectangle((60, 50, 90, 70), fill=(200, 0, 0, 255))
    draw.rectangle((0, 0, 5, 149), fill=(0, 0, 0, 0))
    image.save(tmp_path / "the plan.png")
    return tmp_path / "the plan.png"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    sitewatch("init", tmp_path / "w")
    write_site(tmp_path / "w")
    return tmp_path / "w"


@given(st.floats(-180, 180), st.floats(0.2, 20), st.integers(3, 6))
@settings(max_examples=30, deadline=None)
def test_the_sheet_lies_where_its_points_say(angle: float, size: float, count: int) -> None:
    true = Affine.translation(X, Y) @ Affine.rotation(angle) @ Affine.scale(size, -size)
    to = Transformer.from_crs(UTM, "OGC:CRS84", always_xy=True)
    points = [Point(x, y, *to.transform(*(true @ (x, y)))) for x, y in PIXELS[:count]]
    found = fit(points, UTM)
    for corner in ((0, 0), (200, 0), (0, 150), (200, 150)):
        assert np.hypot(*np.subtract(found.transform @ corner, true @ corner)) < 0.01
    assert (found.rms_m is None) == (count == 3)
    assert count == 3 or (found.rms_m or 0) < 0.01


def test_residuals_are_those_of_an_independent_fit() -> None:
    """Noise of a metre: residuals and their mean square from the normal equations, solved another way."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (6, 2))
    points = [point(*pixel, (float(e), float(n))) for pixel, (e, n) in zip(PIXELS, noise, strict=True)]
    design = np.column_stack([PIXELS, np.ones(6)])
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    left = np.hypot(*((np.eye(6) - hat) @ noise).T)
    found = fit(points, UTM)
    assert found.residuals_m == pytest.approx(left, abs=1e-3)
    assert found.rms_m == pytest.approx(np.sqrt((left**2).sum() / 6), abs=1e-3)
    alone = left / (1 - np.diag(hat))
    assert found.alone_m == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("wrong", range(6))
def test_a_point_that_the_others_contradict_is_named(wrong: int) -> None:
    points = [point(*pixel, (80.0, -40.0) if k == wrong else (0.3 * k, 0)) for k, pixel in enumerate(PIXELS)]
    with pytest.raises(InputError, match=f"Control point {wrong + 1} .* lies .* m from where the others put it"):
        fit(points, UTM)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (POINTS[:2], "too few"),
        ([point(10, 10), point(20, 20), point(30, 30), point(40, 40)], "in one line"),
        ([Point(p.y, p.x, p.lon, p.lat) for p in POINTS[:4]], "mirror"),
        ([Point(p.x * 2, p.y, p.lon, p.lat) for p in POINTS[:4]], "stretch"),
        ([*POINTS[:3], Point(100, 80, 104.9, 11.0)], "50 km"),
    ],
)
def test_what_cannot_be_a_sheet_is_refused(points: list[Point], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(points, UTM)


@pytest.mark.parametrize("text", ["", "1,2", "1,2=3", "a,b=c,d", "1,2=200,10", "1,2=10,95", "nan,1=2,3", "1,2=3,4,5"])
def test_a_control_point_is_four_numbers(text: str) -> None:
    with pytest.raises(InputError):
        parse_gcp(text)


def test_the_warped_plan_covers_its_ground_and_says_how_well(workspace: Path, plan: Path) -> None:
    write_images(workspace / "images", Story(clearing=1, dates=3))
    words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", "2020-01-01")
    assert sitewatch(*words).code == 0
    gcps = [arg for p in POINTS for arg in ("--gcp", word(p))]
    ended = sitewatch("sites", "plan", "wood", "-w", workspace, "--image", plan, *gcps)
    assert (ended.code, ended.err) == (0, "")
    assert "6 control points, residual 0.0 m (RMS)" in ended.out
    (folder,) = (workspace / "outputs/plans/wood").iterdir()
    with rasterio.open(folder / "plan.tif") as dataset:
        assert dataset.crs.to_epsg() == 32648
        red, green, _, alpha = (dataset.read(k) for k in (1, 2, 3, 4))
        rows, cols = np.nonzero((red > 150) & (green < 60) & (alpha == 255))
        middle = dataset.transform @ (cols.mean() + 0.5, rows.mean() + 0.5)
    assert np.hypot(*np.subtract(middle, TRUE @ (75.5, 60.5))) < 2
    assert alpha[0, 0] == 0
    with Image.open(folder / "panel.png") as panel:
        assert panel.width == 3000
    told = json.loads((folder / "plan.json").read_text())
    assert len(told["points"]) == 6
    before = files_of(folder)
    again = sitewatch("sites", "plan", "wood", "-w", workspace, "--image", plan, *gcps)
    assert (again.code, again.out) == (78, "")
    assert files_of(folder) == before


def test_the_points_of_qgis_do_the_same(workspace: Path, plan: Path, tmp_path: Path) -> None:
    """In another coordinate system, rows counted downwards as QGIS does, one point switched off."""
    to = Transformer.from_crs("OGC:CRS84", UTM, always_xy=True)
    lines = ["#CRS: EPSG:32648", "mapX,mapY,sourceX,sourceY,enable,dX,dY,residual"]
    for p in POINTS:
        east, north = to.transform(p.lon, p.lat)
        lines.append(f"{east},{north},{p.x},{-p.y},1,0,0,0")
    lines.append("0,0,5,-5,0,0,0,0")
    file = tmp_path / "plan.points"
    file.write_text("\n".join(lines) + "\n")
    for read, true in zip(read_points(file), POINTS, strict=True):
        assert (read.x, read.y) == (true.x, true.y)
        assert (read.lon, read.lat) == pytest.approx((true.lon, true.lat), abs=1e-9)
    assert sitewatch("sites", "plan", "wood", "-w", workspace, "--image", plan, "--points", file).code == 0
    file.write_text("#CRS: EPSG:99999999\nmapX,mapY\n1,2\n")
    assert sitewatch("sites", "plan", "wood", "-w", workspace, "--image", plan, "--points", file).code == 65
    assert sitewatch("sites", "plan", "wood", "-w", workspace, "--image", plan).code == 2


def test_the_next_run_s_project_shows_the_plan(workspace: Path, plan: Path) -> None:
    """By a relative path that leads there, and the run still comes out again."""
    gcps = [arg for p in POINTS for arg in ("--gcp", word(p))]
    assert sitewatch("sites", "plan", "wood", "-w", workspace, "--image", plan, *gcps).code == 0
    write_images(workspace / "images", Story(clearing=1, dates=3))
    words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", "2020-01-01")
    assert sitewatch(*words).code == 0
    (run,) = (p.parent for p in (workspace / "outputs/runs/wood").glob("*/manifest.json"))
    with zipfile.ZipFile(run / "site.qgz") as archive:
        project = archive.read("site.qgs").decode()
    (path,) = set(re.findall(r"<datasource>(\S*plans/\S*)</datasource>", project))
    assert (run / path).is_file()
    assert sitewatch("verify", run, "--recompute").code == 0
