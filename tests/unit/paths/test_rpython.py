"""The path rpython: what is built for a cell, how it starts, and what it says it cannot do."""

from __future__ import annotations

import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest

from harness.errors import BuildFailure, Unavailable
from harness.model.cell import SOURCE, Axes, Cell, cell_id
from harness.model.environment import (
    Interpreter,
    Lock,
    Provisioned,
    PythonEnvironment,
    RToolchain,
    SourcePackage,
)
from harness.model.status import Phase, Status
from harness.paths.base import BuildsForR, ChoosesBridge
from harness.paths.rpython import PATH
from harness.probes.identity import check_languages
from harness.workflow.keys import cell_key
from harness.workflow.planning import make_plan
from harness.workflow.preparing import _refusal

PUBLISHED, REMEDIES = "0.0-6", "0.0-6+remedies"


def axes(bridge: str | None = REMEDIES) -> Axes:
    return Axes(path="rpython", r="4.2.2", bridge=bridge, python="3.12")


@pytest.fixture
def python(tmp_path: Path) -> PythonEnvironment:
    folder = tmp_path / "py" / "bin"
    folder.mkdir(parents=True)
    executable = folder / "python3.12"
    executable.write_text("")
    config = folder / "python3.12-config"
    config.write_text('#!/bin/sh\necho "$@"\n')
    config.chmod(0o755)
    interpreter = Interpreter(
        executable=executable,
        version="3.12.1",
        prefix=tmp_path / "py",
        libpython=tmp_path / "py" / "lib" / "libpython3.12.so.1.0",
    )
    return PythonEnvironment(
        executable=Path("/env/bin/python"),
        interpreter=interpreter,
        lock=Lock(text="", digest=""),
        binds=(Path("/env"), tmp_path / "py"),
    )


def without(python: PythonEnvironment, **changes: object) -> PythonEnvironment:
    interpreter = msgspec.structs.replace(python.interpreter, **changes)
    return msgspec.structs.replace(python, interpreter=interpreter)


def test_it_is_registered_and_builds_what_no_r_brings():
    (entry,) = entry_points(group="harness.paths", name="rpython")
    assert entry.load() is PATH
    assert isinstance(PATH, BuildsForR)
    assert isinstance(PATH, ChoosesBridge)
    # Else every R would be asked for a package that Debian has not.
    assert PATH.bridge_package not in PATH.r_packages


def test_rjsonio_is_built_once_for_each_r_and_rpython_for_each_python(python):
    first, second = PATH.r_libraries(axes(), python)
    assert first.packages == (SourcePackage(name="RJSONIO"),)
    assert (first.env, first.binds, first.tools, first.stamp) == ({}, (), {}, "")
    assert second.packages == (SourcePackage(name="rPython", version="0.0-6"),)
    assert second.binds == python.binds
    assert second.stamp.startswith("3.12.1 ")


def test_as_published_it_finds_its_python_on_the_path_and_nothing_else(python):
    _, library = PATH.r_libraries(axes(PUBLISHED), python)
    assert library.env == {}
    assert set(library.tools) == {"python", "python-config"}


def test_the_remedies_are_a_wrapper_and_the_folder_of_libpython(python):
    _, library = PATH.r_libraries(axes(), python)
    assert library.env["PYTHONCONFIG"] in library.tools
    assert library.env["LD_LIBRARY_PATH"] == str(python.interpreter.libpython.parent)
    assert library.tools["python"].endswith(f'exec "{python.interpreter.executable}" "$@"\n')


@pytest.mark.parametrize(
    ("knows_embed", "answer"), [(True, "--embed --ldflags"), (False, "--ldflags")]
)
def test_the_wrapper_asks_for_embed_where_that_is_known(python, tmp_path, knows_embed, answer):
    config = python.interpreter.executable.parent / "python3.12-config"
    if not knows_embed:
        config.write_text('#!/bin/sh\n[ "$1" = --embed ] && exit 1\necho "$@"\n')
    _, library = PATH.r_libraries(axes(), python)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(library.tools[library.env["PYTHONCONFIG"]])
    ran = subprocess.run(["sh", wrapper, "--ldflags"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == answer


def test_a_python_that_cannot_be_embedded_or_built_against(python):
    static = without(python, libpython=None)
    with pytest.raises(Unavailable, match="no shared libpython"):
        PATH.r_libraries(axes(), static)
    (python.interpreter.executable.parent / "python3.12-config").unlink()
    with pytest.raises(Unavailable, match=r"has no python3\.12-config.*python3\.12-dev"):
        PATH.r_libraries(axes(PUBLISHED), python)


def test_a_source_tree_is_built_with_the_remedies(python):
    first, second = PATH.r_libraries(axes(SOURCE), python)
    assert first.packages == (SourcePackage(name="RJSONIO"),)
    assert second.packages == (SourcePackage(name="rPython", version=SOURCE),)
    assert second.env["PYTHONCONFIG"] in second.tools
    launch = PATH.launch(axes(SOURCE), Provisioned(python=python, r=R), Path("/files"))
    assert "RPYTHON_LIBPYTHON" in launch.env
    assert PATH.why_not("init", axes(SOURCE)) is None


R = RToolchain(
    version="4.2.2",
    rscript=Path("/usr/bin/Rscript"),
    root=Path("/root-folder"),
    packages={},
    source="debian:bookworm",
    digest="",
)


def test_the_cells_python_is_the_first_on_the_path(python):
    launch = PATH.launch(axes(), Provisioned(python=python, r=R), Path("/files"))
    assert launch.argv == ("/usr/bin/Rscript", "--no-init-file", "/files/driver.R")
    assert launch.env["PATH"].startswith("/env/bin:/usr/bin:")
    assert launch.env["RPYTHON_LIBPYTHON"] == str(python.interpreter.libpython)
    published = PATH.launch(axes(PUBLISHED), Provisioned(python=python, r=R), Path("/files"))
    assert "RPYTHON_LIBPYTHON" not in published.env
    with pytest.raises(Unavailable, match="needs an R"):
        PATH.launch(axes(), Provisioned(python=python, r=None), Path("/files"))


def test_what_it_cannot_do():
    assert [PATH.why_not(probe, axes()) for probe in ("init", "train", "call", "error")] == [
        None
    ] * 4
    assert "cannot call back" in (PATH.why_not("callback", axes()) or "")
    assert "teleport" in (PATH.why_not("teleport", axes()) or "")
    assert "there is no +magic" in (PATH.why_not("init", axes("0.0-6+magic")) or "")


def test_both_ways_of_building_are_cells_of_their_own(tmp_path):
    matrix = tmp_path / "m.yaml"
    matrix.write_text(
        "axes:\n  path: rpython\n  r: 4.2.2\n  python: '3.12'\n"
        "  bridge: [default, 0.0-6]\nprobes: [call]\ncontrols: false\n"
    )
    plan = make_plan(matrix)
    assert [(cell.id, cell.axes.bridge) for cell in plan.cells] == [
        ("rpython-0.0-6-remedies__r4.2.2__py3.12__cpu", REMEDIES),
        ("rpython-0.0-6__r4.2.2__py3.12__cpu", PUBLISHED),
    ]
    assert cell_id(axes(PUBLISHED)) != cell_id(axes())


@pytest.mark.parametrize("bridge", [PUBLISHED, REMEDIES])
def test_how_it_was_built_is_no_part_of_its_version(python, bridge):
    said = {"r": {"version": "4.2.2"}, "bridge": {"name": "rPython", "version": "0.0-6"}}
    mismatch = check_languages(said, axes(bridge), Provisioned(python=python, r=R))
    assert mismatch is not None
    assert mismatch[0] is Phase.PYTHON
    said["bridge"]["version"] = "0.0-5"
    mismatch = check_languages(said, axes(bridge), Provisioned(python=python, r=R))
    assert mismatch == (
        Phase.BRIDGE,
        f"rPython 0.0-5 was loaded, but the cell is for {bridge}",
    )


def test_a_result_is_another_with_another_repository():
    cell = Cell(id="x", axes=axes())
    assert cell_key(cell, PATH, "/one") != cell_key(cell, PATH, "/other")


def test_a_bridge_that_does_not_build_is_a_failure_with_the_end_of_its_log():
    refusal = _refusal(BuildFailure("rPython does not build", "the log"), Phase.PROVISION)
    assert (refusal.status, refusal.detail) == (Status.FAIL, "the log")
    assert _refusal(Unavailable("no source"), Phase.PROVISION).status is Status.UNAVAILABLE
