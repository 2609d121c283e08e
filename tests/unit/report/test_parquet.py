"""The Parquet file: a row a stage, with types, and nothing left out."""

from __future__ import annotations

import importlib
import io
from typing import Any

import pyarrow.parquet
import pytest

from harness.errors import MachineFault
from harness.model.cell import Axes
from harness.report.csv import COLUMNS
from harness.report.parquet import REPORT


def rows(results) -> list[dict[str, Any]]:
    return pyarrow.parquet.read_table(io.BytesIO(REPORT.encode(results))).to_pylist()


def test_a_row_a_stage(smoke):
    found = rows(smoke)
    wanted = [
        (record.id, probe.name if probe else None, stage and (stage.name, stage.wall_s, stage.n))
        for record in smoke.cells
        for probe in record.probes or (None,)
        for stage in (probe.stages if probe else ()) or (None,)
    ]
    got = [
        (
            row["id"],
            row["probe"],
            row["stage"] and (row["stage"], row["stage_wall_s"], row["stage_n"]),
        )
        for row in found
    ]
    assert sorted(got, key=repr) == sorted(wanted, key=repr)


def test_a_cell_without_probes_has_one_row(make_cell, make_document):
    (row,) = rows(make_document([make_cell(Axes(path="native", python="3.12"))]))
    assert (row["probe"], row["stage"], row["stage_n"], row["implied"]) == (None, None, None, True)
    assert row["wall_s"] == 21.4


def test_it_has_the_columns_of_the_csv_and_stages_of_their_own(smoke):
    table = pyarrow.parquet.read_table(io.BytesIO(REPORT.encode(smoke)))
    assert set(COLUMNS) - {"stages"} <= set(table.column_names)
    assert table.schema.metadata[b"matrix"] == b"smoke"
    assert str(table.schema.field("stage_wall_s").type) == "double"
    assert str(table.schema.field("exit_code").type) == "int64"


def test_an_empty_document(make_document):
    assert rows(make_document([])) == []


def test_the_same_results_give_the_same_file(smoke):
    assert REPORT.encode(smoke) == REPORT.encode(smoke)


def test_without_pyarrow_it_says_what_to_install(smoke, monkeypatch):
    real = importlib.import_module

    def absent(name: str) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr("harness.report.parquet.import_module", absent)
    with pytest.raises(MachineFault, match=r"pip install 'r-python-harness\[parquet\]'"):
        REPORT.encode(smoke)
