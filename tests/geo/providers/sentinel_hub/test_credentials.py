"""Whom to ask: a secret never goes to a service that it is not of."""

from __future__ import annotations

import pickle

import pytest

from geo.errors import ConfigurationError
from geo.providers.sentinel_hub import Credentials, endpoint_for

OWN = "https://hub.example.org"


def test_the_free_service_is_the_default_and_both_are_known_by_name() -> None:
    assert endpoint_for() == endpoint_for("copernicus")
    assert endpoint_for("commercial").base_url == "https://services.sentinel-hub.com"
    assert endpoint_for("copernicus").token_url.startswith("https://identity.dataspace.copernicus.eu/")


def test_a_region_of_a_known_service_uses_its_tokens() -> None:
    assert endpoint_for(base_url="https://creodias.sentinel-hub.com/").token_url == endpoint_for("commercial").token_url
    found = endpoint_for(base_url="https://sh.dataspace.copernicus.eu")
    assert found.token_url == endpoint_for("copernicus").token_url


@pytest.mark.parametrize(
    "words",
    [
        {"name": "nasa"},
        {"base_url": OWN},
        {"base_url": "https://services.sentinel-hub.com.example.org"},
        {"base_url": "https://evil-sentinel-hub.com"},
        {"token_url": f"{OWN}/token"},
        {"base_url": "http://hub.example.org", "token_url": f"{OWN}/token"},
        {"base_url": OWN, "token_url": "http://hub.example.org/token"},
        {"base_url": "https://me:secret@hub.example.org", "token_url": f"{OWN}/token"},
        {"base_url": "file:///etc", "token_url": f"{OWN}/token"},
        {"base_url": "https://hub.example.org:port", "token_url": f"{OWN}/token"},
    ],
    ids=str,
)
def test_addresses_that_are_not_safe_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as told:
        endpoint_for(**words)
    assert "secret@" not in str(told.value)


def test_two_addresses_make_a_service_and_plain_http_stays_on_this_machine() -> None:
    assert endpoint_for(base_url=OWN + "/", token_url=f"{OWN}/token").base_url == OWN
    assert endpoint_for(base_url="http://127.0.0.1:8000", token_url="http://localhost:1/token").name == "127.0.0.1"


@pytest.mark.parametrize("pair", [("", "x"), ("x", ""), ("a\nb", "x"), ("a", "é"), ("a", "x" * 1001)])
def test_what_cannot_be_a_secret_is_refused_without_being_shown(pair: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError) as told:
        Credentials(*pair)
    assert "é" not in str(told.value)


def test_stars_are_all_that_shows() -> None:
    held = Credentials("planted-id", "planted-secret")
    assert "planted" not in f"{held} {held!r} {held!s} {[held]}"
    assert pickle.loads(pickle.dumps(held)).client_secret == "planted-secret"
