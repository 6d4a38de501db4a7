"""When an image was taken: from its name, else from its tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from geo.errors import InputError

_CLOCK = r"(?:[T_ ]?(\d{2})[:h]?(\d{2})[:m]?(\d{2})(?:\.\d+)?Z?(?!\d))?"
_DASHED = re.compile(
    r"(?<!\d)((?:19|20)\d{2})([-:._])(\d{2})\2(\d{2})(?!\d)(?:[T _](\d{2})[:\-]?(\d{2})[:\-]?(\d{2}))?"
)
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d{2})()(\d{2})(\d{2})(?:(?!\d)|(?=\d{6}(?!\d)))" + _CLOCK)
_ACQUISITION = (
    "datetime", "start_datetime", "capture_date", "acquisition_date", "acquisition_datetime", "acquisition_time",
    "acquired", "date_acquired", "sensing_time", "datatake_1_datatake_sensing_start", "product_start_time", "date",
    "product", "product_id", "product_uri", "landsat_product_id", "scene_id", "system:index",
)  # fmt: skip


def time_in_name(name: str) -> datetime | None:
    """The first possible date in a file or product name, as aware UTC; midnight where no time of day follows.

    Product names put the acquisition first, so the first date counts.

    Raises:
        InputError: the only dates in the name are impossible ones.

    >>> time_in_name("S2A_MSIL2A_20230810T100031_N0509_R122_T33TWM.tif").isoformat()
    '2023-08-10T10:00:31+00:00'
    >>> time_in_name("site 2021-03-04.png").isoformat()
    '2021-03-04T00:00:00+00:00'
    """
    found = [_moment(match) for match in sorted(_matches(name), key=re.Match.start)]
    possible = [moment for moment in found if moment is not None]
    if found and not possible:
        raise InputError(f"{name} has an impossible date in its name; write it as YYYYMMDD or YYYY-MM-DD.")
    return possible[0] if possible else None


def time_in_tags(tags: Mapping[str, str]) -> datetime | None:
    """The time of acquisition in a file's tags, as aware UTC, or None; TIFF's DateTime is not looked at."""
    lower = {key.lower(): value for key, value in tags.items()}
    for key in _ACQUISITION:
        moment = parse_time(lower.get(key, ""))
        if moment is not None:
            return moment
    return None


def parse_time(text: str) -> datetime | None:
    """A time as STAC, EXIF or a product name writes it, as aware UTC; None where there is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return time_in_name(text)
        except InputError:
            return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def _matches(name: str) -> list[re.Match[str]]:
    return [*_DASHED.finditer(name), *_COMPACT.finditer(name)]


def _moment(match: re.Match[str]) -> datetime | None:
    year, _, month, day, hour, minute, second = match.groups()
    try:
        date = datetime(int(year), int(month), int(day), tzinfo=UTC)
    except ValueError:
        return None
    try:
        return date.replace(hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0))
    except ValueError:
        return date
