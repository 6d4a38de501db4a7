"""Runs of the command line in this process, and the small imagery that they look at."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from pipelines.cli import run

NOW = "2022-05-01T00:00:00Z"


@dataclass(frozen=True)
class Ended:
    """Exit code and what was said."""

    code: int
    out: str
    err: str


def sitewatch(*words: object) -> Ended:
    """Call the command line as a shell would, with a fixed clock."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["--now", NOW, *map(str, words)])
    return Ended(code, out.getvalue(), err.getvalue())


def files_of(folder: Path) -> dict[str, bytes]:
    """Relative name to bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
