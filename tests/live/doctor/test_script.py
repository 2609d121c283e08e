"""Users' scripts that fail for real: the line, the argument, and what to write instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import harness
from tests.live.doctor.bench import Answer, Bench
from tests.live.doctor.test_healthy import keras

# Each starts a framework under observation: minutes in all.
pytestmark = [pytest.mark.live, pytest.mark.long]

SEED = Path(harness.__file__).parent / "kit" / "seed" / "examples"
MODEL = """library(reticulate)
keras <- import("keras")
model <- keras$Sequential(list(keras$Input(shape = list(4L)), keras$layers$Dense(1L)))
model$compile(optimizer = "adam", loss = "mse")
x <- matrix(runif(40), 10)
y <- array(runif(10))
"""


def of_script(bench: Bench, text: str, *arguments: str) -> Answer:
    situation = keras(bench)
    return bench.doctor(
        replace(situation, files={"script.R": text}, arguments=("--script", "script.R", *arguments))
    )


FAILING = {
    "double": (
        MODEL + "model$fit(x, y, epochs = 2, verbose = 0L)\n",
        *("double-not-integer", 7, "epochs", "epochs = 2L"),
    ),
    "units": (
        'library(reticulate)\nkeras <- import("keras")\nkeras$layers$Dense(units = 128)\n',
        *("double-not-integer", 3, "units", "units = 128L"),
    ),
    "scalar": (
        (
            'library(reticulate)\nkeras <- import("keras")\nmodel <- keras$Sequential(list(\n'
            "  keras$layers$Dense(units = 128L, input_shape = c(784L))\n))\n"
        ),
        *("input-shape-scalar-collapse", 4, "input_shape", "input_shape = list(784L)"),
    ),
    "string": (
        MODEL + 'model$compile(optimizer = "adam", loss = "mse", metrics = c("mae"))\n',
        *("single-string-not-list", 7, "metrics", 'metrics = list("mae")'),
    ),
    "vector": (
        MODEL + "labels <- runif(10)\nmodel$fit(x, labels, epochs = 2L, verbose = 0L)\n",
        *("y-vector-becomes-list", 8, "labels", "as.array(labels)"),
    ),
    "row": (
        MODEL + "print(model$predict(x[1, ], verbose = 0L))\n",
        *("row-drop", 7, "x[1, ]", "x[1, , drop = FALSE]"),
    ),
    "removed": (
        MODEL + "optimizer <- keras$optimizers$Adam(lr = 0.01)\n",
        *("keras3-removed-args", 7, "lr", "learning_rate = 0.01"),
    ),
    "seed": (
        'library(reticulate)\njax <- import("jax")\nkey <- jax$random$PRNGKey(0)\n',
        *("jax-seed-double", 3, "0", "0L"),
    ),
    "underscore": (
        'library(reticulate)\nnp <- import("numpy")\nprint(np$__version__)\n',
        *("underscore-name-unquoted", 3, "__version__", "$`__version__`"),
    ),
    "generic": (
        MODEL + "summary(model)\n",
        *("generic-not-method", 7, "model", "model$summary()"),
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_names_line_and_argument(bench: Bench, name: str) -> None:
    text, cause, line, argument, instead = FAILING[name]
    answer = of_script(bench, text)
    assert answer.code == 1
    assert answer.cause == cause, answer.report
    place = answer.report["place"]
    assert (place["line"], place["argument"], place["instead"]) == (line, argument, instead)


def test_a_script_that_works_is_let_be(bench: Bench) -> None:
    answer = of_script(bench, MODEL + "model$fit(x, y, epochs = 2L, verbose = 0L)\n")
    assert answer.code == 0, answer.report
    assert answer.report["place"] is None


def test_an_error_of_the_users_own_gets_no_cause(bench: Bench) -> None:
    answer = of_script(bench, 'f <- function(x) {\n  stop("no data today")\n}\nf(1)\n')
    assert answer.code == 1
    assert answer.report["causes"] == []
    assert answer.report["place"]["line"] == 4
    assert "no data today" in answer.report["summary"]


def test_a_command_that_fails_without_a_word_is_found(bench: Bench) -> None:
    answer = of_script(bench, 'system("nosuchpython script.py")\nprint("on we go")\n')
    assert answer.code == 1
    assert answer.cause == "sys-python-not-on-path"
    assert answer.report["place"]["line"] == 1


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
