"""Time stamps of the log (RFC 3161), by a local authority: believed with its root only, and found where they lie."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import Story, write_images, write_site
from services.authority import certified, serving

pytest.importorskip("rfc3161_client", reason="the extra `evidence` is not installed")
if shutil.which("openssl") is None:
    pytest.skip("no openssl to play the authority", allow_module_level=True)


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace with a stamped run, and the authority's folder."""
    folder = tmp_path_factory.mktemp("stamps")
    workspace, authority = folder / "w", folder / "authority"
    sitewatch("init", workspace)
    write_site(workspace)
    images = write_images(workspace / "images", Story(clearing=1, dates=2))
    assert sitewatch("scan", "wood", "-w", workspace, "--source", images, "--pair").code == 0
    root = certified(authority)
    with serving(authority) as url:
        ended = sitewatch("stamp", "-w", workspace, "--tsa", url, "--tsa-roots", root)
        assert (ended.code, ended.err) == (0, "")
        assert "Number 1 of chain.log and all before it were there at 20" in ended.out
        again = sitewatch("stamp", "-w", workspace, "--tsa", url, "--tsa-roots", root)
        assert again.code == 78
        assert "stamped already" in again.err
    return workspace, authority


def test_the_stamp_proves_the_time_to_who_trusts_the_root(stamped: tuple[Path, Path]) -> None:
    workspace, authority = stamped
    ended = sitewatch("verify", workspace, "--tsa-roots", authority / "root.pem")
    assert ended.code == 0
    assert "Number 1 of chain.log and all before it were there at" in ended.out
    assert "not checked" not in ended.out
    ended = sitewatch("verify", workspace)
    assert ended.code == 0
    assert "by whom was not checked" in ended.out


def test_openssl_checks_it_without_us(stamped: tuple[Path, Path], tmp_path: Path) -> None:
    workspace, authority = stamped
    line = tmp_path / "line"
    line.write_text((workspace / "outputs/chain.log").read_text().splitlines()[0])
    (path,) = (workspace / "outputs/stamps").iterdir()
    words = ["openssl", "ts", "-verify", "-data", line, "-in", path, "-CAfile", authority / "root.pem"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_stamp_of_another_root_line_or_byte_is_found(stamped: tuple[Path, Path], tmp_path: Path) -> None:
    workspace, _ = stamped
    other = certified(tmp_path / "other")
    ended = sitewatch("verify", workspace, "--tsa-roots", other)
    assert ended.code == 6
    assert "does not prove the time of number 1" in ended.err
    copy = tmp_path / "w"
    shutil.copytree(workspace, copy)
    (path,) = (copy / "outputs/stamps").iterdir()
    whole = path.read_bytes()
    for spoilt in (b"", b"no stamp", whole[: len(whole) // 2]):
        path.write_bytes(spoilt)
        assert sitewatch("verify", copy).code == 6
    path.write_bytes(whole)
    path.rename(path.with_name("000002.tsr"))
    ended = sitewatch("verify", copy)
    assert ended.code == 6
    assert "is no stamp of a line" in ended.err


def test_every_flipped_byte_of_the_signature_is_found(stamped: tuple[Path, Path], tmp_path: Path) -> None:
    workspace, authority = stamped
    copy = tmp_path / "w"
    shutil.copytree(workspace, copy)
    (path,) = (copy / "outputs/stamps").iterdir()
    whole = path.read_bytes()
    for at in range(len(whole) - 200, len(whole), 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert sitewatch("verify", copy, "--tsa-roots", authority / "root.pem").code == 6, at


def test_what_cannot_be_stamped_says_why(stamped: tuple[Path, Path], tmp_path: Path) -> None:
    _, authority = stamped
    root = authority / "root.pem"
    sitewatch("init", tmp_path / "w")
    ended = sitewatch("stamp", "-w", tmp_path / "w", "--tsa", "http://127.0.0.1:9/", "--tsa-roots", root)
    assert (ended.code, "names no run yet" in ended.err) == (78, True)
    workspace = tmp_path / "copy"
    shutil.copytree(stamped[0], workspace)
    shutil.rmtree(workspace / "outputs/stamps")
    ended = sitewatch("stamp", "-w", workspace, "--tsa", "http://127.0.0.1:9/", "--tsa-roots", tmp_path / "none.pem")
    assert (ended.code, "no certificate" in ended.err) == (78, True)
    ended = sitewatch("stamp", "-w", workspace, "--tsa", "http://example.org/", "--tsa-roots", root)
    assert (ended.code, "example.org is asked over plain http" in ended.err) == (78, True)
    ended = sitewatch("stamp", "-w", workspace, "--tsa", "tsr", "--tsa-roots", root)
    assert (ended.code, "--tsa tsr is not an https address" in ended.err) == (78, True)
    other = certified(tmp_path / "other")
    with serving(tmp_path / "other") as url:
        ended = sitewatch("stamp", "-w", workspace, "--tsa", url, "--tsa-roots", root)
    assert (ended.code, "does not prove" in ended.err) == (6, True)
    assert not (workspace / "outputs/stamps").exists()
    assert other.exists()
