"""The ledger keeps one state an observation, whatever happens."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geo.errors import ConfigurationError, IntegrityError
from pipelines.ledger import MIGRATIONS, Ledger, Observation

NOW = datetime(2022, 4, 1, tzinfo=UTC)


def look(scene: str, state: str, day: int | None = 1) -> Observation:
    time = None if day is None else datetime(2022, 3, day, tzinfo=UTC)
    return Observation("centre", scene, time, state, "because", "run-1")  # type: ignore[arg-type]


def test_a_later_state_replaces_an_earlier_one(tmp_path: Path) -> None:
    """An observation that was pending and is then seen is in one state, not two."""
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.record([look("a", "pending", 2), look("b", "not-observed", 1), look("c", "failed", None)], now=NOW)
        ledger.record([look("a", "change", 2)], now=NOW)
        assert [(o.scene, o.state) for o in ledger.observations("centre")] == [
            ("b", "not-observed"),
            ("a", "change"),
            ("c", "failed"),
        ]
        assert ledger.observations("elsewhere") == []


def test_states_are_written_all_or_none(tmp_path: Path) -> None:
    """A word that is no state stops the whole transaction."""
    with Ledger(tmp_path / "l.db") as ledger:
        with pytest.raises(sqlite3.IntegrityError):
            ledger.record([look("a", "change"), look("b", "fine")], now=NOW)
        assert ledger.observations("centre") == []


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    """States and runs survive the process."""
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.record([look("a", "no-change")], now=NOW)
        ledger.finish("run-1", "centre", "no-change", "", now=NOW)
    with Ledger(tmp_path / "l.db") as again:
        assert again.observations("centre") == [look("a", "no-change")]


def test_an_old_ledger_is_brought_up_to_date(tmp_path: Path) -> None:
    """Migrations run once, in order."""
    db = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    db.execute(MIGRATIONS[0])
    db.execute("PRAGMA user_version = 1")
    db.close()
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.finish("run-1", "centre", "change", "", now=NOW)


def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    """Downgrading is refused, not guessed."""
    db = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(IntegrityError, match="newer sitewatch"):
        Ledger(tmp_path / "l.db")


def test_a_damaged_ledger_says_so(tmp_path: Path) -> None:
    """Text is no database."""
    (tmp_path / "l.db").write_text("this is no database, but it is long enough to have a header of a hundred bytes" * 3)
    with pytest.raises(IntegrityError, match="damaged"):
        Ledger(tmp_path / "l.db")


def test_a_ledger_that_cannot_be_opened_says_where(tmp_path: Path) -> None:
    """A folder is no database file."""
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        Ledger(tmp_path)
