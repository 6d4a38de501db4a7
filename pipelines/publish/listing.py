"""Findings of many sites as tables and feeds: CSV that no spreadsheet runs, GeoJSON, an Atom feed, a STAC catalogue."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from geo.files.text import clean

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "site", "name", "run", "event", "kind", "confidence", "verdict", "zone", "area_m2", "not_before", "not_after", "p",
    "longitude", "latitude", "before_scene", "after_scene", "simulated", "report",
)  # fmt: skip
ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One finding for others: its row's values by column, its geometry (lon/lat), and the sentence of the feed."""

    values: Mapping[str, Any]
    geometry: Mapping[str, Any]
    title: str
    told: datetime


def to_csv(listed: Sequence[Listed]) -> str:
    """The rows as RFC 4180 text in UTF-8, a header first.

    A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection).
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    rows.writerows([cell(item.values.get(name)) for name in COLUMNS] for item in listed)
    return out.getvalue()


def cell(value: object) -> str:
    """One value as a spreadsheet may see it.

    >>> cell("=HYPERLINK()"), cell(-0.5), cell(None), cell(True)
    ("'=HYPERLINK()", '-0.5', '', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = clean(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def to_geojson(listed: Sequence[Listed]) -> str:
    """The rows as a GeoJSON FeatureCollection (RFC 7946)."""
    features = [
        {
            "type": "Feature",
            "geometry": item.geometry,
            "properties": {name: clean(v) if isinstance(v := item.values.get(name), str) else v for name in COLUMNS},
        }
        for item in listed
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1) + "\n"


def to_atom(listed: Sequence[Listed], *, feed_id: str, updated: datetime) -> str:
    """The findings as an Atom feed (RFC 4287), newest first; ids stay the same for the same finding."""
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed")
    _add(feed, "id", feed_id)
    _add(feed, "title", "sitewatch: confirmed changes")
    _add(feed, "updated", updated.isoformat())
    _add(_add(feed, "author"), "name", "sitewatch")
    for item in sorted(listed, key=lambda i: (i.told, str(i.values["event"])), reverse=True):
        entry = _add(feed, "entry")
        _add(entry, "id", f"tag:sitewatch,2019:{clean(item.values['site'])}/{clean(item.values['event'])}")
        _add(entry, "title", item.title)
        _add(entry, "updated", item.told.isoformat())
        _add(entry, "summary", item.title)
        if item.values.get("report"):
            ET.SubElement(entry, f"{{{ATOM}}}link", rel="alternate", href=clean(item.values["report"]))
    ET.indent(feed)
    return ET.tostring(feed, encoding="unicode", xml_declaration=True) + "\n"


def _add(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    made = ET.SubElement(parent, f"{{{ATOM}}}{name}")
    if text:
        made.text = clean(text)
    return made


def catalogue(sites: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """A STAC 1.0 catalogue over runs: file name to document; `sites` are the names of the item files by site id."""
    root = {
        "type": "Catalog", "stac_version": "1.0.0", "id": "sitewatch", "title": "sitewatch: all runs",
        "description": "Every complete run of every site, each as one item.",
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            *({"rel": "child", "href": f"./{site}/catalog.json", "type": "application/json",
               "title": clean(names[site])}
              for site in sites),
        ],
    }  # fmt: skip
    made: dict[str, dict[str, Any]] = {"catalog.json": root}
    for site, items in sites.items():
        made[f"{site}/catalog.json"] = {
            "type": "Catalog", "stac_version": "1.0.0", "id": f"sitewatch-{site}", "title": clean(names[site]),
            "description": f"Every complete run of {clean(names[site])}.",
            "links": [
                {"rel": "root", "href": "../catalog.json", "type": "application/json"},
                {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
                *({"rel": "item", "href": f"./{item}", "type": "application/geo+json"} for item in items),
            ],
        }  # fmt: skip
    return made
