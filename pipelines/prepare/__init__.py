"""Stage 2, prepare: kept scenes become comparable pixels: units, masks, one grid, registration."""

from pipelines.prepare.pair import Pair, Prepared

__all__ = ["Pair", "Prepared"]
