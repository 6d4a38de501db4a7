"""The commands that make and check results: demo, compare, verify, doctor."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from geo.errors import UsageError
from geo.files.vectors import read_aoi, read_site, site_path
from geo.providers.folder import Options
from pipelines.cli import Session, Time, judge, shared
from pipelines.settings import Settings, load_settings
from pipelines.workers import executor

FILE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)


def settings_of(session: Session, **given: Any) -> Settings:
    """The workspace's settings, with what the command line gave on top."""
    return load_settings(session.workspace, **given)


@click.command(epilog="Example: sitewatch demo --out demo --seed 7")
@click.option("--out", type=FOLDER, default=Path("sitewatch-demo"), show_default=True, help="Workspace to make.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which simulated site to draw.")
@shared
def demo(session: Session, out: Path, seed: int) -> None:
    """Run the whole pipeline on a simulated site and print the report's path."""
    from pipelines.demo import END
    from pipelines.demo import demo as run_demo
    from pipelines.status import write_index

    settings = settings_of(session)
    with executor(settings.workers) as pool:
        outcome = run_demo(out, seed=seed, settings=settings, now=session.now, executor=pool, tell=session.tell)
    write_index(out, settings=settings, now=END)  # the day on which the simulated story ends
    if session.as_json:
        session.say(json.dumps(outcome.to_json()))
        return
    session.say(outcome.sentence)
    if outcome.folder is not None:
        session.say(str(outcome.folder / "report.html"))


@click.command(epilog="Example: sitewatch compare before.tif after.tif --out result")
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Folder for the result; new or empty.")
@click.option("--site", "site_id", metavar="ID", help="Use the zones of this site of the workspace.")
@click.option(
    "--aoi", type=FILE, help="Polygon file (GeoJSON, GeoPackage): tell what lies inside from what lies outside."
)
@click.option("--bands", metavar="NAMES", help="Band names of both files in order, e.g. blue,green,red,nir.")
@click.option("--scale", type=float, help="Value = number in the file x scale + offset.")
@click.option("--offset", type=float, help="See --scale.")
@click.option("--nodata", type=float, help="The number that means: nothing was seen here.")
@click.option("--before-date", type=Time(), metavar="DATE", help="When BEFORE was taken, if the file does not say.")
@click.option("--after-date", type=Time(), metavar="DATE", help="When AFTER was taken, if the file does not say.")
@click.option("--fdr", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="False-discovery rate to allow.")
@click.option("--force", is_flag=True, help="Replace an earlier result in --out.")
@click.option("--fail-on-change", is_flag=True, help="Exit with 10 where change was found.")
@click.option("--fail-on-blind", is_flag=True, help="Exit with 4 where nothing could be observed.")
@shared
def compare(session: Session, before: Path, after: Path, out: Path, **words: Any) -> None:
    """Compare two rasters: one change map and report. No site is needed.

    BEFORE and AFTER may differ in grid, coordinate system, bands and extent; the result lies on BEFORE's grid.
    """
    from pipelines.compare import Comparison
    from pipelines.compare import compare as run_compare

    if words["site_id"] and words["aoi"]:
        raise UsageError("--site and --aoi both name the place to look at; give one of them.")
    names = words["bands"]
    asked = Comparison(
        before=before,
        after=after,
        before_time=words["before_date"],
        after_time=words["after_date"],
        site=read_site(site_path(session.workspace / "aois", words["site_id"])) if words["site_id"] else None,
        aoi=read_aoi(words["aoi"]) if words["aoi"] else None,
        options=Options(
            bands=tuple(n.strip() for n in names.split(",")) if names else None,
            scale=words["scale"],
            offset=words["offset"],
            nodata=words["nodata"],
        ),
    )
    settings = settings_of(session, fdr=words["fdr"])
    with executor(settings.workers) as pool:
        findings = run_compare(asked, out, settings=settings, now=session.now, executor=pool, force=words["force"])
    if session.as_json:
        session.say(findings.to_json().rstrip())
    else:
        session.say(findings.summary)
        session.say(str(out / "report.html"))
    judge(findings.observability.state, words)


@click.command(epilog="Example: sitewatch verify outputs/runs/national-centre/latest")
@click.argument("path", type=FILE, required=False)
@click.option("--recompute", is_flag=True, help="Make every run again from the received bytes, and compare the files.")
@click.option("--tsa-roots", type=FILE, help="PEM file: roots of the time-stamping authorities to trust.")
@shared
def verify(session: Session, path: Path | None, recompute: bool, tsa_roots: Path | None) -> None:
    """Prove that archive and results are what was written: nothing changed, missing or added."""
    from pipelines.recompute import Recomputed
    from pipelines.recompute import recompute as run_again
    from pipelines.verify import Report as Verified
    from pipelines.verify import verify as run_verify

    place = path or session.workspace
    reports: list[Verified | Recomputed] = [run_verify(place, tsa_roots=tsa_roots)]
    if recompute:
        with executor(settings_of(session).workers) as pool:
            reports.append(run_again(place, executor=pool, tell=session.tell))
    if session.as_json:
        found = {name: value for report in reports[::-1] for name, value in report.to_json().items()}
        session.say(json.dumps(found))
    else:
        for report in reports:
            for line in report.lines():
                session.say(line)
    for report in reports:
        report.raise_for_faults()


@click.command(epilog="Example: sitewatch doctor --online")
@click.option("--online", is_flag=True, help="Also ask the services whether they can be reached.")
@shared
def doctor(session: Session, online: bool) -> None:
    """Check what a run needs: libraries, disk, clock, credentials, site files."""
    from pipelines.doctor import doctor as run_doctor

    report = run_doctor(session.workspace, environ=os.environ, now=session.now, online=online)
    if session.as_json:
        session.say(json.dumps(report.to_json()))
    else:
        for line in report.lines():
            session.say(line)
    report.raise_for_faults()


COMMANDS = (demo, compare, verify, doctor)
