"""The ledger: every observation of every site in exactly one state. SQLite, so that it survives what a run does not."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

from geo.errors import ConfigurationError, IntegrityError
from geo.files.atomic import require_space, writing
from pipelines.past import Told, past_runs

State = Literal["change", "no-change", "not-observed", "not-distinguishable", "failed", "pending"]
WAITS = "waits for the next run"
"""How the reason of a scene begins that was found and not yet fetched."""
Channel = Literal["told", "sent"]

ROOM = 2**20
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO, sqlite3.SQLITE_READONLY: errno.EROFS,
}  # fmt: skip

# Each step is applied once, in order, in one transaction with the record of it.
MIGRATIONS = (
    """
    CREATE TABLE observations (
        site TEXT NOT NULL,
        scene TEXT NOT NULL,
        time TEXT,
        state TEXT NOT NULL CHECK (state IN
            ('change', 'no-change', 'not-observed', 'not-distinguishable', 'failed', 'pending')),
        reason TEXT NOT NULL,
        run TEXT,
        recorded TEXT NOT NULL,
        PRIMARY KEY (site, scene)
    ) STRICT
    """,
    """
    CREATE TABLE runs (
        run TEXT PRIMARY KEY,
        site TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        recorded TEXT NOT NULL
    ) STRICT
    """,
    # `question` is a hash of all that was asked and of every recent scene that answered.
    """
    CREATE TABLE looks (
        site TEXT PRIMARY KEY,
        question TEXT NOT NULL,
        newest TEXT,
        looked TEXT NOT NULL
    ) STRICT
    """,
    # What is to be told once: printed (`told`) and sent to people (`sent`). A row is written before it is told.
    """
    CREATE TABLE alerts (
        site TEXT NOT NULL,
        subject TEXT NOT NULL,
        run TEXT NOT NULL,
        sentence TEXT NOT NULL,
        recorded TEXT NOT NULL,
        told TEXT,
        sent TEXT,
        PRIMARY KEY (site, subject)
    ) STRICT
    """,
    # When work on a site last began: one that ends the program must not come first the next time, too.
    """
    CREATE TABLE attempts (
        site TEXT PRIMARY KEY,
        began TEXT NOT NULL
    ) STRICT
    """,
)


@dataclass(frozen=True)
class Observation:
    """One scene of one site and what came of it; `run` is the run that says so."""

    site: str
    scene: str
    time: datetime | None
    state: State
    reason: str
    run: str | None


@dataclass(frozen=True)
class Look:
    """The last time that a site was looked at and all was done: what was asked, the newest scene, and when."""

    question: str
    newest: datetime | None
    looked: datetime


@dataclass(frozen=True)
class Ending:
    """How a run of a site ended."""

    run: str
    state: State
    reason: str
    recorded: datetime


@dataclass(frozen=True)
class Alert:
    """One sentence about one run that people have yet to hear."""

    site: str
    run: str
    sentence: str
    recorded: datetime


class Ledger:
    """An open ledger; use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        """Open or make the ledger, bringing an older one up to date; a new one begins with what the runs beside it say.

        Raises:
            IntegrityError: the file is damaged, or was written by a newer sitewatch.
            ConfigurationError: it cannot be opened. NoSpaceError: the disk is full.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite maps the index of its log: where a full disk has small blocks, touching it kills the process.
            require_space(path.parent, ROOM)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise ConfigurationError(f"{path} cannot be opened ({error}); check the folder.") from error
            raise IntegrityError(f"{path} is damaged ({error}); move it away, the next run makes a new one.") from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def record(self, observations: list[Observation], *, now: datetime) -> None:
        """Write the states of several observations, all or none; a later state replaces an earlier one."""
        rows = [
            (o.site, o.scene, None if o.time is None else o.time.isoformat(), o.state, o.reason, o.run, now.isoformat())
            for o in observations
        ]
        with self._transaction():
            self._db.executemany(
                "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (site, scene) DO UPDATE SET"
                " time = excluded.time, state = excluded.state, reason = excluded.reason, run = excluded.run,"
                " recorded = excluded.recorded",
                rows,
            )

    def finish(self, run: str, site: str, state: State, reason: str, *, now: datetime) -> None:
        """Write how a run of a site ended."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", (run, site, state, reason, now.isoformat())
            )

    def observations(self, site: str) -> list[Observation]:
        """All observations of a site, oldest first, undated ones last."""
        rows = self._db.execute(
            "SELECT site, scene, time, state, reason, run FROM observations WHERE site = ?"
            " ORDER BY time IS NULL, time, scene",
            (site,),
        )
        return [
            Observation(s, c, None if t is None else datetime.fromisoformat(t), k, r, u) for s, c, t, k, r, u in rows
        ]

    def looks(self) -> dict[str, Look]:
        """The last complete look at each site."""
        rows = self._db.execute("SELECT site, question, newest, looked FROM looks")
        return {
            site: Look(question, None if newest is None else datetime.fromisoformat(newest), datetime.fromisoformat(at))
            for site, question, newest, at in rows
        }

    def note_look(self, site: str, look: Look) -> None:
        """Write that all of a site's scenes were dealt with."""
        newest = None if look.newest is None else look.newest.isoformat()
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?)",
                (site, look.question, newest, look.looked.isoformat()),
            )

    def attempts(self) -> dict[str, datetime]:
        """When work on each site last began."""
        rows = self._db.execute("SELECT site, began FROM attempts")
        return {site: datetime.fromisoformat(began) for site, began in rows}

    def note_attempt(self, site: str, *, now: datetime) -> None:
        """Write that work on a site begins."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?)", (site, now.isoformat()))

    def endings(self) -> dict[str, Ending]:
        """How the newest run of each site ended."""
        rows = self._db.execute("SELECT site, run, state, reason, recorded FROM runs ORDER BY recorded, rowid")
        return {site: Ending(run, state, reason, datetime.fromisoformat(at)) for site, run, state, reason, at in rows}

    def waiting_scenes(self) -> dict[str, int]:
        """How many scenes of each site still wait to be fetched; sites without one are left out."""
        rows = self._db.execute(
            "SELECT site, count(*) FROM observations WHERE state = 'pending' AND reason LIKE ? GROUP BY site",
            (f"{WAITS}%",),
        )
        return dict(rows.fetchall())

    def alerts(self) -> list[Alert]:
        """All that people were or are to be told, newest first."""
        rows = self._db.execute(
            "SELECT site, run, min(sentence), min(recorded) FROM alerts GROUP BY site, run ORDER BY 4 DESC, site, run"
        )
        return [Alert(site, run, sentence, datetime.fromisoformat(at)) for site, run, sentence, at in rows]

    def alert(self, site: str, run: str, subjects: Iterable[str], sentence: str, *, now: datetime) -> None:
        """Put a sentence on the list of what is to be told, for those of its subjects that were never on it."""
        rows = [(site, subject, run, sentence, now.isoformat()) for subject in subjects]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, NULL, NULL)", rows)

    def waiting(self, channel: Channel) -> list[Alert]:
        """What was not yet told or sent, oldest first: one sentence a run."""
        rows = self._db.execute(
            f"SELECT site, run, min(sentence), min(recorded) FROM alerts WHERE {channel} IS NULL"  # noqa: S608 - one of two words
            " GROUP BY site, run ORDER BY 4, site, run"
        )
        return [Alert(site, run, sentence, datetime.fromisoformat(at)) for site, run, sentence, at in rows]

    def done(self, channel: Channel, alerts: Iterable[Alert], *, now: datetime) -> None:
        """Write that alerts were told or sent."""
        with self._transaction():
            self._db.executemany(
                f"UPDATE alerts SET {channel} = ? WHERE site = ? AND run = ? AND {channel} IS NULL",  # noqa: S608
                [(now.isoformat(), alert.site, alert.run) for alert in alerts],
            )

    def _migrate(self) -> None:
        past = past_runs(self._path.parent) if self._version() == 0 else []
        while self._version() != len(MIGRATIONS):
            with self._transaction():  # asked again inside: two runs may start at once
                version = self._version()
                if version > len(MIGRATIONS):
                    raise IntegrityError(f"{self._path} was written by a newer sitewatch; update this one.")
                # A new ledger is made and filled at once, so that nobody sees or leaves an empty one beside runs.
                last = version + 1 if version else len(MIGRATIONS)
                for step in MIGRATIONS[version:last]:
                    self._db.execute(step)
                if version == 0:
                    self._fill(past)
                self._db.execute(f"PRAGMA user_version = {last}")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _fill(self, runs: Iterable[Told]) -> None:
        """Write what published runs say."""
        for run in runs:
            self._db.executemany(
                "INSERT OR REPLACE INTO observations VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(run.site, *scene, run.run, run.created) for scene in run.scenes],
            )
            self._db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", (run.run, run.site, *run.ending, run.created))
            # What the newest run brought may not have been told: twice is better than never.
            heard = None if run.is_newest else run.created
            self._db.executemany(
                "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(run.site, what, run.run, run.sentence, run.created, heard, heard) for what in run.subjects],
            )

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db, self._path)


class _Transaction:
    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def __enter__(self) -> None:
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._told():
            if isinstance(error, sqlite3.OperationalError):
                if self._db.in_transaction:  # SQLite itself rolls back after some failures
                    self._db.execute("ROLLBACK")
                raise error
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A failure of the disk as a sentence."""
        with writing(self._path):
            try:
                yield
            except sqlite3.OperationalError as error:
                number = _OF_THE_DISK.get(error.sqlite_errorcode & 0xFF)  # the rest of the code is detail
                if number is None:
                    raise
                raise OSError(number, str(error)) from error
