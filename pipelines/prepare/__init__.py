"""Stage 2, prepare: kept scenes become comparable pixels: units, masks, one grid, registration."""

from pipelines.prepare.clear import share_clear
from pipelines.prepare.pair import Pair, Prepared
from pipelines.prepare.settings import PrepareSettings
from pipelines.prepare.stage import prepare

__all__ = ["Pair", "PrepareSettings", "Prepared", "prepare", "share_clear"]
