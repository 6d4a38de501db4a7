"""The ground before and beside the site: an oil-palm estate with roads, hamlets, fields, ponds and a river.

Everything here covers the ground at all times; what changes (felling, harvests, a pond's edge, a roof's coat) changes
kind with the date. Shapes are drawn about the origin in metres and moved to the world's place at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from shapely import affinity
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from geo.providers.simulator import fields
from geo.providers.simulator.plan import Felling, Parcel, Scenario, polygons

FIRST_DAY, LAST_DAY = date(2015, 7, 1), date(2025, 12, 31)
ROAD_GAP_M = 9.0
REPLANT_SPAN = (date(2016, 3, 1), date(2022, 6, 1))


@dataclass
class Estate:
    """What `lay_out` hands on: parcels in order of painting, about the origin."""

    axis_deg: float
    ground: list[Parcel] = field(default_factory=list)
    replanted: dict[str, Felling] = field(default_factory=dict)
    controls: list[Polygon] = field(default_factory=list)
    middle: Polygon = field(default_factory=Polygon)


def lay_out(scenario: Scenario, keep_clear_m: float) -> Estate:
    """Draw the estate; nothing but palms and small roads comes within `keep_clear_m` of the origin."""
    draw = fields.rng(scenario.seed, "estate")
    axis = 7.0 if scenario.seed == 0 else float(draw.uniform(-14, 14))
    estate = Estate(axis)
    half = scenario.extent_m / 2
    estate.ground.append(_always("verge", "verge", box(-half - 80, -half - 80, half + 80, half + 80), "meadow"))
    blocks = _blocks(draw, scenario, axis)
    estate.middle = min(blocks, key=lambda b: b.distance(Point(0, 0)))
    river, hamlets, fields_at = _river(draw, half), _hamlet_places(draw, half, keep_clear_m), _field_place(draw, half)
    taken = unary_union([river.buffer(70), *(Point(p).buffer(190) for p in hamlets), Point(fields_at).buffer(260)])
    whole = [b for b in blocks if not b.intersects(taken)]
    _plant(draw, scenario, estate, blocks, whole, keep_clear_m)
    _roads(draw, estate, half, hamlets)
    _fields(draw, estate, fields_at)
    _waters(draw, estate, river, hamlets)
    for n, place in enumerate(hamlets):
        _hamlet(draw, estate, place, n)
    if scenario.kind != "control":
        _farmers(draw, estate, blocks, keep_clear_m)
    return estate


def _square(half: float) -> Polygon:
    return box(-half, -half, half, half)


def _always(name: str, group: str, shape: BaseGeometry, kind: str, vigour: float = 1.0) -> Parcel:
    return Parcel(name, group, shape, ((None, kind),), vigour=vigour)


def _cuts(draw: np.random.Generator, reach: float, choices: tuple[float, ...]) -> list[float]:
    """Positions of the estate's roads along one axis, from -reach to reach, the middle inside a block."""
    middle = float(draw.choice(choices))
    up = [float(draw.uniform(0.4, 0.6)) * middle]
    down = [up[0] - middle]
    while up[-1] < reach:
        up.append(up[-1] + float(draw.choice(choices)))
    while down[-1] > -reach:
        down.append(down[-1] - float(draw.choice(choices)))
    return down[::-1] + up


def _blocks(draw: np.random.Generator, scenario: Scenario, axis: float) -> list[Polygon]:
    """Rectangles of 5-28 ha between estate roads, turned by the estate's axis."""
    reach = scenario.extent_m * 0.75
    columns = _cuts(draw, reach, (240.0, 300.0, 400.0, 500.0))
    rows = _cuts(draw, reach, (220.0, 300.0, 400.0, 560.0))
    limit = _square(scenario.extent_m / 2)
    gap = ROAD_GAP_M / 2
    found = []
    for left, right in pairwise(columns):
        for low, high in pairwise(rows):
            block = affinity.rotate(box(left + gap, low + gap, right - gap, high - gap), axis, origin=(0, 0))
            if block.intersects(limit):
                found.append(block)
    return found


def _plant(
    draw: np.random.Generator,
    scenario: Scenario,
    estate: Estate,
    blocks: list[Polygon],
    whole: list[Polygon],
    clear_m: float,
) -> None:
    """Give each block its palms; fell and replant some; keep some as controls."""
    inside = _square(scenario.extent_m / 2 - 350)
    centre = Point(0, 0).buffer(clear_m)
    free = [b for b in whole if b.within(inside) and not b.intersects(centre) and b.area >= 5e4]
    order = [free[i] for i in draw.permutation(len(free))]
    wanted = 0 if scenario.kind == "control" else max(3, round(scenario.extent_m**2 / 9e6 * 3))
    felled = order[:wanted]
    # The corner that carries the SIMULATED stamp (south-west) holds no control.
    estate.controls = [b.buffer(-25) for b in order[wanted:] if not (b.centroid.x < 0 and b.centroid.y < 0)][:6]
    if scenario.kind == "replant":
        felled.append(estate.middle)
    for n, block in enumerate(blocks):
        vigour = float(draw.uniform(0.78, 1.12))
        if any(block is f for f in felled):
            start = REPLANT_SPAN[0] + timedelta(int(draw.integers((REPLANT_SPAN[1] - REPLANT_SPAN[0]).days)))
            if block is estate.middle and scenario.start:
                start = scenario.start
            _fell(draw, estate, f"replanted-{len(estate.replanted) + 1}", block, start)
        else:
            kept = block.intersects(centre) or any(c.within(block) for c in estate.controls)
            estate.ground.append(_stand(draw, f"block-{n + 1}", block, vigour, kept))


def _stand(draw: np.random.Generator, name: str, block: Polygon, vigour: float, kept: bool) -> Parcel:
    """Return a block of grown palms; some that nobody keeps as a control are younger, or were never cut."""
    chance = 1.0 if kept else draw.uniform()
    if chance < 0.05:
        return _always(name, "palm", block, "forest", vigour)
    if chance < 0.22:
        planted = date(2010, 6, 1) + timedelta(int(draw.integers(0, 1500)))
        return Parcel(name, "palm", block, ((None, "palm"), (planted, "replanted")), vigour=vigour)
    return _always(name, "palm", block, "palm", vigour)


def _fell(draw: np.random.Generator, estate: Estate, name: str, block: Polygon, start: date) -> None:
    """Fell a block strip by strip over some weeks; it is planted again at once."""
    strips = slices(block, int(draw.integers(3, 7)), estate.axis_deg)
    day, vigour = start, float(draw.uniform(0.9, 1.1))
    for n, strip in enumerate(strips):
        covers = ((None, "palm"), (day, "replanted"))
        estate.ground.append(Parcel(f"{name}-{n + 1}", "replanted", strip, covers, vigour=vigour))
        last, day = day, day + timedelta(int(draw.integers(4, 12)))
    estate.replanted[name] = Felling(block, start, last, last + timedelta(int(draw.integers(45, 90))))


def slices(shape: Polygon, count: int, axis_deg: float) -> list[Polygon]:
    """Cut a polygon into `count` strips across an axis, in order along it."""
    about = shape.centroid
    flat = affinity.rotate(shape, -axis_deg, origin=about)
    left, low, right, high = flat.bounds
    width = (right - left) / count
    parts = [flat.intersection(box(left + i * width, low - 1, left + (i + 1) * width, high + 1)) for i in range(count)]
    return [p for part in parts for p in polygons(affinity.rotate(part, axis_deg, origin=about))]


def _roads(draw: np.random.Generator, estate: Estate, half: float, hamlets: list[tuple[float, float]]) -> None:
    """Dirt tracks fill the gaps between blocks; one asphalt road crosses the world; hamlets hang on it."""
    gaps = box(-half - 60, -half - 60, half + 60, half + 60).difference(
        unary_union([p.shape.buffer(2.6) for p in estate.ground if p.group in ("palm", "replanted")])
    )
    estate.ground.append(_always("tracks", "road", gaps, "dirt"))
    y = hamlets[0][1] - 25
    xs = np.linspace(-half - 60, half + 60, 14)
    points = np.column_stack([xs, y + 60 * np.sin(xs / 900 + draw.uniform(0, 0.4, len(xs)))])
    road = LineString(points)
    estate.ground.append(_always("road-verge", "road", road.buffer(9), "meadow"))
    estate.ground.append(_always("road", "road", road.buffer(3.6), "asphalt"))
    for n, place in enumerate(hamlets[1:]):
        lane = LineString([Point(place), road.interpolate(road.project(Point(place)))])
        estate.ground.append(_always(f"lane-{n + 1}", "road", lane.buffer(2.6), "dirt"))


def _hamlet_places(draw: np.random.Generator, half: float, clear_m: float) -> list[tuple[float, float]]:
    side = 1.0 if draw.uniform() < 0.5 else -1.0
    reach = min(half - 500, 1150.0)
    first = (
        float(draw.uniform(-0.9, 0.9)) * reach,
        side * float(draw.uniform(clear_m + 330, max(reach, clear_m + 340))),
    )
    second = (
        -np.sign(first[0] or 1.0) * float(draw.uniform(0.75, 1.0)) * reach,
        -side * float(draw.uniform(0.35, 0.8)) * reach,
    )
    return [first, second]


def _field_place(draw: np.random.Generator, half: float) -> tuple[float, float]:
    angle = draw.uniform(0, 2 * np.pi)
    reach = min(half - 380, 1350.0)
    return float(reach * np.cos(angle)), float(reach * np.sin(angle))


def _river(draw: np.random.Generator, half: float) -> LineString:
    """A meandering stream that keeps to the eastern or western edge."""
    ys = np.linspace(-half - 60, half + 60, 60)
    side = 1.0 if draw.uniform() < 0.5 else -1.0
    a, b = draw.uniform(0, 6.3, 2)
    xs = side * (half * 0.72) + 120 * np.sin(ys / 420 + a) + 45 * np.sin(ys / 130 + b)
    return LineString(np.column_stack([xs, ys]))


def _waters(draw: np.random.Generator, estate: Estate, river: LineString, hamlets: list[tuple[float, float]]) -> None:
    """The river with its wood, and ponds whose edges dry out and fill with the year."""
    estate.ground.append(_always("riverside", "wood", river.buffer(52), "forest"))
    estate.ground.append(_always("river", "water", river.buffer(float(draw.uniform(9, 15))), "river"))
    for n, (x, y) in enumerate(hamlets):
        radius = float(draw.uniform(22, 48))
        place = Point(x + 60 + 2 * radius, y + 40 + radius)
        pond = affinity.rotate(affinity.scale(place.buffer(radius), 1.35, 0.8), float(draw.uniform(0, 180)))
        for ring in range(3):  # the outer rings are under water for a shorter part of the year
            covers: list[tuple[date | None, str | None]] = [(None, "mud")]
            for year in range(FIRST_DAY.year, LAST_DAY.year + 1):
                shift = int(draw.integers(-12, 13)) - 35 * ring
                covers += [
                    (date(year, 7, 20) - timedelta(shift), "water"),
                    (date(year, 12, 10) + timedelta(shift), "mud"),
                ]
            name = f"pond-{n + 1}-{3 - ring}"
            estate.ground.append(Parcel(name, "water", pond.buffer(-radius * 0.12 * (2 - ring)), tuple(covers[:None])))
        estate.ground.append(_always(f"pond-{n + 1}-0", "water", pond.buffer(-radius * 0.4), "water"))


def _fields(draw: np.random.Generator, estate: Estate, place: tuple[float, float]) -> None:
    """Smallholders' plots: sown with the rains, harvested in December, often burnt before the next rains."""
    turn = float(draw.uniform(0, 90))
    for n in range(16):
        row, col = divmod(n, 4)
        plot = box(-230 + col * 115, -180 + row * 90, -230 + col * 115 + 109, -180 + row * 90 + 85)
        plot = affinity.translate(affinity.rotate(plot, turn, origin=(0, 0)), *place)
        covers: list[tuple[date | None, str | None]] = [(None, "meadow")]
        for year in range(FIRST_DAY.year - 1, LAST_DAY.year + 1):
            covers.append((date(year, 6, 25) + timedelta(int(draw.integers(0, 45))), "field"))
        estate.ground.append(
            Parcel(f"field-{n + 1}", "field", plot, tuple(covers), vigour=float(draw.uniform(0.85, 1.15)))
        )


def _hamlet(draw: np.random.Generator, estate: Estate, place: tuple[float, float], number: int) -> None:
    """Houses in gardens; the first hamlet has a warehouse whose rusty roof is painted white one day."""
    angles = np.linspace(0, 2 * np.pi, 11)[:-1]
    radii = 150 * draw.uniform(0.62, 1.15, 10)
    corners = [
        (place[0] + 1.25 * r * np.cos(a), place[1] + 0.8 * r * np.sin(a)) for a, r in zip(angles, radii, strict=True)
    ]
    garden = Polygon(corners).buffer(18).buffer(-10)
    estate.ground.append(_always(f"gardens-{number + 1}", "garden", garden, "garden", float(draw.uniform(0.8, 1.1))))
    for n in range(int(draw.integers(14, 26))):
        x, y = draw.uniform(-125, 125), float(draw.choice([-75.0, -38.0, 0.0, 38.0, 75.0])) + draw.uniform(-5, 5)
        yard = affinity.rotate(box(-9, -8, 9, 8), float(draw.uniform(0, 20)))
        house = affinity.rotate(box(-4.5, -3.5, 4.5, 3.5), float(draw.uniform(0, 20)))
        kind = str(draw.choice(["roof_old", "roof_old", "roof_zinc", "roof_red", "roof_blue"]))
        at = (place[0] + float(x), place[1] + y)
        estate.ground.append(_always(f"yard-{number + 1}-{n + 1}", "yard", affinity.translate(yard, *at), "dirt"))
        shape = affinity.translate(house, *at)
        estate.ground.append(Parcel(f"house-{number + 1}-{n + 1}", "house", shape, ((None, kind),), height_m=3.5))
    if number == 0:
        shape = affinity.rotate(box(-26, -15, 26, 15), float(draw.uniform(-20, 20)))
        shape = affinity.translate(shape, place[0] + 20, place[1] + 112)
        painted = date(2018, 1, 10) + timedelta(int(draw.integers(0, 1200)))
        covers = ((None, "roof_old"), (painted, "roof_white"))
        estate.ground.append(_always("warehouse-yard", "yard", shape.buffer(12, join_style="mitre"), "dirt"))
        estate.ground.append(Parcel("warehouse", "recoated", shape, covers, height_m=7))


def _farmers(draw: np.random.Generator, estate: Estate, blocks: list[Polygon], clear_m: float) -> None:
    """Small clearings of half a hectare to two that are sown and grow over within the year."""
    apart = [b for b in blocks if not b.intersects(Point(0, 0).buffer(clear_m)) and b.area > 5e4]
    used = [*estate.controls, *(felling.shape for felling in estate.replanted.values())]
    apart = [b for b in apart if not any(b.intersects(u) for u in used)]
    for n in range(min(3, len(apart))):
        block = apart[int(draw.integers(len(apart)))]
        left, low, right, high = block.buffer(-60).bounds
        radius = float(draw.uniform(38, 75))
        angles = np.sort(draw.uniform(0, 2 * np.pi, 9))
        at = (float(draw.uniform(left, right)), float(draw.uniform(low, high)))
        ring = [
            (at[0] + radius * d * np.cos(a), at[1] + radius * d * np.sin(a))
            for a, d in zip(angles, draw.uniform(0.75, 1.2, 9), strict=True)
        ]
        shape = Polygon(ring).buffer(0).intersection(block)
        cut = date(2016, 11, 1) + timedelta(int(draw.integers(0, 1900)))
        estate.ground.append(Parcel(f"farm-{n + 1}", "farm", shape, ((None, "palm"), (cut, "shrub"))))
