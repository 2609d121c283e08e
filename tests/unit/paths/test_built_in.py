from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from harness.errors import Unavailable
from harness.model.cell import Axes, Framework
from harness.model.environment import (
    Interpreter,
    Lock,
    Provisioned,
    PythonEnvironment,
    RToolchain,
)
from harness.paths.base import IntegrationPath
from harness.paths.native import PATH as NATIVE
from harness.paths.reticulate import PATH as RETICULATE
from harness.paths.system import PATH as SYSTEM

PATHS: list[IntegrationPath] = [NATIVE, RETICULATE, SYSTEM]
FILES = Path("/cell/files")


def provisioned(r: RToolchain | None) -> Provisioned:
    interpreter = Interpreter(
        executable=Path("/py/bin/python3"), version="3.11.7", prefix=Path("/py"), libpython=None
    )
    environment = PythonEnvironment(
        executable=Path("/env/bin/python"),
        interpreter=interpreter,
        lock=Lock(text="", digest=""),
        binds=(),
    )
    return Provisioned(python=environment, r=r)


R = RToolchain(
    version="4.5.0",
    rscript=Path("/opt/R/bin/Rscript"),
    root=None,
    packages={},
    source="machine",
    digest="",
)


def axes(path: IntegrationPath, framework: str = "torch") -> Axes:
    return Axes(path=path.name, r="4.5.0", python="3.11", framework=Framework(name=framework))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_path_is_registered_under_its_name(path):
    (entry,) = entry_points(group="harness.paths", name=path.name)
    assert entry.load() is path


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_path_says_how_it_starts(path):
    launch = path.launch(axes(path), provisioned(R), FILES)
    program, *_, script = launch.argv
    assert program == ("/opt/R/bin/Rscript" if path.uses_r else "/env/bin/python")
    assert Path(script).parent == FILES
    assert (path.files / Path(script).name).is_file()


@pytest.mark.parametrize("path", [RETICULATE, SYSTEM], ids=lambda path: path.name)
def test_a_path_of_r_without_r(path):
    with pytest.raises(Unavailable, match="needs an R"):
        path.launch(axes(path), provisioned(None), FILES)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_probe_that_a_path_cannot_do(path):
    assert path.why_not("init", axes(path)) is None
    assert path.why_not("train", axes(path)) is None
    assert "teleport" in (path.why_not("teleport", axes(path)) or "")


def test_a_framework_that_nobody_has_written_r_code_for():
    reason = RETICULATE.why_not("train", axes(RETICULATE, "chainer"))
    assert reason == "the path reticulate has no R code that drives chainer"
