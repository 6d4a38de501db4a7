"""The report: plain words, nothing from outside becomes markup, and a real browser agrees."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from chromium import Chromium, find_chromium
from payloads import GROUPS
from publish_cases import NOW, make_case

from pipelines.publish import PublishSettings, publish

HOSTILE = "\x00\x08\x1b[31m\u202egnp " + " ".join(GROUPS[:3])  # as much as one field may hold
needs_chromium = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on this machine (apt install chromium)"
)


class _Outline(HTMLParser):
    """Every tag and attribute of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def _publish(folder: Path, **case) -> tuple[Path, _Outline]:
    folder.mkdir(parents=True)
    made = make_case(folder / ".work", **case)
    settings = PublishSettings(figure_dpi=72)
    publish(made.findings, made.pair, made.change_map, folder=folder, settings=settings, now=NOW)
    outline = _Outline()
    outline.feed((folder / "report.html").read_text(encoding="utf-8"))
    return folder / "report.html", outline


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return _publish(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return _publish(tmp_path_factory.mktemp("hostile") / "run", text=HOSTILE)


def test_it_refers_to_nothing_outside(plain):
    """Every address is inlined data, an anchor, or a file beside the report."""
    path, outline = plain
    for tag, attributes in outline.tags:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href"):
            value = attributes.get(name)
            assert value is None or re.match(r"data:image/webp;base64,|#\w+$|[a-z_/]+\.\w+$", value), (tag, value[:80])
    assert path.stat().st_size < 5_000_000
    assert (outline.tags[0], outline.tags[1][0]) == (("html", {"lang": "en"}), "head")


def test_the_policy_names_the_only_script_and_style(plain):
    """The hashes in the policy are those of what stands between the tags; no style or handler sits on an element."""
    path, outline = plain
    text = path.read_text(encoding="utf-8")
    policy = next(a["content"] for t, a in outline.tags if a.get("http-equiv") == "Content-Security-Policy")
    for tag in ("style", "script"):
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        assert len(bodies) == 1
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [a for _, a in outline.tags for name in a if name == "style" or name.startswith("on")]


def test_the_first_screen_answers_four_questions(plain):
    """What, since when, how sure, what was not seen: in words, before any picture."""
    text = plain[1].text
    head = text[: text.index("Before and after")]
    for words in ("What changed?", "2 changes found: 1 probable, 1 possible.", "Since when?",
                  "Between 4 December 2017 and 3 January 2019 (395 days).", "How sure is it?", "1 in 1,000,000",
                  "What could not be seen?", "4.63 % of the site was not seen",
                  "The wall itself is not observable"):  # fmt: skip
        assert words in head


def test_tables_and_pictures_can_be_listened_to(plain):
    """Headers have scopes, tables captions, pictures words, the slider a label."""
    tags = plain[1].tags
    assert all(a.get("scope") in ("col", "row") for t, a in tags if t == "th")
    assert sum(t == "table" for t, _ in tags) == sum(t == "caption" for t, _ in tags) > 4
    assert all(a.get("alt") for t, a in tags if t == "img")
    assert {"for": "divider", "class": "control"} in [a for t, a in tags if t == "label"]
    levels = [int(t[1]) for t, _ in tags if re.fullmatch(r"h\d", t)]
    assert levels[0] == 1
    assert levels.count(1) == 1


def test_scenes_used_and_refused_are_told_with_reason_and_hash(plain):
    """Custody: what was used, what was not, and why."""
    text = plain[1].text
    assert "ab" * 32 in text
    assert "refused: cloud: Kaev Phos centre" in text
    assert "sha256sum -c SHA256SUMS" in text


@pytest.mark.parametrize(
    ("case", "said", "unsaid"),
    [
        ({"events": 0}, ["No change was found on the ground that was seen on both dates.", "about 400 m² (4 pixels)"],
         ["Nothing can be said", "not sufficiently seen"]),
        ({"seen": False}, ["Nothing can be said", "not evidence that nothing changed", "100 %"],
         ["No change was found", "no change seen on"]),
        ({"dated": False}, ["date not stated", "the order in which they were given"], ["395 days"]),
        ({"system": "none"}, ["no georeference", "pixel column", "900 px"], ["lat, lon", " ha "]),
        ({"simulated": True}, ["SIMULATED. No satellite saw any of this"], ["Contains modified Copernicus"]),
    ],
)  # fmt: skip
def test_no_change_and_not_observed_never_share_a_sentence(tmp_path, case, said, unsaid):
    """Each state has its own words, and none of the other's."""
    text = " ".join(
        _publish(tmp_path / "run", site="seen" not in case and "events" not in case, **case)[1].text.split()
    )
    for words in said:
        assert words in text
    for words in unsaid:
        assert words not in text


def test_payloads_stay_text(hostile):
    """No element, attribute or template expression comes out of any text field."""
    path, outline = hostile
    allowed = {"html", "head", "meta", "title", "style", "body", "a", "header", "h1", "p", "code", "main", "b", "div",
               "section", "h2", "h3", "input", "label", "img", "svg", "path", "text", "line", "rect", "span", "figure",
               "figcaption", "ul", "ol", "li", "table", "caption", "thead", "tbody", "tr", "th", "td", "br", "dl", "dt",
               "dd", "script"}  # fmt: skip
    assert {tag for tag, _ in outline.tags} <= allowed
    assert sum(tag == "script" for tag, _ in outline.tags) == 1
    assert "{{ 7*7 }}" in outline.text
    assert "\x00" not in path.read_text(encoding="utf-8")


def test_two_hundred_changes_stay_small(tmp_path):
    """Many findings are listed, numbered up to a limit, and the page stays light."""
    path, outline = _publish(tmp_path / "run", events=200, shape=(400, 500))
    rows = sum(a.get("scope") == "row" for t, a in outline.tags if t == "th")
    assert rows > 200
    assert path.stat().st_size < 5_000_000


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_a_browser_runs_nothing_and_asks_for_nothing(request, tmp_path, which):
    """No dialog, request, error or policy violation; every picture shows; the slider moves by keyboard."""
    browser = Chromium(tmp_path / "profile")
    try:
        browser.open(request.getfixturevalue(which)[0])
        assert browser.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)") is True
        browser.evaluate("document.getElementById('divider').focus()")
        before = browser.screenshot()
        for _ in range(20):
            browser.press("ArrowRight", 39)
        assert browser.evaluate("document.getElementById('divider').value") == "70"
        clip = browser.evaluate("getComputedStyle(document.querySelector('.a .frame')).clipPath")
        assert clip == "inset(0px 0px 0px 70%)"
        assert browser.screenshot() != before
        assert browser.pdf().startswith(b"%PDF")
        assert browser.complaints() == []
    finally:
        browser.close()


@needs_chromium
@pytest.mark.slow
def test_the_browser_test_would_notice(tmp_path):
    """A page that logs, asks and breaks the policy is complained about: the test above can fail."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><html lang=en><meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
        "<img src='http://127.0.0.1:9/x.png'><script>alert(1)</script>",
        encoding="utf-8",
    )
    browser = Chromium(tmp_path / "profile")
    try:
        browser.open(page)
        assert browser.complaints() != []
    finally:
        browser.close()
