"""report.html: one file that opens from a disk, needs no network and no library, and prints.

Nothing from outside becomes markup: every text is cleaned and escaped, the only script and the only style are ours, and
the page's content security policy names them by their hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from geo.files.atomic import atomic_path
from pipelines.assess import Findings
from pipelines.assess.verdicts import REJECTED
from pipelines.publish.drawing import as_marks, legend_marks, outlines_of_events, outlines_of_zones
from pipelines.publish.pages import csp_hash, template, text_of
from pipelines.publish.pictures import Picture, change_picture, corner_words, data_uri, north
from pipelines.publish.rows import (
    absent_rows,
    building_table,
    candidate_lines,
    control_table,
    event_table,
    scene_table,
    segment_table,
    setting_rows,
)
from pipelines.publish.series_rows import gap_words, phase_table, progress_words, scene_counts
from pipelines.publish.series_wording import is_series, series_answers
from pipelines.publish.settings import Lineage
from pipelines.publish.shapes import Numbered
from pipelines.publish.wording import (
    MEANING,
    credits_of,
    how_sure,
    interval,
    not_seen,
    percent,
    scene_of,
    short_day,
    since_when,
    smallest,
    what_changed,
    when,
)

NAME = "report.html"
_COARSE_PX = 500
_UNJUDGED = "Most certain first, those at the site before those around it"
_JUDGED = "What analysts confirmed leads, what they rejected comes last; else " + _UNJUDGED.lower()
_STATES = {
    "change": ("change", "Change"),
    "no-change": ("no-change", "No change found"),
    "not-observed": ("unseen", "Not observed"),
    "not-distinguishable": ("unseen", "Not distinguishable"),
    "failed": ("unseen", "Failed"),
    "pending": ("unseen", "Pending"),
}


@dataclass(frozen=True)
class Page:
    """What the report is made of."""

    findings: Findings
    events: Sequence[Numbered]
    picture: Picture
    shown: str
    observed: float
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    lineage: Lineage
    listed: int
    series: NDArray[np.uint8] | None = None
    chips: Sequence[NDArray[np.uint8]] = ()


def write_report(folder: Path, page: Page) -> Path:
    """Write report.html, whole or not at all; return its path."""
    with atomic_path(folder / NAME) as temporary:
        temporary.write_text(report_html(page), encoding="utf-8")
    return folder / NAME


def report_html(page: Page) -> str:
    """The report as text."""
    css, js = text_of("report.css"), text_of("report.js")
    context = _about(page) | _pictures(page) | _lists(page)
    context |= {
        # Markup, as these two are ours; a hash covers the exact bytes between the tags.
        "css": Markup(css), "css_hash": csp_hash(css), "js": Markup(js), "js_hash": csp_hash(js),  # noqa: S704
    }  # fmt: skip
    return template("report.html.j2").render(**context) + "\n"


def _about(page: Page) -> dict[str, Any]:
    findings, events = page.findings, list(page.events)
    before, after = scene_of(findings, "before"), scene_of(findings, "after")
    dates = " to ".join(short_day(scene.time) if scene else "no scene" for scene in (before, after))
    state_class, state_word = _STATES[findings.observability.state]
    used = [scene for scene in findings.scenes if scene.used]
    review = (
        "Verdicts are written in QGIS into the table “reviews” of findings.gpkg. That changes the file, and a check"
        " will rightly say so: work on a copy of this folder."
        if page.lineage.review is None
        else f"Verdicts are written in QGIS into {page.lineage.review}, which no run ever replaces; this folder stays"
        " as it was made."
    )
    site = findings.site.name
    return {
        "f": findings, "dates": dates, "state_class": state_class, "state_word": state_word,
        "answers": _answers(findings, [item for item in events if not item.rejected], page.observed),
        "verdict_words": _verdict_words(events),
        "observed": percent(page.observed), "smallest": smallest(findings), "credits": credits_of(used),
        "perimeter_interval": _perimeter_interval(findings),
        "perimeter_share": percent(findings.perimeter.completeness) if findings.perimeter else "",
        "review_words": review, "previous": page.lineage.previous_manifest, "created": when(findings.created),
        "versions": list(page.versions.items()),
        "citation": f"{'SIMULATED. ' if findings.simulated else ''}{findings.software}: change report on {site}, "
        f"{dates}, run {findings.run_id}, made {short_day(findings.created)}. {credits_of(used)}.",
    }  # fmt: skip


def _answers(findings: Findings, events: list[Numbered], observed: float) -> list[tuple[str, list[str]]]:
    if is_series(findings):
        return series_answers(findings, events)
    return [
        ("What changed?", what_changed(findings, events)),
        ("Since when?", since_when(findings, events)),
        ("How sure is it?", how_sure(findings, events)),
        ("What could not be seen?", not_seen(findings, observed)),
    ]


def _verdict_words(events: Sequence[Numbered]) -> str:
    """How many findings analysts looked at, and what they said."""
    count = Counter(item.verdict.verdict for item in events if item.verdict)
    if not count:
        return ""
    said = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
    counted = " The sentence above still counts what was rejected." if REJECTED in count else ""
    return f"Analysts' verdicts before this run: {said}; {len(events) - count.total()} not reviewed.{counted}"


def _pictures(page: Page) -> dict[str, Any]:
    findings, picture = page.findings, page.picture
    sides = {}
    for role, image in (("before", picture.before), ("after", picture.after)):
        scene = scene_of(findings, role)
        day = short_day(scene.time) if scene else "no scene"
        mark = "Simulated image" if findings.simulated else "Satellite or aerial image"
        sides[role] = {
            "image": data_uri(image), "date": day,
            "title": f"{role.capitalize()}: {when(scene.time) if scene else 'no scene'}",
            "alt": f"{mark} {role} ({day}) of {findings.site.name}; findings are told in the table of changes.",
        }  # fmt: skip
    direction = north(picture.grid)
    metres = picture.metres
    rows, cols = picture.size
    wide = f"{cols / picture.scale[1]:,.0f} pixels" if metres is None else f"{cols * metres:,.0f} m"
    upwards = direction is not None and direction[1] < -0.9986
    changes = outlines_of_events(page.events, picture)
    zones = outlines_of_zones(findings, picture)
    series = "" if page.series is None else data_uri(page.series, lossless=True)
    return {
        **sides, "series_image": series, "size": (rows, cols),
        "coarse": max(rows, cols) < _COARSE_PX, "map_image": data_uri(
            change_picture(picture), lossless=True),
        "shapes": as_marks(changes, picture), "zones": as_marks(zones, picture),
        "legend": legend_marks(changes[::-1]) + legend_marks(zones),
        "shown": page.shown, "extent_words": wide, "place_words": _sentence("; ".join(corner_words(picture.grid))),
        "north_words": "not known" if direction is None else "up" if upwards else "not up; see the figures' arrow",
        "alt_map": f"{len(page.events)} changes outlined; {percent(1 - page.observed)} not observed, hatched.",
    }  # fmt: skip


def _lists(page: Page) -> dict[str, Any]:
    findings = page.findings
    listed = page.events[: page.listed]
    present = [level for level in MEANING if any(item.event.confidence == level for item in page.events)]
    levels = [{"word": level, "meaning": MEANING[level]} for level in present]
    return {
        "levels": levels, "events": event_table(findings, listed), "left_out": len(page.events) - len(listed),
        "events_caption": _JUDGED if any(item.verdict for item in page.events) else _UNJUDGED,
        "absent": absent_rows(page.lineage.verdicts),
        "segments": segment_table(findings), "buildings": building_table(findings),
        "candidates": _candidates(page), "scenes": scene_table(findings),
        "notes": [f"{scene.id}: {note}" for scene in findings.scenes for note in scene.notes],
        "controls": control_table(findings), "settings": setting_rows(page.settings),
        "phases": phase_table(findings), "scene_counts": scene_counts(findings), "series": is_series(findings),
        "progress": progress_words(findings), "gaps": gap_words(page.events),
    }  # fmt: skip


def _candidates(page: Page) -> list[dict[str, str]]:
    """One sentence and one picture a candidate, best first."""
    lines = candidate_lines(page.findings)
    return [
        {"words": line, "picture": data_uri(chip), "alt": f"Place {rank} before and after, its outline drawn on both"}
        for rank, (line, chip) in enumerate(zip(lines, page.chips, strict=True), start=1)
    ]


def _perimeter_interval(findings: Findings) -> str:
    perimeter = findings.perimeter
    if perimeter is None or not any(segment.status == "changed" for segment in perimeter.segments):
        return "no change along the line was found"
    return f"the ground along the line changed within {interval(perimeter.not_before, perimeter.not_after)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
