"""What R passes: the call arrives, and its values are not what the call asks for."""

from __future__ import annotations

from dataclasses import replace

from harness.model.cell import Framework
from tests.live.causes.bench import Bench, Situation
from tests.live.causes.case import SCRIPT_FILE, Case, by_script, numpy

MODEL = """library(reticulate)
keras <- import("keras")
model <- keras$Sequential(list(keras$Input(shape = list(4L)), keras$layers$Dense(1L)))
model$compile(optimizer = "adam", loss = "mse")
x <- matrix(runif(40), 10)
y <- array(runif(10))
"""
KERAS = 'library(reticulate)\nkeras <- import("keras")\n'
TORCH = 'library(reticulate)\ntorch <- import("torch")\n'
TEXT = 'library(reticulate)\nnp <- import("numpy", convert = FALSE)\n'
NUMPY = 'library(reticulate)\nnp <- import("numpy")\n'


def keras(bench: Bench) -> Situation:
    environment = bench.environment("3.11", framework=Framework(name="keras", backends=("jax",)))
    return Situation(
        env={"RETICULATE_PYTHON": str(environment.executable), "KERAS_BACKEND": "jax"},
        binds=environment.binds,
    )


def torch(bench: Bench) -> Situation:
    environment = bench.environment("3.11", framework=Framework(name="torch"))
    return Situation(
        env={"RETICULATE_PYTHON": str(environment.executable)}, binds=environment.binds
    )


def silent(cause: str, remedy: str, made: str, applied: str) -> Case:
    """Return the case of a loss that raises no error; ``applied`` is R code that must hold."""
    return Case(
        cause=cause,
        made=made,
        make=numpy,
        remedy=remedy,
        mend=lambda _bench, situation: replace(
            situation,
            files={SCRIPT_FILE: f"library(reticulate)\n{applied}\n"},
            arguments=("Rscript", SCRIPT_FILE),
        ),
        note=True,
    )


CASES = (
    by_script(
        "double-not-integer",
        "model$fit(epochs = 2)",
        MODEL + "model$fit(x, y, epochs = 2, verbose = 0L)\n",
        base=keras,
        remedy="write-L",
        place=(7, "epochs", "epochs = 2L"),
    ),
    by_script(
        "double-not-integer",
        "Dense(units = 128)",
        KERAS + "keras$layers$Dense(units = 128)\n",
        base=keras,
        remedy="write-L",
        place=(3, "units", "units = 128L"),
    ),
    by_script(
        "double-not-integer",
        "np$zeros(3)",
        NUMPY + "np$zeros(3)\n",
        remedy="write-L",
        place=(3, "3", "3L"),
        quick=True,
    ),
    by_script(
        "input-shape-scalar-collapse",
        "input_shape = c(784L)",
        KERAS + "model <- keras$Sequential(list(\n"
        "  keras$layers$Dense(units = 128L, input_shape = c(784L))\n))\n",
        base=keras,
        remedy="list-of-one",
        place=(4, "input_shape", "input_shape = list(784L)"),
    ),
    by_script(
        "single-string-not-list",
        'compile(metrics = c("mae"))',
        MODEL + 'model$compile(optimizer = "adam", loss = "mse", metrics = c("mae"))\n',
        base=keras,
        remedy="list-of-one",
        place=(7, "metrics", 'metrics = list("mae")'),
    ),
    by_script(
        "y-vector-becomes-list",
        "fit() with a plain vector of labels",
        MODEL + "labels <- runif(10)\nmodel$fit(x, labels, epochs = 2L, verbose = 0L)\n",
        base=keras,
        remedy="as-array",
        place=(8, "labels", "as.array(labels)"),
    ),
    by_script(
        "row-drop",
        "predict(x[1, ])",
        MODEL + "print(model$predict(x[1, ], verbose = 0L))\n",
        base=keras,
        remedy="drop-false",
        place=(7, "x[1, ]", "x[1, , drop = FALSE]"),
    ),
    by_script(
        "keras3-removed-args",
        "Adam(lr = 0.01)",
        MODEL + "optimizer <- keras$optimizers$Adam(lr = 0.01)\n",
        base=keras,
        remedy="new-name",
        place=(7, "lr", "learning_rate = 0.01"),
    ),
    by_script(
        "jax-seed-double",
        "jax$random$PRNGKey(0)",
        'library(reticulate)\njax <- import("jax")\nkey <- jax$random$PRNGKey(0)\n',
        base=keras,
        remedy="write-L",
        place=(3, "0", "0L"),
    ),
    by_script(
        "underscore-name-unquoted",
        "np$__version__",
        NUMPY + "print(np$__version__)\n",
        remedy="backticks",
        place=(3, "__version__", "$`__version__`"),
        quick=True,
    ),
    by_script(
        "windows-path-backslash",
        "a path as Windows Explorer copies it",
        'library(reticulate)\npath <- "C:\\Users\\me\\data.csv"\nos <- import("os")\n',
        remedy="slashes",
        place=(2, '"C:\\Users\\me\\data.csv"', '"C:/Users/me/data.csv"'),
        quick=True,
    ),
    by_script(
        "generic-not-method",
        "summary(model)",
        MODEL + "summary(model)\n",
        base=keras,
        remedy="method",
        place=(7, "model", "model$summary()"),
    ),
    by_script(
        "torch-size-double",
        "torch$nn$Linear(784, 10)",
        TORCH + "torch$nn$Linear(784, 10)\n",
        base=torch,
        remedy="write-L",
        mended=TORCH + "torch$nn$Linear(784L, 10L)\n",
    ),
    by_script(
        "float64-vs-float32",
        "a matrix of R's goes into a layer of PyTorch",
        TORCH + "layer <- torch$nn$Linear(2L, 1L)\n"
        "x <- torch$as_tensor(r_to_py(matrix(c(1, 2, 3, 4), 2)))\nlayer(x)\n",
        base=torch,
        remedy="torch-float",
        mended=TORCH + "layer <- torch$nn$Linear(2L, 1L)\n"
        "x <- torch$as_tensor(r_to_py(matrix(c(1, 2, 3, 4), 2)))$float()\nlayer(x)\n",
    ),
    by_script(
        "labels-from-one",
        "classes 1 to 3 where 0 to 2 are asked",
        TORCH + "labels <- torch$tensor(list(1L, 2L, 3L))\n"
        "torch$nn$functional$cross_entropy(torch$zeros(3L, 3L), labels)\n",
        base=torch,
        remedy="minus-one",
        mended=TORCH + "labels <- torch$tensor(list(1L, 2L, 3L)) - 1L\n"
        "torch$nn$functional$cross_entropy(torch$zeros(3L, 3L), labels)\n",
    ),
    by_script(
        "input-shape-mismatch",
        "three columns where four were declared",
        MODEL + "model$predict(matrix(runif(30), 10), verbose = 0L)\n",
        base=keras,
        remedy="look-at-shapes",
        mended=MODEL + "model$predict(matrix(runif(40), 10), verbose = 0L)\n",
    ),
    by_script(
        "torch-not-compiled-with-cuda",
        "torch$zeros(2L)$cuda() of a build for the CPU",
        TORCH + "torch$zeros(2L)$cuda()\n",
        base=torch,
        remedy="ask-first",
        mended=TORCH
        + "x <- torch$zeros(2L)\nif (torch$cuda$is_available()) x$cuda() else x$cpu()\n",
    ),
    by_script(
        "list-vs-tuple-vs-dict",
        "an unnamed list where a dict is asked",
        "library(reticulate)\nlogging <- import('logging.config')\n"
        "collections <- import('collections')\n"
        "py_run_string('def first(options): return options.get(\"a\")')\n"
        "py$first(list(1L, 2L))\n",
        remedy="say-which",
        mended="library(reticulate)\n"
        "py_run_string('def first(options): return options.get(\"a\")')\n"
        "py$first(dict(a = 1L))\n",
        quick=True,
    ),
    by_script(
        "dataframe-without-pandas",
        "a data.frame goes to Python without pandas",
        "library(reticulate)\n"
        "py_run_string('def names_of(table): return list(table.columns)')\n"
        "py$names_of(iris)\n",
        remedy="matrix",
        mended="library(reticulate)\n"
        "py_run_string('def names_of(table): return table.shape[1]')\n"
        "py$names_of(as.matrix(iris[1:4]))\n",
    ),
    by_script(
        "non-numeric-data",
        "a matrix of text where numbers are asked",
        TEXT + 'x <- as.matrix(data.frame(a = c("1.5", "x"), b = c("2", "3")))\n'
        'np$asarray(x)$astype("float64")\n',
        remedy="make-numbers",
        mended=TEXT + 'x <- model.matrix(~ a + b - 1, data.frame(a = c("1.5", "x"), b = 2:3))\n'
        'np$asarray(x)$astype("float64")\n',
    ),
    silent(
        "na-becomes-value",
        "doubles",
        "r_to_py(NA), r_to_py(NA_integer_) and r_to_py(NA_character_)",
        "py_run_string('def is_nan(x): return x != x')\n"
        "stopifnot(identical(py$is_nan(r_to_py(as.numeric(NA_integer_))), TRUE))",
    ),
    silent(
        "int64-wraps",
        "as-float",
        "2147483653 of Python arrives in R",
        "stopifnot(identical(py_eval('float(2**31 + 5)'), 2147483653))",
    ),
)
