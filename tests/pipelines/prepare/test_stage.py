"""Prepare: whatever two files come, a pair on one grid in the same bands and units, or one plain sentence."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage

from geo.errors import InputError
from geo.files.rasters import RasterFile
from geo.files.warp import Placed
from geo.grid import Grid
from geo.scene import Provenance, Scene, SceneRecord
from pipelines.prepare import Pair, PrepareSettings, prepare

GRID = Grid("EPSG:32648", Affine(10, 0, 500_000, 0, -10, 1_200_000), (160, 180))
GEO = {"crs": GRID.crs, "transform": GRID.transform}
MARGIN = 40


def record(path: Path) -> SceneRecord:
    scene = Scene(id=path.stem, time=None, sensor="unknown", href=path.name)
    provenance = Provenance(provider="test", request={}, received=datetime(2024, 1, 1, tzinfo=UTC))
    return SceneRecord(scene=scene, provenance=provenance, path=path, sha256="0" * 64, size_bytes=1)


def ground(bands: int = 4, seed: int = 0, row: float = 0.0, col: float = 0.0) -> NDArray[np.float64]:
    """Reflectance 0.02-0.6 of smooth random ground, moved by (row, col) pixels."""
    rng = np.random.default_rng(seed)
    size = np.array(GRID.shape) + 2 * MARGIN
    field = sum(ndimage.gaussian_filter(rng.standard_normal(size), s) * s for s in (1.2, 3, 9))
    field = ndimage.shift(field, (row, col), order=5, mode="mirror")[MARGIN:-MARGIN, MARGIN:-MARGIN]
    field = (field - field.min()) / np.ptp(field)
    return np.stack([0.02 + (0.3 + 0.05 * band) * field for band in range(bands)])


def save(
    path: Path, data: NDArray[Any], *, names: tuple[str, ...] = (), nodata: float | None = None, **where: Any
) -> Path:
    count, rows, cols = data.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": count, "dtype": data.dtype, "nodata": nodata}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path, "w", **profile, **where)
    with file:
        file.write(data)
        for index, name in enumerate(names, 1):
            file.set_band_description(index, name)
    return path


def counts(reflectance: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.round(reflectance * 10_000).astype(np.uint16)


NAMES = ("blue", "green", "red", "nir")


def run(
    before: Path, after: Path, folder: Path, *, executor: Any = None, grid: Grid | None = None, **given: Any
) -> Pair:
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return prepare(
        record(before), record(after), grid=grid, folder=work, settings=PrepareSettings(**given), executor=executor
    )


def whole(pair: Pair) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    window = (slice(0, pair.grid.shape[0]), slice(0, pair.grid.shape[1]))
    return pair.before.source.read(window), pair.after.source.read(window)


def test_equal_grids_are_read_where_they_lie(tmp_path: Path) -> None:
    """Two files on one grid in register are used as they are: nothing is written."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground() * 1.05), names=NAMES, nodata=0, **GEO)
    pair = run(before, after, tmp_path)
    assert pair.grid == GRID
    assert (pair.bands, pair.unit, pair.gsd_m) == (NAMES, "reflectance", 10)
    assert isinstance(pair.after.source, RasterFile)
    assert pair.after.source.path == after
    assert list((tmp_path / "work").iterdir()) == []
    assert pair.before.registration == "reference"
    assert pair.after.registration == "within tolerance"
    assert pair.after.shift_px == pytest.approx((0, 0), abs=0.02)
    assert pair.before.clear_fraction == pair.after.clear_fraction == 1


@pytest.mark.parametrize(("row", "col"), [(0.6, -0.4), (-1.2, 0.3), (7.0, -4.4)])
def test_a_shift_is_measured_and_put_right(tmp_path: Path, row: float, col: float) -> None:
    """AFTER's ground comes back onto BEFORE's, to a fraction of its own contrast."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground(row=row, col=col)), names=NAMES, nodata=0, **GEO)
    pair = run(before, after, tmp_path, max_correct_px=25)
    assert pair.after.registration == "corrected"
    assert pair.after.shift_px == pytest.approx((row, col), abs=0.05)
    one, other = whole(pair)
    seen = np.isfinite(other)
    assert seen.mean() > 0.9
    assert np.sqrt(np.mean((one - other)[seen] ** 2)) < 0.05 * one.std()
    assert any("put right" in note for note in pair.after.notes)


def test_whole_pixels_need_no_resampling(tmp_path: Path) -> None:
    """A shift by whole pixels, within tolerance, is a view: every value stays what it was."""
    data = counts(ground(row=3, col=-2))
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    pair = run(before, save(tmp_path / "b.tif", data, names=NAMES, nodata=0, **GEO), tmp_path, max_correct_px=25)
    assert isinstance(pair.after.source, Placed)
    expected = data[:, 3:, :-2].astype(np.float32) * np.float32(1e-4)
    np.testing.assert_allclose(whole(pair)[1][:, :-3, 2:], expected, rtol=1e-6)


def test_a_large_shift_is_refused_not_hidden(tmp_path: Path) -> None:
    """Beyond the limit nothing is moved; the size of the shift is said."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground(row=2.4)), names=NAMES, nodata=0, **GEO)
    pair = run(before, after, tmp_path)
    assert pair.after.registration == "refused"
    assert pair.after.shift_px == pytest.approx((2.4, 0), abs=0.05)
    assert any("2.4" in note and "1.5 px" in note for note in pair.after.notes)
    assert isinstance(pair.after.source, RasterFile)


def test_other_ground_is_not_measurable(tmp_path: Path) -> None:
    """Two dates without a common pattern stay as they lie, and the pair says so."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground(seed=9)), names=NAMES, nodata=0, **GEO)
    pair = run(before, after, tmp_path)
    assert (pair.after.registration, pair.after.shift_px) == ("not measurable", None)
    assert any("could not be measured" in note for note in pair.after.notes)


def test_partial_overlap_and_other_grid(tmp_path: Path) -> None:
    """AFTER on a shifted, finer, partly overlapping grid: on BEFORE's grid, outside where it does not reach."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    fine = np.kron(ground(), np.ones((2, 2)))[:, 60:, 100:]
    where = {"crs": GRID.crs, "transform": Affine(5, 0, 500_500, 0, -5, 1_199_700)}
    pair = run(before, save(tmp_path / "b.tif", counts(fine), names=NAMES, nodata=0, **where), tmp_path)
    one, other = whole(pair)
    assert other.shape == one.shape
    assert np.isnan(other[:, :30]).all()
    assert np.isnan(other[:, :, :50]).all()
    assert pair.after.flag_fractions["outside"] == pytest.approx(1 - 130 / 160 * 130 / 180, abs=0.02)
    np.testing.assert_allclose(other[:, 40:-5, 60:-5], one[:, 40:-5, 60:-5], atol=2e-4)
    assert pair.gsd_m == 10


def test_a_given_grid_takes_both(tmp_path: Path) -> None:
    """With a grid of the site both dates are brought onto it; no sum of two resamplings."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    site = Grid("EPSG:32648", Affine(10, 0, 500_204, 0, -10, 1_199_797), (90, 100))
    pair = run(before, after, tmp_path, grid=site)
    assert pair.grid == pair.before.source.grid == pair.after.source.grid == site
    one, other = whole(pair)
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert pair.after.registration == "within tolerance"


def test_clouds_of_the_mask_band_are_not_observations(tmp_path: Path) -> None:
    """SCL in the file takes its clouds out of the pixels, and they are counted by reason."""
    scl = np.full(GRID.shape, 4, np.uint16)
    scl[:40], scl[40:48] = 9, 3
    data = np.concatenate([counts(ground()), scl[None]])
    before = save(tmp_path / "a.tif", data, names=(*NAMES, "SCL"), nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    pair = run(before, after, tmp_path)
    one, _ = whole(pair)
    assert pair.bands == NAMES
    assert np.isnan(one[:, :48]).all()
    assert np.isfinite(one[:, 48:]).all()
    assert pair.before.flag_fractions == {"cloud": 0.25, "shadow": 0.05}
    assert pair.before.clear_fraction == 0.7


def test_bands_meet_by_name_in_befores_order(tmp_path: Path) -> None:
    """Names decide, not positions; what is not common is said to be left out."""
    before = save(tmp_path / "a.tif", counts(ground()), names=("B04", "B03", "B02", "B08"), nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground()[::-1]), names=("nir", "red", "green"), nodata=0, **GEO)
    pair = run(before, after, tmp_path)
    assert pair.bands == ("red", "green", "nir")
    assert pair.after.source.bands == pair.bands  # type: ignore[attr-defined]
    assert any("blue" in note for note in pair.before.notes)


def test_no_common_band_is_an_input_error(tmp_path: Path) -> None:
    """Nothing in common: one sentence with both files' bands and the way out."""
    before = save(tmp_path / "a.tif", counts(ground(2)), names=("blue", "green"), nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground(2)), names=("nir", "swir16"), nodata=0, **GEO)
    with pytest.raises(InputError, match=r"a\.tif has the bands blue, green.*--bands"):
        run(before, after, tmp_path)


def eight_bit(bands: int, seed: int = 0, row: float = 0.0) -> NDArray[np.uint8]:
    return (ground(bands, seed, row) * 400 + 10).clip(1, 255).astype(np.uint8)


def test_pictures_of_other_size_without_georeference(tmp_path: Path) -> None:
    """Two PNGs of other sizes are laid on each other, registered, and reported in pixels."""
    before, after = eight_bit(3), eight_bit(3, row=12)[:, :150, :170]
    for path, data in ((tmp_path / "a.png", before), (tmp_path / "b.png", after)):
        Image.fromarray(np.moveaxis(data, 0, -1)).save(path)
    pair = run(tmp_path / "a.png", tmp_path / "b.png", tmp_path, max_correct_px=25)
    assert pair.grid.crs is None
    assert pair.gsd_m is None
    assert pair.unit == "value"
    assert pair.bands == ("red", "green", "blue")
    assert pair.after.shift_px == pytest.approx((12, 0), abs=0.1)
    assert any("top left" in note for note in pair.after.notes)


def test_one_georeference_serves_both_of_one_size(tmp_path: Path) -> None:
    """A file without georeference takes over the other's grid if the sizes agree, else it is refused by name."""
    before = save(tmp_path / "a.tif", eight_bit(3))
    after = save(tmp_path / "b.tif", eight_bit(3), **GEO)
    pair = run(before, after, tmp_path)
    assert pair.grid == GRID
    assert any("no georeference" in note for note in pair.after.notes)
    other = save(tmp_path / "c.tif", eight_bit(3)[:, :100])
    with pytest.raises(InputError, match=r"c\.tif has no georeference"):
        run(other, after, tmp_path)


def away(crs: str, x: float, y: float, size: float) -> dict[str, Any]:
    return {"crs": crs, "transform": Affine(size, 0, x, 0, -size, y)}


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (away("EPSG:32648", 900_000, 1_200_000, 10), "near longitude"),
        (away("EPSG:4326", 10.855, 105.0, 1e-4), "swapped"),
        (away("EPSG:32647", 500_000, 1_200_000, 10), "EPSG:32648 and EPSG:32647"),
    ],
)
def test_files_that_do_not_meet_are_named_with_the_likely_reason(
    tmp_path: Path, where: dict[str, Any], words: str
) -> None:
    """No overlap is an error that names both files and guesses why."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground()), names=NAMES, nodata=0, **where)
    with pytest.raises(InputError, match=words) as caught:
        run(before, after, tmp_path)
    assert "b.tif" in str(caught.value)


def test_swapped_axes_that_could_be_true_are_noticed(tmp_path: Path) -> None:
    """45, 33 and 33, 45 are both on Earth; only the other file tells."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **away("EPSG:4326", 45.0, 33.0, 1e-4))
    after = save(tmp_path / "b.tif", counts(ground()), names=NAMES, nodata=0, **away("EPSG:4326", 32.99, 45.01, 1e-4))
    with pytest.raises(InputError, match=r"a\.tif and b\.tif do not overlap.*swapped"):
        run(before, after, tmp_path)


@pytest.mark.parametrize(("raised", "name"), [(0, "BEFORE"), (1, "AFTER")])
def test_an_offset_left_in_on_one_date_is_noted_and_not_touched(tmp_path: Path, raised: int, name: str) -> None:
    """+1000 counts on one date only: a note that names the date; the pixels stay as received."""
    data = [counts(ground()), counts(ground())]
    data[raised] = data[raised] + np.uint16(1000)
    before, after = (save(tmp_path / f"{i}.tif", part, names=NAMES, nodata=0, **GEO) for i, part in enumerate(data))
    pair = run(before, after, tmp_path, scale=1e-4, offset=0)
    assert [note for note in pair.after.notes if f"ground of {name} is about 0.1 brighter" in note]
    np.testing.assert_allclose(whole(pair)[raised], data[raised] * np.float32(1e-4), rtol=1e-6)


def test_a_brighter_season_is_not_an_offset(tmp_path: Path) -> None:
    """Ground that brightened by a factor is not suspected."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground() * 1.5), names=NAMES, nodata=0, **GEO)
    assert not [note for note in run(before, after, tmp_path).after.notes if "offset" in note]


def test_radar_and_optical_do_not_mix(tmp_path: Path) -> None:
    """Reflectance against linear power is refused; reflectance against plain numbers is compared as numbers."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    plain = save(tmp_path / "c.tif", eight_bit(4), names=NAMES, **GEO)
    pair = run(before, plain, tmp_path)
    assert pair.before.unit == pair.after.unit == "value"
    assert any("plain numbers" in note for note in pair.after.notes)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_show(tmp_path: Path, workers: int) -> None:
    """The resampled date has the same bytes for any number of workers."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground(row=0.7, col=0.6)), names=NAMES, nodata=0, **GEO)
    run(before, after, tmp_path)
    alone = (tmp_path / "work" / "after.tif").read_bytes()
    with ThreadPoolExecutor(workers) as executor:
        run(before, after, tmp_path, executor=executor)
    assert (tmp_path / "work" / "after.tif").read_bytes() == alone


NAIP = "naip_prairie_2009_2020"
REAL: dict[str, tuple[str, str, str, Callable[[Pair], bool]]] = {
    "723 and 724 rows": (
        f"{NAIP}/20090818.tif", f"{NAIP}/20100629.tif", "corrected", lambda p: p.grid.shape == (724, 934)
    ),
    "origins 0.6 to 2 m apart": (f"{NAIP}/20150926.tif", f"{NAIP}/20160816.tif", "corrected", lambda p: p.gsd_m == 5),
    "cut 30 px apart": (
        "landsat8_brumadinho/20190114.tif", "landsat8_brumadinho/20190130.tif", "corrected",
        lambda p: isinstance(p.after.source, Placed) and p.after.source.first == (0, -30),
    ),
    "half empty, geographic": (
        "s2_urban_pairs/Houston_Spring/before.tif", "s2_urban_pairs/Houston_Spring/after.tif", "within tolerance",
        lambda p: abs(p.after.clear_fraction - 0.49) < 0.01 and isinstance(p.after.source, RasterFile),
    ),
    "half a metre, rotated, after a tornado": (
        "vhr_xbd_joplin/1/pre.tif", "vhr_xbd_joplin/1/post.tif", "corrected",
        lambda p: p.after.shift_px is not None and np.allclose(p.after.shift_px, (-2.6, 1.5), atol=0.4),
    ),
}  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_pairs(real_data: Path, tmp_path: Path, name: str) -> None:
    """Real pairs with real faults come out registered; what is left after a correction is within tolerance."""
    before, after, state, holds = REAL[name]
    pair = run(real_data / before, real_data / after, tmp_path, max_correct_px=40)
    assert pair.after.registration == state
    assert holds(pair)
    if state == "corrected" and isinstance(pair.after.source, RasterFile):
        again = replace(pair.after.record, path=pair.after.source.path)
        left = prepare(
            record(real_data / before), again, folder=tmp_path, settings=PrepareSettings(max_correct_px=40)
        ).after
        assert left.registration == "within tolerance"


@pytest.mark.parametrize(("pixel_m", "most"), [(10.0, 1.5), (30.0, 1.5), (3.0, 10 / 3), (0.5, 20.0), (0.1, 25.0)])
def test_the_finer_the_pixels_the_more_of_them_may_be_put_right(pixel_m: float, most: float) -> None:
    """Two views of half a metre lie metres apart; two of ten metres that lie a pixel and a half apart are broken."""
    assert PrepareSettings().at((pixel_m, pixel_m)).max_correct_px == pytest.approx(most)
    assert PrepareSettings(max_correct_px=40).at((pixel_m, pixel_m)).max_correct_px == 40
    assert PrepareSettings().at(None) == PrepareSettings()


def test_dates_far_apart_do_not_pass_as_not_measurable(tmp_path: Path) -> None:
    """Thirty pixels off, where one and a half may be put right: refused, with the shift; never compared as they lie."""
    before = save(tmp_path / "a.tif", counts(ground()), names=NAMES, nodata=0, **GEO)
    after = save(tmp_path / "b.tif", counts(ground(col=30.0)), names=NAMES, nodata=0, **GEO)
    pair = run(before, after, tmp_path)
    assert pair.after.registration == "refused"
    assert pair.after.shift_px == pytest.approx((0, 30), abs=0.3)
