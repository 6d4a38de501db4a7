"""outputs/index.html: all sites at a glance, in one file that opens from a disk and needs no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from geo.files.atomic import atomic_path
from pipelines.publish.pages import csp_hash, template, text_of

NAME = "index.html"
FRESH = timedelta(days=30)
_GRATICULE = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
_MAP_W = 720.0
MOST_NEWS = 50


@dataclass(frozen=True, kw_only=True)
class Happening:
    """What people were told of a site, when, and the report (relative to outputs/) that says so."""

    told: datetime
    words: str
    report: str


@dataclass(frozen=True, kw_only=True)
class SiteRow:
    """One site at a glance. None means that nothing is known of it, never that there is nothing.

    Attributes:
        id, name: of the site; known_to: class of its location.
        place: longitude, latitude; None where the site is sensitive.
        state: of the last run; `None` where there was none; problem: why the last run failed, else empty.
        summary: one sentence of the last complete run.
        last_look: when the site was last looked at; last_clear: when it was last clearly seen.
        blind_since: since when nothing was clearly seen, where that is longer than the workspace allows.
        overdue: True where the last look is older than two cadences.
        phase, wall, buildings: in words.
        waiting: scenes that are still to be fetched.
        report: path of the latest report relative to outputs/.
        happenings: changes, newest first.
    """

    id: str
    name: str
    known_to: str
    place: tuple[float, float] | None
    state: str | None = None
    problem: str = ""
    summary: str = ""
    last_look: datetime | None = None
    last_clear: datetime | None = None
    blind_since: datetime | None = None
    overdue: bool = False
    phase: str | None = None
    wall: str | None = None
    buildings: str | None = None
    waiting: int = 0
    report: str | None = None
    simulated: bool = False
    happenings: tuple[Happening, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "site": self.id, "name": self.name, "state": self.state, "problem": self.problem, "summary": self.summary,
            "last_look": _iso(self.last_look), "last_clear": _iso(self.last_clear),
            "blind_since": _iso(self.blind_since), "overdue": self.overdue, "phase": self.phase, "wall": self.wall,
            "buildings": self.buildings, "waiting": self.waiting, "report": self.report, "simulated": self.simulated,
        }  # fmt: skip

    @property
    def called(self) -> str:
        """The state in one word, and trouble before all else."""
        if self.problem:
            return "failed"
        if self.state is None:
            return "never scanned"
        return "blind" if self.blind_since is not None else self.state


def write_portfolio(outputs: Path, rows: Sequence[SiteRow], *, now: datetime) -> Path:
    """Write index.html, whole or not at all; return its path."""
    with atomic_path(outputs / NAME) as temporary:
        temporary.write_text(portfolio_html(rows, now=now), encoding="utf-8")
    return outputs / NAME


def portfolio_html(rows: Sequence[SiteRow], *, now: datetime) -> str:
    """The page as text."""
    css, js = text_of("report.css") + text_of("index.css"), text_of("index.js")
    news = sorted(
        ((happening, row) for row in rows for happening in row.happenings), key=lambda pair: pair[0].told, reverse=True
    )
    words: dict[str, Any] = {
        "rows": rows, "now": now, "news": news[:MOST_NEWS], "fresh": now - FRESH, "map": _map(rows),
        "day": _day, "iso": _iso_day,        "counts": _counts(rows),
        # Markup, as these two are ours; a hash covers the exact bytes between the tags.
        "css": Markup(css), "css_hash": csp_hash(css), "js": Markup(js), "js_hash": csp_hash(js),  # noqa: S704
    }  # fmt: skip
    return template("index.html.j2").render(**words) + "\n"


def _counts(rows: Sequence[SiteRow]) -> str:
    """One sentence on the whole portfolio."""
    total = f"{len(rows)} {'site' if len(rows) == 1 else 'sites'}"
    parts = [
        (sum(bool(row.happenings) for row in rows), "with a change that was told"),
        (sum(row.blind_since is not None for row in rows), "blind"),
        (sum(bool(row.problem) for row in rows), "failed at the last run"),
        (sum(row.state is None and not row.problem for row in rows), "never scanned"),
        (sum(row.overdue for row in rows), "overdue"),
    ]
    told = [f"{count} {word}" for count, word in parts if count]
    return f"{total}: {', '.join(told)}." if told else f"{total}; nothing needs you."


def _map(rows: Sequence[SiteRow]) -> dict[str, Any] | None:
    """The sites in longitude and latitude with a graticule, east-west shrunk by the cosine of the middle latitude."""
    placed = [(row, row.place) for row in rows if row.place is not None]
    if not placed:
        return None
    lons, lats = [place[0] for _, place in placed], [place[1] for _, place in placed]
    middle = (min(lats) + max(lats)) / 2
    shrink = max(0.2, math.cos(math.radians(middle)))
    span = max(max(lats) - min(lats), (max(lons) - min(lons)) * shrink, 0.2) * 1.25
    west, north = (min(lons) + max(lons)) / 2 - span / shrink / 2, middle + span * 0.25
    scale = _MAP_W / span
    step = next((s for s in _GRATICULE if span / s <= 6), _GRATICULE[-1])

    def at(lon: float, lat: float) -> tuple[float, float]:
        return round((lon - west) * shrink * scale, 1), round((north - lat) * scale, 1)

    low = min(*lats, north - span * 0.5)
    height = round((north - low) * scale + 20, 1)
    xs = [k * step for k in range(math.ceil(west / step), math.floor((west + span / shrink) / step) + 1)]
    ys = [k * step for k in range(math.ceil((north - height / scale) / step), math.floor(north / step) + 1)]
    return {
        "width": _MAP_W, "height": height,
        "meridians": [(at(x, middle)[0], f"{abs(x):g}° {'E' if x >= 0 else 'W'}") for x in xs],
        "parallels": [(at(west, y)[1], f"{abs(y):g}° {'N' if y >= 0 else 'S'}") for y in ys],
        "sites": [(*at(*place), row) for row, place in placed],
        "hidden": sum(row.place is None for row in rows),
    }  # fmt: skip


def _day(time: datetime | None) -> str:
    return "never" if time is None else f"{time.day} {time:%B %Y}"


def _iso_day(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d}"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
