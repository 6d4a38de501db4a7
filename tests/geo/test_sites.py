"""Site files: what is right is read, what is wrong is named."""

import json
import random
from datetime import date
from typing import Any

import pytest
import sitefiles
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import geojson
from geo.errors import ConfigurationError
from geo.geojson import Fault
from geo.site_schema import is_site_id, span
from geo.sites import LOCATION_CLASSES, RADIUS_M, SEARCHED, Site, SiteFaults, parse_site

SITE, PERIMETER, BUILDING, OTHER, CONTROL, UNCERTAINTY = range(6)


def parse(document: Any) -> Site:
    return parse_site(document, file="test-site.geojson")


def faults(document: Any) -> str:
    with pytest.raises(SiteFaults) as caught:
        parse(document)
    assert caught.value.exit_code == 78
    for fault in caught.value.faults:
        assert fault.startswith("test-site.geojson")
        assert fault.endswith(".")
        assert "\n" not in fault
    return " | ".join(caught.value.faults)


def test_a_whole_site_is_read() -> None:
    """Every property and every role arrives."""
    site = parse(sitefiles.document())
    assert (site.id, site.name, site.cadence_days, site.since) == ("test-site", "Test site", 5, date(2017, 8, 10))
    assert site.sensors == ("sentinel-2-l2a", "sentinel-1-grd")
    assert (site.location.kind, site.location.as_of, site.is_search) == ("exact", "2022-03", False)
    assert site.perimeter is not None
    assert (site.perimeter.id, site.perimeter.closed, site.perimeter.material) == ("perimeter", True, "wall")
    assert [(b.id, b.planned, b.label) for b in site.buildings] == [("b1", True, "Hall"), ("b2", False, "")]
    assert [c.id for c in site.controls] == ["palms"]
    assert [(u.id, u.use) for u in site.uncertainties] == [("around", "search")]
    assert [(m.first, m.last) for m in site.timeline] == [
        (date(2009, 1, 1), date(2009, 12, 31)),
        (date(2017, 8, 10), date(2017, 11, 30)),
    ]
    assert site.extent.covers(site.perimeter.line)


def test_defaults_are_said() -> None:
    """A hand-drawn file needs no more than id, name and location."""
    document = sitefiles.document()
    keep = {"role", "id", "name", "location"}
    properties = document["features"][SITE]["properties"]
    document["features"] = [{**document["features"][SITE], "properties": {k: properties[k] for k in keep}}]
    site = parse(document)
    assert (site.cadence_days, site.sensors, site.since, site.sensitive) == (10, ("sentinel-2-l2a",), None, False)
    assert (site.perimeter, site.buildings, site.search_area) == (None, (), None)


def test_what_qgis_writes_is_read() -> None:
    """Null in every column, JSON inside texts, one-part multi-geometries, crs CRS84, heights, dates with slashes."""
    document = sitefiles.document()
    document |= {
        "name": "test-site",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "xy_coordinate_resolution": 1e-7,
    }
    columns = {key for f in document["features"] for key in f["properties"]}
    for f in document["features"]:
        f["id"] = 7
        f["properties"] = {key: f["properties"].get(key) for key in columns}
    properties = document["features"][SITE]["properties"]
    for key in ("location", "timeline", "sensors"):
        properties[key] = json.dumps(properties[key])
    properties["since"] = "2017/08/10"
    document["features"][BUILDING]["properties"]["planned"] = "true"
    rings = document["features"][PERIMETER]["geometry"]["coordinates"]
    rings = [[[*p, 12.5] for p in ring] for ring in rings]
    document["features"][PERIMETER]["geometry"] = {"type": "MultiPolygon", "coordinates": [rings]}
    assert parse(document).location == parse(sitefiles.document()).location
    assert parse(document).perimeter == parse(sitefiles.document()).perimeter
    assert parse(document).timeline == parse(sitefiles.document()).timeline
    assert parse(document).buildings[0].planned is True


@pytest.mark.parametrize("kind", LOCATION_CLASSES)
def test_vague_places_are_searched(kind: str) -> None:
    """Commune and coarser are a search; drawing a wall there is refused, and so is a search without bounds."""
    document = sitefiles.document(location={"class": kind, "source": "a test", "as_of": "2022"})
    assert kind in RADIUS_M
    if kind not in SEARCHED:
        assert not parse(document).is_search
        return
    told = faults(document)
    assert "feature 2 (perimeter) is drawn although" in told
    assert "feature 3 (building 'b1') is drawn although" in told
    document["features"] = [document["features"][SITE]]
    assert "needs a feature of role uncertainty" in faults(document)


def _set(index: int, key: str, value: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        document["features"][index]["properties"][key] = value

    return change


def _shape(index: int, kind: str, coordinates: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        document["features"][index]["geometry"] = {"type": kind, "coordinates": coordinates}

    return change


def _top(**keys: Any) -> Any:
    return lambda document: document.update(keys)


X, Y = sitefiles.LON, sitefiles.LAT
BOW = [[[X, Y], [X + 0.01, Y + 0.01], [X + 0.01, Y], [X, Y + 0.01], [X, Y]]]
OPEN = [[[X, Y], [X + 0.01, Y], [X + 0.01, Y + 0.01], [X, Y + 0.01]]]
FLAT = [[[X, Y], [X + 0.01, Y], [X + 0.02, Y], [X, Y]]]
SWAPPED = [[[y, x] for x, y in ring] for ring in sitefiles.box()]
WIDE = [[[-179.9, -10], [179.9, -10], [179.9, 10], [-179.9, 10], [-179.9, -10]]]
ROUND = [[[X + i * 1e-6, Y] for i in range(60_000)]]

WRONG = [
    (_set(SITE, "id", "../x"), "has a wrong 'id': must be 1 to 64"),
    (_set(SITE, "id", "x\n"), "has a wrong 'id'"),
    (_set(SITE, "id", "Site"), "has a wrong 'id'"),
    (_set(SITE, "id", "é"), "has a wrong 'id'"),
    (_set(SITE, "id", 5), "has a wrong 'id'"),
    (_set(SITE, "id", "a" * 65), "has a wrong 'id'"),
    (_set(SITE, "name", None), "lacks the property 'name'"),
    (_set(SITE, "name", "a\u202eb"), "control or direction character"),
    (_set(SITE, "name", "a\ud800b"), "has a wrong 'name'"),
    (_set(SITE, "nmae", "x"), "unknown property 'nmae'; did you mean 'name'?"),
    (_set(SITE, "cadence_days", 0), "has a wrong 'cadence_days'"),
    (_set(SITE, "cadence_days", True), "has a wrong 'cadence_days'"),
    (_set(SITE, "cadence_days", "5"), "has a wrong 'cadence_days'"),
    (_set(SITE, "sensitive", "no"), "has a wrong 'sensitive'"),
    (_set(SITE, "since", "2017"), "must be a whole date"),
    (_set(SITE, "since", "2017-02-30"), "not a date of the calendar"),
    (_set(SITE, "sensors", []), "has a wrong 'sensors'"),
    (_set(SITE, "sensors", ["sentinel-2"]), "has a wrong 'sensors.0'"),
    (_set(SITE, "location", {"class": "near", "source": "s", "as_of": "2020"}), "has a wrong 'location.class'"),
    (_set(SITE, "location", {"class": "exact", "source": "", "as_of": "2020"}), "has a wrong 'location.source'"),
    (_set(SITE, "location", {"class": "exact", "as_of": "2020"}), "lacks the property 'location.source'"),
    (_set(SITE, "timeline", [{"event": "e", "source": "s"}]), "needs either a date or an interval"),
    (_set(SITE, "timeline", [{"interval": ["2020", "2019"], "event": "e", "source": "s"}]), "ends before it begins"),
    (_set(PERIMETER, "role", "walls"), "feature 2 needs a role"),
    (_set(PERIMETER, "role", ["site"]), "feature 2 needs a role"),
    (_set(PERIMETER, "material", "hedge"), "feature 2 (perimeter) has a wrong 'material'"),
    (_set(BUILDING, "planned", None), "feature 3 (building) lacks the property 'planned'"),
    (_set(OTHER, "id", "b1"), "the id 'b1' is used by 2 features"),
    (_set(OTHER, "id", None), "feature 4 (building) needs an id (or label)"),
    (_shape(OTHER, "Polygon", sitefiles.box(X + 0.001, Y + 0.001, 0.0005)), "with the same outline"),
    (_shape(BUILDING, "Polygon", BOW), "feature 3 (building 'b1') crosses or touches itself"),
    (_shape(BUILDING, "Polygon", OPEN), "is not closed"),
    (_shape(BUILDING, "Polygon", FLAT), "has no area"),
    (_shape(BUILDING, "Polygon", []), "is empty"),
    (_shape(BUILDING, "Polygon", [[]]), "is empty"),
    (_shape(BUILDING, "Polygon", [[[X, Y], [X, Y]]]), "fewer than 4 positions"),
    (_shape(BUILDING, "Polygon", "x"), "not a list"),
    (_shape(BUILDING, "Polygon", [[["1", 2]] * 4]), "not [longitude, latitude]"),
    (_shape(BUILDING, "Polygon", [[[True, 2]] * 4]), "not [longitude, latitude]"),
    (_shape(BUILDING, "Polygon", [[[X, Y, 0, 0]] * 4]), "not [longitude, latitude]"),
    (_shape(BUILDING, "Polygon", [[[float("nan"), Y]] * 4]), "not a finite number"),
    (_shape(BUILDING, "Polygon", [[[10**400, Y]] * 4]), "not a finite number"),
    (_shape(BUILDING, "Polygon", SWAPPED), "longitude and latitude look swapped"),
    (_shape(BUILDING, "Polygon", WIDE), "split it at the 180 degree meridian"),
    (_shape(BUILDING, "Polygon", sitefiles.box(200, Y)), "longitude beyond 180"),
    (_shape(BUILDING, "Polygon", sitefiles.box(X, 88)), "no UTM grid"),
    (_shape(BUILDING, "Polygon", sitefiles.box(X, Y + 3)), "km from the site feature"),
    (_shape(BUILDING, "Polygon", sitefiles.box(X, Y, 20.0)), "larger than any site"),
    (_shape(BUILDING, "Point", [X, Y]), "is a Point; it must be a Polygon or MultiPolygon"),
    (_shape(BUILDING, "Polygon", ROUND), "more than 50,000 vertices"),
    (_shape(PERIMETER, "LineString", [[X, Y], [X, Y]]), "has no length"),
    (_shape(PERIMETER, "LineString", [[X, Y]]), "fewer than 2 positions"),
    (_shape(PERIMETER, "LineString", BOW[0]), "crosses itself"),
    (_shape(SITE, "GeometryCollection", None), "is a GeometryCollection"),
    (lambda d: d["features"][BUILDING].update(geometry=None), "has no geometry"),
    (lambda d: d["features"][BUILDING].update(geometry=[]), "not an object"),
    (lambda d: d["features"][BUILDING].update(name="x"), "unknown key 'name'"),
    (lambda d: d["features"].append("x"), "feature 7 is not a GeoJSON Feature"),
    (lambda d: d["features"].pop(0), "one feature must have the role site, not 0"),
    (lambda d: d["features"].append({**d["features"][0]}), "one feature must have the role site, not 2"),
    (lambda d: d["features"].append({**d["features"][1]}), "several perimeters"),
    (_top(features=[]), "has no features"),
    (_top(features=None), "has no list of features"),
    (_top(type="Feature"), "not a GeoJSON FeatureCollection"),
    (_top(crs={"type": "name", "properties": {"name": "EPSG:3857"}}), "has a crs other than CRS84"),
    (_top(feature=1), "unknown key 'feature'"),
]


@pytest.mark.parametrize(("change", "expected"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_each_fault_is_named(change: Any, expected: str) -> None:
    """One wrong thing gives one sentence that names the file, the feature and what to do."""
    document = sitefiles.document()
    change(document)
    assert expected in faults(document)


def test_all_faults_are_told_at_once() -> None:
    """Nobody wants to mend a file one message at a time."""
    document = sitefiles.document()
    _set(PERIMETER, "material", "hedge")(document)
    _shape(BUILDING, "Polygon", BOW)(document)
    with pytest.raises(SiteFaults) as caught:
        parse(document)
    assert len(caught.value.faults) == 2
    assert "1 more" in str(caught.value)


def test_swapped_against_the_site_is_seen_where_both_orders_are_on_earth() -> None:
    """In Brazil a swapped outline is still on Earth; only the site feature tells."""
    document = sitefiles.document()
    for f in document["features"]:
        x, y = (-46.6, -23.5) if f["properties"]["role"] != "control" else (-23.5, -46.6)
        shift = [x - X, y - Y]
        coordinates = f["geometry"]["coordinates"]
        if f["geometry"]["type"] == "Point":
            f["geometry"]["coordinates"] = [x, y]
        else:
            f["geometry"]["coordinates"] = [[[p + s for p, s in zip(q, shift, strict=True)] for q in coordinates[0]]]
    assert "feature 5 (control 'palms') has longitude and latitude swapped against the site" in faults(document)


def test_messages_never_tell_where() -> None:
    """The place may be a secret: no fault holds a coordinate."""
    for change, _ in WRONG:
        document = sitefiles.document(sensitive=True)
        change(document)
        assert "103.7" not in faults(document)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\xff\xfe{}", "not UTF-8"),
        (b"", "not valid JSON"),
        (b'{"type": 1, "type": 2}', "says 'type' twice"),
        (b"[NaN]", "holds NaN"),
        (b"[-Infinity]", "holds -Infinity"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 40 + b"]" * 40, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "number that no coordinate"),
        (b" " * 20_000_001, "larger than 20 MB"),
        (b"[" + b"[103.1,10.2]," * 1_000_000 + b"]", "more than 50,000 vertices"),
    ],
    ids=range(10),
)
def test_hostile_text_is_refused(text: bytes, expected: str) -> None:
    """What is not honest JSON never gets as far as a geometry."""
    with pytest.raises(Fault, match=expected):
        geojson.loads(text)


def test_a_byte_order_mark_is_fine() -> None:
    """Windows editors put one there."""
    assert geojson.loads(b"\xef\xbb\xbf[1]") == geojson.loads("\ufeff[1]") == [1]


def test_infinity_by_the_back_door_is_refused() -> None:
    """1e400 is valid JSON and no coordinate."""
    text = json.dumps(sitefiles.document()).replace("103.74", "1e400", 1)
    assert "finite" in faults(geojson.loads(text))


def test_ids() -> None:
    """Full match, ASCII only."""
    good, bad = ("a", "0", "a-b", "a" * 64), ("", "-a", "A", "a_b", "a" * 65, "a\n", "../x", "a/b", "a.b", "ä", "²")
    assert all(map(is_site_id, good))
    assert not any(map(is_site_id, bad))


def test_spans() -> None:
    """A month or year stands for all its days."""
    assert span("2020-02") == (date(2020, 2, 1), date(2020, 2, 29))
    assert span("2020") == (date(2020, 1, 1), date(2020, 12, 31))
    for wrong in ("", "20", "2020-13", "0000", "2020-1-1", "٢٠٢٠", "2020-01-01T00"):
        with pytest.raises(ValueError, match="date"):
            span(wrong)


def _mutate(rng: random.Random, text: str) -> str:
    junk = ["null", "{}", "[]", '"x"', "1e400", "-0", "NaN", "true", "1e300", '"\\ud800"', "[[]]", "91", "-181"]
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(text))
        action = rng.randrange(5)
        if action == 0:
            text = text[:at] + chr(rng.choice([0, 34, 91, 93, 123, 125, 44, 57, 45, 0x202E, 0xD7FF])) + text[at + 1 :]
        elif action == 1:
            text = text[:at] + text[at + rng.randint(1, 40) :]
        elif action == 2:
            text = text[:at] + text[at : at + rng.randint(1, 200)] + text[at:]
        else:
            marks = [i for i, c in enumerate(text) if c in ":[,"]
            start = rng.choice(marks) + 1
            end = min((i for i in (text.find(c, start) for c in ",]}") if i > 0), default=start)
            text = text[:start] + rng.choice(junk) + text[end:]
        text = text or "{}"
    return text


def test_a_thousand_mutants_give_a_site_or_one_kind_of_error() -> None:
    """Whatever a file holds, the answer is a Site or a ConfigurationError, and each mutant is told something."""
    rng = random.Random(7)
    text = json.dumps(sitefiles.document())
    sites, told = 0, []
    for _ in range(1000):
        try:
            try:
                parse(geojson.loads(_mutate(rng, text)))
                sites += 1
            except Fault as fault:
                raise ConfigurationError(f"test-site.geojson {fault}.") from fault
        except ConfigurationError as error:
            told.append(str(error))
    assert len(told) > 600
    assert sites > 5
    assert all(sentence.startswith("test-site.geojson") and len(sentence) < 500 for sentence in told)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "role", "x"]), inner),
    max_leaves=12,
)


@given(value=JSON, index=st.integers(0, 5), key=st.sampled_from(["role", "id", "location", "timeline", "label", "geo"]))
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere(value: Any, index: int, key: str) -> None:
    """No JSON value in any place gives anything but a Site or SiteFaults."""
    document = sitefiles.document()
    if key == "geo":
        document["features"][index]["geometry"]["coordinates"] = value
    else:
        document["features"][index]["properties"][key] = value
    try:
        told: tuple[str, ...] = (parse(document).id,)
    except SiteFaults as error:
        told = error.faults
    assert told
