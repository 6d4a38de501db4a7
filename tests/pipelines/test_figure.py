"""The author's picture: twenty things that every one of them must tell, and panels that can be compared pixel by pixel."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from PIL import Image
from runs import files_of, sitewatch
from seriesworld import Story, write_images, write_site
from services.authority import certified

from geo.errors import InputError
from geo.kernels.sun import sun_position
from geo.scene import Provenance, Scene, SceneRecord
from pipelines.assess import Findings
from pipelines.best_pair import Facts, choose_pair

STORY = Story(clearing=6, building=9, clouds=(4, 11), dates=18)

CHECKLIST = {
    "title": r"A wood",
    "place and how surely it is known": r"wood\s+location known to: exact",
    "why these two dates": r"(Chosen as the best of \d+ pairs|asked for by date)",
    "date before, UTC": r"BEFORE\s+2019-\d\d-\d\d",
    "date after, UTC": r"AFTER\s+2019-\d\d-\d\d",
    "local time, or that it is not known": r"(Local mean solar time \d\d:\d\d|Local time not known)",
    "sensor": r"Sensor \S+",
    "resolution": r"resolution 10 m",
    "product": r"Product 2019\d{4}",
    "cloud over the site": r"Masked as cloud, shadow or gap over the site \d",
    "elevation of the sun, or that it is not known": r"Sun elevation (-?\d+|not known)",
    "same extent, scale and stretch": r"Both panels: same extent, scale and stretch",
    "coordinates in degrees": r"Centre \d+\.\d{5}° N, \d+\.\d{5}° E",
    "coordinates in minutes and seconds": r"\d+°\d\d′\d\d\.\d″ N",
    "coordinates as MGRS": r"MGRS \d\d[A-Z]{3}\d{8}",
    "coordinate system": r"EPSG:326\d\d",
    "scale": r"(?m)^[125]0* (m|km)$",
    "north": r"(?m)^N$",
    "numbered call-outs in hedged words": r"1\s+(confirmed|probable|possible) \w+",
    "what the outlines mean": r"Outlines:[\s\S]*(site|line of the wall)",
    "credit": r"(?i)(credit|Copernicus|no licence|source|licence)",
    "limits": r"LIMITS\. Analysis not validated on the ground",
    "who analysed it": r"Analysis: sitewatch \S+, run \S+",
    "hashes of the received files": r"before [0-9a-f]{64}; ?\n?\s*after\n? ?[0-9a-f]{64}",
}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("figure") / "w"
    sitewatch("init", workspace)
    write_site(workspace, perimeter=True)
    write_images(workspace / "images", STORY)
    words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", "2020-01-01")
    assert sitewatch(*words).code == 0
    return workspace


def made(workspace: Path, out: Path, *words: str) -> Path:
    ended = sitewatch("figure", "wood", "-w", workspace, "--out", out, *words)
    assert (ended.code, ended.err) == (0, "")
    return out


def words_of(svg: Path) -> str:
    """All that can be read in a drawing, a line each; what has a rim is drawn as a path, and named in a comment."""
    spoken = ["".join(node.itertext()) for node in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    return "\n".join([*spoken, *re.findall(r"<!-- (.*?) -->", svg.read_text(encoding="utf-8"))])


@pytest.mark.parametrize("asked", [(), ("--before", "2019-01-20", "--after", "2019-07-20"), ("--size", "web")])
def test_every_figure_passes_the_checklist(scanned: Path, tmp_path: Path, asked: tuple[str, ...]) -> None:
    text = words_of(made(scanned, tmp_path / "f", *asked) / "before_after.svg")
    missing = [name for name, pattern in CHECKLIST.items() if not re.search(pattern, text)]
    assert missing == []
    assert len(CHECKLIST) >= 20
    assert "…\n" not in text  # nothing was cut


def test_both_panels_are_comparable_pixel_by_pixel(scanned: Path, tmp_path: Path) -> None:
    """One grid; one stretch: equal reflectance gives equal colours, so ground that did not change looks the same."""
    folder = made(scanned, tmp_path / "f")
    with rasterio.open(folder / "before.tif") as one, rasterio.open(folder / "after.tif") as other:
        assert (one.crs, one.transform, one.shape) == (other.crs, other.transform, other.shape)
        before, after = one.read(), other.read()
        assert one.tags()["SHOWN"] == other.tags()["SHOWN"]
        assert one.crs.to_epsg() == 32648
    size = before.shape[1] // 10
    corner = (slice(0, 3), slice(0, size), slice(0, size))  # wood on both dates
    assert abs(np.median(before[corner].astype(int) - after[corner])) <= 2
    middle = (slice(0, 3), *(slice(n // 2 - 4, n // 2 + 4) for n in before.shape[1:]))
    assert abs(np.median(before[middle].astype(int) - after[middle])) > 20


def test_the_same_run_gives_the_same_bytes_and_they_are_listed(scanned: Path, tmp_path: Path) -> None:
    one, two = (files_of(made(scanned, tmp_path / name)) for name in ("one", "two"))
    assert one == two
    told = json.loads(one["figure.json"])
    assert set(told["files"]) == set(one) - {"figure.json"}
    assert all(hashlib.sha256(one[name]).hexdigest() == digest for name, digest in told["files"].items())
    with Image.open(tmp_path / "one/before_after.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.5)
    assert one["before_after.pdf"].startswith(b"%PDF")


def test_a_cloudy_scene_is_shown_only_when_it_is_asked_for(scanned: Path, tmp_path: Path) -> None:
    cloudy = f"{STORY.day(11):%Y-%m-%d}"
    best = json.loads((made(scanned, tmp_path / "best") / "figure.json").read_text())
    assert best["after"]["time"][:10] != cloudy
    assert best["before"]["time"][:10] < f"{STORY.day(6):%Y-%m-%d}" <= best["after"]["time"][:10]


def test_a_rejected_finding_is_not_drawn(scanned: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(scanned, workspace)
    run = (workspace / "outputs/runs/wood/latest").read_text().strip()
    found = json.loads((workspace / "outputs/runs/wood" / run / "findings.json").read_text())["events"]
    file = tmp_path / "v.csv"
    file.write_text("event_id,verdict\n" + "".join(f"{event['id']},rejected\n" for event in found))
    assert sitewatch("review", "import", "wood", file, "-w", workspace).code == 0
    words = ("scan", "wood", "-w", workspace, "--source", workspace / "images", "--now", "2020-01-09")
    assert sitewatch(*words).code == 0
    text = words_of(made(workspace, tmp_path / "f") / "before_after.svg")
    assert not re.search(CHECKLIST["numbered call-outs in hedged words"], text)


def test_what_cannot_be_shown_is_told(scanned: Path, tmp_path: Path) -> None:
    ended = sitewatch("figure", "wood", "-w", scanned, "--out", tmp_path / "f", "--before", "2019-07-01",
                      "--after", "2019-02-01")  # fmt: skip
    assert (ended.code, ended.out) == (65, "")
    assert sitewatch("figure", "nowhere", "-w", scanned).code == 78
    assert sitewatch("figure", "wood", "-w", scanned, "--run", "../../x").code == 78
    assert not (tmp_path / "f").exists()


def test_a_timelapse_shows_each_clear_look_once_with_its_date(scanned: Path, tmp_path: Path) -> None:
    out = tmp_path / "t"
    ended = sitewatch("timelapse", "wood", "-w", scanned, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    with Image.open(out / "timelapse.webp") as image:
        assert image.n_frames == STORY.dates - len(STORY.clouds)
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("L"), int))
    middle = [frame[frame.shape[0] // 2 - 20 : frame.shape[0] // 2 + 20].mean() for frame in frames]
    assert middle[-1] > middle[0] + 20  # what was built is brighter than the wood
    bars = [frame[-40:-22] for frame in frames]
    assert all((abs(a - b) > 60).any() for a, b in pairwise(bars))  # another date on each
    again = tmp_path / "again"
    assert sitewatch("timelapse", "wood", "-w", scanned, "--out", again).code == 0
    assert files_of(out) == files_of(again)
    few = sitewatch("timelapse", "wood", "-w", scanned, "--out", tmp_path / "few", "--frames", "5", "--json")
    assert few.code == 0
    with Image.open(tmp_path / "few/timelapse.webp") as image:
        assert image.n_frames == 5


def test_the_sun_stands_where_the_almanac_says() -> None:
    """Equinox noon at the equator, polar night, and symmetry about noon."""
    assert sun_position(datetime(2020, 3, 20, 12, 7, tzinfo=UTC), 0.0, 0.0)[0] == pytest.approx(90, abs=0.5)
    assert sun_position(datetime(2020, 12, 21, 12, tzinfo=UTC), 0.0, 80.0)[0] == pytest.approx(90 - 80 - 23.44, abs=0.1)
    morning, evening = (sun_position(datetime(2020, 6, 20, h, 2, tzinfo=UTC), 0.0, 45.0) for h in (8, 16))
    assert morning[0] == pytest.approx(evening[0], abs=0.6)
    assert morning[1] == pytest.approx(360 - evening[1], abs=1.0)


def facts(findings: Findings, day: datetime, *, clear: float = 1.0, orbit: str | None = "18", sun: float = 50) -> Facts:
    use = findings.scenes[0].model_copy(
        update={"id": f"{day:%Y%m%d}-{orbit}-{clear}", "time": day, "clear_fraction": clear}
    )
    scene = Scene(id=use.id, time=day, sensor="s", href="")
    record = SceneRecord(
        scene=scene,
        provenance=Provenance(provider="p", request={}, received=day),
        path=Path("x"),
        sha256="",
        size_bytes=0,
    )
    return Facts(use=use, record=record, orbit=orbit, sun=sun, sun_stated=True)


def test_the_best_pair_is_clear_of_one_season_orbit_and_sun(scanned: Path) -> None:
    """Each quality alone decides between two scenes that are equal in all else."""
    run = (scanned / "outputs/runs/wood/latest").read_text().strip()
    findings = Findings.model_validate_json((scanned / "outputs/runs/wood" / run / "findings.json").read_bytes())
    event = findings.events[0].model_copy(
        update={"not_before": datetime(2019, 3, 1, tzinfo=UTC), "not_after": datetime(2019, 4, 1, tzinfo=UTC)}
    )
    findings = findings.model_copy(update={"events": [event]})
    after = facts(findings, datetime(2020, 2, 1, tzinfo=UTC))
    good = datetime(2019, 2, 1, tzinfo=UTC)
    worse = [
        facts(findings, good + timedelta(days=1), clear=0.96),
        facts(findings, good - timedelta(days=90)),
        facts(findings, good + timedelta(days=1), orbit="61"),
        facts(findings, good + timedelta(days=1), sun=30),
        facts(findings, good - timedelta(days=731)),
    ]
    for other in worse:
        choice = choose_pair(findings, [after, other, facts(findings, good)])
        assert choice.before.time == good, other
    assert "same relative orbit (18)" in choice.why
    assert "sun elevation 50° and 50°" in choice.why
    with pytest.raises(InputError, match="two dated scenes"):
        choose_pair(findings, [after])


@pytest.mark.slow
def test_a_signed_picture_says_what_it_was_made_from_and_shows_every_touch(scanned: Path, tmp_path: Path) -> None:
    """C2PA by a local authority: the origin is in the picture; a changed pixel breaks it; the key is kept private."""
    c2pa = pytest.importorskip("c2pa", reason="the extra `evidence` is not installed")
    root = certified(tmp_path / "ca", usage="emailProtection", name="signer")
    chain, key = tmp_path / "chain.pem", tmp_path / "ca/signer.key"
    chain.write_bytes((tmp_path / "ca/signer.pem").read_bytes() + root.read_bytes())
    words = ["figure", "wood", "-w", scanned, "--size", "web", "--c2pa-cert", chain, "--c2pa-key", key]
    key.chmod(0o644)
    refused = sitewatch(*words, "--out", tmp_path / "refused")
    assert (refused.code, "can be read by others" in refused.err) == (78, True)
    key.chmod(0o600)
    assert sitewatch(*words, "--out", tmp_path / "out").code == 0
    picture = tmp_path / "out/before_after.png"
    told = json.loads((tmp_path / "out/figure.json").read_text())
    assert told["files"]["before_after.png"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    with c2pa.Reader(str(picture)) as reader:
        assert reader.get_validation_state() == "Valid"
        manifests = json.loads(reader.json())
    manifest = manifests["manifests"][manifests["active_manifest"]]
    facts = {item["label"]: item["data"] for item in manifest["assertions"]}
    assert facts["org.sitewatch.figure"]["before"]["sha256"] == told["before"]["sha256"]
    assert "composite" in json.dumps(facts["c2pa.actions.v2"])
    data = bytearray(picture.read_bytes())
    data[data.rfind(b"IDAT") + 20] ^= 1
    (tmp_path / "touched.png").write_bytes(data)
    with c2pa.Reader(str(tmp_path / "touched.png")) as reader:
        assert reader.get_validation_state() == "Invalid"
    for spoilt in (["--c2pa-cert", chain], ["--c2pa-cert", root, "--c2pa-key", tmp_path / "none"]):
        ended = sitewatch("figure", "wood", "-w", scanned, "--out", tmp_path / "no", *spoilt)
        assert ended.code in (2, 78)
        assert not (tmp_path / "no").exists()
    chain.write_text("no certificate")
    ended = sitewatch(*words, "--out", tmp_path / "no")
    assert (ended.code, "cannot sign a picture" in ended.err) == (78, True)
