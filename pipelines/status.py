"""`sitewatch status`: who was looked at when, what stands there, and who is blind since when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from geo.files.vectors import read_sites
from geo.sites import Site
from pipelines.assess import Findings
from pipelines.assess.words import day
from pipelines.ledger import Alert, Ending, Ledger, Look
from pipelines.publish.portfolio import NAME as INDEX
from pipelines.publish.portfolio import Happening, SiteRow, write_portfolio
from pipelines.publish.wording import area, percent
from pipelines.settings import Settings


def status(workspace: Path, *, settings: Settings, now: datetime) -> tuple[SiteRow, ...]:
    """Return a row for every site, and one for every site file that cannot be read. Nothing is written.

    Raises IntegrityError where the ledger is damaged.
    """
    outputs = workspace / "outputs"
    looks: dict[str, Look] = {}
    endings: dict[str, Ending] = {}
    waiting: dict[str, int] = {}
    alerts: list[Alert] = []
    if (outputs / "sitewatch.db").is_file():
        with Ledger(outputs / "sitewatch.db") as ledger:
            looks, endings, waiting, alerts = ledger.looks(), ledger.endings(), ledger.waiting_scenes(), ledger.alerts()
    found = read_sites(workspace / "aois")
    blind_after = timedelta(days=settings.scan.blind_days)
    rows = [
        replace(
            _row(site, _latest(outputs / "runs" / site.id), looks.get(site.id), endings.get(site.id), now, blind_after),
            waiting=waiting.get(site.id, 0),
            happenings=tuple(
                Happening(told=a.recorded, words=a.sentence, report=f"runs/{a.site}/{a.run}/report.html")
                for a in alerts
                if a.site == site.id
            ),
        )
        for site in found.sites.values()
    ]
    broken = [
        SiteRow(id=f"(site file {n})", name="unreadable", known_to="", place=None, state="failed", problem=fault)
        for n, fault in enumerate(found.faults, start=1)
    ]
    return (*rows, *broken)


def write_index(workspace: Path, *, settings: Settings, now: datetime) -> Path:
    """Write outputs/index.html and return its path."""
    return write_portfolio(workspace / "outputs", status(workspace, settings=settings, now=now), now=now)


def index_is_stale(workspace: Path) -> bool:
    """Whether a run was signed off after outputs/index.html was written: that run died in between."""
    outputs = workspace / "outputs"
    try:
        written = (outputs / INDEX).stat().st_mtime_ns
    except FileNotFoundError:
        written = -1
    return any(pointer.stat().st_mtime_ns > written for pointer in outputs.glob("runs/*/latest"))


def lines(rows: Sequence[SiteRow]) -> Iterator[str]:
    """The rows as text: a line a site, and indented below it what needs somebody."""
    head = ("SITE", "STATE", "LAST LOOK", "LAST CLEAR VIEW", "PHASE", "WALL", "BUILDINGS")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    for line, row in zip(cells, (None, *rows), strict=True):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for trouble in [] if row is None else _troubles(row):
            yield f"    {trouble}"


def _cells(row: SiteRow) -> tuple[str, ...]:
    days = ("never" if t is None else f"{t:%Y-%m-%d}" for t in (row.last_look, row.last_clear))
    return (row.id, row.called, *days, row.phase or "-", row.wall or "-", row.buildings or "-")


def _troubles(row: SiteRow) -> Iterator[str]:
    if row.problem:
        yield f"the last run failed: {row.problem}"
    if row.blind_since is not None:
        yield f"blind since {day(row.blind_since)}: nothing can be said of what happened there since"
    if row.overdue:
        yield "overdue: two cadences have passed since the last look"
    if row.waiting:
        yield f"{row.waiting} scenes wait for the next run"


def _row(
    site: Site, findings: Findings | None, look: Look | None, ending: Ending | None, now: datetime,
    blind_after: timedelta,
) -> SiteRow:  # fmt: skip
    middle = site.geometry.centroid
    last_look = max((t for t in (look and look.looked, ending and ending.recorded) if t), default=None)
    last_clear = None if findings is None else findings.observability.last_clear
    failed = ending is not None and ending.state == "failed"
    began = last_clear or (
        None if site.since is None else datetime(site.since.year, site.since.month, site.since.day, tzinfo=UTC)
    )
    blind = last_look is not None and began is not None and now - began > blind_after
    return SiteRow(
        id=site.id,
        name=site.name,
        known_to=site.location.kind,
        place=None if site.sensitive else (middle.x, middle.y),
        state=None if ending is None else ending.state,
        problem=ending.reason if ending is not None and failed else "",
        summary="" if findings is None else findings.summary,
        last_look=last_look,
        last_clear=last_clear,
        blind_since=began if blind else None,
        overdue=last_look is not None and now - last_look > 2 * timedelta(days=site.cadence_days),
        **_known(findings),  # type: ignore[arg-type]
    )


def _known(findings: Findings | None) -> dict[str, object]:
    """What the latest complete run says, in the row's words."""
    if findings is None:
        return {}
    wall = findings.perimeter
    wall_words = None
    if wall is not None:
        share = "not observable" if wall.completeness is None else f"{percent(wall.completeness)} built"
        closed = ", closed" if wall.closed else ""
        wall_words = share + closed
    planned = findings.progress
    buildings = None if planned is None else f"{planned.built} of {planned.planned} planned stand"
    if buildings is None and any(point.area_m2 for point in findings.built_area):
        buildings = f"{area([p.area_m2 for p in findings.built_area if p.area_m2][-1])} built"
    return {
        "phase": findings.phases[-1].phase if findings.phases else None,
        "wall": wall_words,
        "buildings": buildings,
        "report": f"runs/{findings.site.id}/{findings.run_id}/report.html",
        "simulated": findings.simulated,
    }


def _latest(runs: Path) -> Findings | None:
    """Findings of the newest complete run; None where there is none, or one that cannot be read."""
    try:
        run = (runs / "latest").read_text(encoding="ascii").strip()
        return Findings.model_validate_json((runs / run / "findings.json").read_bytes())
    except (OSError, ValueError):
        return None
