"""Stage 3, detect: a pair of looks becomes a change map with calibrated false-alarm probabilities."""

from pipelines.detect.change_map import LAYERS, Calibration, ChangeMap, ChangeObject, Direction
from pipelines.detect.series import SeriesMap, covered, detect_series
from pipelines.detect.series_layers import write_layers
from pipelines.detect.series_settings import SeriesDetectSettings
from pipelines.detect.settings import DetectSettings
from pipelines.detect.stage import detect
from pipelines.detect.wall import watch_wall
from pipelines.detect.wall_seen import WallSeen, WallSettings

__all__ = [
    "LAYERS", "Calibration", "ChangeMap", "ChangeObject", "DetectSettings", "Direction", "SeriesDetectSettings",
    "SeriesMap", "WallSeen", "WallSettings", "covered", "detect", "detect_series", "watch_wall", "write_layers",
]  # fmt: skip
