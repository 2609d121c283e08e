"""The kit keeps to what runs inside every cell."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from .conftest import KIT

PATHS = KIT.parent / "paths"
PYTHON = [*KIT.rglob("*.py"), *PATHS.glob("*/driver.py"), *PATHS.glob("*/worker.py")]
R = [*KIT.rglob("*.R"), *PATHS.glob("*/*.R")]
FRAMEWORKS = {"numpy", "torch", "jax", "tensorflow", "keras"}
BRIDGES = {"rpy2"}
DATA = {"pandas", "scipy"}


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_python_of_the_oldest_version(file: Path):
    tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 7))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.NamedExpr | ast.Match), node.lineno


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_standard_library_alone(file: Path):
    own = {other.stem for other in KIT.rglob("*.py")}
    allowed = set(sys.stdlib_module_names) | own | FRAMEWORKS | BRIDGES | DATA
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        assert {name.partition(".")[0] for name in names} <= allowed, names


@pytest.mark.parametrize("file", R, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_r_of_the_oldest_version(file: Path):
    code = re.sub(r"#.*", "", file.read_text(encoding="utf-8"))
    # The pipe and the short function came with R 4.1.
    assert "|>" not in code
    assert not re.search(r"\\\(\w*\)\s", code)


# The examples are an article's code, kept as it was printed.
OWN_R = [file for file in R if file.parent.name != "examples"]


@pytest.mark.parametrize("file", OWN_R, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_r_code_fits_the_page(file: Path):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert max(len(line) for line in lines) <= 100
    assert not any("\t" in line or line != line.rstrip() for line in lines)


def test_every_framework_can_be_driven_from_both_languages():
    python = {file.stem.removesuffix("_work") for file in (KIT / "frameworks").glob("*.py")}
    r = {file.stem for file in (PATHS / "reticulate").glob("*.R")}
    r -= {"driver", "upstream"}
    assert python == r == FRAMEWORKS - {"numpy"}


def test_the_sizes_are_the_same_in_both_languages():
    names = ("ROWS", "TRAIN_ROWS", "PIXELS", "CLASSES", "BATCH", "STEADY", "TEXT_LIMIT")
    names += ("MOST_CALLS", "MOST_ERRORS", "FEWEST_CALLS", "CALLBACKS")
    r = (KIT / "kit.R").read_text(encoding="utf-8")
    sizes = {name: int(re.search(rf"^{name} <- (\d+)L", r, re.MULTILINE)[1]) for name in names}
    space: dict[str, int] = {}
    python = (KIT / "harness_kit.py").read_text(encoding="utf-8")
    for line in re.findall(r"^[A-Z_, ]+ = [\d, .]+$", python, re.MULTILINE):
        exec(line, space)
    assert {name: space[name] for name in names} == sizes


def test_what_crosses_is_the_same_in_both_languages(kit):
    python = importlib.import_module("harness_transfer")
    r = (KIT / "transfer.R").read_text(encoding="utf-8")

    def constants(name: str) -> dict[str, float]:
        inside = re.search(rf"^{name} <- c\((.*)\)$", r, re.MULTILINE)[1]
        pairs = (part.split("=") for part in inside.split(","))
        return {key.strip(' "'): float(value) for key, value in pairs}

    assert constants("SIZES") == python.SIZES
    assert constants("LARGEST") == python.LARGEST
    assert constants("BYTES") == python.BYTES
    for name in ("STEADY_S", "LONGEST_S", "MOST", "TELLING", "SHOWING"):
        value = re.search(rf"^{name} <- ([\d.e]+)L?$", r, re.MULTILINE)[1]
        assert getattr(python, name) == float(value)
