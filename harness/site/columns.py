"""The cells as columns, small enough to be loaded whole: what the first screen works on.

Each value of an axis is an index into the list of its values, each message stands once, and the
id of a cell is a list of indices of its parts.  Values are in the order of ``natural_key``, so
that their indices compare as people do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from harness.causes import load_catalogue
from harness.causes.fill import without_names
from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.report.summary import machine_line
from harness.report.view import blame, framework_label, ordered, reason
from harness.site.source import Source, status_line, wall_line
from harness.text import clean, one_line

AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")
CHUNK: Final = 100
"""Cells whose records lie in one file."""
MESSAGE: Final = 300
"""Characters of a message that the table keeps; the cell's own page has all of it."""
HELPED: Final = {"": 0, "not tried": 1, "no help": 2, "helped": 3, "passes": 4}
"""What came of the remedies that were applied to a cell."""


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    """All cells in the order of reports; ``at`` is the position of each in the document."""

    records: tuple[CellRecord, ...]
    at: tuple[int, ...]
    pins: tuple[str, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes, pinned packages last."""
        return (*AXES, *self.pins)

    @property
    def position(self) -> dict[str, int]:
        """Position in the document by id."""
        return {record.id: at for record, at in zip(self.records, self.at, strict=True)}


def cells_of(results: Results) -> Cells:
    """Return the cells of ``results`` in order."""
    places = {record.id: place for place, record in enumerate(results.cells)}
    records = tuple(ordered(results))
    pins = sorted({axis for record in records for axis in record.axes} - set(AXES))
    return Cells(
        records=records, at=tuple(places[record.id] for record in records), pins=tuple(pins)
    )


def table(results: Results, cells: Cells, source: Source) -> dict[str, Any]:
    """Return what ``data/cells.js`` holds."""
    records = cells.records
    rows = {record.id: row for row, record in enumerate(records)}
    by_id = {record.id: record for record in records}
    machines, machine = _machines(results, records)
    values: dict[str, list[str | None]] = {}
    columns: dict[str, list[int]] = {}
    for axis in cells.axes:
        values[axis], columns[axis] = _coded([record.axes.get(axis) for record in records])
    values["status"] = [status.value for status in Status]
    columns["status"] = _indices(values["status"], [record.status.value for record in records])
    values["phase"] = [None, *(phase.value for phase in Phase)]
    columns["phase"] = _indices(
        values["phase"], [record.phase and record.phase.value for record in records]
    )
    values["cause"], columns["cause"] = _coded([record.cause for record in records])
    values["message"], columns["message"] = _coded([_message(record) for record in records])
    values["blame"], columns["blame"] = _coded(
        [
            blame(record, by_id.get(record.control or "")).value
            if record.status is not Status.PASS
            else ""
            for record in records
        ]
    )
    parts, ids = _split([record.id for record in records])
    firsts = [source.first[at] for at in cells.at]
    return {
        "matrix": one_line(results.matrix),
        "harness": one_line(results.harness),
        "started_at": results.started_at,
        "machines": machines,
        "chunk": CHUNK,
        "axes": list(cells.axes),
        "symbols": [status.symbol for status in Status],
        "values": values,
        "columns": columns,
        "labels": [framework_label(value or "") for value in values["framework"]],
        "parts": parts,
        "ids": ids,
        "at": list(cells.at),
        "first": firsts,
        "status_after": [
            status_line(first, record) - first
            for first, record in zip(firsts, records, strict=True)
        ],
        "wall_after": [
            wall_line(first, record) - first for first, record in zip(firsts, records, strict=True)
        ],
        "wall_s": [record.wall_s for record in records],
        "day": _coded([record.started_at[:10] or None for record in records]),
        "machine": machine,
        "control": [rows.get(record.control or "", -1) for record in records],
        "helped": [HELPED[helped(record)] for record in records],
        "causes": _causes({record.cause for record in records if record.cause}),
    }


def helped(record: CellRecord) -> str:
    """Say what came of the remedies that were applied to a cell: a key of ``HELPED``."""
    if not record.trials:
        return ""
    tried = [trial for trial in record.trials if trial.verified is not None]
    if not tried:
        return "not tried"
    good = [trial for trial in tried if trial.verified]
    if not good:
        return "no help"
    return "passes" if any(trial.message is None for trial in good) else "helped"


def ranges(positions: Iterable[int]) -> str:
    """Return positions as an address has them: ``0-3,7``."""
    found: list[list[int]] = []
    for place in sorted(set(positions)):
        if found and found[-1][1] == place - 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found)


def _message(record: CellRecord) -> str | None:
    if record.status is Status.PASS:
        return None
    text = reason(record)
    return text if len(text) <= MESSAGE else text[: MESSAGE - 1] + "…"


def _coded(column: Sequence[str | None]) -> tuple[list[str | None], list[int]]:
    """Return the distinct values, ``None`` first, and the index of each element."""
    known = sorted({value for value in column if value is not None}, key=natural_key)
    values: list[str | None] = [*([None] if None in column else []), *known]
    return values, _indices(values, column)


def _indices(values: Sequence[str | None], column: Sequence[str | None]) -> list[int]:
    index = {value: position for position, value in enumerate(values)}
    return [index[value] for value in column]


def _split(ids: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Return the parts of all ids, between their ``__``, and each id as indices of them."""
    index: dict[str, int] = {}
    found = [[index.setdefault(part, len(index)) for part in name.split("__")] for name in ids]
    return list(index), found


def _machines(results: Results, records: Sequence[CellRecord]) -> tuple[list[str], list[int]]:
    places = {cell: n for n, other in enumerate(results.elsewhere, 1) for cell in other.cells}
    lines = [
        machine_line(one) for one in (results.machine, *(o.machine for o in results.elsewhere))
    ]
    return lines, [places.get(record.id, 0) for record in records]


def _causes(names: Iterable[str]) -> Mapping[str, Any]:
    """Return what the cell's view says of the causes that occur."""
    catalogue = load_catalogue()
    found = {}
    for name in sorted(names):
        cause = catalogue.cause(name)
        if cause is not None:
            found[name] = {
                "means": plain(cause.means),
                "why": plain(cause.why),
                "remedies": [
                    {
                        "id": remedy.id,
                        "text": plain(remedy.text),
                        "command": remedy.command and plain(remedy.command),
                        "system": remedy.touches_system,
                    }
                    for remedy in cause.remedies
                ],
            }
    return found


def plain(template: str) -> str:
    """Return a text of the catalogue as it is where nothing is known of the failure."""
    return "\n".join(" ".join(line.split()) for line in clean(without_names(template)).splitlines())
