"""Small pictures of candidates and changes, also at and beyond the edges, with GDAL as narrow as the program has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from smalltif import write_tif

PROGRAM = """
import os, sys
from pathlib import Path
from geo.files.environment import harden
harden(os.environ)
from PIL import Image
from shapely.geometry import box
from pipelines.publish.chips import _chip
folder = Path(sys.argv[1])
for number, place in enumerate(((20, 20, 30, 30), (-3, -3, 6, 6), (55, 50, 61, 61), (70, 70, 80, 80))):
    Image.fromarray(_chip(folder, box(*place))).save(folder / f"{number}.png")
"""


def test_a_picture_at_the_edge_is_white_where_there_is_nothing(tmp_path: Path) -> None:
    """The middle is the image; beyond it is white; an outline off the image is drawn on white alone."""
    image = np.full((4, 60, 60), 90, np.uint8)
    image[3] = 255
    for name in ("before.tif", "after.tif"):
        write_tif(tmp_path / name, image)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    grey, white = [], []
    for number in range(4):
        with Image.open(tmp_path / f"{number}.png") as picture:
            pixels = np.asarray(picture.convert("L"))
        half = pixels[:, : pixels.shape[1] // 2 - 10]
        grey.append(float(np.mean(half == 90)))
        white.append(float(np.mean(half == 255)))
    assert grey[0] > 0.9
    assert 0.1 < grey[1] < 0.9 < grey[1] + white[1]
    assert 0.1 < grey[2] < 0.9
    assert grey[3] < 0.01
