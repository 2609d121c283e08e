"""JSON Schema of the matrix file, so that editors complete and check it.

``python -m harness.matrix.schema`` prints it; ``docs/reference/matrix.schema.json`` is that output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from harness.matrix.fields import OPEN_TABLES, PIN, TABLES, Field

_SCALAR = {"type": ["string", "number"]}


def schema() -> dict[str, Any]:
    """Return the schema, of draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Matrix of r-python-harness",
        "description": "Cells to run: combinations of R, bridge, Python, framework and CUDA.",
        **_of_table("matrix"),
        "anyOf": [{"required": ["axes"]}, {"required": ["include"]}],
    }


def _of_table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = {
        "type": "object",
        "properties": {
            key: _of_field(field, pattern=name != "exclude") for key, field in TABLES[name].items()
        },
    }
    if name in OPEN_TABLES:
        table["additionalProperties"] = _of_field(PIN, pattern=False)
    else:
        table["additionalProperties"] = False
    return table


def _of_field(field: Field, *, pattern: bool) -> dict[str, Any]:
    described = {"description": f"{field.doc} Example: {field.example}"}
    bounds = {"minimum": field.minimum, "maximum": field.maximum}
    range_ = {name: bound for name, bound in bounds.items() if bound is not None}
    if field.kind == "axis":
        one: dict[str, Any] = dict(_SCALAR)
        if pattern and field.pattern:
            text = {"type": "string", "pattern": f"^({field.pattern})$"}
            one = {"anyOf": [text, {"type": "number"}]}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], **described}
    if field.kind == "mapping":
        return {**_of_table(field.fields or ""), **described}
    if field.kind == "list":
        return {"type": "array", "items": _of_table(field.fields or ""), **described}
    if field.kind == "texts":
        return {"type": "array", "items": {"type": "string"}, "minItems": 1, **described}
    if field.kind == "text":
        choices = {"enum": list(field.choices)} if field.choices else {}
        return {"type": "string", **choices, **described}
    if field.kind == "flag":
        return {"type": "boolean", **described}
    return {"type": field.kind, **range_, **described}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
