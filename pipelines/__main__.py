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
    from pipelines.workers import limit_memory, stop_on_signals

    limit_memory()
    stop_on_signals()
    sys.unraisablehook = _unraisable
    sys.exit(run(sys.argv[1:]))


def _unraisable(event: sys.UnraisableHookArgs) -> None:
    """Keep rasterio's log silent where it cannot decode what GDAL says of a broken file; the error itself is told."""
    if event.object != "rasterio._env.log_error":
        sys.__unraisablehook__(event)


if __name__ == "__main__":
    main()
