"""`sitewatch figure`: a before/after picture to print, with its GeoTIFF pair, its caption and what it was made from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import mgrs
from shapely import union_all
from shapely.geometry import Point, box, shape
from shapely.geometry.base import BaseGeometry

from geo import archive
from geo.errors import ConfigurationError
from geo.files.atomic import atomic_folder, atomic_path
from geo.files.pyramid import mean_rgba, pyramid
from geo.files.rasters import describe
from geo.files.sums import sha256
from geo.files.warp import warping_in_threads
from geo.grid import Grid, Window
from geo.scene import SceneRecord
from geo.sites import Site
from geo.zones import from_pixels, to_grid, to_lonlat, to_pixels
from pipelines.assess import Context, Event, Findings
from pipelines.best_pair import Choice, Facts, by_hash, choose_pair, facts_of
from pipelines.pin import latest_findings
from pipelines.prepare import Pair, prepare, share_clear
from pipelines.publish.manifest import read_manifest
from pipelines.publish.pictures import Picture, read_picture
from pipelines.publish.plate import CALLED, Plate, Side, titled, write_plate
from pipelines.publish.rasters import TILE, View, choose_view, shown_bands
from pipelines.publish.shapes import Numbered, concerns, grid_of, numbered
from pipelines.publish.signing import Credential, sign_picture
from pipelines.publish.wording import credits_of, has_no_hour, percent, when
from pipelines.registry import find_site
from pipelines.settings import Settings

LONGEST_PX = 1600
MARGIN = 0.25  # of the ground shown, on each side
LEAST_M = 600.0
RADAR = "sentinel-1"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which picture: of which site, near which dates (None: the best pair), size, run, folder, and who signs."""

    site_id: str
    before: datetime | None = None
    after: datetime | None = None
    size: str = "print"
    run: str | None = None
    out: Path | None = None
    sign: Credential | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    """The files of a picture, and in a sentence why these two dates."""

    folder: Path
    files: tuple[Path, ...]
    why: str


def figure(workspace: Path, asked: Asked, *, settings: Settings, executor: Executor) -> Made:
    """Make the picture of a site from its archive and its latest run.

    Raises:
        ConfigurationError: there is no such site or run, or the folder is there already. InputError: there is no pair.
    """
    site = find_site(workspace, asked.site_id)
    outputs = workspace / "outputs"
    findings = findings_of(outputs, asked.site_id, asked.run)
    choice = choose_pair(findings, offered(outputs, findings), asked.before, asked.after)
    name = f"{choice.before.time:%Y%m%d}-{choice.after.time:%Y%m%d}-{asked.size}"
    folder = asked.out or outputs / "figures" / asked.site_id / name
    with atomic_folder(folder) as made:
        files = _draw(made, site, findings, choice, outputs, settings, executor, asked)
    return Made(folder=folder, files=tuple(folder / file.name for file in files), why=choice.why)


def findings_of(outputs: Path, site_id: str, run: str | None) -> Findings:
    """What a run says; None is the latest. Raises ConfigurationError where there is no such complete run."""
    if run is None:
        return latest_findings(outputs / "runs" / site_id, site_id)
    try:
        return Findings.model_validate_json(
            (outputs / "runs" / site_id / Path(run).name / "findings.json").read_bytes()
        )
    except (OSError, ValueError):
        raise ConfigurationError(f"{site_id} has no complete run {run}.") from None


def offered(outputs: Path, findings: Findings) -> list[Facts]:
    """The dated, kept scenes that the run used; radar only where there is nothing else."""
    kept = by_hash(archive.list_scenes(outputs / "archive", findings.site.id))
    middle = _middle(grid_of(findings))
    found = [
        facts_of(use, kept[use.sha256], (middle.x, middle.y))
        for use in findings.scenes
        if use.used and use.time is not None and use.sha256 in kept
    ]
    optical = [item for item in found if not item.use.sensor.startswith(RADAR)]
    return optical or found


def _draw(
    folder: Path, site: Site, findings: Findings, choice: Choice, outputs: Path, settings: Settings,
    executor: Executor, asked: Asked,
) -> list[Path]:  # fmt: skip
    grid = shown_ground(findings, [choice.before.record, choice.after.record])
    with tempfile.TemporaryDirectory(prefix="sitewatch-figure-") as work, warping_in_threads():
        pair = prepare(
            choice.before.record, choice.after.record, grid=grid, folder=Path(work), settings=settings.prepare,
            executor=executor,
        )  # fmt: skip
        view = choose_view(pair, settings.publish)
        tiffs = write_pair(folder, pair, view)
        # The panels carry a mark of their own; the stamp of the files would hide the ground under it.
        plain = Path(work) / "plain"
        plain.mkdir()
        write_pair(plain, pair, replace(view, simulated=False))
        picture = read_picture(plain, pair.grid, LONGEST_PX)
    verdicts = read_manifest(outputs / "runs" / findings.site.id / findings.run_id).verdicts
    events = [e for e in numbered(findings.events, settings.publish.numbered, verdicts) if not e.rejected]
    shown = [e for e in events if concerns(e.event) and between(e.event, choice)]
    ground = Context.of_site(site).area
    seen = [share_clear(item.record, ground, settings.prepare) for item in (choice.before, choice.after)]
    plate = _plate(findings, called(shown), picture, choice, view, seen)
    drawn = write_plate(folder, plate, size=asked.size)
    if asked.sign is not None:
        sign_picture(
            drawn[0], asked.sign, title=titled(findings), simulated=findings.simulated,
            facts=_origin(findings, choice, plate),
        )  # fmt: skip
    facts = folder / "figure.json"
    with atomic_path(facts) as temporary:
        temporary.write_text(_facts(findings, choice, plate, [*drawn, *tiffs]), encoding="utf-8")
    return [*drawn, *tiffs, facts]


def between(event: Event, choice: Choice) -> bool:
    """True where the pair shows the event whole: from its last look without to its first look with the change."""
    early, late = event.not_before, event.not_after
    return (early is None or early >= choice.before.time) and late is not None and late <= choice.after.time


def called(events: Sequence[Numbered]) -> list[Numbered]:
    """The events numbered anew, as many as the picture explains in words."""
    return [replace(item, number=n if n <= CALLED else None) for n, item in enumerate(events, start=1)]


def shown_ground(findings: Findings, images: Sequence[SceneRecord] = ()) -> Grid:
    """The part of the run's grid round the site and what was found there; all of it without georeference.

    Where the images end within it, no more than both of them is shown.
    """
    grid = grid_of(findings)
    if grid.crs is None:
        return grid
    ground = [findings.site.geometry, *(e.geometry for e in findings.events if concerns(e))]
    if findings.perimeter is not None:
        ground += [segment.geometry for segment in findings.perimeter.segments]
    shapes = [to_grid(shape(geometry), grid) for geometry in ground if geometry is not None]
    if not shapes:
        return grid
    window = _window(union_all(shapes), grid)
    for image in images:
        window = _within(window, describe(image.path).grid, grid)
    return grid.window(window)


def _within(window: Window, image: Grid, grid: Grid) -> Window:
    """As much of a window as an image covers; all of it where that is nothing."""
    rows, cols = image.shape
    if image.crs is None:
        return window
    ground = to_pixels(to_grid(to_lonlat(from_pixels(box(0, 0, cols, rows), image), image), grid), grid)
    left, top, right, bottom = (round(value) for value in ground.bounds)
    found = (
        slice(max(window[0].start, top), min(window[0].stop, bottom)),
        slice(max(window[1].start, left), min(window[1].stop, right)),
    )
    return found if found[0].start < found[0].stop and found[1].start < found[1].stop else window


def _window(ground: BaseGeometry, grid: Grid) -> Window:
    west, south, east, north = ground.bounds
    size = grid.pixel_size_m or (1.0, 1.0)
    least = (LEAST_M / size[0], LEAST_M / size[1])  # rows, cols
    inverse = ~grid.transform
    cols, rows = zip(*(inverse @ corner for corner in ((west, south), (west, north), (east, south), (east, north))),
                     strict=True)  # fmt: skip

    def span(values: Sequence[float], least_px: float, whole: int) -> slice:
        middle, half = (min(values) + max(values)) / 2, (max(values) - min(values)) / 2
        half = max(half * (1 + 2 * MARGIN), least_px / 2)
        return slice(max(0, int(middle - half)), min(whole, int(middle + half) + 1))

    return span(rows, least[0], grid.shape[0]), span(cols, least[1], grid.shape[1])


def write_pair(folder: Path, pair: Pair, view: View) -> list[Path]:
    """Write before.tif and after.tif: RGBA COGs on one grid, in one stretch, what was not seen transparent."""
    written = []
    whole = pair.grid.shape
    for name, look in (("before.tif", pair.before), ("after.tif", pair.after)):
        time = look.record.scene.time
        tags = {"SHOWN": view.composite.label, "SCENE": look.record.scene.id}
        if time is not None:
            tags["TIFFTAG_DATETIME"] = f"{time.astimezone(UTC):%Y:%m:%d %H:%M:%S}"
        source = shown_bands(look, view.composite)
        names = ("red", "green", "blue", "alpha")
        with pyramid(folder / name, pair.grid, names=names, dtype="uint8", nodata=None, tags=tags,
                     reduce=mean_rgba) as put:  # fmt: skip
            for tile in pair.grid.tiles(TILE):
                origin = tile.core[0].start, tile.core[1].start
                put(tile, view.signed(view.paint(source.read(tile.core)), origin, whole))
        written.append(folder / name)
    return written


def _plate(
    findings: Findings, events: list[Any], picture: Picture, choice: Choice, view: View, seen: Sequence[float]
) -> Plate:
    place = findings.site
    known = f"location known to: {place.location_class} ({place.location_source})" if place.location_class else ""
    both = (choice.before, choice.after)
    hashes = "; ".join(f"{role} {item.use.sha256}" for role, item in zip(("before", "after"), both, strict=True))
    return Plate(
        findings=findings,
        events=events,
        picture=picture,
        before=_side("BEFORE", choice.before, findings, seen[0]),
        after=_side("AFTER", choice.after, findings, seen[1]),
        place=[f"{place.id}   {known}", choice.why],
        ground=ground_words(picture.grid),
        same=view.composite.label,
        credit=credits_of([item.use for item in both]),
        limits=" ".join(["Analysis not validated on the ground.", *findings.limits[:3]]),
        proof=f"Analysis: {findings.software}, run {findings.run_id}. SHA-256 of the received files: {hashes}.",
    )


def _side(role: str, item: Facts, findings: Findings, seen: float) -> Side:
    gsd = findings.grid.gsd_m
    facts = item.record.scene.properties
    level = facts.get("processing:level") or facts.get("s2:processing_baseline")
    sun = "not known: the time of day is not stated" if item.sun is None else (
        f"{item.sun:.1f}° ({'stated' if item.sun_stated else 'computed'})"
    )  # fmt: skip
    lines = [
        solar_time(item.time, _middle(grid_of(findings)).x),
        f"Sensor {item.use.sensor}; resolution {'not known' if gsd is None else f'{gsd:.3g} m'}"
        + ("" if level is None else f"; processing {level}"),
        f"Product {item.use.id}",
        f"Masked as cloud, shadow or gap over the site {percent(1 - seen)}",
        f"Sun elevation {sun}",
    ]
    return Side(title=f"{role}   {when(item.time)}", facts=lines)


def solar_time(time: datetime, lon: float) -> str:
    """Local mean solar time in words: what the shadows follow, whatever the clocks of the country say.

    >>> solar_time(datetime(2019, 3, 12, 3, 20, tzinfo=UTC), 105.0)
    'Local mean solar time 10:20'
    """
    if has_no_hour(time):
        return "Local time not known: the time of day is not stated"
    return f"Local mean solar time {time.astimezone(UTC) + timedelta(hours=lon / 15):%H:%M}"


def ground_words(grid: Grid) -> list[str]:
    """The picture's middle in decimal degrees, in degrees, minutes and seconds, and as MGRS; the coordinate system."""
    if grid.crs is None:
        rows, cols = grid.shape
        return [f"Image of {cols} × {rows} pixels without georeference: coordinates and north are not known."]
    middle = _middle(grid)
    square = mgrs.MGRS().toMGRS(middle.y, middle.x, MGRSPrecision=4)
    decimal = f"{abs(middle.y):.5f}° {_side_of(middle.y, 'NS')}, {abs(middle.x):.5f}° {_side_of(middle.x, 'EW')}"
    sexagesimal = f"{dms(middle.y, 'NS')}, {dms(middle.x, 'EW')}"
    named = grid.crs if grid.epsg else "a system of its own"
    return [f"Centre {decimal} = {sexagesimal} = MGRS {square} (WGS 84). Coordinate system of the picture: {named}."]


def dms(degrees: float, names: str) -> str:
    """Degrees as degrees, minutes and seconds with a letter; `names` are those of positive and negative.

    >>> dms(10.6958333, "NS"), dms(-0.5, "EW"), dms(9.99999999, "NS")
    ('10°41′45.0″ N', '0°30′00.0″ W', '10°00′00.0″ N')
    """
    tenths = round(abs(degrees) * 36000)
    return f"{tenths // 36000}°{tenths // 600 % 60:02d}′{tenths % 600 / 10:04.1f}″ {_side_of(degrees, names)}"


def _side_of(value: float, names: str) -> str:
    return names[0] if value >= 0 else names[1]


def _middle(grid: Grid) -> Point:
    rows, cols = grid.shape
    if grid.crs is None:
        return Point(0.0, 0.0)
    return cast("Point", to_lonlat(from_pixels(Point(cols / 2, rows / 2), grid), grid))


def _facts(findings: Findings, choice: Choice, plate: Plate, files: Sequence[Path]) -> str:
    """The picture's own record: what it shows, why, from which bytes, and the checksum of each file."""
    document = {
        "schema": "sitewatch-figure/1.0",
        **_origin(findings, choice, plate),
        "files": {path.name: sha256(path) for path in files},
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _origin(findings: Findings, choice: Choice, plate: Plate) -> dict[str, Any]:
    sides = {
        role: {"scene": item.use.id, "time": item.time.isoformat(), "sensor": item.use.sensor,
               "sha256": item.use.sha256, "facts": list(side.facts)}
        for role, item, side in (("before", choice.before, plate.before), ("after", choice.after, plate.after))
    }  # fmt: skip
    return {
        "site": findings.site.id, "run": findings.run_id, "simulated": findings.simulated, "why": choice.why, **sides,
        "ground": list(plate.ground), "shown": plate.same, "credit": plate.credit, "limits": plate.limits,
    }  # fmt: skip
