"""Words for people: intervals open where a date is missing, shares never rounded to all or nothing."""

from datetime import UTC, datetime

import pytest
from publish_cases import make_case

from pipelines.publish import wording
from pipelines.publish.shapes import numbered

T0, T1 = datetime(2017, 12, 4, tzinfo=UTC), datetime(2019, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (T0, T1, "2017-12-04 to 2019-01-03"),
        (None, T1, "by 2019-01-03 (start not known)"),
        (T0, None, "after 2017-12-04 (end not known)"),
        (None, None, "between the two images (no date stated)"),
    ],
)
def test_intervals_are_open_where_nothing_is_known(start, end, words):
    """No date is invented."""
    assert wording.interval(start, end) == words


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (None, "not known"),
        (0.0, "below 1 in 1,000,000"),
        (1e-9, "below 1 in 1,000,000"),
        (1e-3, "1 in 1,000"),
        (0.5, "50%"),
    ],
)
def test_chances_read_as_people_say_them(p, words):
    """Never certain, never zero."""
    assert wording.chance(p) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "not known"),
        (0, "0 %"),
        (0.0001, "under 0.1 %"),
        (0.9999, "over 99.9 %"),
        (1, "100 %"),
        (0.1234, "12.3 %"),
    ],
)
def test_shares_are_not_rounded_to_all_or_nothing(share, words):
    """99.99 % seen is not all."""
    assert wording.percent(share) == words


@pytest.mark.parametrize(
    ("m2", "px", "words"),
    [(25_000.0, 250, "2.5 ha"), (850.0, 9, "850 m²"), (None, 12, "12 px"), (None, None, "area not known")],
)
def test_areas_have_units(m2, px, words):
    """Pixels where there is no georeference."""
    assert wording.area(m2, px) == words


def test_blind_and_unchanged_share_no_words(tmp_path):
    """What is said of a blind run and of an unchanged one has no sentence in common."""
    sentences = []
    for name, case in (("blind", {"seen": False}), ("same", {"events": 0})):
        findings = make_case(tmp_path / name, **case).findings
        sentences.append(set(wording.what_changed(findings, []) + wording.how_sure(findings, [])))
    blind, same = sentences
    assert not blind & same
    assert not any("no change" in sentence.lower() for sentence in blind)


def test_events_beside_the_site_are_not_counted_as_its_own(tmp_path):
    """What happens in the surroundings is told apart, and numbered after the site's own."""
    findings = make_case(tmp_path, events=3).findings
    events = numbered(findings.events, most=2)
    assert [item.number for item in events] == [1, 2, None]
    assert events[-1].event.zone == "surroundings"
    said = wording.what_changed(findings, events)
    assert said[0].startswith("2 changes found")
    assert "1 more change flagged" in said[-1]


def test_credits_follow_the_sensor_and_the_simulated_have_none(tmp_path):
    """The line that the licence asks for, with the year; nobody is credited for what was made up."""
    real = make_case(tmp_path / "a").findings.scenes[0]
    made_up = make_case(tmp_path / "b", simulated=True).findings.scenes[0]
    assert wording.credit(real) == "Contains modified Copernicus Sentinel data 2017"
    assert "no satellite" in wording.credit(made_up)
