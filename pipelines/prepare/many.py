"""Many kept scenes of one sensor become looks at one grid: same bands, same unit, each checked for its place.

No scene depends on the order in which the scenes came: the reference is chosen by what it shows and when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from geo.errors import InputError
from geo.files.warp import Warped, onto
from geo.grid import Grid, Window
from geo.scene import SceneRecord
from geo.tiles import PixelSource
from pipelines.prepare.cube import Cube, Placed, write_cube
from pipelines.prepare.looks import HIDING, Flags, Look, look_at, select
from pipelines.prepare.pair import Prepared
from pipelines.prepare.placing import gsd_m, overlap
from pipelines.prepare.registering import Registration, confirm, decide, measure
from pipelines.prepare.screening import screen
from pipelines.prepare.settings import PrepareSettings

MOST_BANDS = ("blue", "green", "red", "nir", "nir08", "swir16", "swir22", "vv", "vh", "hh", "hv")
REFERENCE_CLEAR = 0.98
SEEN_AT_ALL = 0.02
MEASURED_SHARE = 0.5
ONE_PASS = timedelta(minutes=10)
STRIP = 512
FLAG_MARGIN_PX = 2  # cubic convolution reaches two pixels
UNMEASURED = Registration("not measured", None, ())


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A kept scene that no look could be made of, and why."""

    record: SceneRecord
    clear_fraction: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """Looks at one grid by one kind of sensor, oldest first, with the same bands.

    Attributes:
        grid: the pixels that all looks share.
        looks: one a date that shows anything; times rise strictly.
        cube: the pixels of all looks, on disk for the time of the run.
        groups: one code a look; looks of one group came from one sensor and relative orbit.
        gsd_m: the coarsest native ground sampling distance.
        refused: kept scenes that are not among the looks.
    """

    grid: Grid
    looks: tuple[Prepared, ...]
    cube: Cube
    groups: tuple[int, ...]
    gsd_m: float | None
    refused: tuple[Refused, ...] = ()

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that all looks have, in order."""
        return self.looks[0].bands

    @property
    def unit(self) -> str:
        """The unit that all looks have."""
        return self.looks[0].unit

    @property
    def times(self) -> tuple[datetime, ...]:
        """When each look was taken, aware UTC."""
        return tuple(time_of(look.record) for look in self.looks)

    @property
    def simulated(self) -> bool:
        """True if any look was never seen by a satellite."""
        return any(look.record.scene.simulated for look in self.looks)


@dataclass
class _Candidate:
    look: Look
    clear: float
    registration: Registration = UNMEASURED


def prepare_series(
    records: Sequence[SceneRecord],
    *,
    grid: Grid,
    folder: Path,
    settings: PrepareSettings,
    executor: Executor | None = None,
) -> Series:
    """Lay kept scenes of one sensor over `grid`, oldest first; what cannot be used is listed with its reason.

    Every optical scene is measured against one reference, the first that shows nearly all of the grid, and put right,
    left, or refused. Radar is placed by its orbit and not measured. A date that shows nothing of the grid is refused
    as not observed, never passed on as unchanged.

    Args:
        records: kept scenes with a time; of the scenes of one overpass (two tiles of one pass) only the clearest stays.
        grid: the site's grid, with georeference.
        folder: an existing folder of this run; `cube.npy` is written into it.
        settings: what the user said about the files, and how far shifts are put right.
        executor: where pixels are resampled; None is here. It does not show in the result.

    Raises:
        InputError: no scene at all can be used.
    """
    refused: list[Refused] = []
    found = _opened(records, grid, settings, refused)
    found = _one_kind(found, refused)
    found = _one_a_pass(found, refused)
    if not found:
        why = refused[0].reason if refused else "there is none"
        raise InputError(f"None of {len(records)} scenes can be used: {why}.")
    if found[0].look.file.encoding.unit != "linear-power":
        found = _placed(found, grid, settings, refused, executor)
    file = found[0].look.file
    cube = write_cube(folder, [_onto(item, grid) for item in found], len(file.bands), executor)
    scale = max(gsd_m(item.look, item.look) or 0.0 for item in found) or None
    if file.encoding.unit == "reflectance" and scale is not None:
        days = np.array([time_of(item.look.record).timestamp() / 86400 for item in found])
        unmasked = [t for t, item in enumerate(found) if item.look.file.encoding.mask_index is None]
        screen(cube, days, file.bands, unmasked, gsd_m=scale, executor=executor)
    clear = cube.clear_fractions()
    looks = tuple(_prepared(item, cube.layer(t), float(clear[t])) for t, item in enumerate(found))
    return Series(
        grid=grid,
        looks=looks,
        cube=cube,
        groups=_groups(looks),
        gsd_m=scale,
        refused=tuple(sorted(refused, key=lambda r: (str(r.record.scene.time), r.record.scene.id))),
    )


def time_of(record: SceneRecord) -> datetime:
    """The scene's time; ValueError where it states none."""
    if record.scene.time is None:
        raise ValueError(f"{record.scene.id} states no time")
    return record.scene.time


def _opened(
    records: Sequence[SceneRecord], grid: Grid, settings: PrepareSettings, refused: list[Refused]
) -> list[_Candidate]:
    found = []
    for record in sorted(records, key=lambda r: (str(r.scene.time), r.scene.id, r.sha256)):
        try:
            time_of(record)
            look = look_at(record, settings)
            overlap(look, look, grid)
            clear = _share_clear(look, grid)
        except (InputError, ValueError) as error:
            refused.append(Refused(record=record, clear_fraction=None, reason=str(error)))
            continue
        if clear < SEEN_AT_ALL:
            reason = f"not observed: {clear:.0%} of the ground is clear in it"
            refused.append(Refused(record=record, clear_fraction=clear, reason=reason))
        else:
            found.append(_Candidate(look, clear))
    return found


def _share_clear(look: Look, grid: Grid) -> float:
    """Share of the grid's pixels that are clear by the file's own mask, 0-1."""
    flags = onto(Flags(look.file.select(look.file.bands[:1])), grid, nearest=True)
    rows, cols = grid.shape
    clear = 0
    for top in range(0, rows, STRIP):
        bits = flags.read((slice(top, min(top + STRIP, rows)), slice(0, cols)))[0]
        clear += int(np.count_nonzero(np.isfinite(bits) & ((np.nan_to_num(bits).astype(np.uint8) & HIDING) == 0)))
    return clear / (rows * cols)


def _one_kind(found: list[_Candidate], refused: list[Refused]) -> list[_Candidate]:
    """Keep the scenes of the commonest unit that share bands, reduced to those bands."""
    units = Counter(item.look.file.encoding.unit for item in found)
    if not units:
        return []
    unit = min(units, key=lambda u: (-units[u], u))
    kept = []
    commonest = Counter(band for item in found for band in item.look.file.bands)
    wanted = [b for b in found[0].look.file.bands if commonest[b] > len(found) / 2]
    wanted = [b for b in wanted if b in MOST_BANDS] if any(b in MOST_BANDS for b in wanted) else wanted
    for item in found:
        missing = [band for band in wanted if band not in item.look.file.bands]
        own = item.look.file.encoding.unit
        if own != unit:
            reason = f"it is in {own}, the other scenes are in {unit}"
        elif missing or not wanted:
            reason = f"it lacks {', '.join(missing) or 'bands'}, which the other scenes have"
        else:
            kept.append(replace(item, look=select(item.look, tuple(wanted))))
            continue
        refused.append(Refused(record=item.look.record, clear_fraction=item.clear, reason=reason))
    return kept


def _one_a_pass(found: list[_Candidate], refused: list[Refused]) -> list[_Candidate]:
    """Of several scenes of one overpass the clearest stays: a site on two tiles gets the same pass twice."""
    kept: list[_Candidate] = []
    for item in found:
        last = kept[-1] if kept else None
        if last is None or time_of(item.look.record) - time_of(last.look.record) > ONE_PASS:
            kept.append(item)
            continue
        better = item.clear > last.clear
        stays, goes = (item, last) if better else (last, item)
        kept[-1] = stays
        reason = f"the same overpass as {stays.look.record.scene.id}, which shows as much or more of the ground"
        refused.append(_refusal(goes, reason))
    return kept


def _placed(
    found: list[_Candidate],
    grid: Grid,
    settings: PrepareSettings,
    refused: list[Refused],
    executor: Executor | None,
) -> list[_Candidate]:
    """Measure every scene against the reference; scenes far off, or alone in not being measurable, are refused."""
    clearest = max(item.clear for item in found)
    enough = min(REFERENCE_CLEAR, clearest)
    reference = next(item for item in found if item.clear >= enough)
    reference.registration = Registration("reference", None, ())
    others = [item for item in found if item is not reference]
    lazy = onto(reference.look.source, grid)
    measure_one = partial(_registration, reference.look, target=(lazy, grid), settings=settings)
    found_shifts = (executor.map if executor is not None else map)(measure_one, [item.look for item in others])
    for item, registration in zip(others, found_shifts, strict=True):
        item.registration = registration
    measured = sum(item.registration.state != "not measurable" for item in others)
    strict = measured >= MEASURED_SHARE * len(others)
    kept = []
    for item in found:
        state = item.registration.state
        if state == "refused":
            refused.append(_refusal(item, item.registration.notes[0]))
        elif state == "not measurable" and strict:
            refused.append(_refusal(item, "how it lies over the other scenes could not be measured"))
        else:
            kept.append(item)
    return kept


def _registration(
    reference: Look, look: Look, target: tuple[PixelSource, Grid], settings: PrepareSettings
) -> Registration:
    fixed, grid = target
    settings = settings.at(grid.pixel_size_m)
    window: Window = overlap(reference, look, grid)
    bands, unit = look.file.bands, look.file.encoding.unit
    shift, _ = measure(fixed, onto(look.source, grid), window, bands, unit, settings.max_correct_px)
    found = decide(shift, settings)
    if found.state == "corrected":
        moved = onto(look.source, grid, shift_px=found.correction_px)
        found = confirm(found, measure(fixed, moved, window, bands, unit, settings.max_correct_px)[0])
    return found


def _refusal(item: _Candidate, reason: str) -> Refused:
    return Refused(record=item.look.record, clear_fraction=item.clear, reason=reason)


def _onto(item: _Candidate, grid: Grid) -> Placed:
    """A look's pixels and flags on the grid; where pixels are resampled, flags grow by the kernel's reach."""
    file, shift = item.look.file, item.registration.correction_px
    pixels = onto(file, grid, shift_px=shift)
    return Placed(
        pixels=pixels,
        flags=onto(Flags(file), grid, shift_px=shift, nearest=True),
        margin_px=FLAG_MARGIN_PX if isinstance(pixels, Warped) else 0,
    )


def _prepared(item: _Candidate, source: PixelSource, clear: float) -> Prepared:
    look, found = item.look, item.registration
    return Prepared(
        source=source,
        record=look.record,
        bands=look.file.bands,
        unit=look.file.encoding.unit,
        clear_fraction=clear,
        shift_px=found.shift_px,
        registration=found.state,
        notes=(*look.notes, *found.notes),
    )


def _groups(looks: Sequence[Prepared]) -> tuple[int, ...]:
    names = [f"{look.record.scene.sensor} {orbit_of(look.record)}" for look in looks]
    # Numbered by first use, so that a later scene of a new orbit renames nothing.
    order = {name: code for code, name in enumerate(dict.fromkeys(names))}
    return tuple(order[name] for name in names)


def orbit_of(record: SceneRecord) -> str:
    """Relative orbit and pass as the provider states them, or empty."""
    facts = record.scene.properties
    orbit = facts.get("sat:relative_orbit", facts.get("relative_orbit", ""))
    state = facts.get("sat:orbit_state", facts.get("orbit_state", ""))
    return f"{orbit}{state}"
