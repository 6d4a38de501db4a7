"""Stage 5: write everything that a run leaves, the manifest last."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from typing import Any

from geo.files.atomic import atomic_path
from geo.files.sums import write_sums
from geo.scene import SceneRecord
from pipelines.assess import Findings
from pipelines.detect import ChangeMap
from pipelines.prepare import Pair
from pipelines.publish.chips import write_chips, write_tips
from pipelines.publish.features import write_features
from pipelines.publish.figures import Sheet, write_figures
from pipelines.publish.item import write_stac
from pipelines.publish.manifest import NAME as MANIFEST
from pipelines.publish.manifest import Manifest, file_entries, input_entry, plain, versions, write_manifest
from pipelines.publish.pictures import read_figure, read_picture
from pipelines.publish.project import layers_of, write_qgis
from pipelines.publish.rasters import choose_view, write_rasters
from pipelines.publish.report import Page, write_report
from pipelines.publish.settings import Lineage, PublishSettings
from pipelines.publish.shapes import numbered

FIGURE_PX = 1600


def publish(
    findings: Findings,
    pair: Pair,
    change_map: ChangeMap,
    *,
    folder: Path,
    settings: PublishSettings,
    now: datetime,
    lineage: Lineage | None = None,
    executor: Executor | None = None,
) -> Manifest:
    """Write a run's files into `folder`; hidden entries of the folder (a work folder) are left out of everything.

    Args:
        findings: what the run says.
        pair: the two dates, for the pictures.
        change_map: the rasters of change, on the pair's grid.
        folder: exists, writable; the caller makes it appear under its final name.
        settings: how results look.
        now: the run's clock; the same inputs and clock give the same bytes.
        lineage: what ties the run to others; nothing if None.
        executor: where tiles are drawn; None is here. It does not show in the result.

    Returns:
        The manifest, as written.

    Raises:
        ValueError: the pair and the change map lie on different grids.
        ConfigurationError, NoSpaceError: the folder cannot be written.
    """
    if pair.grid != change_map.grid:
        raise ValueError("the pair and the change map must share one grid")
    lineage = lineage or Lineage()
    told = lineage.settings or {**findings.parameters, "publish": settings.model_dump(mode="json")}
    recorded = plain(told)
    events = numbered(findings.events, settings.numbered, lineage.verdicts)
    observed = change_map.calibration.observed_px / (pair.grid.shape[0] * pair.grid.shape[1])

    view = choose_view(pair, settings)
    write_rasters(folder, pair, change_map, view, executor)
    with atomic_path(folder / "findings.json") as temporary:
        temporary.write_text(findings.to_json(), encoding="utf-8")
    layers = layers_of(findings, lineage)
    write_features(folder, findings, events, layers, lineage)
    write_qgis(folder, findings, layers)
    large = read_picture(folder, pair.grid, FIGURE_PX)
    shown = view.composite.label
    write_figures(folder, Sheet(findings, events, large, shown, observed, settings.figure_dpi))
    small = read_picture(folder, pair.grid, settings.picture_px)
    series = read_figure(folder / "figures" / "series.png")
    chips = write_chips(folder, findings.candidates, pair.grid)
    write_tips(folder, events, pair.grid)
    page = Page(findings, events, small, shown, observed, recorded, versions(), lineage, settings.listed, series, chips)
    write_report(folder, page)
    made_from = (pair.before.record, pair.after.record) if lineage.inputs is None else lineage.inputs
    return _seal(folder, findings, made_from, now, recorded, lineage)


def _seal(
    folder: Path,
    findings: Findings,
    inputs: Sequence[SceneRecord],
    now: datetime,
    recorded: dict[str, Any],
    lineage: Lineage,
) -> Manifest:
    """Hash what was written, and write the manifest last: its presence means complete."""
    hidden, files = _listed(folder)
    write_stac(folder, findings, files)
    write_sums(folder, leave_out=[*hidden, MANIFEST])
    manifest = Manifest(
        run_id=findings.run_id,
        site=findings.site.id,
        created=now,
        simulated=findings.simulated,
        previous=lineage.previous_manifest,
        inputs=[input_entry(record) for record in inputs],
        settings=recorded,
        recipe=None if lineage.recipe is None else dict(lineage.recipe),
        verdicts=dict(lineage.verdicts),
        versions=versions(),
        files=file_entries(folder),
    )
    write_manifest(folder, manifest)
    return manifest


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Names of hidden and of other files below the folder, relative, sorted."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    hidden = [name.as_posix() for name in names if any(part.startswith(".") for part in name.parts)]
    return hidden, [name.as_posix() for name in names if name.as_posix() not in hidden]
