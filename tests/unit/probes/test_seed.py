from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import harness
from harness.model.status import Phase, Status
from harness.probes.seed import EXAMPLES, PROBE, TRAINS

from .conftest import axes, identity

SEED = Path(harness.__file__).parent / "kit/seed"
FINDING = {
    "line": 11,
    "source": "print(tf$__version__)",
    "argument": "__version__",
    "cause": "underscore-name-unquoted",
    "message": "unexpected input",
    "corrected_line": "print(tf$`__version__`)",
}
EXAMPLE = {
    "as_written": {"status": "fail", "line": 11, "message": "unexpected input"},
    "findings": [FINDING],
    "unexplained": None,
    "as_corrected": {"status": "pass", "output": "2.21.0"},
}
TRAINED = EXAMPLE | {
    "as_corrected": {
        "status": "pass",
        "losses": [1 / (epoch + 1) for epoch in range(10)],
        "accuracy": 1,
    }
}
FORMATS = {
    "json": {"must": False, "status": "fail", "message": "lexical error"},
    "pickle": {"must": True, "status": "pass", "exact": True},
    "arrow": {"must": False, "unsupported": "R has no package arrow here"},
}


def details() -> dict[str, Any]:
    return copy.deepcopy({"examples": {"tensorflow-version": EXAMPLE, "keras-model": TRAINED}})


def system() -> dict[str, Any]:
    return copy.deepcopy({"examples": {"system-call": EXAMPLE}, "formats": FORMATS})


SYSTEM = axes(path="system", bridge=None)


def test_an_example_that_fails_as_written_is_no_failure(judge):
    record = judge(PROBE, details())
    assert (record.status, record.message) == (Status.PASS, None)
    assert judge(PROBE, system(), axes=SYSTEM).status is Status.PASS


def test_an_example_that_needs_no_correction(judge):
    given = details()
    given["examples"]["tensorflow-version"] |= {"as_written": {"status": "pass"}, "findings": []}
    assert judge(PROBE, given).status is Status.PASS


def test_an_example_that_the_cell_has_no_module_for(judge):
    given = details()
    given["examples"]["tensorflow-version"] = {"unsupported": "the cell has no tensorflow"}
    assert judge(PROBE, given).status is Status.PASS


def changed(name: str, **changes: Any) -> dict[str, Any]:
    given = details()
    given["examples"][name] |= changes
    return given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "what became of the example tensorflow-version"),
        ({"examples": {"keras-model": TRAINED}}, "what became of the example tensorflow-version"),
        (
            changed("keras-model", unexplained={"line": 19, "message": "out of memory"}),
            "fails in line 19, and no correction explains it: out of memory",
        ),
        (changed("keras-model", findings=[]), "ended fail as it is written, with 0 findings"),
        (changed("keras-model", as_written={"status": "pass"}), "ended pass as it is written"),
        (changed("keras-model", as_written=None), "ended in no way"),
        (changed("keras-model", findings=[FINDING | {"cause": ""}]), "lacks cause"),
        (changed("keras-model", findings=["line 3"]), "lacks line, source"),
        (
            changed("keras-model", as_corrected={"status": "fail", "message": "no"}),
            "fails even as corrected: no",
        ),
        (changed("keras-model", as_corrected=None), "the driver did not say"),
        (changed("keras-model", as_corrected={"status": "pass"}), "but its losses are None"),
        (
            changed("keras-model", as_corrected=TRAINED["as_corrected"] | {"losses": [1.0] * 10}),
            "does not fall",
        ),
        (
            changed("keras-model", as_corrected=TRAINED["as_corrected"] | {"losses": [2.0, 1.0]}),
            "trains 10 epochs, but its losses are [2.0, 1.0]",
        ),
        (
            changed("keras-model", as_corrected=TRAINED["as_corrected"] | {"accuracy": "NaN"}),
            "the accuracy of the example keras-model is 'NaN'",
        ),
    ],
)
def test_an_example_that_is_not_dealt_with(judge, given, message):
    record = judge(PROBE, given)
    assert (record.status, record.phase) == (Status.FAIL, Phase.TRAIN)
    assert message in record.message


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (None, "which formats came back"),
        ({}, "which formats came back"),
        ({"pickle": None}, "how pickle came back"),
        (
            {"pickle": {"must": True, "status": "fail", "message": "unpickling"}},
            "could not be read as pickle: unpickling",
        ),
        ({"pickle": {"must": True}}, "could not be read as pickle"),
    ],
)
def test_results_that_do_not_come_back(judge, formats, message):
    record = judge(PROBE, system() | {"formats": formats}, axes=SYSTEM)
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert message in record.message


def test_a_must_that_cannot_be_is_no_failure(judge):
    formats = {"pickle": {"must": True, "unsupported": "R has no package reticulate here"}}
    assert judge(PROBE, system() | {"formats": formats}, axes=SYSTEM).status is Status.PASS


def test_another_keras_than_the_cells(judge):
    seen = identity()
    seen["modules"]["jax"] = "0.4.38"
    assert judge(PROBE, details(), seen=seen).phase is Phase.IMPORT


def test_the_examples_are_those_of_the_kit():
    table = (SEED / "examples.R").read_text(encoding="utf-8")
    found = re.findall(r'id = "([\w-]+)", path = "(\w+)"', table)
    assert {(name, path) for path, names in EXAMPLES.items() for name in names} == {
        (name, path) for name, path in found
    }
    assert {f"{name}.R" for name, _ in found} == {
        file.name for file in (SEED / "examples").iterdir()
    }
    assert "trains = TRUE" in table[table.index(f'"{TRAINS}"') :]


def test_the_causes_have_names_of_the_catalogues_kind():
    data = (SEED / "corrections.R").read_text(encoding="utf-8")
    causes = re.findall(r'cause = "([^"]*)"', data)
    assert len(causes) == data.count("pattern = ")
    assert all(re.fullmatch(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)+", cause) for cause in causes)


def test_the_matrix_asks_for_the_probe():
    matrix = yaml.safe_load(Path(__file__).parents[3].joinpath("matrices/seed.yaml").read_text())
    assert matrix["probes"] == ["init", "seed"]
