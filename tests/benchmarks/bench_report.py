"""What publishing costs beside detecting, and how large and quick the report is:

    python -m tests.benchmarks.bench_report [--every 30]

One simulated site over five years, a scene every so many days, through the command line; then Chromium opens the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from geo.files.environment import harden

harden(os.environ)
sys.path.insert(0, str(Path(__file__).parent.parent))

from chromium import Chromium, find_chromium
from runs import sitewatch

from geo.providers.simulator import Scenario, site_collection
from pipelines import series_run

STAGES = ("prepare_series", "detect_series", "_wall", "_radar", "assess_series", "publish")


def clocked(spent: Counter[str]) -> None:
    """Have every stage of a run add its seconds."""
    for name in STAGES:
        setattr(series_run, name, partial(_clocked, spent, name.strip("_"), getattr(series_run, name)))


def _clocked(spent: Counter[str], name: str, stage: Callable[..., Any], *args: Any, **words: Any) -> Any:
    begin = time.perf_counter()
    try:
        return stage(*args, **words)
    finally:
        spent[name] += time.perf_counter() - begin  # type: ignore[assignment]


def main() -> None:
    """Scan, open, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=float, default=30.0)
    spent: Counter[str] = Counter()
    clocked(spent)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "w"
        sitewatch("init", workspace)
        (workspace / "aois/simulated-centre.geojson").write_text(json.dumps(site_collection(Scenario(seed=7))))
        ended = sitewatch(
            "scan", "--all", "-w", workspace, "--provider", "simulator", "--seed", "7", "--from", "2017-01-01",
            "--to", "2022-01-01", "--every", parser.parse_args().every, "--now", "2022-01-10",
        )  # fmt: skip
        if ended.code:
            sys.exit(ended.err)
        (report,) = (workspace / "outputs/runs").glob("*/*/report.html")
        findings = json.loads((report.parent / "findings.json").read_text())
        used = sum(scene["used"] for scene in findings["scenes"])
        print(f"{used} scenes compared; report {report.stat().st_size / 1e6:.2f} MB")
        print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items()))
        if find_chromium():
            browser = Chromium(Path(folder) / "profile")
            browser.open(report)
            loaded = browser.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            browser.close()
            print(f"opened in {loaded / 1000:.2f} s")


if __name__ == "__main__":
    main()
