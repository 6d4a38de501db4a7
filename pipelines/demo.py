"""`sitewatch demo`: the whole pipeline on a simulated site, in a workspace of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path

from geo.files.atomic import atomic_path
from geo.providers.simulator import Scenario, site_collection
from pipelines.acquire import Source
from pipelines.registry import init
from pipelines.scan import Asked, SiteOutcome, scan
from pipelines.settings import Settings

# From the dry season before ground was broken to that of the inauguration.
START = datetime(2017, 1, 1, tzinfo=UTC)
END = datetime(2022, 4, 15, tzinfo=UTC)
EVERY_DAYS = 30.0  # of each month the scene with the fewest clouds: enough for the story, and drawn in half a minute


def demo(
    folder: Path, *, seed: int, settings: Settings, now: datetime, executor: Executor, tell: Callable[[str], None]
) -> SiteOutcome:
    """Make a workspace with a simulated walled centre in a palm plantation, scan it, and return what came out."""
    scenario = Scenario(seed=seed)
    if not (folder / "aois").is_dir():
        init(folder)
    with atomic_path(folder / "aois" / f"{scenario.site_id}.geojson") as path:
        path.write_text(json.dumps(site_collection(scenario), indent=1) + "\n", encoding="utf-8")
    asked = Asked(
        sites=(scenario.site_id,),
        source=Source(provider="simulator", seed=seed),
        start=START,
        end=END,
        every_days=EVERY_DAYS,
    )
    outcome = scan(folder, asked, settings=settings, now=now, executor=executor, tell=tell)
    outcome.raise_for_failures()
    return outcome.sites[0]
