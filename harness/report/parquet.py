"""Every cell, probe and stage as a Parquet file, for data frames and databases.

One row a stage; a probe without stages has one row, and so has a cell without probes.  What is
repeated on the rows of a cell takes next to no room in a file that is kept by columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, get_args, get_type_hints

import msgspec

from harness.errors import MachineFault
from harness.model.document import Results
from harness.model.record import CellRecord
from harness.report.base import DEFAULTS, Options
from harness.report.rows import CellRow, FurtherRow, ProbeRow, cell_row, further_row, probe_row
from harness.report.view import ordered


class StageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: seconds in total over ``stage_n`` repetitions."""

    stage: str | None = None
    stage_wall_s: float | None = None
    stage_cpu_s: float | None = None
    stage_n: int | None = None


_ROWS: Final = (CellRow, ProbeRow, FurtherRow, StageRow)


class _Parquet:
    name = "parquet"

    def encode(self, results: Results, *, options: Options = DEFAULTS) -> bytes:  # noqa: ARG002
        """Return the file.  Raises ``MachineFault`` where pyarrow is not installed."""
        try:
            # By name: it is not there unless it was asked for, for a type checker as well.
            arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        except ImportError:
            raise MachineFault(
                "the format parquet takes the package pyarrow, which is not installed: "
                "pip install 'r-python-harness[parquet]'"
            ) from None
        schema = arrow.schema(
            list(_fields(arrow)),
            metadata={"matrix": results.matrix, "harness": results.harness},
        )
        table = arrow.Table.from_pylist(list(_rows(results)), schema=schema)
        out = io.BytesIO()
        parquet.write_table(table, out, compression="zstd")
        return out.getvalue()


def _fields(arrow: Any) -> Iterator[Any]:
    """Yield the columns with their types, as the rows declare them."""
    kinds = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    for row in _ROWS:
        for name, hint in get_type_hints(row).items():
            kind = next(one for one in (get_args(hint) or (hint,)) if one is not type(None))
            yield arrow.field(name, kinds[kind])


def _rows(results: Results) -> Iterator[dict[str, Any]]:
    by_id = {record.id: record for record in results.cells}
    for record in ordered(results):
        cell = {
            **msgspec.structs.asdict(cell_row(record, by_id.get(record.control or ""))),
            **msgspec.structs.asdict(further_row(record)),
        }
        for probe in _probes(record):
            yield {**cell, **probe}


def _probes(record: CellRecord) -> Iterator[dict[str, Any]]:
    for probe in record.probes or (None,):
        of_probe = msgspec.structs.asdict(probe_row(probe))
        for stage in (probe.stages if probe else ()) or (None,):
            row = StageRow()
            if stage is not None:
                row = StageRow(
                    stage=stage.name,
                    stage_wall_s=stage.wall_s,
                    stage_cpu_s=stage.cpu_s,
                    stage_n=stage.n,
                )
            yield {**of_probe, **msgspec.structs.asdict(row)}


REPORT = _Parquet()
