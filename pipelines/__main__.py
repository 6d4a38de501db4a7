"""The command's front door: make the environment safe, then load the rest."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from geo.files.environment import harden

    # GDAL and PROJ read these once, when their libraries load; so this comes before every other import.
    harden(os.environ)
    from pipelines.cli import run
    from pipelines.workers import stop_on_signals

    stop_on_signals()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
