"""Make the README's pictures from a simulated workspace: the report, a QGIS theme, a before/after figure, the wall sheet.

    sitewatch demo --out demo && python tests/golden/make_pictures.py demo

Needs Chromium and QGIS's Python (Debian: chromium, python3-qgis, qgis-providers). All of it says SIMULATED.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from chromium import Chromium  # noqa: E402
from PIL import Image  # noqa: E402

SITE = "simulated-centre"
WIDE = 1100


def main(workspace: Path) -> None:
    """Write report.webp, qgis.webp, figure.webp and sheet.webp beside this file."""
    runs = workspace / "outputs/runs" / SITE
    run = runs / (runs / "latest").read_text().strip()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        browser = Chromium(place / "profile", size=(1280, 1500))
        browser.open(run / "report.html")
        save(Image.open(BytesIO(browser.screenshot())), "report.webp")
        browser.close()
        subprocess.run(
            ["/usr/bin/python3", str(HERE.parent / "qgis_probe.py"), str(run / "site.qgz"), str(place)], check=True,
            capture_output=True,
        )  # fmt: skip
        themes = [Image.open(place / f"{name}.png").convert("RGB") for name in ("Before", "After", "Change")]
        sheet = Image.new("RGB", (sum(t.width for t in themes) + 20, themes[0].height), "white")
        for number, theme in enumerate(themes):
            sheet.paste(theme, (number * (theme.width + 10), 0))
        save(sheet, "qgis.webp")
        for command, name, target in (
            ("figure", "before_after.png", "figure.webp"), ("timelapse", "sheet.png", "sheet.webp"),
        ):  # fmt: skip
            out = place / command
            words = [sys.executable, "-m", "pipelines", "-w", str(workspace), command, SITE, "--out", str(out)]
            subprocess.run(words, check=True, capture_output=True, cwd=HERE.parents[1])
            save(Image.open(out / name).convert("RGB"), target)


def save(image: Image.Image, name: str) -> None:
    """A small picture beside this file."""
    small = image.convert("RGB").resize((WIDE, round(image.height * WIDE / image.width)), Image.Resampling.LANCZOS)
    small.save(HERE / name, "WEBP", quality=72, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
