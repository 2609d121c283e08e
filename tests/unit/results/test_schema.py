from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from harness.model.document import SCHEMA, encode
from harness.results import schema


def test_the_checked_in_schema_is_the_generated_one():
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), (
        "python -m harness.results.schema > harness/results/results.schema.json"
    )


def test_the_module_prints_it():
    done = subprocess.run(
        [sys.executable, "-m", "harness.results.schema"], capture_output=True, check=True
    )
    assert done.stdout.decode() == schema.text()


def test_it_is_a_json_schema():
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    assert schema.schema()["$id"].endswith(f":{SCHEMA}")


def test_it_accepts_what_is_written(make_document, make_record):
    written = json.loads(encode(make_document(make_record("a", "fail", message="no"))))
    jsonschema.validate(written, schema.schema())


@pytest.mark.parametrize("fault", [{"schema": "1"}, {"cells": [{}]}, {"machine": None}])
def test_it_refuses_what_cannot_be_read(make_document, fault):
    written = {**json.loads(encode(make_document())), **fault}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema.schema())


def test_every_key_is_described():
    for name, definition in schema.schema()["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
