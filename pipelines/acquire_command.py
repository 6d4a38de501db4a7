"""The command `acquire`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from pipelines.acquire import Source
from pipelines.cli import Session, Time, shared
from pipelines.gather import Progress, Wanted
from pipelines.gather import gather as run_gather
from pipelines.settings import load_settings


@click.command(epilog="Example: sitewatch acquire national-centre --provider stac --from 2019-01-01 --dry-run")
@click.argument("site_id", metavar="SITE")
@click.option("--provider", metavar="NAME", help="stac, sentinel-hub, folder, simulator, or one that you installed.")
@click.option("--source", metavar="PATH/URL", help="A STAC or Sentinel Hub service by name or address; a folder.")
@click.option("--from", "start", type=Time(), metavar="DATE", help="First day to fetch.  [default: the site's `since`]")
@click.option("--to", "end", type=Time(), metavar="DATE", help="Day after the last one to fetch.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many scenes to fetch at a time.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Which simulated site to draw.")
@click.option("--dry-run", "dry", is_flag=True, help="Only say which scenes there are, which are kept, and the cost.")
@shared
def acquire(session: Session, site_id: str, **words: Any) -> None:
    """Fetch the scenes of a SITE that the archive does not hold yet; stop and start it as you like."""
    wanted = Wanted(
        site_id=site_id,
        source=Source(provider=words["provider"], source=words["source"], seed=words["seed"]),
        start=words["start"],
        end=words["end"],
        dry=words["dry"],
    )
    settings = load_settings(session.workspace, workers=words["workers"])
    with _bar() as progress:
        gathered = run_gather(session.workspace, wanted, settings=settings, now=session.now, progress=progress)
    if session.as_json:
        session.say(json.dumps(gathered.to_json()))
    elif wanted.dry or sys.stdout.isatty():
        for line in gathered.lines():
            session.say(line)
    else:  # under cron only what needs somebody
        for line in list(gathered.lines())[:-1]:
            session.say(line)
    gathered.raise_for_failures()


@contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar on standard error where a person watches, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Scenes", total=None)
        yield lambda done, count: bar.update(task, completed=done, total=count)


COMMANDS = (acquire,)
