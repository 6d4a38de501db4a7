"""Stage 4, assess: a change map and a site become findings: events, perimeter, buildings, with their uncertainty."""

from pipelines.assess.context import Considered, Context
from pipelines.assess.findings import Event, Findings
from pipelines.assess.series_stage import Shown, assess_series
from pipelines.assess.stage import assess, unused_state

__all__ = ["Considered", "Context", "Event", "Findings", "Shown", "assess", "assess_series", "unused_state"]
