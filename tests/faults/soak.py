"""How much is tried: a quick part in every run of the tests, all of it with `make soak`."""

import os

SOAK = os.environ.get("SITEWATCH_SOAK") == "1"


def many(quick: int, soak: int) -> int:
    """A count, or a step: the second with `make soak`."""
    return soak if SOAK else quick
