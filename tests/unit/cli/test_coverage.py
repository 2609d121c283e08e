"""``--cover`` and ``bisect`` on the command line; the resolver and the cells only pretend."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run
from harness.model.cell import Cell, Plan
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.workflow import bisecting, resolving
from harness.workflow import run as running
from harness.workflow.resolving import Answer, Existence, Progress

MATRIX = """\
matrix: m
axes:
  path: [native, reticulate]
  r: [4.2.2, 4.5.0]
  python: ["3.11", "3.12", "3.13"]
  framework: [jax==0.10.2, torch==2.13.0]
"""
CELL = "reticulate-1.28__r4.2.2__py3.11__jax0.10.2__cpu"


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "m.yaml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)
    return "m.yaml"


@pytest.fixture
def existence(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Cell], Existence]], None]:
    """Have the resolver answer as one says; it answers that all can exist until then."""
    rule: list[Callable[[Cell], Existence]] = [lambda _: Existence.SATISFIABLE]

    def resolve_plan(plan: Plan, on_progress: Callable[[Progress], None]) -> dict[str, Answer]:
        on_progress(Progress(done=len(plan.cells), total=len(plan.cells), asked=1, seconds=0.0))
        return {
            cell.id: Answer(status=status, message="" if status == "satisfiable" else "because")
            for cell in plan.cells
            for status in [rule[0](cell)]
        }

    monkeypatch.setattr(resolving, "resolve_plan", resolve_plan)
    return lambda new: rule.__setitem__(0, new)


Existing = Callable[[Callable[[Cell], Existence]], None]


def test_plan_covers_and_says_how_well(
    matrix: str, existence: Existing, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", matrix, "--cover", "2"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == (
        "53 of 53 pairs in 9 of 18 cells that can exist here; the fewest there can be"
    )


def test_plan_as_json_has_the_coverage(
    matrix: str, existence: Existing, capsys: pytest.CaptureFixture[str]
) -> None:
    existence(
        lambda cell: (
            Existence.UNSATISFIABLE if cell.axes.python == "3.13" else Existence.SATISFIABLE
        )
    )
    arguments = ["plan", matrix, "--cover", "2", "--require", "*r4.5.0*", "--format", "json"]
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    coverage = document["coverage"]
    assert coverage["strength"] == 2
    assert (coverage["candidates"], coverage["planned"]) == (12, 18)
    assert coverage["covered"] == coverage["combinations"]
    assert len(coverage["required"]) == 6
    assert "of 12 cells that can exist here, of 18 planned" in err
    listed = {cell["id"] for cell in document["cells"]}
    assert {cell for cell in listed if "py3.13" in cell} == {
        cell for cell in coverage["required"] if "py3.13" in cell
    } | {"native__py3.13__jax0.10.2__cpu", "native__py3.13__torch2.13.0__cpu"}


def test_shards_of_a_cover_are_the_whole_of_it(
    matrix: str, existence: Existing, capsys: pytest.CaptureFixture[str]
) -> None:
    def ids(*arguments: str) -> set[str]:
        assert run(["plan", matrix, "--cover", "2", "--format", "json", *arguments]) == 0
        cells = json.loads(capsys.readouterr().out)["cells"]
        return {cell["id"] for cell in cells if not cell["implied"]}

    parts = [ids("--shard", f"{number}/2") for number in (1, 2)]
    assert parts[0] | parts[1] == ids()
    assert all(part < ids() for part in parts)


def test_cells_of_which_nothing_is_known_count_as_possible(
    matrix: str, existence: Existing, capsys: pytest.CaptureFixture[str]
) -> None:
    existence(lambda _: Existence.UNKNOWN)
    assert run(["plan", matrix, "--cover", "2"]) == 3
    out = capsys.readouterr().out
    assert "of 18 cells that can exist here" in out
    assert "18 count as possible, for the index is out of reach" in out


def test_where_no_cell_can_exist_that_is_said(
    matrix: str, existence: Existing, capsys: pytest.CaptureFixture[str]
) -> None:
    existence(lambda _: Existence.UNAVAILABLE)
    assert run(["plan", matrix, "--cover", "3"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "harness: m.yaml: no cell can exist here, so there is none to take: because" in err


def test_run_runs_the_cover(
    matrix: str,
    existence: Existing,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(running, "run_plan", lambda *asked: ran.append(asked) or 0)
    assert run(["run", matrix, "--cover", "2"]) == 0
    ((plan, settings),) = ran
    assert len([cell for cell in plan.cells if not cell.implied]) == 9
    assert settings.partial
    assert "53 of 53 pairs" in capsys.readouterr().err
    assert run(["run", matrix, "--cover", "2", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "m.yaml", "--cover", "4"], "4 is not in the range"),
        (["plan", "m.yaml", "--require", "*"], "--require goes with --cover"),
        (["run", "m.yaml", "--failed-in", "out"], "--failed-in goes with --cover"),
        (["plan", "m.yaml", "--cover", "2", "--require", "none*"], "fits none of the 18 cells"),
        (["plan", "m.yaml", "--cover", "2", "--failed-in", "none"], "no results here"),
        (["plan", "m.yaml", "--cover", "2", "--shard", "3/2"], "write K/N"),
        (["bisect", "m.yaml", CELL], "Missing option '--axis'"),
        (["bisect", "m.yaml", "none", "--axis", "python"], "no cell fits 'none'"),
        (["bisect", "m.yaml", CELL, "--axis", "path"], "its values have no order"),
        (["bisect", "m.yaml", CELL, "--axis", "cuda"], "names only one value (cpu) of 'cuda'"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(
    matrix: str,
    existence: Existing,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, len(err.strip().splitlines())) == ("", 1)


@pytest.fixture
def cells_pass_up_to_python_3_11(monkeypatch: pytest.MonkeyPatch) -> None:
    def runner(*_: object) -> Callable[..., tuple[CellRecord, None]]:
        def measure(cell: Cell, _control: Cell | None) -> tuple[CellRecord, None]:
            status = Status.PASS if cell.axes.python == "3.11" else Status.FAIL
            record = CellRecord(id=cell.id, axes=cell.axes.as_dict(), status=status, message="no")
            return record, None

        return measure

    monkeypatch.setattr(bisecting, "runner", runner)


@pytest.mark.usefixtures("cells_pass_up_to_python_3_11")
def test_bisect_as_text_and_as_json(matrix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bisect", matrix, CELL, "--axis", "python"]) == 0
    out, err = capsys.readouterr()
    assert f"{CELL} along python: starts to fail at 3.12" in out
    assert err == ""
    assert run(["bisect", matrix, CELL, "--axis", "python", "--format", "json"]) == 0
    (boundary,) = json.loads(capsys.readouterr().out)["boundaries"]
    assert boundary["at"] == "3.12"


@pytest.mark.usefixtures("cells_pass_up_to_python_3_11")
def test_no_boundary_is_exit_code_3(matrix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bisect", matrix, CELL, "--axis", "python", "--values", "3.12,3.13"]) == 3
    assert "no boundary, for it fails at both ends" in capsys.readouterr().out
