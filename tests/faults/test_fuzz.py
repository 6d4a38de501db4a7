"""Mutated images, site files and settings: a sentence and a documented code, or a result; never a crash or a hang."""

from __future__ import annotations

import copy
import json
import random
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from faults.soak import many
from runs import sitewatch
from seriesworld import Story, write_site
from smalltif import write_tif

from geo.errors import SitewatchError
from geo.files.rasters import describe
from geo.files.vectors import read_site
from pipelines.settings import load_settings

SLOWEST_S, MOST_MIB = 5.0, 1536


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Flips, cuts, doublings and interesting numbers, a few at a time."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        kind, at = rng.randrange(5), rng.randrange(max(1, len(out)))
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\xff\xff\xff\x7f"])
        elif kind == 2:
            del out[at : at + rng.randint(1, 64)]
        elif kind == 3:
            out[at:at] = out[at : at + rng.randint(1, 64)]
        else:
            out = out[: at + 1]
    return bytes(out)


@pytest.mark.slow
@pytest.mark.timeout(7200)
# rasterio's log cannot decode what GDAL says of some; the error itself arrives.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_mutated_images_are_read_or_refused(tmp_path: Path) -> None:
    """Four codecs, header, tags and pixels alike; the header tells a bomb before a pixel is read."""
    rng = random.Random(20)
    whole = []
    for number, codec in enumerate(("deflate", "lzw", "zstd", "jpeg")):
        image = tmp_path / f"{number}.tif"
        pixels = np.random.default_rng(number).integers(1, 255, (3, 64, 64)).astype(np.uint8)
        write_tif(
            image,
            pixels if codec == "jpeg" else pixels.astype(np.uint16),
            names=("blue", "green", "red"),
            compress=codec,
        )
        whole.append(image.read_bytes())
    path, outcomes, slowest = tmp_path / "x.tif", Counter[str](), 0.0
    for _ in range(many(10_000, 100_000)):
        path.write_bytes(mutated(rng.choice(whole), rng))
        begin = time.perf_counter()
        try:
            found = describe(path)
            found.read((slice(0, found.grid.shape[0]), slice(0, found.grid.shape[1])))
            outcomes["read"] += 1
        except SitewatchError as error:
            outcomes[type(error).__name__] += 1
        slowest = max(slowest, time.perf_counter() - begin)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{outcomes}, slowest {slowest:.2f} s, peak of the process {memory:.0f} MiB")
    assert slowest < SLOWEST_S
    assert min(outcomes["read"], outcomes["InputError"]) > 100
    assert memory < MOST_MIB


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_mutated_site_files_are_taken_whole_or_refused_with_a_sentence(tmp_path: Path) -> None:
    """Bytes and JSON values alike are changed; whatever is taken can be written and read again."""
    rng = random.Random(21)
    write_site(tmp_path, perimeter=True)
    path = tmp_path / "aois/wood.geojson"
    whole = path.read_bytes()
    odd = [
        None,
        True,
        1e400,
        -1,
        "",
        "x" * 300,
        [],
        {},
        [[1]],
        "\u202e",
        10**40,
        float("nan"),
        ["a", 1],
        {"type": "Point"},
    ]
    outcomes, unnamed = Counter[str](), 0
    for _ in range(many(10_000, 100_000)):
        if rng.random() < 0.5:
            data = mutated(whole, rng)
        else:
            document = json.loads(whole)
            for _ in range(rng.randint(1, 3)):
                holder: object = document
                while isinstance(holder, dict | list) and holder:
                    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
                    if rng.random() < 0.3 or not isinstance(holder[key], dict | list):  # type: ignore[index]
                        holder[key] = copy.deepcopy(rng.choice(odd))  # type: ignore[index]
                        break
                    holder = holder[key]  # type: ignore[index]
            data = json.dumps(document).encode()
        path.write_bytes(data)
        try:
            site = read_site(path)
            assert site.geometry.is_valid
            assert len(site.digest) == 64
            outcomes["taken"] += 1
        except SitewatchError as error:
            unnamed += "wood.geojson" not in str(error)
            outcomes[type(error).__name__] += 1
    print(outcomes)
    assert unnamed == 0
    assert outcomes["taken"] > 5
    assert outcomes.total() - outcomes["taken"] > 500


def test_mutated_settings_are_refused_with_a_sentence(tmp_path: Path) -> None:
    rng = random.Random(22)
    sitewatch("init", tmp_path / "w")
    path = tmp_path / "w/sitewatch.toml"
    whole = b"\n".join(line.lstrip(b"#") for line in path.read_bytes().splitlines() if not line.startswith(b"# "))
    outcomes, unnamed = Counter[str](), 0
    for _ in range(many(2000, 20_000)):
        path.write_bytes(mutated(whole, rng))
        try:
            load_settings(tmp_path / "w")
            outcomes["taken"] += 1
        except SitewatchError as error:
            unnamed += str(path) not in str(error)
            outcomes[type(error).__name__] += 1
    print(outcomes)
    assert unnamed == 0
    assert min(outcomes["taken"], outcomes["ConfigurationError"]) > 20


@pytest.mark.slow
def test_a_folder_full_of_broken_images_is_a_result_not_a_crash(tmp_path: Path) -> None:
    """Through the command itself: each broken file is named with its reason in the findings."""
    rng = random.Random(23)
    workspace, images = tmp_path / "w", tmp_path / "images"
    sitewatch("init", workspace)
    write_site(workspace)
    images.mkdir()
    story = Story(clearing=4, dates=8)
    broken = 0
    for index in range(story.dates):
        name = images / f"{story.day(index):%Y%m%d}.tif"
        write_tif(name, story.look(index), names=("blue", "green", "red", "nir", "SCL"))
        if index % 2:
            name.write_bytes(mutated(name.read_bytes()[: rng.randint(10, 3000)], rng))
            broken += 1
    ended = sitewatch("scan", "wood", "-w", workspace, "--source", images)
    assert ended.code in (0, 65)
    assert "Traceback" not in ended.err
    (path,) = (workspace / "outputs/runs/wood").glob("*/findings.json")
    refused = [s for s in json.loads(path.read_text())["scenes"] if not s["used"]]
    assert len(refused) >= broken
    assert all(scene["reason"] for scene in refused)
