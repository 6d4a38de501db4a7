"""The nouns of a simulated place: what is asked for (Scenario), what lies where and since when (Parcel, Plan)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from geo.errors import ConfigurationError
from geo.grid import utm_epsg

G = TypeVar("G", bound=BaseGeometry)
Kind = Literal["centre", "control", "replant"]
LONG_AGO_DAYS = 20_000  # age of what was there before anybody looked


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Which place to make up.

    Seed 0 is the canonical centre: 20.0 ha, ground broken on 2017-08-10, inaugurated on 2022-03-22. Other seeds draw
    size (16-24 ha), outline, rotation, layout and dates of their own.

    Attributes:
        seed: everything random follows from it.
        kind: `centre` is a walled compound being built; `control` a plantation where nothing is ever built or felled;
            `replant` a plantation where blocks, one of them in the middle, are felled and planted again.
        site_id: name of the site, for its GeoJSON.
        lon, lat: middle of the world, degrees.
        extent_m: side of the square world; nothing is known beyond it.
        start: first day of clearing at the site (drawn where None).
        area_ha: area inside the wall (drawn where None).
        wall_height_m: 0 makes a wall without a shadow.
        outer_strip_m: width cleared outside the wall.
    """

    seed: int = 0
    kind: Kind = "centre"
    site_id: str = "simulated-centre"
    lon: float = 103.73
    lat: float = 10.82
    extent_m: float = 4000.0
    start: date | None = None
    area_ha: float | None = None
    wall_height_m: float = 3.0
    outer_strip_m: float = 6.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if not 0 <= self.seed < 2**63:
            raise ConfigurationError(f"the simulator's seed must be a whole number from 0, not {self.seed}.")
        if self.kind not in ("centre", "control", "replant"):
            raise ConfigurationError(f"the simulator knows centre, control and replant, not {self.kind!r}.")
        if not 2400 <= self.extent_m <= 12_000:
            raise ConfigurationError(f"the simulator's extent_m must be 2400 to 12000 metres, not {self.extent_m}.")
        if self.area_ha is not None and not 4 <= self.area_ha <= 40:
            raise ConfigurationError(f"the simulator's area_ha must be 4 to 40 hectares, not {self.area_ha}.")
        if not (-180 <= self.lon <= 180 and -60 <= self.lat <= 60):
            raise ConfigurationError(f"the simulator needs lon -180..180 and lat -60..60, not {self.lon}, {self.lat}.")

    @property
    def epsg(self) -> int:
        """UTM zone of the world."""
        return utm_epsg(self.lon, self.lat)


@dataclass(frozen=True, eq=False)
class Parcel:
    """One piece of ground or one thing that stands on it, with its history.

    Attributes:
        name: unique in the plan.
        group: what it belongs to (`palm`, `road`, `house`, `building`, `wall`, `clearing`, ...).
        shape: polygon or multipolygon in the world's UTM zone.
        covers: rising (first day, kind); the first day None means always; kind None means not there (yet).
        height_m: height above ground once it stands.
        vigour: about 1; makes vegetation of one parcel differ from that of the next.
        facts: what truth tells about it beside the geometry, plain JSON values.
    """

    name: str
    group: str
    shape: BaseGeometry
    covers: tuple[tuple[date | None, str | None], ...]
    height_m: float = 0.0
    vigour: float = 1.0
    facts: Mapping[str, object] = field(default_factory=dict)

    def at(self, day: date) -> tuple[str | None, int]:
        """Return (kind, days since it became so) on a day."""
        kind, age = None, LONG_AGO_DAYS
        for since, cover in self.covers:
            if since is not None and since > day:
                break
            kind, age = cover, LONG_AGO_DAYS if since is None else (day - since).days
        return kind, age

    def since(self, kind: str) -> date | None:
        """Return the first day of `kind`, or None."""
        return next((day for day, cover in self.covers if cover == kind), None)

    def placed(self, place: Placement) -> Parcel:
        """Return the parcel elsewhere, the geometries among its facts included."""
        facts = {k: place(v) if isinstance(v, BaseGeometry) else v for k, v in self.facts.items()}
        return replace(self, shape=place(self.shape), facts=facts)


@dataclass(frozen=True)
class Placement:
    """A turn about the origin (degrees, counter-clockwise), then a move (metres)."""

    turn_deg: float
    dx: float
    dy: float

    def __call__(self, shape: G) -> G:
        """Return the shape turned and moved."""
        return affinity.translate(affinity.rotate(shape, self.turn_deg, origin=(0, 0)), self.dx, self.dy)


class Felling(NamedTuple):
    """A block of palms felled from `first` to `last` and planted again by `planted`."""

    shape: Polygon
    first: date
    last: date
    planted: date


@dataclass(frozen=True, eq=False)
class Compound:
    """The walled centre: outline and wall line, works in order of painting, the drive to it, dates by phase."""

    outline: Polygon
    wall: LineString
    works: tuple[Parcel, ...]
    access: Parcel
    dates: Mapping[str, date]


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole place through all years.

    Attributes:
        scenario: what was asked for.
        origin: easting and northing of the world's middle, metres.
        axis_deg: direction of the plantation's rows, counter-clockwise from east.
        ground: parcels that cover everything at any time, in order of painting.
        compound: what is built, or None.
        replanted: what was felled and planted again, by name.
        controls: ground of the same kind that never changes.
        site: outline of the area of interest.
    """

    scenario: Scenario
    origin: tuple[float, float]
    axis_deg: float
    ground: tuple[Parcel, ...]
    compound: Compound | None
    replanted: Mapping[str, Felling]
    controls: tuple[Polygon, ...]
    site: Polygon

    @property
    def works(self) -> tuple[Parcel, ...]:
        """Things that come into being, in order of painting."""
        return self.compound.works if self.compound else ()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the world in its UTM zone."""
        x, y = self.origin
        half = self.scenario.extent_m / 2
        return x - half, y - half, x + half, y + half


def polygons(shape: BaseGeometry) -> list[Polygon]:
    """Return the polygons that a shape is made of; lines and points are left out."""
    parts = shape.geoms if hasattr(shape, "geoms") else [shape]
    return [p for p in parts if isinstance(p, Polygon) and not p.is_empty]


def outer_ring(shape: BaseGeometry) -> NDArray[np.float64]:
    """Return the outer ring of the largest polygon, (points, 2), closed and counter-clockwise."""
    largest = max(polygons(shape), key=lambda p: p.area)
    return np.array(orient(largest).exterior.coords)[:, :2]
