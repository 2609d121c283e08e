"""``harness plan --resolve``: what it prints of whether cells can exist, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run
from harness.model.cell import Plan
from harness.workflow import resolving
from harness.workflow.resolving import Answer, Existence, Progress

MATRIX = """\
axes:
  path: native
  python: ["3.11", "3.12", "3.13"]
  framework: [jax==0.10.2]
"""
WHY = "no set of packages exists for Python 3.12.1: jax 0.10.2 needs numpy >= 2.0"


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "m.yaml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)
    return "m.yaml"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Answer for Python 3.11, 3.12 and 3.13: satisfiable, unsatisfiable, and as is said."""

    def install(third: str) -> None:
        def resolve_plan(plan: Plan, *, on_progress: Callable[[Progress], None]) -> dict[str, Any]:
            on_progress(Progress(done=3, total=3, asked=5, seconds=1.26))
            three = (
                Answer(status=Existence.SATISFIABLE, python="3.11.7", versions={"jax": "0.10.2"}),
                Answer(status=Existence.UNSATISFIABLE, message=WHY, detail="whole account"),
                Answer(status=Existence(third), message="nothing is known"),
            )
            return dict(zip((cell.id for cell in plan.cells), three, strict=True))

        monkeypatch.setattr(resolving, "resolve_plan", resolve_plan)

    return install


def test_the_table_has_a_column_and_each_reason_once(
    matrix: str, answering: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answering("unavailable")
    assert run(["plan", matrix, "--resolve"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[-2:] == ["can", "exist"]
    assert [line.split()[-1] for line in shown[1:4]] == [
        "satisfiable",
        "unsatisfiable",
        "unavailable",
    ]
    assert f"unsatisfiable: {WHY}" in shown
    assert "  native__py3.12__jax0.10.2__cpu" in shown
    assert shown[-1] == (
        "3 cells: 1 can exist, 1 is unsatisfiable, 1 is unavailable; 5 questions asked in 1.3 s"
    )


def test_json_has_versions_reasons_and_the_summary(
    matrix: str, answering: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answering("unavailable")
    assert run(["plan", matrix, "--resolve", "--format", "json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["resolve"] == {
        "counts": {"satisfiable": 1, "unsatisfiable": 1, "unavailable": 1},
        "questions": 5,
        "seconds": 1.26,
    }
    first, second, _third = (cell["resolve"] for cell in document["cells"])
    assert first["versions"] == {"jax": "0.10.2"}
    assert (second["status"], second["message"]) == ("unsatisfiable", WHY)
    assert second["detail"] == "whole account"
    assert "5 questions asked" in said.err


def test_github_gets_no_job_for_what_cannot_exist(
    matrix: str, answering: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answering("unavailable")
    assert run(["plan", matrix, "--resolve", "--format", "github"]) == 0
    jobs = json.loads(capsys.readouterr().out)["include"]
    assert [job["python"] for job in jobs] == ["3.11", "3.13"]


def test_where_nothing_is_known_not_everything_was_measured(
    matrix: str, answering: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answering("unknown")
    assert run(["plan", matrix, "--resolve"]) == 3
    assert "unknown: nothing is known" in capsys.readouterr().out


def test_without_the_option_nobody_is_asked(
    matrix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "resolve_plan", None)
    assert run(["plan", matrix]) == 0
    assert "can exist" not in capsys.readouterr().out
