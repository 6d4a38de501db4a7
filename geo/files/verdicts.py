"""What analysts decided, read without touching it: QGIS may hold the file open, with an edit session in progress."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from geo.errors import IntegrityError


def read_verdicts(path: Path) -> dict[str, str]:
    """The verdict of each event by its id, from the table `reviews`; empty where there is no such file.

    Raises IntegrityError where the file cannot be read: a verdict that is not found must not look like none.
    """
    if not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            rows = db.execute("SELECT event_id, verdict FROM reviews WHERE verdict IS NOT NULL").fetchall()
    except sqlite3.Error as error:
        raise IntegrityError(f"{path} cannot be read ({error}); the analysts' verdicts are in it.") from error
    return {str(event): str(verdict) for event, verdict in rows}
