"""What the tables of cells, CSV and Parquet, have in common: their columns, and a cell's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.report.view import reason

AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")

_PROVEN: Final = {True: "proven", False: "refuted", None: "untried"}

Value = str | float | int | bool | None


class CellRow(msgspec.Struct, frozen=True, kw_only=True):
    """A cell's values, the axes and what came of it; the names of the fields are the columns.

    Times are seconds, memory is MiB.  ``r_version``, ``bridge_version``, ``python_version`` and
    ``packages`` are read back from inside the cell.
    """

    id: str
    path: str | None
    transport: str | None
    r: str | None
    bridge: str | None
    python: str | None
    framework: str | None
    cuda: str | None
    pins: str
    status: str
    phase: str | None
    cause: str | None
    message: str | None
    control: str | None
    control_status: str | None
    wall_s: float
    resolve_s: float
    provision_s: float
    max_rss_mb: float
    started_at: str


class FurtherRow(msgspec.Struct, frozen=True, kw_only=True):
    """What else is known of a cell: what it really ran with, and how it ended.

    ``remedies`` are those that were applied, each with what came of it: ``older-python:proven``.
    """

    r_version: str | None
    bridge_version: str | None
    python_version: str | None
    packages: str
    implied: bool
    attempts: str
    exit_code: int | None
    signal: str | None
    findings: str
    remedies: str
    lock: str | None
    key: str


class ProbeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of a cell; ``probe_wall_s`` is the sum of its stages."""

    probe: str | None = None
    variant: str | None = None
    probe_status: str | None = None
    probe_phase: str | None = None
    probe_message: str | None = None
    probe_wall_s: float | None = None


def cell_row(record: CellRecord, control: CellRecord | None) -> CellRow:
    """Return the values of a cell; ``control`` is that of its control, where it has one."""
    axes = {axis: record.axes.get(axis) for axis in AXES}
    pins = {axis: value for axis, value in record.axes.items() if axis not in AXES and value}
    return CellRow(
        id=record.id,
        **axes,
        pins=" ".join(f"{name}{value}" for name, value in sorted(pins.items())),
        status=record.status.value,
        phase=record.phase.value if record.phase else None,
        cause=record.cause,
        message=None if record.status is Status.PASS else reason(record),
        control=record.control,
        control_status=control.status.value if control else None,
        wall_s=record.wall_s,
        resolve_s=record.resolve_s,
        provision_s=record.provision_s,
        max_rss_mb=record.max_rss_mb,
        started_at=record.started_at,
    )


def further_row(record: CellRecord) -> FurtherRow:
    """Return what else is known of a cell."""
    modules = record.identity.get("modules")
    found = modules if isinstance(modules, Mapping) else {}
    return FurtherRow(
        r_version=_version(record, "r"),
        bridge_version=_version(record, "bridge"),
        python_version=_version(record, "python"),
        packages=" ".join(f"{name}=={found[name]}" for name in sorted(found) if found[name]),
        implied=record.implied,
        attempts=" ".join(record.attempts),
        exit_code=record.ending.exit_code,
        signal=record.ending.signal,
        findings="\n".join(record.findings),
        remedies=" ".join(f"{one.remedy}:{_PROVEN[one.verified]}" for one in record.trials),
        lock=record.lock,
        key=record.key,
    )


def probe_row(probe: ProbeRecord | None) -> ProbeRow:
    """Return the values of a probe; all empty for a cell that has none."""
    if probe is None:
        return ProbeRow()
    return ProbeRow(
        probe=probe.name,
        variant=" ".join(filter(None, (probe.variant, "cold" if probe.cold else None))) or None,
        probe_status=probe.status.value,
        probe_phase=probe.phase.value if probe.phase else None,
        probe_message=probe.message,
        probe_wall_s=sum(stage.wall_s for stage in probe.stages),
    )


def values(row: msgspec.Struct) -> tuple[Value, ...]:
    """Return the values of a row, in the order of its columns."""
    return msgspec.structs.astuple(row)


def _version(record: CellRecord, part: str) -> str | None:
    found = record.identity.get(part)
    version = found.get("version") if isinstance(found, Mapping) else None
    return version if isinstance(version, str) else None
