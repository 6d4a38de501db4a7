"""Who asks and whom: environment before file, a file for its owner's eyes only, and what a month has cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geo import archive
from geo.errors import ConfigurationError
from geo.providers.sentinel_hub import endpoint_for
from geo.scene import Provenance, Scene
from pipelines.acquire.account import account, units_spent, where, who

NOW = datetime(2024, 3, 10, tzinfo=UTC)
ENV = {"SH_CLIENT_ID": "planted-id", "SH_CLIENT_SECRET": "planted-secret"}


def written(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = folder / "hub.toml"
    path.write_text(text)
    path.chmod(mode)
    return {"credentials": str(path)}


def test_the_environment_counts_first_then_a_private_file(tmp_path: Path) -> None:
    options = written(tmp_path, 'client_id = "of-file"\nclient_secret = "s"\n')
    assert who(options, {}).client_id == "of-file"
    assert who(options, ENV).client_id == "planted-id"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    options = written(tmp_path, 'client_id = "planted"\nclient_secret = "planted"\n', mode)
    with pytest.raises(ConfigurationError, match="chmod 600") as told:
        who(options, {})
    assert "planted" not in str(told.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    "text",
    ["", "planted", 'client_id = "planted"', "client_id = 7\nclient_secret = 8", 'client_id = "planted', "\xff" * 9],
)
def test_a_file_without_both_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        who(written(tmp_path, text), {})
    assert "planted" not in str(told.value).replace(str(tmp_path), "")
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    ("options", "environ", "words"),
    [
        ({}, {}, "SH_CLIENT_ID and SH_CLIENT_SECRET"),
        ({}, {"SH_CLIENT_ID": "x"}, "only one"),
        ({}, {"SH_CLIENT_SECRET": "x"}, "only one"),
        ({"credentials": "hub.toml"}, {}, "whole path"),
        ({"credentials": "/nowhere/hub.toml"}, {}, "cannot be read"),
        ({"credentials": "/dev/null"}, {}, "no file"),
    ],
)
def test_credentials_that_are_lacking_are_asked_for(
    options: Mapping[str, str], environ: Mapping[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        who(options, environ)


def test_the_endpoint_is_that_of_the_command_line_then_the_environment_then_the_settings() -> None:
    own = {"SH_BASE_URL": "https://a.example.org", "SH_TOKEN_URL": "https://a.example.org/token"}
    settings = {"endpoint": "commercial"}
    assert where(None, {}, {}) == endpoint_for("copernicus")
    assert where(None, settings, {}) == endpoint_for("commercial")
    assert where(None, settings, own).base_url == "https://a.example.org"
    assert where("copernicus", settings, own) == endpoint_for("copernicus")
    assert where("https://b.example.org", {}, own).token_url == "https://a.example.org/token"
    with pytest.raises(ConfigurationError, match="SH_TOKEN_URL"):
        where("https://b.example.org", {}, {})


def test_settings_that_are_none_are_named() -> None:
    with pytest.raises(ConfigurationError, match="client_secret"):
        account(None, {"client_secret": "planted"}, ENV, None, NOW)
    with pytest.raises(ConfigurationError, match="sentinel-9"):
        account(None, {"collections": "sentinel-9"}, ENV, None, NOW)
    with pytest.raises(ConfigurationError, match="B99"):
        account(None, {"bands": "B02, B99"}, ENV, None, NOW)
    few = account(None, {"bands": "B08, B02 B03,B04"}, ENV, None, NOW)
    assert few.sensors[0].asked == ("B02", "B03", "B04", "B08", "SCL")
    for value in ("many", True, -1, float("nan")):
        with pytest.raises(ConfigurationError, match="monthly_units"):
            account(None, {"monthly_units": value}, ENV, None, NOW)


def test_a_month_is_counted_over_all_sites_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(b"x")
    root = tmp_path / "archive"

    def kept(site: str, day: int, received: str, units: object, provider: str = "sentinel-hub") -> None:
        scene = Scene(id=f"s{day}", time=datetime(2019, 1, day, tzinfo=UTC), sensor="sentinel-2-l2a", href="x")
        made = Provenance(
            provider=provider,
            request={},
            received=datetime.fromisoformat(received),
            response={"processing_units": units},
        )
        archive.keep(root, site, scene, made, tmp_path / "x.tif")

    kept("wood", 1, "2024-03-01T00:00:00+00:00", 1.5)
    kept("hill", 2, "2024-03-31T23:59:59+00:00", 0.25)
    kept("wood", 3, "2024-02-29T23:59:59+00:00", 10)  # the month before
    kept("wood", 4, "2024-04-01T01:00:00+02:00", 4)  # by UTC still this month
    kept("wood", 5, "2024-03-05T00:00:00+00:00", 99, provider="stac")
    kept("wood", 6, "2024-03-05T00:00:00+00:00", "unknown")
    assert units_spent(root, NOW) == pytest.approx(5.75)
    assert account(None, {"monthly_units": 7}, ENV, root, NOW).budget.spent == pytest.approx(5.75)
    assert units_spent(tmp_path / "nowhere", NOW) == units_spent(None, NOW) == 0
