"""The command `scan`, for people and for cron."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from geo.errors import ConfigurationError, SitewatchError, UsageError
from pipelines.acquire import Source
from pipelines.cli import Session, Time, judge, shared
from pipelines.notify import Notifier, mark_told
from pipelines.scan import Asked, Outcome
from pipelines.scan import scan as run_scan
from pipelines.settings import ScanSettings, load_settings
from pipelines.status import index_is_stale, write_index
from pipelines.workers import Terminated, executor


@click.command(epilog="Example: sitewatch scan national-centre --provider folder --source images/")
@click.argument("sites", nargs=-1, metavar="SITE...")
@click.option("--all", "all_sites", is_flag=True, help="All sites of the workspace.")
@click.option("--due", is_flag=True, help="The sites whose cadence has passed and for which scenes came in; for cron.")
@click.option("--provider", metavar="NAME", help="Where scenes come from.  [default: that of sitewatch.toml]")
@click.option(
    "--source", metavar="PATH/URL", help="Folder of images, or a STAC or Sentinel Hub service by name or address."
)
@click.option("--from", "start", type=Time(), metavar="DATE", help="First day to look at.")
@click.option("--to", "end", type=Time(), metavar="DATE", help="Day after the last one to look at.")
@click.option("--every", "every_days", type=float, metavar="DAYS", help="Keep one scene in so many days.")
@click.option("--pair", is_flag=True, help="Compare only the first clear scene with the last.")
@click.option("--workers", type=click.IntRange(1, 64), help="Work on so many sites at a time.  [default: 1]")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Which simulated site to draw.")
@click.option("--fail-on-change", is_flag=True, help="Exit with 10 where change was found.")
@click.option("--fail-on-blind", is_flag=True, help="Exit with 4 where nothing could be observed.")
@shared
def scan(session: Session, sites: tuple[str, ...], **words: Any) -> None:
    """Fetch, prepare, compare, assess and publish: cron's command.

    Where one sensor saw the site six times or more, all its scenes make a series; else the first clear scene of the
    period is compared with the last.
    """
    if bool(sites) + words["all_sites"] + words["due"] != 1:
        raise UsageError("name the sites to scan, or give --all, or --due.")
    settings = load_settings(session.workspace)
    asked = _asked(session.workspace, sites, words, settings.scan)
    notifier = Notifier(settings.notify, environ=os.environ)
    notifier.ping("start")
    try:
        with executor(settings.workers) as pool:
            outcome = run_scan(
                session.workspace, asked, settings=settings, now=session.now, executor=pool, tell=session.tell,
                at_once=words["workers"] or 1,
            )  # fmt: skip
        if any(site.fresh for site in outcome.sites) or index_is_stale(session.workspace):
            write_index(session.workspace, settings=settings, now=session.now)
        _tell(session, outcome)
        faults = notifier.send(session.workspace / "outputs", now=session.now)
        for fault in faults:
            click.echo(f"sitewatch: {fault}", err=True)
        outcome.raise_for_failures()
    except (SitewatchError, Terminated):
        notifier.ping("fail")
        raise
    notifier.ping("")
    for site in outcome.sites:
        judge(site.state, words)


def _asked(workspace: Path, sites: tuple[str, ...], words: dict[str, Any], own: ScanSettings) -> Asked:
    """The command line's words, and the workspace's where it is silent; its folders lie in the workspace."""
    given = words["provider"] or words["source"]
    provider, source = (words["provider"], words["source"]) if given else (own.provider, own.source)
    if not given and source and (provider in (None, "folder")):
        source = str(workspace / source)
    if words["due"] and not (provider or source):
        raise ConfigurationError(
            "scan --due needs to know where scenes come from: set provider under [scan] in sitewatch.toml, or give"
            " --provider."
        )
    start: datetime | None = words["start"]
    return Asked(
        sites=sites,
        source=Source(provider=provider, source=source, seed=words["seed"]),
        start=start,
        end=words["end"],
        every_days=words["every_days"] or own.every_days,
        pair=words["pair"],
        due=words["due"],
        most_scenes=own.most_scenes if words["due"] else None,
    )


def _tell(session: Session, outcome: Outcome) -> None:
    """Say what is to be said, and only then note that it was: told twice is better than never."""
    if session.as_json:
        session.say(json.dumps(outcome.to_json()))
    else:
        for line in outcome.lines(quiet=not sys.stdout.isatty()):
            session.say(line)
    sys.stdout.flush()
    mark_told(session.workspace / "outputs", outcome.alerts, now=session.now)


COMMANDS = (scan,)
