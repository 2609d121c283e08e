"""Every cell and probe as a row, for spreadsheets and data frames (RFC 4180)."""

from __future__ import annotations

import csv
import io

from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.report.base import DEFAULTS, Options
from harness.report.view import ordered, reason
from harness.report.words import clean

AXES = ("path", "transport", "r", "bridge", "python", "framework", "cuda")
COLUMNS = (
    "id",
    *AXES,
    "pins",
    "status",
    "phase",
    "cause",
    "message",
    "control",
    "control_status",
    "wall_s",
    "resolve_s",
    "provision_s",
    "max_rss_mb",
    "started_at",
    "probe",
    "variant",
    "probe_status",
    "probe_phase",
    "probe_message",
    "probe_wall_s",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


class _Csv:
    name = "csv"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:  # noqa: ARG002
        """Return one row a cell and probe; a cell without probes has one row.

        Times are seconds, memory is MiB.  A text that a spreadsheet would take for a formula
        has an apostrophe before it.
        """
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\r\n")
        table.writerow(COLUMNS)
        by_id = {record.id: record for record in results.cells}
        for record in ordered(results):
            control = by_id.get(record.control or "")
            for probe in record.probes or (None,):
                cells = (*_cell(record, control), *_probe(probe))
                table.writerow([_guarded(value) for value in cells])
        return out.getvalue()


def _cell(record: CellRecord, control: CellRecord | None) -> tuple[str | float | None, ...]:
    pins = {axis: value for axis, value in record.axes.items() if axis not in AXES and value}
    return (
        record.id,
        *(record.axes.get(axis) for axis in AXES),
        " ".join(f"{name}{value}" for name, value in sorted(pins.items())),
        record.status.value,
        record.phase and record.phase.value,
        record.cause,
        None if record.status is Status.PASS else reason(record),
        record.control,
        control.status.value if control else None,
        record.wall_s,
        record.resolve_s,
        record.provision_s,
        record.max_rss_mb,
        record.started_at,
    )


def _probe(probe: ProbeRecord | None) -> tuple[str | float | None, ...]:
    if probe is None:
        return (None,) * 6
    return (
        probe.name,
        " ".join(filter(None, (probe.variant, "cold" if probe.cold else None))) or None,
        probe.status.value,
        probe.phase and probe.phase.value,
        probe.message,
        sum(stage.wall_s for stage in probe.stages),
    )


def _guarded(value: str | float | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = clean(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


REPORT = _Csv()
