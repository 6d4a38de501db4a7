"""Which service is asked, and which hosts may be read from."""

from __future__ import annotations

import pytest

from geo.errors import ConfigurationError
from geo.providers.addresses import is_allowed
from geo.providers.stac import endpoint_for
from geo.providers.stac.endpoints import ENDPOINTS


def test_names_addresses_and_settings() -> None:
    assert endpoint_for(None, {}).name == "earth-search"
    assert endpoint_for(None, {"source": "planetary-computer"}).token_url
    own = endpoint_for("https://stac.example.org/api/", {"collections": "a, b", "hosts": "files.example.org"})
    assert (own.url, own.collections) == ("https://stac.example.org/api", ("a", "b"))
    assert is_allowed("https://files.example.org/x.tif", own.hosts)
    assert not is_allowed("http://files.example.org/x.tif", own.hosts)  # plain http goes to this machine only
    assert not is_allowed("https://files.example.org.evil.net/x.tif", own.hosts)
    assert not is_allowed("https://files.example.org:8443/x.tif", own.hosts)


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("nobody", {}), ("http://example.org", {}), ("https://", {}), ("https://[", {}), ("file:///etc", {}),
        ("https://me:pw@example.org", {}), (None, {"cloud_cover": 20}), (None, {"token_url": "http://example.org/t"}),
    ],
)  # fmt: skip
def test_what_is_no_service_is_refused(source: str | None, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        endpoint_for(source, options)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_known_services_are_asked_over_https_and_credited(name: str) -> None:
    known = ENDPOINTS[name]
    assert known.url.startswith("https://")
    for collection in known.collections:
        assert known.licences[collection]
        assert "Copernicus" in known.credits[collection]
