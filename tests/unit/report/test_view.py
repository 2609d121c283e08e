from __future__ import annotations

import random

import pytest

from harness.model.cell import Axes
from harness.model.record import ProbeRecord, Trial
from harness.model.status import Phase, Status
from harness.report import view
from harness.report.view import Blame

NATIVE = Axes(path="native", python="3.12")
RETICULATE = Axes(path="reticulate", r="4.5.0", bridge="1.41", python="3.12")


def probe(name: str, status: str, variant: str | None = None, message: str | None = None):
    return ProbeRecord(name=name, status=Status(status), variant=variant, message=message)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PASS])
def test_every_cell_that_did_not_pass_has_a_reason(make_cell, status):
    assert view.reason(make_cell(NATIVE, status=status))


def test_a_reason_may_come_from_a_probe(make_cell):
    probes = (probe("init", "pass"), probe("train", "fail", "jax", "The loss rose."))
    record = make_cell(NATIVE, status=Status.FAIL, probes=probes)
    assert view.reason(record) == "train (jax): The loss rose."


@pytest.mark.parametrize(
    ("status", "control", "expected"),
    [
        ("fail", "pass", Blame.CLEAR),
        ("fail", "fail", Blame.EXCUSED),
        ("crash", "timeout", Blame.EXCUSED),
        ("unsatisfiable", "unsatisfiable", Blame.EXCUSED),
        ("unavailable", "unavailable", Blame.EXCUSED),
        ("fail", "unavailable", Blame.OPEN),
        ("fail", "missing", Blame.OPEN),
        ("fail", None, Blame.OPEN),
        ("unsupported", "pass", Blame.NOTHING),
        ("missing", "fail", Blame.NOTHING),
        ("skipped", "fail", Blame.NOTHING),
    ],
)
def test_what_the_control_tells(make_cell, status, control, expected):
    record = make_cell(RETICULATE, status=Status(status))
    native = control and make_cell(NATIVE, status=Status(control))
    assert view.blame(record, native) is expected


def test_a_control_is_nobodys_bridge(make_cell):
    assert view.blame(make_cell(NATIVE, status=Status.FAIL), None) is Blame.CONTROL


def test_a_control_that_gets_further_excuses_nothing(make_cell):
    record = make_cell(RETICULATE, status=Status.FAIL, phase=Phase.PYTHON)
    native = make_cell(NATIVE, status=Status.FAIL, phase=Phase.TRAIN)
    assert view.blame(record, native) is Blame.CLEAR


def test_a_control_that_fails_in_another_probe_excuses_nothing(make_cell):
    failing = (probe("train", "fail", "jax"), probe("train", "pass", "torch"))
    native = make_cell(NATIVE, status=Status.FAIL, probes=failing)
    mine = (probe("train", "pass", "jax"), probe("train", "fail", "torch"))
    assert view.blame(make_cell(RETICULATE, status=Status.FAIL, probes=mine), native) is Blame.CLEAR
    mine = (probe("train", "fail", "jax"), probe("train", "pass", "torch"))
    record = make_cell(RETICULATE, status=Status.FAIL, probes=mine)
    assert view.blame(record, native) is Blame.EXCUSED


def test_what_a_path_cannot_do_is_no_failure_of_its_own(make_cell):
    failing = (probe("convert", "pass"), probe("train", "fail"))
    native = make_cell(NATIVE, status=Status.FAIL, probes=failing)
    mine = (probe("convert", "unsupported"), probe("train", "fail"))
    record = make_cell(RETICULATE, status=Status.FAIL, probes=mine)
    assert view.blame(record, native) is Blame.EXCUSED


def test_cells_with_one_cause_are_one_group(smoke):
    groups = view.groups(smoke)
    assert [len(group.cells) for group in groups] == [1, 1, 1, 4, 2]
    assert groups[0].status is Status.CRASH
    assert [group.number for group in groups] == [1, 2, 3, 4, 5]
    assert groups[3].cause == "reticulate-imp"


def test_the_order_of_the_cells_does_not_matter(smoke, make_document):
    cells = list(smoke.cells)
    random.Random(1).shuffle(cells)
    shuffled = make_document(cells)
    assert view.ordered(shuffled) == view.ordered(smoke)
    assert view.groups(shuffled) == view.groups(smoke)
    assert view.grid(shuffled) == view.grid(smoke)


def test_the_grid_holds_every_cell_once(smoke):
    grid = view.grid(smoke)
    held = [cell.id for row in grid.rows for cell in row.cells if cell is not None]
    assert sorted(held) == sorted(record.id for record in smoke.cells)
    assert [column.framework.split("=")[0] for column in grid.columns] == [
        "jax",
        "keras[jax,torch]",
        "tensorflow",
        "torch",
    ]
    assert grid.rows[0].path == "native"


def test_pins_and_cuda_get_their_place(make_cell, make_document):
    pinned = Axes(path="native", python="3.12", pins=(("numpy", "<2"),))
    gpu = Axes(path="native", python="3.12", cuda="12.6")
    grid = view.grid(make_document([make_cell(pinned), make_cell(gpu)]))
    assert grid.pins == ("numpy",)
    assert sorted(row.pins for row in grid.rows) == [("",), ("<2",)]
    assert [column.cuda for column in grid.columns] == ["cpu", "12.6"]
    assert grid.shows_cuda


@pytest.mark.parametrize(
    ("requirement", "label"),
    [
        ("keras[jax,torch]==3.15.1", "keras 3.15.1 +jax +torch"),
        ("torch==2.13.0", "torch 2.13.0"),
        ("jax", "jax"),
        ("", ""),
    ],
)
def test_frameworks_as_people_say_them(requirement, label):
    assert view.framework_label(requirement) == label


def test_findings_are_counted_by_cell(smoke):
    ((text, number),) = view.findings(smoke)
    assert "libpython" in text
    assert number == 7


def test_one_cause_in_two_wordings_is_one_group_with_what_it_has_in_common(
    make_cell, make_document
):
    def axes(python: str) -> Axes:
        return Axes(path="reticulate", r="4.2.2", bridge="1.28", python=python)

    failing = [
        make_cell(
            axes(python),
            status=Status.FAIL,
            phase=phase,
            message=f"said of {python}",
            cause="imp-removed",
            trials=(Trial(remedy="older-python", verified=python == "3.12", cell="x"),),
        )
        for python, phase in (("3.12", Phase.PYTHON), ("3.13", Phase.BRIDGE))
    ]
    passing = [make_cell(axes(python)) for python in ("3.10", "3.11")]
    (group,) = view.groups(make_document([*passing, *failing]))
    assert [cell.axes["python"] for cell in group.cells] == ["3.12", "3.13"]
    assert group.common == "every cell with Python >= 3.12"
    assert group.remedies == ("older-python: mixed (1 of 2 pass)",)


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        (
            [Trial(remedy="a", verified=True, cell="x", change="Python 3.11 instead of 3.12")] * 2,
            "a (Python 3.11 instead of 3.12): verified (2 of 2 pass)",
        ),
        (
            [
                Trial(remedy="a", verified=True, cell="x"),
                Trial(remedy="a", verified=True, cell="y", message="train ends as fail"),
            ],
            "a: verified (1 of 2 pass, something else then stops 1)",
        ),
        (
            [Trial(remedy="a", verified=False, cell="x", message="no")] * 2,
            "a: of no help (0 of 2 pass)",
        ),
        (
            [
                Trial(remedy="a", verified=None, cell="", message="there is none"),
                Trial(remedy="a", verified=True, cell="x"),
            ],
            "a: verified (1 of 1 pass)",
        ),
        (
            [Trial(remedy="a", verified=None, cell="", message="there is none")] * 2,
            "a: not tried: there is none",
        ),
    ],
)
def test_what_came_of_a_remedy_in_a_few_words(make_cell, make_document, trials, said):
    failing = [
        make_cell(
            Axes(path="native", python=f"3.{11 + number}"),
            status=Status.FAIL,
            cause="one",
            trials=(trial,),
        )
        for number, trial in enumerate(trials)
    ]
    (group,) = view.groups(make_document(failing))
    assert group.remedies == (said,)


def test_remedies_together_are_named_first_where_they_help_and_not_at_all_where_not(
    make_cell, make_document
):
    failing = make_cell(
        Axes(path="native", python="3.12"),
        status=Status.FAIL,
        cause="one",
        trials=(
            Trial(remedy="a", verified=True, cell="x", message="train ends as fail"),
            Trial(remedy="a+b", verified=False, cell="y", message="train ends as fail"),
            Trial(remedy="a+c", verified=True, cell="z"),
        ),
    )
    (group,) = view.groups(make_document([failing]))
    assert group.remedies == (
        "a+c: verified (1 of 1 pass)",
        "a: verified (0 of 1 pass, something else then stops 1)",
    )
