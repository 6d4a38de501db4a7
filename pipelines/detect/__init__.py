"""Stage 3, detect: a pair of looks becomes a change map with calibrated false-alarm probabilities."""

from pipelines.detect.change_map import LAYERS, Calibration, ChangeMap, ChangeObject, Direction
from pipelines.detect.settings import DetectSettings
from pipelines.detect.stage import detect

__all__ = ["LAYERS", "Calibration", "ChangeMap", "ChangeObject", "DetectSettings", "Direction", "detect"]
