"""Many dates of one place: an animation with the date on every frame, and a sheet of small pictures for print."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geo.files.atomic import atomic_path
from geo.kernels.render import hatch
from pipelines.publish.palette import UNSEEN, rgb
from pipelines.publish.pieces import MARGIN, WIDTH_IN, drawable, own_defaults, watermark, write
from pipelines.publish.wording import percent

FRAME_PX = 720
FRAME_MS, LAST_MS = 550, 2500
LONG_DAYS = 60
_BAR, _TEXT = 46, 18
_ACROSS, _DPI = 6, 300


@dataclass(frozen=True, eq=False)
class Frame:
    """One date: uint8 (row, col, 4) with alpha 0 where nothing was seen, when, and the share that was seen.

    `gap_days` counts the days since the view before, whether that is among the frames or not.
    """

    image: NDArray[np.uint8]
    time: datetime
    clear: float
    gap_days: int = 0


@dataclass(frozen=True, kw_only=True)
class Reel:
    """Frames in time order, and the words around them."""

    frames: Sequence[Frame]
    title: str
    shown: str
    credit: str
    simulated: bool


def write_animation(path: Path, reel: Reel) -> None:
    """Write an animated WebP that plays for ever, pausing at its end; the same frames give the same bytes."""
    first, last = reel.frames[0].time, reel.frames[-1].time
    images = [_stamped(reel, number, (first, last)) for number in range(len(reel.frames))]
    buffer = io.BytesIO()
    durations = [FRAME_MS] * (len(images) - 1) + [LAST_MS]
    images[0].save(
        buffer, "WEBP", save_all=True, append_images=images[1:], duration=durations, loop=0, quality=80, method=3
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _stamped(reel: Reel, number: int, span: tuple[datetime, datetime]) -> Image.Image:
    """A frame over a bar that tells its date, what was not seen, and where it stands in time."""
    frame = reel.frames[number]
    picture = enlarged(hatched(frame.image), FRAME_PX)
    width, height = picture.size
    width = max(width, 420)
    canvas = Image.new("RGB", (width, height + _BAR), "white")
    canvas.paste(picture, ((width - picture.width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(_TEXT)
    if reel.simulated:
        large = ImageFont.load_default(width // 9)
        draw.text((width / 2, height / 2), "SIMULATED", fill="white", font=large, anchor="mm", stroke_width=2,
                  stroke_fill="black")  # fmt: skip
    mark = "SIMULATED  " if reel.simulated else ""
    draw.text((8, height + 3), f"{mark}{frame.time:%d %b %Y}", fill="black", font=font)
    unseen = f"not seen: {percent(1 - frame.clear)}" if frame.clear < 0.995 else "all seen"
    draw.text((width - 8, height + 3), unseen, fill="black", font=font, anchor="ra")
    whole = max((span[1] - span[0]).total_seconds(), 1.0)

    def at(time: datetime) -> float:
        return 8 + (width - 16) * (time - span[0]).total_seconds() / whole

    line = height + _BAR - 10
    draw.line((8, line, width - 8, line), fill="#bbbbbb", width=1)
    for other in reel.frames:
        draw.line((at(other.time), line - 3, at(other.time), line + 3), fill="#888888", width=1)
    here = at(frame.time)
    draw.rectangle((here - 3, line - 6, here + 3, line + 6), fill="black")
    return canvas


def write_sheet(path: Path, reel: Reel) -> None:
    """Write the frames side by side with their dates as a PNG for print; a long time without a view is written out."""
    with own_defaults():
        figure = _sheet(reel)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        figure.clear()
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _sheet(reel: Reel) -> Figure:
    count = len(reel.frames)
    across = min(_ACROSS, count)
    gap = 0.12
    width = (WIDTH_IN - 2 * MARGIN - (across - 1) * gap) / across
    rows, cols = reel.frames[0].image.shape[:2]
    tall = width * rows / cols
    lines = -(-count // across)
    cell = tall + 0.42
    height = 0.85 + lines * cell + 0.5
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    FigureCanvasAgg(figure)
    write(figure, MARGIN, height - 0.42, drawable(reel.title), weight="bold", size=13)
    said = f"{count} dates, same extent, scale and stretch; {reel.shown}. Hatched: not seen."
    write(figure, MARGIN, height - 0.62, said, size=7.5)
    for number, frame in enumerate(reel.frames):
        left = MARGIN + number % across * (width + gap)
        top = height - 0.8 - number // across * cell
        axes = figure.add_axes((left / WIDTH_IN, (top - tall) / height, width / WIDTH_IN, tall / height))
        axes.imshow(hatched(frame.image), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        if reel.simulated:
            watermark(axes, 34 / across)
        write(figure, left, top - tall - 0.14, f"{frame.time:%d %b %Y}", width, weight="bold", size=7)
        gap = frame.gap_days
        told = f"{gap} days without a view before" if gap > LONG_DAYS else f"seen {percent(frame.clear)}"
        write(figure, left, top - tall - 0.27, told, width, size=6)
    write(figure, MARGIN, 0.2, f"{reel.credit}. Not checked on the ground.", size=6.5)
    return figure


def hatched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (row, col, 3) in which what was not seen is hatched, as everywhere."""
    shown = image[..., :3].copy()
    unseen = image[..., 3] == 0
    dark = hatch((0, 0), (image.shape[0], image.shape[1]))
    shown[unseen & dark] = rgb(UNSEEN)
    shown[unseen & ~dark] = 255
    return shown


def enlarged(image: NDArray[np.uint8], longest: int) -> Image.Image:
    """A picture at about `longest` pixels: whole multiples of small ones, so that pixels stay pixels."""
    picture = Image.fromarray(image)
    size = max(picture.size)
    if size >= longest:
        return picture.resize(
            (max(1, picture.width * longest // size), max(1, picture.height * longest // size)),
            Image.Resampling.LANCZOS,
        )
    times = max(1, longest // size)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
