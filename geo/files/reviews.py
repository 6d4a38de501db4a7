"""Analysts' verdicts in a GeoPackage that QGIS may hold open, with an edit session in progress.

The table `reviews` is only ever added to, a transaction at a time: nothing of ours replaces the file or changes a row.
Of several verdicts on one event the newest counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from geo.errors import IntegrityError, TemporaryError

PATIENCE_S = 30.0
_COLUMNS = "event_id, verdict, confidence, reason, reviewer, reviewed_at"


@dataclass(frozen=True, kw_only=True)
class Review:
    """One verdict: on which event, what, how sure, why, who, when (aware UTC). Texts may be empty, the time None."""

    event_id: str
    verdict: str
    confidence: str = ""
    reason: str = ""
    reviewer: str = ""
    reviewed_at: datetime | None = None


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
