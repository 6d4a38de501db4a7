"""A decoder that hangs ends the process, with a sentence and the code of unusable input; one that does not, does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, threading, time
from geo.files import deadline
deadline.LONGEST_S = 1.0
{body}
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        # A call into C that lets go of the interpreter and never comes back, as rasterio's reads do.
        "import ctypes\nwith deadline.deadline('bad.tif'):\n    ctypes.CDLL(None).pause()",
        "def hang():\n    with deadline.deadline('bad.tif'):\n        time.sleep(60)\n"
        "threading.Thread(target=hang, daemon=True).start()\n"
        "for _ in range(400):\n    with deadline.deadline('good.tif'):\n        time.sleep(0.1)",
        "import os\nwith deadline.deadline('good.tif'):\n    pass\n"
        "if os.fork() == 0:\n    with deadline.deadline('bad.tif'):\n        time.sleep(60)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))",
    ],
    ids=["the main thread", "another thread", "after a fork"],
)
def test_a_decoder_that_hangs_ends_the_process(body: str) -> None:
    done = run(body)
    assert done.returncode == 65
    assert done.stderr == "sitewatch: bad.tif did not decode within 1 s; the program was ended. Take it out.\n"


def test_many_quick_reads_are_no_long_one() -> None:
    done = run(
        "for _ in range(30):\n    with deadline.deadline('a.tif'), deadline.deadline('a.tif'):\n        time.sleep(0.1)"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_process_that_was_stopped_meanwhile_reads_on() -> None:
    """As on a laptop that slept: three times the longest read, in which nothing could be read."""
    body = "print('begun', flush=True)\nwith deadline.deadline('a.tif'):\n    time.sleep(0.3)\nprint('read')"
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGSTOP)
    time.sleep(3)
    child.send_signal(signal.SIGCONT)
    told, err = child.communicate(timeout=60)
    assert (child.returncode, told, err) == (0, "read\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA bounds memory on Linux")
def test_memory_has_a_limit_and_is_an_error_then() -> None:
    program = (
        "from pipelines.workers import limit_memory\nimport numpy as np, subprocess, sys\n"
        "limit_memory(share=0.05)\n"
        "def much():\n    return np.ones(int(2 * 0.05 * {ram} / 8))\n"
        "try:\n    much()\nexcept MemoryError:\n    print('refused')\n"
        "limit_memory()\n"
        "import resource\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0] <= 0.051 * {ram})"
    ).format(ram=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", "True"], done.stderr
