"""Verdicts are never lost: not by later runs, not by QGIS holding the file, not by a kill of either."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import NOW, sitewatch
from seriesworld import Story, write_images, write_site
from shapely.geometry import mapping, shape

from geo.errors import IntegrityError, TemporaryError
from geo.files import reviews as reviews_file
from geo.files.reviews import NOT_REVIEWED, Review, add_reviews, create_reviews, newest, read_reviews
from pipelines.assess.findings import Event
from pipelines.assess.verdicts import judged
from pipelines.publish.listing import cell
from pipelines.review import _plain

REVIEWER = Path(__file__).parent.parent / "qgis_reviewer.py"
QGIS = "/usr/bin/python3"
STORY = Story(clearing=6, building=9, dates=24)
ROUNDS = int(os.environ.get("SITEWATCH_SOAK_ROUNDS", "2"))
AT = datetime(2020, 3, 1, tzinfo=UTC)


def has_qgis() -> bool:
    done = (
        subprocess.run([QGIS, "-c", "import qgis.core"], capture_output=True, check=False)
        if Path(QGIS).exists()
        else None
    )
    return done is not None and done.returncode == 0


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("review") / "w"
    sitewatch("init", workspace)
    write_site(workspace)
    write_images(workspace / "images", STORY, range(14))
    assert scan(workspace, 0) == 0
    return workspace


@pytest.fixture
def workspace(scanned: Path, tmp_path: Path) -> Path:
    shutil.copytree(scanned, tmp_path / "w")
    return tmp_path / "w"


def scan(workspace: Path, day: int) -> int:
    now = f"2020-01-{day + 1:02d}"
    return sitewatch("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", now).code


def latest(workspace: Path) -> Path:
    runs = workspace / "outputs/runs/wood"
    return runs / (runs / "latest").read_text().strip()


def events(workspace: Path) -> list[Event]:
    document = json.loads((latest(workspace) / "findings.json").read_text())
    return [Event.model_validate_json(json.dumps(event)) for event in document["events"]]


def verdicts(workspace: Path) -> Path:
    return workspace / "outputs/review/wood.gpkg"


def test_a_verdict_leads_the_next_report_and_a_rejected_finding_stays_listed(workspace: Path) -> None:
    first, second = (event.id for event in events(workspace)[:2])
    told = sitewatch(
        "review", "import", "wood", _file(workspace, [(first, "rejected"), (second, "confirmed")]), "-w", workspace
    )
    assert (told.code, told.out) == (0, "2 added, 0 known already, 0 left out.\n")
    add_reviews(verdicts(workspace), [Review(event_id="e-gone", verdict="rejected", reviewer="Bo", reviewed_at=AT)])
    before = verdicts(workspace).read_bytes()
    assert scan(workspace, 5) == 0
    assert verdicts(workspace).read_bytes() == before
    report = (latest(workspace) / "report.html").read_text()
    assert "1 confirmed, 1 rejected" in report
    table = report[report.index('id="found"') :]
    assert table.index(second) < table.index(first)
    assert "rejected by Ana on 2020-03-01" in table
    assert "<code>e-gone</code>: <b>rejected by Bo on 2020-03-01</b>" in table
    manifest = json.loads((latest(workspace) / "manifest.json").read_text())
    assert {name: item["verdict"] for name, item in manifest["verdicts"].items()} == {
        first: "rejected",
        second: "confirmed",
        "e-gone": "rejected",
    }
    runs = len(list(workspace.glob("outputs/runs/wood/*/manifest.json")))
    assert scan(workspace, 6) == 0  # nothing new was said since: no further run
    assert len(list(workspace.glob("outputs/runs/wood/*/manifest.json"))) == runs == 2
    assert sitewatch("verify", "-w", workspace).code == 0


def test_what_goes_out_comes_in_again_and_nothing_twice(workspace: Path, tmp_path: Path) -> None:
    reviews = [
        Review(
            event_id=events(workspace)[0].id, verdict="unsure", reason="=1+1", reviewer='-Ana;"x"\nB', reviewed_at=AT
        ),
        Review(event_id="gone", verdict="confirmed", reviewed_at=AT),
    ]
    add_reviews(verdicts(workspace), reviews)
    for name in ("v.csv", "v.geojson"):
        assert sitewatch("review", "export", "wood", "--out", tmp_path / name, "-w", workspace).code == 0
        assert sitewatch("review", "import", "wood", tmp_path / name, "-w", workspace).out.startswith(
            "0 added, 2 known"
        )
    with (tmp_path / "v.csv").open(newline="", encoding="utf-8") as file:
        assert not any(text.startswith(("=", "-", "+", "@")) for row in csv.reader(file) for text in row)
    places = [feature["geometry"] for feature in json.loads((tmp_path / "v.geojson").read_text())["features"]]
    assert places[0]["type"].endswith("Polygon")
    assert places[1] is None
    verdicts(workspace).unlink()
    assert sitewatch("review", "import", "wood", tmp_path / "v.csv", "-w", workspace).code == 0
    assert [r.reason for r in read_reviews(verdicts(workspace))] == ["=1+1", ""]


def test_rows_that_cannot_be_used_are_named_and_the_others_taken(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text(
        "event_id,verdict,reviewed_at\ne-1,confirmed,2020-01-02\n,confirmed,\ne-2,yes,\ne-3,rejected,soon\n"
        "e-4,rejected,2999-01-01T00:00:00Z\n"
    )
    ended = sitewatch("review", "import", "wood", file, "-w", workspace)
    assert ended.code == 65
    assert ended.out == "1 added, 0 known already, 4 left out.\nNo run here tells of e-1; check the ids, or scan.\n"
    file.write_text("event_id,verdict,reason\ne-1,unsure,\t=2\n")
    for told in ("1 added, 0 known", "0 added, 1 known"):  # without a time: said now, and once
        assert sitewatch("review", "import", "wood", file, "-w", workspace).out.startswith(told)
    assert read_reviews(verdicts(workspace))[-1].reviewed_at == datetime.fromisoformat(NOW)
    assert [f"row {n}:" in ended.err for n in (1, 2, 3, 4, 5)] == [False, True, True, True, True]
    for broken in (b"\xff\xfe\x00", b"{", b"[]", b'{"features": [{}]}', b'{"features": [{"properties": null}]}'):
        (tmp_path / "b.geojson").write_bytes(broken)
        ended = sitewatch("review", "import", "wood", tmp_path / "b.geojson", "-w", workspace)
        assert (ended.code, ended.err.count("\n")) == (65, 1)


def test_a_verdict_goes_over_to_the_same_ground_and_kind_only(workspace: Path) -> None:
    first = events(workspace)[0]
    old = {"e-old": first.model_copy(update={"id": "e-old"})}
    reviews = {"e-old": Review(event_id="e-old", verdict="rejected")}
    found = judged(events(workspace), reviews, old)
    assert found[first.id].carried_from == "e-old"
    assert sum(item.carried_from == "e-old" for item in found.values()) == 1
    other = "wall" if first.kind != "wall" else "clearing"
    apart = judged(events(workspace), reviews, {"e-old": old["e-old"].model_copy(update={"kind": other})})
    assert list(apart) == ["e-old"]
    own = reviews | {first.id: Review(event_id=first.id, verdict="confirmed")}
    assert judged([first], own, old)[first.id].verdict == "confirmed"


def test_a_rejection_hides_nothing_that_came_later_or_lies_around(workspace: Path) -> None:
    """What is built after the dates of a rejected finding, or far beyond its ground, is looked at anew."""
    first = events(workspace)[0]
    ground = shape(first.geometry)
    small = mapping(ground.buffer(-0.4 * (ground.area**0.5)))
    old = first.model_copy(update={"id": "e-old", "geometry": small})
    known = {"e-old": old}
    for verdict, hides in (("rejected", False), ("confirmed", True)):
        reviews = {"e-old": Review(event_id="e-old", verdict=verdict)}
        assert (first.id in judged([first], reviews, known)) is hides
    later = first.model_copy(update={"not_before": AT, "not_after": AT + timedelta(days=9)})
    found = judged([later], {"e-old": Review(event_id="e-old", verdict="confirmed")}, known)
    assert later.id not in found
    assert first.kind in (found["e-old"].about or "")  # it stays listed as what was seen then


def test_a_verdict_can_be_taken_back(workspace: Path) -> None:
    """The newest word is that there is none; an older one on the same ground does not come back by another way."""
    first = events(workspace)[0]
    reviews = newest(
        [
            Review(event_id=first.id, verdict="confirmed", reviewed_at=AT),
            Review(event_id=first.id, verdict=NOT_REVIEWED, reviewed_at=AT + timedelta(days=1)),
            Review(event_id="e-old", verdict="rejected", reviewed_at=AT),
        ]
    )
    found = judged([first], reviews, {"e-old": first.model_copy(update={"id": "e-old"})})
    assert first.id not in found


def test_the_file_states_the_time_and_keeps_what_is_edited_or_deleted(tmp_path: Path) -> None:
    """Whoever writes: a row without a time gets one, an edit a new one; the row as it was stays in the history."""
    path = tmp_path / "r.gpkg"
    create_reviews(path, AT)
    add_reviews(path, [Review(event_id="e", verdict="confirmed", reviewed_at=AT)])
    frame = pyogrio.read_dataframe(path, layer="reviews", fid_as_index=True)
    assert list(frame["event_id"]) == ["e"]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO reviews (event_id, verdict) VALUES ('f', 'unsure')")
        db.execute("UPDATE reviews SET verdict = 'rejected', reviewed_at = reviewed_at WHERE event_id = 'e'")
        db.execute("DELETE FROM reviews WHERE event_id = 'f'")
        history = db.execute("SELECT what, event_id, verdict FROM reviews_history").fetchall()
    assert history == [("edited", "e", "confirmed"), ("deleted", "f", "unsure")]
    (left,) = read_reviews(path)
    assert left.verdict == "rejected"
    assert left.reviewed_at is not None
    assert abs(left.reviewed_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a run that saw none a moment ago; and no new one is put beside the log of one that went away."""
    path = tmp_path / "r.gpkg"
    write = reviews_file.write_geopackage

    def slow(made: Path, *words: object, **more: object) -> Path:
        path.write_bytes(b"theirs")
        return write(made, *words, **more)

    monkeypatch.setattr(reviews_file, "write_geopackage", slow)
    create_reviews(path, AT)
    assert path.read_bytes() == b"theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["r.gpkg"]
    path.rename(tmp_path / "r.gpkg-wal")
    with pytest.raises(IntegrityError, match="holds verdicts"):
        create_reviews(path, AT)


def test_the_newest_word_counts_whatever_the_order() -> None:
    early = Review(event_id="e", verdict="confirmed", reviewed_at=datetime(2019, 1, 1, tzinfo=UTC))
    late = Review(event_id="e", verdict="rejected", reviewed_at=datetime(2020, 1, 1, tzinfo=UTC))
    undated = Review(event_id="e", verdict="unsure")
    for order in ([early, late, undated], [undated, late, early]):
        assert newest(order)["e"].verdict == "rejected"


def test_a_locked_file_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews_file, "PATIENCE_S", 0.2)
    path = tmp_path / "r.gpkg"
    create_reviews(path, AT)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(TemporaryError, match="locked"):
            add_reviews(path, [Review(event_id="e", verdict="unsure")])
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    add_reviews(path, [Review(event_id="e", verdict="unsure")])
    assert len(read_reviews(path)) == 1


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_a_cell_comes_back_as_it_was(text: str) -> None:
    """But for spaces at its ends, and an apostrophe that already hid a formula."""
    assert _plain(cell(text)) == _plain(text)


def _file(workspace: Path, rows: list[tuple[str, str]]) -> Path:
    path = workspace / "in.csv"
    lines = [f"{event},{verdict},high,visible,Ana,{AT.isoformat()}" for event, verdict in rows]
    path.write_text("\n".join(["event_id,verdict,confidence,reason,reviewer,reviewed_at", *lines]) + "\n")
    return path


@contextmanager
def qgis(project: Path) -> Iterator[subprocess.Popen[str]]:
    """QGIS with a project open."""
    process = subprocess.Popen(
        [QGIS, str(REVIEWER), str(project)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={"PATH": os.environ["PATH"], "HOME": str(project.parents[5]), "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("OPEN")
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(process: subprocess.Popen[str], event: str, verdict: str) -> str:
    """Set a verdict, wait until QGIS says that it is saved, and return the look of the change on the map."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{event} {verdict}\n")
    process.stdin.flush()
    saved, name, look = process.stdout.readline().split()
    assert (saved, name) == ("SAVED", event)
    return look


@pytest.mark.slow
@pytest.mark.skipif(not has_qgis(), reason="QGIS is not installed")
def test_a_verdict_set_in_qgis_outlives_five_scans_and_a_kill_of_both(workspace: Path) -> None:
    """QGIS holds the file with an unsaved row while five runs pass; then both are killed."""
    first = events(workspace)[0].id
    with qgis(latest(workspace) / "site.qgz") as process:
        assert ask(process, first, "rejected") == "rejected"  # the map shows it at once
        assert ask(process, first, "confirmed") == "confirmed"
        for day in range(1, 6):
            write_images(workspace / "images", STORY, range(13 + day, 14 + day))
            assert scan(workspace, day) == 0
    assert len(list(workspace.glob("outputs/runs/wood/*/manifest.json"))) == 6
    assert [(r.event_id, r.verdict, r.reviewer) for r in read_reviews(verdicts(workspace))] == [
        (first, "rejected", "Ana"),
        (first, "confirmed", "Ana"),
    ]
    assert "confirmed by Ana on " in (latest(workspace) / "report.html").read_text()
    assert sitewatch("verify", "-w", workspace).code == 0


@pytest.mark.slow
@pytest.mark.skipif(not has_qgis(), reason="QGIS is not installed")
def test_no_saved_verdict_is_lost_whoever_is_killed_when(workspace: Path) -> None:
    """Rounds of five verdicts while a scan runs; both are killed at random; every verdict that was saved is there."""
    chance, saved = random.Random(5), []
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "-w",
        str(workspace),
        "scan",
        "wood",
        "--source",
        str(workspace / "images"),
    ]
    for number in range(ROUNDS):
        write_images(workspace / "images", STORY, range(14 + number % 10, 15 + number % 10))
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with qgis(latest(workspace) / "site.qgz") as process:
            for item in range(5):
                ask(process, f"e-{number}-{item}", "rejected")
                saved.append(f"e-{number}-{item}")
            time.sleep(chance.uniform(0, 2))
        running.kill()
        running.wait()
        assert [review.event_id for review in read_reviews(verdicts(workspace))] == saved
    assert scan(workspace, 20) == 0


def test_what_a_killed_run_left_of_the_file_is_swept_away(workspace: Path) -> None:
    """Its own only: another site's run may be making a file in the same folder."""
    own, deeper, other = (
        verdicts(workspace).with_name(name)
        for name in (".wood.123.partial.gpkg", "..wood.123.partial.partial.gpkg", ".grove.123.partial.gpkg")
    )
    own.write_bytes(b"half")
    deeper.write_bytes(b"half")
    other.write_bytes(b"half")
    assert scan(workspace, 3) == 0
    assert not own.exists()
    assert not deeper.exists()
    assert other.exists()
