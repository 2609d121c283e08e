"""The document for other programs, and its schema."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema

from harness.model.status import Status
from harness.report import compat
from harness.report.base import Options


def test_the_checked_in_schema_is_the_generated_one():
    assert compat.FILE.read_text(encoding="utf-8") == compat.text(), (
        "python -m harness.report.compat > harness/report/compat.schema.json"
    )


def test_the_module_prints_it():
    done = subprocess.run(
        [sys.executable, "-m", "harness.report.compat"], capture_output=True, check=True
    )
    assert done.stdout.decode() == compat.text()


def test_it_is_a_json_schema_and_every_key_is_described():
    jsonschema.Draft202012Validator.check_schema(compat.schema())
    for name, definition in compat.schema()["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"


def test_what_is_written_fits_it(smoke):
    written = json.loads(compat.REPORT.render(smoke, options=Options(site="https://e.org/t/")))
    jsonschema.validate(written, compat.schema())
    assert written["schema"] == compat.SCHEMA
    assert len(written["combinations"]) == len(smoke.cells)
    assert sum(written["counts"].values()) == len(smoke.cells)


def test_a_combination_has_status_cause_time_and_link(smoke):
    written = json.loads(compat.REPORT.render(smoke))["combinations"]
    cell = "reticulate-1.28__r4.2.2__py3.12__jax0.9.2__cpu"
    (found,) = [one for one in written if one["id"] == cell]
    assert found["status"] == "fail"
    assert found["cause"] == "reticulate-imp"
    assert found["when"] == "2026-11-30T10:02:11+00:00"
    assert found["link"] == f"cell.html#cell={cell}"
    assert (found["bridge"], found["r"], found["python"]) == ("1.28", "4.2.2", "3.12")


def test_versions_are_those_read_back(smoke, make_cell, make_document):
    from harness.model.cell import Axes

    identity = {
        "python": {"version": "3.12.1"},
        "r": {"version": "4.5.0"},
        "bridge": {"name": "reticulate", "version": "1.41.0.1"},
        "modules": {"numpy": "2.4.6", "broken": None},
    }
    record = make_cell(Axes(path="native", python="3.12"), identity=identity)
    (found,) = json.loads(compat.REPORT.render(make_document([record])))["combinations"]
    assert found["versions"] == {
        "r": "4.5.0",
        "bridge": "1.41.0.1",
        "python": "3.12.1",
        "packages": {"numpy": "2.4.6"},
    }
    assert found["message"] is None


def test_an_identity_of_another_shape_is_passed_over(make_cell, make_document):
    from harness.model.cell import Axes

    record = make_cell(
        Axes(path="native", python="3.12"),
        status=Status.CRASH,
        identity={"python": "3.12", "modules": []},
    )
    (found,) = json.loads(compat.REPORT.render(make_document([record])))["combinations"]
    assert found["versions"]["python"] is None
    assert found["message"]
