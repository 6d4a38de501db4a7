"""Whatever goes wrong at the service: told in time, by the right error, without half a scene, and mended next time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hubworld import FIRST, TILE, hub_provider, paint, site
from services.sentinel_hub import PROCESS, SEARCH, TOKEN, Fault, Hub, entry, serving

from geo.errors import ConfigurationError, InputError, SitewatchError, TemporaryError
from geo.providers.sentinel_hub import SentinelHub, sensors_named
from geo.scene import Query

SITE = Query(grid=site(40))
BOUND_S = 20.0
"""Of a busy machine; the client's own deadlines are 5 s for each question."""

NETWORK = (
    "hang",
    "drip",
    "reset",
    "500",
    "502",
    "503",
    "504",
    "418",
    "redirect",
    "html",
    "empty",
    "garbage",
    "json",
    "list",
    "deep",
    "huge",
)
PACE = ("429", "429-ms", "429-date", "429-words", "429-negative", "429-inf", "429-year", "429-fraction")
IMAGE = (
    "truncated", "header-only", "flipped", "short", "unannounced", "small", "beside", "zone", "nowhere", "bands",
    "bytes", "floats", "mask", "png", "odd-type",
)  # fmt: skip
CATALOGUE = ("endless", "no-features", "odd-features", "null-features")
TOKENS = ("no-token", "odd-token", "odd-life", "dead")

EXPECTED: dict[tuple[str, str], type[SitewatchError]] = {
    **{(kind, PROCESS): TemporaryError for kind in (*NETWORK, *PACE, *IMAGE, "403-quota")},
    **{(kind, SEARCH): TemporaryError for kind in (*NETWORK, *PACE, *CATALOGUE, "403-quota", "400")},
    **{(kind, TOKEN): TemporaryError for kind in (*NETWORK, *PACE, *TOKENS)},
    **{(kind, PROCESS): ConfigurationError for kind in ("401", "403-rights", "404")},
    **{(kind, SEARCH): ConfigurationError for kind in ("401", "403-rights", "404")},
    **{(kind, TOKEN): ConfigurationError for kind in ("400", "401", "403-rights", "404")},
    **{(kind, PROCESS): InputError for kind in ("400", "413", "blank")},
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(paint) as running:
        running.items["sentinel-2-l2a"] = [entry(TILE, FIRST, platform="sentinel-2a")]
        yield running


def run(source: SentinelHub, folder: Path) -> Path:
    (scene,) = source.search(SITE)
    return source.fetch(scene, SITE, folder)[0]


def provider(hub: Hub) -> SentinelHub:
    return hub_provider(hub, sensors=sensors_named(("sentinel-2-l2a",)))


def test_there_are_faults_enough() -> None:
    assert len({kind for kind, _ in EXPECTED}) >= 45


@pytest.mark.parametrize(("kind", "where"), list(EXPECTED), ids=lambda v: v.rsplit("/", 1)[-1])
def test_a_fault_is_told_in_time_and_mended_by_the_next_run(hub: Hub, tmp_path: Path, kind: str, where: str) -> None:
    hub.faults.append(Fault(kind, where))
    began = time.monotonic()
    with pytest.raises(SitewatchError) as told:
        run(provider(hub), tmp_path)
    assert time.monotonic() - began < BOUND_S
    assert type(told.value) is EXPECTED[kind, where]
    assert list(tmp_path.iterdir()) == []
    assert len(str(told.value)) < 400
    hub.faults.clear()
    assert run(provider(hub), tmp_path).is_file()


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("500", PROCESS), ("503", SEARCH), ("502", TOKEN), ("reset", PROCESS), ("short", PROCESS), ("429-ms", PROCESS),
        ("429-date", SEARCH), ("hang", TOKEN), ("unannounced", PROCESS), ("truncated", PROCESS), ("html", PROCESS),
        ("revoke-once", PROCESS), ("revoke-once", SEARCH), ("beside", PROCESS),
    ],
    ids=lambda v: v.rsplit("/", 1)[-1],
)  # fmt: skip
def test_what_passes_by_itself_is_no_fault(hub: Hub, tmp_path: Path, kind: str, where: str) -> None:
    hub.faults.append(Fault(kind, where, times=1))
    assert run(provider(hub), tmp_path).is_file()


def test_a_revoked_token_is_renewed_once_for_all(hub: Hub, tmp_path: Path) -> None:
    source = provider(hub)
    run(source, tmp_path)
    hub.tokens.clear()
    run(source, tmp_path)
    assert hub.given == 2


def test_a_short_lived_token_is_used_for_most_of_its_life(hub: Hub, tmp_path: Path) -> None:
    hub.lasts = 60
    source = provider(hub)
    for _ in range(3):
        run(source, tmp_path)
    assert hub.given == 1


def test_a_token_that_ends_is_renewed_before_it_does(hub: Hub, tmp_path: Path) -> None:
    hub.lasts = 0.5
    source = provider(hub)
    run(source, tmp_path)
    time.sleep(0.5)
    run(source, tmp_path)
    assert hub.given >= 2
    assert hub.asked[PROCESS] == 4  # none was refused


def test_an_image_without_its_price_is_charged_by_the_rule(hub: Hub, tmp_path: Path) -> None:
    for kind in ("no-units", "odd-units"):
        hub.faults[:] = [Fault(kind)]
        source = provider(hub)
        (scene,) = source.search(SITE)
        _, provenance = source.fetch(scene, SITE, tmp_path)
        assert provenance.response["processing_units"] == pytest.approx(
            source.estimate(scene, SITE)["processing_units"]
        )
        assert provenance.response["answers"][0]["processing_units_stated"] is False  # type: ignore[index]


def test_a_damaged_image_costs_and_is_counted(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault("truncated", times=1))
    source = provider(hub)
    (scene,) = source.search(SITE)
    _, provenance = source.fetch(scene, SITE, tmp_path)
    assert provenance.response["processing_units"] == pytest.approx(hub.spent)
    assert hub.asked[PROCESS] == 3


def test_a_refused_request_costs_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault("503"))
    source = provider(hub)
    (scene,) = source.search(SITE)
    before = source.budget.spent
    with pytest.raises(TemporaryError):
        source.fetch(scene, SITE, tmp_path)
    assert source.budget.spent == pytest.approx(before)


def test_a_service_that_bears_little_is_asked_more_slowly(hub: Hub, tmp_path: Path) -> None:
    hub.rate = 5
    source = provider(hub)
    for _ in range(6):
        run(source, tmp_path)
    assert hub.refused <= hub.asked[PROCESS]
    assert hub.spent > 0
