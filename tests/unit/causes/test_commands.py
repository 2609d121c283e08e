"""Commands of remedies: on which path they are typed, and what pip calls what is imported."""

from __future__ import annotations

import pytest

from harness.causes import Evidence, diagnose
from harness.causes.commands import distribution_of, for_path, with_places

INSTALL = 'reticulate::py_install("numpy<2")'


@pytest.mark.parametrize("path", [{}, {"path": "reticulate"}])
def test_reticulate_is_told_in_its_own_words(path: dict[str, str]) -> None:
    assert for_path(INSTALL, path) == INSTALL


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (INSTALL, 'python -m pip install "numpy<2"'),
        (
            'reticulate::py_install(c("a", "b"), pip = TRUE, pip_options = "--upgrade")',
            'python -m pip install --upgrade "a" "b"',
        ),
        (
            'reticulate::py_install("tf-keras"); Sys.setenv(TF_USE_LEGACY_KERAS = "1")',
            'python -m pip install "tf-keras"; export TF_USE_LEGACY_KERAS=1',
        ),
        ("reticulate::py_config()", None),
        ("env -u PYTHONHOME R", "env -u PYTHONHOME R"),
    ],
)
def test_another_path_has_no_use_for_reticulate(command: str, told: str | None) -> None:
    assert for_path(command, {"path": "system"}) == told


def test_the_python_is_named_where_it_is_known() -> None:
    facts = {"path": "rpc", "python.executable": "/my env/bin/python"}
    assert for_path(INSTALL, facts) == "'/my env/bin/python' -m pip install \"numpy<2\""


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("sklearn", "scikit-learn"),
        ("PIL", "pillow"),
        ("cv2", "opencv-python"),
        ("yaml.nodes", "PyYAML"),
        ("toml", "toml"),
    ],
)
def test_what_is_installed_for_what_is_imported(module: str, distribution: str) -> None:
    assert distribution_of(module) == distribution


def test_a_missing_module_is_installed_by_the_name_that_pip_knows() -> None:
    text = "ModuleNotFoundError: No module named 'sklearn'"
    remedies = diagnose(Evidence(text=text)).causes[0].remedies
    assert remedies[0].command == 'reticulate::py_install("scikit-learn")'


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        ({}, {"install", "environment-that-has-it", "which-python"}),
        ({"path": "reticulate"}, {"install", "environment-that-has-it", "which-python"}),
        ({"path": "system"}, {"install", "environment-first"}),
        ({"path": "rpc"}, {"install"}),
    ],
)
def test_remedies_are_those_of_the_path(facts: dict[str, str], offered: set[str]) -> None:
    text = "ModuleNotFoundError: No module named 'jax'"
    found = diagnose(Evidence(text=text, facts=facts)).causes[0]
    assert {remedy.id for remedy in found.remedies} == offered


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ('use_python("ENV/bin/python")', 'use_python(".venv/bin/python")'),
        ("PYTHON/bin/python3 CELL/run.py", "/path/to/python/bin/python3 /path/to/folder/run.py"),
        ("$ENV/bin/python /my/ENV/bin/python", "$ENV/bin/python /my/ENV/bin/python"),
    ],
)
def test_the_short_names_of_a_record_are_no_folders(command: str, told: str) -> None:
    assert with_places(command) == told


PROBE_FAILED = "Error 1 occurred running ENV/bin/python (caused by ZeroDivisionError: division)"


def test_a_remedy_can_be_typed_whatever_the_record_says() -> None:
    (finding,) = diagnose(Evidence(text=PROBE_FAILED)).causes
    (command,) = [remedy.command for remedy in finding.remedies]
    assert command is not None
    assert command.startswith('system2(".venv/bin/python", shQuote(')
    assert finding.summary.startswith("ENV/bin/python could not run")


def test_a_python_that_dies_of_the_systems_libpython_is_told_apart() -> None:
    said = "Error 139 occurred running ENV/bin/python (caused by Segmentation fault)"
    old = {"path": "reticulate", "bridge.name": "reticulate", "bridge.version": "1.38.0"}
    (finding,) = diagnose(Evidence(text=said, facts={**old})).causes
    assert finding.id == "libpython-soname-swap-by-R"
    assert [one.id for one in finding.remedies] == ["newer-reticulate", "unset-in-r"]
    # From 1.41 on, reticulate puts the libraries of the Python itself first.
    (finding,) = diagnose(Evidence(text=said, facts={**old, "bridge.version": "1.41.0.1"})).causes
    assert finding.id == "reticulate-probe-hides-traceback"
