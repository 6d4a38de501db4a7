"""Whatever fails while a remote file is read: an error or the right pixels, never zeros in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stacworld import tile_grid, wood, write_cog

from geo.errors import InputError, SitewatchError, TemporaryError
from geo.providers.stac.ranges import RemoteFile
from geo.providers.stac.windows import Piece, read_piece

AROUND = tile_grid(120, left=300_000, top=1_200_000)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ranges") / "c.tif"
    return write_cog(path, wood("blue", (600, 600)), tile_grid(600)).read_bytes()


def read(data: bytes, fails_at: int = 0) -> Piece | None:
    calls = 0

    def ranges(start: int, stop: int) -> tuple[bytes, dict[str, object]]:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise TemporaryError("the line went dead")
        return data[start:stop], {"size_bytes": len(data)}

    return read_piece(RemoteFile("c.tif", ranges), 1, AROUND)


def test_a_failure_at_any_request_is_raised_as_what_it_was(file: bytes) -> None:
    whole = read(file)
    assert whole is not None
    assert (whole.data > 0).all()
    for number in range(1, 6):
        with pytest.raises(TemporaryError, match="went dead"):
            read(file, fails_at=number)


@pytest.mark.parametrize("part", range(1, 60))
def test_a_file_cut_anywhere_gives_an_error_or_the_right_pixels(file: bytes, part: int) -> None:
    whole = read(file)
    assert whole is not None
    try:
        cut = read(file[: len(file) * part // 60])
    except InputError:
        return
    assert cut is not None
    assert np.array_equal(cut.data, whole.data)


def test_flipped_bytes_give_an_error_or_an_image_of_that_place(file: bytes) -> None:
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(150):
        damaged = bytearray(file)
        for at in rng.integers(0, 1200, 3):
            damaged[at] = rng.integers(0, 256)
        try:
            piece = read(bytes(damaged))
        except SitewatchError:
            refused += 1
        else:
            assert piece is None or max(piece.data.shape) <= 700
    assert refused > 20


def test_reads_are_few_and_small(file: bytes, tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []

    def ranges(start: int, stop: int) -> tuple[bytes, dict[str, object]]:
        asked.append((start, stop))
        return file[start:stop], {"size_bytes": len(file)}

    remote = RemoteFile("c.tif", ranges)
    read_piece(remote, 1, AROUND)
    assert remote.fetched_bytes == sum(stop - start for start, stop in asked) < len(file) / 2
    assert len(asked) == len(set(asked)) <= 8
