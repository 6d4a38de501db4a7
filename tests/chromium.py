"""A headless Chromium on a pipe: opens a page from disk and tells everything that it tried to do."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe",
)  # fmt: skip
_PATIENCE_S = 60.0


def find_chromium() -> str | None:
    """The path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Chromium:
    """One browser with one page. `events` holds everything that it told, in order."""

    def __init__(self, profile: Path, size: tuple[int, int] = (1280, 1000)) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [str(find_chromium()), *FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]

        # The browser reads commands from descriptor 3 and writes to 4. Both ends may have those numbers already.
        # No other thread runs here, so that a function before exec is safe.
        def wire() -> None:
            read, write = os.dup(to_read), os.dup(to_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            command, preexec_fn=wire,
            close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._rest, self._last, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._last += 1
        number = self._last
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def open(self, page: Path) -> None:
        """Open a page from disk and wait until it is loaded."""
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self._next()

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page (from outside, so the page's policy does not bind it)."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        """The page as printed."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])

    def complaints(self) -> list[str]:
        """Every dialog, console message, log entry, exception, broken policy, and request but the page's own."""
        found = []
        for event in self.events:
            method, params = event.get("method", ""), event.get("params", {})
            if method in ("Page.javascriptDialogOpening", "Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                          "Log.entryAdded", "Audits.issueAdded"):  # fmt: skip
                found.append(f"{method}: {json.dumps(params)[:400]}")
            if method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith("data:") and params.get("type") != "Document":
                    found.append(f"request: {url[:200]}")
            if method == "Page.frameRequestedNavigation":
                found.append(f"navigation: {params['url'][:200]}")
        return found

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self._read, 1 << 16) if ready else b""
            if not piece:
                raise RuntimeError("the browser does not answer")
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        event: dict[str, Any] = json.loads(message)
        if "method" in event:
            self.events.append(event)
        return event
