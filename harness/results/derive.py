"""From journal to results document: a pure fold over the journal's events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from harness.model.document import NEVER_RUN, Machine, Other, Results, missing
from harness.model.record import CellRecord, Trial
from harness.results.places import arrange


class _RunStarted(msgspec.Struct, frozen=True, kw_only=True):
    matrix: str
    harness: str = ""
    machine: Machine = Machine()
    at: str = ""


class _PlannedCell(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    axes: dict[str, str | None]
    key: str = ""
    implied: bool = False
    control: str | None = None


class _Planned(msgspec.Struct, frozen=True, kw_only=True):
    cells: tuple[_PlannedCell, ...]
    partial: bool = False
    """The plan was narrowed by a selection: it adds to the plan before it."""
    whole: int = 0
    others: tuple[Other, ...] = ()
    """Cells that other shards run."""


class _CellStarted(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    key: str = ""
    at: str = ""


class _CellFinished(msgspec.Struct, frozen=True, kw_only=True):
    record: CellRecord
    machine: Machine | None = None
    """Where it was measured, where that is not the machine of the run."""


class _RemedyTried(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    trial: Trial
    key: str = ""


class _RunFinished(msgspec.Struct, frozen=True, kw_only=True):
    at: str = ""


class Fold:
    """Takes a journal's events one after the other and says what they come to.

    Several runs may follow each other in one journal: the last plan says which cells
    count, and the last record for a planned cell's id and key is its result.
    """

    def __init__(self) -> None:
        self.runs = 0
        """How many runs the events so far belong to."""
        self._matrix = ""
        self._harness = ""
        self._machine = Machine()
        self._started_at = ""
        self._finished_at: str | None = None
        self._whole = 0
        self._plan: dict[str, _PlannedCell] = {}
        self._others: dict[str, Other] = {}
        self._records: dict[tuple[str, str], tuple[CellRecord, Machine]] = {}
        self._begun: dict[tuple[str, str], str] = {}

    def feed(self, event: dict[str, Any]) -> None:
        """Take one event; one of an unknown kind changes nothing.

        Raises ``msgspec.ValidationError`` where an event of a known kind lacks what it must
        have or has it in another form.
        """
        match event.get("event"):
            case "run-started":
                self._run_started(msgspec.convert(event, _RunStarted))
            case "planned":
                planned = msgspec.convert(event, _Planned)
                cells = {cell.id: cell for cell in planned.cells}
                others = {cell.id: cell for cell in planned.others}
                self._plan = {**self._plan, **cells} if planned.partial else cells
                self._others = {**self._others, **others} if planned.partial else others
                self._whole = planned.whole
            case "cell-started":
                begun = msgspec.convert(event, _CellStarted)
                self._begun[begun.id, begun.key] = begun.at
            case "cell-finished":
                finished = msgspec.convert(event, _CellFinished)
                record = finished.record
                machine = finished.machine or self._machine
                self._records[record.id, record.key] = (record, machine)
                self._begun.pop((record.id, record.key), None)
            case "remedy-tried":
                self._remedy_tried(msgspec.convert(event, _RemedyTried))
            case "run-finished":
                self._finished_at = msgspec.convert(event, _RunFinished).at or None

    def results(self) -> Results:
        """Return the results document that the events so far come to."""
        found = {
            cell.id: self._records[cell.id, cell.key]
            for cell in self._plan.values()
            if (cell.id, cell.key) in self._records
        }
        machine, elsewhere = arrange(
            {cell: where for cell, (_, where) in found.items()}, self._machine
        )
        return Results(
            harness=self._harness,
            matrix=self._matrix,
            machine=machine,
            elsewhere=elsewhere,
            started_at=self._started_at,
            finished_at=self._finished_at,
            whole={self._matrix: self._whole} if self._whole else {},
            planned=tuple(self._plan),
            cells=tuple(
                found[cell.id][0] if cell.id in found else self._missing(cell)
                for cell in self._plan.values()
            ),
            others=tuple(cell for cell in self._others.values() if cell.id not in self._plan),
        )

    def _run_started(self, run: _RunStarted) -> None:
        self.runs += 1
        self._matrix, self._harness, self._machine = run.matrix, run.harness, run.machine
        self._started_at = self._started_at or run.at
        # A run that is cut short leaves no end: the end of the run before is not its end.
        self._finished_at = None

    def _remedy_tried(self, tried: _RemedyTried) -> None:
        """Add a trial to the record that it belongs to; one of the same remedy takes its place."""
        known = self._records.get((tried.id, tried.key))
        if known is None:
            return
        record, machine = known
        others = tuple(one for one in record.trials if one.remedy != tried.trial.remedy)
        record = msgspec.structs.replace(record, trials=(*others, tried.trial))
        self._records[tried.id, tried.key] = (record, machine)

    def _missing(self, cell: _PlannedCell) -> CellRecord:
        begun = (cell.id, cell.key) in self._begun
        return missing(
            cell.id,
            cell.axes,
            "Started, but no result was recorded: the run was cut short." if begun else NEVER_RUN,
            key=cell.key,
            control=cell.control,
            implied=cell.implied,
        )


def derive(events: Iterable[dict[str, Any]]) -> Results:
    """Return the results document of a journal's events, in the order of the last plan.

    A planned cell without a record has the status ``missing``; a record counts only for
    the key that the plan names, so a result of a changed matrix is not taken for a new one.
    Raises ``msgspec.ValidationError`` as ``Fold.feed`` does.
    """
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.results()
