"""The places shipped with the program: valid, honest, complete."""

import json
from pathlib import Path

import jsonschema
import pytest
import shapely
from pyproj import Geod

from geo.files.vectors import read_site, read_sites
from geo.site_schema import json_schema
from geo.sites import SEARCHED

AOIS = Path(__file__).parent.parent / "aois"
FILES = sorted(AOIS.glob("*.geojson"))
GEOD = Geod(ellps="WGS84")


def test_every_named_centre_is_there() -> None:
    """The national centre and the others that public reports name."""
    assert {p.stem for p in FILES} >= {
        "national-centre",
        "chamkar-kausu",
        "prey-speu",
        "orkas-khnom",
        "prey-sar",
        "phnom-bak",
        "banteay-meanchey-military-police",
        "battambang-military-police",
        "siem-reap-police",
        "sihanoukville-military-police",
        "phnom-penh-military-police",
        "sen-sok-transit",
        "koh-kong",
        "kandal-stung-youth",
        "battambang-private",
    }
    assert read_sites(AOIS).faults == ()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_shipped_site_satisfies_program_and_schema(path: Path) -> None:
    """Both doors let it in, and they mean the same."""
    site = read_site(path)
    assert site.id == path.stem
    jsonschema.validate(json.loads(path.read_text()), json.loads((AOIS / "schema.json").read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_nothing_is_claimed_beyond_the_sources(path: Path) -> None:
    """No outline of a facility that nobody has located; where it may be is drawn and noted."""
    site = read_site(path)
    assert site.location.kind in ("village", *SEARCHED)
    assert site.perimeter is None
    assert site.buildings == ()
    assert site.search_area is not None
    assert all(u.note for u in site.uncertainties)
    assert "not the facility" in site.note or "no facility is known" in site.note
    assert site.search_area.buffer(1e-4).covers(site.geometry)


def test_inferred_identities_say_so() -> None:
    """Two names taken for one place are an inference."""
    for name in ("orkas-khnom", "phnom-bak"):
        assert "Identity inferred" in read_site(AOIS / f"{name}.geojson").note


def test_the_national_centre() -> None:
    """The search box, the ring as a prior, and the public timeline."""
    site = read_site(AOIS / "national-centre.geojson")
    assert site.is_search
    assert site.search_area is not None
    assert site.search_area.bounds == (103.672, 10.772, 103.774, 10.91)
    (prior,) = [u for u in site.uncertainties if u.use == "prior"]
    assert site.search_area.covers(prior.polygon)
    for x, y in shapely.get_coordinates(prior.polygon):
        assert 12_480 < GEOD.inv(103.81072, 10.73551, x, y)[2] < 13_520
    dates = [(m.date, m.interval) for m in site.timeline]
    assert [d for d, _ in dates] == ["2009", "2017-08-10", "2017-11", "2020-05", "2020-11-20", "2022-03-22"]
    assert all(m.source for m in site.timeline)


def test_the_schema_is_the_one_of_the_code() -> None:
    """schema.json is written from the models; after a change write it anew (see the message)."""
    written = json.loads((AOIS / "schema.json").read_text())
    assert written == json_schema(), "write json.dumps(geo.site_schema.json_schema(), indent=2) to aois/schema.json"


@pytest.mark.parametrize(
    ("key", "value"), [("id", "../x"), ("role", "walls"), ("nmae", "x"), ("cadence_days", 0), ("sensitive", "no")]
)
def test_the_schema_refuses_what_the_program_refuses(key: str, value: object) -> None:
    """An editor that knows the schema warns before the program does."""
    document = json.loads((AOIS / "national-centre.geojson").read_text())
    document["features"][0]["properties"][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())
