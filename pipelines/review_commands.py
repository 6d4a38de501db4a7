"""The commands about analysts' verdicts: review export, review import."""

from __future__ import annotations

import json
from pathlib import Path

import click

from geo.errors import InputError
from pipelines.cli import Session, shared

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def review() -> None:
    """Take analysts' verdicts out of a workspace, and in."""


@review.command("export", epilog="Example: sitewatch review export national-centre --out verdicts.csv")
@click.argument("site_id", metavar="SITE")
@click.option("--out", type=FILE, required=True, help="File to write: .csv, or .geojson with the outlines.")
@shared
def export_(session: Session, site_id: str, out: Path) -> None:
    """Write all verdicts on findings of a SITE to a file."""
    from pipelines.review import export_reviews

    count = export_reviews(session.workspace, site_id, out)
    told = f"{count} {'verdict' if count == 1 else 'verdicts'} written to {out}."
    session.say(json.dumps({"verdicts": count, "file": str(out)}) if session.as_json else told)


@review.command("import", epilog="Example: sitewatch review import national-centre verdicts.csv")
@click.argument("site_id", metavar="SITE")
@click.argument("file", type=FILE)
@shared
def import_(session: Session, site_id: str, file: Path) -> None:
    """Add the verdicts of a FILE to those on a SITE; of several on one finding the newest counts, none is deleted."""
    from pipelines.review import import_reviews

    done = import_reviews(session.workspace, site_id, file, now=session.now)
    if session.as_json:
        session.say(
            json.dumps(
                {"added": done.added, "known": done.known, "faults": list(done.faults), "strangers": done.strangers}
            )
        )
    else:
        session.say(f"{done.added} added, {done.known} known already, {len(done.faults)} left out.")
        if done.strangers:
            names = ", ".join(done.strangers[:10]) + (", …" if len(done.strangers) > 10 else "")
            session.say(f"No run here tells of {names}; check the ids, or scan.")
    for fault in done.faults:
        click.echo(f"{file}, {fault}", err=True)
    if done.faults:
        raise InputError(f"{file}: {len(done.faults)} rows were left out; the others were added.")


COMMANDS = (review,)
