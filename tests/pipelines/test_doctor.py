"""The doctor finds what is wrong with a machine, says what to do, and tells no secret."""

import json
import os
import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyproj
import pytest
import sitefiles

from geo.errors import ConfigurationError
from pipelines import doctor as module
from pipelines import registry
from pipelines.doctor import Finding, Report, doctor

NOW = datetime.now(UTC) + timedelta(hours=1)
SECRET = "very-secret-value"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with one good site."""
    registry.init(tmp_path / "w")
    (tmp_path / "w/aois/test-site.geojson").write_text(json.dumps(sitefiles.document()))
    return tmp_path / "w"


def check(name: str, workspace: Path, environ: dict[str, str] | None = None, now: datetime = NOW) -> Finding:
    report = doctor(workspace, environ=environ or {}, now=now)
    (found,) = [f for f in report.findings if f.check == name]
    for f in report.findings:
        assert SECRET not in f.found + f.way_out
        assert f.found.endswith((".", "?"))
        if f.verdict == "fail" and f.check not in ("settings", "sites"):
            assert f.way_out
    return found


def test_a_healthy_machine_passes(workspace: Path) -> None:
    """Nothing fails, nothing is left behind, the report is plain JSON."""
    before = sorted(workspace.rglob("*"))
    report = doctor(workspace, environ={}, now=NOW)
    assert report.failed == ()
    report.raise_for_faults()
    assert sorted(workspace.rglob("*")) == before
    assert json.loads(json.dumps(report.to_json()))["ok"] is True
    assert all(line[:4] in ("ok  ", "warn") for line in report.lines())


def test_failures_are_a_configuration_error(workspace: Path) -> None:
    """Exit code 78, naming each."""
    report = Report((Finding("disk", "fail", "full.", "Free some."), Finding("x", "warn", "y.")))
    with pytest.raises(ConfigurationError, match=r"disk: full\. Free some") as caught:
        report.raise_for_faults()
    assert caught.value.exit_code == 78


def test_a_foreign_proj_is_told(workspace: Path) -> None:
    """QGIS shells and cron set-ups bring another PROJ's data."""
    found = check("environment", workspace, {"PROJ_DATA": "/usr/share/proj"})
    assert (found.verdict, "PROJ_DATA" in found.way_out) == ("warn", True)
    report = doctor(workspace, environ={}, now=NOW, dropped=("PROJ_LIB",))
    assert any(f.verdict == "ok" and "PROJ_LIB" in f.found for f in report.findings)


def test_a_wrong_projection_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PROJ that answers wrongly, or not at all."""
    assert check("PROJ", workspace).verdict == "ok"
    with monkeypatch.context() as patch:
        patch.setattr(module.rasterio.warp, "transform", lambda *_: ([500_001.0], [0.0]))
        assert check("PROJ", workspace).verdict == "fail"

    def broken(*_: object, **__: object) -> None:
        raise pyproj.exceptions.ProjError("no database")

    monkeypatch.setattr(pyproj.Transformer, "from_crs", broken)
    assert "ProjError" in check("PROJ", workspace).found


def test_an_opened_vrt_is_a_failure(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the self-test reads through the trap, the machine is not safe."""
    assert check("GDAL is hardened", workspace).verdict == "ok"
    monkeypatch.setattr(module, "describe", lambda _: None)
    assert check("GDAL is hardened", workspace).verdict == "fail"

    def broken(_: Path) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr(module, "describe", broken)
    assert "RuntimeError" in check("GDAL is hardened", workspace).found


def test_missing_packages_are_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library is a failure, an extra is a hint."""
    monkeypatch.setattr(module, "LIBRARIES", ("numpy", "no-such-package"))
    monkeypatch.setattr(module, "EXTRAS", {"stac": "no-such-package"})
    assert check("libraries", workspace).way_out == "Run: pip install --force-reinstall no-such-package."
    assert (check("extra stac", workspace).verdict, check("extra stac", workspace).found) == ("ok", "not installed.")
    assert "sitewatch[stac]" in check("extra stac", workspace).way_out


@pytest.mark.parametrize(("free", "verdict"), [(2**40, "ok"), (2**30, "warn"), (2**20, "fail")])
def test_a_full_disk_is_told(free: int, verdict: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room to start, room to work."""
    usage = namedtuple("usage", "total used free")(0, 0, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert check("disk", workspace).verdict == verdict


def test_a_read_only_folder_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be published there."""

    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refused)
    assert check("writing", workspace).verdict == "fail"


def test_no_workspace_is_told(tmp_path: Path) -> None:
    """The way out is init."""
    assert "sitewatch init" in check("workspace", tmp_path / "none").way_out
    assert check("sites", tmp_path / "none").verdict == "fail"


def test_a_clock_in_the_past_is_told(workspace: Path) -> None:
    """Files from the future: the clock is wrong."""
    assert check("clock", workspace).verdict == "ok"
    path = workspace / "outputs/index.html"
    path.write_text("x")
    future = (NOW + timedelta(days=400)).timestamp()
    os.utime(path, (future, future))
    assert check("clock", workspace).verdict == "fail"
    assert check("clock", workspace, now=NOW + timedelta(days=401)).verdict == "ok"


def test_half_a_credential_is_told(workspace: Path) -> None:
    """Both, none, or a failure that names the missing one; never a value."""
    both = {"SH_CLIENT_ID": SECRET, "SH_CLIENT_SECRET": SECRET}
    assert check("credentials", workspace, both).verdict == "ok"
    assert "SH_CLIENT_ID is not" in check("credentials", workspace, {"SH_CLIENT_SECRET": SECRET}).found
    path = workspace / "hub.toml"
    path.write_text(f'client_id = "{SECRET}"\nclient_secret = "{SECRET}"\n')
    (workspace / "sitewatch.toml").write_text(f'[providers.sentinel_hub]\ncredentials = "{path}"\n')
    for mode, verdict in ((0o644, "fail"), (0o600, "ok")):
        path.chmod(mode)
        found = check("credentials", workspace, {})
        assert found.verdict == verdict
        assert SECRET not in found.found


def test_a_secret_that_others_can_read_is_told(workspace: Path) -> None:
    """Mode 0600, or not in the file at all."""
    path = workspace / "sitewatch.toml"
    path.write_text(f'[providers.sentinel-hub]\nclient_secret = "{SECRET}"\n')
    path.chmod(0o644)
    assert check("secrets", workspace).verdict == "fail"
    path.chmod(0o600)
    assert check("secrets", workspace).verdict == "ok"


def test_wrong_settings_and_sites_are_told(workspace: Path) -> None:
    """The same sentences as the commands that use them."""
    (workspace / "sitewatch.toml").write_text("[detect]\nfrd = 0.1\n")
    found = check("settings", workspace)
    assert (found.verdict, "fdr" in found.found) == ("fail", True)
    (workspace / "aois/x.geojson").write_text("{")
    assert "x.geojson is not valid JSON" in check("sites", workspace).found
    for path in (workspace / "aois").glob("*.geojson"):
        path.unlink()
    assert check("sites", workspace).verdict == "warn"
