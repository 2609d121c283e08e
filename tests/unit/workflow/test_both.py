"""Two bridges in the same cells: which cells, in which turns, and what the base is taken for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import run
from harness.errors import ExitCode, HarnessError, MachineFault, NotMeasured, UsageError
from harness.executors.base import Answer, Order
from harness.gate import Word
from harness.gate.align import place_of
from harness.model.cell import Cell, Plan
from harness.model.status import Status
from harness.provision.store import FolderStore, default_root
from harness.results.load import load
from harness.workflow import both
from harness.workflow.arms import duels
from harness.workflow.both import (
    BASE,
    HEAD,
    Request,
    _base_of,
    _turns,
    arms_of,
    gate_bridge,
    judge_both,
)
from harness.workflow.bridges import read_bridges
from harness.workflow.display import QuietDisplay
from harness.workflow.expecting import update_expectations
from harness.workflow.gating import gate
from harness.workflow.run import Settings, Workshop, execute
from harness.workflow.versus import Asked
from tests.unit.workflow.test_run import FAR, Elsewhere, record

MATRIX = """\
axes: {path: [native, reticulate, rpy2], r: [4.2.2, 4.5.0], python: ["3.11", "3.12"]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(MATRIX)
    (tmp_path / "bare.yaml").write_text(f"{MATRIX}controls: false\n")
    (tmp_path / "one.yaml").write_text(MATRIX.replace("[native, reticulate, rpy2]", "reticulate"))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "DESCRIPTION").write_text("Package: reticulate\nVersion: 1.0\n")
    return tmp_path


def request(base: str = "released", **values: object) -> Request:
    return Request(
        **{
            "matrix": Path("m.yaml"),
            "bridge": "reticulate=tree",
            "base": base,
            "results": Path("out"),
            **values,
        }
    )


@pytest.mark.parametrize("matrix", ["m.yaml", "bare.yaml"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_each_cell_of_the_bridge_is_in_one_turn_of_both(folder, matrix, jobs) -> None:
    base, head = arms_of(request(matrix=Path(matrix)))
    turns = list(_turns(base, head, jobs))
    own = {
        arm.name: [c for turn in turns for c in turn[arm.name] if arm.has(c)]
        for arm in (base, head)
    }
    assert len(own[HEAD]) == len({cell.id for cell in own[HEAD]}) == 4
    assert [cell.axes.bridge for cell in own[HEAD]] == ["source"] * 4
    assert [place_of(cell.axes.as_dict()) for cell in own[HEAD]] == [
        place_of(cell.axes.as_dict()) for cell in own[BASE]
    ]
    assert not any(cell.axes.path == "rpy2" for turn in turns for cell in turn[HEAD])


def test_what_is_selected_is_the_heads(folder) -> None:
    base, head = arms_of(request(only=("reticulate-source__r4.5.0*",)))
    (turn,) = _turns(base, head, 9)
    assert [cell.id for cell in turn[BASE] if base.has(cell)] == [
        "reticulate-1.41__r4.5.0__py3.11__cpu",
        "reticulate-1.41__r4.5.0__py3.12__cpu",
    ]


def test_a_selection_without_the_bridge_is_one_sentence(folder) -> None:
    with pytest.raises(UsageError, match=r"none of the|no selected cell"):
        arms_of(request(where="r:3.6"))


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("released", None),
        ("1.40.0", "reticulate=1.40.0"),
        ("main", "reticulate=tree@main"),
        ("feature/x", "reticulate=tree@feature/x"),
        ("./tree", "reticulate=./tree"),
        ("git+https://example.org/r@v1", "reticulate=git+https://example.org/r@v1"),
    ],
)
def test_what_the_base_is_taken_for(folder, base, said) -> None:
    # A folder of a branch's name is no base.
    (folder / "main").mkdir()
    (head,) = read_bridges(["reticulate=tree"])
    assert _base_of(request(base), head) == said


# --- a run of both, with cells that only pretend to be measured -------------------------------


class Measured:
    """Stands for the runs of the turns: each cell ends as ``say`` has it."""

    def __init__(self, say: Callable[[Cell], Status | None] = lambda _: None) -> None:
        self.say = say
        self.cut_after: int | None = None
        self.runs = 0
        self.ran: list[str] = []
        self.edit = False
        """Whether somebody works on the tree meanwhile."""
        self.places: set[Path] = set()
        """What the bridge was built from."""

    def __call__(self, plan: Plan, settings: Settings) -> int:
        if self.runs == self.cut_after:
            raise KeyboardInterrupt
        self.runs += 1
        trees = settings.trees
        assert trees is not None, "each turn would copy the tree anew"
        self.places |= {tree.place for tree in trees.values()}
        with FolderStore(default_root()) as store:
            shop = Workshop(store=store, trees=trees, remote=Elsewhere(self.answer))
            execute(plan, settings, QuietDisplay(), shop)
        if self.edit:
            Path("tree/NEWS.md").write_text(f"Edit {self.runs}")
        return 0

    def answer(self, order: Order) -> Answer:
        self.ran.append(order.cell.id)
        status = self.say(order.cell) or Status.PASS
        message = None if status is Status.PASS else "as it was made to"
        cell = order.cell
        found = record(cell, status, message=message, control=cell.control, implied=cell.implied)
        return Answer(record=found, machine=FAR)


@pytest.fixture
def measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    one = Measured()
    monkeypatch.setattr(both, "run_plan", one)
    return one


def listed(folder: Path, *lines: str) -> Path:
    file = folder / "expect.yaml"
    rows = (f"  - {{{line}, reason: r, owner: o, until: 2999-01-01}}\n" for line in lines)
    file.write_text("expectations:\n" + "".join(rows))
    return file


def test_both_arms_are_run_and_controls_once(measured: Measured) -> None:
    judgement = gate_bridge(request(quiet=True))
    assert (judgement.verdict, judgement.counts["pass"]) == (Word.OK, 6)
    assert len(measured.ran) == 4 + 4 + 2
    gate_bridge(request(quiet=True))
    assert len(measured.ran) == 10, "what has a result is not run again"


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 5])
def test_what_a_run_that_was_cut_short_left_over_is_missing(measured: Measured, cut: int) -> None:
    measured.cut_after = cut
    asked = request(quiet=True, jobs=1)
    with pytest.raises(KeyboardInterrupt):
        gate_bridge(asked)
    head, base = Path("out/head"), Path("out/base")
    assert len(load(head).cells) == len(load(base).cells) == 6
    judgement = gate(head, baseline=base)
    assert judgement.exit_code is ExitCode.NOT_MEASURED
    assert {one.status for one in judgement.missing} == {Status.MISSING}
    # As the job that judges the parts of others looks for it.
    assert (head / "results.json").is_file()
    known = len(measured.ran)
    measured.cut_after = None
    assert gate_bridge(asked).verdict is Word.OK
    assert gate(head, baseline=base).verdict is Word.OK
    assert len(measured.ran) == 10 >= known


def test_results_of_an_older_tree_are_not_those_of_a_run_that_was_cut_short(
    measured: Measured,
) -> None:
    asked = request(quiet=True, jobs=1)
    assert gate_bridge(asked).verdict is Word.OK
    Path("tree/NEWS.md").write_text("Changed.")
    measured.cut_after = measured.runs + 2
    with pytest.raises(KeyboardInterrupt):
        gate_bridge(asked)
    judgement = gate(Path("out/head"), baseline=Path("out/base"))
    assert judgement.exit_code is ExitCode.NOT_MEASURED
    assert len(judgement.missing) == 3


def test_a_tree_that_cannot_be_had_costs_no_result(measured: Measured) -> None:
    gate_bridge(request(quiet=True))
    with pytest.raises(HarnessError):
        gate_bridge(request(base="nonesuch", quiet=True, fresh=True))
    assert len(load(Path("out/head")).cells) == 6


def test_a_tree_that_is_worked_on_meanwhile_is_one_tree(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured.edit = True
    # The latency would be of the tree as it is then.
    monkeypatch.setattr(both, "compare", lambda _asked: pytest.fail("other sources are compared"))
    judgement = gate_bridge(request(quiet=True, jobs=1, latency_s=1.0))
    assert (judgement.verdict, judgement.exit_code) == (Word.INCOMPLETE, ExitCode.NOT_MEASURED)
    assert (judgement.counts["pass"], len(measured.places)) == (6, 1)


def test_a_tree_is_held_against_what_its_cells_had(measured: Measured) -> None:
    base, head = both.run_both(request(quiet=True))
    both._check_unchanged(base)
    both._check_unchanged(head)
    Path("tree/NEWS.md").write_text("Edited.")
    with pytest.raises(NotMeasured, match="tree has changed since its cells were run"):
        both._check_unchanged(head)
    Path("tree/DESCRIPTION").unlink()
    with pytest.raises(NotMeasured, match="--bridge reticulate"):
        both._check_unchanged(head)


# --- a part is no whole -----------------------------------------------------------------------


def test_a_selection_is_judged_for_itself(measured: Measured, folder: Path) -> None:
    expect = listed(
        folder,
        "cells: 'path:rpy2', status: crash",
        "cells: 'r:4.2.2 python:3.12', status: crash",
    )
    # One path of several says nothing of the others.
    measured.say = lambda cell: (
        Status.CRASH if (cell.axes.r, cell.axes.python) == ("4.2.2", "3.12") else None
    )
    assert gate_bridge(request(quiet=True), expect).verdict is Word.OK
    some = request(where="r:4.5", quiet=True)
    for again in (some, request(only=("*r4.5.0*py3.11*",), quiet=True)):
        judgement = gate_bridge(again, expect)
        assert (judgement.verdict, judgement.missing, judgement.stale) == (Word.OK, (), ())


def test_a_line_of_no_cell_is_stale_where_the_matrix_has_one_path(
    measured: Measured, folder: Path
) -> None:
    expect = listed(folder, "cells: 'python:3.7', status: crash")
    asked = {"matrix": Path("one.yaml"), "quiet": True}
    assert gate_bridge(request(**asked), expect).verdict is Word.STALE
    assert gate_bridge(request(where="r:4.5", **asked), expect).verdict is Word.OK
    assert gate_bridge(request(shard="1/2", **asked), expect).verdict is Word.OK


def test_a_list_is_not_updated_from_a_selection(measured: Measured, folder: Path) -> None:
    expect = listed(folder, "cells: 'r:4.2.2', status: crash")
    before = expect.read_text()
    gate_bridge(request(matrix=Path("one.yaml"), where="r:4.5", quiet=True))
    with pytest.raises(NotMeasured, match="4 of the 6 cells of one"):
        update_expectations(Path("out/head"), expect)
    assert expect.read_text() == before


# --- what was not measured --------------------------------------------------------------------


def test_a_bridge_of_which_no_cell_was_measured_is_not_let_through(
    measured: Measured, folder: Path
) -> None:
    measured.say = lambda cell: None if cell.axes.path == "native" else Status.UNAVAILABLE
    judgement = gate_bridge(request(quiet=True))
    assert (judgement.exit_code, len(judgement.missing)) == (ExitCode.NOT_MEASURED, 4)
    assert gate(Path("out/head"), baseline=Path("out/base")).exit_code is ExitCode.NOT_MEASURED
    expect = listed(folder, "cells: 'path:reticulate', status: unavailable")
    assert gate_bridge(request(quiet=True), expect).exit_code is ExitCode.NOT_MEASURED


def test_a_cell_that_both_lack_is_let_through_where_it_is_listed(
    measured: Measured, folder: Path
) -> None:
    measured.say = lambda cell: Status.UNAVAILABLE if cell.axes.r == "4.2.2" else None
    base, head = both.run_both(request(quiet=True))
    assert judge_both(base, head).exit_code is ExitCode.NOT_MEASURED
    expect = listed(folder, "cells: 'r:4.2.2', status: unavailable")
    assert gate_bridge(request(quiet=True), expect).verdict is Word.OK


# --- with latency -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [NotMeasured("x does not pass"), MachineFault("x is full")])
@pytest.mark.parametrize(("of_head", "code"), [(Status.PASS, 3), (Status.CRASH, 1)])
def test_latency_that_cannot_be_compared_costs_no_verdict(
    measured: Measured, monkeypatch, capsys, fault, of_head, code
) -> None:
    def fails(*_: object) -> None:
        raise fault

    monkeypatch.setattr(both, "_latency", fails)
    measured.say = lambda cell: of_head if cell.axes.bridge == "source" else None
    arguments = ["gate", "m.yaml", "--bridge", "reticulate=tree", "--results", "out"]
    assert run([*arguments, "--latency", "1", "--format", "json"]) == code
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["exit_code"] == code
    assert document["verdict"] == {3: "incomplete", 1: "regressed"}[code]
    assert said.err.strip() == f"the latency was not compared: {fault}"


def test_latency_of_which_nothing_could_be_compared_is_not_green(
    measured: Measured, capsys
) -> None:
    measured.say = lambda cell: (
        Status.CRASH if cell.axes.path == "reticulate" and cell.axes.bridge != "source" else None
    )
    arguments = ["gate", "m.yaml", "--bridge", "reticulate=tree", "--results", "out", "-q"]
    assert run(arguments) == 0
    assert run([*arguments, "--latency", "1"]) == 3
    assert capsys.readouterr().err == (
        "the latency was not compared: no cell passes with both bridges, and what fails has no "
        "times\n"
    )


class Compared(Exception):
    """What was to be compared: the bridge of base and of head, by cell."""


@pytest.mark.parametrize(
    ("base", "bridges"),
    [
        ("released", {"4.2.2": "1.40.0", "4.5.0": "1.42.0"}),
        ("1.41.0", "1.41.0"),
        ("./tree", "source"),
    ],
)
def test_latency_is_compared_with_the_bridge_that_the_cells_had(
    measured: Measured, folder: Path, monkeypatch, base, bridges
) -> None:
    (folder / "named.yaml").write_text(
        "axes: {path: reticulate, r: 4.2.2, python: '3.11', bridge: [1.40.0, 1.41.0]}\n"
        "include: [{path: reticulate, r: 4.5.0, python: '3.11', bridge: 1.42.0}]\n"
    )

    def compare(asked: Asked) -> None:
        pairs = duels(asked.plan, asked.base, asked.head, ("init",))
        raise Compared({one.base.cell.axes.r: one for one in pairs})

    monkeypatch.setattr(both, "compare", compare)
    with pytest.raises(Compared) as seen:
        gate_bridge(request(base, matrix=Path("named.yaml"), latency_s=1.0, quiet=True))
    (pairs,) = seen.value.args
    assert set(pairs) == {"4.2.2", "4.5.0"}
    for r, pair in pairs.items():
        wanted = bridges if isinstance(bridges, str) else bridges[r]
        assert (pair.base.cell.axes.bridge, pair.head.cell.axes.bridge) == (wanted, "source")
        assert bool(pair.base.bridges) == (wanted == "source")
