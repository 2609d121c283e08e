"""A bisection from the series to what is said of it; cells that only pretend to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.errors import ExitCode
from harness.model.cell import Cell, Plan
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.workflow import bisecting
from harness.workflow.bisecting import Bisection, bisect, runner
from harness.workflow.boundaries import as_json, as_text
from harness.workflow.planning import make_plan
from harness.workflow.run import Settings
from harness.workflow.series import Series, series_of

MATRIX = """\
matrix: m
probes: [init]
axes: {path: reticulate, r: 4.2.2, python: "3.11"}
"""
CELL = "reticulate-1.28__r4.2.2__py3.11__cpu"
NUMPYS = [f"1.{minor}.0" for minor in range(20, 27)] + ["2.0.0", "2.1.0", "2.2.0"]
Fate = Callable[[str], Status]


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Series:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MATRIX)
    return series_of(make_plan(Path("m.yaml")), CELL, "numpy", [",".join(NUMPYS)])


def record(cell: Cell, status: Status) -> CellRecord:
    known = {
        Status.FAIL: (Phase.CONVERT, "incompatible NumPy binary version"),
        Status.UNSATISFIABLE: (Phase.RESOLVE, f"no wheels of {cell.axes.pins[0][1]}"),
    }
    phase, message = known.get(status, (None, None))
    return CellRecord(
        id=cell.id,
        axes=cell.axes.as_dict(),
        status=status,
        phase=phase,
        message=message,
        control=cell.control,
    )


def find(series: Series, fate: Fate, *, every: bool = False) -> tuple[Bisection, list[str]]:
    """Bisect cells that come out as ``fate`` says of the numpy; their controls pass."""
    run: list[str] = []

    def measure(cell: Cell, control: Cell | None) -> tuple[CellRecord, CellRecord | None]:
        numpy = cell.axes.pins[0][1].removeprefix("==")
        run.append(numpy)
        assert control is not None
        assert control.id == cell.control
        assert control.axes.pins == cell.axes.pins
        return record(cell, fate(numpy)), record(control, Status.PASS)

    return bisect(series, measure, Path("out"), every=every), run


def breaks_at_2(numpy: str) -> Status:
    return Status.PASS if numpy < "2" else Status.FAIL


def test_the_boundary_is_found_by_running_few(series: Series) -> None:
    found, run = find(series, breaks_at_2)
    assert found.exit_code is ExitCode.OK
    assert run[:2] == ["1.20.0", "2.2.0"]
    assert len(run) <= 6
    text = as_text(found)
    assert f"{CELL} along numpy: starts to fail at 2.0.0" in text
    assert f"{len(run)} of 10 values were run." in text
    assert "No value of the series lies between 1.26.0 and 2.0.0." in text
    assert "--axis numpy --values 1.26.0 --values 2.0.0 --fresh" in text
    assert "gets past this point" in text
    document = json.loads(as_json(found))
    (boundary,) = document["boundaries"]
    assert (boundary["starts_to"], boundary["at"], boundary["exact"]) == ("fail", "2.0.0", True)
    assert boundary["passing"]["value"] == "1.26.0"
    assert boundary["failing"]["message"] == "incompatible NumPy binary version"
    assert boundary["failing"]["control"] == "pass"
    assert (document["run"], document["stepped_over"]) == (len(run), 0)


def test_what_starts_to_pass_is_a_boundary_too(series: Series) -> None:
    found, _ = find(series, lambda numpy: Status.CRASH if numpy < "1.23" else Status.PASS)
    assert "starts to pass at 1.23.0" in as_text(found)
    (boundary,) = json.loads(as_json(found))["boundaries"]
    assert (boundary["starts_to"], boundary["failing"]["status"]) == ("pass", "crash")


@pytest.mark.parametrize(
    "status", [Status.UNSATISFIABLE, Status.UNAVAILABLE, Status.UNSUPPORTED, Status.MISSING]
)
def test_what_could_not_be_run_is_stepped_over_and_said(series: Series, status: Status) -> None:
    found, _ = find(series, lambda numpy: status if "1.24" < numpy < "2.1" else breaks_at_2(numpy))
    text = as_text(found)
    assert "starts to fail after 1.23.0, at 2.1.0 at the latest" in text
    assert "Between 1.23.0 and 2.1.0 none could be run: 1.24.0, 1.25.0, 1.26.0, 2.0.0." in text
    assert "4 could not be, and were stepped over" in text
    assert "1.24.0" in text
    assert "to 2.0.0, 4 values" in text
    (boundary,) = json.loads(as_json(found))["boundaries"]
    assert boundary["exact"] is False
    assert boundary["stepped_over"] == ["1.24.0", "1.25.0", "1.26.0", "2.0.0"]


def test_ends_that_come_out_alike_are_no_boundary(series: Series) -> None:
    found, run = find(series, lambda numpy: Status.PASS if numpy != "1.24.0" else Status.FAIL)
    assert run == ["1.20.0", "2.2.0"]
    assert found.exit_code is ExitCode.NOT_MEASURED
    text = as_text(found)
    assert "no boundary, for it passes at both ends" in text
    assert "Values that were not run may differ; --exhaustive runs them." in text


def test_exhaustive_finds_every_change(series: Series) -> None:
    found, run = find(
        series, lambda numpy: Status.PASS if numpy != "1.24.0" else Status.FAIL, every=True
    )
    assert len(run) == 10
    assert found.exit_code is ExitCode.OK
    text = as_text(found)
    assert "starts to fail at 1.24.0, then starts to pass at 1.25.0" in text
    assert "not run" not in text


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (lambda _: Status.UNSATISFIABLE, "nothing can be told, for no value could be run"),
        (
            lambda numpy: Status.PASS if numpy == "1.25.0" else Status.UNAVAILABLE,
            "nothing can be told, for only 1.25.0 could be run",
        ),
    ],
)
def test_where_nothing_can_be_told_that_is_said(series: Series, fate: Fate, said: str) -> None:
    found, run = find(series, fate)
    assert said in as_text(found)
    assert len(run) == len(set(run)) == 10
    assert found.exit_code is ExitCode.NOT_MEASURED


def test_a_known_cause_is_named(series: Series) -> None:
    found, _ = find(series, breaks_at_2)
    assert "The cause" not in as_text(found)
    place = found.boundaries[0].after
    tried = found.tried[place]
    known = msgspec.structs.replace(tried.record, cause="numpy-2")
    tried = msgspec.structs.replace(tried, record=known)
    found = msgspec.structs.replace(found, tried={**found.tried, place: tried})
    assert f"The cause is numpy-2: harness why out {known.id}\n" in as_text(found)
    assert json.loads(as_json(found))["boundaries"][0]["failing"]["cause"] == "numpy-2"


def test_the_options_of_the_search_are_in_the_command_that_repeats_it(series: Series) -> None:
    found, _ = find(series, breaks_at_2)
    found = msgspec.structs.replace(found, options=("--cran", "/a b"))
    assert "--values 2.0.0 --cran '/a b' --fresh" in as_text(found)


def test_cells_are_run_as_a_run_does_and_a_shared_control_once(
    series: Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[tuple[Plan, Settings]] = []

    def run_plan(plan: Plan, settings: Settings) -> int:
        plans.append((plan, settings))
        return 0

    def load_(folder: Path) -> object:
        plan, _ = plans[-1]

        class Document:
            cells = tuple(record(cell, Status.PASS) for cell in plan.cells)

        return Document()

    monkeypatch.setattr(bisecting, "run_plan", run_plan)
    monkeypatch.setattr(bisecting, "load", load_)
    measure = runner(series, Settings(results=tmp_path, fresh=True))
    first, second = series.cells[:2]
    control = msgspec.structs.replace(first, id="native", control=None)
    assert measure(first, control)[0].id == first.id
    measure(second, control)
    assert [settings.anew for _, settings in plans] == [
        frozenset({first.id, "native"}),
        frozenset({second.id}),
    ]
    for plan, settings in plans:
        assert plan.matrix == "bisect-m"
        assert settings.partial
        assert not settings.fresh
        assert not settings.report
