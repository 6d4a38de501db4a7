"""What people added to a site: analysts' verdicts, as a run takes them in, with their file; scanned plans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from geo.files.reviews import as_rows, create_reviews, newest, read_reviews
from pipelines.assess import Event, Findings
from pipelines.assess.verdicts import Judge, judged, unjudged
from pipelines.publish.project import review_form


@dataclass(frozen=True)
class Reviewed:
    """How verdicts enter a run.

    Attributes:
        path: of the GeoPackage from the run's folder, with forward slashes; None: the run keeps a table of its own.
        judge: verdicts by event id, for a run's events.
        digest: SHA-256 of the verdicts that count, empty where there is none: other verdicts make another run.
    """

    path: str | None = None
    judge: Judge = unjudged
    digest: str = ""

    @property
    def told(self) -> tuple[str | None, str]:
        """Path and digest, for the recipe in the manifest."""
        return self.path, self.digest

    @property
    def recipe(self) -> dict[str, str]:
        """What a run's id takes from here."""
        return {"reviews": self.digest} if self.digest else {}


def reviews_path(outputs: Path, site_id: str) -> Path:
    """Where a site's verdicts are kept."""
    return outputs / "review" / f"{site_id}.gpkg"


def plans_of(outputs: Path, site_id: str) -> tuple[str, ...]:
    """Paths of a site's plans from the folder of one of its runs, with forward slashes."""
    found = sorted((outputs / "plans" / site_id).glob("*/plan.tif"))
    return tuple(f"../../../plans/{site_id}/{path.parent.name}/plan.tif" for path in found)


def reviewed(outputs: Path, site_id: str, *, now: datetime) -> Reviewed:
    """The verdicts of a site; its file is made where there is none, and never touched where there is one.

    Raises IntegrityError where the file cannot be read.
    """
    path = reviews_path(outputs, site_id)
    create_reviews(path, now, review_form())
    counting = newest(read_reviews(path))
    relative = f"../../../review/{path.name}"
    if not counting:
        return Reviewed(path=relative)
    known = known_events(outputs / "runs" / site_id, set(counting))
    text = json.dumps(as_rows(counting[name] for name in sorted(counting)))
    return Reviewed(
        path=relative,
        judge=lambda events: judged(events, counting, known),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def known_events(runs: Path, wanted: set[str]) -> Mapping[str, Event]:
    """The events with these ids, each as the newest run that has it tells of it."""
    found: dict[str, Event] = {}
    for manifest in sorted(runs.glob("*/manifest.json"), reverse=True):
        if wanted <= found.keys():
            break
        try:
            findings = Findings.model_validate_json((manifest.parent / "findings.json").read_bytes())
        except (OSError, ValueError):
            continue
        for event in findings.events:
            if event.id in wanted:
                found.setdefault(event.id, event)
    return found
