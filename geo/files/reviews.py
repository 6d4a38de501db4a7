"""Analysts' verdicts in a GeoPackage that QGIS may hold open, with an edit session in progress.

The table `reviews` is only ever added to, a transaction at a time: nothing of ours replaces the file or changes a row.
Of several verdicts on one event the newest counts. Analysts may change and delete rows, by mistake too; the file itself
then keeps the row as it was, in the table `reviews_history`, and states the time of a verdict that states none.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from geo.errors import IntegrityError, TemporaryError
from geo.files.atomic import PARTIAL, sync_file, sync_folder, writing
from geo.files.geopackage import Column, Table, write_geopackage

PATIENCE_S = 30.0
TABLE = "reviews"
COLUMNS: dict[str, Column] = {
    "event_id": "text", "verdict": "text", "confidence": "text", "reason": "text", "reviewer": "text",
    "reviewed_at": "time",
}  # fmt: skip
NOT_REVIEWED = "not reviewed"
_COLUMNS = ", ".join(COLUMNS)
# What an edit in QGIS sets off is done by the file, so that it holds in every program that writes to it. The time is
# SQLite's, in UTC: QGIS 3.22 would store its own clock's local time as if it were UTC.
_RULES = """
CREATE TABLE reviews_history (
    what TEXT NOT NULL, at TEXT NOT NULL, fid INTEGER,
    event_id TEXT, verdict TEXT, confidence TEXT, reason TEXT, reviewer TEXT, reviewed_at TEXT
);
CREATE TRIGGER reviews_stamp_new AFTER INSERT ON reviews WHEN NEW.reviewed_at IS NULL
BEGIN
    UPDATE reviews SET reviewed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE fid = NEW.fid;
END;
CREATE TRIGGER reviews_stamp_edit AFTER UPDATE ON reviews
WHEN julianday(NEW.reviewed_at) IS julianday(OLD.reviewed_at)
    AND (NEW.verdict IS NOT OLD.verdict OR NEW.confidence IS NOT OLD.confidence OR NEW.reason IS NOT OLD.reason
        OR NEW.reviewer IS NOT OLD.reviewer OR NEW.event_id IS NOT OLD.event_id)
BEGIN
    UPDATE reviews SET reviewed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE fid = NEW.fid;
END;
CREATE TRIGGER reviews_keep_edited BEFORE UPDATE ON reviews
WHEN NEW.verdict IS NOT OLD.verdict OR NEW.confidence IS NOT OLD.confidence OR NEW.reason IS NOT OLD.reason
    OR NEW.reviewer IS NOT OLD.reviewer OR NEW.event_id IS NOT OLD.event_id OR NEW.fid IS NOT OLD.fid
BEGIN
    INSERT INTO reviews_history VALUES ('edited', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), OLD.fid, OLD.event_id,
        OLD.verdict, OLD.confidence, OLD.reason, OLD.reviewer, OLD.reviewed_at);
END;
CREATE TRIGGER reviews_keep_deleted BEFORE DELETE ON reviews
BEGIN
    INSERT INTO reviews_history VALUES ('deleted', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), OLD.fid, OLD.event_id,
        OLD.verdict, OLD.confidence, OLD.reason, OLD.reviewer, OLD.reviewed_at);
END;
"""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One verdict: on which event, what, how sure, why, who, when (aware UTC). Texts may be empty, the time None."""

    event_id: str
    verdict: str
    confidence: str = ""
    reason: str = ""
    reviewer: str = ""
    reviewed_at: datetime | None = None


def create_reviews(path: Path, now: datetime, style: str | None = None) -> None:
    """Make an empty GeoPackage for verdicts where there is none; one that exists is never touched.

    Args:
        path: the final name; it appears whole.
        now: aware time that is written as the time of making.
        style: QML of the table's form, for who opens the file without a project.

    Raises IntegrityError where the file went away and left a log of writes behind: a new file would lose those.
    """
    if path.exists():
        return
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise IntegrityError(f"{path} is gone, but {log.name} beside it holds verdicts; bring the file back.")
    made = path.with_name(f".{path.stem}.{os.getpid()}{PARTIAL}{path.suffix}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_geopackage(made, [Table(name=TABLE, columns=COLUMNS, rows=[], style=style)], crs=None, now=now)
            try:
                with closing(sqlite3.connect(made, isolation_level=None)) as db:
                    db.executescript(_RULES)
            except sqlite3.Error as error:
                raise OSError(errno.EIO, str(error)) from error
            sync_file(made)
            _appear(made, path)
            sync_folder(path.parent)
        finally:
            made.unlink(missing_ok=True)


def _appear(made: Path, path: Path) -> None:
    """Give a file its name, but never in the place of another one, as a rename would."""
    try:
        os.link(made, path)
    except FileExistsError:
        return  # another run was faster
    except OSError:  # a file system without hard links
        if not path.exists():
            made.rename(path)


def read_reviews(path: Path) -> list[Review]:
    """All rows with an event and a verdict, in the order in which they were written; none where there is no file.

    Raises IntegrityError where the file cannot be read: a verdict that is not found must not look like none.
    """
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)) as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM reviews"  # noqa: S608 - our own words
                " WHERE coalesce(event_id, '') != '' AND coalesce(verdict, '') != '' ORDER BY rowid"
            ).fetchall()
    except sqlite3.Error as error:
        raise IntegrityError(f"{path} cannot be read ({error}); the analysts' verdicts are in it.") from error
    return [
        Review(
            event_id=str(row[0]), verdict=str(row[1]), confidence=str(row[2] or ""), reason=str(row[3] or ""),
            reviewer=str(row[4] or ""), reviewed_at=_time(row[5]),
        )
        for row in rows
    ]  # fmt: skip


def newest(reviews: Iterable[Review]) -> dict[str, Review]:
    """The review that counts for each event: the latest stated time, and of equals the one written last.

    >>> first, second = Review(event_id="e", verdict="unsure"), Review(event_id="e", verdict="confirmed")
    >>> newest([first, second])["e"].verdict
    'confirmed'
    """
    found: dict[str, Review] = {}
    for review in reviews:
        held = found.get(review.event_id)
        if held is None or _stamp(review) >= _stamp(held):
            found[review.event_id] = review
    return found


def add_reviews(path: Path, reviews: Sequence[Review]) -> None:
    """Append rows to a file that exists, all or none.

    Raises:
        TemporaryError: another program keeps the file locked. IntegrityError: it is not what `create_reviews` makes.
    """
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                f"INSERT INTO reviews ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own words
                [(r.event_id, r.verdict, r.confidence, r.reason, r.reviewer, _text(r.reviewed_at)) for r in reviews],
            )
            db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise TemporaryError(
                f"{path} is locked by another program; save the edits in QGIS, then try again."
            ) from error
        raise IntegrityError(f"{path} cannot be written ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise IntegrityError(f"{path} is damaged ({error}).") from error


def as_rows(reviews: Iterable[Review]) -> list[Mapping[str, str]]:
    """Reviews as plain text values by column."""
    return [
        {
            "event_id": r.event_id, "verdict": r.verdict, "confidence": r.confidence, "reason": r.reason,
            "reviewer": r.reviewer, "reviewed_at": _text(r.reviewed_at) or "",
        }
        for r in reviews
    ]  # fmt: skip


def _stamp(review: Review) -> datetime:
    return review.reviewed_at or datetime.min.replace(tzinfo=UTC)


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return None if time is None else time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _text(time: datetime | None) -> str | None:
    """As GeoPackage writes a DATETIME: RFC 3339 with milliseconds and a Z."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
