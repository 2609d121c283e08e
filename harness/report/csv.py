"""Every cell, probe and stage as a table, for spreadsheets and data frames (RFC 4180)."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from typing import Final

from harness.model.document import Results
from harness.model.record import ProbeRecord
from harness.report.base import DEFAULTS, Options
from harness.report.rows import (
    CellRow,
    FurtherRow,
    ProbeRow,
    Value,
    cell_row,
    further_row,
    probe_row,
    values,
)
from harness.report.view import ordered
from harness.text import clean

COLUMNS: Final = (
    *CellRow.__struct_fields__,
    *ProbeRow.__struct_fields__,
    *FurtherRow.__struct_fields__,
    "stages",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


class _Csv:
    name = "csv"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:  # noqa: ARG002
        """Return one row a cell and probe; a cell without probes has one row.

        Times are seconds, memory is MiB.  ``stages`` has the stages of the probe, separated by
        blanks, each as ``NAME:WALL_S:CPU_S:N``, the times in total over ``N`` repetitions.  A text
        that a spreadsheet would take for a formula has an apostrophe before it.
        """
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\r\n")
        table.writerow(COLUMNS)
        by_id = {record.id: record for record in results.cells}
        for record in ordered(results):
            cell = values(cell_row(record, by_id.get(record.control or "")))
            further = values(further_row(record))
            first, last = ([_guarded(value) for value in part] for part in (cell, further))
            for probe in record.probes or (None,):
                middle = [_guarded(value) for value in values(probe_row(probe))]
                table.writerow([*first, *middle, *last, _stages(probe)])
        return out.getvalue()


def _stages(probe: ProbeRecord | None) -> str:
    return " ".join(
        f"{stage.name}:{_number(stage.wall_s)}:"
        f"{'' if stage.cpu_s is None else _number(stage.cpu_s)}:{stage.n}"
        for stage in (probe.stages if probe else ())
    )


def _guarded(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return _number(value)
    return _text(value)


# Most texts stand on many rows.
@lru_cache(maxsize=65536)
def _text(value: str) -> str:
    text = clean(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


REPORT = _Csv()
