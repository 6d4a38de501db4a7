"""GeoPackages that QGIS 3.22 opens styled, with the same bytes for the same content.

Two details matter. OGR stamps the time of writing into every table unless `OGR_CURRENT_DATE` is set, and pyogrio's
GDAL is not rasterio's, so the option goes through pyogrio. And version 1.4, the default, is newer than what QGIS 3.22
reads without a warning.
"""

from __future__ import annotations

import errno
import filecmp
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import geopandas
import numpy as np
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.geometry.base import BaseGeometry

from geo.files.atomic import atomic_path, writing
from geo.files.text import clean

Column = Literal["text", "verbatim", "real", "integer", "boolean", "time"]
_DTYPES = {
    "text": "object", "verbatim": "object", "real": "float64", "integer": "Int64", "boolean": "boolean",
    "time": "datetime64[ms, UTC]",
}  # fmt: skip
VERSION = "1.2"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One layer, or one plain table where `geometry_type` is None.

    Attributes:
        name: of the layer, plain ASCII.
        columns: name to kind; `verbatim` is text of ours, `text` is from outside and is cleaned.
        rows: one mapping a feature; missing or None is null.
        geometries: one a row, in the file's coordinates; None for a plain table.
        geometry_type: e.g. `MultiPolygon`; the layer's declared type, kept even without rows.
        style: QML that QGIS takes as the layer's default, or None.
    """

    name: str
    columns: Mapping[str, Column]
    rows: Sequence[Mapping[str, Any]]
    geometries: Sequence[BaseGeometry | None] | None = None
    geometry_type: str | None = None
    style: str | None = None


def write_geopackage(path: str | os.PathLike[str], tables: Sequence[Table], *, crs: str | None, now: datetime) -> Path:
    """Write all tables into one new GeoPackage and, where a table has a style, the table `layer_styles`.

    Args:
        path: the final name; it appears whole.
        tables: layers first, in the order in which they shall be listed.
        crs: of all layers, `EPSG:n` or WKT; None without georeference.
        now: aware time that is written as the time of change, instead of the clock's.

    Returns:
        The path.

    Raises:
        ConfigurationError, NoSpaceError: the file cannot be written.
    """
    final = Path(path)
    stamp = now.astimezone(UTC)
    styled = [table for table in tables if table.style]
    with writing(final), atomic_path(final) as temporary, _dated(stamp):
        # OGR may fail to write a page and say nothing: what was written twice is the same only if it was written.
        again = temporary.with_name(f"{temporary.name}.again.gpkg")
        for place in (temporary, again):
            try:
                for table in tables:
                    _write(place, table, crs)
                if styled:
                    _write(place, _styles(styled, stamp), None, fid="id")
            except (DataSourceError, DataLayerError) as error:
                raise OSError(errno.EIO, str(error)) from error
        if not filecmp.cmp(temporary, again, shallow=False):
            raise OSError(errno.EIO, "written twice, it differs")
    return final


def _write(path: Path, table: Table, crs: str | None, fid: str = "fid") -> None:
    frame = _frame(table)
    options: dict[str, Any] = {"layer": table.name, "driver": "GPKG", "append": path.exists()}
    layer_options: dict[str, Any] = {"FID": fid}
    if not path.exists():
        options["dataset_options"] = {"VERSION": VERSION}
    if table.geometry_type is None:
        layer_options["ASPATIAL_VARIANT"] = "GPKG_ATTRIBUTES"
    else:
        layer_options["GEOMETRY_NAME"] = "geom"
        options["geometry_type"] = table.geometry_type
        frame = geopandas.GeoDataFrame(frame, geometry=list(table.geometries or []), crs=crs)
        options["promote_to_multi"] = table.geometry_type.startswith("Multi")
    # Without append, pyogrio would replace the file; with it, a new layer is added.
    with warnings.catch_warnings(record=True) as said:
        warnings.filterwarnings("ignore", message=".*'crs' was not provided.*", category=UserWarning)
        warnings.simplefilter("always", RuntimeWarning)
        pyogrio.write_dataframe(frame, path, layer_options=layer_options, **options)
    for warning in said:
        if issubclass(warning.category, RuntimeWarning):  # what GDAL warns of while it writes for us is a failure
            raise DataSourceError(str(warning.message))


def _frame(table: Table) -> pd.DataFrame:
    columns: dict[str, pd.Series[Any]] = {}
    for name, kind in table.columns.items():
        values = [row.get(name) for row in table.rows]
        if kind == "text":
            values = [None if value is None else clean(value) for value in values]
        elif kind == "real":
            values = [np.nan if value is None else float(value) for value in values]
        elif kind == "time":
            values = [None if value is None else pd.Timestamp(value).tz_convert("UTC") for value in values]
        columns[name] = pd.Series(values, dtype=_DTYPES[kind])
    return pd.DataFrame(columns)


def _styles(tables: Sequence[Table], stamp: datetime) -> Table:
    """The table in which QGIS looks for default styles. Texts that do not apply are empty, not null, as it expects."""
    rows = [
        {
            "f_table_catalog": "", "f_table_schema": "", "f_table_name": table.name,
            "f_geometry_column": "geom" if table.geometry_type else "", "styleName": "default",
            "styleQML": table.style, "styleSLD": "", "useAsDefault": True, "description": "sitewatch", "owner": "",
            "ui": "", "update_time": stamp,
        }
        for table in tables
    ]  # fmt: skip
    columns: dict[str, Column] = dict.fromkeys(rows[0], "text")
    return Table(
        name="layer_styles",
        columns=columns | {"styleQML": "verbatim", "useAsDefault": "boolean", "update_time": "time"},
        rows=rows,
    )


@contextmanager
def _dated(stamp: datetime) -> Iterator[None]:
    """Let OGR write `stamp` wherever it would ask the clock."""
    name = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: stamp.strftime("%Y-%m-%dT%H:%M:%S.000Z")})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})
