"""How the layers of a run look in QGIS, and what their forms ask.

In the time slider a change is dotted from the last look without it to the first that shows it, and has its own look
from then on. The project's styles show the newest verdict, live; the styles in the GeoPackage stand on it alone.
"""

from __future__ import annotations

from geo.files.qgis import Entry, Field, Lookup, RasterStyle, Tab, VectorStyle
from geo.files.reviews import NOT_REVIEWED
from geo.files.reviews import TABLE as REVIEWS
from pipelines.assess.findings import BuildingStatus
from pipelines.publish.palette import BLACK, BLUE, CHANCE, CONFIDENCE, GREEN, ORANGE, PURPLE, UNSEEN, VERMILION

RELATION = f"{REVIEWS}_event_id_changes"
VERDICTS = (
    ("confirmed", "Confirmed change"), ("rejected", "Rejected: no such change"), ("unsure", "Unsure"),
    (NOT_REVIEWED, "Not reviewed (takes a verdict back)"),
)  # fmt: skip
SURENESS = (("", "Not stated"), ("high", "High"), ("medium", "Medium"), ("low", "Low"))
WITHIN = "within its interval (time slider)"
PICTURES = "figures/changes"
# The newest verdict in the review file, live; before any was given there, or where a run was sent without that file,
# what the run itself took over.
_NEWEST = (
    f"coalesce(array_last(try(relation_aggregate('{RELATION}', 'array_agg', \"verdict\", '',"
    ' "reviewed_at"))), "verdict")'
)
_MARKS = "coalesce(map_get(map('confirmed', ' ✓', 'rejected', ' ✗', 'unsure', ' ?'), {verdict}), '')"
_LONG = ("confidence_reason", "gap_reason", "status_reason")
_TIMES = ("not_before", "not_after", "time")


def changes_style(*, live: bool = False) -> VectorStyle:
    """Outlines by confidence: solid thick, solid, dashed; dotted where rejected, or not yet sure to be there.

    `live` shows the newest verdict of the table of reviews, which must be a layer of the project.
    """
    verdict = _NEWEST if live else '"verdict"'
    entries = [
        Entry(value=level, label=level, colour=colour, line=line, width_mm=width)
        for level, (colour, line, width) in CONFIDENCE.items()
    ]
    entries += [
        Entry(value="rejected", label="rejected by an analyst", colour=UNSEEN, line="dot", width_mm=0.5),
        Entry(value=WITHIN, label=WITHIN, colour=ORANGE, line="dot", width_mm=0.5),
    ]
    look = (
        f"CASE WHEN {verdict} = 'rejected' THEN 'rejected' WHEN \"not_after\" > @map_end_time THEN '{WITHIN}'"
        ' ELSE "confidence" END'
    )
    return VectorStyle(
        geometry="Polygon", attribute=look, entries=tuple(entries), crowded=True,
        label=f"rpad('', 2 * \"stacked\", '\\n') || coalesce(\"number\", '') || {_MARKS.format(verdict=verdict)}",
        time="not_before",
        tip=_tip_of_change(verdict, picture=live), title='"name"',
        fields=_read_only(
            fid="Row", number="Number in the report", name="Finding", title="What it is",
            direction="What became what", zone="Zone",
            area_m2="Area (m²)", not_before="Not before (UTC)", not_after="Not after (UTC)",
            gap_reason="Why the interval is this wide", confidence="Confidence",
            confidence_reason="Why this confidence", p="Chance of a false alarm (0-1)",
            before_scene="Scene before", after_scene="Scene after", verdict="Verdict before this run",
            reviewer="Given by", id="Id", kind="Kind", score="Score", area_px="Area (pixels)", confirmed="Confirmed",
            simulated="Simulated",
        ),
        tabs=(
            Tab(
                title="Review", relation=RELATION,
                fields=("name", "direction", "area_m2", "not_before", "not_after", "confidence_reason"),
            ),
            Tab(
                title="All that is known",
                fields=(
                    "id", "number", "title", "kind", "zone", "confidence", "p", "gap_reason", "before_scene",
                    "after_scene", "verdict", "reviewer", "score", "area_px", "confirmed", "simulated",
                ),
            ),
        ) if live else (),
    )  # fmt: skip


def _tip_of_change(verdict: str, *, picture: bool) -> str:
    """What shows on hovering; the picture lies beside the project, so that only the project can name its place."""
    tip = (
        '<b>[% "name" %]</b><br>[% "direction" %]<br>'
        "not before [% coalesce(format_date(\"not_before\", 'yyyy-MM-dd'), 'date not stated') %], "
        "not after [% coalesce(format_date(\"not_after\", 'yyyy-MM-dd'), 'date not stated') %]<br>"
        'chance of a false alarm [% "p" %]<br>'
        f"review: [% coalesce({verdict}, 'none yet') %]"
    )
    if not picture:
        return tip
    # A path on Windows starts with a letter, so that its address takes one more slash; # would end the address.
    folder = "if(left(@project_folder, 1) = '/', '', '/') || replace(replace(@project_folder, '%', '%25'), '#', '%23')"
    shown = (
        f"'<br><img width=\"430\" src=\"file://' || {folder} || '/{PICTURES}/' || lpad(to_string(\"number\"), 2, '0')"
        " || '.jpg\"><br>left: before, right: after'"
    )
    return f"{tip}[% if(\"number\" is null, '', {shown}) %]"


def perimeter_style() -> VectorStyle:
    """Solid is a wall, dashed a fence; colour and width tell how it stands; gaps stand out."""
    looks = (
        ("changed", VERMILION, 1.2), ("no change seen", BLUE, 0.7), ("not observed", UNSEEN, 0.7),
        ("not observable", UNSEEN, 0.4),
    )  # fmt: skip
    not_yet = "not yet seen (time slider)"
    entries = [Entry(value="gap", label="gap", colour=PURPLE, line="dot", width_mm=1.6)]
    entries += [
        Entry(value=f"{line}, {status}", label=f"{line}, {status}", colour=colour, line=dash, width_mm=width)
        for line, dash in (("wall", "solid"), ("fence", "dash"))
        for status, colour, width in looks
    ]
    entries.append(Entry(value=not_yet, label=not_yet, colour=BLACK, line="dot", width_mm=0.3))
    return VectorStyle(
        geometry="Line", entries=tuple(entries), title='"look"',
        attribute=f"if(\"not_after\" > @map_end_time, '{not_yet}', \"look\")",
        label="if(\"status\" = 'gap', 'gap ' || round($length) || ' m', '')",
        tip="<b>[% \"look\" %]</b><br>[% round(\"start_m\") %] to [% round(\"end_m\") %] m",
        fields=_read_only(
            id="Id", look="What", status="Status", material="Material", start_m="From (m)", end_m="To (m)",
            p="Chance of a false alarm (0-1)", changed_fraction="Share changed", observed_fraction="Share observed",
            not_before="Not before (UTC)", not_after="Not after (UTC)",
        ),
    )  # fmt: skip


def buildings_style() -> VectorStyle:
    """Hatches by status; what cannot be told is grey and dotted, never like what did not change."""
    looks: tuple[tuple[BuildingStatus | str, str, str, str], ...] = (
        ("built", VERMILION, "solid", "diagonal_x"),
        ("under construction", ORANGE, "solid", "b_diagonal"),
        ("cleared", ORANGE, "dash", "no"),
        ("changed", VERMILION, "solid", "b_diagonal"),
        ("removed", PURPLE, "dash", "f_diagonal"),
        ("not started", GREEN, "dash", "no"),
        ("no change seen", BLUE, "solid", "no"),
        ("cannot be told", UNSEEN, "dot", "dense6"),
        (WITHIN, ORANGE, "dot", "no"),
    )
    entries = tuple(
        Entry(value=status, label=status, colour=colour, line=line, pattern=pattern, fill=colour, width_mm=0.5)
        for status, colour, line, pattern in looks
    )
    look = (
        "CASE WHEN \"status\" IN ('built', 'under construction', 'cleared', 'changed') AND \"not_before\" >="
        f" @map_end_time THEN 'not started' WHEN \"not_after\" > @map_end_time THEN '{WITHIN}' ELSE \"status\" END"
    )
    return VectorStyle(
        geometry="Polygon", attribute=look, entries=entries, title='"label"', label='"label"',
        tip="<b>[% \"label\" %]</b><br>[% \"status\" %]: [% \"status_reason\" %]", time="",
        fields=_read_only(
            id="Id", label="Building", planned="Planned", status="Status", status_reason="Why", area_m2="Area (m²)",
            p="Chance of a false alarm (0-1)", changed_fraction="Share changed", observed_fraction="Share observed",
            not_before="Not before (UTC)", not_after="Not after (UTC)",
        ),
    )  # fmt: skip


def scenes_style() -> VectorStyle:
    """The outline that every scene was cut to; its table tells what became of each."""
    return VectorStyle(
        geometry="Polygon", attribute="if(\"used\", 'used', 'refused')", title='"id"', time="time",
        tip='<b>[% "id" %]</b><br>[% "reason" %]',
        entries=(
            Entry(value="used", label="used", colour=BLUE, line="dash", width_mm=0.3),
            Entry(value="refused", label="refused", colour=UNSEEN, line="dot", width_mm=0.3),
        ),
        fields=_read_only(
            id="Scene", sensor="Sensor", role="Role", used="Used", reason="Why", time="Time (UTC)",
            clear_fraction="Clear share of the site", registration="Registration", sha256="SHA-256",
        ),
    )  # fmt: skip


def review_style(*, live: bool = False) -> VectorStyle:
    """The review form; `live` shows the finding's title for its id, which takes the layer of changes."""
    return VectorStyle(
        geometry=None,
        title="coalesce(\"verdict\", '') || coalesce(', ' || \"reviewer\", '')",
        fields=(
            Field(name="fid", alias="fid", widget="hidden"),
            Field(
                name="event_id", alias="Finding", editable=True, required=True,
                lookup=Lookup(layer="changes", key="id", value="name") if live else None,

            ),
            Field(name="verdict", alias="Verdict", choices=VERDICTS, editable=True, required=True),
            Field(name="confidence", alias="How sure", choices=SURENESS, editable=True),
            Field(name="reason", alias="Reason", widget="long", editable=True),
            Field(name="reviewer", alias="Reviewer", editable=True),
            Field(name="reviewed_at", alias="Saved at (UTC)", widget="time"),
        ),
    )  # fmt: skip


def mask_style() -> RasterStyle:
    """Unchanged is clear, change is coloured, not observed is grey: never alike."""
    return RasterStyle(
        kind="palette",
        entries=(
            Entry(value=0, label="no change found (observed on both dates)", colour="#ffffff", alpha=0),
            Entry(value=1, label="change", colour=VERMILION),
            Entry(value=255, label="NOT OBSERVED: nothing is known here", colour=UNSEEN),
        ),
    )


def chance_style() -> RasterStyle:
    """The p band: the darker, the more certain; above 1 in 20 nothing is drawn."""
    entries = [Entry(value=bound, label=label, colour=colour) for bound, colour, label in CHANCE]
    return RasterStyle(
        kind="ramp", band=2, entries=(*entries, Entry(value="inf", label="more", colour="#ffffff", alpha=0))
    )


def outline_style(label: str, colour: str, line: str, noun: str) -> VectorStyle:
    """One look for all features of a layer."""
    return VectorStyle(
        geometry="Polygon", attribute=f"'{noun}'", title=f'"{label}"',
        entries=(Entry(value=noun, label=noun, colour=colour, line=line),),
    )  # fmt: skip


def _read_only(**fields: str) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=name, alias=alias,
            widget="hidden" if name == "fid" else "long" if name in _LONG else "time" if name in _TIMES else "text",
        )
        for name, alias in fields.items()
    )  # fmt: skip
