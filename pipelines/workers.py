"""Who does the work: threads for tiles, or a Dask cluster; processes for sites. The only room that imports Dask."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol, TypeVar

from geo.errors import MissingExtraError


@contextmanager
def executor(workers: int, dask_address: str | None = None) -> Iterator[Executor]:
    """Yield an executor: `workers` threads, or the Dask cluster at an address.

    Threads are enough on one machine, since GDAL, numpy and scipy.ndimage let go of the interpreter while they work.
    Raises MissingExtraError where Dask is asked for and not installed.
    """
    if dask_address is None:
        pool = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="tiles")
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # who is asked to stop begins no further tile
        return
    try:
        from distributed import Client
    except ImportError as missing:
        raise MissingExtraError("distributed", "dask") from missing
    with Client(dask_address) as client, client.get_executor() as cluster:
        yield cluster


R = TypeVar("R", covariant=True)


class Terminated(BaseException):
    """A signal asked the program to stop: it unwinds, and half-made files are removed on the way out."""

    def __init__(self, signum: int) -> None:
        """Keep the signal: the exit code is 128 and its number."""
        super().__init__(signum)
        self.exit_code = 128 + signum


def stop_on_signals() -> None:
    """From now on SIGTERM, SIGHUP and SIGINT raise Terminated."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise Terminated(signum)

    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, stop)


def limit_memory(share: float = 0.9) -> None:
    """Keep the memory of this process, and of each it starts, below a share of what the machine has.

    An image that asks for more is then an error with a sentence, and not the end of other programs.
    """
    if sys.platform == "linux":
        import resource

        most = int(share * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        given = [limit for limit in (most, soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min(given), hard))


class Job(Protocol[R]):
    """Work that can be sent to another process."""

    def __call__(self, executor: Executor) -> R:
        """Do it, tiles on `executor`."""
        ...

    def died(self) -> R:
        """What to give where the process that did it died twice."""
        ...


def in_processes(jobs: Sequence[Job[R]], at_once: int) -> Iterator[R]:
    """Do jobs in processes of their own, `at_once` at a time; yield what each gives as it ends.

    The processes are spawned, so that they inherit no lock, and end with this one, however it ends. Where one of them
    dies (out of memory, a decoder that crashes) it is not known on which job, so what was left is done again, each job
    alone; that which dies again says `died`.
    """
    done: set[int] = set()
    for number, result in _together(jobs, at_once):
        done.add(number)
        yield result
    for number, job in enumerate(jobs):
        if number not in done:
            alone = list(_together([job], 1))
            yield alone[0][1] if alone else job.died()


def _together(jobs: Sequence[Job[R]], at_once: int) -> Iterator[tuple[int, R]]:
    """Yield (number, result) of every job that ended before a process died, if one did."""
    pool = ProcessPoolExecutor(
        min(at_once, max(1, len(jobs))),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    try:
        futures = {pool.submit(_do, job): number for number, job in enumerate(jobs)}
        for future in as_completed(futures):
            with suppress(BrokenProcessPool):
                yield futures[future], future.result()
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _do(job: Job[R]) -> R:
    with executor(1) as pool:
        return job(pool)


def _end_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent dies: else it would keep its site's lock."""
    stop_on_signals()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
