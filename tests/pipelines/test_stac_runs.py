"""A whole scan over a STAC service finds what the same imagery gives when it comes straight from the simulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from runs import sitewatch
from services.stac import Store, serving
from shapely.geometry import shape
from stacworld import publish

from geo.files.headers import grid_of
from geo.grid import Grid
from geo.providers.simulator import OPTICAL, RADAR, Scenario, Simulator, site_collection
from geo.scene import Query
from geo.sites import parse_site
from geo.zones import site_grid
from pipelines.assess.findings import Findings

SPAN = ("2017-03-20", "2017-04-20")
SEED = 3


def publish_simulated(
    store: Store, simulator: Simulator, grid: Grid, span: tuple[datetime, datetime], folder: Path
) -> int:
    """Every pass in the span, one COG a band as catalogues have them."""
    query = Query(grid=grid, start=span[0], end=span[1])
    scenes = simulator.search(query)
    for scene in scenes:
        path, _ = simulator.fetch(scene, query, folder)
        with rasterio.open(path) as image:
            tile, offset = grid_of(image)[0], image.offsets[0]
            bands = {name: (image.read(i), tile) for i, name in enumerate(image.descriptions, start=1)}
        optical = scene.sensor == OPTICAL
        if not optical:
            bands = {
                name: (np.where(np.isnan(data), np.float32(-32768), data), tile) for name, (data, _) in bands.items()
            }
        assert scene.time is not None
        publish(
            store, scene.id.replace(".", "_"), scene.time, bands, collection=scene.sensor, offset=offset or None,
            properties={
                "platform": "sentinel-2a" if optical else "sentinel-1a", "constellation": "sentinel-2" if optical else "sentinel-1",
                "sat:relative_orbit": scene.properties["relative_orbit"],
                "sat:orbit_state": scene.properties.get("orbit_state", "descending"),
                "s2:processing_baseline": scene.properties.get("baseline"),
            },
            block=256,
        )  # fmt: skip
        path.unlink()
    return len(scenes)


@pytest.mark.slow
def test_the_same_findings_as_from_the_simulator(tmp_path: Path) -> None:
    scenario = Scenario(seed=SEED)
    collection = site_collection(scenario)
    site = parse_site(collection, file="simulated")
    for workspace in (tmp_path / "remote", tmp_path / "local"):  # an earlier run's events would count
        sitewatch("init", workspace)
        (workspace / "aois" / f"{site.id}.geojson").write_text(json.dumps(collection))
        (workspace / "sitewatch.toml").write_text(f'[providers.stac]\ncollections = "{OPTICAL}, {RADAR}"\n')
    span = (datetime.fromisoformat(SPAN[0]).replace(tzinfo=UTC), datetime.fromisoformat(SPAN[1]).replace(tzinfo=UTC))
    with serving(tmp_path / "store") as store:
        count = publish_simulated(store, Simulator(scenario, sensors=(OPTICAL, RADAR)), site_grid(site), span, tmp_path)
        words = ("scan", site.id, "--from", SPAN[0], "--to", SPAN[1], "--json")
        ended = sitewatch(*words, "-w", tmp_path / "remote", "--provider", "stac", "--source", f"{store.url}/stac")
        assert ended.code == 0, ended.err
        remote = _findings(ended.out)
    ended = sitewatch(*words, "-w", tmp_path / "local", "--provider", "simulator", "--seed", SEED)
    assert ended.code == 0, ended.err
    local = _findings(ended.out)
    assert len(remote.scenes) == len(local.scenes) == count
    assert [(s.time, s.state) for s in remote.scenes] == [(s.time, s.state) for s in local.scenes]
    assert len(remote.events) == len(local.events)
    assert local.events, "the span shows nothing"
    for one, other in zip(_sorted(remote), _sorted(local), strict=True):
        assert (one.kind, one.zone, one.not_before, one.not_after) == (
            other.kind,
            other.zone,
            other.not_before,
            other.not_after,
        )
        a, b = shape(one.geometry), shape(other.geometry)
        assert a.intersection(b).area / a.union(b).area > 0.999
        assert (one.area_m2, one.p, one.confidence) == (other.area_m2, other.p, other.confidence)


def _findings(out: str) -> Findings:
    (site,) = json.loads(out)["sites"]
    assert site["folder"], site["summary"]
    return Findings.model_validate_json((Path(site["folder"]) / "findings.json").read_text())


def _sorted(found: Findings) -> list:  # type: ignore[type-arg]
    return sorted(found.events, key=lambda e: (str(e.not_after), e.zone, -(e.area_m2 or 0)))
