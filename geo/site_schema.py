"""The properties a site file may have, feature by feature: strict pydantic models, and their JSON Schema."""

from __future__ import annotations

import calendar
import datetime as dt
import difflib
import json
import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

Role = Literal["site", "perimeter", "building", "control", "uncertainty"]
LocationClass = Literal["exact", "500m", "village", "commune", "town", "province"]
Material = Literal["wall", "fence", "planned"]
Use = Literal["search", "prior"]
Sensor = Literal[
    "sentinel-2-l2a", "sentinel-2-l1c", "sentinel-1-grd", "landsat-5-l2", "landsat-7-l2", "landsat-8-l2",
    "landsat-9-l2", "vhr", "aerial",
]  # fmt: skip

ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_WHEN = re.compile(r"(\d{4})(?:[-/](\d{2})(?:[-/](\d{2}))?)?", re.ASCII)


def is_site_id(text: str) -> bool:
    r"""Tell whether `text` can name a site: `[a-z0-9][a-z0-9-]{0,63}`, nothing else.

    >>> is_site_id("national-centre"), is_site_id("../x"), is_site_id("x\n")
    (True, False, False)
    """
    return _ID.fullmatch(text) is not None


def span(text: str) -> tuple[dt.date, dt.date]:
    """Return the first and last day of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; raise ValueError for anything else.

    >>> span("2020-02")
    (datetime.date(2020, 2, 1), datetime.date(2020, 2, 29))
    """
    found = _WHEN.fullmatch(text)
    if not found:
        raise ValueError("must be a date as YYYY-MM-DD (or YYYY-MM, or YYYY)")
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = dt.date(year or 0, month or 1, day or 1)
    except ValueError as error:
        raise ValueError("is not a date of the calendar") from error
    if day:
        return first, first
    return first, dt.date(first.year, month or 12, calendar.monthrange(first.year, month or 12)[1])


def _clean(text: str) -> str:
    """Normalise to NFC and refuse what would not print as it reads: control, format and half characters."""
    if any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") or c in _BIDI for c in text):
        raise ValueError("has a control or direction character in it")
    return unicodedata.normalize("NFC", text)


_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _identifier(text: str) -> str:
    if not is_site_id(text):
        raise ValueError("must be 1 to 64 of a-z, 0-9 and -, and not begin with -")
    return text


def _whole_day(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a date as YYYY-MM-DD")
    first, last = span(value)
    if first != last:
        raise ValueError("must be a whole date as YYYY-MM-DD")
    return first


def _unpack(value: object) -> object:
    """Take JSON inside a text too: QGIS writes lists and objects so."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _truth(value: object) -> object:
    """Take the texts true and false too: a column added in QGIS holds them so."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _spoken(text: str) -> str:
    span(text)
    return text.replace("/", "-")


Truth = Annotated[bool, BeforeValidator(_truth)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_clean)]
Prose = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_clean)]
Identifier = Annotated[
    str, StringConstraints(max_length=64), AfterValidator(_identifier), Field(json_schema_extra={"pattern": ID_PATTERN})
]
Day = Annotated[dt.date, BeforeValidator(_whole_day), Field(strict=True)]
When = Annotated[str, AfterValidator(_spoken), Field(json_schema_extra={"pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$"})]


class Strict(BaseModel):
    """No unknown key, no guessing between types, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_by_name=False, validate_by_alias=True)


def _as_tuple(value: object) -> object:
    """Take a list (or a list inside a text) for a tuple."""
    value = _unpack(value)
    return tuple(value) if isinstance(value, list) else value


class LocationProperties(Strict):
    """How surely the place is known, by whom, and when."""

    kind: LocationClass = Field(alias="class")
    source: Prose = Field(min_length=1)
    as_of: When


class Moment(Strict):
    """What a public source says happened: a `date` (day, month or year), or an `interval` of two."""

    date: When | None = None
    interval: Annotated[tuple[When, When] | None, BeforeValidator(_as_tuple)] = None
    event: Prose = Field(min_length=1)
    source: Prose = Field(min_length=1)

    @model_validator(mode="after")
    def _one_of_two(self) -> Moment:
        if (self.date is None) == (self.interval is None):
            raise ValueError("needs either a date or an interval")
        if self.first > self.last:
            raise ValueError("has an interval that ends before it begins")
        return self

    @property
    def first(self) -> dt.date:
        """The first day it can have happened."""
        return span(self.interval[0] if self.interval else self.date or "")[0]

    @property
    def last(self) -> dt.date:
        """The last day it can have happened."""
        return span(self.interval[1] if self.interval else self.date or "")[1]


class Properties(Strict):
    """What every feature may say."""

    role: Role
    id: str | None = None
    note: Prose = ""


class SiteProperties(Properties):
    """The site itself."""

    role: Literal["site"]
    id: Identifier
    name: Words
    location: Annotated[LocationProperties, BeforeValidator(_unpack)]
    cadence_days: int = Field(default=10, ge=1, le=366)
    sensors: Annotated[tuple[Sensor, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = ("sentinel-2-l2a",)
    since: Day | None = None
    sensitive: Truth = False
    timeline: Annotated[tuple[Moment, ...], BeforeValidator(_as_tuple), Field(max_length=500)] = ()


class PerimeterProperties(Properties):
    """A wall or fence, standing or planned."""

    role: Literal["perimeter"]
    id: Identifier | None = None
    material: Material
    label: Prose = ""


class BuildingProperties(Properties):
    """A building, standing or planned."""

    role: Literal["building"]
    id: Identifier | None = None
    planned: Truth
    label: Prose = ""


class ControlProperties(Properties):
    """Unchanged ground of the same kind."""

    role: Literal["control"]
    id: Identifier | None = None
    label: Prose = ""


class UncertaintyProperties(Properties):
    """Where the site may be: `search` bounds it, `prior` only says where it is likelier."""

    role: Literal["uncertainty"]
    id: Identifier | None = None
    use: Use = "search"
    label: Prose = ""


PROPERTIES: dict[str, type[Properties]] = {
    "site": SiteProperties,
    "perimeter": PerimeterProperties,
    "building": BuildingProperties,
    "control": ControlProperties,
    "uncertainty": UncertaintyProperties,
}


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Say the first thing that is wrong with a value, in words that follow the name of what holds it."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = [str(part)[:60] for part in first["loc"] if part not in PROPERTIES]
    key = ".".join(where) or "its properties"
    if first["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        close = difflib.get_close_matches(where[-1], known, 1) if len(where) == 1 else []
        return f"has an unknown property {key!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    if first["type"] == "missing":
        return f"lacks the property {key!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"has a wrong {key!r}: {message[:1].lower()}{message[1:]}"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a site file."""
    shapes = {
        "site": ["Point", "Polygon", "MultiPolygon"],
        "perimeter": ["Polygon", "LineString", "MultiPolygon", "MultiLineString"],
        "building": ["Polygon", "MultiPolygon"],
        "control": ["Polygon", "MultiPolygon"],
        "uncertainty": ["Polygon", "MultiPolygon"],
    }
    adapters: list[tuple[Any, Literal["validation"], TypeAdapter[Any]]] = [
        (role, "validation", TypeAdapter(model)) for role, model in PROPERTIES.items()
    ]
    references, definitions = TypeAdapter.json_schemas(adapters, ref_template="#/$defs/{model}")
    features = [
        {
            "type": "object",
            "required": ["type", "properties", "geometry"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "Feature"},
                "id": {},
                "bbox": {"type": "array"},
                "properties": references[(role, "validation")],
                "geometry": {
                    "type": "object",
                    "required": ["type", "coordinates"],
                    "properties": {"type": {"enum": shapes[role]}, "coordinates": {"type": "array"}},
                },
            },
        }
        for role in PROPERTIES
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sitewatch site file",
        "description": "One site: one feature of role site, and whatever else is known of it.",
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"const": "FeatureCollection"},
            "name": {"type": "string"},
            "features": {"type": "array", "minItems": 1, "items": {"oneOf": features}},
        },
        "$defs": definitions["$defs"],
    }
