"""The command `search`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pipelines.cli import Session, Time, judge, shared


@click.command(epilog="Example: sitewatch search province.geojson --provider stac --from 2019-01-01")
@click.argument("region", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--provider", metavar="NAME", help="Where scenes come from.  [default: that of sitewatch.toml]")
@click.option("--source", metavar="PATH/URL", help="Folder of images, or a service by name or address.")
@click.option("--from", "start", type=Time(), metavar="DATE", help="First day to look at.")
@click.option("--to", "end", type=Time(), metavar="DATE", help="Day after the last one to look at.")
@click.option("--every", "every_days", type=float, metavar="DAYS", help="Keep one scene in so many days.")
@click.option("--pair", is_flag=True, help="Compare only the first clear scene with the last.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Which simulated site to draw.")
@click.option("--id", "site_id", metavar="ID", help="Keep the results under this id.  [default: the file's name]")
@click.option("--keep", is_flag=True, help="Also write the region as a site, to be scanned again and pinned.")
@click.option("--fail-on-change", is_flag=True, help="Exit with 10 where change was found.")
@click.option("--fail-on-blind", is_flag=True, help="Exit with 4 where nothing could be observed.")
@shared
def search(session: Session, region: Path, **words: Any) -> None:
    """Search a REGION for new construction: candidates, ranked, with dates and reasons.

    REGION is a file of polygons (GeoJSON, GeoPackage). No wall or building is claimed; `sites pin` makes a site of a
    candidate.
    """
    from pipelines.acquire import Source
    from pipelines.desk import Asked
    from pipelines.search import Region
    from pipelines.search import search as run_search
    from pipelines.settings import load_settings
    from pipelines.workers import executor

    settings = load_settings(session.workspace)
    given = words["provider"] or words["source"]
    own = settings.scan
    source = Source(
        provider=words["provider"] if given else own.provider, source=words["source"] if given else own.source,
        seed=words["seed"],
    )  # fmt: skip
    asked = Asked(
        sites=(), source=source, start=words["start"], end=words["end"], every_days=words["every_days"],
        pair=words["pair"],
    )  # fmt: skip
    wanted = Region(file=region, id=words["site_id"], keep=words["keep"])
    with executor(settings.workers) as pool:
        found = run_search(
            session.workspace, wanted, asked, settings=settings, now=session.now, executor=pool, tell=session.tell
        )
    if session.as_json:
        session.say(json.dumps(found.to_json()))
    else:
        for line in found.lines():
            session.say(line)
    judge(found.outcome.state, words)


COMMANDS = (search,)
