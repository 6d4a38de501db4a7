"""Radar brackets: of two looks of the old state the last one is not trusted, since work can hide in a part of a cell."""

from __future__ import annotations

import numpy as np

from geo.kernels.sar_track import NEW, OLD, UNSEEN, UNSURE
from pipelines.detect.radar import _last_but_one


def test_the_last_old_look_does_not_bound_the_beginning() -> None:
    states = np.array([OLD, OLD, UNSURE, OLD, UNSEEN, OLD, NEW, NEW], np.uint8)
    assert _last_but_one(states, 5) == 3
    assert _last_but_one(states, 3) == 1


def test_one_old_look_alone_bounds_nothing() -> None:
    assert _last_but_one(np.array([UNSEEN, OLD, NEW, NEW], np.uint8), 1) == -1
