"""Two images without a mask: a cloud and its shadow are doubted, bare ground is not, and a mask is believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from runs import sitewatch
from scipy import ndimage
from smalltif import write_tif

SIZE = 240
WOOD, SOIL, ROOF, CLOUD = (
    (0.03, 0.06, 0.04, 0.32),
    (0.09, 0.14, 0.20, 0.30),
    (0.34, 0.36, 0.38, 0.42),
    (0.62, 0.62, 0.62, 0.66),
)
BARE, BUILT, CLOUDED = (
    (slice(20, 50), slice(20, 50)),
    (slice(30, 36), slice(150, 162)),
    (slice(150, 195), slice(90, 140)),
)

SHADOW = (-45, 60)


def image(path: Path, *, changed: bool, offset: float, masked: bool, clouded: bool = True) -> Path:
    """A wood at 10 m; with `changed` a field, a roof of 60 m by 120 m and a cloud with a soft edge and its shadow."""
    rng = np.random.default_rng(4)
    ground = rng.normal(1, 0.06, (1, SIZE, SIZE))
    pixels = np.array(WOOD)[:, None, None] * ground
    cover = np.zeros((SIZE, SIZE))
    if changed:
        for where, colour in ((BARE, SOIL), (BUILT, ROOF)):
            pixels[:, where[0], where[1]] = np.array(colour)[:, None, None] * ground[:, where[0], where[1]]
        cover[CLOUDED] = clouded
        cover = ndimage.gaussian_filter(cover, 3)
        pixels *= 1 - 0.6 * np.roll(cover, SHADOW, (0, 1))
        pixels = pixels * (1 - cover) + np.array(CLOUD)[:, None, None] * cover
    pixels = (pixels + offset + np.random.default_rng(changed).normal(0, 0.002, pixels.shape)) * 10_000
    scl = (
        np.where(cover > 0.01, 9, np.where(np.roll(cover, SHADOW, (0, 1)) > 0.01, 3, 4))[None]
        if masked
        else np.zeros((0, SIZE, SIZE))
    )
    names = ("blue", "green", "red", "nir", *(["SCL"] if masked else []))
    write_tif(path, np.concatenate([np.maximum(pixels, 1), scl]).astype(np.uint16), names=names)
    return path


def events(folder: Path, **how: object) -> list[dict[str, object]]:
    """All that is found."""
    before = image(folder / "20190101.tif", changed=False, **how)  # type: ignore[arg-type]
    after = image(folder / "20190131.tif", changed=True, **how)  # type: ignore[arg-type]
    assert sitewatch("compare", before, after, "--out", folder / "out").code == 0
    found: list[dict[str, object]] = json.loads((folder / "out/findings.json").read_text())["events"]
    return found


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_a_cloud_is_doubted_and_bare_ground_is_not(tmp_path: Path, offset: float) -> None:
    """With a processing offset left in, too, which lifts all ground to where clouds begin."""
    found = events(tmp_path, offset=offset, masked=False)
    doubted = [event for event in found if "looks like a cloud" in str(event["confidence_reason"])]
    assert doubted
    assert {(event["kind"], event["confidence"]) for event in doubted} == {("other", "possible")}
    assert max(float(str(event["area_m2"])) for event in doubted) > 100_000
    sure = [event for event in found if event["confidence"] == "probable"]
    assert {event["kind"] for event in sure} == {"clearing"}  # the small roof beside the cloud is doubted, and listed
    assert 5000 < min(float(str(event["area_m2"])) for event in doubted) < 10_000


def test_without_a_cloud_a_white_roof_is_not_doubted(tmp_path: Path) -> None:
    found = events(tmp_path, offset=0.0, masked=False, clouded=False)
    assert {event["kind"] for event in found if event["confidence"] == "probable"} == {"clearing", "construction"}


def test_a_mask_is_believed(tmp_path: Path) -> None:
    found = events(tmp_path, offset=0.0, masked=True)
    assert not [event for event in found if "cloud" in str(event["confidence_reason"])]
    assert {event["kind"] for event in found if event["confidence"] == "probable"} >= {"clearing", "construction"}
