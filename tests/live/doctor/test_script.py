"""Users' scripts: those that work, those whose errors are their own, and one that is mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import harness
from tests.live.causes.bench import Answer, Bench
from tests.live.causes.values import MODEL, keras

# Each starts a framework under observation: minutes in all.
pytestmark = [pytest.mark.live, pytest.mark.long]

SEED = Path(harness.__file__).parent / "kit" / "seed" / "examples"


def of_script(bench: Bench, text: str, *arguments: str) -> Answer:
    situation = keras(bench)
    return bench.doctor(
        replace(situation, files={"script.R": text}, arguments=("--script", "script.R", *arguments))
    )


def test_a_script_that_works_is_let_be(bench: Bench) -> None:
    answer = of_script(bench, MODEL + "model$fit(x, y, epochs = 2L, verbose = 0L)\n")
    assert answer.code == 0, answer.report
    assert answer.report["place"] is None


def test_a_script_that_ends_r_itself_is_let_be(bench: Bench) -> None:
    answer = of_script(bench, 'library(reticulate)\nprint("done")\nquit(save = "no")\n')
    assert answer.code == 0, answer.report
    assert {layer["state"] for layer in answer.report["layers"]} == {"ok"}


def test_an_error_of_the_users_own_gets_no_cause(bench: Bench) -> None:
    answer = of_script(bench, 'f <- function(x) {\n  stop("no data today")\n}\nf(1)\n')
    assert answer.code == 1
    assert answer.report["causes"] == []
    assert answer.report["place"]["line"] == 4
    assert "no data today" in answer.report["summary"]


def test_the_documented_example_is_mended_line_by_line(bench: Bench) -> None:
    python = keras(bench).env["RETICULATE_PYTHON"]
    example = (SEED / "keras-model.R").read_text().replace("/path/to/your/python", python)
    data = "x_train <- matrix(runif(64 * 784), 64)\ny_train <- diag(10)[rep(1:10, 7)[1:64], ]\n"
    answer = of_script(bench, data + example, "--fix")
    notes = "\n".join(note["text"] for note in answer.report["notes"])
    assert answer.report["place"]["instead"] == "units = 128L"
    assert True in answer.remedies.values()
    for instead in ("input_shape = list(784L)", 'list("accuracy")', "epochs = 10L", "$summary()"):
        assert instead in notes
    assert "runs to its end" in notes
