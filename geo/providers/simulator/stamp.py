"""The word SIMULATED, burnt into the south-western corner of everything the simulator delivers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORDS = ("SIMULATED", "SIM")
_LETTERS = {
    "S": ("###", "#..", "###", "..#", "###"),
    "I": ("#", "#", "#", "#", "#"),
    "M": ("#...#", "##.##", "#.#.#", "#...#", "#...#"),
    "U": ("#.#", "#.#", "#.#", "#.#", "###"),
    "L": ("#..", "#..", "#..", "#..", "###"),
    "A": ("###", "#.#", "###", "#.#", "#.#"),
    "T": ("###", ".#.", ".#.", ".#.", ".#."),
    "E": ("###", "#..", "##.", "#..", "###"),
    "D": ("##.", "#.#", "#.#", "#.#", "##."),
}


def stamp(shape: tuple[int, int]) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return where the stamp lies in an image of `shape` and which of its pixels are ink.

    The same shape gives the same pixels, so the stamp of two dates never differs. It grows with the image and takes at
    most a sixth of its width; the shorter word is used where the long one would not fit.

    >>> where, ink = stamp((300, 300))
    >>> where, ink.shape
    ((slice(293, 300, None), slice(0, 37, None)), (7, 37))
    """
    rows, cols = shape
    word = next((w for w in WORDS if _draw(w).shape[1] <= cols * 0.6), WORDS[-1])
    ink = _draw(word)
    size = max(1, min(cols // (6 * ink.shape[1]), rows // (12 * ink.shape[0])))
    ink = np.repeat(np.repeat(ink, size, 0), size, 1)[:rows, :cols]
    return (slice(rows - ink.shape[0], rows), slice(0, ink.shape[1])), ink


def _draw(word: str) -> NDArray[np.bool_]:
    columns = []
    for letter in word:
        columns += [np.array([[c == "#" for c in line] for line in _LETTERS[letter]]), np.zeros((5, 1), bool)]
    return np.pad(np.hstack(columns)[:, :-1], 1)
