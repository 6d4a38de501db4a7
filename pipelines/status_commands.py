"""The commands that look after unattended scans: status and schedule."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pipelines.cli import Session, shared
from pipelines.settings import load_settings


@click.command(epilog="Example: sitewatch status")
@click.option("--html", is_flag=True, help="Also write outputs/index.html anew, and print its path.")
@shared
def status(session: Session, html: bool) -> None:
    """Tell for every site when it was last looked at and seen, what stands there, and who is blind since when."""
    from pipelines.status import lines, write_index
    from pipelines.status import status as run_status

    settings = load_settings(session.workspace)
    rows = run_status(session.workspace, settings=settings, now=session.now)
    page = write_index(session.workspace, settings=settings, now=session.now) if html else None
    if session.as_json:
        session.say(json.dumps({"sites": [row.to_json() for row in rows]}))
        return
    for line in lines(rows):
        session.say(line)
    if page is not None:
        session.say(str(page))


@click.command(epilog="Example: sitewatch schedule --at 03:20")
@click.option("--at", default="03:20", show_default=True, metavar="HH:MM", help="Time of day, as the machine tells it.")
@click.option("--mail", metavar="ADDRESS", help="Where cron sends what is to be said.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Sites at a time.")
@click.option(
    "--kind", type=click.Choice(["all", "cron", "systemd"]), default="all", show_default=True, help="What to print."
)
@shared
def schedule(session: Session, at: str, mail: str | None, workers: int, kind: str) -> None:
    """Print the crontab line and the systemd units that scan this workspace every day. Nothing is installed."""
    from pipelines.schedule import Plan, crontab, units

    plan = Plan.of(session.workspace, program=_program(), at=at, mail=mail, workers=workers)
    if session.as_json:
        session.say(json.dumps({"crontab": crontab(plan), **units(plan)}))
        return
    if kind in ("all", "cron"):
        session.say("# crontab -e, and add:")
        session.say(crontab(plan).rstrip())
    if kind in ("all", "systemd"):
        for name, text in units(plan).items():
            session.say(f"\n# ~/.config/systemd/user/{name}")
            session.say(text.rstrip())
        session.say("\n# systemctl --user enable --now sitewatch.timer; loginctl enable-linger")


def _program() -> Path:
    """The command itself beside this Python, else the one that was called."""
    beside = Path(sys.executable).with_name("sitewatch")
    return beside if beside.is_file() else Path(sys.argv[0]).absolute()


COMMANDS = (status, schedule)
