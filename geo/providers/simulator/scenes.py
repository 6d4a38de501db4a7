"""Passes as scenes: their names, what a catalogue says about them, and the pixels they deliver."""

from __future__ import annotations

from pathlib import Path

from geo.grid import Grid
from geo.providers.simulator import halfmetre, optics, radar, weather, world
from geo.providers.simulator.orbits import BASELINE_0400, HALF_METRE, OPTICAL, RADAR, Pass, sun
from geo.providers.simulator.plan import Scenario
from geo.providers.simulator.spectra import BANDS
from geo.providers.simulator.write import Delivery, write
from geo.scene import Scene

PIXEL_M = {OPTICAL: optics.PIXEL_M, RADAR: radar.PIXEL_M, HALF_METRE: halfmetre.PIXEL_M}
_SHORT = {OPTICAL: "S2", RADAR: "S1", HALF_METRE: "VHR"}
LICENCE = "SIMULATED, no satellite data"


def scene_id(scenario: Scenario, scene: Pass) -> str:
    """Name a pass; the seed and kind are part of it, so that no two worlds share a name."""
    stamp = scene.time.strftime("%Y%m%dT%H%M%SZ")
    return f"SIMULATED_{_SHORT[scene.sensor]}_{stamp}_R{scene.orbit:03d}_{scenario.kind}-{scenario.seed}"


def as_scene(scenario: Scenario, scene: Pass) -> Scene:
    """Return what a catalogue would say about a pass: nothing that only truth can know."""
    elevation, azimuth = sun(scene.time, scenario.lon, scenario.lat)
    name = scene_id(scenario, scene)
    properties: dict[str, object] = {
        "platform": "simulated",
        "relative_orbit": scene.orbit,
        "gsd": PIXEL_M[scene.sensor],
        "seed": scenario.seed,
        "licence": LICENCE,
    }
    if scene.sensor == RADAR:
        properties |= {"orbit_state": "ascending" if scene.orbit == 26 else "descending"}
    else:
        properties |= {
            "sun_elevation": round(elevation, 2),
            "sun_azimuth": round(azimuth, 2),
            "view_off_nadir": round(scene.view_zenith_deg, 1),
            "view_azimuth": round(scene.view_azimuth_deg, 1),
        }
    if scene.sensor == OPTICAL:
        # A catalogue knows the cloud of the whole tile, not that over the site.
        properties |= {"cloud_cover": round(100 * weather.sky(scenario, scene).cover, 1), "baseline": _baseline(scene)}
    return Scene(
        id=name,
        time=scene.time,
        sensor=scene.sensor,
        href=f"simulator:{name}",
        simulated=True,
        properties=properties,
    )


def deliver(scenario: Scenario, scene: Pass, grid: Grid, path: Path) -> None:
    """Render a pass on a grid of its own pixels and write it."""
    plan = world.build(scenario)
    offset = 0.0
    if scene.sensor == OPTICAL:
        look = optics.render(plan, scene, grid)
        offset = -0.1 if scene.time.date() >= BASELINE_0400 else 0.0
        delivery = Delivery(look.reflectance, BANDS, look.classes, offset)
    elif scene.sensor == RADAR:
        delivery = Delivery(radar.render(plan, scene, grid), radar.BANDS, reflectance=False)
    else:
        delivery = Delivery(halfmetre.render(plan, scene, grid), halfmetre.BANDS)
    write(path, delivery, grid, _tags(scenario, scene, offset))


def _baseline(scene: Pass) -> str:
    return "04.00" if scene.time.date() >= BASELINE_0400 else "02.14"


def _tags(scenario: Scenario, scene: Pass, offset: float) -> dict[str, str]:
    tags = {
        "TIFFTAG_DATETIME": scene.time.strftime("%Y:%m:%d %H:%M:%S"),
        "TIFFTAG_COPYRIGHT": LICENCE,
        "ACQUISITION_TIME": scene.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCENE_ID": scene_id(scenario, scene),
        "SENSOR": scene.sensor,
        "RELATIVE_ORBIT": str(scene.orbit),
    }
    if scene.sensor == OPTICAL:
        tags |= {
            "PROCESSING_BASELINE": _baseline(scene),
            "BOA_QUANTIFICATION_VALUE": "10000",
            "BOA_ADD_OFFSET": str(round(offset * 1e4)),
        }
    if scene.sensor == RADAR:
        tags |= {"UNIT": "linear power, gamma nought"}
    return tags
