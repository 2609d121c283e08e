"""The table of conversions, from the details that the probe `convert` leaves."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.report.conversions import MARKS, MEANINGS, columns, names_of_values
from harness.report.markdown import REPORT

from .conftest import MACHINE


def cell(name: str, bridge: str, values: dict[str, tuple[str, str]], **axes: Any) -> CellRecord:
    details = {
        "values": {
            value: {"there": {"outcome": there}, "back": {"outcome": back}}
            for value, (there, back) in values.items()
        }
    }
    probe = ProbeRecord(name="convert", status=Status.PASS, details=details)
    known = {"path": "reticulate", "r": "4.5.0", "python": "3.11", "framework": None} | axes
    return CellRecord(
        id=name,
        axes=known,
        status=Status.PASS,
        identity={"bridge": {"name": known["path"], "version": bridge}} if bridge else {},
        probes=(probe,),
    )


def results(*cells: CellRecord) -> Results:
    return Results(
        matrix="conversions",
        machine=MACHINE,
        cells=cells,
        planned=tuple(one.id for one in cells),
        started_at="2026-11-22T00:00:00Z",
    )


OLD = {"r-null": ("exact", "exact"), "r-integer-na": ("silent loss", "exact")}
NEW = {"r-null": ("exact", "exact"), "r-integer-na": ("crash", "crash")}


def test_a_column_for_each_bridge_and_a_word_for_each_outcome():
    found = columns(results(cell("a", "1.28", OLD, r="4.2.2"), cell("b", "1.41.0.1", NEW)))
    assert [one.name for one in found] == [
        "reticulate 1.28, R 4.2.2",
        "reticulate 1.41.0.1, R 4.5.0",
    ]
    assert [one.mark("r-null") for one in found] == ["exact", "exact"]
    assert [one.mark("r-integer-na") for one in found] == ["SILENT, exact", "CRASH"]
    assert found[0].mark("not tried") == ""
    assert found[0].counts("there") == {"exact": 1, "SILENT": 1}
    assert list(names_of_values(found)) == ["r-null", "r-integer-na"]


def test_packages_are_named_where_they_tell_two_columns_apart():
    pins = {"numpy": "==1.26.4", "pandas": "==2.2.3"}
    first = cell("a", "1.47.0", OLD, **pins)
    second = cell("b", "1.47.0", OLD, **(pins | {"numpy": "==2.4.6"}))
    assert [one.name for one in columns(results(first))] == ["reticulate 1.47.0, R 4.5.0"]
    assert [one.name for one in columns(results(first, second))] == [
        "reticulate 1.47.0, R 4.5.0, numpy 1.26.4",
        "reticulate 1.47.0, R 4.5.0, numpy 2.4.6",
    ]


def test_the_control_comes_last():
    control = cell("a", "", OLD, path="native", r=None)
    found = columns(results(control, cell("b", "1.41", OLD)))
    assert [one.name for one in found] == ["reticulate 1.41, R 4.5.0", "native"]


def test_the_report_has_it_where_there_is_any():
    text = REPORT.render(results(cell("a", "1.41", OLD)))
    assert "## What survives" in text
    assert "| `r-integer-na` | `SILENT, exact` |" in text
    assert "## What survives" not in REPORT.render(results())


@pytest.mark.parametrize("broken", [{}, {"values": None}, {"values": "none"}])
def test_a_cell_that_judged_no_value_has_no_column(broken):
    record = cell("a", "1.41", OLD)
    probe = ProbeRecord(name="convert", status=Status.FAIL, details=broken)
    assert (
        columns(results(CellRecord(id="a", axes=record.axes, status=Status.FAIL, probes=(probe,))))
        == []
    )


def test_every_mark_is_explained():
    assert set(MARKS.values()) == set(MEANINGS)
