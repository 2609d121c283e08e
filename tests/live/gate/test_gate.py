"""Planted faults in a real bridge are caught, in the right cells, with the right words.

The tree is Debian's source of its reticulate, and rpy2 as it is published: what a maintainer of
each has in a pull request.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live.test_run import harness

pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]

MATRIX = """\
probes: [init, call, error]
axes:
  path: [native, reticulate, rpy2]
  r: {r}
  python: ["3.11"]
"""
NEW, OLD = "reticulate-source__r4.5.0__py3.11__cpu", "reticulate-source__r4.2.2__py3.11__cpu"
OF_RPY2 = "rpy2-source__r4.5.0__py3.11__cpu"


def replaced(tree: Path, file: str, text: str, by: str) -> None:
    """Plant a fault in a tree."""
    path = tree / file
    before = path.read_text(encoding="utf-8")
    assert before.count(text) == 1, f"{file} has not one {text!r}"
    path.write_text(before.replace(text, by), encoding="utf-8")


def git(tree: Path, *arguments: str) -> None:
    names = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(["git", *names, "-C", tree, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(reticulate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with matrices and a git repository of reticulate."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "one.yaml").write_text(MATRIX.format(r="[4.5.0]"))
    (folder / "two.yaml").write_text(MATRIX.format(r="[4.2.2, 4.5.0]"))
    shutil.copytree(reticulate, folder / "tree")
    git(folder / "tree", "init", "--quiet")
    git(folder / "tree", "add", "--all")
    git(folder / "tree", "commit", "--quiet", "--message", "base")
    return folder


def changed(project: Path, tmp_path: Path) -> Path:
    """Return a copy of the repository to be changed."""
    return Path(shutil.copytree(project / "tree", tmp_path / "tree"))


def gate(
    project: Path, matrix: str, bridge: str, base: str, results: Path, *more: str
) -> tuple[int, dict[str, Any]]:
    arguments = ("gate", matrix, "--bridge", bridge, "--base", base, "--results", str(results))
    ran = harness(*arguments, "--format", "json", *more, cwd=project)
    assert "Traceback" not in ran.stderr, ran.stderr
    assert ran.returncode in {0, 1, 3}, ran.stderr
    document = json.loads(ran.stdout)
    if any(one["status"] == "unavailable" for one in document["missing"]):
        pytest.skip(document["missing"][0]["message"])
    return ran.returncode, document


def told(document: dict[str, Any]) -> dict[str, str]:
    """Return what is said of each cell that is not let through."""
    return {one["id"]: one["change"] for one in document["regressions"]}


def test_a_message_that_changed_is_caught_and_the_unchanged_tree_let_through(
    project: Path, tmp_path: Path
) -> None:
    tree = changed(project, tmp_path)
    results = tmp_path / "out"
    code, document = gate(project, "one.yaml", f"reticulate={tree}", "HEAD", results)
    assert (code, document["verdict"]) == (0, "ok"), document
    assert document["counts"]["pass"] == 2, "one cell and its control; rpy2 is not under test"

    replaced(
        tree,
        "R/utils.R",
        "e <- bt$RuntimeError(conditionMessage(x))",
        'e <- bt$RuntimeError(paste("R said:", conditionMessage(x)))',
    )
    code, document = gate(project, "one.yaml", f"reticulate={tree}", "HEAD", results)
    assert (code, told(document)) == (1, {NEW: "other words"})
    assert "'planted in R' -> 'R said: planted in R'" in document["regressions"][0]["message"]


@pytest.mark.long
def test_a_crash_on_one_r_is_caught_there_alone(project: Path, tmp_path: Path) -> None:
    tree = changed(project, tmp_path)
    source = (tree / "R" / "import.R").read_text()
    head = next(row for row in source.splitlines() if row.startswith("import <- function("))
    crash = '  if (getRversion() < "4.3") tools::pskill(Sys.getpid(), 11L)'
    replaced(tree, "R/import.R", head, f"{head}\n{crash}")
    code, document = gate(
        project, "two.yaml", f"reticulate={tree}", "HEAD", tmp_path / "out", "--again", "1"
    )
    assert (code, told(document)) == (1, {OLD: "newly broken"})
    (finding,) = document["regressions"]
    assert (finding["status"], finding["was"], finding["attempts"]) == ("crash", "pass", 2)
    assert "SIGSEGV" in finding["message"]


@pytest.mark.long
def test_a_tree_that_does_not_build_is_told_with_its_place(project: Path, tmp_path: Path) -> None:
    tree = changed(project, tmp_path)
    with (tree / "src" / "output.cpp").open("a") as stream:
        stream.write("\nint planted( {\n")
    code, document = gate(
        project, "one.yaml", f"reticulate={tree}", "HEAD", tmp_path / "out", "--again", "0"
    )
    assert (code, told(document)) == (1, {NEW: "newly broken"})
    assert "does not build for R 4.5.0: output.cpp:" in document["regressions"][0]["message"]


@pytest.mark.long
def test_the_unchanged_copy_is_let_through_twenty_times(project: Path, tmp_path: Path) -> None:
    tree = changed(project, tmp_path)
    verdicts = []
    for _ in range(20):
        more = () if not verdicts else ("--fresh",)
        found = gate(project, "two.yaml", f"reticulate={tree}", "HEAD", tmp_path / "out", *more)
        verdicts.append((found[0], found[1]["verdict"], found[1]["counts"]["pass"]))
    assert verdicts == [(0, "ok", 3)] * 20


@pytest.mark.long
def test_a_conversion_of_na_that_changed_is_caught(project: Path, tmp_path: Path) -> None:
    """No probe fails: ``convert`` finds what became of each value, and the gate that it changed."""
    tree = changed(project, tmp_path)
    source = (tree / "src" / "python.cpp").read_text()
    one = "return PyBool_FromLong(psexp[0]);"
    assert one in source
    # NA becomes True here, which is a silent loss; False is one, too.
    replaced(tree, "src/python.cpp", one, "return PyBool_FromLong(psexp[0] == 1);")
    (project / "convert.yaml").write_text(
        "probes: [init, convert]\n"
        "axes: {path: reticulate, r: 4.5.0, python: '3.11', numpy: 2.2.6, pandas: 2.2.3}\n"
    )
    code, document = gate(
        project, "convert.yaml", f"reticulate={tree}", "HEAD", tmp_path / "out", "--again", "0"
    )
    (finding,) = document["regressions"]
    assert (code, document["verdict"]) == (1, "regressed"), document
    assert (finding["change"], finding["message"].count(" -> ")) == ("other value", 2)
    assert finding["message"].startswith("r-logical-na back: ")


@pytest.mark.long
def test_rpy2_is_gated_in_the_same_way(rpy2: Path, project: Path, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(rpy2, tmp_path / "rpy2"))
    module = tree / "rpy2-rinterface" / "src" / "rpy2" / "rinterface" / "__init__.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text + "\nraise ImportError('planted in rpy2')\n", encoding="utf-8")
    # Without `error`, which rpy2 as it is fails: an exception of Python's comes to nothing in R.
    (project / "calls.yaml").write_text(MATRIX.format(r="[4.5.0]").replace(", error", ""))
    code, document = gate(project, "calls.yaml", f"rpy2={tree}", str(rpy2), tmp_path / "out")
    assert (code, told(document)) == (1, {OF_RPY2: "newly broken"})
    assert "planted in rpy2" in document["regressions"][0]["message"]


@pytest.mark.long
def test_a_released_version_for_a_base(project: Path, tmp_path: Path) -> None:
    """The cells have other names then, and are held against each other all the same."""
    tree = changed(project, tmp_path)
    code, document = gate(project, "one.yaml", f"reticulate={tree}", "released", tmp_path / "out")
    assert (code, document["verdict"], document["counts"]["pass"]) == (0, "ok", 2)
    assert (tmp_path / "out" / "base" / "cells" / "reticulate-1.41__r4.5.0__py3.11__cpu").is_dir()


@pytest.mark.long
def test_an_import_that_is_slower_by_a_third_is_caught(project: Path, tmp_path: Path) -> None:
    """By work of the processor, as a slower implementation would be."""
    tree = changed(project, tmp_path)
    source = (tree / "R" / "import.R").read_text()
    head = next(row for row in source.splitlines() if row.startswith("import <- function("))
    # The stage `framework_import` of numpy takes about 0.1 s of the processor.
    slow = "  until <- sum(proc.time()[1:2]) + 0.03; while (sum(proc.time()[1:2]) < until) NULL"
    replaced(tree, "R/import.R", head, f"{head}\n{slow}")
    (project / "jax.yaml").write_text(
        "probes: [init, call]\n"
        "axes: {path: reticulate, r: 4.5.0, python: '3.11', framework: jax==0.10.2}\n"
    )
    code, document = gate(
        project,
        *("jax.yaml", f"reticulate={tree}", "HEAD", tmp_path / "out"),
        *("--latency", "120"),
    )
    assert (code, document["verdict"]) == (1, "regressed"), document["latency"]
    slower = {one["metric"] for one in document["latency"] if one["verdict"] == "regressed"}
    assert "framework_import" in slower or "python_start" in slower
    assert "noop" not in slower
