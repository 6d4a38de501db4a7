"""Fixtures for all tests: no network but loopback, real imagery where it lies beside the project."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Machines differ in speed, not in truth; a red run must be red again for the next person.
settings.register_profile("sitewatch", deadline=None, derandomize=True)
settings.load_profile("sitewatch")

# Run by QGIS's own Python, and by `make bench`.
collect_ignore = ["qgis_probe.py", "qgis_reviewer.py", "faults/driver.py", "benchmarks"]

REAL_DATA = Path(os.environ.get("SITEWATCH_REAL_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if not (host.startswith("127.") or host in ("localhost", "::1")):
                raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def real_data() -> Path:
    """The folder of real imagery, or a skip that says so."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real imagery at {REAL_DATA.name}/ beside the project (set SITEWATCH_REAL_DATA)")
    return REAL_DATA
