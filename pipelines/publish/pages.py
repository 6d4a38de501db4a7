"""What every page of ours is made with: templates that let no text from outside become markup, and their parts."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from geo.files.text import clean


def text_of(name: str) -> str:
    """A style sheet or script of ours."""
    return files("pipelines.publish").joinpath("templates", name).read_text(encoding="utf-8")


def csp_hash(text: str) -> str:
    """What a content security policy calls a style or script of exactly these characters."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def template(name: str) -> jinja2.Template:
    """A template in which every text from outside is cleaned and escaped."""
    return _templates().get_template(name)


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.publish"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # Every text of a template stands in a `trans` block (GNU gettext, `pybabel extract` finds them); English for now.
    made.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    # `finalize` does not see what is put into such a block.
    made.filters["clean"] = _finalize
    return made


def _finalize(value: Any) -> Any:
    # Markup is a kind of str, so the exact type tells our own parts from texts from outside.
    if type(value) is str:
        return value if value.startswith("data:image/webp;base64,") else clean(value)
    if not isinstance(value, str | int | float | jinja2.Undefined):
        # A table's row named like a method of dict would print the method, and with it an address in memory.
        raise TypeError(f"a page cannot show a {type(value).__name__}")
    return value
