"""Whatever is put in place of an image ends in one sentence that names it, and leaves nothing behind."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from smalltif import TRANSFORM, UTM, noise, write_tif

from geo.errors import InputError
from geo.files import limits, opening
from geo.files.rasters import describe

VRT = """<VRTDataset rasterXSize="4" rasterYSize="4">
<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
<SourceFilename relativetoVRT="0">{secret}</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>
<LineOffset>4</LineOffset></VRTRasterBand></VRTDataset>"""
WMS = """<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/${z}/${x}/${y}.png</ServerUrl></Service>
<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1</LowerRightX><LowerRightY>0</LowerRightY>
<TileLevel>2</TileLevel></DataWindow><BandsCount>3</BandsCount></GDAL_WMS>"""


def text(path: Path) -> None:
    path.write_text("This is not an image.\n")


def empty(path: Path) -> None:
    path.touch()


def vrt(path: Path) -> None:
    secret = path.with_name("secret.txt")
    secret.write_text("a very secret text")
    path.write_text(VRT.format(secret=secret))


def wms(path: Path) -> None:
    path.write_text(WMS)


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere.tif"))


def cut_off(path: Path) -> None:
    write_tif(path, noise(2, size=200), compress="deflate")
    path.write_bytes(path.read_bytes()[:9000])


def header_only(path: Path) -> None:
    path.write_bytes(b"II*\0" + struct.pack("<I", 8))


def complex_numbers(path: Path) -> None:
    write_tif(path, noise(1).astype(np.complex64))


def many_bands(path: Path) -> None:
    write_tif(path, np.zeros((limits.MAX_BANDS + 1, 2, 2), np.uint8))


def million(path: Path) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", width=1_000_000, height=1_000_000, count=4, dtype="float64", crs=UTM,
        transform=TRANSFORM, tiled=True, blockxsize=65536, blockysize=65536, sparse_ok=True, bigtiff="YES",
    ):  # fmt: skip
        pass


def bomb(path: Path) -> None:
    """5 GB of pixels in a file of some kB: all tiles of a sparse file are zero."""
    with rasterio.open(
        path, "w", driver="GTiff", width=36_000, height=36_000, count=2, dtype="uint16", crs=UTM, transform=TRANSFORM,
        tiled=True, blockxsize=512, blockysize=512, sparse_ok=True, compress="deflate",
    ):  # fmt: skip
        pass


def one_block(path: Path) -> None:
    """A block that cannot be read in pieces, in a file large enough to pass the ratio."""
    with rasterio.open(
        path, "w", driver="GTiff", width=32_768, height=32_768, count=1, dtype="uint8", crs=UTM, transform=TRANSFORM,
        tiled=True, blockxsize=32_768, blockysize=32_768, sparse_ok=True, compress="deflate",
    ):  # fmt: skip
        pass
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + 3 * 2**20)


BAD: list[Callable[[Path], None]] = [
    text, empty, vrt, wms, folder, pipe, dangling, cut_off, header_only, complex_numbers, many_bands, million, bomb,
    one_block,
]  # fmt: skip


@pytest.mark.parametrize("spoil", BAD, ids=lambda f: f.__name__)
def test_bad_files(tmp_path: Path, capfd: pytest.CaptureFixture[str], spoil: Callable[[Path], None]) -> None:
    """One sentence with the name and a way out; nothing on stderr; no file more than before."""
    path = tmp_path / "before.tif"
    spoil(path)
    left = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        describe(path)
    message = str(caught.value)
    assert "before.tif" in message
    assert "\n" not in message
    assert message.endswith(".")
    assert "secret text" not in message
    assert sorted(tmp_path.iterdir()) == left
    assert capfd.readouterr() == ("", "")
    opening.forget()


@pytest.mark.parametrize(
    "path",
    [
        "http://example.org/a.tif", "s3://bucket/a.tif", "/vsicurl/http://example.org/a.tif", "/vsimem/a.tif",
        "/vsistdin/", "GTIFF_DIR:1:a.tif", "MEM:::DATAPOINTER=1", "<VRTDataset/>", "a\0b.tif", "missing.tif", "",
        "vrt://a.tif", "file:///etc/hostname", "//vsimem/a.tif",
    ],
)  # fmt: skip
def test_what_is_no_local_file(path: str) -> None:
    """Addresses, virtual paths, driver syntax and XML are refused as names, whatever GDAL could make of them."""
    with pytest.raises(InputError):
        describe(path)


def test_driver_syntax_is_only_a_name_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is really called like driver syntax is opened as that file."""
    monkeypatch.chdir(tmp_path)
    write_tif(tmp_path / "plain.tif", noise(1)).rename(tmp_path / "GTIFF_DIR:1:plain.tif")
    assert describe("GTIFF_DIR:1:plain.tif").grid.shape == (40, 40)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions are named, not guessed (root may read everything, so access is simulated)."""
    path = write_tif(tmp_path / "a.tif", noise(1))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=r"a\.tif may not be read; change its permissions"):
        describe(path)


def test_damage_found_only_while_reading(tmp_path: Path) -> None:
    """A file whose damage lies where the sample did not look fails at the read, by name, and in every later read."""
    path = write_tif(tmp_path / "a.tif", noise(1, size=1500), tiled=True, blockxsize=16, blockysize=16, compress="zstd")
    file = describe(path)
    with rasterio.open(path) as source:
        offset = int(source.get_tag_item("BLOCK_OFFSET_20_20", "TIFF", bidx=1))
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\0" * 64)
    for _ in range(2):
        with pytest.raises(InputError, match=r"a\.tif"):
            file.read((slice(0, 1500), slice(0, 1500)))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A source that vanished after it was described is named."""
    file = describe(write_tif(tmp_path / "a.tif", noise(1)))
    file.path.unlink()
    with pytest.raises(InputError, match=r"a\.tif does not exist"):
        file.read((slice(0, 4), slice(0, 4)))


def mutants(original: bytes, count: int, seed: int) -> list[bytes]:
    """Copies with flipped, zeroed, cut or inserted bytes, most of them in the header and directory."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        data = bytearray(original)
        for _ in range(int(rng.integers(1, 8))):
            reach = len(data) if rng.random() < 0.5 else min(len(data), 400)
            at = int(rng.integers(0, reach))
            kind = rng.random()
            if kind < 0.7:
                data[at] = int(rng.integers(0, 256))
            elif kind < 0.85:
                data[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])))
            elif kind < 0.95:
                data[at:at] = bytes(rng.integers(0, 256, 3, dtype=np.uint8))
            else:
                del data[at:]
                data = data or bytearray(b"I")
        made.append(bytes(data))
    return made


@pytest.mark.parametrize(
    ("codec", "seed"), [("none", 1), ("deflate", 2), ("lzw", 3), ("zstd", 4), ("jpeg", 5), ("png", 6), ("jp2", 7)]
)
def test_fuzzed_images(tmp_path: Path, capfd: pytest.CaptureFixture[str], codec: str, seed: int) -> None:
    """Damaged bytes give a result or an InputError, never another exception, and nothing on stderr."""
    data = noise(3, "uint8", 1, 250, size=96)
    driver = {"png": "PNG", "jp2": "JP2OpenJPEG"}.get(codec, "GTiff")
    options = {"compress": codec} if driver == "GTiff" and codec != "none" else {}
    original = write_tif(tmp_path / "o.tif", data, driver=driver, tags={"capture_date": "2020-01-01"}, **options)
    capfd.readouterr()
    outcomes = {"read": 0, "refused": 0}
    messages: set[str] = set()
    path = tmp_path / "20200101.tif"
    for mutant in mutants(original.read_bytes(), 75, seed):
        path.write_bytes(mutant)
        try:
            file = describe(path)
            rows, cols = file.grid.shape
            file.read_both((slice(0, min(rows, 256)), slice(0, min(cols, 256))))
            outcomes["read"] += 1
        except InputError as error:
            messages.add(str(error))
            outcomes["refused"] += 1
        opening.forget()
    assert outcomes["refused"] > 0
    assert all("20200101.tif" in message and "\n" not in message for message in messages)
    assert capfd.readouterr().err == ""
