"""Runs cells that no plan has: what shows whether a remedy helps.

They go the way of planned cells (the same preparation, pools, limits and sandbox), and leave
their logs in the folder of the cell that the remedy is for.  None of them is journalled: that is
for those who asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from harness.errors import HarnessError
from harness.executors.base import Executor, Order, Watch, need
from harness.folders import refuse_links
from harness.matrix.expand import control_axes
from harness.model.cell import Cell, Plan
from harness.model.environment import SourceTree, Store
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.paths.base import IntegrationPath
from harness.results.regular import read_regular
from harness.workflow.bridges import tree_of
from harness.workflow.changing import Changed
from harness.workflow.display import Display
from harness.workflow.explaining import explain
from harness.workflow.keys import cell_key
from harness.workflow.measuring import refused
from harness.workflow.preparing import Preparation
from harness.workflow.scheduler import Scheduler, Task

_LARGEST = 2**20
"""Bytes that are read of a script; one has some thousand."""
CONTROL = "-control"
"""What the folder of a control's logs ends with."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A changed cell that is to be run.

    ``key`` is what ``Bench.key`` says; ``logs`` the folder for its logs, below that of the
    results; ``why`` says in a few words what it is for.
    """

    changed: Changed
    key: str
    logs: str
    why: str


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the run has that remedies are tried in.

    ``pools`` are the numbers of threads by pool; ``results`` is the folder of the results;
    ``known`` are the records of planned cells by id, and ``cran`` and ``trees`` where bridges
    come from.  ``executor`` measures.
    """

    preparation: Preparation
    store: Store
    paths: Mapping[str, IntegrationPath]
    known: Mapping[str, CellRecord]
    display: Display
    pools: Mapping[str, int]
    cancel: threading.Event
    results: Path
    cran: str
    trees: Mapping[str, SourceTree]
    executor: Executor


class Bench:
    """Runs changed cells with their controls, each control once."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._controls: dict[str, CellRecord] = {}
        self._faults: dict[str, str] = {}

    def key(self, changed: Changed) -> str:
        """Return a digest of what is asked; that of a planned cell where it asks the same."""
        key = self._cell_key(changed.cell)
        extra = changed.variables_digest
        return f"{key}-{extra}" if extra else key

    def variables(self, cell: str) -> frozenset[str] | None:
        """Return the names of the variables that a cell was run with, as its logs say."""
        texts = []
        for script in (self._around.results / "cells" / cell).glob("command*.sh"):
            with suppress(OSError):
                texts.append(read_regular(script, _LARGEST).decode("utf-8", "replace"))
        if not texts:
            return None
        lines = "\n".join(texts).splitlines()
        words = (line.partition("=")[0].removeprefix("export ") for line in lines)
        return frozenset(word for word in words if word.isidentifier())

    def run(self, attempts: Sequence[Attempt], done: Callable[[Attempt, CellRecord], None]) -> None:
        """Run all, each with its control before it; tell of each as it ends.

        ``done`` is called by several threads.  What the machine cannot do is the attempt's own,
        with the status ``unavailable``.

        Raises
        ------
        KeyboardInterrupt
            Once those that were running have been ended.
        """
        around = self._around
        around.display.note(
            f"trying {_remedies(len(attempts))} for what did not pass; "
            "--no-remedies leaves that out"
        )
        cells = [attempt.changed.cell for attempt in attempts]
        controls = {
            control.id: control
            for cell in cells
            if (control := _control_of(cell)) is not None and self._control(control) is None
        }
        if around.executor.is_here:
            asked = Plan(matrix="", source="", cells=(*controls.values(), *cells))
            around.preparation.resolve(asked, around.store, around.cancel)
        tasks: dict[str, Task] = {}
        for control in controls.values():
            first = next(one for one in attempts if one.changed.cell.control == control.id)
            logs = first.logs + CONTROL
            tasks[control.id] = self._task(
                control.id, control, tasks, partial(self._run_control, control, logs)
            )
        for attempt in attempts:
            name = f"trial {attempt.key}"
            run = partial(self._run_attempt, attempt, done)
            tasks[name] = self._task(name, attempt.changed.cell, tasks, run)
        Scheduler(around.pools, around.cancel).run(tasks.values())

    def _task(self, name: str, cell: Cell, tasks: dict[str, Task], run: Callable[[], None]) -> Task:
        """Return the task of one cell, having added what prepares it."""
        needs = {cell.control} if cell.control in tasks else set[str]()
        if self._around.executor.is_here and not self._is_refused(cell):
            for what, make in self._preparations(cell):
                needs.add(what)
                tasks.setdefault(what, Task(name=what, pool="prepare", run=make))
        priority = 0 if cell.control is None else 1
        return Task(
            name=name,
            pool="cell",
            run=run,
            needs=frozenset(filter(None, needs)),
            priority=priority,
            lane="" if self._around.executor.is_here else need(cell),
        )

    def _is_refused(self, cell: Cell) -> bool:
        path = self._around.paths[cell.axes.path]
        return self._around.preparation.is_refused(cell) or refused(cell, path) is not None

    def _preparations(self, cell: Cell) -> list[tuple[str, Callable[[], None]]]:
        preparation = self._around.preparation
        python, r = preparation.python_name(cell), preparation.r_name(cell)
        made = [(python, partial(preparation.python, python, cell.axes))]
        if r is not None:
            made.append((r, partial(preparation.r, r, cell.axes)))
        return [
            (name, partial(self._prepare, name, make))
            for name, make in made
            if not preparation.has(name)
        ]

    def _prepare(self, name: str, make: Callable[[], None]) -> None:
        try:
            make()
        except HarnessError as error:
            # A remedy that this machine cannot try costs no planned result.
            self._faults[name] = str(error)

    def _run_control(self, control: Cell, logs: str) -> None:
        record = self._measured(control, logs, Changed(cell=control, words=""))
        if record is not None:
            self._controls[self._cell_key(control)] = record

    def _run_attempt(self, attempt: Attempt, done: Callable[[Attempt, CellRecord], None]) -> None:
        display = self._around.display
        display.trying(attempt.why)
        try:
            record = self._measured(attempt.changed.cell, attempt.logs, attempt.changed)
        finally:
            display.tried(attempt.why)
        if record is not None:
            done(attempt, record)

    def _measured(self, cell: Cell, logs: str, changed: Changed) -> CellRecord | None:
        """Return the record of a cell; ``None`` where it was stopped before its end."""
        around = self._around
        is_here = around.executor.is_here
        control = _control_of(cell)
        order = Order(
            cell=cell,
            control=None if control is None else self._control(control),
            variables=changed.variables,
            unset=changed.unset,
            cran=around.cran,
        )
        try:
            record = refused(cell, around.paths[cell.axes.path]) if is_here else None
            if record is None:
                self._require_prepared(cell)
                refuse_links(around.results, logs)
                watch = Watch(cancel=around.cancel)
                record = around.executor.measure(order, around.results / logs, watch).record
        except HarnessError as error:
            record = _not_here(cell, str(error))
        except Exception as error:  # noqa: BLE001 - a trial must not end the run
            record = _not_here(
                cell, f"the harness itself failed ({type(error).__name__}: {error}); please report"
            )
        if around.cancel.is_set():
            return None
        return explain(record)

    def _require_prepared(self, cell: Cell) -> None:
        """Raise what kept a thing from being made that the cell needs."""
        preparation = self._around.preparation
        if not preparation.is_refused(cell):
            for name in (preparation.python_name(cell), preparation.r_name(cell)):
                if name in self._faults:
                    raise HarnessError(self._faults[name])

    def _control(self, control: Cell) -> CellRecord | None:
        """Return what is known of a control: a planned one stands for all who have its id."""
        planned = self._around.known.get(control.id)
        return planned or self._controls.get(self._cell_key(control))

    def _cell_key(self, cell: Cell) -> str:
        tree = tree_of(cell, self._around.trees)
        return cell_key(
            cell,
            self._around.paths[cell.axes.path],
            self._around.cran,
            "" if tree is None else tree.digest,
        )


def _remedies(number: int) -> str:
    return "1 remedy" if number == 1 else f"{number} remedies"


def _control_of(cell: Cell) -> Cell | None:
    if cell.control is None:
        return None
    return msgspec.structs.replace(
        cell, id=cell.control, axes=control_axes(cell.axes), control=None, implied=True
    )


def _not_here(cell: Cell, message: str) -> CellRecord:
    return CellRecord(
        id=cell.id, axes=cell.axes.as_dict(), status=Status.UNAVAILABLE, message=message
    )
