"""The walled centre: its outline, wall, roads and buildings, and the day on which each of them came.

Drawn in a frame of its own (u along the front, v into the depth, the gate in the middle of the front at negative v),
then turned and moved into place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from shapely import affinity
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring, unary_union

from geo.providers.simulator import fields
from geo.providers.simulator.estate import slices
from geo.providers.simulator.plan import Compound, Parcel, Placement, Scenario

GROUND_BROKEN, INAUGURATED = date(2017, 8, 10), date(2022, 3, 22)
WALL_WIDTH_M, SECTION_M, GATE_M = 0.5, 46.0, 9.0
_ROOFS = ("roof_blue", "roof_blue", "roof_red", "roof_zinc", "roof_white")
# length, width, height in metres, and what it would be called
_HOUSES = (
    (62.0, 13.0, 6.5, "dormitory"), (54.0, 14.0, 6.5, "dormitory"), (42.0, 18.0, 7.0, "workshop"),
    (30.0, 14.0, 5.0, "clinic"), (26.0, 12.0, 4.5, "staff house"),
)  # fmt: skip


@dataclass(frozen=True)
class _Calendar:
    """Days counted from the first felled palm, stretched to this site's pace."""

    start: date
    pace: float

    def day(self, after: float) -> date:
        return self.start + timedelta(round(after * self.pace))


def reach_m(scenario: Scenario) -> float:
    """Return a radius about the origin that holds the compound and its surroundings."""
    return 110 + 0.75 * math.sqrt((scenario.area_ha or 24.0) * 1e4)


def build(scenario: Scenario) -> Compound:
    """Draw the compound about the origin."""
    draw = fields.rng(scenario.seed, "compound")
    canonical = scenario.seed == 0
    area = (scenario.area_ha or (20.0 if canonical else float(draw.uniform(16, 24)))) * 1e4
    turn = 9.0 if canonical else float(draw.uniform(-40, 40) + 90 * draw.integers(4))
    move = (12.0, -18.0) if canonical else (float(draw.uniform(-60, 60)), float(draw.uniform(-60, 60)))
    weeks, pace = (0, 1.0) if canonical else (int(draw.integers(-20, 21)), float(draw.uniform(0.8, 1.05)))
    calendar = _Calendar(scenario.start or GROUND_BROKEN + timedelta(weeks=weeks), pace)

    place = Placement(turn, *move)
    outline, gate = _outline(draw, area)
    works = [
        *_clearing(draw, outline, gate, calendar, scenario.outer_strip_m),
        *_lawns(draw, outline, calendar),
        *(streets := _streets(outline, gate, calendar)),
        *_buildings(draw, outline, unary_union([s.shape for s in streets]), calendar),
        *_wall(draw, outline, gate, calendar, scenario.wall_height_m),
    ]
    drive = LineString([(gate.x, gate.y + 2), (gate.x, gate.y - 330)]).buffer(3.2)
    access = Parcel("access", "access", drive, ((None, "palm"), (calendar.start, "dirt")))
    return Compound(
        outline=place(outline),
        wall=place(LineString(outline.exterior.coords)),
        works=tuple(work.placed(place) for work in works),
        access=access.placed(place),
        dates={
            "clearing": calendar.start,
            "cleared": max(d for w in works if w.group == "clearing" if (d := w.since("earth"))),
            "construction": min(d for w in works if w.group == "building" if (d := w.since("slab"))),
            "wall_start": min(d for w in works if w.group == "wall" if (d := w.since("wall"))),
            "wall_end": max(d for w in works if w.group == "wall" if (d := w.since("wall"))),
            "inaugurated": calendar.day((INAUGURATED - GROUND_BROKEN).days),
        },
    )


def _outline(draw: np.random.Generator, area: float) -> tuple[Polygon, Point]:
    """A near-square with uneven corners, one of them cut off; exactly `area` m²."""
    half = np.sqrt(area) / 2
    aspect = float(draw.uniform(0.9, 1.12))
    w, h = half * aspect, half / aspect
    (a, b), (c, d), (e, f), (g, i) = draw.uniform(-0.05, 0.05, (4, 2)) * half
    cut = float(draw.uniform(0.14, 0.3)) * half
    ring = [(-w + a, -h + b), (w + c, -h + d), (w + e, h + f - cut), (w + e - cut * 0.8, h + f), (-w + g, h + i)]
    shape = Polygon(ring)
    shape = affinity.scale(shape, *(2 * (np.sqrt(area / shape.area),)), origin=(0, 0))
    corners = np.array(shape.exterior.coords)
    return shape, Point((corners[0] + corners[1]) / 2 + 0.06 * (corners[1] - corners[0]))


def _clearing(
    draw: np.random.Generator, outline: Polygon, gate: Point, calendar: _Calendar, outer_m: float
) -> list[Parcel]:
    """Palms fall strip by strip from the gate inwards; then bare earth until something covers it."""
    works = []
    cleared = outline.buffer(outer_m, join_style="mitre")
    day = calendar.start
    for n, strip in enumerate(slices(cleared, 7, 90.0)):
        covers = ((None, None), (day, "earth"))
        works.append(Parcel(f"clearing-{n + 1}", "clearing", strip, covers, vigour=float(draw.uniform(0.9, 1.1))))
        day += timedelta(round(float(draw.integers(4, 11)) * calendar.pace))
    yard = affinity.translate(box(-45, -28, 45, 28), gate.x + 70, gate.y + 75)
    works.append(Parcel("yard", "yard", yard, ((None, None), (calendar.day(75), "gravel"))))
    return works


def _streets(outline: Polygon, gate: Point, calendar: _Calendar) -> list[Parcel]:
    """A track inside the wall, an axis and two cross streets; gravel first, paved towards the end."""
    left, low, right, high = outline.bounds
    inside = outline.buffer(-7)
    ring = outline.buffer(-3.5, join_style="mitre").exterior.buffer(2.5)
    works = [Parcel("track", "street", ring, ((None, None), (calendar.day(170), "gravel")))]
    lines = [
        LineString([(gate.x, low), (gate.x, high)]),
        *(LineString([(left, v), (right, v)]) for v in (low + (high - low) * p for p in (0.3, 0.68))),
    ]
    for n, line in enumerate(lines):
        street = line.buffer(3.2).intersection(inside)
        covers = ((None, None), (calendar.day(120 + 60 * n), "gravel"), (calendar.day(1330 + 70 * n), "paved"))
        works.append(Parcel(f"street-{n + 1}", "street", street, covers))
    return works


def _lawns(draw: np.random.Generator, outline: Polygon, calendar: _Calendar) -> list[Parcel]:
    """Grass is sown quarter by quarter in the last third; a pond for waste water and a sports field come too."""
    works = []
    left, low, right, high = outline.bounds
    columns, rows = np.linspace(left, right, 4), np.linspace(low, high, 4)
    inside = outline.buffer(-9)
    for n in range(9):
        row, col = divmod(n, 3)
        quarter = box(columns[col], rows[row], columns[col + 1], rows[row + 1]).intersection(inside)
        sown = calendar.day(float(draw.uniform(1000, 1560)))
        covers = ((None, None), (sown, "lawn"))
        works.append(Parcel(f"lawn-{n + 1}", "lawn", quarter, covers, vigour=float(draw.uniform(0.85, 1.1))))
    pond = affinity.translate(box(-22, -14, 22, 14).buffer(4), left + 62, high - 62).intersection(inside)
    works.append(Parcel("pond", "pond", pond, ((None, None), (calendar.day(640), "water"))))
    return works


def _buildings(draw: np.random.Generator, outline: Polygon, streets: BaseGeometry, calendar: _Calendar) -> list[Parcel]:
    """The administration first, then houses row by row; towers at the corners last."""
    left, low, right, high = outline.bounds
    inside = outline.buffer(-16)
    gate_u = (left + right) / 2
    slots = []
    for v in np.arange(low + 52, high - 30, 41.0):
        for u in np.arange(left + 52, right - 30, 78.0):
            slots.append((float(u + draw.uniform(-3, 3)), float(v + draw.uniform(-2, 2))))
    count = int(draw.integers(22, 31))
    chosen = [slots[i] for i in sorted(draw.permutation(len(slots))[:count], key=lambda i: slots[i][1])]
    plans = [("administration", box(-22, -11, 22, 11), (gate_u - 58, low + 40), 9.0)]
    for u, v in chosen:
        length, width, height, label = _HOUSES[int(draw.integers(len(_HOUSES)))]
        plans.append((label, box(-length / 2, -width / 2, length / 2, width / 2), (u, v), height))
    works: list[Parcel] = []
    begun = np.sort(draw.uniform(150, 1380, len(plans)))
    begun[0] = 92.0
    taken: BaseGeometry = streets
    for (label, shape, at, height), after in zip(plans, begun, strict=True):
        shape = affinity.translate(shape, *at)
        if not shape.within(inside) or shape.buffer(4).intersects(taken):
            continue
        taken = taken.union(shape)
        works.append(_house(draw, len(works) + 1, (label, shape, height), float(after), calendar))
    for u, v in list(outline.buffer(-8, join_style="mitre").exterior.coords)[:4]:
        tower = Point(u, v).buffer(2.4, cap_style="square")
        works.append(_house(draw, len(works) + 1, ("tower", tower, 9.0), float(draw.uniform(620, 800)), calendar))
    return works


def _house(
    draw: np.random.Generator, number: int, what: tuple[str, Polygon, float], after: float, calendar: _Calendar
) -> Parcel:
    label, shape, height = what
    slab, shell = calendar.day(after), calendar.day(after + float(draw.uniform(35, 80)))
    roofed = calendar.day(after + float(draw.uniform(110, 230)))
    roof = "roof_red" if label == "administration" else str(draw.choice(_ROOFS))
    covers = ((None, None), (slab, "slab"), (shell, "shell"), (roofed, roof))
    facts = {"label": label, "start": slab.isoformat(), "roofed": roofed.isoformat(), "roof": roof[5:]}
    return Parcel(f"building-{number:02d}", "building", shape, covers, height, 1.0, facts)


def _wall(
    draw: np.random.Generator, outline: Polygon, gate: Point, calendar: _Calendar, height_m: float
) -> list[Parcel]:
    """Masonry in sections, from the gate round both ways at once; the gate stays open."""
    ring = outline.exterior
    start = ring.project(gate)
    line = LineString([*substring(ring, start, ring.length).coords, *list(substring(ring, 0, start).coords)[1:]])
    built = LineString(substring(line, GATE_M / 2, line.length - GATE_M / 2).coords)
    count = max(4, round(built.length / SECTION_M))
    edges = np.linspace(0, built.length, count + 1)
    order = [i // 2 if i % 2 == 0 else count - 1 - i // 2 for i in range(count)]
    works, day = {}, 205.0
    for n in order:
        section = substring(built, edges[n], edges[n + 1])
        begun, day = day, day + float(draw.uniform(6, 13))
        covers = ((None, None), (calendar.day(day), "wall"))
        facts = {"line": section, "start": calendar.day(begun).isoformat(), "end": calendar.day(day).isoformat()}
        shape = section.buffer(WALL_WIDTH_M / 2, cap_style="flat", join_style="mitre")
        works[n] = Parcel(f"wall-{n + 1:02d}", "wall", shape, covers, height_m, 1.0, facts)
    return [works[n] for n in sorted(works)]
