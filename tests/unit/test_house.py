"""The repository keeps its own rules: what two files say of one thing is the same."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
IN_CELL = sorted(
    [
        *(ROOT / "harness/kit").rglob("*.py"),
        *(ROOT / "harness/paths").glob("*/driver.py"),
        *(ROOT / "harness/paths").glob("*/worker.py"),
    ]
)
PACKAGES = sorted(path.parent.name for path in (ROOT / "harness").glob("*/__init__.py"))


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def command_of_readme(session: str) -> str:
    """The README's one line that sets everything up and runs a session."""
    lines = re.findall(
        rf"^\s*(python3 -m venv \S+ &&.*nox -s {session})$", text("README.md"), re.MULTILINE
    )
    assert lines, f"README.md has no line of its own that runs nox -s {session}"
    assert len(set(lines)) == 1, "the README gives its command in more than one way"
    return str(lines[0])


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert command_of_readme("tests") in text(".ci/run")


def test_the_workflow_runs_the_main_command_of_the_readme() -> None:
    assert command_of_readme("matrix") in text(".github/workflows/ci.yml")


@pytest.mark.parametrize(
    ("there", "page", "here"),
    [
        (r"(\d+) reasons why", "docs/explanation/causes-made-to-happen.md", r"\*\*(\d+) of the"),
        (r"(\d+) cells of four R", "reports/README.md", r"(\d+) cells \("),
    ],
)
def test_the_readme_says_the_numbers_of_its_pages(there: str, page: str, here: str) -> None:
    [said], [true, *_] = re.findall(there, text("README.md")), re.findall(here, text(page))
    assert said == true


def test_ci_is_a_sound_executable() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        *((path, "github-workflows") for path in WORKFLOWS),
        *(
            (path, "github-issue-config" if path.stem == "config" else "github-issue-forms")
            for path in FORMS
        ),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_workflows_and_forms_match_their_published_schema(file: Path, schema: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", file],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_permissions_are_least(workflow: Path) -> None:
    content = workflow.read_text(encoding="utf-8")
    for action in re.findall(r"uses: (.+)", content):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    assert re.search(r"^permissions: \{\}$", content, re.MULTILINE)
    # Pages are deployed by a job of its own, which runs nothing else.
    writes = re.findall(r"^\s+(\S+): write$", content, re.MULTILINE)
    assert writes == (["pages", "id-token"] if workflow.name == "publish.yml" else [])


def test_every_rule_that_is_switched_off_says_why() -> None:
    section = text("pyproject.toml").split("[tool.ruff]")[1].split("[tool.mypy]")[0]
    bare = [
        line
        for line in section.splitlines()
        if re.match(r'\s+"[A-Z]+\d*",', line) and "#" not in line
    ]
    assert bare == []


@pytest.mark.parametrize("file", IN_CELL, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_runs_inside_a_cell_is_python_3_7(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_contributing_says_where_each_part_belongs() -> None:
    table = text("CONTRIBUTING.md")
    assert [name for name in PACKAGES if f"`harness/{name}/`" not in table] == []


@pytest.mark.parametrize("group", sorted(PYPROJECT["project"]["entry-points"]))
def test_entry_points_lead_somewhere(group: str) -> None:
    points = {
        point.name: point.value
        for point in importlib.metadata.entry_points(group=group)
        if point.dist and point.dist.name == PYPROJECT["project"]["name"]
    }
    assert points == PYPROJECT["project"]["entry-points"][group], "install the project again"
    for point in importlib.metadata.entry_points(group=group):
        assert point.load() is not None


def test_the_changelog_has_room_for_what_comes() -> None:
    assert "## [Unreleased]" in text("CHANGELOG.md")


@pytest.mark.live
def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    # A driver in R, a schema or `py.typed` that is left out is missed on the user's machine alone.
    subprocess.run(
        [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("harness/")}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "harness").rglob("*")
        # What `site/assets` is built from is of no use to who installs it.
        if path.is_file() and not {"__pycache__", "frontend"} & set(path.parts)
    }
    facts = (ROOT / "matrices" / "support").glob("*.yaml")
    there |= {f"harness/support/data/{path.name}" for path in facts}
    fixtures = (ROOT / "matrices" / "fixtures").glob("*.yaml")
    there |= {f"harness/probes/convert/fixtures/{path.name}" for path in fixtures}
    assert packed == there
