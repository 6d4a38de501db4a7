"""Pieces that all figures are put together from: panels, outlines, scale and north, words that fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager, patheffects
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Polygon
from matplotlib.textpath import TextToPath

from geo.files.text import clean
from pipelines.publish.drawing import Outline, rings
from pipelines.publish.palette import UNSEEN
from pipelines.publish.pictures import Picture, north, scale_bar

WIDTH_IN = 10.0
MARGIN = 0.35  # inches
HEAD = 1.3
DASH: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2.5)), "dot": (0, (1, 1.5)), "dash dot": (0, (6, 2, 1, 2))}
POINTS_PER_MM = 2.2
HALO = [patheffects.withStroke(linewidth=2.2, foreground="white")]
UNSEEN_PATCH: dict[str, Any] = {"facecolor": "white", "edgecolor": UNSEEN, "hatch": "////"}


def panel(
    figure: Figure, height: float, picture: Picture, place: tuple[float, float, float], head: float = HEAD
) -> Any:
    """Axes in the picture's pixels at (left, width, tall) inches, `head` inches below the figure's upper edge."""
    left, width, tall = place
    axes = figure.add_axes((left / WIDTH_IN, (height - head - tall) / height, width / WIDTH_IN, tall / height))
    rows, cols = picture.size
    axes.set(xlim=(0, cols), ylim=(rows, 0), xticks=[], yticks=[])
    axes.set_aspect("equal")
    # What was not seen is transparent in the picture and shows this hatch.
    axes.patch.set(**UNSEEN_PATCH)
    axes.set_zorder(1)
    return axes


def draw_outline(axes: Any, outline: Outline, style: dict[str, Any]) -> None:
    """Draw every ring of an outline."""
    for ring in rings(outline.shape):
        axes.plot(*zip(*ring, strict=True), **style)


def line_style(outline: Outline) -> dict[str, Any]:
    """Colour, width and dash of an outline, as matplotlib takes them."""
    width = outline.width_mm * POINTS_PER_MM
    return {"color": outline.colour, "linewidth": width, "linestyle": DASH[outline.line]}


def scale_and_north(axes: Any, picture: Picture) -> None:
    """A bar of a round length at the lower left, and an arrow to true north at the lower right."""
    rows, cols = picture.size
    length, label = scale_bar(picture)
    x, y = cols * 0.04, rows - max(rows, cols) * 0.035
    axes.plot([x, x + length], [y, y], color="white", linewidth=5, solid_capstyle="butt", zorder=8)
    axes.plot([x, x + length], [y, y], color="black", linewidth=2.6, solid_capstyle="butt", zorder=9)
    rimmed(axes, x + length / 2, y - max(rows, cols) * 0.012, label, ha="center", va="bottom", fontsize=7.5)
    direction = north(picture.grid)
    if direction is None:
        return
    reach = max(rows, cols) * 0.045
    right, down = direction
    foot = cols - 1.5 * reach, rows - 1.5 * reach
    tip = foot[0] + right * reach, foot[1] + down * reach
    wing = [(foot[0] + side * 0.35 * reach * -down, foot[1] + side * 0.35 * reach * right) for side in (1, -1)]
    notch = foot[0] + right * 0.25 * reach, foot[1] + down * 0.25 * reach
    outline = [tip, wing[0], notch, wing[1]]
    axes.add_patch(Polygon(outline, closed=True, facecolor="black", edgecolor="white", linewidth=1.2, zorder=9))
    place = tip[0] + direction[0] * reach * 0.45, tip[1] + direction[1] * reach * 0.45
    rimmed(axes, *place, "N", ha="center", va="center", fontsize=8)


def rimmed(axes: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Bold black text on a white rim; drawn twice, since a rim turns text into a path that nobody can search."""
    for zorder, effects in ((9, HALO), (9.1, None)):
        axes.text(x, y, text, fontweight="bold", color="black", path_effects=effects, zorder=zorder, **style)


def watermark(axes: Any, size: float = 34) -> None:
    """SIMULATED, across the panel."""
    axes.text(
        0.5, 0.5, "SIMULATED", transform=axes.transAxes, rotation=30, ha="center", va="center", fontsize=size,
        fontweight="bold", color="white", alpha=0.35, zorder=10,
        path_effects=[patheffects.withStroke(linewidth=1.2, foreground="black", alpha=0.5)],
    )  # fmt: skip


def write(figure: Figure, left: float, bottom: float, text: str, width: float | None = None, **style: Any) -> None:
    """Write at inches; never read as a formula, only characters that the font has, cut to `width` inches."""
    style["fontsize"], style["fontweight"] = style.pop("size"), style.pop("weight", "normal")
    room = width or WIDTH_IN - MARGIN - left
    fitted = _fitted(drawable(text), room, style["fontsize"], style["fontweight"])
    figure.text(left / WIDTH_IN, bottom / figure.get_figheight(), fitted, parse_math=False, va="bottom", **style)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Inches that a line of text takes."""
    face = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    length, _, _ = TextToPath().get_text_width_height_descent(text, face, ismath=False)
    return float(length) / 72


def _fitted(text: str, width: float, size: float, weight: str) -> str:
    """The longest start of a text that fits into `width` inches, with an ellipsis where it was cut."""

    def fits(candidate: str) -> bool:
        return text_width(candidate, size, weight) <= width

    if fits(text):
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle] + "…") else (low, middle - 1)
    return text[:low] + "…"


def drawable(text: str) -> str:
    """Text with characters that the built-in font lacks (e.g. Khmer) as a box; the report shows them all."""
    return "".join(c if ord(c) in _glyphs() else "\u25a1" for c in clean(text).replace("\n", " ").replace("\t", " "))


@cache
def _glyphs() -> frozenset[int]:
    path = font_manager.findfont(FontProperties(family="DejaVu Sans"))
    return frozenset(font_manager.get_font(path).get_charmap())


@contextmanager
def own_defaults() -> Iterator[None]:
    """Matplotlib as shipped: a user's matplotlibrc must not show in a published figure."""
    shipped = {
        name: value
        for name, value in mpl.rcParamsDefault.items()
        if not name.startswith(("backend", "date.", "interactive", "toolbar", "webagg", "tk.", "keymap", "savefig.dir"))
    }
    with mpl.rc_context(shipped):
        mpl.rcParams["font.family"] = ["DejaVu Sans"]
        mpl.rcParams["hatch.linewidth"] = 1.2
        yield
