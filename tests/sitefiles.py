"""Site files for tests, made of plain mappings."""

from __future__ import annotations

import copy
from typing import Any

LON, LAT = 103.73, 10.82


def box(x: float = LON, y: float = LAT, size: float = 0.004) -> list[list[list[float]]]:
    """Coordinates of a square polygon, counter-clockwise."""
    return [[[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]]


def feature(role: str, geometry: dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    """A GeoJSON feature."""
    return {"type": "Feature", "properties": {"role": role, **properties}, "geometry": geometry}


def polygon(x: float = LON, y: float = LAT, size: float = 0.004) -> dict[str, Any]:
    """A square."""
    return {"type": "Polygon", "coordinates": box(x, y, size)}


def document(*extra: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A site file with a site, a wall, two buildings, a control and an uncertainty."""
    site = {
        "id": "test-site",
        "name": "Test site",
        "location": {"class": "exact", "source": "drawn for a test", "as_of": "2022-03"},
        "cadence_days": 5,
        "sensors": ["sentinel-2-l2a", "sentinel-1-grd"],
        "since": "2017-08-10",
        "sensitive": False,
        "timeline": [
            {"date": "2009", "event": "land given", "source": "a test"},
            {"interval": ["2017-08-10", "2017-11"], "event": "ground broken", "source": "a test"},
        ],
        **changes,
    }
    return copy.deepcopy(
        {
            "type": "FeatureCollection",
            "features": [
                feature("site", {"type": "Point", "coordinates": [LON, LAT]}, **site),
                feature("perimeter", polygon(), material="wall"),
                feature("building", polygon(LON + 0.001, LAT + 0.001, 0.0005), id="b1", planned=True, label="Hall"),
                feature("building", polygon(LON + 0.002, LAT + 0.001, 0.0005), id="b2", planned=False),
                feature("control", polygon(LON + 0.01), id="palms"),
                feature("uncertainty", polygon(LON - 0.01, LAT - 0.01, 0.02), id="around"),
                *extra,
            ],
        }
    )
