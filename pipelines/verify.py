"""`sitewatch verify`: is everything that was received and written still there, unchanged, with nothing added?

A folder is *complete* when its manifest is there (it is written last), *valid* when every byte has its checksum,
*closed* when nothing else lies in it; runs of a site are *chained*: each manifest names the checksum of the one
before, so that a run cannot vanish or be slipped in unseen. An outsider gets the middle part from `sha256sum -c`.
All runs of all sites stand in `chain.log`, line by line, each with the checksum of the line before. Nothing here
vouches for its last line: `verify` prints that line's checksum, to be kept elsewhere.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geo import archive
from geo.errors import InputError, IntegrityError
from geo.files.atomic import PARTIAL
from geo.files.sums import SUMS, Check, check_folder, read_sums, sha256
from pipelines.chain import NAME as CHAIN
from pipelines.chain import made_at, read_chain
from pipelines.stamps import check_stamps

MANIFEST = "manifest.json"
LATEST = "latest"
MAX_MANIFEST_BYTES = 50_000_000


@dataclass
class Report:
    """What `verify` found: counts of what was looked at, one sentence a fault, and remarks that are no fault."""

    runs: int = 0
    scenes: int = 0
    files: int = 0
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """One line a fault, then the remarks, then the sum."""
        yield from self.faults
        yield from self.remarks
        counts = f"{_count(self.runs, 'run')} and {_count(self.scenes, 'scene')} with {_count(self.files, 'file')}"
        yield (
            f"{counts}: " + (_count(len(self.faults), "fault") if self.faults else "complete, unchanged, closed") + "."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "ok": not self.faults,
            "runs": self.runs,
            "scenes": self.scenes,
            "files": self.files,
            "faults": self.faults,
            "remarks": self.remarks,
        }

    def raise_for_faults(self) -> None:
        """Raise IntegrityError (exit code 6) if anything is wrong."""
        if self.faults:
            more = f" ({len(self.faults) - 1} more faults)" if len(self.faults) > 1 else ""
            raise IntegrityError(self.faults[0] + more)


@dataclass(frozen=True)
class _Manifest:
    """What a chain of custody needs to know of one run's manifest."""

    folder: Path
    sha256: str
    previous: str | None
    inputs: frozenset[str]


def verify(path: str | os.PathLike[str], *, tsa_roots: Path | None = None) -> Report:
    """Verify a workspace, its outputs, an archive, the runs of a site, one run, one kept scene, or a `latest`.

    `tsa_roots` is a PEM file with the roots of the time-stamping authorities that are trusted; None trusts none.

    Raises:
        InputError: there is nothing at `path`. Everything else that is wrong stands in the report.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"There is nothing at {place}; name a workspace, a run or an archive.")
    if place.is_file() and place.name == LATEST:
        target = _target(place)
        if target is None:
            return Report(faults=[f"{place} does not name a run; scan again, or delete it."])
        place = target
    if not place.is_dir():
        raise InputError(f"{place} is a file; name the folder of the run, or a workspace.")
    report = Report()
    if (place / "outputs").is_dir() or (place / "aois").is_dir():
        _outputs(place / "outputs", report, tsa_roots)
    elif (place / "runs").is_dir() or (place / "archive").is_dir():
        _outputs(place, report, tsa_roots)
    elif (place / archive.SCENE_JSON).exists():
        _scene(place, archive.verify_scene(place), report)
    elif (place / MANIFEST).exists() or (place / SUMS).exists():
        _run(place, report)
    else:
        _several(place, report)
    return report


def _several(place: Path, report: Report) -> None:
    """A folder of runs, of scenes, or of nothing that was ever sealed."""
    inner = [p for p in _entries(place, report) if p.is_dir() and not p.is_symlink()]
    if any((p / archive.SCENE_JSON).exists() for p in inner):
        for folder, check in archive.verify(place.parent, place.name):
            _scene(folder, check, report)
    elif any((p / MANIFEST).exists() or (p / SUMS).exists() for p in inner):
        _runs(place, report)
    elif any((q / archive.SCENE_JSON).exists() for p in inner for q in p.iterdir()):
        _archive(place, report)
    elif any((q / MANIFEST).exists() for p in inner for q in p.iterdir()):
        for site in inner:
            _runs(site, report)
    else:
        report.faults.append(f"{place} holds no manifest and no checksums: it is not, or no longer, a result.")


def _outputs(outputs: Path, report: Report, tsa_roots: Path | None) -> None:
    _archive(outputs / "archive", report)
    inputs: set[str] | None = None
    for site in _entries(outputs / "runs", report):
        if site.is_symlink() or not site.is_dir():
            report.faults.append(f"{site} is a stranger among the runs; remove it.")
            continue
        if inputs is None:
            inputs = _kept(outputs / "archive")
        for manifest in _runs(site, report):
            for lost in sorted(manifest.inputs - inputs):
                report.faults.append(f"{manifest.folder} was made from bytes {lost[:12]}… that the archive lost.")
    _log(outputs, report, tsa_roots)


def _log(outputs: Path, report: Report, tsa_roots: Path | None) -> None:
    """The log of all runs and the runs themselves name each other, both ways."""
    try:
        links = read_chain(outputs)
    except IntegrityError as error:
        report.faults.append(str(error))
        return
    for link in links:
        path = outputs / "runs" / link.site / link.run / MANIFEST
        if not path.is_file():
            report.faults.append(f"{path.parent} stands in {CHAIN} as number {link.n} and is gone.")
        elif sha256(path) != link.manifest or made_at(path) != link.made:
            report.faults.append(f"{path} is not the one that {CHAIN} names as number {link.n}.")
    logged = {(link.site, link.run) for link in links}
    for path in sorted((outputs / "runs").glob(f"*/*/{MANIFEST}")):
        if (path.parent.parent.name, path.parent.name) not in logged and not _half_made(path.parent):
            report.faults.append(f"{path.parent} does not stand in {CHAIN}; if it is ours, the next scan adds it.")
    for is_fault, sentence in check_stamps(outputs, links, tsa_roots):
        (report.faults if is_fault else report.remarks).append(sentence)
    if links:
        report.remarks.append(f"{outputs / CHAIN} ends with number {links[-1].n}, SHA-256 {links[-1].sha256}.")


def _archive(root: Path, report: Report) -> None:
    for folder, check in archive.verify(root) if root.is_dir() else ():
        if PARTIAL in folder.name:
            report.remarks.append(_leftover(folder))
        else:
            _scene(folder, check, report)


def _kept(root: Path) -> set[str]:
    """The checksums of everything in the archive, as its sums state them."""
    found: set[str] = set()
    for sums in sorted(root.glob(f"*/*/{SUMS}")):
        try:
            found.update(read_sums(sums.parent).values())
        except IntegrityError:
            continue  # told where the scene itself is verified
    return found


def _scene(folder: Path, check: Check, report: Report) -> None:
    strangers = tuple(name for name in check.strangers if PARTIAL not in name)
    report.remarks += [_leftover(folder / name) for name in check.strangers if PARTIAL in name]
    if (folder / archive.SCENE_JSON).exists() or (folder / SUMS).exists():
        report.scenes += 1
        report.files += sum(1 for p in folder.rglob("*") if p.is_file())
    report.faults += _told(folder, check._replace(strangers=strangers))


def _runs(site: Path, report: Report) -> list[_Manifest]:
    """Verify all runs of a site and the chain between them; return the manifests that can be read."""
    found = []
    for folder in _entries(site, report):
        if folder.name == LATEST and not folder.is_symlink():
            continue
        if folder.is_symlink() or not folder.is_dir():
            report.faults.append(f"{folder} is a stranger among the runs; remove it.")
            continue
        manifest = _run(folder, report)
        if manifest is not None:
            found.append(manifest)
    pointer = site / LATEST
    if pointer.exists() and not pointer.is_symlink() and _target(pointer) is None:
        report.faults.append(f"{pointer} does not name a run that is here; scan again, or delete it.")
    report.faults += _chain(found)
    return found


def _chain(manifests: list[_Manifest]) -> Iterator[str]:
    """Tell every break: a run whose predecessor is gone or altered, two beginnings, two that follow the same one."""
    known = {m.sha256 for m in manifests}
    begins = [m for m in manifests if m.previous is None]
    for m in manifests:
        if m.previous is not None and m.previous not in known:
            yield f"{m.folder} follows a run that is not here, or was altered since."
    for m in begins[1:]:
        yield f"{m.folder} follows no run, although {begins[0].folder.name} was there before it."
    followed = Counter(m.previous for m in manifests if m.previous is not None)
    for m in manifests:
        if m.previous is not None and followed[m.previous] > 1:
            yield f"{m.folder} is one of several runs that follow the same one."


def _run(folder: Path, report: Report) -> _Manifest | None:
    report.runs += 1
    report.files += sum(1 for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    path = folder / MANIFEST
    try:
        report.faults += _told(folder, check_folder(folder, leave_out=(MANIFEST,)))
        sums = read_sums(folder)
    except IntegrityError as error:
        report.faults.append(str(error))
        sums = {}
    if not path.exists():
        report.faults.append(f"{folder} has no {MANIFEST}: the run was not finished, or its manifest was taken away.")
        return None
    try:
        document = _load(path)
        report.faults += _agree(folder, document, sums)
        return _Manifest(folder, sha256(path), _previous(document), _inputs(document))
    except (OSError, ValueError, RecursionError) as error:
        report.faults.append(f"{path} cannot be read ({error}).")
        return None


def _load(path: Path) -> Mapping[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is not a regular file")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ValueError("it is far too large")
    document = json.loads(path.read_bytes())
    if not isinstance(document, dict) or not isinstance(document.get("files"), list):
        raise ValueError("it names no files")
    return document


def _agree(folder: Path, document: Mapping[str, Any], sums: Mapping[str, str]) -> Iterator[str]:
    """Tell where manifest, SHA256SUMS and sizes differ."""
    listed: dict[str, str] = {}
    for entry in document["files"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ValueError("an entry of its files has no name")
        name = entry["name"]
        listed[name] = str(entry.get("sha256"))
        here = folder / name
        inside = name == SUMS or name in sums
        if inside and here.is_file() and entry.get("size_bytes") != here.stat().st_size:
            yield f"{here} is {here.stat().st_size} bytes, its manifest says {entry.get('size_bytes')}."
    if SUMS in listed and (folder / SUMS).is_file() and listed.pop(SUMS) != sha256(folder / SUMS):
        yield f"{folder / SUMS} is not the one that the manifest names."
    for name in sorted({*listed, *sums} - {SUMS}):
        if name not in sums:
            yield f"{folder / name} stands in {MANIFEST} but not in {SUMS}."
        elif name not in listed:
            yield f"{folder / name} stands in {SUMS} but not in {MANIFEST}."
        elif listed[name] != sums[name]:
            yield f"{folder / name} has different checksums in {MANIFEST} and {SUMS}."


def _previous(document: Mapping[str, Any]) -> str | None:
    previous = document.get("previous")
    if isinstance(previous, dict):
        previous = previous.get("sha256")
    if previous is not None and not isinstance(previous, str):
        raise ValueError("what it says of the previous run is not a checksum")
    return previous


def _inputs(document: Mapping[str, Any]) -> frozenset[str]:
    inputs = document.get("inputs")
    entries = inputs if isinstance(inputs, list) else []
    return frozenset(e["sha256"] for e in entries if isinstance(e, dict) and isinstance(e.get("sha256"), str))


def _told(folder: Path, check: Check) -> Iterator[str]:
    for name in check.changed:
        yield f"{folder / name} was changed."
    for name in check.missing:
        yield f"{folder / name} is missing."
    for name in check.strangers:
        yield f"{folder / name} is a stranger: nothing here should be added; remove it."


def _entries(folder: Path, report: Report) -> list[Path]:
    """What lies in a folder, without what a killed or working run has half-made there."""
    if not folder.is_dir():
        return []
    found = sorted(folder.iterdir())
    report.remarks += [_leftover(p) for p in found if _half_made(p)]
    return [p for p in found if not _half_made(p)]


def _half_made(path: Path) -> bool:
    return path.name.startswith(".") and PARTIAL in path.name


def _leftover(path: Path) -> str:
    return f"{path} is half-made: a run is at work there, or was killed (the next run sweeps it away)."


def _target(pointer: Path) -> Path | None:
    """The run that a `latest` file names, if it is there."""
    try:
        name = pointer.read_bytes()[:200].decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    inside = name and Path(name).name == name and name not in (".", "..")
    return pointer.parent / name if inside and (pointer.parent / name / MANIFEST).is_file() else None


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
