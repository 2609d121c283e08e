"""Carries out an order on the machine that it is called on, from the cell to its record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec

from harness import __version__
from harness.errors import MachineFault
from harness.executors.base import Answer, Order, Watch
from harness.model.cell import Cell, Plan
from harness.model.document import Machine
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.paths.base import IntegrationPath
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.results.machine import this_machine
from harness.workflow.display import QuietDisplay
from harness.workflow.keys import cell_key
from harness.workflow.measuring import Measurement, measure, refused
from harness.workflow.preparing import Preparation, Prepared
from harness.workflow.registry import paths


def carry_out(order: Order, prepared: Prepared, folder: Path, watch: Watch) -> CellRecord:
    """Run a cell, and again where it does not pass and that was asked for."""
    measurement = Measurement(
        cell=order.cell,
        path=paths()[order.cell.axes.path],
        prepared=prepared,
        control=order.control,
        folder=folder,
        cancel=watch.cancel,
        on_phase=watch.on_phase,
        variables=order.variables,
        unset=order.unset,
    )
    record = measure(measurement)
    attempts = [record.status]
    for number in range(2, order.again + 2 if record.status.is_problem else 2):
        other = msgspec.structs.replace(measurement, folder=folder / f"attempt-{number}")
        status = measure(other).status
        if watch.cancel.is_set():
            break
        attempts.append(status)
    if len(attempts) > 1:
        record = msgspec.structs.replace(record, attempts=tuple(attempts))
    return record


def carry_out_elsewhere(order: Order, folder: Path, watch: Watch) -> Answer:
    """Carry out an order on a machine that knows nothing but the order: prepare, and measure.

    What the cell needs is made here once, however many processes of this machine ask for it:
    the store's locks see to that.

    Raises
    ------
    MachineFault
        This machine could not do it, or its harness is of other code than the one that asks.
    """
    cell = order.cell
    path = paths().get(cell.axes.path)
    if path is None or (order.key and order.key != cell_key(cell, path, order.cran or "")):
        raise MachineFault(
            f"its harness ({__version__}) is not of the same code as the one that started the "
            "run: install the same on every machine, with the same paths and probes"
        )
    record = refused(cell, path)
    if record is None:
        with _bench(order.run, order.cran) as bench:
            watch.on_phase("provision")
            prepared = bench.prepared(cell, path, watch.cancel)
            # Whoever stopped the run wants no record of it.
            record = (
                CellRecord(id=cell.id, axes=cell.axes.as_dict(), status=Status.MISSING)
                if prepared is None
                else carry_out(order, prepared, folder, watch)
            )
    return Answer(record=record, machine=_machine())


class Bench:
    """Prepares single cells, each thing once, for several threads; what was made stays known."""

    def __init__(self, store: FolderStore, preparation: Preparation) -> None:
        self._store = store
        self._preparation = preparation
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self.cells = 0
        """How many are at work with it now."""
        self.idle_since = time.monotonic()

    def close(self) -> None:
        """Let go of what was made: it may be pruned, or put right where it is damaged."""
        self._store.close()

    def prepared(
        self, cell: Cell, path: IntegrationPath, cancel: threading.Event
    ) -> Prepared | None:
        """Return what a cell needs, or why it cannot have it; ``None`` where it was cancelled."""
        preparation = self._preparation
        python, r = preparation.python_name(cell), preparation.r_name(cell)
        with self._lock(f"resolve {python}"):
            preparation.resolve(Plan(matrix="", source="", cells=(cell,)), self._store, cancel)
        if cancel.is_set():
            return None
        if not preparation.is_refused(cell):
            self._once(python, lambda: preparation.python(python, cell.axes))
            if r is not None:
                self._once(r, lambda: preparation.r(r, cell.axes))
        return None if cancel.is_set() else preparation.of_cell(cell, path)

    def _once(self, name: str, make: Callable[[], None]) -> None:
        with self._lock(name):
            if not self._preparation.has(name):
                make()

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())


_KEPT = 4
_IDLE_S = 600.0
"""After so long without a cell, a run has ended for all that is known here."""
_BENCHES: dict[tuple[str, str | None], Bench] = {}
_GUARD = threading.Lock()


@contextmanager
def _bench(run: str, cran: str | None) -> Iterator[Bench]:
    """Give a cell what its run has made in this process; another run asks anew what can be had."""
    with _GUARD:
        bench = _BENCHES.get((run, cran))
        if bench is None:
            _let_go()
            store = FolderStore(default_root())
            provisioner = Provisioner(store, cran=cran)
            resolver = Resolver(store, provisioner.sources)
            every = tuple(paths().values())
            bench = Bench(store, Preparation(provisioner, resolver, every, QuietDisplay()))
            _BENCHES[run, cran] = bench
        bench.cells += 1
    try:
        yield bench
    finally:
        with _GUARD:
            bench.cells -= 1
            bench.idle_since = time.monotonic()


def _let_go() -> None:
    """Close what runs have made of which no cell has come for a while, and beyond a few."""
    long_ago = time.monotonic() - _IDLE_S
    idle = [name for name, bench in _BENCHES.items() if not bench.cells]
    idle.sort(key=lambda name: _BENCHES[name].idle_since)
    for name in idle:
        if len(_BENCHES) >= _KEPT or _BENCHES[name].idle_since < long_ago:
            _BENCHES.pop(name).close()


@cache
def _machine() -> Machine:
    return this_machine()
