"""Where the sun stood: for the captions of pictures whose provider does not say."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def sun_position(time: datetime, lon: float, lat: float) -> tuple[float, float]:
    """Elevation and azimuth of the sun's centre, without refraction.

    The Astronomical Almanac's low-precision formulae (Michalsky, 1988, Solar Energy 40(3), 227-235): better than
    0.01 degrees from 1950 to 2050.

    Args:
        time: aware time.
        lon: degrees on WGS 84, east positive.
        lat: degrees, north positive.

    Returns:
        Elevation above the horizon and azimuth from north over east, in degrees.

    >>> noon = datetime(2019, 6, 21, 12, 2, tzinfo=UTC)
    >>> [round(angle) for angle in sun_position(noon, 0.0, 50.0)]
    [63, 180]
    """
    days = (time.astimezone(UTC) - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400
    mean_longitude = math.radians((280.460 + 0.9856474 * days) % 360)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360)
    ecliptic = mean_longitude + math.radians(1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 4e-7 * days)
    right_ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians((280.46061837 + 360.98564736629 * days + lon) % 360)
    hour, north = sidereal - right_ascension, math.radians(lat)
    sine = math.sin(declination) * math.sin(north) + math.cos(declination) * math.cos(north) * math.cos(hour)
    elevation = math.asin(max(-1.0, min(1.0, sine)))
    azimuth = math.atan2(
        -math.sin(hour) * math.cos(declination),
        math.cos(north) * math.sin(declination) - math.sin(north) * math.cos(declination) * math.cos(hour),
    )
    return math.degrees(elevation), math.degrees(azimuth) % 360
