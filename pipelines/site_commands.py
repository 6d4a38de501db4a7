"""The commands about workspaces and their sites: init, sites list/show/check/add."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from geo.errors import UsageError
from geo.files.atomic import atomic_path
from geo.sites import LOCATION_CLASSES
from pipelines import registry
from pipelines.cli import Session, shared

FILE = click.Path(path_type=Path)


@click.command(epilog="Example: sitewatch init watch")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Add what is missing to a folder that holds other things.")
@shared
def init(session: Session, folder: Path, force: bool) -> None:
    """Make a workspace: aois/ for site files, outputs/, and a commented sitewatch.toml."""
    made = registry.init(folder, force=force)
    if session.as_json:
        session.say(json.dumps([str(path) for path in made]))
    else:
        session.say(f"{folder} is a workspace; draw a site as {folder / 'aois' / 'README.md'} shows.")


@click.group()
def sites() -> None:
    """List, show, check and add the sites of a workspace."""


@sites.command("list", epilog="Example: sitewatch sites list")
@shared
def list_(session: Session) -> None:
    """List the sites, how surely each is known, and how often it is looked at."""
    rows = registry.list_sites(session.workspace)
    if session.as_json:
        session.say(json.dumps([row.to_json() for row in rows]))
    else:
        for line in registry.table(rows):
            session.say(line)
    registry.raise_for_faults(registry.check_sites(session.workspace))


@sites.command(epilog="Example: sitewatch sites show national-centre")
@click.argument("site_id", metavar="SITE")
@shared
def show(session: Session, site_id: str) -> None:
    """Tell all that is known of one site."""
    facts = registry.show_site(session.workspace, site_id)
    session.say(json.dumps(facts, indent=None if session.as_json else 2, ensure_ascii=False))


@sites.command(epilog="Example: sitewatch sites check")
@shared
def check(session: Session) -> None:
    """Check every site file; one sentence for each fault."""
    faults = registry.check_sites(session.workspace)
    if session.as_json:
        session.say(json.dumps(list(faults)))
    elif not faults:
        count = len(registry.list_sites(session.workspace))
        session.say(f"{count} {'site' if count == 1 else 'sites'}, no fault.")
    else:
        for fault in faults:
            click.echo(fault, err=True)
    registry.raise_for_faults(faults)


@sites.command(epilog="Example: sitewatch sites add my-site.geojson")
@click.argument("file", type=FILE, required=False)
@click.option("--id", "site_id", metavar="ID", help="Id of the new site: a-z, 0-9 and -.")
@click.option("--name", default="", help="What people call it.")
@click.option("--point", type=(float, float), metavar="LON LAT", help="Where it is, if there is no outline.")
@click.option("--class", "kind", type=click.Choice(LOCATION_CLASSES), help="How surely the place is known.")
@click.option("--source", default="", help="Who says so: a publication, a link, an observation.")
@click.option("--as-of", default="", metavar="DATE", help="When that was true.  [default: today]")
@click.option("--sensitive", is_flag=True, help="Leave the place out of logs and public reports.")
@shared
def add(session: Session, file: Path | None, site_id: str | None, **words: Any) -> None:
    """Add a site: from a site FILE, from an outline FILE with --id, --class and --source, or from a --point."""
    if file is not None and site_id is None:
        path = registry.add_file(session.workspace, file)
    else:
        path = registry.add_site(session.workspace, _new_site(file, site_id, words), now=session.now)
    session.say(json.dumps(str(path)) if session.as_json else f"{path} was written.")


@sites.command(epilog="Example: sitewatch sites pin national-centre --candidate 1")
@click.argument("site_id", metavar="SITE")
@click.option("--candidate", "number", type=click.IntRange(min=1), required=True, help="Rank in the latest run's list.")
@shared
def pin(session: Session, site_id: str, number: int) -> None:
    """Draft outline, perimeter and buildings of a SITE from a candidate of its search, to be corrected in QGIS."""
    from pipelines.pin import pin as draft

    path = draft(session.workspace, site_id, number, now=session.now)
    told = f"{path} was drafted; correct it in QGIS before you scan."
    session.say(json.dumps(str(path)) if session.as_json else told)


@sites.command(epilog="Example: sitewatch sites smart national-centre --region KH_Rxxx --out site.geojson")
@click.argument("site_id", metavar="SITE")
@click.option("--out", type=FILE, required=True, help="GeoJSON file to write.")
@click.option("--region", metavar="ID", help="Region of the SMART programme, for its own strict ids and words.")
@click.option("--number", type=int, default=1, show_default=True, help="Number of the site in its region.")
@shared
def smart(session: Session, site_id: str, out: Path, region: str | None, number: int) -> None:
    """Write the latest run of a SITE as a SMART site model; with --region in the programme's strict vocabulary."""
    from pipelines.pin import latest_findings
    from pipelines.publish.smart import site_model

    registry.find_site(session.workspace, site_id)
    findings = latest_findings(session.workspace / "outputs" / "runs" / site_id, site_id)
    model = site_model(findings, strict=region is not None, region=region, number=number)
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
    session.say(json.dumps(str(out)) if session.as_json else f"{out} was written.")


@sites.command(epilog="Example: sitewatch sites plan national-centre --image plan.png --points plan.png.points")
@click.argument("site_id", metavar="SITE")
@click.option("--image", type=FILE, required=True, help="The scanned plan: PNG, JPEG or TIFF.")
@click.option("--gcp", "gcps", multiple=True, metavar="X,Y=LON,LAT", help="A control point; give three or more.")
@click.option("--points", type=FILE, help="The points file that QGIS's georeferencer saves.")
@shared
def plan(session: Session, site_id: str, image: Path, gcps: tuple[str, ...], points: Path | None) -> None:
    """Put a scanned construction plan of a SITE on the ground, and show it beside and over the latest image."""
    from pipelines.plan import parse_gcp, place_plan, read_points

    if bool(gcps) == (points is not None):
        raise UsageError("give control points, either with --gcp or with --points.")
    known = [parse_gcp(text) for text in gcps] if points is None else read_points(points)
    placed = place_plan(session.workspace, site_id, image, known, now=session.now)
    if session.as_json:
        session.say(json.dumps({"files": [str(path) for path in placed.files], "words": list(placed.words)}))
        return
    for line in (*placed.words, *map(str, placed.files)):
        session.say(line)


def _new_site(file: Path | None, site_id: str | None, words: dict[str, Any]) -> registry.NewSite:
    if site_id is None or words["kind"] is None or not words["source"]:
        raise UsageError("a new site needs --id, --class and --source (or a site file that states them).")
    if (file is None) == (words["point"] is None):
        raise UsageError("a new site needs either a file with its outline or a --point.")
    return registry.NewSite(
        id=site_id,
        kind=words["kind"],
        source=words["source"],
        name=words["name"],
        as_of=words["as_of"],
        outline=file,
        point=words["point"],
        sensitive=words["sensitive"],
    )


COMMANDS = (init, sites)
