"""A small made-up wood, seen on many dates, in which something is cleared, built on, or felled and planted again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import box, mapping
from smalltif import TRANSFORM, UTM, write_tif

BANDS = ("blue", "green", "red", "nir", "SCL")
SIZE = 120
FIRST, STEP_DAYS = date(2019, 1, 5), 12
WOOD, SOIL, ROOF = (300, 520, 360, 3300), (700, 1150, 1800, 2700), (2400, 2500, 2600, 2900)
CLEARED, BUILT, FELLED = (slice(45, 75), slice(45, 75)), (slice(52, 62), slice(52, 64)), (slice(10, 30), slice(80, 105))


@dataclass(frozen=True)
class Story:
    """What happens when, by index of the date; None: never."""

    clearing: int | None = None
    building: int | None = None
    felling: tuple[int, int] | None = None
    clouds: tuple[int, ...] = ()
    dates: int = 30

    def day(self, index: int) -> date:
        """Date of a look."""
        return FIRST + timedelta(days=STEP_DAYS * index)

    def look(self, index: int, seed: int = 0) -> NDArray[np.uint16]:
        """(band, row, col) counts and SCL of one date."""
        ground = np.random.default_rng(7).normal(1, 0.05, (1, SIZE, SIZE))
        values = np.array(WOOD)[:, None, None] * ground
        season = 1 + 0.08 * np.sin(2 * np.pi * index * STEP_DAYS / 365.25)
        values[3] *= season
        for what, where, since in (
            (SOIL, CLEARED, self.clearing), (ROOF, BUILT, self.building),
            (SOIL, FELLED, self.felling[0] if self.felling and index < self.felling[1] else None),
        ):  # fmt: skip
            if since is not None and index >= since:
                values[:, where[0], where[1]] = np.array(what)[:, None, None] * ground[:, where[0], where[1]]
        noise = np.random.default_rng([seed, index]).normal(0, 25, values.shape)
        scl = np.full((1, SIZE, SIZE), 4.0)
        if index in self.clouds:
            values, scl = values * 0 + 6000, scl * 0 + 9
        return np.concatenate([np.maximum(values + noise, 1), scl]).astype(np.uint16)


def write_images(folder: Path, story: Story, indexes: range | None = None) -> Path:
    """One GeoTIFF a date, the date in its name."""
    folder.mkdir(exist_ok=True)
    for index in indexes or range(story.dates):
        write_tif(folder / f"{story.day(index):%Y%m%d}.tif", story.look(index), names=BANDS)
    return folder


def write_site(workspace: Path, *, kind: str = "exact", perimeter: bool = False) -> None:
    """The site `wood`: a square around what is cleared, with a planned building and two controls."""

    def drawn(rows: slice, cols: slice) -> dict[str, object]:
        x, y = TRANSFORM @ (cols.start, rows.stop)
        x2, y2 = TRANSFORM @ (cols.stop, rows.start)
        to = Transformer.from_crs(UTM, "OGC:CRS84", always_xy=True)
        ring = [to.transform(*point) for point in box(x, y, x2, y2).exterior.coords]
        return dict(mapping(type(box(0, 0, 1, 1))(ring)))

    site = {"role": "site", "id": "wood", "name": "A wood", "sensitive": False,
            "location": {"class": kind, "source": "made up", "as_of": "2019-01-01"}}  # fmt: skip
    ground = (slice(42, 78), slice(42, 78))
    features = [(site, drawn(*ground))]
    if kind == "exact":
        features.append(({"role": "building", "id": "hall", "planned": True, "label": "Hall"}, drawn(*BUILT)))
        features.append(({"role": "control", "id": "west"}, drawn(slice(20, 100), slice(5, 30))))
        features.append(({"role": "control", "id": "south"}, drawn(slice(90, 118), slice(35, 110))))
        if perimeter:
            features.append(({"role": "perimeter", "material": "wall"}, drawn(*ground)))
    else:
        features.append(({"role": "uncertainty", "id": "where", "use": "search"}, drawn(slice(5, 115), slice(5, 115))))
    document = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": p, "geometry": g} for p, g in features],
    }
    plain = workspace / "sitewatch.toml"
    if plain.is_file():  # figures for print take a third of a run's time, and no test looks at their size
        plain.write_text(plain.read_text().replace("#figure_dpi = 300", "figure_dpi = 72"))
    (workspace / "aois").mkdir(parents=True, exist_ok=True)
    (workspace / "aois" / "wood.geojson").write_text(json.dumps(document))
