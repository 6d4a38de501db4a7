"""The provider against a STAC API that somebody else wrote."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from services.stac import Store, serving
from stacworld import publish_wood, tile_grid

from geo.providers.stac import Stac, catalogue, endpoint_for
from geo.scene import Query

RUSTAC = shutil.which("rustac") or shutil.which("rustac", path=str(Path(sys.executable).parent))
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def rustac(tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """The address of a running API with 28 items, and the store of their files."""
    if RUSTAC is None:
        pytest.skip("rustac is not installed (pip install rustac)")
    with serving(tmp_path / "store") as store, socket.socket() as probe:
        for day in range(1, 29):
            publish_wood(
                store, f"S2A_48PUS_201901{day:02d}_0_L2A", f"2019-01-{day:02d}T03:21:30Z", bands=("red", "SCL")
            )
        items = tmp_path / "items.json"
        items.write_text(json.dumps({"type": "FeatureCollection", "features": store.items}))
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        with subprocess.Popen(
            [RUSTAC, "serve", "--addr", address, "--create-collections", str(items)], stdout=subprocess.DEVNULL
        ) as server:
            try:
                _wait(address)
                yield f"http://{address}", store
            finally:
                server.terminate()


def _wait(address: str) -> None:
    host, _, port = address.partition(":")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("rustac did not start")


@pytest.mark.slow
def test_search_pages_and_fetch(rustac: tuple[str, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PAGE_ITEMS", 5)
    url, store = rustac
    source = Stac(endpoint_for(url, {"hosts": store.url.removeprefix("http://")}), clock=lambda: NOW)
    span = Query(
        grid=tile_grid(120, left=300_000, top=1_200_000),
        start=datetime(2019, 1, 3, tzinfo=UTC),
        end=datetime(2019, 1, 20, tzinfo=UTC),
    )
    scenes = source.search(span)
    assert [s.time.day for s in scenes if s.time] == list(range(3, 20))
    assert source.refused == []
    assert source.fetch(scenes[0], span, tmp_path)[0].is_file()
    far = Query(grid=tile_grid(120, left=600_000, top=1_200_000))
    assert source.search(far) == []
