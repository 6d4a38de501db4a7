"""`sitewatch doctor`: is this machine fit to run? Each check says ok, warn or fail, and what to do about it.

Nothing secret is ever printed, nothing is sent anywhere, and what is written to try the disk is removed again.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import pyogrio
import pyproj
import rasterio
import rasterio.warp

from geo.errors import ConfigurationError, InputError, MissingExtraError, SitewatchError
from geo.files.environment import harden
from geo.files.rasters import describe
from geo.files.vectors import read_sites
from pipelines import __version__
from pipelines.acquire.account import SECTION, who
from pipelines.reaching import CLOCK_SLACK as SERVICE_SLACK
from pipelines.reaching import reach
from pipelines.settings import FILE, load_settings

Verdict = Literal["ok", "warn", "fail"]

OLDEST_PYTHON = (3, 11)
LIBRARIES = ("numpy", "scipy", "rasterio", "shapely", "geopandas", "pyogrio", "pyproj", "exactextract", "pydantic")
EXTRAS = {"stac": "pystac-client", "dask": "distributed", "evidence": "rfc3161-client", "notify": "apprise"}
ROOM_TO_WORK_BYTES = 2 * 2**30
ROOM_TO_START_BYTES = 200 * 2**20
CLOCK_SLACK = timedelta(days=1)
CREDENTIALS = ("SH_CLIENT_ID", "SH_CLIENT_SECRET")
_VRT = (
    '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    '<SourceFilename relativeToVRT="0">{}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
)


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, the verdict, what was found, and the way out where there is something to do."""

    check: str
    verdict: Verdict
    found: str
    way_out: str = ""


@dataclass(frozen=True)
class Report:
    """All checks, in order."""

    findings: tuple[Finding, ...]

    def lines(self) -> Iterator[str]:
        """A line a check."""
        for f in self.findings:
            yield f"{f.verdict.ljust(4)}  {f.check}: {f.found}" + (f" {f.way_out}" if f.way_out else "")

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        checks = [
            {"check": f.check, "verdict": f.verdict, "found": f.found, "way_out": f.way_out} for f in self.findings
        ]
        return {"ok": not self.failed, "checks": checks}

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The checks that failed."""
        return tuple(f for f in self.findings if f.verdict == "fail")

    def raise_for_faults(self) -> None:
        """Raise ConfigurationError (exit code 78) if any check failed; warnings do not count."""
        if self.failed:
            raise ConfigurationError("; ".join(f"{f.check}: {f.found} {f.way_out}".strip() for f in self.failed))


def doctor(
    workspace: Path,
    *,
    environ: Mapping[str, str],
    now: datetime,
    dropped: tuple[str, ...] = (),
    online: bool = False,
) -> Report:
    """Check what a run needs.

    Args:
        workspace: the folder with aois/ and outputs/.
        environ: environment variables.
        now: what the clock says.
        dropped: variables of another GDAL or PROJ that were taken out of the environment at program start.
        online: also ask the services for their front page, and their clock.
    """
    return Report(
        (
            *_versions(),
            _foreign(environ, dropped),
            _projections(),
            _hardened(),
            *_extras(),
            *_disk(workspace),
            _clock(workspace, now),
            _credentials(workspace, environ),
            _settings(workspace),
            _secrets_in_files(workspace),
            _sites(workspace),
            *(_services(workspace, environ, now) if online else ()),
        )
    )


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info[:2] < OLDEST_PYTHON
    yield Finding(
        "python",
        "fail" if old else "ok",
        f"sitewatch {__version__} on Python {python}.",
        f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer." if old else "",
    )
    versions = {name: _version(name) for name in LIBRARIES}
    lost = [name for name, version in versions.items() if version is None]
    yield Finding(
        "libraries",
        "fail" if lost else "ok",
        ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items()) + ".",
        f"Run: pip install --force-reinstall {' '.join(lost)}." if lost else "",
    )
    raster, vector = rasterio.__gdal_version__, ".".join(map(str, pyogrio.__gdal_version__))
    yield Finding("GDAL", "ok", f"{raster} for images (rasterio), {vector} for outlines (pyogrio).")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _foreign(environ: Mapping[str, str], dropped: tuple[str, ...]) -> Finding:
    present = harden(dict(environ))
    if present:
        way_out = f"Unset them, or start with the command `sitewatch`, which does: unset {' '.join(present)}"
        return Finding("environment", "warn", f"{', '.join(present)} may belong to another GDAL or PROJ.", way_out)
    if dropped:
        return Finding("environment", "ok", f"{', '.join(dropped)} of another GDAL or PROJ was set and is not used.")
    return Finding("environment", "ok", "No variable of another GDAL or PROJ is set.")


def _projections() -> Finding:
    """Project a point with known coordinates through both libraries."""
    way_out = "PROJ's data do not fit its code: unset PROJ_DATA and PROJ_LIB, or install sitewatch again."
    try:
        x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32648", always_xy=True).transform(105.0, 0.0)
        warp = rasterio.warp.transform("OGC:CRS84", "EPSG:32648", [105.0], [0.0])
    except Exception as error:  # a broken PROJ fails in many ways
        return Finding("PROJ", "fail", f"projecting failed ({type(error).__name__}).", way_out)
    off = max(abs(x - 500_000), abs(y), abs(warp[0][0] - 500_000), abs(warp[1][0]))
    if not off < 1e-3:
        return Finding("PROJ", "fail", "a known point was projected to a wrong place.", way_out)
    return Finding("PROJ", "ok", f"{pyproj.proj_version_str} (pyproj) and rasterio's agree on a known point.")


def _hardened() -> Finding:
    """Try to read a text file through a VRT that calls itself .tif; it must be refused."""
    with tempfile.TemporaryDirectory(prefix="sitewatch-doctor-") as name:
        secret, trap = Path(name, "secret.txt"), Path(name, "trap.tif")
        secret.write_text("secret")
        trap.write_text(_VRT.format(secret))
        try:
            describe(trap)
        except InputError:
            return Finding("GDAL is hardened", "ok", "a disguised VRT was refused.")
        except Exception as error:
            found = f"the trial ended in {type(error).__name__}."
            return Finding("GDAL is hardened", "fail", found, "Please report it.")
    return Finding("GDAL is hardened", "fail", "a disguised VRT was opened.", "Read no stranger's file; report it.")


def _extras() -> Iterator[Finding]:
    for extra, package in EXTRAS.items():
        version = _version(package)
        way_out = "" if version else f"If you need it: {MissingExtraError(package, extra)}."
        yield Finding(f"extra {extra}", "ok", f"{package} {version}." if version else "not installed.", way_out)


def _disk(workspace: Path) -> Iterator[Finding]:
    outputs = workspace / "outputs"
    if not workspace.is_dir():
        yield Finding("workspace", "fail", f"there is no folder {workspace}.", f"Run: sitewatch init {workspace}.")
        return
    place = outputs if outputs.is_dir() else workspace
    free = shutil.disk_usage(place).free
    verdict: Verdict = "fail" if free < ROOM_TO_START_BYTES else "warn" if free < ROOM_TO_WORK_BYTES else "ok"
    way_out = "" if verdict == "ok" else "Free some, or put the workspace on another disk."
    yield Finding("disk", verdict, f"{free / 2**30:,.1f} GiB free.", way_out)
    try:
        with tempfile.TemporaryFile(dir=place) as trial:
            trial.write(b"x")
            os.fsync(trial.fileno())
    except OSError as error:
        found = f"{place} cannot be written ({error.strerror})."
        yield Finding("writing", "fail", found, "Change its owner or permissions.")
    else:
        yield Finding("writing", "ok", f"{place} can be written.")


def _clock(workspace: Path, now: datetime) -> Finding:
    """A clock that runs behind what was already written would date new findings wrongly."""
    newest = max(_times(workspace), default=None)
    if newest is not None and newest > now + CLOCK_SLACK:
        found = f"it says {now:%Y-%m-%d}, but there is a file of {newest:%Y-%m-%d}."
        return Finding("clock", "fail", found, "Set the clock (timedatectl), then run again.")
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC, after everything that is here.")


def _times(workspace: Path) -> Iterator[datetime]:
    places = (Path(__file__), workspace / FILE, *(workspace / "aois").glob("*.geojson"))
    outputs = (*(workspace / "outputs").glob("*"), *(workspace / "outputs" / "runs").glob("*/*"))
    for path in (*places, *outputs):
        try:
            yield datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (OSError, OverflowError, ValueError):
            continue


def _credentials(workspace: Path, environ: Mapping[str, str]) -> Finding:
    given = [name for name in CREDENTIALS if environ.get(name)]
    if len(given) == len(CREDENTIALS):
        return Finding("credentials", "ok", "Sentinel Hub's are in the environment.")
    if given:
        (lost,) = set(CREDENTIALS) - set(given)
        return Finding("credentials", "fail", f"{given[0]} is set, {lost} is not.", f"Set {lost} too.")
    try:
        options = load_settings(workspace).providers.get(SECTION, {})
    except SitewatchError:  # `_settings` tells it
        options = {}
    if not options.get("credentials"):
        return Finding("credentials", "ok", "none are set; simulator, folder and stac need none.")
    try:
        who(options, {})
    except SitewatchError as error:
        return Finding("credentials", "fail", str(error), "See the README on accounts.")
    return Finding("credentials", "ok", "Sentinel Hub's are in a file that only its owner may read.")


def _settings(workspace: Path) -> Finding:
    try:
        load_settings(workspace)
    except SitewatchError as error:
        return Finding("settings", "fail", str(error), f"Correct {FILE}.")
    there = (workspace / FILE).is_file()
    return Finding("settings", "ok", f"{FILE} is valid." if there else f"no {FILE}: defaults hold.")


def _services(workspace: Path, environ: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    try:
        settings = load_settings(workspace).providers
    except SitewatchError:
        return  # `_settings` tells it
    for name, ok, said, ahead in reach(settings, environ, now):
        if not ok:
            yield Finding(f"service {name}", "warn", said, "If you need it, look at network, proxy and firewall.")
        elif ahead is not None and abs(ahead) > SERVICE_SLACK:
            found = (
                f"{said.rstrip('.')}, and its clock is {abs(ahead)} {'behind' if ahead > timedelta(0) else 'ahead'}."
            )
            yield Finding(f"service {name}", "warn", found, "Set the clock (timedatectl): tokens depend on it.")
        else:
            yield Finding(f"service {name}", "ok", said)


def _secrets_in_files(workspace: Path) -> Finding:
    """A settings file that others may read must hold no secret; one that holds some must be private."""
    path = workspace / FILE
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return Finding("secrets", "ok", "no settings file, so none in it.")
    lines = [line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#")]
    named = any(value.strip() and _secret(key) for key, _, value in lines)
    if not named:
        return Finding("secrets", "ok", f"none in {FILE}.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"{FILE} holds a secret and others may read it (mode {stat.S_IMODE(mode):04o})."
        return Finding("secrets", "fail", found, f"Run: chmod 600 {path} (or move the secret to the environment).")
    return Finding("secrets", "ok", f"{FILE} holds a secret and only its owner may read it.")


def _secret(key: str) -> bool:
    return any(word in key for word in ("secret", "password", "token", "api_key", "apikey"))


def _sites(workspace: Path) -> Finding:
    try:
        found = read_sites(workspace / "aois")
    except ConfigurationError as error:
        return Finding("sites", "fail", str(error))
    if found.faults:
        more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
        return Finding("sites", "fail", found.faults[0] + more, "See: sitewatch sites check.")
    if not found.sites:
        return Finding("sites", "warn", "there are none.", "Add one with: sitewatch sites add.")
    searched = sum(site.is_search for site in found.sites.values())
    return Finding("sites", "ok", f"{len(found.sites)}, all valid; {searched} of them can only be searched.")
