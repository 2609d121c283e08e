"""Matrices as tests, and tests in cells, with a real R: what a maintainer of a bridge writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results.load import load

pytestmark = pytest.mark.live

MATRIX = """\
probes: [init, call]
axes:
  path: reticulate
  r: 4.2.2
  python: ["3.11", "3.12"]
"""
WORKS = "reticulate-1.28__r4.2.2__py3.11__cpu"
BROKEN = "reticulate-1.28__r4.2.2__py3.12__cpu"
LISTED = """\
expectations:
  - cells: path:reticulate python:>=3.12
    cause: {cause}
    reason: reticulate 1.28 imports imp
    owner: somebody
    until: 2999-01-01
"""
OWN = """
import pytest

pytestmark = pytest.mark.harness("m.yaml", where="python:3.11")


def test_an_integer_comes_back(rscript, bridge):
    ran = rscript("library(reticulate); cat(typeof(py_to_r(r_to_py(41L))))")
    assert ran.stdout == "integer"
    assert bridge.startswith("1.28")


def test_the_python_is_the_cells_own(harness_cell):
    r = harness_cell.rscript("cat(as.character(reticulate::py_config()$version))")
    python = harness_cell.python("import sys; print('%d.%d' % sys.version_info[:2], end='')")
    assert r.stdout == python.stdout == harness_cell.axes.python


def test_a_failure_shows_what_r_said(rscript):
    rscript("stop('on purpose')")


def test_a_crash_is_no_end_of_the_tests(rscript):
    ran = rscript("tools::pskill(Sys.getpid(), 11L); Sys.sleep(9)", check=False)
    assert ran.signal == "SIGSEGV"


def test_it_has_no_network(rscript):
    ran = rscript("socketConnection('192.0.2.1', 80L, timeout = 2L)", check=False)
    assert not ran.ok
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=900
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "m.yaml").write_text(MATRIX)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "imp.yaml").write_text(LISTED.format(cause="reticulate-imp-removed-py312"))
    (folder / "other.yaml").write_text(LISTED.format(cause="numpy2-vs-old-reticulate"))
    (folder / "test_own.py").write_text(OWN)
    return folder


@pytest.fixture(scope="module")
def ran(project: Path) -> subprocess.CompletedProcess[str]:
    return pytest_in(project, "m.yaml", "-n", "2", "--harness-results", "out")


def test_each_cell_is_a_test_and_a_failure_is_told_as_why_tells_it(ran) -> None:
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert f"FAILED m.yaml::{BROKEN}" in ran.stdout
    # By words: the account is wrapped to the width of a page.
    assert "No module named 'imp'" in " ".join(ran.stdout.split()), ran.stdout
    assert "Traceback (most recent call last)" not in ran.stdout.replace("    Traceback", "")


def test_workers_leave_one_journal_that_a_run_goes_on_from(ran, project: Path) -> None:
    assert ran.returncode == 1
    found = {one.id: one.status.value for one in load(project / "out").cells}
    assert (found[WORKS], found[BROKEN]) == ("pass", "fail")
    assert (project / "out" / "cells" / WORKS / "stdout").is_file()
    again = pytest_in(project, "m.yaml", "--harness-results", "out", "-k", "py3.11")
    assert "1 passed, 1 deselected" in again.stdout
    journal = (project / "out" / "journal.jsonl").read_text()
    assert journal.count(f'"cell-finished","record":{{"id":"{WORKS}"') == 1, "it has a result"


def test_a_listed_failure_is_a_strict_xfail(ran, project: Path) -> None:
    del ran
    listed = pytest_in(
        project, "m.yaml", "--harness-results", "out", "--harness-expect", "imp.yaml"
    )
    assert "1 passed, 1 xfailed" in listed.stdout, listed.stdout
    assert "reticulate 1.28 imports imp (until 2999-01-01, somebody)" in listed.stdout
    otherwise = pytest_in(
        project, "m.yaml", "--harness-results", "out", "--harness-expect", "other.yaml"
    )
    assert "1 failed, 1 passed" in otherwise.stdout
    assert "The expectation in line 2 says otherwise" in otherwise.stdout


def test_tests_of_ones_own_run_in_the_cell(project: Path) -> None:
    own = pytest_in(project, "test_own.py")
    assert "1 failed, 4 passed" in own.stdout, own.stdout + own.stderr
    assert "FAILED test_own.py::test_a_failure_shows_what_r_said" in own.stdout
    assert "Error: on purpose" in own.stdout
