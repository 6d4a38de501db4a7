"""Addresses that may be asked."""

from __future__ import annotations

import pytest

from geo.errors import ConfigurationError
from geo.providers.addresses import checked, is_allowed


def test_an_address_is_given_back_without_its_last_slash() -> None:
    assert checked("https://a.org/stac/", "source") == "https://a.org/stac"
    assert checked("http://[::1]:80", "source") == "http://[::1]:80"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.org",
        "a.org",
        "",
        "http://a.org",
        "https://u:p@a.org",
        "https://a.org:x",
        "https://",
        "https://a.org\\@b.org",
    ],
)
def test_what_is_not_safe_is_refused_and_the_setting_named(url: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        checked(url, "SH_BASE_URL")
    assert "u:p" not in str(told.value)


def test_a_host_is_matched_whole() -> None:
    assert is_allowed("https://A.org/x", ("a.org",))
    assert not is_allowed("https://a.org.evil.net/x", ("a.org",))
    assert not is_allowed("https://me@a.org/x", ("a.org",))
