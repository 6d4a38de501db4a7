"""Processing units: what a request costs by the service's published rule, and a month's budget of them.

Sources: Copernicus Data Space documentation, APIs/SentinelHub/Overview/ProcessingUnit; Sentinel Hub documentation,
api/overview/processing-unit.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from geo.errors import TemporaryError
from geo.providers.sentinel_hub.sensors import Sensor

HEADER = "x-processingunits-spent"
SEARCH_UNITS = 0.01
"""The least that a question to the catalogue costs; a site in a month is never near the next step."""
_UNIT_PX = 512 * 512
_LEAST_AREA, _LEAST = 0.01, 0.005


def processing_units(rows: int, cols: int, bands: int, *, floats: bool = False, factor: float = 1.0) -> float:
    """Units of one image.

    Args:
        rows: of its pixels.
        cols: of its pixels.
        bands: read for it; `dataMask` does not count.
        floats: 32 bits a number, which doubles it.
        factor: for additional processing: orthorectification 2, radiometric terrain correction 2.5 (not both).

    >>> processing_units(512, 512, 3)
    1.0
    >>> processing_units(20, 20, 2)
    0.006666666666666667
    """
    area = max(rows * cols / _UNIT_PX, _LEAST_AREA)
    return max(_LEAST, area * bands / 3 * (2.0 if floats else 1.0) * factor)


def units_of(sensor: Sensor, rows: int, cols: int) -> float:
    """Units of one image of a sensor."""
    floats = sensor.dtype == "float32"
    return processing_units(rows, cols, len(sensor.asked), floats=floats, factor=sensor.factor)


def stated(text: str | None) -> float | None:
    """Units that an answer says it cost, or None where that cannot be read."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


@dataclass
class Budget:
    """Units of a calendar month: `most` of them (None: no limit), `spent` so far; threads may share it."""

    most: float | None = None
    spent: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reserve(self, units: float) -> None:
        """Set units aside before a request.

        Raises:
            TemporaryError: they would go beyond the budget; nothing was asked.
        """
        with self._lock:
            if self.most is not None and self.spent + units > self.most:
                raise TemporaryError(
                    f"The month's budget of {self.most:,.1f} processing units would be exceeded ({self.spent:,.1f} are "
                    "spent); what is here is kept. Go on next month, or raise monthly_units."
                )
            self.spent += units

    @contextmanager
    def held(self, units: float) -> Iterator[Callable[[float, float], None]]:
        """Set units aside for several requests; give a function (planned, really spent) to call after each.

        What was not asked for in the end is free again.
        """
        self.reserve(units)
        left = units

        def used(planned: float, spent: float) -> None:
            nonlocal left
            taken = min(planned, left)
            left -= taken
            self.settle(taken, spent)

        try:
            yield used
        finally:
            self.settle(left, 0.0)

    def settle(self, reserved: float, units: float) -> None:
        """Put what was really spent in the place of what was set aside (0 where nothing came of it)."""
        with self._lock:
            self.spent += units - reserved
