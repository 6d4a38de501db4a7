"""Text from outside, made safe to store: no control characters, nothing that XML refuses or that reorders a line."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

# XML 1.0 refuses most control characters, lone surrogates and U+FFFE/F; bidirectional overrides can make a name read
# as another one.
_BAD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u200e\u200f\u202a-\u202e"
    "\u2066-\u2069]"
)
LONGEST = 2000


def clean(text: object, longest: int = LONGEST) -> str:
    r"""Return text without what no output may carry, in NFC, cut at `longest` characters.

    >>> clean("wall\x00 \u202egnp.exe")
    'wall gnp.exe'
    """
    # Surrogates go before normalising and cutting, so that neither can make new ones.
    safe = unicodedata.normalize("NFC", _BAD.sub("", str(text)))
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def cleaned(value: Any) -> Any:
    r"""Return JSON-like data with every string in it, keys too, made clean.

    >>> cleaned({"a": ["b\x01", 1, None]})
    {'a': ['b', 1, None]}
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value
