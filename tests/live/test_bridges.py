"""Bridges at another version, and from their own source tree: built for each R, and run.

The tree of reticulate is Debian's source of its package, that of rpy2 the one that its makers
publish.  Versions that no suite ships come from the repository that ``HARNESS_CRAN`` names.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BuildFailure, HarnessError
from harness.model.cell import SOURCE, Axes
from harness.model.environment import RToolchain, SourceLibrary, SourcePackage, SourceTree
from harness.provision.process import run
from harness.provision.provisioner import Provisioner
from harness.provision.r.debian import enter
from harness.provision.store import FolderStore
from harness.provision.trees import bring

from .sources import CHANGED, RPY2
from .test_run import harness

pytestmark = pytest.mark.live

CRAN = os.environ.get("HARNESS_CRAN") or None
"""Read now: a test sees no setting of the harness."""
TINY = {
    "DESCRIPTION": "Package: harnesstiny\nVersion: 0.1-2\nTitle: T\nLicense: MIT\n",
    "NAMESPACE": "useDynLib(harnesstiny, tiny)\nexport(answer)\n",
    "R/answer.R": "answer <- function() .Call(tiny)\n",
    "src/tiny.c": (
        "#include <Rinternals.h>\n"
        "SEXP tiny(void) { return Rf_ScalarInteger(42); }\n"
    ),
}  # fmt: skip


def tiny(folder: Path) -> Path:
    """Write the source of an R package in C."""
    for name, text in TINY.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def with_tiny(store: FolderStore, folder: Path, r: str = "4.5.0") -> RToolchain:
    """Return an R with the package that is in ``folder`` built for it."""
    brought = bring(str(folder), store=store, notify=lambda _line: None)
    tree = SourceTree(
        name="harnesstiny",
        version="0.1-2",
        place=brought.folder,
        digest=brought.digest,
        origin=brought.origin,
    )
    provisioner = Provisioner(store, trees={tree.name: tree})
    library = SourceLibrary(packages=(SourcePackage(name=tree.name, version=SOURCE),))
    try:
        toolchain = provisioner.r(Axes(path="native", r=r, python="3.12"), ("reticulate",))
        assert toolchain is not None
        return provisioner.with_sources(toolchain, [library])
    except BuildFailure:
        raise
    except HarnessError as error:
        pytest.skip(str(error))


def answer_of(toolchain: RToolchain) -> str:
    assert toolchain.root is not None
    command = enter(toolchain.root, toolchain.binds, env=toolchain.env)
    said = run([*command, "Rscript", "-e", "cat(harnesstiny::answer())"])
    assert said.ok, said.stderr
    return said.stdout


@pytest.mark.long
def test_a_tree_is_built_for_each_r_and_an_edit_builds_it_anew(
    store: FolderStore, tmp_path: Path
) -> None:
    folder = tiny(tmp_path / "tree")
    built = {r: with_tiny(store, folder, r) for r in ("4.2.2", "4.5.0")}
    assert [answer_of(toolchain) for toolchain in built.values()] == ["42", "42"]
    assert built["4.2.2"].env["R_LIBS"] != built["4.5.0"].env["R_LIBS"]
    assert with_tiny(store, folder).env == built["4.5.0"].env
    (folder / "src/tiny.c").write_text(TINY["src/tiny.c"].replace("42", "43"))
    assert answer_of(with_tiny(store, folder)) == "43"
    assert answer_of(built["4.5.0"]) == "42", "what was built before stays as it was"


def test_what_does_not_compile_is_told_with_its_place_and_keeps_the_log(
    store: FolderStore, tmp_path: Path
) -> None:
    folder = tiny(tmp_path / "tree")
    (folder / "src/tiny.c").write_text(TINY["src/tiny.c"].replace("(42)", "(42"))
    with pytest.raises(BuildFailure, match=r"does not build for R 4\.5\.0: tiny\.c:2:\d+: error"):
        with_tiny(store, folder)
    (folder / "src/tiny.c").write_text(TINY["src/tiny.c"])
    (folder / "R/answer.R").write_text("answer <- function( {\n")
    with pytest.raises(BuildFailure, match=r"/[^:]*:\d+:\d+: unexpected") as error:
        with_tiny(store, folder)
    assert "unable to collate and parse R files" in error.value.log


# --- reticulate, by the command line -----------------------------------------------------------

MATRIX = """\
axes:
  path: reticulate
  r: [4.2.2, 4.5.0]
  bridge: [default, "1.30"]
  python: "3.11"
  numpy: ["<2", ">=2"]
probes: [init, call]
"""


def cells_of(folder: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((folder / "results.json").read_text())
    return {cell["id"]: cell for cell in document["cells"]}


def ended(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_changed_reticulate_is_what_runs_in_every_r(reticulate: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MATRIX)
    named = f"reticulate={reticulate}"
    command = ("run", "m.yaml", "--results", "out", "--bridge", named)
    done = harness(*command, cwd=tmp_path)
    ended(done)
    cells = cells_of(tmp_path / "out")
    ours = {name: cell for name, cell in cells.items() if name.startswith("reticulate")}
    assert set(ours) == {
        f"reticulate-source__r{r}__py3.11__cpu__numpy-{numpy}"
        for r in ("4.2.2", "4.5.0")
        for numpy in ("lt2", "ge2")
    }
    for cell in ours.values():
        if cell["status"] == "unavailable":
            pytest.skip(cell["message"])
        assert cell["status"] == "pass", cell["message"]
        bridge, tree = cell["identity"]["bridge"], cell["identity"]["bridge_tree"]
        assert (bridge["version"], tree["version"]) == (CHANGED, CHANGED)
        assert bridge["home"] == "R_LIBRARY/reticulate"
        assert (tree["name"], tree["origin"], len(tree["digest"])) == ("reticulate", "folder", 64)
    assert str(reticulate) not in (tmp_path / "out" / "results.json").read_text()

    # The same tree resumes; an edit of it asks anew, and what does not compile says so.
    assert "nothing to run" in harness(*command, cwd=tmp_path).stderr
    source = reticulate / "src" / "output.cpp"
    kept = source.read_text()
    try:
        source.write_text(f"{kept}\nint planted( {{\n")
        done = harness(*command, "--where", "r:4.5.0 numpy:>=2", cwd=tmp_path)
    finally:
        source.write_text(kept)
    ended(done)
    name = "reticulate-source__r4.5.0__py3.11__cpu__numpy-ge2"
    broken = cells_of(tmp_path / "out")[name]
    assert (broken["status"], broken["phase"]) == ("fail", "provision")
    assert broken["message"].startswith(f"reticulate {CHANGED} does not build for R 4.5.0: ")
    assert "output.cpp:" in broken["message"]
    assert "error: " in broken["message"]
    assert broken["identity"]["bridge_tree"]["version"] == CHANGED
    log = (tmp_path / "out" / "cells" / name / "build.log").read_text()
    assert "compilation failed" in log
    assert broken["provision_s"] > 1


@pytest.mark.long
@pytest.mark.skipif(CRAN is None, reason="HARNESS_CRAN names no repository with reticulate")
def test_a_version_that_no_suite_ships_is_built_for_each_r(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MATRIX)
    arguments = ("--results", "out", "--bridge", "reticulate=1.38", "--where", "numpy:>=2")
    done = harness("run", "m.yaml", *arguments, "--cran", str(CRAN), cwd=tmp_path)
    ended(done)
    ours = [cell for name, cell in cells_of(tmp_path / "out").items() if "1.38" in name]
    assert len(ours) == 2
    for cell in ours:
        if cell["status"] == "unavailable":
            pytest.skip(cell["message"])
        assert cell["status"] == "pass", cell["message"]
        assert cell["identity"]["bridge"]["version"].startswith("1.38")
        assert cell["identity"]["bridge_tree"]["origin"] == "repository"


def test_without_a_repository_a_version_is_unavailable_and_says_how(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MATRIX)
    arguments = ("--results", "out", "--bridge", "reticulate=1.30", "--where", "numpy:>=2 r:4.5.0")
    ended(harness("run", "m.yaml", *arguments, cwd=tmp_path))
    cell = cells_of(tmp_path / "out")["reticulate-1.30__r4.5.0__py3.11__cpu__numpy-ge2"]
    assert cell["status"] == "unavailable"
    assert "set HARNESS_CRAN (or give `harness run --cran`)" in cell["message"]


# --- rpy2 --------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_changed_rpy2_is_what_runs(rpy2: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        'axes: {path: rpy2, r: 4.5.0, python: "3.12"}\nprobes: [init, call]\n'
    )
    changed = rpy2 / "rpy2-rinterface" / "src" / "rpy2" / "rinterface_lib" / "__init__.py"
    assert "__version__" in changed.read_text()
    changed.write_text("__version_vector__ = (3, 6, 5)\n__version__ = '3.6.5.dev7'\n")
    done = harness("run", "m.yaml", "--results", "out", "--bridge", f"rpy2={rpy2}", cwd=tmp_path)
    ended(done)
    cell = cells_of(tmp_path / "out")["rpy2-source__r4.5.0__py3.12__cpu"]
    if cell["status"] == "unavailable":
        pytest.skip(cell["message"])
    assert cell["status"] == "pass", cell["message"]
    parts = cell["identity"]["bridge"]["parts"]
    assert parts == {"rpy2-rinterface": "3.6.5.dev7", "rpy2-robjects": RPY2["rpy2-robjects"]}
    assert cell["identity"]["bridge_tree"]["version"] == RPY2["rpy2"]
    lock = (tmp_path / "out" / "cells" / cell["id"] / "requirements.lock").read_text()
    assert "# rpy2_rinterface-3.6.5.dev7-py3-none-any.whl, built from its source tree" in lock
