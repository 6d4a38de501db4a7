"""SHA256SUMS: what coreutils writes and checks, closed on both sides."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.errors import IntegrityError
from geo.files.sums import SUMS, Check, check_folder, read_sums, sha256, write_sums

ODD = ["plain.txt", "with space.txt", "été.txt", "back\\slash", "new\nline", "*star", " lead", "sub/deep/a.bin"]


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_known_value(tmp_path: Path) -> None:
    """The standard's own example, and a file larger than any buffer."""
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "b").write_bytes(b"a" * 1_000_000)
    assert sha256(tmp_path / "b") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no coreutils here")
def test_coreutils_agrees_both_ways(tmp_path: Path) -> None:
    """`sha256sum -c` accepts our file, we accept theirs, odd names included."""
    fill(tmp_path, ODD)
    write_sums(tmp_path)
    done = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    ours = read_sums(tmp_path)
    made = subprocess.run(["sha256sum", "--", *ODD], cwd=tmp_path, capture_output=True, check=True).stdout
    (tmp_path / SUMS).write_bytes(made)
    assert read_sums(tmp_path) == ours
    assert set(ours) == set(ODD)


def test_sorted_and_repeatable(tmp_path: Path) -> None:
    """The order is that of the bytes, whatever the file system or locale says."""
    fill(tmp_path, ODD)
    first = write_sums(tmp_path).read_bytes()
    assert write_sums(tmp_path).read_bytes() == first
    names = list(read_sums(tmp_path))
    assert names == sorted(names, key=os.fsencode)


def test_everything_that_can_be_wrong(tmp_path: Path) -> None:
    """Changed, missing and added files are told apart; symbolic links and pipes are strangers even in place."""
    fill(tmp_path, ["a", "b", "c", "d", "manifest.json"])
    write_sums(tmp_path, leave_out=["manifest.json"])
    assert check_folder(tmp_path, leave_out=["manifest.json"]).ok
    assert check_folder(tmp_path) == Check((), (), ("manifest.json",))
    (tmp_path / "a").write_bytes(b"b")
    (tmp_path / "b").unlink()
    (tmp_path / "c.aux.xml").write_text("<PAMDataset/>")
    (tmp_path / "d").rename(tmp_path.parent / "elsewhere-d")
    (tmp_path / "d").symlink_to(tmp_path.parent / "elsewhere-d")
    os.mkfifo(tmp_path / "pipe")
    found = check_folder(tmp_path, leave_out=["manifest.json"])
    assert found == Check(("a",), ("b", "d"), ("c.aux.xml", "d", "pipe"))
    assert not found.ok
    with pytest.raises(IntegrityError, match="no regular file"):
        write_sums(tmp_path)


@pytest.mark.parametrize(
    "text", ["nonsense\n", f"{'a' * 64}  ../up\n", f"{'a' * 64}  /abs\n", f"{'a' * 64}  x\n{'b' * 64}  x\n", "a\0b\n"]
)
def test_a_damaged_list_is_refused(tmp_path: Path, text: str) -> None:
    """A list that names files outside, twice or not at all proves nothing."""
    (tmp_path / SUMS).write_text(text)
    with pytest.raises(IntegrityError, match="damaged in line"):
        read_sums(tmp_path)


def test_no_list_is_an_error(tmp_path: Path) -> None:
    """A folder without sums is not complete."""
    with pytest.raises(IntegrityError, match="not complete"):
        check_folder(tmp_path)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_found(tmp_path: Path, data: st.DataObject) -> None:
    """One changed bit in any file or in the list itself never passes."""
    if not (tmp_path / SUMS).exists():
        fill(tmp_path, ["a", "b/c", "d"])
        write_sums(tmp_path)
    victim = tmp_path / data.draw(st.sampled_from(["a", "b/c", "d", SUMS]))
    original = victim.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(original) - 1))
    changed = bytearray(original)
    changed[bit // 8] ^= 1 << bit % 8
    victim.write_bytes(changed)
    try:
        ok = check_folder(tmp_path).ok
    except IntegrityError:
        ok = False
    victim.write_bytes(original)
    # `*` for a blank before the name means the same file read in the other of two equal modes.
    assert not ok or bytes(changed).replace(b" *", b"  ") == original.replace(b" *", b"  ")
    assert check_folder(tmp_path).ok
