"""How much is tried: a quick part in every run of the tests, all of it with `make soak`."""

import os
from typing import TypeVar

SOAK = os.environ.get("SITEWATCH_SOAK") == "1"
T = TypeVar("T")


def many(quick: T, soak: T) -> T:
    """A count, a step or a list: the second with `make soak`."""
    return soak if SOAK else quick
