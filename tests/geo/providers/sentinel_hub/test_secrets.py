"""Five planted secrets: whatever goes wrong, none is in a log, a message, a traceback, a file or a record."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hubworld import FIRST, HASTY, NOW, TILE, paint, site
from services.sentinel_hub import PROCESS, SEARCH, TOKEN, Fault, Hub, entry, serving

from geo import archive
from geo.errors import ConfigurationError, SitewatchError
from geo.providers.sentinel_hub import Credentials, SentinelHub, endpoint_for, sensors_named
from geo.scene import Query

SITE = Query(grid=site(40))
CLIENT, SECRET, TOKEN_PART, LINK, USER = (
    "sh-PLANTED-client-8c1f", "PLANTED&secret/9+x=", "PLANTEDtoken", "PLANTEDsignature", "PLANTEDuser",
)  # fmt: skip
ALL = (CLIENT, SECRET, TOKEN_PART, LINK, USER)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(paint) as running:
        running.client_id, running.client_secret, running.prefix = CLIENT, SECRET, TOKEN_PART
        made = entry(TILE, FIRST, platform="sentinel-2a")
        made["links"] = [{"rel": "self", "href": f"https://{USER}:x@example.org/a?sig={LINK}"}]
        made["properties"]["source"] = {"at": [f"made of https://{USER}:x@example.org/b?sig={LINK} today"]}
        made["assets"] = {"data": {"href": f"https://example.org/a.tif?sig={LINK}"}}
        running.items["sentinel-2-l2a"] = [made]
        yield running


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("", ""), ("400", PROCESS), ("400", SEARCH), ("401", PROCESS), ("401", TOKEN), ("400", TOKEN), ("500", PROCESS),
        ("hang", TOKEN), ("reset", TOKEN), ("reset", PROCESS), ("html", TOKEN), ("garbage", SEARCH), ("no-token", TOKEN),
        ("truncated", PROCESS), ("redirect", TOKEN), ("429", PROCESS), ("403-quota", PROCESS), ("odd-token", TOKEN),
    ],
    ids=lambda v: v.rsplit("/", 1)[-1],
)  # fmt: skip
def test_no_secret_shows(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], kind: str, where: str
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    if kind:
        hub.faults.append(Fault(kind, where))
    source = SentinelHub(
        endpoint_for(base_url=hub.url, token_url=hub.token_url),
        Credentials(CLIENT, SECRET),
        clock=lambda: NOW,
        sensors=sensors_named(("sentinel-2-l2a",)),
        limits=HASTY,
        token_limits=HASTY,
    )
    said = [repr(source), repr(source._session), repr(source._session.web)]
    try:
        (scene,) = source.search(SITE)
        path, provenance = source.fetch(scene, SITE, tmp_path)
        archive.keep(tmp_path / "archive", "wood", scene, provenance, path)
        said += [repr(scene), repr(provenance)]
    except SitewatchError as error:
        assert kind
        told = traceback.TracebackException.from_exception(error, capture_locals=False)
        said += ["".join(told.format()), repr(error), *(repr(e) for e in _chain(error))]
    said += [repr(source), repr(source._session), repr(source._session._token), *capfd.readouterr()]
    said += [record.getMessage() for record in caplog.records]
    said += [p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file()]
    assert any("HTTP connection" in line for line in said), "nothing was logged; the test sees nothing"
    whole = "\n".join(said)
    found = [secret for secret in ALL if secret in whole or json.dumps(secret)[1:-1] in whole]
    assert found == []


def test_the_library_is_never_told_a_secret(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even those that lie in the environment for it."""
    from geo.providers.sentinel_hub import asking

    monkeypatch.setenv("SH_CLIENT_ID", CLIENT)
    monkeypatch.setenv("SH_CLIENT_SECRET", SECRET)
    config = asking._config(endpoint_for())
    assert (config.sh_client_id, config.sh_client_secret) == ("", "")


def test_a_secret_goes_to_the_token_address_only_and_a_token_to_the_service_only(hub: Hub, tmp_path: Path) -> None:
    with serving(paint) as tokens:
        tokens.client_id, tokens.client_secret = CLIENT, SECRET
        hub.tokens = tokens.tokens
        source = SentinelHub(
            endpoint_for(base_url=hub.url, token_url=tokens.token_url),
            Credentials(CLIENT, SECRET),
            clock=lambda: NOW,
            sensors=sensors_named(("sentinel-2-l2a",)),
            limits=HASTY,
            token_limits=HASTY,
        )
        (scene,) = source.search(SITE)
        source.fetch(scene, SITE, tmp_path)
        assert set(tokens.asked) == {TOKEN}
        assert set(hub.asked) == {SEARCH, PROCESS}
        with pytest.raises(ConfigurationError, match="made for"):
            source._session.ask("https://services.sentinel-hub.com/api/v1/process", {}, most_bytes=1, accept="*")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
