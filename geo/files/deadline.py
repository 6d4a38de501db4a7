"""A decoder that does not come back ends the process, with a sentence: nothing else can stop it.

A damaged or hostile image may keep a decoder busy for ever, inside C code that no exception reaches. Each read says
when it began; a thread of its own looks now and then, and ends the process where one has taken far too long. The
kernel frees its locks, and `scan` tries the site after all others the next time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from geo.errors import InputError

LONGEST_S = 600.0  # a read is a window of an image; an hour of reads is many of them
LOOKS = 20

_began: dict[int, tuple[int, str]] = {}
_look_number = 0
_owner = 0
_starting = threading.Lock()


@contextmanager
def deadline(name: str) -> Iterator[None]:
    """Watch a read of the image of this name; one inside another counts as part of it."""
    key = threading.get_ident()
    _watch()
    if key in _began:
        yield
        return
    _began[key] = _look_number, name
    try:
        yield
    finally:
        _began.pop(key, None)


def _watch() -> None:
    """Start the thread that looks, once a process: a fork leaves it behind."""
    global _owner  # noqa: PLW0603 - one watch a process
    if _owner == os.getpid():
        return
    with _starting:
        if _owner == os.getpid():
            return
        _began.clear()
        _owner = os.getpid()
        threading.Thread(target=_look, args=(LONGEST_S,), name="deadline", daemon=True).start()


def _look(longest_s: float) -> None:
    """Count looks, not hours: a process that was stopped for a night has read nothing in that time."""
    global _look_number  # noqa: PLW0603 - one watch a process
    while True:
        _look_number += 1
        time.sleep(longest_s / LOOKS)
        for began, name in list(_began.values()):
            if _look_number - began > LOOKS:
                told = (
                    f"sitewatch: {name} did not decode within {longest_s:.0f} s; the program was ended. Take it out.\n"
                )
                os.write(2, told.encode(errors="replace"))
                os._exit(InputError.exit_code)
