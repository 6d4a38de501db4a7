"""From a scenario to a plan: the estate, the compound on it, all moved to their place on Earth."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from pyproj import Transformer

from geo.grid import Grid
from geo.providers.simulator import compound as compounds
from geo.providers.simulator import estate as estates
from geo.providers.simulator.plan import Compound, Placement, Plan, Scenario

DEFAULT_SIDE_M = 3000.0


@lru_cache(maxsize=4)
def build(scenario: Scenario) -> Plan:
    """Draw the whole place; the same scenario gives the same plan."""
    to_utm = Transformer.from_crs(4326, scenario.epsg, always_xy=True)
    x, y = (round(v / 20.0) * 20.0 for v in to_utm.transform(scenario.lon, scenario.lat))
    place = Placement(0.0, x, y)
    estate = estates.lay_out(scenario, keep_clear_m=compounds.reach_m(scenario))
    compound = _placed(compounds.build(scenario), place) if scenario.kind == "centre" else None
    ground = [p.placed(place) for p in estate.ground if not p.shape.is_empty]
    return Plan(
        scenario=scenario,
        origin=(x, y),
        axis_deg=estate.axis_deg,
        ground=(*ground, compound.access) if compound else tuple(ground),
        compound=compound,
        replanted={name: felling._replace(shape=place(felling.shape)) for name, felling in estate.replanted.items()},
        controls=tuple(place(c) for c in estate.controls),
        site=compound.outline if compound else place(estate.middle),
    )


def default_grid(scenario: Scenario, side_m: float = DEFAULT_SIDE_M, resolution_m: float = 10.0) -> Grid:
    """Return the grid about the site that is used where a query names none."""
    x, y = build(scenario).origin
    half = side_m / 2
    return Grid.around((x - half, y - half, x + half, y + half), scenario.epsg, resolution_m)


def _placed(compound: Compound, place: Placement) -> Compound:
    return replace(
        compound,
        outline=place(compound.outline),
        wall=place(compound.wall),
        works=tuple(w.placed(place) for w in compound.works if not w.shape.is_empty),
        access=compound.access.placed(place),
    )
