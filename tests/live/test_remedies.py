"""Remedies, tried on real cells that really fail: those that help, and one that does not.

A newer reticulate and rPython are built from the repository that ``HARNESS_CRAN`` names.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import harness.causes
from harness.causes import Catalogue, Change
from harness.causes.entries import Cause, RemedyEntry, Rule
from harness.results.schema import schema
from harness.workflow.planning import make_plan
from harness.workflow.run import Settings, run_plan

from .started import Started

pytestmark = pytest.mark.live

CRAN = os.environ.get("HARNESS_CRAN") or None
"""Read now: a test sees no setting of the harness."""
needs_source = pytest.mark.skipif(
    CRAN is None, reason="HARNESS_CRAN names no repository with reticulate, rPython and RJSONIO"
)
HARNESS = [sys.executable, "-m", "harness"]
FRAMEWORK = "torch==2.13.0"
OLD_NUMPY_2 = "reticulate-1.28__r4.2.2__py3.11__torch2.13.0__cpu"
NUMPY_1 = "reticulate-1.28__r4.2.2__py3.11__torch2.13.0__cpu__numpy-lt2"
OLD_PY312 = "reticulate-1.28__r4.2.2__py3.12__jax0.10.2__cpu"
OLD_PY311 = "reticulate-1.28__r4.2.2__py3.11__jax0.10.2__cpu"
PUBLISHED = "rpython-0.0-6__r4.2.2__py3.11__torch2.13.0__cpu"
OLD = f"""\
include:
  - {{path: reticulate, r: 4.2.2, python: "3.11", framework: {FRAMEWORK}}}
  - {{path: reticulate, r: 4.2.2, python: ["3.11", "3.12"], framework: jax==0.10.2}}
"""
RPYTHON = f"""\
axes:
  path: [rpython]
  bridge: [0.0-6]
  r: [4.2.2]
  python: ["3.11"]
  framework: [{FRAMEWORK}]
"""


def call(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*HARNESS, *map(str, arguments)]
    # What a module's fixture calls would see the caller's settings.
    env = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((folder / "results.json").read_text())
    jsonschema.validate(document, schema())
    return {cell["id"]: cell for cell in document["cells"]}


def trials(cell: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trial["remedy"]: trial for trial in cell["trials"]}


def tried(folder: Path) -> int:
    return (folder / "journal.jsonl").read_text().count('"event":"remedy-tried"')


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matrix ``OLD``, run once and without a repository of R packages."""
    folder = tmp_path_factory.mktemp("remedies")
    (folder / "m.yaml").write_text(OLD)
    done = call("run", "m.yaml", "--results", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder


def test_an_older_numpy_is_verified_in_an_environment_of_its_own(ran: Path) -> None:
    found = cells(ran / "out")
    cell = found[OLD_NUMPY_2]
    assert (cell["status"], cell["cause"]) == ("fail", "numpy2-vs-old-reticulate")
    trial = trials(cell)["numpy1"]
    assert (trial["verified"], trial["cell"], trial["message"]) == (True, NUMPY_1, None)
    logs = ran / "out" / trial["logs"]
    assert "numpy==1." in (logs / "requirements.lock").read_text()
    assert (logs / "stdout").is_file()
    assert NUMPY_1 not in found, "a trial is no cell of the matrix"


def test_what_no_repository_has_stays_untried_and_says_why(ran: Path) -> None:
    trial = trials(cells(ran / "out")[OLD_NUMPY_2])["newer-reticulate"]
    assert trial["verified"] is None
    assert "HARNESS_CRAN" in trial["message"]


def test_an_older_python_takes_the_cause_away_and_another_one_is_named(ran: Path) -> None:
    cell = cells(ran / "out")[OLD_PY312]
    assert cell["cause"] == "reticulate-imp-removed-py312"
    trial = trials(cell)["older-python"]
    assert (trial["verified"], trial["cell"]) == (True, OLD_PY311)
    assert trial["logs"] == f"cells/{OLD_PY311}", "the planned cell was the trial"
    assert "numpy2-vs-old-reticulate" in trial["message"]


def test_what_an_older_python_leaves_is_tried_on_top_of_it(ran: Path) -> None:
    found = trials(cells(ran / "out")[OLD_PY312])
    assert found["older-python"]["unfinished"] is False
    both = found["older-python+numpy1"]
    assert both["verified"] is False
    assert both["change"].startswith("Python 3.11 instead of 3.12, numpy <2 instead of 2.")
    assert "jax 0.10.2 needs numpy >= 2.0" in both["message"]


@pytest.mark.long
def test_two_remedies_together_make_a_cell_pass(tmp_path: Path) -> None:
    cell = "reticulate-1.28__r4.2.2__py3.12__tensorflow2.21.0__cpu"
    (tmp_path / "m.yaml").write_text(
        "axes: {path: reticulate, r: 4.2.2, python: '3.12', framework: tensorflow==2.21.0}\n"
    )
    done = call("run", "m.yaml", "--results", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = trials(cells(tmp_path / "out")[cell])
    assert found["older-python"]["verified"] is True
    assert "numpy2-vs-old-reticulate" in found["older-python"]["message"]
    both = found["older-python+numpy1"]
    assert (both["verified"], both["message"]) == (True, None)
    assert (tmp_path / "out" / both["logs"] / "requirements.lock").is_file()
    report = call("report", "out", cwd=tmp_path).stdout
    assert " ".join(report.split()).count("verified (1 of 1 pass)") == 1
    why = call("why", "out", cell, cwd=tmp_path).stdout
    assert "- older-python, then numpy1 [verified: with these, the cell passes]" in why


def test_a_remedy_that_no_set_of_packages_allows_is_of_no_help(ran: Path) -> None:
    trial = trials(cells(ran / "out")[OLD_PY311])["numpy1"]
    assert trial["verified"] is False
    assert "jax 0.10.2 needs numpy >= 2.0" in trial["message"]


def test_people_are_told_what_helped(ran: Path) -> None:
    why = call("why", "out", OLD_NUMPY_2, cwd=ran).stdout
    first = why.partition("What to do:\n")[2].splitlines()[0]
    assert first.startswith("  1. Keep numpy below 2. [verified: with it, the cell passes]")
    report = call("report", "out", cwd=ran).stdout
    assert "Remedy numpy1 (numpy <2 instead of 2." in report
    assert "mixed (1 of 2 pass)" in report, "jax of today needs numpy 2"


def test_a_second_run_keeps_what_was_tried(ran: Path) -> None:
    before = tried(ran / "out"), cells(ran / "out")
    began = time.monotonic()
    done = call("run", "m.yaml", "--results", "out", cwd=ran)
    assert done.returncode == 0, done.stderr
    assert "trying" not in done.stderr, f"it took {time.monotonic() - began:.0f} s"
    assert (tried(ran / "out"), cells(ran / "out")) == before


def test_trials_come_through_a_merge(ran: Path) -> None:
    assert call("merge", "out", "--results", "merged", cwd=ran).returncode == 0
    merged = cells(ran / "merged")
    assert merged[OLD_NUMPY_2]["trials"] == cells(ran / "out")[OLD_NUMPY_2]["trials"]
    logs = trials(merged[OLD_NUMPY_2])["numpy1"]["logs"]
    assert (ran / "merged" / logs / "requirements.lock").is_file()


def test_without_remedies_none_is_tried(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(OLD)
    arguments = ("--only", OLD_NUMPY_2, "--results", "out", "--no-remedies")
    assert call("run", "m.yaml", *arguments, cwd=tmp_path).returncode == 0
    assert cells(tmp_path / "out")[OLD_NUMPY_2]["trials"] == []


def test_ctrl_c_during_a_trial_leaves_the_planned_results_whole(
    tmp_path: Path, begin: Started
) -> None:
    (tmp_path / "m.yaml").write_text(OLD)
    # A shell that runs the tests in the background has its children ignore SIGINT.
    command = ["env", "--default-signal=INT", *HARNESS]
    command += ["run", "m.yaml", "--only", OLD_NUMPY_2, "--results", "out"]
    with (tmp_path / "errors").open("w") as errors:
        run = begin(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=errors)
        work = tmp_path / "out" / "cells" / OLD_NUMPY_2 / "remedies" / "numpy1-control" / "work"
        deadline = time.monotonic() + 600
        while not work.is_dir():
            assert run.poll() is None, "it ended before a remedy was tried"
            assert time.monotonic() < deadline, "no remedy was tried"
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
    assert "Traceback" not in (tmp_path / "errors").read_text()
    before = cells(tmp_path / "out")
    assert {cell["status"] for cell in before.values()} == {"pass", "fail"}
    assert "numpy1" not in trials(before[OLD_NUMPY_2])
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    after = cells(tmp_path / "out")
    assert after[OLD_NUMPY_2]["started_at"] == before[OLD_NUMPY_2]["started_at"]
    assert trials(after[OLD_NUMPY_2])["numpy1"]["verified"] is True


def test_a_remedy_that_is_none_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue that advises a variable without any meaning, and then what helps."""
    cause = Cause(
        id="planted",
        means="numpy 2",
        phase="convert",
        summary="numpy 2 is not known.",
        why="It came later.",
        sources=("run",),
        rules=(Rule(text=("incompatible NumPy binary version",), confidence="certain"),),
        remedies=(
            RemedyEntry(
                id="placebo",
                text="Set a variable.",
                apply=Change(env={"RETICULATE_PLEASE_CONVERT": "1"}),
            ),
            RemedyEntry(
                id="real", text="Keep numpy below 2.", apply=Change(requirements=("numpy<2",))
            ),
        ),
    )
    made = Catalogue(causes=(cause,), notices=())
    monkeypatch.setattr(harness.causes, "load_catalogue", lambda: made)
    (tmp_path / "m.yaml").write_text(OLD)
    plan = make_plan(tmp_path / "m.yaml", only=(OLD_NUMPY_2,))
    settings = Settings(results=tmp_path / "out", quiet=True, remedies=True)
    assert run_plan(plan, settings) == 0
    cell = cells(tmp_path / "out")[OLD_NUMPY_2]
    found = trials(cell)
    assert list(found) == ["placebo", "real"]
    assert (found["placebo"]["verified"], found["real"]["verified"]) == (False, True)
    assert "incompatible NumPy binary version" in found["placebo"]["message"]
    command = (tmp_path / "out" / found["placebo"]["logs"] / "command.sh").read_text()
    assert "export RETICULATE_PLEASE_CONVERT=1" in command


@needs_source
def test_a_remedy_is_tried_as_soon_as_a_repository_has_what_it_needs(
    ran: Path, tmp_path: Path
) -> None:
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    arguments = ("--results", "out", "--cran", str(CRAN))
    done = call("run", "m.yaml", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 cells have a result already" in done.stderr
    trial = trials(cells(tmp_path / "out")[OLD_PY312])["newer-reticulate"]
    assert (trial["verified"], trial["message"]) == (True, None)
    assert trial["cell"].startswith("reticulate-1.")


@needs_source
def test_rpython_is_verified_with_what_it_takes_today(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(RPYTHON)
    done = call("run", "m.yaml", "--results", "out", "--cran", str(CRAN), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cell = cells(tmp_path / "out")[PUBLISHED]
    assert cell["cause"] == "rpython-undefined-Py_Initialize"
    trial = trials(cell)["embed"]
    assert (trial["verified"], trial["message"]) == (True, None)
    assert trial["cell"].startswith("rpython-0.0-6-remedies__")
