"""What the published runs say, as rows for a ledger that is made anew (lost, or moved away because it was damaged)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Told:
    """One published run: the states of its scenes, how it ended, and what people had to hear of it.

    `scenes` are (id, time, state, reason); `is_newest` is True for the last run of a site.
    """

    site: str
    run: str
    created: str
    scenes: tuple[tuple[str, str | None, str, str], ...]
    ending: tuple[str, str]
    subjects: tuple[str, ...]
    sentence: str
    is_newest: bool


def past_runs(outputs: Path) -> list[Told]:
    """All complete runs of all sites, each site's oldest first.

    A run whose findings cannot be read is left out: it is for `verify` to complain of it.
    """
    runs: list[Told] = []
    for folder in sorted((outputs / "runs").glob("*")):
        known = sorted(path.parent for path in folder.glob("*/manifest.json"))
        for run in known:
            try:
                runs.append(_told(run, json.loads((run / "findings.json").read_bytes()), is_newest=run == known[-1]))
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
    return runs


def subjects(events: Iterable[tuple[str, str, str, bool]], *, used: int, state: str) -> list[str]:
    """What people must hear once: a confirmed event once, a pair's change once.

    `events` are (id, kind, scene that shows it first, confirmed); `used` counts the scenes that the run compared.
    Two images can confirm nothing; a change between them is told all the same, in the words of its own report.
    """
    events = list(events)
    found = [name for name, _, _, confirmed in events if confirmed]
    if used <= 2 and state == "change":
        found += [f"{kind} first seen on {after}" for _, kind, after, _ in events]
    return found


def _told(folder: Path, findings: dict[str, Any], *, is_newest: bool) -> Told:
    scenes, seen = findings["scenes"], findings["observability"]
    return Told(
        site=folder.parent.name,
        run=folder.name,
        created=findings["created"],
        scenes=tuple((s["id"], s["time"], s["state"] or seen["state"], s["reason"]) for s in scenes),
        ending=(seen["state"], seen["state_reason"]),
        subjects=tuple(
            subjects(
                [(e["id"], e["kind"], e["after_scene"], e["confirmed"]) for e in findings["events"]],
                used=sum(s["used"] for s in scenes),
                state=seen["state"],
            )
        ),
        sentence=findings["summary"],
        is_newest=is_newest,
    )
