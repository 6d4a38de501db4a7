"""The ledger keeps one state an observation, whatever happens."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import Story, write_images, write_site

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


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_an_old_ledger_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """A ledger as each version left it, kept as SQL: every row stands, and it can be written as any other."""
    db = sqlite3.connect(tmp_path / "l.db")
    db.executescript((Path(__file__).parent / f"ledgers/v{version}.sql").read_text())
    db.close()
    with Ledger(tmp_path / "l.db") as ledger:
        assert [(o.scene, o.state) for o in ledger.observations("centre")] == [
            ("S2A_1", "not-observed"),
            ("S2A_2", "change"),
            ("torn.tif", "failed"),
        ]
        assert [e.run for e in ledger.endings().values()] == ["20190401T000000Z-1a2b3c"] * (version >= 2)
        assert [look.question for look in ledger.looks().values()] == ["0f0f"] * (version >= 3)
        assert [alert.sentence for alert in ledger.waiting("sent")] == ["1 new building."] * (version >= 4)
        assert ledger.waiting("told") == []
        assert list(ledger.attempts()) == ["centre"] * (version >= 5)
        ledger.note_attempt("centre", now=NOW)
        assert ledger.attempts() == {"centre": NOW}
        ledger.finish("run-1", "centre", "no-change", "", now=NOW)
        ledger.alert("centre", "run-1", ["ev-2"], "Another.", now=NOW)
        assert [alert.sentence for alert in ledger.waiting("told")] == ["Another."]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step and its number are one transaction; the steps before it stand."""
    broken = (*MIGRATIONS[:2], "CREATE TABLE looks (site TEXT) NONSENSE", *MIGRATIONS[3:])
    db = sqlite3.connect(tmp_path / "l.db")
    db.executescript((Path(__file__).parent / "ledgers/v1.sql").read_text())
    db.close()
    monkeypatch.setattr("pipelines.ledger.MIGRATIONS", broken)
    with pytest.raises(ConfigurationError):
        Ledger(tmp_path / "l.db")
    db = sqlite3.connect(tmp_path / "l.db")
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
        "observations",
        "runs",
    }
    db.close()
    monkeypatch.undo()
    with Ledger(tmp_path / "l.db") as ledger:
        assert ledger.looks() == {}
        assert len(ledger.observations("centre")) == 3


def test_a_new_ledger_is_made_and_filled_at_once_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies while it fills it leaves nothing that the next would take for a ledger that knows all."""
    folder = tmp_path / "runs/centre/1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    seen = {"state": "no-change", "state_reason": "nothing"}
    scene = {"id": "a", "time": None, "state": "no-change", "reason": "compared", "used": True}
    told = {"created": NOW.isoformat(), "scenes": [scene], "observability": seen, "events": [], "summary": "none"}
    (folder / "findings.json").write_text(json.dumps(told))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_fill", dies)
        with pytest.raises(KeyboardInterrupt):
            Ledger(tmp_path / "l.db")
    with Ledger(tmp_path / "l.db") as ledger:
        assert [o.scene for o in ledger.observations("centre")] == ["a"]
        assert ledger.endings()["centre"].state == "no-change"


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


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--pair",)])
def test_a_lost_ledger_is_made_again_from_the_runs(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The same states, endings and notices; what the newest run brought is told once more, older ones are not."""
    workspace = tmp_path / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    (workspace / "sitewatch.toml").write_text("[publish]\nfigure_dpi = 72\n")
    story = Story(clearing=6, building=9, dates=14)
    for day, dates in ((1, range(9)), (2, range(9, 14))):
        write_images(workspace / "images", story, dates)
        (workspace / f"images/torn-{day}.tif").write_bytes(b"II*\0 no more than this")
        at = f"2022-01-{day:02d}"
        assert (
            sitewatch("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", at, *words).code == 0
        )
    path = workspace / "outputs/sitewatch.db"

    def rows() -> tuple[object, ...]:
        with Ledger(path) as ledger:
            states = {(o.scene, o.time, o.state, o.run) for o in ledger.observations("wood")}
            endings = [(e.run, e.state, e.reason) for e in ledger.endings().values()]
            return states, endings, [(a.run, a.sentence) for a in ledger.alerts()]

    before = rows()
    assert len(before[0]) == 16  # type: ignore[arg-type]
    assert len(before[2]) >= 1  # type: ignore[arg-type]
    for name in ("sitewatch.db", "sitewatch.db-wal", "sitewatch.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    assert rows() == before
    newest = max(run.name for run in (workspace / "outputs/runs/wood").glob("2*"))
    with Ledger(path) as ledger:
        assert {alert.run for alert in ledger.waiting("told")} <= {newest}


def test_runs_that_cannot_be_read_do_not_stop_a_new_ledger(tmp_path: Path) -> None:
    """They are for `verify` to complain of."""
    for name, text in (("1", "{"), ("2", "[]"), ("3", '{"scenes": 3}'), ("4", "[" * 100_000)):
        (tmp_path / f"runs/centre/{name}").mkdir(parents=True)
        (tmp_path / f"runs/centre/{name}/manifest.json").write_text("{}")
        (tmp_path / f"runs/centre/{name}/findings.json").write_text(text)
    with Ledger(tmp_path / "l.db") as ledger:
        assert ledger.endings() == {}
