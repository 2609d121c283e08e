"""``--cover``: what is required, what failed last time, and what is said of the choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFault, UsageError
from harness.model.cell import Plan
from harness.model.document import Machine, Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.results.save import save
from harness.workflow.covering import Wish, choose, failed_cells, last_time, named_cells
from harness.workflow.planning import make_plan

MATRIX = """\
matrix: m
axes:
  path: reticulate
  r: [4.2.2, 4.5.0, 4.6.2]
  python: ["3.10", "3.11", "3.12", "3.13"]
  framework: [jax==0.10.2, torch==2.13.0]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "m.yaml").write_text(MATRIX)
    return make_plan(tmp_path / "m.yaml")


def everything(_cell: str) -> bool:
    return True


def results(plan: Plan, folder: Path, **status: Status) -> None:
    """Results in which the n-th listed cell (``cell3``) has a status, and the others passed."""
    listed = [cell for cell in plan.cells if not cell.implied]
    records = tuple(
        CellRecord(
            id=cell.id,
            axes=cell.axes.as_dict(),
            status=status.get(f"cell{number}", Status.PASS),
        )
        for number, cell in enumerate(listed)
    )
    document = Results(
        matrix="m", machine=Machine(), planned=tuple(one.id for one in records), cells=records
    )
    save(document, folder)


def test_the_sentence_says_what_is_reached_and_how_good_it_is(plan: Plan) -> None:
    chosen = choose(plan, Wish(strength=2), everything)
    assert chosen.sentence() == (
        "72 of 72 pairs in 12 of 24 cells that can exist here; the fewest there can be"
    )
    assert chosen.as_dict()["lower_bound"] == chosen.as_dict()["cells"] == 12


def test_cells_that_cannot_exist_are_no_candidates(plan: Plan) -> None:
    chosen = choose(plan, Wish(strength=2), lambda cell: "py3.13" not in cell)
    assert "of 18 cells that can exist here, of 24 planned" in chosen.sentence()
    assert not any("py3.13" in cell for cell in chosen.covering.chosen)


def test_what_is_required_is_there(plan: Plan) -> None:
    chosen = choose(plan, Wish(strength=1, require=("*R4.5.0*py3.11*",)), everything)
    assert len(chosen.named) == 2
    assert set(chosen.named) <= set(chosen.covering.chosen)
    assert "2 cells required" in chosen.sentence()


def test_what_failed_last_time_is_there(plan: Plan, tmp_path: Path) -> None:
    listed = [cell.id for cell in plan.cells if not cell.implied]
    problems = [Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.OOM]
    others = [Status.UNSATISFIABLE, Status.UNAVAILABLE, Status.MISSING, Status.UNSUPPORTED]
    statuses = {f"cell{number}": status for number, status in enumerate(problems + others)}
    results(plan, tmp_path / "out", **statuses)
    assert failed_cells(plan, tmp_path / "out") == tuple(listed[:4])
    chosen = choose(plan, Wish(strength=1, failed_in=tmp_path / "out"), everything)
    assert set(listed[:4]) <= set(chosen.covering.chosen)
    assert chosen.sentence().endswith("; 4 failed last time")
    assert chosen.as_dict()["failed_last_time"] == tuple(listed[:4])


def test_cells_that_fail_do_not_change_what_the_next_call_runs(plan: Plan, tmp_path: Path) -> None:
    first = choose(plan, Wish(strength=2), everything).covering.chosen
    listed = [cell.id for cell in plan.cells if not cell.implied]
    failing = {f"cell{listed.index(cell)}": Status.CRASH for cell in first[::3]}
    results(plan, tmp_path / "out", **failing)
    again = choose(plan, Wish(strength=2, failed_in=tmp_path / "out"), everything)
    assert again.covering.chosen == first
    assert len(again.failed) == len(failing)


def test_a_pattern_that_fits_nothing_is_a_slip(plan: Plan) -> None:
    with pytest.raises(UsageError, match="--require 'nothing' fits none of the 24 cells"):
        named_cells(plan, ["nothing"])


def test_the_default_folder_counts_if_there_is_something_in_it(plan: Plan, tmp_path: Path) -> None:
    default = tmp_path / "default"
    assert last_time(None, default) is None
    assert last_time(tmp_path, default) == tmp_path
    results(plan, default)
    assert last_time(None, default) == default


def test_results_that_are_not_there_are_said(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="no results here"):
        choose(plan, Wish(strength=2, failed_in=tmp_path / "none"), everything)
