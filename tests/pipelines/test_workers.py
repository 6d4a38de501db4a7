"""One job that ends its process costs only itself."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.workers import in_processes


@dataclass(frozen=True)
class Work:
    """Writes that it began, and dies as often as it is told to."""

    name: str
    folder: Path
    deaths: int = 0

    def __call__(self, executor: Executor) -> str:
        count = len(list(self.folder.glob(f"{self.name}-*")))
        (self.folder / f"{self.name}-{count}").touch()
        if count < self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{self.name} done"

    def died(self) -> str:
        return f"{self.name} died"


@pytest.mark.slow
@pytest.mark.parametrize(("deaths", "said"), [(1, "b done"), (9, "b died")])
def test_a_process_that_dies_costs_its_job_only(tmp_path: Path, deaths: int, said: str) -> None:
    jobs = [Work("a", tmp_path), Work("b", tmp_path, deaths), Work("c", tmp_path), Work("d", tmp_path)]
    assert sorted(in_processes(jobs, 2)) == ["a done", said, "c done", "d done"]


@pytest.mark.slow
def test_where_none_dies_each_is_done_once(tmp_path: Path) -> None:
    jobs = [Work(name, tmp_path) for name in "abc"]
    assert sorted(in_processes(jobs, 2)) == ["a done", "b done", "c done"]
    assert len(list(tmp_path.iterdir())) == 3
