"""A STAC API and a file store with ranges, on loopback: counts what is asked, and fails on request."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 10


@dataclass
class Fault:
    """What goes wrong: `kind`, for paths that contain `where`, `times` times (None: always)."""

    kind: str
    where: str = "/files/"
    times: int | None = None


@dataclass
class Store:
    """What the service holds and what it was asked.

    Attributes:
        root: folder of the files under /files/.
        items: the catalogue.
        faults: see `Fault`.
        asked: path to number of requests; `sent` to bytes.
        rate: requests a second that are let through, None for all.
        token: what a file's address must end in, empty for nothing.
    """

    root: Path
    items: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    rate: int | None = None
    refused: int = 0
    token: str = ""
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    window: list[float] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def fault(self, path: str) -> str:
        """The kind of the first fault that holds for a path; counts it."""
        with self.lock:
            for fault in self.faults:
                if fault.where in path and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault.kind
        return ""

    def too_fast(self) -> float:
        """Seconds to wait, 0 where a request may pass."""
        if self.rate is None:
            return 0.0
        with self.lock:
            now = time.monotonic()
            self.window = [t for t in self.window if now - t < 1.0]
            if len(self.window) < self.rate:
                self.window.append(now)
                return 0.0
            self.refused += 1
            if not self.window:
                return 60.0
            return max(0.01, 1.0 - (now - self.window[0]))

    def search(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The items that answer a query, oldest first."""
        first, _, last = body.get("datetime", "../..").partition("/")
        west, south, east, north = body.get("bbox", (-180, -90, 180, 90))

        def meets(item: dict[str, Any]) -> bool:
            when = str(item.get("properties", {}).get("datetime"))
            box = item.get("bbox") or (-180, -90, 180, 90)
            return (
                item.get("collection") in body.get("collections", [item.get("collection")])
                and (first == ".." or when >= first)
                and (last == ".." or when <= last)
                and not (box[0] > east or box[2] < west or box[1] > north or box[3] < south)
            )

        return sorted((i for i in self.items if meets(i)), key=lambda i: str(i.get("properties", {}).get("datetime")))


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with ranges."""

    protocol_version = "HTTP/1.1"
    wbufsize = 2**17  # header and body in one packet, or each answer waits 40 ms for Nagle's algorithm
    store: Store

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer({}, head=True)

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(json.loads(body))

    def _answer(self, body: dict[str, Any], head: bool = False) -> None:
        try:
            self._choose(body, head)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _choose(self, body: dict[str, Any], head: bool) -> None:
        store, parts = self.store, urlsplit(self.path)
        with store.lock:
            store.asked[parts.path] += 1
            store.log.append(parts.path)
        if wait := store.too_fast():
            return self._send(429, b"slow down", {"Retry-After": f"{wait:.2f}"})
        kind = store.fault(parts.path)
        if kind and self._fails(kind):
            return None
        if parts.path.startswith("/files/"):
            return self._file(parts.path.removeprefix("/files/"), parts.query, kind, head)
        if parts.path == "/stac/search":
            self._page(body or {k: v[0] for k, v in parse_qs(parts.query).items()}, kind)
        elif parts.path == "/stac":
            self._json(_landing(store))
        elif parts.path.startswith("/token/"):
            until = datetime.now(UTC) + timedelta(minutes=45)
            self._json({"token": store.token, "msft:expiry": until.isoformat()})
        else:
            self._send(404, b"{}")
        return None

    def _fails(self, kind: str) -> bool:
        """Break off or answer wrongly; False where the answer itself is to be spoilt."""
        if kind == "hang":
            self.store.stopping.wait(60)
            self.close_connection = True
        elif kind == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.flush()
            while not self.store.stopping.wait(0.1):
                self.wfile.write(b"I")
                self.wfile.flush()
            self.close_connection = True
        elif kind == "reset":
            self.connection.close()
            self.close_connection = True
        elif kind == "html":
            self._send(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
        elif kind == "garbage":
            self._send(200, b"{'no': json")
        elif kind == "redirect":
            self._send(302, b"", {"Location": "http://127.0.0.2:9/secret"})
        elif kind.isdigit():
            self._send(int(kind), b"no", {"Retry-After": "0"} if kind == "429" else {})
        elif kind == "429-date":
            self._send(429, b"no", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
        else:
            return False
        return True

    def _file(self, name: str, query: str, kind: str, head: bool) -> None:
        path = self.store.root / name
        if self.store.token and query != self.store.token:
            return self._send(403, b"expired")
        if not path.is_file():
            return self._send(404, b"gone")
        data = path.read_bytes()
        if kind == "truncated":
            data = data[: len(data) // 3]
        etag = f'"{len(data)}-{path.stat().st_mtime_ns}"'
        facts = {
            "ETag": etag,
            "Last-Modified": self.date_time_string(int(path.stat().st_mtime)),
            "Accept-Ranges": "bytes",
        }
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes=") or kind == "no-range":
            return self._send(200, data, facts, head=head)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
        if start >= len(data):
            return self._send(416, b"")
        facts["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        part = data[start:stop]
        with self.store.lock:
            self.store.sent[name] += len(part)
        if kind == "short":
            self.send_response(206)
            for key, value in {**facts, "Content-Length": str(len(part))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
            return None
        return self._send(206, part, facts)

    def _page(self, body: dict[str, Any], kind: str) -> None:
        with self.store.lock:
            self.store.bodies.append(body)
        found, at = self.store.search(body), int(body.get("token", 0))
        page = found[at : at + PAGE]
        answer: dict[str, Any] = {"type": "FeatureCollection", "features": page, "links": []}
        if at + PAGE < len(found) or kind == "endless":
            token = at if kind == "endless" else at + PAGE
            link = {
                "rel": "next",
                "href": f"{self.store.url}/stac/search",
                "method": "POST",
                "merge": True,
                "body": {"token": token},
            }
            answer["links"] = [link]
        self._json(answer)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/geo+json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, head: bool = False) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if not head:
            self.wfile.write(body)


def _landing(store: Store) -> dict[str, Any]:
    links = [
        {"rel": "self", "href": f"{store.url}/stac"},
        {"rel": "root", "href": f"{store.url}/stac"},
        {"rel": "search", "href": f"{store.url}/stac/search", "method": "POST", "type": "application/geo+json"},
    ]
    core = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
    return {
        "type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "test", "conformsTo": core, "links": links,
    }  # fmt: skip


@contextmanager
def serving(root: Path, kind: type[Store] = Store) -> Iterator[Store]:
    """Serve a folder as a store, with an empty catalogue to fill."""
    store = kind(root)
    handler = type("Bound", (Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        store.stopping.set()
        server.shutdown()
        server.server_close()
