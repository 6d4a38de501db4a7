"""When a satellite passes, and where the sun stands then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np

from geo.providers.simulator import fields
from geo.providers.simulator.plan import Scenario

OPTICAL, RADAR, HALF_METRE = "sentinel-2-l2a", "sentinel-1-grd", "vhr"
SENSORS = (OPTICAL, RADAR, HALF_METRE)
FIRST_PASS, LAST_PASS = date(2015, 7, 4), date(2025, 12, 31)
BASELINE_0400 = date(2022, 1, 25)


@dataclass(frozen=True)
class Pass:
    """One overpass.

    Attributes:
        sensor: one of `SENSORS`.
        time: aware UTC.
        orbit: relative orbit (0 for the half-metre satellite).
        view_zenith_deg, view_azimuth_deg: from the ground to the satellite; azimuth clockwise from north.
    """

    sensor: str
    time: datetime
    orbit: int
    view_zenith_deg: float
    view_azimuth_deg: float


@lru_cache(maxsize=32)
def passes(scenario: Scenario, sensor: str) -> tuple[Pass, ...]:
    """Return every pass of a sensor over the world, oldest first."""
    found = {OPTICAL: _optical, RADAR: _radar, HALF_METRE: _half_metre}[sensor](scenario)
    return tuple(sorted(found, key=lambda p: p.time))


def sun(when: datetime, lon: float, lat: float) -> tuple[float, float]:
    """Return the sun's (elevation, azimuth clockwise from north) in degrees.

    Spencer's series for declination and equation of time (1971); good to a few tenths of a degree.
    """
    hours = when.hour + when.minute / 60 + when.second / 3600
    gamma = 2 * math.pi / 365 * (when.timetuple().tm_yday - 1 + (hours - 12) / 24)
    cos, sin = math.cos, math.sin
    decl = (
        0.006918 - 0.399912 * cos(gamma) + 0.070257 * sin(gamma) - 0.006758 * cos(2 * gamma)
        + 0.000907 * sin(2 * gamma) - 0.002697 * cos(3 * gamma) + 0.00148 * sin(3 * gamma)
    )  # fmt: skip
    minutes = 229.18 * (
        0.000075 + 0.001868 * cos(gamma) - 0.032077 * sin(gamma) - 0.014615 * cos(2 * gamma) - 0.040849 * sin(2 * gamma)
    )
    angle = math.radians((hours + lon / 15 + minutes / 60 - 12) * 15)
    phi = math.radians(lat)
    up = sin(phi) * sin(decl) + cos(phi) * cos(decl) * cos(angle)
    east, north = -cos(decl) * sin(angle), cos(phi) * sin(decl) - sin(phi) * cos(decl) * cos(angle)
    return math.degrees(math.asin(up)), math.degrees(math.atan2(east, north)) % 360


def wetness(scenario: Scenario, day: date) -> float:
    """Return how wet the ground is, 0-1: the monsoon of that year and the last showers."""
    doy = day.timetuple().tm_yday + fields.rng(scenario.seed, "monsoon", day.year).uniform(-12, 12)
    season = 1 / (1 + math.exp(-(doy - 135) / 14)) - 1 / (1 + math.exp(-(doy - 318) / 16))
    shower = fields.rng(scenario.seed, "shower", day.toordinal() // 3).uniform(-0.18, 0.18)
    return min(1.0, max(0.0, 0.08 + 0.84 * season + shower))


def _at(day: date, hour: int, minute: int, seconds: int) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC) + timedelta(seconds=seconds)


def _seconds(scenario: Scenario, *parts: object) -> int:
    """Satellites pass at the same local time everywhere; each pass is some minutes early or late."""
    local = round((103.73 - scenario.lon) * 240)
    return local + int(fields.rng(scenario.seed, "seconds", *parts).integers(0, 240))


def _optical(scenario: Scenario) -> Iterator[Pass]:
    """Two orbits, every ten days each, every five once the second satellite flies (July 2017)."""
    for orbit, first, zenith, azimuth in ((18, 0, 4.0, 286.0), (61, 3, 10.5, 104.0)):
        day = FIRST_PASS + timedelta(first)
        while day <= LAST_PASS:
            single = (day - FIRST_PASS).days // 5 % 2 == 1
            if not (single and day < date(2017, 7, 5)):
                yield Pass(
                    OPTICAL,
                    _at(day, 3, 31 if orbit == 18 else 41, _seconds(scenario, orbit, day)),
                    orbit,
                    zenith,
                    azimuth,
                )
            day += timedelta(5)


def _radar(scenario: Scenario) -> Iterator[Pass]:
    """One ascending and one descending orbit, every twelve days each."""
    for orbit, first, hour, azimuth in ((26, 2, 11, 258.0), (91, 7, 22, 102.0)):
        day = FIRST_PASS + timedelta(first)
        while day <= LAST_PASS:
            yield Pass(RADAR, _at(day, hour, 10, _seconds(scenario, orbit, day)), orbit, 38.0, azimuth)
            day += timedelta(12)


def _half_metre(scenario: Scenario) -> Iterator[Pass]:
    """Two or three clear images a dry season, at whatever angle the satellite could manage."""
    for year in range(FIRST_PASS.year, LAST_PASS.year + 1):
        draw = fields.rng(scenario.seed, "half-metre", year)
        for month in (1, 2, 3, 12):
            day = date(year, month, int(draw.integers(3, 26)))
            zenith, azimuth = float(draw.uniform(3, 21)), float(draw.uniform(0, 360))
            if draw.uniform() < 0.65 and FIRST_PASS <= day <= LAST_PASS:
                yield Pass(HALF_METRE, _at(day, 3, int(draw.integers(40, 59)), 0), 0, zenith, azimuth)


def shift_m(scenario: Scenario, scene: Pass) -> tuple[float, float]:
    """Return how far (rows down, columns right), in metres, the content of a scene lies from where it should."""
    draw = fields.rng(scenario.seed, "shift", scene.sensor, scene.time.isoformat())
    size = {OPTICAL: 2.2, RADAR: 0.8, HALF_METRE: 1.1}[scene.sensor]
    dy, dx = draw.normal(0, size, 2)
    if scene.sensor == OPTICAL and draw.uniform() < 0.05:  # a badly placed granule, by 0.8 to 1.7 px
        far, angle = draw.uniform(8, 17), draw.uniform(0, 2 * np.pi)
        dy, dx = far * np.sin(angle), far * np.cos(angle)
    return float(dy), float(dx)
