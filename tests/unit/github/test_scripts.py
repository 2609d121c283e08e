"""The shell steps of the workflows: what they ask of the harness, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.document import Results, encode
from tests.unit.gate.bench import cell, results

SCRIPTS = Path(__file__).parents[3] / ".github" / "gate"
MATRIX = """\
axes: {path: [native, reticulate, rpy2], r: [4.5.0], python: ["3.11", "3.12"]}
"""


class Step:
    """A step of a job: a folder, the files that GitHub names, and the harness on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(folder),
            "HARNESS_MATRICES": str(folder / "own"),
            **{
                name: str(folder / name)
                for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
            },
        }
        (folder / "m.yaml").write_text(MATRIX)
        self.program("harness", f'exec {sys.executable} -m harness "$@"')

    def program(self, name: str, code: str) -> None:
        """Put a program on the path."""
        file = self.bin / name
        file.write_text(f"#!/bin/sh\n{code}\n")
        file.chmod(0o755)

    def run(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script as a step does."""
        return subprocess.run(
            [SCRIPTS / script],
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def said(self, name: str) -> str:
        """Return what a step wrote into one of GitHub's files."""
        return (self.folder / name).read_text() if (self.folder / name).exists() else ""

    def put(self, place: str, document: Results) -> None:
        """Leave results as a job does."""
        folder = self.folder / place
        folder.mkdir(parents=True)
        (folder / "results.json").write_bytes(encode(document))


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda script: script.name)
def test_scripts_can_be_run_and_are_bash(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_the_job_matrix_is_that_of_the_bridge(step: Step) -> None:
    ran = step.run("plan.sh", MATRIX="m.yaml", SHARDS="4", BRIDGE="reticulate=1.41.0")
    assert ran.returncode == 0, ran.stderr
    (line,) = step.said("GITHUB_OUTPUT").splitlines()
    jobs = json.loads(line.removeprefix("jobs="))["include"]
    assert sum(int(job["cells"]) for job in jobs) == 2, "rpy2 and native are not under test"


def test_a_matrix_of_the_harness_is_named_by_its_name(step: Step) -> None:
    (step.folder / "own").mkdir()
    (step.folder / "m.yaml").rename(step.folder / "own" / "gate.yaml")
    ran = step.run("plan.sh", MATRIX="gate", WHERE="path:native")
    assert ran.returncode == 0, ran.stderr
    assert '"cells":"2"' in step.said("GITHUB_OUTPUT")


def test_a_faulty_matrix_ends_the_job(step: Step) -> None:
    assert step.run("plan.sh", MATRIX="none").returncode == 2
    assert not step.said("GITHUB_OUTPUT")


@pytest.mark.parametrize(("ends", "job"), [(0, 0), (1, 0), (3, 0), (2, 2), (4, 4), (130, 130)])
def test_a_verdict_is_no_fault_of_the_job_that_measures(step: Step, ends: int, job: int) -> None:
    step.program("harness", f'echo "$@" > {step.folder}/asked; exit {ends}')
    ran = step.run(
        "cells.sh",
        MATRIX="m.yaml",
        RESULTS="part",
        BRIDGE="reticulate=.",
        BASE="abc",
        SHARD="1/2",
        WHERE="r:4.5 or r:4.6",
    )
    assert ran.returncode == job
    asked = step.said("asked").strip()
    assert asked == (
        "gate m.yaml --results part --again 2 --where r:4.5 or r:4.6 --shard 1/2 "
        "--bridge reticulate=. --base abc"
    )


def test_without_a_bridge_the_cells_are_run(step: Step) -> None:
    step.program("harness", f'echo "$@" > {step.folder}/asked')
    assert step.run("cells.sh", MATRIX="m.yaml", RESULTS="part", CRAN="file:///x").returncode == 0
    assert step.said("asked").strip() == "run m.yaml --results part --again 2 --cran file:///x"


BROKEN = cell("fail", bridge="source", cause="python-already-initialized")
FINE = cell(bridge="source", python="3.11")


def test_parts_are_merged_judged_and_told(step: Step) -> None:
    step.put("parts/1/head", results(BROKEN, whole={"m": 2}))
    step.put("parts/2/head", results(FINE, whole={"m": 2}))
    step.put("parts/1/base", results(cell(bridge="source"), whole={"m": 2}))
    step.put("parts/2/base", results(FINE, whole={"m": 2}))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 1, ran.stderr
    assert f"::error title=newly broken%3A {BROKEN.id}::" in ran.stdout
    summary = step.said("GITHUB_STEP_SUMMARY")
    assert "newly broken" in summary
    assert "## " in summary.partition("newly broken")[2], "the report follows"
    assert json.loads(step.said("out/gate.json"))["verdict"] == "regressed"
    assert "<testsuites" in step.said("out/junit.xml")
    assert (step.folder / "out" / "repro" / BROKEN.id / "README.md").is_file()


def test_what_is_let_through_ends_with_0(step: Step) -> None:
    step.put("parts/1/head", results(FINE))
    step.put("parts/1/base", results(FINE))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 0, ran.stderr
    assert not (step.folder / "out" / "repro").exists()


def test_a_run_without_a_bridge_is_held_against_expectations(step: Step) -> None:
    step.put("parts/1", results(BROKEN, FINE))
    listed = "expectations: [{cells: 'python:3.12', status: fail, reason: r, owner: o, until: %s}]"
    (step.folder / "e.yaml").write_text(listed % "2999-01-01")
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out", EXPECT="e.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_jobs_that_left_nothing_prove_nothing(step: Step) -> None:
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 3
    assert "::error title=nothing was measured::" in ran.stdout


def test_a_part_that_is_missing_is_not_green(step: Step) -> None:
    step.put("parts/1/head", results(FINE))
    step.put("parts/1/base", results(FINE, cell(bridge="source")))
    assert step.run("verdict.sh", PARTS="parts", MERGED="out").returncode == 3


def test_a_machine_that_has_everything_is_not_asked_for_more(step: Step) -> None:
    step.program("dpkg-query", "echo installed")
    step.program("apt-get", "echo asked >> apt; exit 1")
    # An environment that is made and a package that is installed take long, and are pip's matter.
    step.program("python3", f'case "$*" in *venv*) exit 9;; *) exec {sys.executable} "$@";; esac')
    for name in ("python3.12", "python3.13"):
        step.program(name, f'exec {step.bin}/python3 "$@"')
    ran = step.run("setup.sh")
    assert ran.returncode == 9, ran.stderr
    assert not (step.folder / "apt").exists()
