"""Bytes over the network for one site-date: `python -m tests.benchmarks.bench_stac [--odc PYTHON]`.

One acquisition on full-size tiles (10980 px at 10 m, 5490 px at 20 m, blocks of 1024 px as Earth Search has them), a
site of 2 x 2 km at twenty places of the tile. Peer: odc-stac for the same bands, grid and files, in a Python that has
it. The pixels are noise on a texture, which compresses about as badly as the real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from services.stac import Store, serving
from stacworld import TYPE, UTM, tile_grid, write_cog

from geo.grid import Grid
from geo.providers.stac import Stac, endpoint_for
from geo.scene import Query

FINE, COARSE = ("blue", "green", "red", "nir"), ("nir08", "swir16", "swir22", "scl")
LEFT, TOP, SITE_PX, PLACES = 300_000, 1_200_000, 200, 20
PEER = """
import json, sys, time
import odc.stac, pystac
said = json.load(sys.stdin)
items = [pystac.Item.from_dict(said["item"])]
odc.stac.configure_rio(cloud_defaults=True)
start = time.perf_counter()
cube = odc.stac.load(items, bands=said["bands"], crs="EPSG:32648", resolution=10, x=said["x"], y=said["y"], resampling="nearest")
print(json.dumps({"shape": [int(n) for n in cube["blue"].shape], "sum": float(cube["blue"].sum()), "s": time.perf_counter() - start}))
"""


def build(store: Store) -> tuple[dict[str, Any], int]:
    """One full-size item; bands of one resolution share a file's bytes by hard links."""
    rng, assets, whole = np.random.default_rng(1), {}, 0
    for names, size, pixel in ((FINE, 10_980, 10), (COARSE, 5490, 20)):
        base = np.kron(rng.integers(300, 3000, (size // 90, size // 90)), np.ones((90, 90)))
        data = np.maximum(base + rng.normal(0, 60, (size, size)), 1).astype(np.uint16)
        grid = tile_grid(size, left=LEFT, top=TOP, pixel=pixel)
        first = write_cog(store.root / "full" / f"{names[0]}.tif", data, grid, block=1024)
        for name in names:
            path = store.root / "full" / f"{name}.tif"
            if path != first:
                os.link(first, path)
            whole += first.stat().st_size
            assets[name] = {
                "href": f"{store.url}/files/full/{name}.tif", "type": TYPE, "roles": ["data"],
                "proj:shape": [size, size], "proj:transform": [pixel, 0, LEFT, 0, -pixel, TOP],
                "eo:bands": [{"name": name, "common_name": name}],
                "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": 0}],
            }  # fmt: skip
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "full", "collection": "sentinel-2-l2a", "links": [],
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
        ],
        "bbox": [103.1, 9.8, 104.3, 10.9],
        "geometry": {"type": "Polygon", "coordinates": [[[103.1, 9.8], [104.3, 9.8], [104.3, 10.9], [103.1, 10.9], [103.1, 9.8]]]},
        "properties": {
            "datetime": "2019-01-05T03:21:30Z", "platform": "sentinel-2a", "constellation": "sentinel-2", "proj:epsg": 32648,
            "s2:processing_baseline": "02.07",
        },
        "assets": assets,
    }  # fmt: skip
    store.items.append(item)
    return item, whole


def ours(store: Store, grid: Grid, folder: Path) -> None:
    """Fetch the site."""
    source = Stac(endpoint_for(f"{store.url}/stac", {}), clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    (scene,) = source.search(Query(grid=grid))
    source.fetch(scene, Query(grid=grid), folder)


def peer(python: str, item: dict[str, Any], grid: Grid) -> dict[str, Any]:
    """The same by odc-stac."""
    left, bottom, right, top = grid.bounds
    said = {"item": item, "bands": list(item["assets"]), "x": [left, right], "y": [bottom, top]}
    # The peer reads through GDAL; loopback must not go through a proxy.
    done = subprocess.run([python, "-c", PEER], input=json.dumps(said), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print bytes and requests a site-date, ours and the peer's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--odc", metavar="PYTHON", help="a Python that has odc-stac")
    python = parser.parse_args().odc
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as name, serving(Path(name) / "store") as store:
        item, whole = build(store)
        rows: dict[str, list[tuple[int, int]]] = {"sitewatch": [], "odc-stac": []}
        for _ in range(PLACES):
            left, top = LEFT + 10 * int(rng.integers(300, 10_400)), TOP - 10 * int(rng.integers(300, 10_400))
            grid = Grid(UTM, tile_grid(1, left=left, top=top).transform, (SITE_PX, SITE_PX))
            for who in rows if python else ("sitewatch",):
                store.sent.clear()
                store.asked.clear()
                ours(store, grid, Path(name)) if who == "sitewatch" else peer(str(python), item, grid)
                rows[who].append(
                    (sum(store.sent.values()), sum(n for p, n in store.asked.items() if p.startswith("/files")))
                )
        print(f"full assets: {whole / 2**20:,.0f} MiB")
        for who, told in rows.items():
            if told:
                sent, asked = zip(*told, strict=True)
                shares = sorted(100 * s / whole for s in sent)
                print(
                    f"{who}: median {statistics.median(sent) / 2**20:.1f} MiB = {statistics.median(shares):.2f} % "
                    f"(worst {shares[-1]:.2f} %), {statistics.median(asked):.0f} requests"
                )


if __name__ == "__main__":
    main()
