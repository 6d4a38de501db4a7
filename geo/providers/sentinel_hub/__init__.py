"""Provider `sentinel-hub`: Sentinel-1 and -2 and Landsat from Sentinel Hub, ready cut to the site; needs an account.

All tiles of one overpass are one scene and one request. The library `sentinelhub` makes the requests; why it does not
send them is told in `session`. What is kept is one file of the numbers received, with the SHA-256 of every answer
beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geo.acquisitions import newest, overpass_name, overpasses
from geo.errors import ConfigurationError, InputError, TemporaryError
from geo.grid import Grid, Window
from geo.providers.keeping import Bands, write_bands
from geo.providers.sentinel_hub.asking import MOST_PX, image_call, lattice, split
from geo.providers.sentinel_hub.catalogue import FIRST_DAY, Item, find_items, parse_item
from geo.providers.sentinel_hub.checking import mean_angles, most_bytes, numbers_of
from geo.providers.sentinel_hub.credentials import Credentials, Endpoint, endpoint_for
from geo.providers.sentinel_hub.sensors import ANGLES, OPTICAL, OUTSIDE, RADAR, SENSORS, Sensor, sensors_named
from geo.providers.sentinel_hub.session import LIMITS, TOKEN_LIMITS, Session
from geo.providers.sentinel_hub.units import HEADER, Budget, stated, units_of
from geo.providers.web import Limits
from geo.scene import Provenance, Query, Scene

__all__ = ["SENSORS", "Budget", "Credentials", "Endpoint", "SentinelHub", "endpoint_for", "sensors_named"]
_ADDRESS = re.compile(r"(\w+://)(?:[^/@\s]*@)?([^?\s]*)(?:\?\S*)?")
_AROUND = {OPTICAL.collection: timedelta(seconds=5)}
ANGLES_SHAPE = (4, 4)
_USUALLY_AROUND = timedelta(seconds=30)
"""Catalogue and images round times differently; a satellite that follows another one does so by more."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    sensor: Sensor
    parts: tuple[Item, ...]


@dataclass
class SentinelHub:
    """Scenes of one deployment of Sentinel Hub.

    Attributes:
        endpoint, credentials: whom to ask, and in whose name.
        clock: gives the time of receipt, and how late a search looks.
        sensors: what to look for.
        budget: processing units that may be spent, and that were.
        limits, token_limits: how patient to be.
        most_px: rows or columns of one request.
        refused: after `search`: (item, reason) of everything that cannot be used.
    """

    endpoint: Endpoint
    credentials: Credentials
    clock: Callable[[], datetime]
    sensors: tuple[Sensor, ...] = field(default_factory=lambda: sensors_named(()))
    budget: Budget = field(default_factory=Budget)
    limits: Limits = LIMITS
    token_limits: Limits = TOKEN_LIMITS
    most_px: int = MOST_PX
    name: str = "sentinel-hub"
    refused: list[tuple[str, str]] = field(default_factory=list)
    _found: dict[str, _Found] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Open the one session that asks for everything."""
        self._session = Session(self.endpoint, self.credentials, self.limits, self.token_limits)

    def search(self, query: Query) -> list[Scene]:
        """Return one scene an overpass of the query's grid, oldest first, whatever clouds the catalogue states.

        Raises:
            TemporaryError: quota or service are out of reach; ConfigurationError: the client is refused.
        """
        self.refused.clear()
        self._found.clear()
        site, span = _grid(query), (query.start or FIRST_DAY, query.end or self.clock())
        scenes: list[Scene] = []
        for sensor in self.sensors if span[0] < span[1] else ():
            items: dict[str, Item] = {}
            for raw in find_items(self._session, sensor, site, span, self.budget):
                try:
                    item = parse_item(raw, sensor)
                except InputError as error:
                    self.refused.append((str(raw.get("id") or "an entry")[:80], str(error)))
                    continue
                if span[0] <= item.time and (query.end is None or item.time < query.end):
                    items[item.id] = item
            scenes += [self._scene(sensor, *newest(group)) for group in overpasses(items.values())]
        return sorted(scenes, key=lambda s: (s.time or FIRST_DAY, s.id))

    def fetch(self, scene: Scene, query: Query, folder: Path) -> tuple[Path, Provenance]:
        """Have the scene cut to the site's grid and write what came into one GeoTIFF in `folder`.

        Raises:
            TemporaryError: quota, budget or network; ConfigurationError: the client is refused, or the site is too
            large; InputError: the service will not make this image, or it shows nothing; NoSpaceError: the disk.
        """
        found = self._known(scene)
        sensor, grid = found.sensor, lattice(found.sensor, _grid(query))
        received = np.zeros((len(sensor.kept) + 1, *grid.shape), sensor.dtype)
        answers = []
        windows = split(grid, self.most_px)
        angles: dict[str, float] = {}
        # For all parts at once: half a scene would be paid for and could not be kept.
        with self.budget.held(_cost(sensor, windows)) as used:
            for window in windows:
                received[(slice(None), *window)], facts = self._image(found, grid, window, used)
                answers.append(facts)
            if sensor.collection == OPTICAL.collection:
                # The image is here and paid for: it is kept without its angles, too.
                with suppress(TemporaryError):
                    angles = self._angles(found, _coarse(grid), used, answers)
        stored, notes = _masked(received, sensor)
        path = Path(folder) / f"{scene.id}.tif"
        write_bands(_bands(sensor, grid, stored), path, _tags(scene, sensor))
        assert scene.time is not None  # noqa: S101 - every scene found here has one
        response = {
            "items": [_plain(part.raw) for part in found.parts],
            "answers": answers,
            "processing_units": round(sum(a["processing_units"] for a in answers), 9),
            **({"angles_deg": angles} if angles else {}),
            **notes,
        }
        return path, Provenance(
            provider=self.name,
            request=self.request(scene, query),
            received=self.clock(),
            licence=sensor.licence,
            credit=f"{sensor.credit} {scene.time.year}",
            response=response,
        )

    def request(self, scene: Scene, query: Query) -> dict[str, object]:
        """Return what `fetch` asks for: items as the catalogue lists them now, script, time, and the site's grid."""
        found = self._known(scene)
        grid, span = lattice(found.sensor, _grid(query)), _span(found)
        return {
            "api": self.endpoint.base_url,
            "collection": found.sensor.collection,
            "crs": grid.crs,
            "bounds": [float(v) for v in grid.bounds],
            "shape": list(grid.shape),
            "time": [t.isoformat() for t in span],
            "evalscript": found.sensor.evalscript,
            "processing": dict(found.sensor.processing),
            "items": [{"id": part.id, "made": part.made} for part in found.parts],
        }

    def estimate(self, scene: Scene, query: Query) -> dict[str, float]:
        """About what a fetch costs: `bytes` over the network, `requests`, `processing_units` by the published rule."""
        sensor = self._known(scene).sensor
        grid = lattice(sensor, _grid(query))
        windows = split(grid, self.most_px)
        size = grid.shape[0] * grid.shape[1] * (len(sensor.kept) + 1) * np.dtype(sensor.dtype).itemsize
        few = sensor.collection == OPTICAL.collection
        return {"bytes": size, "requests": len(windows) + few, "processing_units": _cost(sensor, windows)}

    def _angles(
        self, found: _Found, grid: Grid, used: Callable[[float, float], None], answers: list[dict[str, Any]]
    ) -> dict[str, float]:
        told, facts = self._image(replace(found, sensor=ANGLES), grid, _whole(grid), used)
        answers.append(facts)
        return mean_angles(dict(zip(ANGLES.kept, told[:-1], strict=True)), told[-1] > 0)

    def _image(
        self, found: _Found, whole: Grid, window: Window, used: Callable[[float, float], None]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """One answer's numbers, and what is recorded of it; a damaged one is asked for once more."""
        sensor, grid = found.sensor, whole.window(window)
        call = image_call(sensor, self.endpoint, _span(found), grid)
        count = len(sensor.kept) + 1
        limit, expected = most_bytes(grid, count, sensor.dtype), units_of(sensor, *grid.shape)
        spent = 0.0
        for last in (False, True):
            answer = self._session.ask(call.url, call.payload, most_bytes=limit, accept=call.accept)
            said = stated(answer.headers.get(HEADER))
            cost = expected if said is None else said
            used(0.0 if last else expected, cost)
            spent += cost
            try:
                numbers = numbers_of(answer, grid, count, sensor.dtype)
            except TemporaryError:
                if last:
                    raise
                continue
            facts: dict[str, Any] = {
                "sha256": sha256(answer.body).hexdigest(),
                "size_bytes": len(answer.body),
                "bounds": [float(v) for v in grid.bounds],
                "processing_units": spent,
                "processing_units_stated": said is not None,
            }
            return numbers, facts
        raise AssertionError("unreachable")  # pragma: no cover

    def _scene(self, sensor: Sensor, parts: tuple[Item, ...], superseded: tuple[Item, ...]) -> Scene:
        first = min(parts, key=lambda p: (p.time, p.id))
        properties: dict[str, object] = {
            "platform": first.platform,
            "tiles": [part.tile for part in parts],
            "items": [part.id for part in parts],
            "superseded": sorted(part.id for part in superseded),
        }
        if sensor.collection == OPTICAL.collection:
            properties["baseline"] = sorted({f"{part.baseline[0]:02d}.{part.baseline[1]:02d}" for part in parts})
        if first.orbit is not None:
            properties["sat:relative_orbit"] = first.orbit
        if first.orbit_state:
            properties["sat:orbit_state"] = first.orbit_state
        name = overpass_name(first.platform, first.sensor, first.time, max(part.datatake for part in parts))
        self._found[name] = _Found(sensor=sensor, parts=parts)
        href = f"{self.endpoint.base_url}/api/v1/catalog/1.0.0/collections/{sensor.collection}/items/{first.id}"
        return Scene(id=name, time=first.time, sensor=first.sensor, href=href, properties=properties)

    def _known(self, scene: Scene) -> _Found:
        if scene.id not in self._found:
            raise InputError(f"{scene.id} is not in the catalogue's answer; search again.")
        return self._found[scene.id]


def _grid(query: Query) -> Grid:
    if query.grid is None or query.grid.crs is None:
        raise ConfigurationError("Sentinel Hub is asked for a place: give a site.")
    return query.grid


def _cost(sensor: Sensor, windows: list[Window]) -> float:
    """Units of one scene: all its parts, and the angles where the collection has them."""
    parts = sum(_price(sensor, window) for window in windows)
    return parts + (units_of(ANGLES, *ANGLES_SHAPE) if sensor.collection == OPTICAL.collection else 0.0)


def _coarse(grid: Grid) -> Grid:
    """The same ground in a few pixels: angles change by tenths of a degree over a site."""
    rows, cols = ANGLES_SHAPE
    return Grid(grid.crs, grid.transform @ Affine.scale(grid.shape[1] / cols, grid.shape[0] / rows), ANGLES_SHAPE)


def _whole(grid: Grid) -> Window:
    return slice(0, grid.shape[0]), slice(0, grid.shape[1])


def _price(sensor: Sensor, window: Window) -> float:
    rows, cols = window
    return units_of(sensor, rows.stop - rows.start, cols.stop - cols.start)


def _span(found: _Found) -> tuple[datetime, datetime]:
    """From a little before the first tile to a little after the last one, in whole seconds."""
    around = _AROUND.get(found.sensor.collection, _USUALLY_AROUND)
    times = [part.time.astimezone(UTC) for part in found.parts]
    start, end = min(times) - around, max(times) + around
    return start.replace(microsecond=0), (end + timedelta(seconds=1)).replace(microsecond=0)


def _masked(received: NDArray[Any], sensor: Sensor) -> tuple[NDArray[Any], dict[str, object]]:
    """Numbers with what lies outside marked as such (in place: a large site fills the memory), and what is to be noted.

    Raises:
        InputError: the image shows nothing of the site; TemporaryError: its mask is none.
    """
    mask = received[-1]
    if not np.isin(mask, (0, 1)).all():
        raise TemporaryError("Sentinel Hub sent a mask that is none; the next run asks again.")
    inside, stored = mask == 1, received[:-1]
    if not inside.any():
        raise InputError("It shows nothing of the site, though the catalogue says so.")
    stored[:, ~inside] = np.asarray(sensor.empty, stored.dtype)
    notes: dict[str, object] = {"outside_px": int(np.count_nonzero(~inside))}
    if sensor.classes:
        stored[-1, ~inside] = sensor.classes_empty
    if not math.isnan(sensor.empty):
        saturated = np.zeros(mask.shape, bool)
        for band in stored[: len(sensor.bands)]:
            saturated |= band == OUTSIDE
        notes["saturated_px"] = int(np.count_nonzero(saturated & inside))
    return stored, notes


def _bands(sensor: Sensor, grid: Grid, stored: NDArray[Any]) -> Bands:
    classes = [0] * len(sensor.bands) + ([1] if sensor.classes else [])
    stated_scale = sensor.scale is not None
    return Bands(
        grid=grid,
        names=sensor.kept,
        stored=stored,
        empty=sensor.empty,
        scales=[1.0 if c else float(sensor.scale or 1.0) for c in classes] if stated_scale else None,
        offsets=[0.0 if c else sensor.offset for c in classes] if stated_scale else None,
    )


def _tags(scene: Scene, sensor: Sensor) -> Mapping[str, str]:
    assert scene.time is not None  # noqa: S101 - every scene found here has one
    tags = {"ACQUISITION_TIME": scene.time.strftime("%Y-%m-%dT%H:%M:%SZ"), "SENSOR": scene.sensor}
    return {**tags, "UNIT": "linear power, gamma nought, terrain corrected"} if sensor is RADAR else tags


def _plain(value: Any) -> Any:
    """A copy of JSON without links and assets; an address loses user name and query, which may be a signature."""
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items() if key not in ("links", "assets")}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return _ADDRESS.sub(r"\1\2", value) if isinstance(value, str) else value
