"""Tables and lines of the report that only a series has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines.assess import Findings
from pipelines.assess.words import day
from pipelines.publish.shapes import Numbered, concerns
from pipelines.publish.wording import area, percent

MOST_REASONS = 8


def phase_table(findings: Findings) -> list[dict[str, str]]:
    """One row a phase."""
    return [
        {
            "phase": phase.phase,
            "since": "since before the series" if phase.not_after is None else day(phase.not_after),
            "not_before": "–" if phase.not_before is None else day(phase.not_before),
            "why": phase.reason,
        }
        for phase in findings.phases
    ]


def progress_words(findings: Findings) -> str:
    """What was built in all, and the plan against what stands; empty without either."""
    return " ".join(filter(None, (_built_words(findings), _plan_words(findings))))


def _built_words(findings: Findings) -> str:
    sums = [point for point in findings.built_area if point.area_m2]
    if not sums:
        return ""
    last = sums[-1]
    return f"All construction found covers {area(last.area_m2)} of ground on {day(last.time)}."


def _plan_words(findings: Findings) -> str:
    told = findings.progress
    if told is None:
        return ""
    share = "" if told.share is None else f", {percent(told.share)} of the planned ground that can be told"
    unknown = f"; for {told.unknown} nothing can be told" if told.unknown else ""
    return f"Of {told.planned} planned buildings {told.built} stand ({area(told.built_m2)}{share}){unknown}."


def scene_counts(findings: Findings) -> list[str]:
    """How many scenes were used and refused, and the commonest reasons."""
    used = Counter(scene.role for scene in findings.scenes if scene.used)
    looks = sum(count for role, count in used.items() if role != "radar")
    lines = [f"{looks} scenes were compared" + (f", and {used['radar']} radar scenes" if used["radar"] else "") + "."]
    reasons = Counter(_short(scene.reason) for scene in findings.scenes if not scene.used)
    lines += [f"{count} not used: {reason}." for reason, count in reasons.most_common(MOST_REASONS)]
    rest = sum(reasons.values()) - sum(count for _, count in reasons.most_common(MOST_REASONS))
    return [*lines, f"{rest} not used for other reasons."] if rest else lines


def gap_words(events: Sequence[Numbered]) -> list[str]:
    """Why the interval of each numbered event at the site is as wide as it is."""
    return [
        f"No. {item.number}: {item.event.gap_reason}."
        for item in events
        if item.number is not None and concerns(item.event)
    ]


def _short(reason: str) -> str:
    """A reason without its numbers and names, so that like reasons count as one."""
    if reason.startswith("not observed"):
        return "hardly any of the ground was clear"
    if reason.startswith("the same overpass"):
        return "the same overpass as another scene"
    if "more than the" in reason and "put right" in reason:
        return "it lies too far off the other scenes"
    return reason.rstrip(".")
