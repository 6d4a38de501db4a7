"""An image that fills its axes, pasted pixel by pixel.

`imshow` turns every image into 32 or 64 bit floats at the size of the print: hundreds of megabytes for one panel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from numpy.typing import NDArray
from PIL import Image


class Pasted(Artist):
    """A uint8 (row, col, 3 or 4) image over the whole of the axes that it is added to; nearest pixels, alpha kept."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        """Hold the image; its first row is the upper one."""
        super().__init__()
        self.image = image
        self.set_zorder(1)

    def draw(self, renderer: Any) -> None:
        """Paste the image at the renderer's own resolution."""
        place = self.axes.bbox  # type: ignore[union-attr]
        left, bottom, right, top = (round(v) for v in place.extents)
        sized = Image.fromarray(self.image).resize((right - left, top - bottom), Image.Resampling.NEAREST)
        context = renderer.new_gc()
        context.set_clip_rectangle(place)
        # The renderer counts rows from below.
        renderer.draw_image(context, left, bottom, np.ascontiguousarray(np.asarray(sized.convert("RGBA"))[::-1]))
        context.restore()
        self.stale = False
