"""Who does the work of tiles: threads here, or a Dask cluster elsewhere. The only room that imports Dask."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from geo.errors import MissingExtraError


@contextmanager
def executor(workers: int, dask_address: str | None = None) -> Iterator[Executor]:
    """Yield an executor: `workers` threads, or the Dask cluster at an address.

    Threads are enough on one machine, since GDAL, numpy and scipy.ndimage let go of the interpreter while they work.
    Raises MissingExtraError where Dask is asked for and not installed.
    """
    if dask_address is None:
        with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="tiles") as pool:
            yield pool
        return
    try:
        from distributed import Client
    except ImportError as missing:
        raise MissingExtraError("distributed", "dask") from missing
    with Client(dask_address) as client, client.get_executor() as pool:
        yield pool
