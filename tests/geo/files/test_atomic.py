"""Files and folders appear whole or not at all; failures are told in words."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from geo.errors import ConfigurationError, NoSpaceError, SitewatchError
from geo.files.atomic import atomic_folder, atomic_path, require_space, sweep

ROOT = Path(__file__).parents[3]


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    """Nothing under the final name while it is written; the suffix stays; the old content goes at once."""
    final = tmp_path / "new" / "a.tif"
    with atomic_path(final) as temporary:
        temporary.write_text("one")
        assert not final.exists()
        assert temporary.suffix == ".tif"
        assert temporary.parent == final.parent
    assert final.read_text() == "one"
    with atomic_path(final) as temporary:
        temporary.write_text("two")
        assert final.read_text() == "one"
    assert final.read_text() == "two"
    assert [p.name for p in final.parent.iterdir()] == ["a.tif"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """Also what GDAL put beside the temporary file goes; any exception passes unchanged."""
    final = tmp_path / "a.tif"
    final.write_text("old")

    def fail() -> None:
        with atomic_path(final) as temporary:
            temporary.write_text("half")
            temporary.with_name(temporary.name + ".ovr.tmp").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.tif", "old")]


def test_the_order_of_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File flushed, then renamed, then the folder flushed: in this order nothing acknowledged is lost."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def traced_fsync(fd: int) -> None:
        calls.append("sync " + Path(f"/proc/self/fd/{fd}").readlink().name)
        fsync(fd)

    def traced_replace(a: Path, b: Path) -> None:
        calls.append(f"rename {Path(a).name} {Path(b).name}")
        replace(a, b)

    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "replace", traced_replace)
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert calls == ["sync .a.partial.txt", "rename .a.partial.txt a.txt", f"sync {tmp_path.name}"]
    calls.clear()
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "b.txt").write_text("x")
    assert calls == ["sync b.txt", "sync .run.partial", "rename .run.partial run", f"sync {tmp_path.name}"]


def test_a_folder_appears_at_the_end_and_is_never_overwritten(tmp_path: Path) -> None:
    """A run folder that exists already is refused; a failed one leaves nothing."""
    final = tmp_path / "run"

    def build(fail: bool = False) -> None:
        with atomic_folder(final) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / "a.txt").write_text("x")
            assert not final.exists()
            if fail:
                raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        build(fail=True)
    assert list(tmp_path.iterdir()) == []
    build()
    assert (final / "sub" / "a.txt").read_text() == "x"
    with pytest.raises(ConfigurationError, match="never overwritten"):
        build()


def test_sweep_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    """After SIGKILL in the middle of a file and a folder, one sweep leaves only what is whole."""
    program = (
        "import os, signal, sys; from pathlib import Path; from geo.files.atomic import atomic_folder, atomic_path\n"
        "with atomic_folder(sys.argv[1] + '/run') as f, atomic_path(sys.argv[1] + '/a.tif') as p:\n"
        "    (f / 'x').write_text('x'); p.write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    (tmp_path / "kept.tif").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    assert [p.name for p in sweep(tmp_path)] == [".a.partial.tif", ".run.partial"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", "kept.tif"]
    assert sweep(tmp_path) == ()
    assert sweep(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoSpaceError), (errno.EDQUOT, NoSpaceError), (errno.EACCES, ConfigurationError),
        (errno.EROFS, ConfigurationError), (errno.EIO, SitewatchError),
    ],
)  # fmt: skip
def test_failures_of_the_disk_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[SitewatchError]
) -> None:
    """Each failing flush is an error that names the file, and nothing is acknowledged or left."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    def build() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("x")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind, match=r"a\.txt"):
        build()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_even_by_gdal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception without an error number is a full disk if the disk is full."""

    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    def build() -> None:
        with atomic_path(tmp_path / "a.txt"):
            raise RuntimeError("CPLE_AppDefined")

    with pytest.raises(RuntimeError):
        build()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 0))
    with pytest.raises(NoSpaceError, match=r"a\.txt"):
        build()
    with pytest.raises(NoSpaceError, match="MiB are needed"):
        require_space(tmp_path / "not" / "yet", 10**6)


def test_enough_space_is_no_error(tmp_path: Path) -> None:
    """The preflight looks at the nearest folder that exists."""
    require_space(tmp_path / "not" / "yet", 1)
