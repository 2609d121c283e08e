"""The shell steps of the workflows: what they ask of the harness, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.journal.writer import Journal
from harness.model.document import Results, encode
from harness.model.record import CellRecord
from tests.unit.gate.bench import cell, results
from tests.unit.provision.test_trees import git

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
        self.program("python3", f'exec {sys.executable} "$@"')

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

    def cut_off(self, place: str, *cells: CellRecord) -> None:
        """Leave what a job leaves that ran past its time: a journal, and nothing else."""
        with Journal(self.folder / place) as journal:
            journal.append("run-started", at="2026-11-21T01:02:03Z", matrix="m", machine={})
            planned = [{"id": one.id, "axes": one.axes, "key": one.key} for one in cells]
            journal.append("planned", cells=planned, partial=True, whole=len(cells))
            for record in cells:
                journal.append("cell-finished", record=record)


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


def test_a_faulty_list_is_told_before_anything_is_run(step: Step) -> None:
    # What the caller's repository has is not taken for the harness.
    (step.folder / "harness").mkdir()
    (step.folder / "harness" / "__init__.py").write_text("raise SystemExit(9)")
    (step.folder / "e.yaml").write_text("expectations: [{cells: 'python:3.12', status: fail}]")
    step.program("harness", f"cd / && exec {sys.executable} -m harness plan {step.folder}/m.yaml")
    for script in ("plan.sh", "expect.sh"):
        ran = step.run(script, MATRIX="m.yaml", EXPECT="e.yaml")
        assert ran.returncode == 2
        assert ran.stderr.startswith("harness: e.yaml:1:16: this expectation has no 'reason:'")
        assert ran.stdout == ""
        assert step.run(script, MATRIX="m.yaml", EXPECT="none.yaml").returncode == 2
    (step.folder / "e.yaml").write_text(LISTED)
    for script in ("plan.sh", "expect.sh"):
        assert step.run(script, MATRIX="m.yaml", EXPECT="e.yaml").returncode == 0


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


class PullRequest:
    """A pull request as GitHub has it, with a base that went on since it was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")
        self.then = self.commit("one")
        git(folder, "checkout", "--quiet", "-b", "change")
        self.head = self.commit("changed")
        git(folder, "checkout", "--quiet", "main")
        self.now = self.commit("two")
        git(folder, "checkout", "--quiet", "--detach")
        git(folder, "merge", "--quiet", "--no-ff", "-m", "merge", "change")
        self.merge = git(folder, "rev-parse", "HEAD")

    def commit(self, name: str) -> str:
        """Commit a file of this name; return the commit."""
        (self.folder / name).write_text("x")
        git(self.folder, "add", ".")
        git(self.folder, "commit", "--quiet", "-m", name)
        return git(self.folder, "rev-parse", "HEAD")

    def clone(self, name: str, depth: int) -> None:
        """Make a checkout of so many commits beside it."""
        address = f"file://{self.folder}"
        git(self.folder.parent, "clone", "--quiet", f"--depth={depth}", address, name)

    def env(self, **env: str) -> dict[str, str]:
        """Return what a job of this pull request is told."""
        pull = {"GITHUB_SHA": self.merge, "GITHUB_REF": "refs/pull/7/merge", "PULL_BASE": self.then}
        return {**pull, "BRIDGE": "reticulate=checkout", **env}


@pytest.fixture
def pull(step: Step) -> PullRequest:
    return PullRequest(step.folder / "checkout")


def test_a_pull_request_is_held_against_its_base_of_now(step: Step, pull: PullRequest) -> None:
    for bridge in ("reticulate=checkout", "reticulate=checkout@change", "reticulate = checkout"):
        ran = step.run("base.sh", **pull.env(BRIDGE=bridge))
        assert ran.stdout.split() == [pull.now], ran.stderr
    step.program("harness", f'echo "$@" > {step.folder}/asked')
    ran = step.run("cells.sh", MATRIX="m.yaml", RESULTS="part", **pull.env())
    assert step.said("asked").endswith(f"--bridge reticulate=checkout --base {pull.now}\n")
    assert f"held against: {pull.now}" in ran.stdout


def test_the_branch_alone_is_held_against_where_it_began(step: Step, pull: PullRequest) -> None:
    git(pull.folder, "checkout", "--quiet", "change")
    ran = step.run("base.sh", **pull.env(PULL_BASE=pull.now))
    assert ran.stdout.split() == [pull.then], ran.stderr
    # The commit of a push, too, is GITHUB_SHA.
    ran = step.run("base.sh", **pull.env(GITHUB_SHA=pull.head, GITHUB_REF="refs/heads/change"))
    assert ran.stdout.split() == [pull.then], ran.stderr


def test_a_base_is_not_held_against_itself(step: Step, pull: PullRequest) -> None:
    """`pull_request_target` checks the base out, and every change would be let through."""
    git(pull.folder, "checkout", "--quiet", pull.now)
    (pull.folder / ".harness-itself").mkdir()
    env = pull.env(PULL_BASE=pull.now, GITHUB_SHA=pull.now, GITHUB_REF="refs/heads/main")
    ran = step.run("base.sh", **env)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "::error title=no change::" in ran.stderr
    assert step.run("base.sh", **env, BASE="released").stdout == "released\n"


def test_a_folder_is_no_matrix_and_blanks_are_no_bridge(step: Step) -> None:
    (step.folder / "gate").mkdir()
    (step.folder / "own").mkdir()
    (step.folder / "own" / "gate.yaml").write_text(MATRIX)
    (step.folder / "DESCRIPTION").write_text("Package: reticulate\nVersion: 1.41.0\n")
    ran = step.run("plan.sh", MATRIX="gate", SHARDS="2", BRIDGE=" reticulate = .")
    assert ran.returncode == 0, ran.stderr
    assert step.said("GITHUB_OUTPUT").startswith("jobs=")


@pytest.mark.parametrize(
    "env",
    [
        {"BRIDGE": "reticulate=1.41.0"},
        {"BRIDGE": "reticulate=git+https://example.org/x@main"},
        {"BRIDGE": "reticulate=checkout.tar.gz"},
        {"PULL_BASE": ""},
        # The checkout of another repository.
        {"GITHUB_SHA": "1" * 40, "PULL_BASE": "2" * 40},
    ],
)
def test_what_no_pull_request_changes_is_held_against_the_release(
    step: Step, pull: PullRequest, env: dict[str, str]
) -> None:
    ran = step.run("base.sh", **pull.env(**env))
    assert (ran.returncode, ran.stdout) == (0, "released\n"), ran.stderr
    ran = step.run("base.sh", **pull.env(**env, BASE="main"))
    assert (ran.returncode, ran.stdout) == (0, "main\n")


def test_a_checkout_without_history_is_told(step: Step, pull: PullRequest) -> None:
    pull.clone("flat", 1)
    pull.clone("deep", 2)
    (step.folder / "none").mkdir()
    for env in (
        {"BRIDGE": "reticulate=flat"},
        {"BRIDGE": "reticulate=flat", "GITHUB_SHA": "1" * 40},
        {"BRIDGE": "reticulate=none"},
    ):
        ran = step.run("cells.sh", MATRIX="m.yaml", RESULTS="part", **pull.env(**env))
        assert ran.returncode == 2
        assert "::error title=no base::" in ran.stderr
        assert "fetch-depth: 0" in ran.stderr
    ran = step.run("base.sh", **pull.env(BRIDGE="reticulate=deep"))
    assert ran.stdout.split() == [pull.now], ran.stderr


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({"SHARD": "2/12"}, "harness-part-2-of-12 harness-part-* harness-gate"),
        ({}, "harness-part- harness-part-* harness-gate"),
        (
            {"SHARD": "1/4", "NAME": "rpy2-3.6"},
            "harness-rpy2-3.6-part-1-of-4 harness-rpy2-3.6-part-* harness-rpy2-3.6-gate",
        ),
    ],
)
def test_artefacts_have_names_of_their_own(step: Step, env: dict[str, str], names: str) -> None:
    ran = step.run("names.sh", **env)
    assert ran.returncode == 0, ran.stderr
    said = dict(line.split("=") for line in step.said("GITHUB_OUTPUT").splitlines())
    assert [said["part"], said["parts"], said["gate"]] == names.split()


@pytest.mark.parametrize("name", ["a/b", "a b", "*", "part", "part-1", "a-part-b"])
def test_a_name_that_would_take_what_is_anothers_is_refused(step: Step, name: str) -> None:
    ran = step.run("names.sh", NAME=name)
    assert ran.returncode == 2
    assert "::error title=no name for artefacts::" in ran.stdout
    assert not step.said("GITHUB_OUTPUT")


LISTED = (
    "expectations: [{cells: 'python:3.12', status: fail, reason: r, owner: o, until: 2999-01-01}]"
)
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


def test_a_module_of_the_callers_is_not_taken_for_one_of_pythons(step: Step) -> None:
    for name in ("json", "pathlib"):
        (step.folder / f"{name}.py").write_text("raise SystemExit(9)")
    # It would stand in the way of the harness as it is called here, too.
    step.program("harness", f'exec {sys.executable} -P -m harness "$@"')
    step.put("parts/1/head", results(FINE))
    step.put("parts/1/base", results(FINE))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 0, ran.stderr


def test_what_is_let_through_ends_with_0(step: Step) -> None:
    step.put("parts/1/head", results(FINE))
    step.put("parts/1/base", results(FINE))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 0, ran.stderr
    assert not (step.folder / "out" / "repro").exists()


def test_a_run_without_a_bridge_is_held_against_expectations(step: Step) -> None:
    step.put("parts/1", results(BROKEN, FINE))
    (step.folder / "e.yaml").write_text(LISTED)
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out", EXPECT="e.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_jobs_that_left_nothing_prove_nothing(step: Step) -> None:
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 3
    assert "::error title=nothing was measured::" in ran.stdout


def test_a_single_part_lies_in_no_folder_of_its_own(step: Step) -> None:
    """As download-artifact unpacks it where there is one."""
    step.put("parts/head", results(BROKEN))
    step.put("parts/base", results(cell(bridge="source")))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 1, ran.stderr
    assert f"::error title=newly broken%3A {BROKEN.id}::" in ran.stdout


def test_a_single_part_without_a_bridge(step: Step) -> None:
    step.put("parts", results(BROKEN, FINE))
    (step.folder / "parts" / "cells").mkdir()
    (step.folder / "e.yaml").write_text(LISTED)
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out", EXPECT="e.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("place", ["parts", "parts/1"])
def test_a_base_alone_is_not_judged(step: Step, place: str) -> None:
    step.put(f"{place}/base", results(FINE))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 3
    assert "::error title=nothing was measured::" in ran.stdout


@pytest.mark.parametrize("place", ["parts", "parts/1"])
def test_a_job_that_was_cut_off_has_left_its_journal(step: Step, place: str) -> None:
    step.cut_off(f"{place}/head", BROKEN)
    step.cut_off(f"{place}/base", cell(bridge="source"))
    # Made a moment before.
    (step.folder / "parts/2/head").mkdir(parents=True)
    (step.folder / "parts/2/head/journal.jsonl").touch()
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 1, ran.stderr
    assert f"::error title=newly broken%3A {BROKEN.id}::" in ran.stdout


@pytest.mark.parametrize(("ended", "code"), [("success", 0), ("cancelled", 3), ("failure", 3)])
def test_what_a_single_job_did_not_come_to_is_not_green(step: Step, ended: str, code: int) -> None:
    step.cut_off("parts/head", FINE)
    step.cut_off("parts/base", FINE)
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out", CELLS=ended)
    assert ran.returncode == code, ran.stderr
    assert ("::error title=not everything was measured::" in ran.stdout) == (code == 3)
    assert step.said("out/report.md")
    summary = step.said("GITHUB_STEP_SUMMARY")
    assert summary.startswith("## ✅" if code == 0 else "## ⚠️ Nothing proven"), summary
    assert (f"the jobs that run the cells ended as: {ended}" in summary) == (code == 3)
    # What leads nowhere on the page of a job is no link there.
    assert "](cells/" not in summary
    assert json.loads(step.said("out/gate.json"))["exit_code"] == code


def test_what_cannot_be_judged_is_no_verdict(step: Step) -> None:
    step.put("parts/1/head", results(FINE))
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out", EXPECT="none.yaml")
    assert ran.returncode == 2
    assert "none.yaml" in ran.stderr
    assert "Traceback" not in ran.stderr
    (step.folder / "parts/1/head/results.json").write_text("{")
    ran = step.run("verdict.sh", PARTS="parts", MERGED="out")
    assert ran.returncode == 2
    assert "not a results document" in ran.stderr


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
    ran = step.run("setup.sh", GITHUB_WORKSPACE="/the/checkout")
    assert ran.returncode == 9, ran.stderr
    assert not (step.folder / "apt").exists()
    # In a container, the checkout is another user's.
    assert step.run("setup.sh", GITHUB_WORKSPACE="/the/checkout").returncode == 9
    assert step.said(".gitconfig").count("directory = /the/checkout\n") == 1
