"""Text from outside: nothing that XML refuses, nothing that lies about its order."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from geo.files.text import clean, cleaned


@given(st.text(alphabet=st.characters()))
def test_whatever_is_cleaned_survives_xml(text):
    """Every cleaned text can be written as XML and read back; cleaning twice changes nothing."""
    safe = clean(text, 10**6)
    element = ET.Element("a", b=safe)
    assert ET.fromstring(ET.tostring(element, encoding="utf-8")).get("b") == safe
    assert clean(safe, 10**6) == safe
    assert safe.encode("utf-8").decode("utf-8") == safe


def test_long_text_is_cut_with_a_sign():
    """A million characters do not fill a report."""
    assert clean("x" * 3000) == "x" * 1999 + "…"


def test_all_levels_are_cleaned():
    """Keys, lists and tuples too."""
    assert cleaned({"a\x00": ("b\u202e", [1, None, {"c": "\ud800d"}])}) == {"a": ["b", [1, None, {"c": "d"}]]}
