"""The command `export-evidence`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipelines.cli import Session, shared


@click.command(
    "export-evidence", epilog="Example: sitewatch export-evidence outputs/runs/national-centre/latest --out bag"
)
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the bag; must not exist."
)
@click.option("--sensitive", is_flag=True, help="Also for a site marked sensitive: the bag tells where it is.")
@shared
def export_evidence(session: Session, run: Path, out: Path, sensitive: bool) -> None:
    """Pack a RUN with the images it rests on, its lineage and its method, for others to check without this program."""
    from pipelines.evidence import export_evidence as pack

    bag = pack(run, out, sensitive=sensitive)
    session.say(json.dumps(str(bag)) if session.as_json else str(bag))


COMMANDS = (export_evidence,)
