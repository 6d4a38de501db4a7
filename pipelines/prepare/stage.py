"""Stage 2: two kept scenes become two looks at one grid, in the same bands and units."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.files.warp import Warped, onto, warping_in_threads, write_warped
from geo.grid import Grid
from geo.raster import Flag
from geo.scene import SceneRecord
from geo.tiles import fold_tiles
from pipelines.prepare.looks import HIDING, Flags, Look, look_at, same_bands, same_unit
from pipelines.prepare.matching import matched, what_was_done
from pipelines.prepare.pair import Pair, Prepared
from pipelines.prepare.placing import gsd_m, one_reference, overlap
from pipelines.prepare.registering import Registration, confirm, decide, measure, offset_suspicion
from pipelines.prepare.settings import PrepareSettings

_ALL_BANDS_UP_TO_PX = 4096 * 4096
"""On larger images the clear share is counted in the first band alone: reading all bands twice would cost more."""


class _Count(NamedTuple):
    clear: int
    total: int
    bits: NDArray[np.int64]


def prepare(
    before: SceneRecord,
    after: SceneRecord,
    *,
    grid: Grid | None = None,
    folder: Path,
    settings: PrepareSettings | None = None,
    executor: Executor | None = None,
) -> Pair:
    """Bring two scenes onto one grid, in the same bands and units, registered to each other.

    What already lies on the grid is read where it lies; the rest is resampled once, its measured shift included, into
    a plain GeoTIFF in `folder`.

    Args:
        before: the earlier scene; bands are in its order.
        after: the later scene.
        grid: where to compare; None is BEFORE's own grid.
        folder: an existing folder of this run for intermediate files.
        settings: what the user said about the files, and how far shifts are put right.
        executor: where chunks are computed; None is here. It does not show in the result.

    Returns:
        The pair; every guess, correction and doubt is a note in it.

    Raises:
        InputError: a file is no usable image, or the two do not share bands, units or ground.
    """
    settings = settings or PrepareSettings()
    looks = same_unit(*same_bands(look_at(before, settings), look_at(after, settings)))
    one, other = one_reference(*looks)
    target = one.file.grid if grid is None else grid
    settings = settings.at(target.pixel_size_m)
    window = overlap(one, other, target)
    lazy_one, lazy_other = onto(one.source, target), onto(other.source, target)
    bands, unit = one.file.bands, one.file.encoding.unit
    shift, read = measure(lazy_one, lazy_other, window, bands, unit, settings.max_correct_px)
    registration = decide(shift, settings)
    if registration.state == "corrected":
        moved = onto(other.source, target, shift_px=registration.correction_px)
        registration = confirm(registration, measure(lazy_one, moved, window, bands, unit, settings.max_correct_px)[0])
    other = other.noted(*registration.notes, *offset_suspicion(read, bands, unit))
    reference = Registration("reference", None, ())
    earlier = _prepared(one, target, reference, folder / "before.tif", executor)
    later = _prepared(other, target, registration, folder / "after.tif", executor)
    done = (
        what_was_done(lazy_one),
        what_was_done(onto(other.source, target, shift_px=registration.correction_px)),
    )
    if done[0] != done[1]:
        earlier, later = (
            matched(earlier, done[1], folder / "before_matched.tif", executor),
            matched(later, done[0], folder / "after_matched.tif", executor),
        )
    return Pair(
        grid=target,
        before=earlier,
        after=later,
        gsd_m=gsd_m(one, other),
    )


def _prepared(look: Look, grid: Grid, registration: Registration, path: Path, executor: Executor | None) -> Prepared:
    """Put one look on the grid, and count what of it is clear."""
    source = onto(look.source, grid, shift_px=registration.correction_px)
    unit = look.file.encoding.unit
    if isinstance(source, Warped):
        source = write_warped(source, path, names=look.file.bands, unit=unit, executor=executor)
    few = look.file if grid.shape[0] * grid.shape[1] <= _ALL_BANDS_UP_TO_PX else look.file.select(look.file.bands[:1])
    flags = onto(Flags(few), grid, shift_px=registration.correction_px, nearest=True)
    with warping_in_threads():
        count = fold_tiles(_count, _add, flags, executor=executor)
    shares = {
        str(flag.name).lower(): int(number) / count.total
        for flag, number in zip(Flag, count.bits, strict=True)
        if number
    }
    return Prepared(
        source=source,
        record=look.record,
        bands=look.file.bands,
        unit=unit,
        clear_fraction=count.clear / count.total,
        flag_fractions=shares,
        shift_px=registration.shift_px,
        registration=registration.state,
        notes=look.notes,
        masked=look.file.encoding.mask_index is not None,
    )


def _count(flags: NDArray[np.float32]) -> _Count:
    bits = np.where(np.isfinite(flags[0]), flags[0], np.float32(Flag.OUTSIDE)).astype(np.uint8)
    clear = int(np.count_nonzero((bits & HIDING) == 0))
    return _Count(clear, bits.size, np.array([np.count_nonzero(bits & np.uint8(flag)) for flag in Flag], np.int64))


def _add(one: _Count, other: _Count) -> _Count:
    return _Count(one.clear + other.clear, one.total + other.total, one.bits + other.bits)
