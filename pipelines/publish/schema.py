"""The JSON schema of findings.json, shipped as `findings.schema.json` beside this file.

After a change of `pipelines.assess.findings`: `python -m pipelines.publish.schema`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from pipelines.assess.findings import SCHEMA, Findings

NAME = "findings.schema.json"


def schema_text() -> str:
    """The schema as the model gives it."""
    schema = Findings.model_json_schema(by_alias=True, mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA}
    return json.dumps({**head, **schema}, indent=1, ensure_ascii=False) + "\n"


def shipped_schema() -> str:
    """The schema as shipped."""
    return files("pipelines.publish").joinpath(NAME).read_text(encoding="utf-8")


if __name__ == "__main__":
    (Path(__file__).parent / NAME).write_text(schema_text(), encoding="utf-8")
