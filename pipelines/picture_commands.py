"""The commands for authors: figure and timelapse."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from geo.errors import UsageError
from pipelines.cli import Session, Time, shared

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


def _say(session: Session, why: str, files: tuple[Path, ...]) -> None:
    if session.as_json:
        session.say(json.dumps({"why": why, "files": [str(path) for path in files]}))
        return
    session.say(why)
    for path in files:
        session.say(str(path))


@click.command(epilog="Example: sitewatch figure national-centre --before 2017-03-01")
@click.argument("site_id", metavar="SITE")
@click.option("--before", type=Time(), metavar="DATE", help="Show the scene nearest to this date.  [default: the best]")
@click.option("--after", type=Time(), metavar="DATE", help="Likewise for the later one.")
@click.option(
    "--size", type=click.Choice(["print", "web", "social"]), default="print", show_default=True, help="What it is for."
)
@click.option("--run", metavar="ID", help="Findings of this run.  [default: the latest]")
@click.option("--out", type=FOLDER, help="Folder for the files; new or empty.  [default: outputs/figures/SITE/...]")
@click.option("--c2pa-cert", type=FILE, help="PEM file: sign the PNG as C2PA content, with these certificates ...")
@click.option("--c2pa-key", type=FILE, help="... and this private key.")
@shared
def figure(session: Session, site_id: str, **words: Any) -> None:
    """Make a before/after picture of a SITE to print: PNG, SVG, PDF, the GeoTIFF pair, and what it was made from.

    Where no date is given the best pair is chosen (clear, same season, orbit and sun, close around what happened), and
    the choice is explained.
    """
    from pipelines.figure import Asked
    from pipelines.figure import figure as make
    from pipelines.publish.signing import Credential
    from pipelines.settings import load_settings
    from pipelines.workers import executor

    settings = load_settings(session.workspace)
    certificates, key = words.pop("c2pa_cert"), words.pop("c2pa_key")
    if (certificates is None) != (key is None):
        raise UsageError("signing takes both --c2pa-cert and --c2pa-key.")
    asked = Asked(site_id=site_id, sign=Credential(certificates, key) if certificates else None, **words)
    with executor(settings.workers) as pool:
        made = make(session.workspace, asked, settings=settings, executor=pool)
    _say(session, made.why, made.files)


@click.command(epilog="Example: sitewatch timelapse national-centre --from 2017-01-01")
@click.argument("site_id", metavar="SITE")
@click.option("--from", "start", type=Time(), metavar="DATE", help="First day to show.")
@click.option("--to", "end", type=Time(), metavar="DATE", help="Day after the last one to show.")
@click.option("--frames", type=click.IntRange(2, 500), default=120, show_default=True, help="At most so many frames.")
@click.option("--out", type=FOLDER, help="Folder for the files; new or empty.  [default: outputs/figures/SITE/...]")
@shared
def timelapse(
    session: Session, site_id: str, start: datetime | None, end: datetime | None, frames: int, out: Path | None
) -> None:
    """Make an animation of all clear looks at a SITE, dated, and a sheet of small pictures for print."""
    from pipelines.settings import load_settings
    from pipelines.timelapse import Asked
    from pipelines.timelapse import timelapse as make
    from pipelines.workers import executor

    settings = load_settings(session.workspace)
    asked = Asked(site_id=site_id, start=start, end=end, frames=frames, out=out)
    with executor(settings.workers) as pool:
        made = make(session.workspace, asked, settings=settings, executor=pool)
    _say(session, made.why, made.files)


COMMANDS = (figure, timelapse)
