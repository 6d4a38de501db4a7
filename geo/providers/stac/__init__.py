"""Provider `stac`: Sentinel scenes from any STAC API; of each tile only the site's window is read, no account needed.

Earth Search and the Planetary Computer are known by name. All tiles, baselines and copies of one overpass are one
scene. What cannot be used is listed in `refused` with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from rasterio.warp import transform_bounds

from geo.acquisitions import newest, overpass_name, overpasses
from geo.errors import ConfigurationError, InputError
from geo.grid import Grid
from geo.providers.stac.catalogue import find_items
from geo.providers.stac.endpoints import Endpoint, endpoint_for
from geo.providers.stac.items import Asset, Item, parse_item
from geo.providers.stac.merging import bands_wanted, merge, write_image
from geo.providers.stac.ranges import RemoteFile, body_of_range
from geo.providers.stac.signing import Signer
from geo.providers.stac.windows import PAD_PX
from geo.providers.web import Answer, Limits, Web
from geo.scene import Provenance, Query, Scene

__all__ = ["Answer", "Limits", "Stac", "endpoint_for", "landing"]
_BLOCK_PX, _BLOCK_BYTES = 1024, 1_700_000
"""A block of an archive's COGs and what it weighs compressed; for estimates only."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    parts: tuple[Item, ...]
    superseded: tuple[Item, ...]


@dataclass
class Stac:
    """Scenes of a STAC API.

    Attributes:
        endpoint: which API, and from which hosts files may be read.
        clock: gives the time of receipt.
        limits: how patient to be.
        refused: after `search`: (item, reason) of everything that cannot be used.
    """

    endpoint: Endpoint
    clock: Callable[[], datetime]
    limits: Limits = field(default_factory=Limits)
    name: str = "stac"
    refused: list[tuple[str, str]] = field(default_factory=list)
    _found: dict[str, _Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the one client that asks for everything."""
        token_host = (urlsplit(self.endpoint.token_url).netloc,) if self.endpoint.token_url else ()
        self.web = Web(hosts=(*self.endpoint.hosts, *token_host), limits=self.limits)
        self._signer = Signer(self.web, self.endpoint.token_url)

    def search(self, query: Query) -> list[Scene]:
        """Return one scene an overpass of the query's grid, oldest first, whatever clouds the catalogue states.

        Raises:
            TemporaryError: the service is down or answers nonsense; ConfigurationError: there is no such API.
        """
        self.refused.clear()
        self._found.clear()
        items: dict[str, Item] = {}
        for raw in find_items(self.web, self.endpoint, _lonlat(_grid(query)), query.start, query.end):
            try:
                item = parse_item(raw)
            except InputError as error:
                self.refused.append((str(raw.get("id", "an entry"))[:80], str(error)))
                continue
            if _asked_for(item.time, query):
                items[f"{item.collection}/{item.id}"] = item
        scenes = [self._scene(*newest(group)) for group in overpasses(items.values())]
        return sorted(scenes, key=lambda s: (s.time is None, s.time, s.id))

    def fetch(self, scene: Scene, query: Query, folder: Path) -> tuple[Path, Provenance]:
        """Read the site's window of all bands into one GeoTIFF in `folder`.

        Raises:
            InputError: a file is gone, damaged, on a host that may not be read, or its offset cannot be told;
            TemporaryError: the network; NoSpaceError, ConfigurationError: the disk.
        """
        found = self._known(scene)
        image = merge(found.parts, _grid(query), self._open)
        path = Path(folder) / f"{scene.id}.tif"
        assert scene.time is not None  # noqa: S101 - every scene found here has one
        tags = {"ACQUISITION_TIME": scene.time.strftime("%Y-%m-%dT%H:%M:%SZ"), "SENSOR": scene.sensor}
        write_image(image, path, tags)
        collection = found.parts[0].collection
        response = {"items": [_without_queries(part.raw) for part in found.parts], **image.facts}
        return path, Provenance(
            provider=self.name,
            request=self.request(scene, query),
            received=self.clock(),
            licence=self.endpoint.licences.get(collection, "unknown"),
            credit=_credit(self.endpoint.credits.get(collection, ""), scene.time),
            response=response,
        )

    def request(self, scene: Scene, query: Query) -> dict[str, object]:
        """Return what `fetch` asks for: items as the catalogue lists them now, bands, and the site's grid.

        An item that is replaced upstream (`updated`, another file, another checksum) makes another request.
        """
        grid = _grid(query)
        return {
            "api": self.endpoint.url,
            "crs": grid.crs,
            "bounds": [float(v) for v in grid.bounds],
            "pad_px": PAD_PX,
            "items": [
                {
                    "id": part.id,
                    "collection": part.collection,
                    "made": part.made,
                    "assets": {
                        band: {"href": _bare(part.assets[band].href), **part.assets[band].stated}
                        for band in bands_wanted(part)
                    },
                }
                for part in self._known(scene).parts
            ],
        }

    def estimate(self, scene: Scene, query: Query) -> dict[str, float]:
        """About how much a fetch costs: `bytes` over the network and `requests`."""
        rows, cols = _grid(query).pad(PAD_PX).shape
        count = len(bands_wanted(self._known(scene).parts[0]))
        blocks = (1 + rows / _BLOCK_PX) * (1 + cols / _BLOCK_PX)
        return {"bytes": round(count * blocks * _BLOCK_BYTES), "requests": round(count * (1 + blocks))}

    def _scene(self, parts: tuple[Item, ...], superseded: tuple[Item, ...]) -> Scene:
        first = min(parts, key=lambda p: (p.time, p.id))
        stamp = max(part.datatake for part in parts)
        properties: dict[str, object] = {
            "platform": first.platform,
            "tiles": [part.tile for part in parts],
            "items": [part.id for part in parts],
            "baseline": sorted({f"{part.baseline[0]:02d}.{part.baseline[1]:02d}" for part in parts}),
            "superseded": sorted(part.id for part in superseded),
        }
        if first.orbit is not None:
            properties["sat:relative_orbit"] = first.orbit
        if first.orbit_state:
            properties["sat:orbit_state"] = first.orbit_state
        name = overpass_name(first.platform, first.sensor, first.time, stamp)
        self._found[name] = _Found(parts=parts, superseded=superseded)
        href = f"{self.endpoint.url}/collections/{first.collection}/items/{first.id}"
        return Scene(id=name, time=first.time, sensor=first.sensor, href=href, properties=properties)

    def _known(self, scene: Scene) -> _Found:
        if scene.id not in self._found:
            raise InputError(f"{scene.id} is not in the catalogue's answer; search again.")
        return self._found[scene.id]

    def _open(self, item: Item, asset: Asset, band: str) -> RemoteFile:
        name = f"{item.id} ({band})"

        def part(start: int, stop: int) -> tuple[bytes, dict[str, object]]:
            headers = {"Range": f"bytes={start}-{stop - 1}"}
            for renew in (False, True):
                url = self._signer.sign(asset.href, item.collection, renew=renew)
                answer = self.web.ask("GET", url, most_bytes=max(stop - start, 4096), headers=headers)
                if answer.status not in (401, 403) or not self.endpoint.token_url:
                    break
            return body_of_range(answer, name, start, stop)

        return RemoteFile(name, part)


def landing(endpoint: Endpoint, limits: Limits) -> Answer:
    """Ask a service for its front page: any answer, a refusal too, shows that it can be reached.

    Raises:
        TemporaryError: it cannot, or has an error.
    """
    web = Web(hosts=endpoint.hosts, limits=limits)
    return web.ask("GET", endpoint.url, most_bytes=2**22, answers=frozenset(range(200, 500)) - {429})


def _grid(query: Query) -> Grid:
    if query.grid is None or query.grid.crs is None:
        raise ConfigurationError("A STAC service is asked for a place: give a site.")
    return query.grid


def _lonlat(grid: Grid) -> tuple[float, float, float, float]:
    west, south, east, north = transform_bounds(grid.crs, "OGC:CRS84", *grid.bounds, densify_pts=21)
    return west, south, east, north


def _asked_for(time: datetime, query: Query) -> bool:
    return (query.start is None or time >= query.start) and (query.end is None or time < query.end)


def _bare(href: str) -> str:
    """An address without query or user name, either of which may be a credential."""
    parts = urlsplit(href)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _without_queries(value: Any, key: str = "") -> Any:
    """A copy of JSON in which no address carries a query."""
    if isinstance(value, Mapping):
        return {k: _without_queries(v, k) for k, v in value.items() if k != "links"}
    if isinstance(value, list):
        return [_without_queries(v, key) for v in value]
    return _bare(value) if key == "href" and isinstance(value, str) else value


def _credit(credit: str, time: datetime) -> str:
    return f"{credit} {time.year}" if credit else ""
