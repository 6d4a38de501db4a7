"""`doctor --online` says which service answers, whose clock differs, and nothing secret."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from runs import sitewatch
from services.stac import Fault, Store, serving

from geo.providers.web import Answer
from pipelines.doctor import doctor
from pipelines.reaching import reach


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with serving(tmp_path / "store") as running:
        yield running


def findings(workspace: Path, now: datetime, environ: dict[str, str]) -> dict[str, tuple[str, str]]:
    report = doctor(workspace, environ=environ, now=now, online=True)
    return {f.check: (f.verdict, f.found) for f in report.findings if f.check.startswith("service")}


def test_what_answers_what_does_not_and_whose_clock_is_off(tmp_path: Path, store: Store) -> None:
    sitewatch("init", tmp_path / "w")
    source = f"{store.url}/stac"
    (tmp_path / "w" / "sitewatch.toml").write_text(f'[providers.stac]\nsource = "{source}"\n')
    now = datetime.now(UTC)
    secret = {"SH_CLIENT_ID": "the-id", "SH_CLIENT_SECRET": "the-secret", "SH_BASE_URL": store.url}
    told = findings(tmp_path / "w", now, secret)
    assert told[f"service {source}"] == ("ok", "answers (status 200).")
    assert told[f"service {store.url}"][0] == "ok"
    assert "the-" not in json.dumps(told)
    verdict, found = findings(tmp_path / "w", now + timedelta(hours=2), {})[f"service {source}"]
    assert verdict == "warn"
    assert "behind" in found
    store.faults.append(Fault("500", "/stac"))
    assert findings(tmp_path / "w", now, {})[f"service {source}"][0] == "warn"


def test_a_service_that_hangs_takes_seconds_not_minutes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from geo.providers.stac import Limits
    from pipelines import reaching

    assert reaching.SHORT.total_s + reaching.SHORT.answer_s <= 20
    monkeypatch.setattr(
        reaching, "SHORT", Limits(connect_s=0.2, read_s=0.2, answer_s=0.4, total_s=1, tries=2, backoff_s=0.1)
    )
    store.faults.append(Fault("hang", "/"))
    start = time.monotonic()
    (reached,) = reach({"stac": {"source": f"{store.url}/stac"}}, {}, datetime.now(UTC))
    assert not reached.ok
    assert time.monotonic() - start < 15  # hung servers would hold it for ever


def test_an_account_is_spoken_of_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default nobody's address is asked; with a client or settings both of Copernicus's are."""
    from pipelines import reaching

    asked: list[str] = []
    monkeypatch.setattr(
        reaching,
        "landing",
        lambda endpoint, limits: asked.append(endpoint.url) or Answer(status=405, headers={}, body=b""),
    )
    for settings, environ, hosts in (
        ({"stac": {"source": "earth-search"}}, {}, 1),
        ({"stac": {"source": "earth-search"}}, {"SH_CLIENT_ID": "x"}, 3),
        ({"stac": {"source": "earth-search"}, "sentinel_hub": {"endpoint": "commercial"}}, {}, 3),
        ({"stac": {"source": "earth-search"}, "sentinel_hub": {"endpoint": "nobody"}}, {}, 1),
    ):
        asked.clear()
        assert all(reached.ok for reached in reach(settings, environ, datetime.now(UTC)))
        assert len(asked) == hosts


def test_a_refusal_is_an_answer(store: Store) -> None:
    """A token address refuses to be read: it is there."""
    store.faults.append(Fault("405", "/stac"))
    (reached,) = reach({"stac": {"source": f"{store.url}/stac"}}, {}, datetime.now(UTC))
    assert reached.ok
    assert "405" in reached.said


def test_nothing_is_asked_unless_wanted(tmp_path: Path, store: Store) -> None:
    sitewatch("init", tmp_path / "w")
    (tmp_path / "w" / "sitewatch.toml").write_text(f'[providers.stac]\nsource = "{store.url}/stac"\n')
    sitewatch("doctor", "-w", tmp_path / "w")
    assert not store.asked
    sitewatch("doctor", "-w", tmp_path / "w", "--online")
    assert store.asked["/stac"] == 1
