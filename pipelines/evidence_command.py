"""The commands `export-evidence` and `stamp`."""

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


@click.command(epilog="Example: sitewatch stamp --tsa https://freetsa.org/tsr --tsa-roots freetsa-root.pem")
@click.option("--tsa", metavar="URL", required=True, help="Address of the time-stamping authority.")
@click.option("--tsa-roots", type=click.Path(path_type=Path), required=True, help="PEM file: its root certificate.")
@shared
def stamp(session: Session, tsa: str, tsa_roots: Path) -> None:
    """Have an authority sign when the newest run was there (RFC 3161). It learns a hash, and nothing else."""
    from pipelines.stamps import stamp as have_stamped

    made = have_stamped(session.workspace / "outputs", authority=tsa, roots=tsa_roots)
    session.say(json.dumps(str(made.path)) if session.as_json else f"{made.words}: {made.path}")


COMMANDS = (export_evidence, stamp)
