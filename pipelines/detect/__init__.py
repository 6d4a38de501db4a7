"""Stage 3, detect: a pair of looks becomes a change map with calibrated false-alarm probabilities."""

from pipelines.detect.change_map import Calibration, ChangeMap, ChangeObject, Direction

__all__ = ["Calibration", "ChangeMap", "ChangeObject", "Direction"]
