"""Exactly one run works on a site, and a killed one leaves no lock behind."""

import errno
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geo.errors import ConfigurationError, LockedError
from pipelines.lock import held

NOW = datetime(2022, 4, 1, tzinfo=UTC)
HOLDER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from pipelines.lock import held
with held(Path(sys.argv[1]), "centre", now=datetime(2022, 4, 1, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_run_is_refused_at_once_and_named_the_first(tmp_path: Path) -> None:
    """No waiting; another site is free."""
    with held(tmp_path, "centre", now=NOW):
        with (
            pytest.raises(LockedError, match=r"works on centre \(process \d+, since 2022-04-01"),
            held(tmp_path, "centre", now=NOW),
        ):
            pass
        with held(tmp_path, "other", now=NOW):
            pass
    with held(tmp_path, "centre", now=NOW):
        pass


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    """The kernel frees the lock of a process that dies; the file that stays means nothing."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"process {child.pid}"), held(tmp_path, "centre", now=NOW):
        pass
    child.kill()
    child.wait()
    child.stdout.close()
    begin = time.monotonic()
    with held(tmp_path, "centre", now=NOW):
        assert time.monotonic() - begin < 5


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "locks").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"), held(tmp_path, "centre", now=NOW):
        pass


def test_without_room_for_its_note_the_lock_holds_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note is for people; a full disk must not end the run because of it, nor keep the lock."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr(Path, "unlink", full)
    for _ in range(2):
        with held(tmp_path, "wood", now=NOW), pytest.raises(LockedError), held(tmp_path, "wood", now=NOW):
            pass
