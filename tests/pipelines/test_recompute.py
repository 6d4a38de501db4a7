"""The evidence chain: a run comes out of the received bytes again, byte for byte, and the log names every run."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from runs import sitewatch
from seriesworld import Story, write_images, write_site

from geo.errors import IntegrityError
from geo.files.reviews import Review, add_reviews
from pipelines import chain
from pipelines.chain import append_runs, read_chain

STORY = Story(clearing=6, building=9, clouds=(4,), dates=18)


def scan(workspace: Path, day: int, *words: str) -> None:
    source = workspace / "images"
    ended = sitewatch("scan", "wood", "-w", workspace, "--source", source, "--now", f"2020-01-{day:02d}", *words)
    assert ended.code == 0, ended.err


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: a pair, a series, and a series after an analyst's verdict, with a file that cannot be used."""
    workspace = tmp_path_factory.mktemp("again") / "w"
    sitewatch("init", workspace)
    write_site(workspace, perimeter=True)
    write_images(workspace / "images", STORY, range(14))
    scan(workspace, 1, "--pair")
    scan(workspace, 2)
    latest = (workspace / "outputs/runs/wood/latest").read_text().strip()
    events = json.loads((workspace / "outputs/runs/wood" / latest / "findings.json").read_text())["events"]
    add_reviews(
        workspace / "outputs/review/wood.gpkg",
        [
            Review(
                event_id=events[0]["id"],
                verdict="confirmed",
                reviewer="Ana",
                reviewed_at=datetime(2020, 1, 3, tzinfo=UTC),
            )
        ],
    )
    (workspace / "images/20191201.tif").write_bytes(b"II*\0 broken")
    write_images(workspace / "images", STORY, range(14, 18))
    scan(workspace, 4)
    return workspace


@pytest.fixture
def workspace(scanned: Path, tmp_path: Path) -> Path:
    shutil.copytree(scanned, tmp_path / "w")
    return tmp_path / "w"


def runs(workspace: Path) -> list[Path]:
    return sorted(path.parent for path in workspace.glob("outputs/runs/wood/*/manifest.json"))


@pytest.mark.slow
def test_every_run_comes_out_again_byte_for_byte(workspace: Path) -> None:
    """Elsewhere, later, after the images, the site file and the verdicts have gone."""
    shutil.rmtree(workspace / "images")
    (workspace / "aois/wood.geojson").unlink()
    shutil.rmtree(workspace / "outputs/review")
    ended = sitewatch("verify", "-w", workspace, "--recompute")
    assert (ended.code, ended.err) == (0, "")
    assert "3 runs made again from the received bytes" in ended.out
    assert "every byte came out the same" in ended.out


@pytest.mark.slow
def test_a_result_that_does_not_follow_from_the_bytes_is_found(workspace: Path) -> None:
    """A finding altered with all its checksums put right again: only making it anew tells."""
    folder = runs(workspace)[-1]
    text = (folder / "findings.json").read_text()
    (folder / "findings.json").write_text(text.replace('"confidence": "confirmed"', '"confidence": "probable"', 1))
    ended = sitewatch("verify", folder, "--recompute")
    assert ended.code == 6
    assert f"{folder / 'findings.json'} comes out differently" in ended.out
    assert ended.out.count("comes out differently") == 1


def test_without_the_received_bytes_nothing_is_proved(workspace: Path) -> None:
    folder = runs(workspace)[0]
    shutil.rmtree(workspace / "outputs/archive")
    ended = sitewatch("verify", folder, "--recompute")
    assert ended.code == 6
    assert "cannot be made again" in ended.out


def test_the_log_names_every_run_in_order(workspace: Path) -> None:
    links = read_chain(workspace / "outputs")
    assert [link.run for link in links] == [folder.name for folder in runs(workspace)]
    ended = sitewatch("verify", "-w", workspace)
    assert ended.code == 0
    assert f"chain.log ends with number 3, SHA-256 {links[-1].sha256}." in ended.out


def test_whatever_is_done_to_the_log_is_found(workspace: Path) -> None:
    """Every line changed, dropped, doubled or swapped; every byte of it flipped."""
    path = workspace / "outputs/chain.log"
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    broken = [b"".join(lines[:k] + lines[k + 1 :]) for k in range(3)]
    broken += [b"".join(lines[:k] + lines[k : k + 1] + lines[k:]) for k in range(3)]
    broken += [lines[1] + lines[0] + lines[2], b"", b"\n", b"[]\n", b"{}\n", b"\xff\n"]
    broken += [data[:k] + bytes([data[k] ^ 1]) + data[k + 1 :] for k in range(0, len(data), 7)]
    for text in broken:
        path.write_bytes(text)
        assert sitewatch("verify", "-w", workspace).code == 6, text[:80]
    path.unlink()
    assert sitewatch("verify", "-w", workspace).code == 6


def test_a_run_that_vanished_or_was_slipped_in_is_found(workspace: Path) -> None:
    folder = runs(workspace)[-1]
    shutil.copytree(folder, folder.with_name("20200109T000000Z-00000000"))
    assert "does not stand in chain.log" in sitewatch("verify", "-w", workspace).out
    shutil.rmtree(folder.with_name("20200109T000000Z-00000000"))
    shutil.rmtree(folder)
    assert "stands in chain.log as number 3 and is gone" in sitewatch("verify", "-w", workspace).out


def test_what_a_power_cut_left_of_a_line_is_cut_off_and_the_run_logged(workspace: Path) -> None:
    """At every length of the last line: it is complete, or it is written again."""
    outputs = workspace / "outputs"
    path = outputs / "chain.log"
    data = path.read_bytes()
    begin = data.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(begin, len(data)):
        path.write_bytes(data[:end])
        assert append_runs(outputs, "wood") == 1
        assert path.read_bytes() == data
    assert append_runs(outputs, "wood") == 0


def test_an_altered_log_is_not_added_to(workspace: Path) -> None:
    path = workspace / "outputs/chain.log"
    path.write_bytes(path.read_bytes().replace(b'"n": 2', b'"n": 7'))
    with pytest.raises(IntegrityError, match="altered"):
        append_runs(workspace / "outputs", "wood")


def test_writing_fails_whole(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle of a line leaves the log readable."""
    outputs = workspace / "outputs"
    path = outputs / "chain.log"
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    path.write_bytes(data[:first])
    write = os.pwrite

    def full(descriptor: int, piece: bytes, offset: int) -> int:
        if offset > first:
            raise OSError(28, "No space left on device")
        return write(descriptor, piece[:40], offset)

    monkeypatch.setattr(chain.os, "pwrite", full)
    with pytest.raises(Exception, match="space"):
        append_runs(outputs, "wood")
    monkeypatch.undo()
    assert len(read_chain(outputs)) == 1
    assert append_runs(outputs, "wood") == 2
    assert path.read_bytes() == data
