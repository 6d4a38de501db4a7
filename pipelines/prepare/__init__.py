"""Stage 2, prepare: kept scenes become comparable pixels: units, masks, one grid, registration."""

from pipelines.prepare.clear import share_clear, share_over
from pipelines.prepare.cube import Cube
from pipelines.prepare.many import Refused, Series, prepare_series
from pipelines.prepare.pair import Pair, Prepared
from pipelines.prepare.settings import PrepareSettings
from pipelines.prepare.stage import prepare

__all__ = [
    "Cube", "Pair", "PrepareSettings", "Prepared", "Refused", "Series", "prepare", "prepare_series", "share_clear",
    "share_over",
]  # fmt: skip
