"""Documented against actual: which runs speak of which facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Phase, Status
from harness.report.base import Options
from harness.report.documented import disagreements, works
from harness.report.markdown import REPORT as MARKDOWN
from harness.report.terminal import REPORT as TERMINAL
from harness.support import Fact, Source, Subject
from tests.unit.report.conftest import MACHINE

NEWS = Source(text="https://news.test/", date="2026-11")


def fact(subject: str, of: str, axis: str, text: str) -> Fact:
    return Fact(subject=subject, of=of, axis=axis, range=text, source=NEWS, place="x.yaml:1")


def subject(name: str, *facts: Fact) -> Subject:
    return Subject(name=name, packages=(), facts=facts)


PYTHON = fact("reticulate", "<1.33", "python", "<=3.11")
NUMPY = fact("reticulate", "<1.38", "numpy", "<2")
R = fact("reticulate", ">=1", "r", ">=3")
JAX = fact("jax", ">=0.5", "python", ">=3.10")
JAX_NUMPY = fact("jax", ">=0.5", "numpy", ">=1.26")
SUBJECTS = (subject("reticulate", PYTHON, NUMPY, R), subject("jax", JAX, JAX_NUMPY))


def record(
    name: str,
    status: Status = Status.PASS,
    *,
    path: str = "reticulate",
    python: str = "3.11.7",
    numpy: str | None = "1.26.4",
    bridge: str = "1.28",
    failing: str = "train",
    probes: Iterable[str] = ("init", "train"),
    **values: Any,
) -> CellRecord:
    native = path == "native"
    axes = {
        "path": path,
        "transport": None,
        "r": None if native else "4.2.2",
        "bridge": None if native else bridge,
        "python": python[:4].rstrip("."),
        "framework": "jax==0.10.2",
        "cuda": "cpu",
    }
    modules = {} if numpy is None else {"numpy": numpy}
    made = tuple(
        ProbeRecord(name=probe, status=status if probe == failing else Status.PASS)
        for probe in probes
    )
    values = {
        "identity": {"python": {"version": python}, "modules": modules},
        "probes": made,
        "control": None if native else "control",
        "phase": None if status is Status.PASS else Phase.CONVERT,
        "started_at": "2026-11-22T10:00:00Z",
        **values,
    }
    return CellRecord(id=name, axes=axes, status=status, **values)


CONTROL = record("control", path="native")


def results(*cells: CellRecord) -> Results:
    return Results(
        matrix="m", machine=MACHINE, planned=tuple(cell.id for cell in cells), cells=cells
    )


def found(*cells: CellRecord) -> list[tuple[Fact, bool, tuple[str, ...]]]:
    return [
        (one.fact, one.supported, tuple(cell.id for cell in one.cells))
        for one in disagreements(results(*cells), SUBJECTS)
    ]


def test_as_documented() -> None:
    assert found(CONTROL, record("a")) == []
    assert found(CONTROL, record("a", Status.FAIL, numpy="2.4.6")) == []
    assert found(CONTROL, record("a", Status.FAIL, python="3.12.1", numpy=None)) == []


def test_it_passes_and_is_documented_not_to() -> None:
    assert found(CONTROL, record("a", python="3.12.1"), record("b", python="3.12.1")) == [
        (PYTHON, False, ("a", "b"))
    ]


def test_numpy_was_not_tried_where_no_array_was_sent() -> None:
    assert found(CONTROL, record("a", numpy="2.4.6", probes=("init", "call"))) == []
    assert found(CONTROL, record("a", numpy="2.4.6")) == [(NUMPY, False, ("a",))]


def test_it_fails_and_is_documented_to_work() -> None:
    said = found(CONTROL, record("a", Status.CRASH))
    assert {one[0] for one in said} == {PYTHON, NUMPY, R}
    assert all(supported and ids == ("a",) for _, supported, ids in said)


def test_what_another_cell_bears_out_is_not_doubted() -> None:
    other = record("b", numpy="1.26.0")
    assert found(CONTROL, record("a", Status.FAIL), other) == [(NUMPY, True, ("a",))]


def test_what_fails_without_r_too_is_not_the_bridges() -> None:
    control = record("control", Status.FAIL, path="native")
    said = found(control, record("a", Status.FAIL))
    assert {one[0] for one in said} == {JAX, JAX_NUMPY}
    assert {one[2] for one in said} == {("control",)}


def test_the_framework_is_not_to_blame_where_the_control_passes() -> None:
    assert not {JAX, JAX_NUMPY} & {one[0] for one in found(CONTROL, record("a", Status.FAIL))}


def test_without_the_controls_result_nothing_is_laid_to_anyone() -> None:
    assert found(record("a", Status.FAIL)) == []
    control = record("control", Status.MISSING, path="native", probes=())
    assert found(control, record("a", Status.FAIL)) == []


def test_no_set_of_packages_is_a_no_unless_a_pin_is_in_the_way() -> None:
    native = record("n", Status.UNSATISFIABLE, path="native", numpy=None, probes=(), identity={})
    assert found(native) == [(JAX, True, ("n",))]
    pinned = msgspec.structs.replace(native, axes={**native.axes, "scipy": "<1"})
    assert found(pinned) == []


def test_a_pin_that_is_exact_tells_what_was_not_read_back() -> None:
    native = record("n", Status.FAIL, path="native", numpy=None)
    axes = {**native.axes, "numpy": "==2.0.2"}
    pinned = msgspec.structs.replace(native, axes=axes)
    (one,) = [one for one in disagreements(results(pinned), SUBJECTS) if one.fact is JAX_NUMPY]
    assert one.pair == "jax 0.10.2 with numpy 2.0.2"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.PASS, True),
        (Status.FAIL, False),
        (Status.CRASH, False),
        (Status.TIMEOUT, False),
        (Status.OOM, False),
        (Status.UNSATISFIABLE, False),
        (Status.UNAVAILABLE, None),
        (Status.UNSUPPORTED, None),
        (Status.SKIPPED, None),
        (Status.MISSING, None),
    ],
)
def test_what_a_status_says(status: Status, said: bool | None) -> None:
    assert works(record("a", status)) is said


def test_that_an_error_crosses_is_promised_by_no_range() -> None:
    probes = ("init", "train", "error")
    assert works(record("a", Status.FAIL, failing="error", probes=probes)) is None
    assert works(record("a", Status.PASS, probes=("error",))) is None
    assert works(record("a", Status.CRASH, probes=())) is False


def test_the_reports_name_both_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.documented.load_support", lambda: SUBJECTS)
    document = results(CONTROL, record("a", python="3.12.1"))
    terminal = TERMINAL.render(document, options=Options(width=200))
    assert "Documented against actual" in terminal
    assert "reticulate 1.28 with Python 3.12.1: not supported, and here pass" in terminal
    assert "Python <=3.11 for <1.33 (https://news.test/, 2026-11)" in terminal
    assert "1 cell, run 2026-11-22: a" in terminal
    markdown = MARKDOWN.render(document)
    assert "## Documented against actual" in markdown
    assert "| pass, 2026-11-22 |" in markdown.replace("\\", "")


def test_nothing_is_said_where_there_is_nothing() -> None:
    document = results(record("control", path="native", numpy="2.4.6"))
    assert "Documented against actual" not in TERMINAL.render(document)
    assert "Documented against actual" not in MARKDOWN.render(document)
