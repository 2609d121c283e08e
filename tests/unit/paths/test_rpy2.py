from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest

import harness
from harness.errors import Unavailable
from harness.model.cell import Axes
from harness.model.environment import Provisioned, RToolchain
from harness.paths import rpy2
from harness.paths.base import BuildsBridge, ChoosesBridge, HasNeeds, IntegrationPath
from harness.paths.rpy2 import PATH
from harness.workflow.planning import make_plan

from .test_built_in import FILES, R, provisioned

AS_PATH: IntegrationPath = PATH


def axes(bridge: str | None = None, r: str = "4.5.0") -> Axes:
    return Axes(path="rpy2", r=r, bridge=bridge, python="3.11")


def test_it_is_registered_under_its_name():
    (entry,) = entry_points(group="harness.paths", name="rpy2")
    assert entry.load() is PATH


def test_it_has_what_planning_and_preparing_look_for():
    assert isinstance(PATH, ChoosesBridge)
    assert isinstance(PATH, BuildsBridge)
    assert isinstance(PATH, HasNeeds)


@pytest.mark.parametrize(
    ("r", "bridge"),
    [
        ("4.0.4", "3.6.5"),
        ("4.2.2", "3.6.5"),
        ("4.4.3", "3.6.5"),
        ("4.5", "3.6.9"),
        ("4.5.0", "3.6.9"),
        ("4.6.2", "3.6.9"),
        # What these are is known only when they are there.
        ("4", None),
        ("system", None),
    ],
)
def test_the_version_is_chosen_to_fit_r(r, bridge):
    assert PATH.default_bridge(r) == bridge


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        # The parts of its day: the newest would bring the fault that 3.6.5 does not have.
        ("3.6.5", {"rpy2==3.6.5", "rpy2-rinterface==3.6.4", "rpy2-robjects==3.6.3"}),
        ("3.6.9", {"rpy2==3.6.9", "rpy2-rinterface==3.6.7", "rpy2-robjects==3.6.6"}),
        ("3.6", {"rpy2==3.6.9", "rpy2-rinterface==3.6.7", "rpy2-robjects==3.6.6"}),
        ("3.5.17", {"rpy2==3.5.17"}),
        ("3.5", {"rpy2==3.5.*"}),
        ("3.7.0", {"rpy2==3.7.0"}),
        (None, {"rpy2"}),
    ],
)
def test_a_release_is_pinned_with_its_parts(asked, wanted):
    assert set(PATH.requirements(axes(asked))) == wanted


def test_the_table_is_whole():
    table = rpy2._versions()
    assert {row.rpy2 for row in table.defaults} <= set(table.releases)
    for release, parts in table.releases.items():
        assert set(parts) == {"rpy2-rinterface", "rpy2-robjects"}, release
    assert table.source
    assert table.date


def test_a_plan_has_the_version_that_fits_and_keeps_the_one_that_does_not(tmp_path):
    matrix = tmp_path / "m.yaml"
    matrix.write_text(
        "matrix: m\nquestion: q?\ndefaults: {cuda: cpu}\n"
        'axes: {path: [rpy2], r: [4.2.2, 4.5.0], python: ["3.11"], framework: [jax==0.10.2]}\n'
        'include: [{path: rpy2, r: 4.2.2, bridge: 3.6.9, python: "3.11",'
        " framework: jax==0.10.2}]\n"
    )
    heads = [cell.id.split("__py")[0] for cell in make_plan(matrix).cells]
    assert heads == ["native", "rpy2-3.6.5__r4.2.2", "rpy2-3.6.9__r4.5.0", "rpy2-3.6.9__r4.2.2"]


def test_it_starts_with_python_and_finds_the_cells_r_first():
    launch = PATH.launch(axes(), provisioned(R), FILES)
    assert launch.argv == ("/env/bin/python", str(FILES / "driver.py"))
    assert launch.env["PATH"].split(":")[0] == "/opt/R/bin"
    assert launch.env["RPY2_CFFI_MODE"] == "ABI"
    assert "LD_LIBRARY_PATH" not in launch.env
    assert (PATH.files / "driver.py").is_file()


def machines_r(folder: Path, *libraries: str) -> RToolchain:
    lib = folder / "lib/R/lib"
    lib.mkdir(parents=True)
    (folder / "bin").mkdir()
    for name in ("bin/Rscript", *(f"lib/R/lib/{name}" for name in libraries)):
        (folder / name).touch()
    return msgspec.structs.replace(R, rscript=folder / "bin/Rscript")


def test_libraries_beside_libr_are_named_to_the_loader(tmp_path):
    toolchain = machines_r(tmp_path, "libR.so", "libRblas.so")
    launch = PATH.launch(axes(), provisioned(toolchain), FILES)
    assert launch.env["LD_LIBRARY_PATH"] == str(tmp_path / "lib/R/lib")


def test_an_r_that_needs_none_keeps_the_loader_as_it_is(tmp_path):
    launch = PATH.launch(axes(), provisioned(machines_r(tmp_path, "libR.so")), FILES)
    assert "LD_LIBRARY_PATH" not in launch.env


def test_it_needs_an_r():
    nothing = Provisioned(python=provisioned(R).python, r=None)
    with pytest.raises(Unavailable, match="needs an R"):
        PATH.launch(axes(), nothing, FILES)


def test_only_its_own_tests_need_more():
    assert PATH.needs("train", axes()).requirements == ()
    needs = PATH.needs("upstream", axes())
    assert needs.requirements == ("pytest>=8.1",)
    assert needs.r_packages == ("survival",)
    assert not needs.bridge_source


def test_what_it_cannot_do():
    assert {PATH.why_not(probe, axes()) for probe in PATH.probes} == {None}
    assert "teleport" in (PATH.why_not("teleport", axes()) or "")


SECOND = """
import importlib.util, os, sys
from contextlib import nullcontext
from types import SimpleNamespace

spec = importlib.util.spec_from_file_location("driver", sys.argv[1])
driver = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver)
os.environ["LD_LIBRARY_PATH"] = "/usr/lib/R/lib:/usr/lib/x86_64-linux-gnu"  # as rpy2 does


def libraries(*_):
    print(os.environ.get("LD_LIBRARY_PATH"))


driver.kit = SimpleNamespace(
    phase=len,
    Stage=lambda *_: nullcontext(),
    convert_module=lambda: SimpleNamespace(is_child=lambda: False, supervise=libraries),
)
driver.convert()
libraries()
"""


@pytest.mark.parametrize("callers", [None, "/opt/own/lib"])
def test_a_second_python_looks_for_libraries_where_the_first_did(callers):
    # Where R's folders come first, it may load Debian's libpython and not its own.
    environ = {name: text for name, text in os.environ.items() if name != "LD_LIBRARY_PATH"}
    environ["HARNESS_KIT"] = str(Path(harness.__file__).parent / "kit")
    if callers is not None:
        environ["LD_LIBRARY_PATH"] = callers
    seen = subprocess.run(
        [sys.executable, "-c", SECOND, PATH.files / "driver.py"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    as_r = "/usr/lib/R/lib:/usr/lib/x86_64-linux-gnu"
    assert seen.stdout.split() == [str(callers), as_r]
