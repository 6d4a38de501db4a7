"""The command `export`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipelines.cli import Session, shared


@click.command(epilog="Example: sitewatch export --out published --public")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the files; what it holds under the same names is replaced.",
)
@click.option(
    "--public",
    is_flag=True,
    help="Only what a person confirmed, no sensitive site, no place finer than its site's location class.",
)
@shared
def export(session: Session, out: Path, public: bool) -> None:
    """Write the findings of all sites as CSV, GeoJSON, an Atom feed and a STAC catalogue."""
    from pipelines.exchange import export as run_export

    made = run_export(session.workspace, out, public=public, now=session.now)
    if session.as_json:
        session.say(json.dumps({"files": [str(p) for p in made.files], "left_out": list(made.left_out)}))
        return
    for path in made.files:
        if path.parent == out:
            session.say(str(path))
    for line in made.left_out:
        click.echo(f"left out: {line}", err=True)


COMMANDS = (export,)
