"""The two files as they are: opened, in the same bands and units, with clouds taken out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geo.errors import InputError
from geo.files.rasters import RasterFile, describe
from geo.grid import Grid, Window
from geo.raster import Flag
from geo.scene import SceneRecord
from geo.tiles import PixelSource
from pipelines.prepare.settings import PrepareSettings

HIDING = np.uint8(0xFF & ~Flag.SUSPECT)
"""Flags that hide the ground. A suspect pixel was seen; what to make of it is for a later stage to say."""

OPTIONS = ("bands", "scale", "offset", "nodata", "law")

_UNNAMED = re.compile(r"b\d+")


@dataclass(frozen=True)
class Clear:
    """A file whose flagged pixels are NaN: the honest observations only."""

    file: RasterFile

    @property
    def grid(self) -> Grid:
        """The file's own grid."""
        return self.file.grid

    def read(self, window: Window) -> NDArray[np.float32]:
        """Return float32 (band, row, col), NaN where any flag hides the ground."""
        data, flags = self.file.read_both(window)
        data[:, (flags & HIDING) != 0] = np.nan
        return data


@dataclass(frozen=True)
class Flags:
    """The flags of a file as pixels of one band; NaN beyond its edge."""

    file: RasterFile

    @property
    def grid(self) -> Grid:
        """The file's own grid."""
        return self.file.grid

    def read(self, window: Window) -> NDArray[np.float32]:
        """Return float32 (1, row, col) of `Flag` bits."""
        return self.file.read_flags(window)[None].astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One date's file: how it is read, and what had to be assumed."""

    record: SceneRecord
    file: RasterFile
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return self.record.path.name

    @property
    def source(self) -> PixelSource:
        """The honest observations: the file itself where it has no mask of its own."""
        return self.file if self.file.encoding.mask_index is None else Clear(self.file)

    def noted(self, *notes: str) -> Look:
        """The same look with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def look_at(record: SceneRecord, settings: PrepareSettings) -> Look:
    """Open one kept scene; raise InputError where it is no usable image."""
    # What a provider learned about the file (a STAC item beside it, the user's words) travels with the scene.
    stated = record.scene.properties.get("describe", {})
    told = {key: value for key, value in stated.items() if key in OPTIONS} if isinstance(stated, Mapping) else {}
    given = {key: getattr(settings, key) for key in OPTIONS if getattr(settings, key) is not None}
    file = describe(record.path, **{**told, **given})
    return Look(record=record, file=file, notes=file.encoding.notes)


def same_bands(before: Look, after: Look) -> tuple[Look, Look]:
    """Reduce both looks to the bands that they share, in BEFORE's order.

    Names decide where both files have them; where one has none, position does, and a note says so.
    Raises InputError where nothing is shared.
    """
    named_before, named_after = _named(before.file), _named(after.file)
    if named_before and named_after:
        shared = tuple(band for band in before.file.bands if band in after.file.bands)
        if not shared:
            raise InputError(
                f"{before.name} has the bands {', '.join(before.file.bands)} and {after.name} has "
                f"{', '.join(after.file.bands)}: none is common to both; name them with --bands."
            )
        return _select(before, shared), _select(after, shared)
    count = min(len(before.file.bands), len(after.file.bands))
    first, second = _first(before, count), _first(after, count)
    names = second.file.bands if named_after and not named_before else first.file.bands
    first, second = _renamed(first, names), _renamed(second, names)
    sure = len(before.file.bands) == len(after.file.bands) and not (named_before or named_after)
    if sure:
        return first, second
    return first, second.noted(
        f"Bands were matched by their position ({count} of {len(before.file.bands)} and {len(after.file.bands)}), "
        f"as {' and '.join(look.name for look, named in ((before, named_before), (after, named_after)) if not named)} "
        "does not name them."
    )


def same_unit(before: Look, after: Look) -> tuple[Look, Look]:
    """Give both looks one unit: their own where it agrees, else `value` with a note; radar and optical do not mix."""
    one, other = before.file.encoding.unit, after.file.encoding.unit
    if one == other:
        return before, after
    if {one, other} == {"reflectance", "linear-power"}:
        raise InputError(f"{before.name} is {one} and {after.name} is {other}: optical and radar cannot be compared.")
    note = f"{before.name} is in {one} and {after.name} in {other}; both are compared as plain numbers."
    return _in_values(before), _in_values(after).noted(note)


def select(look: Look, bands: tuple[str, ...]) -> Look:
    """The look reduced to these bands, all of which it has."""
    return look if look.file.bands == bands else replace(look, file=look.file.select(bands))


def _named(file: RasterFile) -> bool:
    return any(not _UNNAMED.fullmatch(band) for band in file.bands)


def _select(look: Look, bands: tuple[str, ...]) -> Look:
    file = look.file if look.file.bands == bands else look.file.select(bands)
    left = [band for band in look.file.bands if band not in bands]
    look = replace(look, file=file)
    return look.noted(f"The other file lacks {', '.join(left)}; not compared.") if left else look


def _first(look: Look, count: int) -> Look:
    return replace(look, file=look.file.select(look.file.bands[:count]))


def _renamed(look: Look, names: tuple[str, ...]) -> Look:
    encoding = replace(look.file.encoding, bands=names)
    return replace(look, file=replace(look.file, encoding=encoding))


def _in_values(look: Look) -> Look:
    encoding = replace(look.file.encoding, unit="value")
    return replace(look, file=replace(look.file, encoding=encoding))
