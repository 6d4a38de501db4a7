"""One palette for QGIS, the report and the figures: Okabe and Ito's colours, told apart by every common kind of sight.

Status never rests on colour alone: lines differ in dash and width, labels carry the word.
"""

from __future__ import annotations

from pipelines.assess.findings import Confidence

VERMILION, ORANGE, SKY, GREEN, BLUE, PURPLE, BLACK = (
    "#d55e00", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#cc79a7", "#000000",
)  # fmt: skip
UNSEEN = "#8c8c8c"

# Line dash and width in mm (at print size) by confidence.
CONFIDENCE: dict[Confidence, tuple[str, str, float]] = {
    "confirmed": (VERMILION, "solid", 0.9),
    "probable": (ORANGE, "solid", 0.6),
    "possible": (SKY, "dash", 0.6),
}
# Upper bounds of the false-alarm probability: dark is certain. ColorBrewer YlOrBr, safe for colour-blind readers.
CHANCE = (
    (1e-6, "#662506", "up to 1 in 1,000,000"),
    (1e-4, "#993404", "up to 1 in 10,000"),
    (1e-3, "#cc4c02", "up to 1 in 1,000"),
    (1e-2, "#fe9929", "up to 1 in 100"),
    (5e-2, "#fee391", "up to 1 in 20"),
)


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as numbers.

    >>> rgb("#d55e00")
    (213, 94, 0)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
