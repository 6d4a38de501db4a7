"""Sums and maxima over moving windows and along slanted lines, the same to the bit wherever the array is cut.

A running sum carries its rounding along the row, so a tile would differ from the whole image. Here every output is
built by doubling (sums of 1, 2, 4, 8 … pixels): a fixed order of additions for each pixel, a few passes whatever the
window's length. What lies outside the array counts as zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def odd(length: float) -> int:
    """Return the odd number of pixels nearest to `length`, at least 1.

    >>> odd(0.3), odd(4.4), odd(6.2)
    (1, 5, 7)
    """
    return 2 * max(0, round((length - 1) / 2)) + 1


def line_means(values: Float, length: int, direction: tuple[float, float], multiples: int = 1) -> list[Float]:
    """Mean of `values` along centred lines of 1, 2, … `multiples` times `length` pixels.

    Args:
        values: (row, col), without NaN.
        length: number of pixels, at least 1.
        direction: unit step (row, col) of the line; positions are rounded to whole pixels.
        multiples: how many lengths to return.

    Returns:
        `multiples` float32 (row, col) arrays.

    Raises:
        ValueError: `length` or `multiples` is below 1.
    """
    if length < 1 or multiples < 1:
        raise ValueError(f"a line needs at least one pixel, not {length} x {multiples}")
    # A run may begin outside and end inside, so a margin is carried along.
    margin = length * multiples // 2 + 2
    power, step = np.pad(values, [(margin if part else 0,) * 2 for part in direction]), 1
    run, done = np.zeros_like(power), -(length // 2)
    while step <= length:
        if length & step:
            _add_shifted(run, power, _along(done, direction))
            done += step
        if 2 * step <= length:
            doubled = power.copy()
            _add_shifted(doubled, power, _along(step, direction))
            power = doubled
        step *= 2
    inside = tuple(slice(margin, -margin) if part else slice(None) for part in direction)
    means = [run[inside] * np.float32(1 / length)]
    for count in range(2, multiples + 1):
        total = np.zeros_like(run)
        for part in range(count):
            _add_shifted(total, run, _along(part * length - (count - 1) * length // 2, direction))
        means.append(total[inside] * np.float32(1 / (length * count)))
    return means


def window_mean(values: Float, size: int) -> Float:
    """Mean over a centred square of `size` pixels (odd); float32 (row, col) in and out, without NaN."""
    rows = line_means(values, size, (1.0, 0.0))[0]
    return line_means(rows, size, (0.0, 1.0))[0]


def window_max(values: Float, size: int) -> Float:
    """Maximum over a centred square of `size` pixels (odd); float32 (row, col) without NaN.

    >>> window_max(np.eye(3, dtype=np.float32), 3)[0, 2]
    np.float32(1.0)
    """
    return _extreme(values, size, np.maximum, -np.inf)


def window_min(values: Float, size: int) -> Float:
    """Minimum over a centred square of `size` pixels (odd); float32 (row, col) without NaN."""
    return _extreme(values, size, np.minimum, np.inf)


def _extreme(values: Float, size: int, pick: np.ufunc, outside: float) -> Float:
    half = size // 2
    found = np.pad(values, half, constant_values=np.float32(outside))
    for axis in (0, 1):
        wanted, step = found.shape[axis] - 2 * half, 1
        while 2 * step <= size:
            length = found.shape[axis] - step
            found = pick(_cut(found, 0, length, axis), _cut(found, step, length, axis))
            step *= 2
        # Two overlapping runs cover any length: an extreme may see a pixel twice.
        found = pick(_cut(found, 0, wanted, axis), _cut(found, size - step, wanted, axis))
    return found


def _cut(values: Float, start: int, length: int, axis: int) -> Float:
    return values[start : start + length] if axis == 0 else values[:, start : start + length]


def _along(steps: int, direction: tuple[float, float]) -> tuple[int, int]:
    return round(steps * direction[0]), round(steps * direction[1])


def _overlap(shape: tuple[int, ...], offset: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Slices (target, source) such that target[p] meets source[p + offset]; None where nothing does."""
    target, source = [], []
    for size, move in zip(shape, offset, strict=True):
        if abs(move) >= size:
            return None
        target.append(slice(max(0, -move), min(size, size - move)))
        source.append(slice(max(0, move), min(size, size + move)))
    return (target[0], target[1]), (source[0], source[1])


def _add_shifted(out: Float, values: Float, offset: tuple[int, int]) -> None:
    parts = _overlap(values.shape, offset)
    if parts is not None:
        out[parts[0]] += values[parts[1]]
