"""`sitewatch review`: analysts' verdicts out of the GeoPackage for other programs, and in again. Nothing is deleted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geo.errors import InputError
from geo.files.atomic import atomic_path
from geo.files.reviews import COLUMNS, Review, add_reviews, as_rows, create_reviews, newest, read_reviews
from geo.files.text import clean, cleaned
from pipelines.publish.listing import FORMULA, cell
from pipelines.publish.project import review_form
from pipelines.publish.styles import VERDICTS
from pipelines.registry import find_site
from pipelines.reviewed import known_events, reviews_path

MOST_ROWS = 100_000
_WORDS = tuple(word for word, _ in VERDICTS)


@dataclass(frozen=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        added: how many are new.
        known: how many were there already.
        faults: a sentence for each that was left out.
        strangers: ids of events that no run here tells of; their verdicts were taken, and wait for one that does.
    """

    added: int
    known: int
    faults: tuple[str, ...]
    strangers: tuple[str, ...] = ()


def export_reviews(workspace: Path, site_id: str, out: Path) -> int:
    """Write every verdict of a site to a .csv or .geojson file; return how many.

    In GeoJSON each verdict lies on the outline of its event, as the newest run that has it tells of it.

    Raises InputError for another kind of file.
    """
    find_site(workspace, site_id)
    outputs = workspace / "outputs"
    reviews = read_reviews(reviews_path(outputs, site_id))
    rows = as_rows(reviews)
    if out.suffix.lower() == ".csv":
        text = _csv(rows)
    elif out.suffix.lower() in (".geojson", ".json"):
        known = known_events(outputs / "runs" / site_id, {review.event_id for review in reviews})
        places = {name: event.geometry for name, event in known.items()}
        features = [
            {"type": "Feature", "geometry": places.get(row["event_id"]), "properties": cleaned(dict(row))}
            for row in rows
        ]
        text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1) + "\n"
    else:
        raise InputError(f"{out} is neither .csv nor .geojson.")
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return len(rows)


def import_reviews(workspace: Path, site_id: str, file: Path, *, now: datetime) -> Imported:
    """Add the verdicts of a .csv or .geojson file to a site's; what is there already is not added twice.

    A row that states no time counts as said now. A row that cannot be used is told and left out. Raises InputError
    where the file cannot be read at all, TemporaryError where another program keeps the verdicts locked.
    """
    find_site(workspace, site_id)
    path = reviews_path(workspace / "outputs", site_id)
    create_reviews(path, now, review_form())
    reviews = read_reviews(path)
    held = set(reviews) | {replace(review, reviewed_at=None) for review in reviews}
    new: list[Review] = []
    faults: list[str] = []
    known = 0
    for number, row in enumerate(_rows(file), start=1):
        review = _review(row, now)
        if isinstance(review, str):
            faults.append(f"row {number}: {review}")
        elif review in held:
            known += 1
        else:
            held.add(review)
            new.append(review if review.reviewed_at else replace(review, reviewed_at=now))
    if new:
        add_reviews(path, new)
    named = {review.event_id for review in new}
    strangers = sorted(named - known_events(workspace / "outputs" / "runs" / site_id, named).keys())
    return Imported(added=len(new), known=known, faults=tuple(faults), strangers=tuple(strangers))


def counting(workspace: Path, site_id: str) -> Mapping[str, Review]:
    """The verdict that counts for each event of a site."""
    return newest(read_reviews(reviews_path(workspace / "outputs", site_id)))


def _csv(rows: Iterable[Mapping[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(row[name]) for name in COLUMNS] for row in rows)
    return out.getvalue()


def _rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".csv":
            rows: list[Mapping[str, Any]] = list(csv.DictReader(io.StringIO(text, newline="")))
        else:
            rows = [feature["properties"] for feature in json.loads(text)["features"]]
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, csv.Error, RecursionError) as error:
        raise InputError(f"{file} is neither CSV nor GeoJSON with verdicts ({error}).") from error
    if len(rows) > MOST_ROWS:
        raise InputError(f"{file} has more than {MOST_ROWS:,} rows.")
    if rows and not all(isinstance(row, Mapping) for row in rows):
        raise InputError(f"{file} has features without properties.")
    return rows


def _review(row: Mapping[str, Any], now: datetime) -> Review | str:
    """A row as a review, or what is wrong with it."""
    text = {name: _plain(row.get(name)) for name in COLUMNS}
    if not text["event_id"]:
        return "it names no event_id."
    if text["verdict"] not in _WORDS:
        return f"its verdict {text['verdict']!r} is none of {', '.join(_WORDS)}."
    time: datetime | None = None
    if text["reviewed_at"]:
        try:
            time = datetime.fromisoformat(text["reviewed_at"])
        except ValueError:
            return f"its reviewed_at {text['reviewed_at']!r} is no time such as 2019-03-12T03:20:00Z."
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        if time > now:
            return f"its reviewed_at {text['reviewed_at']} lies in the future; it would outweigh every later verdict."
    return Review(
        event_id=text["event_id"], verdict=text["verdict"], confidence=text["confidence"], reason=text["reason"],
        reviewer=text["reviewer"], reviewed_at=time,
    )  # fmt: skip


def _plain(value: object) -> str:
    """A cell's text without the apostrophe that keeps a spreadsheet from running it."""
    text = "" if value is None else clean(value).strip()
    return text[1:].strip() if text.startswith("'") and text[1:].startswith(FORMULA) else text
