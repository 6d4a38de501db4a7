"""Makes the README's picture: the top of the demo's report in headless Chromium. Run: python tests/golden/make_report_picture.py"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

TARGET = Path(__file__).parent / "report.webp"
NOW = "2022-05-01T00:00:00Z"


def main() -> None:
    """Run the demo, photograph its report, keep the upper part."""
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "-m", "pipelines", "--now", NOW, "demo", "--out", f"{folder}/demo"]
        report = subprocess.run(demo, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        picture = Path(folder) / "report.png"
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1180,1500",
             f"--user-data-dir={folder}/profile", f"--screenshot={picture}", Path(report).resolve().as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
        with Image.open(picture) as image:
            image.convert("RGB").resize((885, 1125)).save(TARGET, quality=72, method=6)


if __name__ == "__main__":
    main()
