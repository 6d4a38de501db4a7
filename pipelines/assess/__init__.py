"""Stage 4, assess: a change map and a site become findings: events, perimeter, buildings, with their uncertainty."""

from pipelines.assess.context import Considered, Context
from pipelines.assess.findings import Findings
from pipelines.assess.stage import assess

__all__ = ["Considered", "Context", "Findings", "assess"]
