"""From a scenario to a plan: the estate, the compound on it, all moved to their place on Earth."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pyproj import Transformer
from shapely import affinity
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from geo.grid import Grid
from geo.providers.simulator import compound as compounds
from geo.providers.simulator import estate as estates
from geo.providers.simulator.plan import Compound, Parcel, Plan, Scenario

DEFAULT_SIDE_M = 3000.0
Move = Callable[[BaseGeometry], BaseGeometry]


@lru_cache(maxsize=4)
def build(scenario: Scenario) -> Plan:
    """Draw the whole place; the same scenario gives the same plan."""
    to_utm = Transformer.from_crs(4326, scenario.epsg, always_xy=True)
    x, y = (round(v / 20.0) * 20.0 for v in to_utm.transform(scenario.lon, scenario.lat))
    reach = compounds.reach_m(scenario)
    estate = estates.lay_out(scenario, keep_clear_m=reach)
    compound = compounds.build(scenario) if scenario.kind == "centre" else None
    site = compound.outline if compound else estate.middle
    ground = [*estate.ground, compound.access] if compound else estate.ground

    def place(shape: BaseGeometry) -> BaseGeometry:
        return affinity.translate(shape, x, y)

    return Plan(
        scenario=scenario,
        origin=(x, y),
        axis_deg=estate.axis_deg,
        ground=tuple(_placed(p, place) for p in ground if not p.shape.is_empty),
        compound=None if compound is None else _place_compound(compound, place),
        replanted={name: (_polygon(place(s)), *days) for name, (s, *days) in estate.replanted.items()},
        controls=tuple(_polygon(place(c)) for c in estate.controls),
        site=_polygon(place(site)),
    )


def default_grid(scenario: Scenario, side_m: float = DEFAULT_SIDE_M, resolution_m: float = 10.0) -> Grid:
    """Return the grid about the site that is used where a query names none."""
    x, y = build(scenario).origin
    half = side_m / 2
    return Grid.around((x - half, y - half, x + half, y + half), scenario.epsg, resolution_m)


def _placed(parcel: Parcel, place: Move) -> Parcel:
    facts = {k: place(v) if isinstance(v, BaseGeometry) else v for k, v in parcel.facts.items()}
    return Parcel(parcel.name, parcel.group, place(parcel.shape), parcel.covers, parcel.height_m, parcel.vigour, facts)


def _place_compound(compound: Compound, place: Move) -> Compound:
    works = tuple(_placed(w, place) for w in compound.works if not w.shape.is_empty)
    access = _placed(compound.access, place)
    return Compound(_polygon(place(compound.outline)), _line(place(compound.wall)), works, access, compound.dates)


def _polygon(shape: BaseGeometry) -> Polygon:
    if not isinstance(shape, Polygon):
        raise TypeError(f"a polygon was drawn as {shape.geom_type}")
    return shape


def _line(shape: BaseGeometry) -> LineString:
    if not isinstance(shape, LineString):
        raise TypeError(f"a line was drawn as {shape.geom_type}")
    return shape
