"""The command `score`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from geo.errors import UsageError
from pipelines.cli import Session, shared

PATH = click.Path(path_type=Path, exists=True)


@click.command(epilog="Example: sitewatch score --mask change_mask.tif --truth truth.geojson")
@click.option("--mask", type=PATH, help="A change mask: 0 unchanged, 1 change, 255 not observed.")
@click.option("--run", type=PATH, help="Folder of a run, for its events.")
@click.option("--sites", type=PATH, help="A SMART site model, or a folder of them.")
@click.option(
    "--truth", type=PATH, required=True,
    help="Mask: a raster on the same pixels, or polygons. Run: polygons, or the truth of a simulated site. Sites:"
    " site models, or a folder of them.",
)  # fmt: skip
@shared
def score(session: Session, mask: Path | None, run: Path | None, sites: Path | None, truth: Path) -> None:
    """Score a result against a truth: by pixels, by objects, or as SMART site models."""
    from pipelines.score import score_mask, score_run, score_sites

    if mask is not None and run is None and sites is None:
        result = score_mask(mask, truth)
    elif run is not None and mask is None and sites is None:
        result = score_run(run, truth)
    elif sites is not None and mask is None and run is None:
        result = score_sites(sites, truth)
    else:
        raise UsageError("name one of --mask, --run and --sites.")
    if session.as_json:
        session.say(json.dumps(result.to_json()))
        return
    for line in result.lines():
        session.say(line)


COMMANDS = (score,)
