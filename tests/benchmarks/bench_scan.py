"""What unattended scans cost: `python -m tests.benchmarks.bench_scan [--sites 1000] [--watched 100]`.

Two rows, each a whole process with its wall seconds and peak memory:
- an idle `scan --due` of many sites, each with five years in a synthetic catalogue on loopback, nothing new in it
  (what a look at every site leaves in the ledger is written by the program's own functions beforehand);
- `scan --all --workers 2` of sites with a year of small made-up scenes each, from nothing to reports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from geo.files.environment import harden
from geo.files.vectors import read_sites
from geo.scene import Query
from geo.zones import site_grid
from pipelines.acquire import Source, provider_for
from pipelines.desk import Asked, Desk
from pipelines.due import look_of
from pipelines.ledger import Ledger
from pipelines.registry import init
from pipelines.settings import load_settings

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from seriesworld import FIRST, Story, write_images, write_site
from services.stac import Store, serving

BEGIN, END = datetime(2017, 1, 3, 3, 30, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC)
EVERY = timedelta(days=5)


class Sky(Store):
    """A catalogue that has one Sentinel-2 item every five days for whatever place is asked for."""

    def search(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The items of a place and a span of time, made up as they are asked for."""
        first, _, last = body.get("datetime", "../..").partition("/")
        west, south, east, north = body["bbox"]
        box = [west - 0.3, south - 0.3, east + 0.3, north + 0.3]
        ring = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]], [box[0], box[1]]]
        found, when = [], BEGIN
        while when < END:
            text = f"{when:%Y-%m-%dT%H:%M:%SZ}"
            if (first == ".." or text >= first) and (last == ".." or text <= last):
                found.append(_item(f"S2A_{round(west, 2)}_{round(south, 2)}_{when:%Y%m%d}", text, box, ring, self.url))
            when += EVERY
        return found


def _item(name: str, time: str, box: list[float], ring: list[list[float]], url: str) -> dict[str, Any]:
    bands = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22", "scl")
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a", "links": [],
        "stac_extensions": [], "bbox": box, "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": time, "platform": "sentinel-2a", "constellation": "sentinel-2", "proj:epsg": 32648,
            "eo:cloud_cover": 40.0, "updated": time, "s2:processing_baseline": "02.07",
        },
        "assets": {
            band: {"href": f"{url}/files/{name}/{band}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"],
                   "eo:bands": [{"name": band, "common_name": band}]}
            for band in bands
        },
    }  # fmt: skip


@contextmanager
def workspace(folder: Path, count: int) -> Iterator[Path]:
    """A workspace with copies of the site `wood`, each a little further east."""
    place = folder / "w"
    init(place)
    write_site(place)
    template = json.loads((place / "aois/wood.geojson").read_text())
    (place / "aois/wood.geojson").unlink()
    for number in range(count):
        document = json.loads(json.dumps(template))
        document["features"][0]["properties"]["id"] = f"site-{number:04d}"
        (place / "aois" / f"site-{number:04d}.geojson").write_text(json.dumps(document))
    yield place


def prime(place: Path, url: str) -> None:
    """Leave what a complete look at every site leaves: the look, the ending, and the pointer to a run."""
    source = Source(provider="stac", source=url)
    asked = Asked(sites=(), source=source, due=True, most_scenes=200)
    settings = load_settings(place)
    outputs = place / "outputs"
    with Ledger(outputs / "sitewatch.db") as ledger, ThreadPoolExecutor(1) as pool:
        for site in read_sites(place / "aois").sites.values():
            desk = Desk(outputs, site, asked, settings, END, pool, ledger, lambda _text: None)
            provider = provider_for(source, site, END, settings.providers, outputs / "archive")
            query = Query(grid=site_grid(site), start=END - timedelta(days=70))
            ledger.note_look(site.id, look_of(desk, provider, query, provider.search(query)))
            ledger.finish(f"run-{site.id}", site.id, "no-change", "", now=END)
            (outputs / "runs" / site.id).mkdir(parents=True)
            (outputs / "runs" / site.id / "latest").write_text("run\n")


def timed(words: list[str]) -> tuple[float, float, str]:
    """Wall seconds, peak MiB of the process, and what it said."""
    program = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, done.returncode, done.stdout + done.stderr)"
    )
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, sys.executable, "-m", "pipelines", *words], cwd=ROOT, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    peak, code, said = done.stdout.split(" ", 2)
    return seconds, float(peak), f"exit {code}, {len(said.strip().splitlines())} lines"


def idle(count: int) -> None:
    """Nothing new at any of `count` sites."""
    with tempfile.TemporaryDirectory() as folder, workspace(Path(folder), count) as place:
        with serving(Path(folder), Sky) as sky:
            url = f"{sky.url}/stac"
            prime(place, url)
            before = _state(place)
            asked = sum(sky.asked.values())
            later = (END + timedelta(days=30)).isoformat()
            words = ["-w", str(place), "--now", later, "scan", "--due", "--provider", "stac", "--source", url]
            seconds, peak, said = timed(words)
            asked = sum(sky.asked.values()) - asked
        same = "nothing written" if _state(place) == before else "SOMETHING WAS WRITTEN"
        print(f"idle, {count} sites: {seconds:.1f} s, {peak:.0f} MiB, {asked} requests, {said}, {same}")


def _state(place: Path) -> dict[str, tuple[int, int]]:
    """Every file but the lock's: size and time of change."""
    return {
        str(p): (p.stat().st_size, p.stat().st_mtime_ns)
        for p in place.rglob("*") if p.is_file() and "locks" not in p.parts
    }  # fmt: skip


def watched(count: int) -> None:
    """From nothing to reports, a year of scenes for each of `count` sites."""
    with tempfile.TemporaryDirectory() as folder, workspace(Path(folder), count) as place:
        images = write_images(Path(folder) / "images", Story(clearing=12, building=18, dates=30))
        now = (datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=400)).isoformat()
        words = ["-w", str(place), "--now", now, "scan", "--all", "--workers", "2", "--source", str(images)]
        seconds, peak, said = timed(words)
        print(f"{count} sites, 30 scenes each: {seconds:.1f} s, {peak:.0f} MiB in the largest process, {said}")


if __name__ == "__main__":
    import os

    harden(os.environ)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--watched", type=int, default=100)
    given = parser.parse_args()
    if given.sites:
        idle(given.sites)
    if given.watched:
        watched(given.watched)
