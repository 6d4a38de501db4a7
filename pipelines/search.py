"""`sitewatch search`: new construction anywhere in a region, ranked; no site need be known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry import shape

from geo.errors import UsageError
from geo.sites import parse_site
from pipelines.assess import Findings
from pipelines.assess.words import day
from pipelines.desk import Asked, SiteOutcome, Tell
from pipelines.publish.wording import area
from pipelines.registry import NewSite, add_site, drafted
from pipelines.scan import scan_one
from pipelines.settings import Settings

_ODD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Region:
    """What to search: a file of polygons, the id under which results are kept, and whether to keep it as a site."""

    file: Path
    id: str | None = None
    keep: bool = False

    @property
    def site_id(self) -> str:
        """The id given, else one made of the file's name; UsageError where that has no letter or digit."""
        made = self.id or _ODD.sub("-", self.file.stem.lower()).strip("-")[:64].strip("-")
        if not made:
            raise UsageError(f"{self.file} has no name to keep the results under; give --id.")
        return made


@dataclass(frozen=True)
class Searched:
    """What came of a search."""

    outcome: SiteOutcome

    @property
    def findings(self) -> Findings | None:
        """The run's findings; None where nothing could be observed."""
        return self.outcome.findings

    def lines(self) -> Iterator[str]:
        """The sentence of the run, then a line a candidate, best first, and the report."""
        yield f"{self.outcome.site_id}: {self.outcome.sentence}"
        for row in self.findings.candidates if self.findings else ():
            middle = shape(row.geometry).representative_point()
            since = f"{_day(row.not_before)} to {_day(row.not_after)}"
            place = f"{middle.y:.5f}, {middle.x:.5f}"
            yield f"{row.rank:>3}  {row.kind:<12} {area(row.area_m2):>8}  {since}  {place} (lat, lon)  {row.reason}"
        if self.outcome.folder is not None:
            yield str(self.outcome.folder / "report.html")

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        rows = [] if self.findings is None else [c.model_dump(mode="json") for c in self.findings.candidates]
        return {**self.outcome.to_json(), "candidates": rows}


def search(
    workspace: Path, region: Region, asked: Asked, *, settings: Settings, now: datetime, executor: Executor, tell: Tell
) -> Searched:
    """Search a region as a site is searched whose place is known to its commune: candidates, no wall or buildings.

    Raises:
        InputError: the region cannot be read. ConfigurationError: it is too large, or the id is taken. What stops
        the search itself is raised, too.
    """
    new = NewSite(
        id=region.site_id, kind="commune", source=f"search of {region.file.name}", name=f"Search of {region.file.stem}",
        outline=region.file,
    )  # fmt: skip
    site = parse_site(drafted(new, now=now), file=str(region.file))
    if region.keep:
        add_site(workspace, new, now=now)
    outcome = scan_one(workspace, site, asked, settings=settings, now=now, executor=executor, tell=tell)
    if outcome.error is not None:
        raise outcome.error
    return Searched(outcome)


def _day(time: datetime | None) -> str:
    return "unknown" if time is None else day(time)
