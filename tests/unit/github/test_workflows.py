"""The workflows and the action: what one job hands to another, and what their page says of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

GITHUB = Path(__file__).parents[3] / ".github"
PAGE = GITHUB.parent / "docs" / "how-to" / "gate-a-bridge.md"
ACTION = GITHUB / "actions" / "gate" / "action.yml"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
UPLOAD = "actions/upload-artifact@"
DOWNLOAD = "actions/download-artifact@"


def read(file: Path) -> dict[Any, Any]:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def jobs(file: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the steps of each job; an action has those of one."""
    document = read(file)
    if "runs" in document:
        yield document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield job["steps"]


def measures(step: dict[str, Any]) -> bool:
    return bool(re.search(r"gate/cells\.sh|nox -s matrix", step.get("run", "")))


@pytest.mark.parametrize("file", [*WORKFLOWS, ACTION], ids=lambda file: file.name)
def test_what_was_measured_is_kept_however_the_job_ends(file: Path) -> None:
    """A job that runs past its time counts as cancelled, and one step that fails skips others."""
    for steps in jobs(file):
        kept = [step for step in steps if step.get("uses", "").startswith(UPLOAD)]
        if any(map(measures, steps)):
            assert kept
            assert {step.get("if") for step in kept} == {"${{ always() }}"}
        assert not [step for step in kept if "cancelled" in step.get("if", "")]


@pytest.mark.parametrize(
    "file", [GITHUB / "workflows" / "gate.yml", GITHUB / "workflows" / "publish.yml", ACTION],
    ids=lambda file: file.name,
)  # fmt: skip
def test_artefacts_are_named_before_anything_can_fail(file: Path) -> None:
    """Parts that failed alike would else all have the same name, and one of them would be kept."""
    for steps in jobs(file):
        names = [n for n, step in enumerate(steps) if step.get("id") == "names"]
        used = [n for n, step in enumerate(steps) if "steps.names." in str(step)]
        runs = [n for n, step in enumerate(steps) if "gate/" in step.get("run", "")]
        assert not used or runs[0] == names[0] < used[0]
        for step in steps:
            if step.get("uses", "").startswith(DOWNLOAD) and step["with"].get("name") != "costs":
                assert step["with"]["pattern"] == "${{ steps.names.outputs.parts }}"
        if any(map(measures, steps)):
            (kept,) = (step for step in steps if step.get("uses", "").startswith(UPLOAD))
            assert kept["with"]["name"].startswith("${{ steps.names.outputs.")


def test_each_gate_of_a_workflow_has_its_name_everywhere() -> None:
    gate = read(GITHUB / "workflows" / "gate.yml")
    assert gate["env"]["NAME"] == "${{ inputs.name }}"
    for steps in jobs(GITHUB / "workflows" / "gate.yml"):
        (step,) = (step for step in steps if step.get("id") == "names")
        assert step["run"].endswith("gate/names.sh")
    (steps,) = jobs(ACTION)
    assert steps[0]["env"] == {"NAME": "${{ inputs.name }}"}


def test_the_scripts_are_told_what_they_need_for_a_base() -> None:
    """No default here: it depends on what the bridge names, which base.sh looks at."""
    pull = "${{ github.event.pull_request.base.sha || github.event.merge_group.base_sha }}"
    gate = read(GITHUB / "workflows" / "gate.yml")
    assert (gate["env"]["BASE"], gate["env"]["PULL_BASE"]) == ("${{ inputs.base }}", pull)
    (steps,) = jobs(ACTION)
    (cells,) = (step for step in steps if measures(step))
    assert (cells["env"]["BASE"], cells["env"]["PULL_BASE"]) == ("${{ inputs.base }}", pull)
    assert read(ACTION)["inputs"]["base"]["default"] == ""
    for steps in jobs(GITHUB / "workflows" / "gate.yml"):
        if any(map(measures, steps)):
            own = next(step for step in steps if "actions/checkout@" in step.get("uses", ""))
            assert own["with"]["fetch-depth"] == 0


def test_the_verdict_knows_how_the_cells_ended() -> None:
    verdict = read(GITHUB / "workflows" / "gate.yml")["jobs"]["verdict"]
    (step,) = (step for step in verdict["steps"] if "verdict.sh" in step.get("run", ""))
    assert step["env"]["CELLS"] == "${{ needs.cells.result }}"


def test_the_action_reads_the_list_before_the_cells() -> None:
    (steps,) = jobs(ACTION)
    runs = [Path(step.get("run", "").strip("'\"")).name for step in steps]
    assert runs.index("setup.sh") < runs.index("expect.sh") < runs.index("cells.sh")


def test_the_page_has_every_input() -> None:
    said = set(re.findall(r"^\| `([a-z]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    # YAML 1.1 reads the key `on` as true.
    assert said == set(read(GITHUB / "workflows" / "gate.yml")[True]["workflow_call"]["inputs"])
    assert said - set(read(ACTION)["inputs"]) == {"shards"}


def test_a_pipe_fails_with_its_first_part() -> None:
    """GitHub's own shell has no pipefail, one that is named has."""
    for file in sorted((GITHUB / "workflows").glob("*.yml")):
        document = read(file)
        runs = [step["run"] for steps in jobs(file) for step in steps if "run" in step]
        if any(" | " in run for run in runs):
            assert document["defaults"]["run"]["shell"] == "bash", file.name


def test_all_that_is_shipped_is_audited() -> None:
    audit = read(GITHUB / "workflows" / "audit.yml")
    (steps,) = jobs(GITHUB / "workflows" / "audit.yml")
    runs = " ".join(step.get("run", "") for step in steps)
    project = tomllib.loads((GITHUB.parent / "pyproject.toml").read_text(encoding="utf-8"))
    extras = re.search(r"'\.\[([a-z,]+)\]'", runs)
    assert extras is not None
    assert set(extras[1].split(",")) == set(project["project"]["optional-dependencies"])
    (npm,) = (step for step in steps if "npm audit" in step.get("run", ""))
    frontend = npm["working-directory"]
    named = {f"{frontend}/{name}" for name in ("package.json", "package-lock.json")}
    for event in ("push", "pull_request"):
        assert named | {"pyproject.toml"} <= set(audit[True][event]["paths"])
    assert all((GITHUB.parent / name).is_file() for name in named)


@pytest.mark.parametrize("name", ["publish.yml", "frontier.yml"])
def test_all_parts_divide_the_cells_by_the_costs_of_last_time(name: str) -> None:
    file = GITHUB / "workflows" / name
    assert read(file)["env"]["COSTS"] == "costs/results.json"
    plan = next(jobs(file))
    made = [n for n, step in enumerate(plan) if "publish/costs.sh" in step.get("run", "")]
    kept = [n for n, step in enumerate(plan) if step.get("uses", "").startswith(UPLOAD)]
    assert made < kept
    assert plan[kept[0]]["with"]["name"] == "costs"
    assert (GITHUB.parent / plan[made[0]]["env"]["FALLBACK"]).is_file()
    (steps,) = (steps for steps in jobs(file) if any(map(measures, steps)))
    brought = [n for n, step in enumerate(steps) if step.get("with", {}).get("name") == "costs"]
    assert brought
    assert brought[0] < next(n for n, step in enumerate(steps) if measures(step))
