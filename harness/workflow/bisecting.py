"""``harness bisect``: the value of an axis at which a cell starts to fail, or to pass.

What is run goes the way of ``harness run``, one cell and its control at a time, into a folder
of results from which the same command goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.errors import ExitCode
from harness.matrix.expand import control_axes
from harness.model.cell import Cell, Plan
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.plan.bisection import Boundary, Verdict, search
from harness.results.load import load
from harness.workflow.run import Settings, run_plan
from harness.workflow.series import Series

Measure = Callable[[Cell, Cell | None], tuple[CellRecord, CellRecord | None]]
"""Runs a cell with its control, and returns both records."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One value that was asked for, with the records of its cell and of the cell's control."""

    value: str
    record: CellRecord
    control: CellRecord | None

    @property
    def verdict(self) -> Verdict:
        """What the value tells; a cell that could not be run tells nothing."""
        if self.record.status is Status.PASS:
            return Verdict.PASS
        return Verdict.FAIL if self.record.status.is_problem else Verdict.SKIP


class Bisection(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for along a series, by place, and where the outcome changes.

    ``options`` are those of the command line that a repetition needs.
    """

    series: Series
    tried: dict[int, Tried]
    boundaries: tuple[Boundary, ...]
    every: bool
    results: Path
    options: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0 where a boundary was found, 3 where none can be told."""
        return ExitCode.OK if self.boundaries else ExitCode.NOT_MEASURED


def bisect(series: Series, measure: Measure, results: Path, *, every: bool = False) -> Bisection:
    """Run cells of a series until it is known where the outcome changes.

    Parameters
    ----------
    results
        Where the records are kept; for the report.
    every
        Run the cell at every value, which shows a series that changes more than once.
    """
    tried: dict[int, Tried] = {}

    def ask(place: int) -> Verdict:
        cell = series.cells[place]
        record, control = measure(cell, _control_of(cell))
        tried[place] = Tried(value=series.values[place], record=record, control=control)
        return tried[place].verdict

    found = search(len(series.cells), ask, every=every)
    return Bisection(
        series=series,
        tried=tried,
        boundaries=found.boundaries,
        every=every,
        results=results,
    )


def _control_of(cell: Cell) -> Cell | None:
    if cell.control is None:
        return None
    return msgspec.structs.replace(
        cell, id=cell.control, axes=control_axes(cell.axes), control=None, implied=True
    )


def runner(series: Series, settings: Settings) -> Measure:
    """Return what runs one cell with its control as ``harness run`` does, or knows the result.

    With ``settings.fresh`` each cell is run once more, and a control that several share once.
    """
    done: set[str] = set()

    def measure(cell: Cell, control: Cell | None) -> tuple[CellRecord, CellRecord | None]:
        cells = (cell,) if control is None else (control, cell)
        ids = frozenset(each.id for each in cells)
        run_plan(
            Plan(matrix=f"bisect-{series.matrix}", source=series.source, cells=cells),
            msgspec.structs.replace(
                settings,
                fresh=False,
                anew=ids - done if settings.fresh else frozenset(),
                partial=True,
                report=False,
            ),
        )
        done.update(ids)
        records = {record.id: record for record in load(settings.results).cells}
        return records[cell.id], None if control is None else records.get(control.id)

    return measure
