"""series.png: what was seen when, what grew when, and which phase the site was in; on one axis of time.

Gaps in what is known are drawn, not left white: a span without a clear look is hatched, and no line crosses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from pipelines.assess import Findings
from pipelines.assess.findings import Event
from pipelines.assess.words import day
from pipelines.publish.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, UNSEEN, VERMILION
from pipelines.publish.shapes import Numbered, concerns
from pipelines.publish.wording import credits_of, event_title

HATCH = "#cfcfcf"
LEAST_GAP_DAYS = 45.0
LONGEST_LINE_DAYS = 120.0
SHOWN = 5
LOOK = 0.5
_COLOURS = (VERMILION, BLUE, GREEN, PURPLE, ORANGE)
_PHASES = {
    "No Activity": "#d9d9d9", "Site Preparation": "#e9c46a", "Active Construction": VERMILION,
    "Post Construction": BLUE, "Unknown": "#ffffff",
}  # fmt: skip


def series_figure(findings: Findings, events: Sequence[Numbered]) -> Figure:
    """Draw the figure; it needs a run over a series."""
    told = [i for i in events if concerns(i.event) and i.event.area_series and i.event.confidence != "possible"][:SHOWN]
    phases = len(findings.phases) > 0
    rows = [0.9, 3.2, 0.5] if phases else [0.9, 3.2]
    figure = Figure(figsize=(10.0, 5.6 if phases else 5.0), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), 1, sharex=True, gridspec_kw={"height_ratios": rows, "hspace": 0.3})
    figure.subplots_adjust(left=0.09, right=0.985, top=0.86, bottom=0.16)
    _looks(axes[0], findings)
    _areas(axes[1], told, findings)
    if phases:
        _phase_bars(axes[2], findings)
    locator = AutoDateLocator()
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    named = findings.site.name.startswith("SIMULATED")
    mark = "SIMULATED: " if findings.simulated and not named else ""
    figure.text(0.02, 0.945, f"{mark}{findings.site.name}"[:110], fontsize=12, fontweight="bold", parse_math=False)
    figure.text(0.02, 0.905, "What was seen, what changed and in which phase the site was", fontsize=8)
    _foot(figure, findings)
    return figure


def _looks(axes: Any, findings: Findings) -> None:
    """One mark an acquisition: how much of the site it showed; hatched where no look was clear."""
    scenes = [s for s in findings.scenes if s.time is not None and s.state is not None and s.role != "radar"]
    clear = [s for s in scenes if s.state != "not-observed"]
    for start, end in _gaps(findings):
        axes.axvspan(_num(start), _num(end), facecolor="white", edgecolor=HATCH, hatch="///", linewidth=0, zorder=0)
    for group, marker, colour in ((scenes, "|", UNSEEN), (clear, "o", BLACK)):
        times = [_num(s.time) for s in group if s.time]
        axes.plot(times, [s.clear_fraction or 0.0 for s in group], marker, color=colour, markersize=4, zorder=2)
    radar = [_num(s.time) for s in findings.scenes if s.time is not None and s.role == "radar"]
    if radar:
        axes.plot(radar, [-0.12] * len(radar), "|", color=SKY, markersize=4, zorder=2)
    axes.set(ylim=(-0.22, 1.12), yticks=[0, 1], yticklabels=["0 %", "100 %"])
    axes.set_ylabel("site\nclear", fontsize=7.5)
    _plain(axes)


def _areas(axes: Any, events: Sequence[Numbered], findings: Findings) -> None:
    for start, end in _gaps(findings):
        axes.axvspan(_num(start), _num(end), facecolor="white", edgecolor=HATCH, hatch="///", linewidth=0, zorder=0)
    for item, colour in zip(events, _COLOURS, strict=False):
        event = item.event
        _history(axes, event, colour, item.number)
        if event.not_after is not None:
            start = event.not_before or event.not_after - timedelta(days=1)
            axes.axvspan(_num(start), _num(event.not_after), color=colour, alpha=0.25, linewidth=0, zorder=1)
    if events:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=7, frameon=False, borderaxespad=0.2,
            handlelength=1.6, columnspacing=1.4,
        )  # fmt: skip
    else:
        axes.text(0.5, 0.5, "no confirmed or probable change at the site", transform=axes.transAxes, ha="center",
                  fontsize=9)  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_ylabel("hectares in the new state", fontsize=7.5)
    _plain(axes)


def _history(axes: Any, event: Event, colour: str, number: int | None) -> None:
    """Area over time; the line breaks where nothing was seen for long."""
    runs: list[list[tuple[float, float]]] = [[]]
    last: datetime | None = None
    for point in event.area_series:
        if point.area_m2 is None:
            continue
        if last is not None and (point.time - last).days > LONGEST_LINE_DAYS:
            runs.append([])
        runs[-1].append((_num(point.time), point.area_m2 / 10_000))
        last = point.time
    bounds = f"{day(event.not_before)} to " if event.not_before else "by "
    span = "" if event.not_after is None else f": {bounds}{day(event.not_after)}"
    label = f"{'' if number is None else f'{number}  '}{event_title(event)}{span}"
    for run in runs:
        if run:
            axes.plot(*zip(*run, strict=True), color=colour, linewidth=1.3, marker=".", markersize=3, label=label,
                      zorder=3)  # fmt: skip
            label = None  # type: ignore[assignment]  # one entry of the legend an event


def _phase_bars(axes: Any, findings: Findings) -> None:
    """A bar a phase, from the first look that shows it; before, the interval in which it began, hatched."""
    first, last = findings.period.from_, findings.period.to
    if first is None or last is None:
        return
    starts = [phase.not_after or first for phase in findings.phases]
    for place, phase in enumerate(findings.phases):
        begin, lower = starts[place], phase.not_before
        end = starts[place + 1] if place + 1 < len(starts) else last
        if place + 1 < len(starts):
            end = findings.phases[place + 1].not_before or end
        axes.barh(0, _num(end) - _num(begin), left=_num(begin), height=0.8, color=_PHASES[phase.phase],
                  edgecolor="white")  # fmt: skip
        if lower is not None:
            axes.barh(0, _num(begin) - _num(lower), left=_num(lower), height=0.8, color="white", edgecolor=UNSEEN,
                      hatch="....", linewidth=0)  # fmt: skip
        if (end - begin).days > 0.09 * (last - first).days:
            middle = (_num(begin) + _num(end)) / 2
            dark = phase.phase in ("Active Construction", "Post Construction")
            axes.text(middle, 0, phase.phase, ha="center", va="center", fontsize=7, color="white" if dark else "black",
                      clip_on=True)  # fmt: skip
    axes.set(ylim=(-0.5, 0.5), yticks=[])
    axes.set_ylabel("phase", fontsize=7.5)
    _plain(axes)


def _gaps(findings: Findings) -> list[tuple[datetime, datetime]]:
    """Spans of more than a few weeks in which no look was clear."""
    seen = sorted(s.time for s in findings.scenes if s.time is not None and s.state not in (None, "not-observed"))
    first, last = findings.period.from_, findings.period.to
    if first is None or last is None:
        return []
    points = [first, *seen, last]
    return [(a, b) for a, b in pairwise(points) if (b - a).days > gap_days(findings)]


def gap_days(findings: Findings) -> float:
    """How long without a clear look is a gap: three times what is usual here, 45 days at least."""
    seen = sorted(s.time for s in findings.scenes if s.time is not None and s.state not in (None, "not-observed"))
    steps = sorted((b - a).total_seconds() / 86400 for a, b in pairwise(seen))
    return max(LEAST_GAP_DAYS, 3 * steps[len(steps) // 2]) if steps else LEAST_GAP_DAYS


def _foot(figure: Figure, findings: Findings) -> None:
    used = [scene for scene in findings.scenes if scene.used]
    lines = (
        f"Hatched: no clear look for more than {gap_days(findings):.0f} days; nothing is known there. Shaded: between"
        " the last look that shows the state before and the first that shows the one after.",
        "Dots: looks that show the site; grey ticks: acquisitions that do not; blue ticks: radar."
        f" {credits_of(used)[:90]}.",
        f"Analysis: {findings.software}, run {findings.run_id}. Not checked on the ground.",
    )
    for place, line in enumerate(lines):
        figure.text(0.02, 0.065 - place * 0.025, line, fontsize=6.5, color="#333333", parse_math=False)


def _plain(axes: Any) -> None:
    axes.tick_params(labelsize=7.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _num(time: datetime) -> float:
    return float(date2num(time.astimezone(UTC)))
