"""The templates are ready for translation: every text of theirs can be replaced, and what is put in stays escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from publish_cases import NOW, make_case

from pipelines.publish import PublishSettings, pages, publish

TEMPLATES = ("report.html.j2", "index.html.j2")


@pytest.fixture
def pseudo() -> Iterator[None]:
    """A language in which every word is backwards and every message stands in brackets."""

    def backwards(message: str) -> str:
        parts = re.split(r"(%\(\w+\)s|%%|<[^>]*>)", message)
        return "⟦" + "".join(p if p.startswith(("%", "<")) else p[::-1] for p in parts) + "⟧"

    pages._templates.cache_clear()
    pages._templates().install_gettext_callables(  # type: ignore[attr-defined]
        backwards, lambda one, many, n: backwards(one if n == 1 else many), newstyle=True
    )
    yield
    pages._templates.cache_clear()


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_text_of_a_template_stands_outside_of_a_message(name: str) -> None:
    source = files("pipelines.publish").joinpath("templates", name).read_text(encoding="utf-8")
    for part in (
        r"\{% trans.*?endtrans \+?%\}", r"\{#.*?#\}", r"\{%.*?%\}", r"\{\{.*?\}\}", r"<code>.*?</code>", r"&\w+;",
    ):  # fmt: skip
        source = re.sub(part, " ", source, flags=re.S)
    attributes = re.findall(r'(?:alt|aria-label|title)="([^"]*)"', source)
    texts = [*re.sub(r"<[^>]*>", "\n", source).split(), *" ".join(attributes).split()]
    words = {word for text in texts for word in re.findall(r"[A-Za-z]{2,}", text)}
    assert words == set()


def test_a_translation_reaches_the_page_and_escapes_what_it_holds(
    pseudo: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pseudo") / "run"
    folder.mkdir()
    case = make_case(folder / ".work", text="<script>alert(1)</script>\x00{{ 7*7 }}")
    publish(case.findings, case.pair, case.change_map, folder=folder, settings=PublishSettings(figure_dpi=72), now=NOW)
    page = (folder / "report.html").read_text(encoding="utf-8")
    for message in ("Before and after", "Limits", "Change map"):
        assert f"⟦{message[::-1]}⟧" in page
        assert f">{message}<" not in page
    assert page.count("<script>") == 1
    assert "\x00" not in page
    assert "{{ 7*7 }}" in page
