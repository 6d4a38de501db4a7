"""Sentinel Hub on loopback: tokens, catalogue and Process API as documented, images of a painter, faults on request."""

from __future__ import annotations

import base64
import io
import json
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile

from geo.grid import Grid

TOKEN, SEARCH, PROCESS = (
    "/auth/realms/CDSE/protocol/openid-connect/token",
    "/api/v1/catalog/1.0.0/search",
    "/api/v1/process",
)
ANGLES = (140.0, 35.0, 359.0, 5.0)
MOST_PX = 2500
Painter = Callable[[str, Grid, tuple[datetime, datetime], tuple[str, ...]], Mapping[str, NDArray[Any]]]
"""(collection, grid, span, bands) to numbers a band, and `dataMask`."""


@dataclass
class Fault:
    """What goes wrong: `kind`, for paths that contain `where`, `times` times (None: always)."""

    kind: str
    where: str = PROCESS
    times: int | None = None


@dataclass
class Hub:
    """The service's state.

    Attributes:
        paint: makes images.
        items: the catalogue, entries by collection.
        client_id, client_secret: whom it knows.
        tokens: those that it gave and honours; given: how many; lasts: seconds.
        faults: see `Fault`.
        asked: path to number of requests; bodies: what was sent to the Process API and the catalogue.
        spent: processing units; quota: of them, None for no end.
        rate: requests a second, None for any number.
    """

    paint: Painter
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    client_id: str = "client"
    client_secret: str = "secret"
    tokens: set[str] = field(default_factory=set)
    given: int = 0
    lasts: float = 3600
    prefix: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    spent: float = 0.0
    quota: float | None = None
    rate: int | None = None
    refused: int = 0
    page: int = 100
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    window: list[float] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def token_url(self) -> str:
        return self.url + TOKEN

    def fault(self, path: str) -> str:
        with self.lock:
            for fault in self.faults:
                if fault.where in path and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault.kind
        return ""

    def too_fast(self) -> float:
        if self.rate is None:
            return 0.0
        with self.lock:
            now = time.monotonic()
            self.window = [t for t in self.window if now - t < 1.0]
            if len(self.window) < self.rate:
                self.window.append(now)
                return 0.0
            self.refused += 1
            return max(0.01, 1.0 - (now - self.window[0]))


def entry(name: str, when: str, collection: str = "sentinel-2-l2a", **properties: Any) -> dict[str, Any]:
    """An entry as the catalogue has it."""
    return {
        "type": "Feature", "id": name, "collection": collection, "stac_version": "1.0.0",
        "links": [{"rel": "self", "href": "https://example.org/?sig=linksecret"}], "assets": {"data": {"href": "s3://x"}},
        "properties": {"datetime": when, **properties},
    }  # fmt: skip


def units(rows: int, cols: int, bands: int, floats: bool, terrain: bool) -> float:
    """The published rule, written a second time."""
    cost = max(rows * cols / 262144, 0.01) * bands / 3
    return max(0.005, cost * (2 if floats else 1) * (2.5 if terrain else 1))


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1."""

    protocol_version = "HTTP/1.1"
    wbufsize = 2**17
    hub: Hub

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._choose(urlsplit(self.path).path, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _choose(self, path: str, body: bytes) -> None:
        hub = self.hub
        with hub.lock:
            hub.asked[path] += 1
            hub.agents.add(self.headers.get("User-Agent", ""))
        if path != TOKEN and (wait := hub.too_fast()):
            return self._error(429, "RATE_LIMIT_EXCEEDED", "slow down", {"Retry-After": f"{wait * 1000:.0f}"})
        kind = hub.fault(path)
        if kind and self._fails(kind):
            return None
        if path == TOKEN:
            return self._token(body, kind)
        held = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if kind == "revoke-once":
            hub.tokens.discard(held)
        if held not in hub.tokens or kind == "401":
            return self._error(401, "COMMON_UNAUTHORIZED", f"Unauthorized: {held}")
        sent = json.loads(body)
        with hub.lock:
            hub.bodies.append({"path": path, **sent})
        return self._search(sent, kind) if path == SEARCH else self._process(sent, kind)

    def _fails(self, kind: str) -> bool:
        """Break off or answer wrongly; False where the answer itself is to be spoilt."""
        hub = self.hub
        if kind == "hang":
            hub.stopping.wait(60)
            self.close_connection = True
        elif kind == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.flush()
            while not hub.stopping.wait(0.1):
                self.wfile.write(b"I")
                self.wfile.flush()
            self.close_connection = True
        elif kind == "reset":
            self.connection.close()
            self.close_connection = True
        elif kind == "html":
            self._send(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
        elif kind == "empty":
            self._send(200, b"", {"Content-Type": "image/tiff"})
        elif kind == "garbage":
            self._send(200, b"{'no': json")
        elif kind == "json":
            self._send(200, b'{"status": "ok"}', {"Content-Type": "application/json"})
        elif kind == "list":
            self._send(200, b"[1, 2]", {"Content-Type": "application/json"})
        elif kind == "deep":
            self._send(200, b"[" * 60_000, {"Content-Type": "application/json"})
        elif kind == "redirect":
            self._send(302, b"", {"Location": "http://127.0.0.2:9/secret"})
        elif kind == "huge":
            self._send(200, b"II*\0" + bytes(12_000_000), {"Content-Type": "image/tiff"})
        elif kind.startswith("429"):
            pause = {
                "429": "20",
                "429-ms": "1500",
                "429-date": "Wed, 21 Oct 2015 07:28:00 GMT",
                "429-words": "soon",
                "429-negative": "-5",
                "429-inf": "inf",
                "429-year": "31536000000",
                "429-fraction": "0.1",
            }[kind]
            self._error(429, "RATE_LIMIT_EXCEEDED", "too many", {"Retry-After": pause})
        elif kind == "403-quota":
            self._error(403, "ACCESS_INSUFFICIENT_PROCESSING_UNITS", "Insufficient processing units or requests quota")
        elif kind == "403-rights":
            self._error(403, "COMMON_INSUFFICIENT_PERMISSIONS", "not for you")
        elif kind == "400":
            self._error(
                400,
                "COMMON_BAD_PAYLOAD",
                f"Invalid request of {hub.client_id} {hub.client_secret} with {self.headers.get('Authorization')}",
            )
        elif kind.isdigit() and kind != "401":
            self._error(int(kind), "RENDERER_EXCEPTION", "no")
        else:
            return False
        return True

    def _token(self, body: bytes, kind: str) -> None:
        hub, form = self.hub, {key: values[0] for key, values in parse_qs(body.decode()).items()}
        known = (form.get("client_id"), form.get("client_secret")) == (hub.client_id, hub.client_secret)
        if form.get("grant_type") != "client_credentials" or not known or kind == "401":
            words = {"error": "invalid_client", "error_description": f"bad {form.get('client_secret')}"}
            return self._send(401, json.dumps(words).encode())
        # A JSON web token, as the services give: the library reads the client's name in it.
        claims = base64.urlsafe_b64encode(json.dumps({"azp": hub.client_id}).encode()).decode().rstrip("=")
        head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        token = f"{head}.{claims}.{hub.prefix}{secrets.token_urlsafe(24)}"
        with hub.lock:
            hub.given += 1
            hub.tokens.add(token)
        answer: dict[str, Any] = {"access_token": token, "expires_in": hub.lasts, "token_type": "Bearer"}
        if kind == "no-token":
            del answer["access_token"]
        elif kind == "odd-token":
            answer["access_token"] = "x\r\nHost: evil"
        elif kind == "odd-life":
            answer["expires_in"] = "soon"
        elif kind == "dead":
            answer["expires_in"] = -1
        return self._json(answer)

    def _search(self, sent: dict[str, Any], kind: str) -> None:
        hub = self.hub
        (collection,) = sent["collections"]
        first, _, last = sent["datetime"].partition("/")
        found = [
            i for i in hub.items.get(collection, []) if first <= str(i["properties"].get("datetime", first)) <= last
        ]
        found.sort(key=lambda i: str(i["properties"].get("datetime")))
        at, size = int(sent.get("next") or 0), min(hub.page, sent.get("limit", 10))
        page: dict[str, Any] = {"type": "FeatureCollection", "features": found[at : at + size], "links": []}
        following = at if kind == "endless" else at + size if at + size < len(found) else None
        page["context"] = {
            "limit": size,
            "returned": len(page["features"]),
            **({} if following is None else {"next": following}),
        }
        if kind == "links-only":
            del page["context"]
            if following is not None:
                page["links"] = [
                    {"rel": "next", "href": hub.url + SEARCH, "method": "POST", "body": {"next": following}}
                ]
        elif kind == "no-features":
            del page["features"]
        elif kind == "odd-features":
            page["features"] = ["x", 7]
        elif kind == "null-features":
            page["features"] = None
        self._json(page)

    def _process(self, sent: dict[str, Any], kind: str) -> None:
        hub, bounds, output = self.hub, sent["input"]["bounds"], sent["output"]
        (data,) = sent["input"]["data"]
        width, height = output["width"], output["height"]
        if width > MOST_PX or height > MOST_PX:
            return self._error(400, "COMMON_BAD_PAYLOAD", f"must be at most {MOST_PX}")
        match = re.fullmatch(r"http://www\.opengis\.net/def/crs/EPSG/0/(\d+)", bounds["properties"]["crs"])
        assert match is not None
        left, bottom, right, top = bounds["bbox"]
        grid = Grid(
            f"EPSG:{match.group(1)}",
            Affine((right - left) / width, 0, left, 0, -(top - bottom) / height, top),
            (height, width),
        )
        script = sent["evalscript"]
        bands = tuple(re.findall(r'"(\w+)"', re.search(r"bands: \[(.*?)\]", script).group(1)))  # type: ignore[union-attr]
        dtype = re.search(r'sampleType: "(\w+)"', script).group(1).lower()  # type: ignore[union-attr]
        terrain = data.get("processing", {}).get("backCoeff") == "GAMMA0_TERRAIN"
        cost = units(height, width, len(bands) - 1, dtype == "float32", terrain)
        if hub.quota is not None and hub.spent + cost > hub.quota:
            return self._error(403, "ACCESS_INSUFFICIENT_PROCESSING_UNITS", "Insufficient processing units")
        span = tuple(
            datetime.fromisoformat(data["dataFilter"]["timeRange"][key].replace("Z", "+00:00"))
            for key in ("from", "to")
        )
        if bands[0] == "sunAzimuthAngles":
            degrees = zip(bands, (*ANGLES, 1), strict=True)
            painted = {band: np.full(grid.shape, value) for band, value in degrees}
        else:
            painted = hub.paint(data["type"], grid, span, bands)  # type: ignore[arg-type]
        numbers = np.stack([painted[band].astype(dtype) for band in bands])
        with hub.lock:
            hub.spent += cost
        headers = {"Content-Type": "image/tiff", "X-ProcessingUnits-Spent": f"{cost}"}
        if kind == "no-units":
            del headers["X-ProcessingUnits-Spent"]
        elif kind == "odd-units":
            headers["X-ProcessingUnits-Spent"] = "nan"
        elif kind == "odd-type":
            headers["Content-Type"] = "image/png"
        return self._image(spoilt(numbers, grid, kind), headers, kind)

    def _image(self, body: bytes, headers: dict[str, str], kind: str) -> None:
        if kind == "truncated":
            body = body[: len(body) // 2]
        elif kind == "header-only":
            body = body[:8]
        elif kind == "flipped":
            body = body[:4] + bytes(b ^ 0xFF for b in body[4:64]) + body[64:]
        if kind == "short":  # less than was promised
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
        elif kind == "unannounced":  # half, and nothing promised
            self.send_response(200)
            for key, value in {**headers, "Connection": "close"}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self._send(200, body, headers)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        body = {"error": {"status": status, "reason": "no", "message": message, "code": code}}
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def spoilt(numbers: NDArray[Any], grid: Grid, kind: str) -> bytes:
    """A GeoTIFF of what was asked, or of something else."""
    crs: str | None = grid.crs
    transform = grid.transform
    if kind == "small":
        numbers = numbers[:, 1:, 1:]
    elif kind == "beside":
        transform = Affine(grid.transform.a, 0, grid.transform.c + 5, 0, grid.transform.e, grid.transform.f)
    elif kind == "zone":
        crs = "EPSG:32647"
    elif kind == "nowhere":
        crs = None
    elif kind == "bands":
        numbers = numbers[:-1]
    elif kind == "bytes":
        numbers = numbers.astype(np.uint8)
    elif kind == "floats":
        numbers = numbers.astype(np.float64)
    elif kind == "mask":
        numbers[-1] = 7
    elif kind == "blank":
        numbers[-1] = 0
    elif kind == "png":
        with io.BytesIO() as file:
            Image.fromarray(numbers[0].astype(np.uint8)).save(file, "PNG")
            return file.getvalue()
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": numbers.dtype.name, "count": len(numbers), "height": numbers.shape[1],
        "width": numbers.shape[2], "crs": crs, "transform": transform, "compress": "deflate",
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as image:
            image.write(numbers)
        return bytes(memory.read())


@contextmanager
def serving(paint: Painter) -> Iterator[Hub]:
    """Serve, with an empty catalogue to fill."""
    hub = Hub(paint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield hub
    finally:
        hub.stopping.set()
        server.shutdown()
        server.server_close()
