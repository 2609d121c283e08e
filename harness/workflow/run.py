"""A run, from a plan to results: what ``harness run`` does, step by step."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

import msgspec
import psutil

from harness import __version__
from harness.errors import ExitCode, HarnessError
from harness.journal.writer import Journal
from harness.model.cell import Cell, Plan
from harness.model.environment import SourceTree
from harness.model.record import CellRecord, Trial
from harness.model.status import Status
from harness.paths.base import IntegrationPath
from harness.provision.provisioner import Provisioner
from harness.provision.r.source import address_of
from harness.provision.store import FolderStore, default_root
from harness.registry import Registry
from harness.resolve import Resolver
from harness.results.load import load
from harness.results.machine import this_machine
from harness.results.save import save
from harness.workflow.bridges import Named, bring_trees, tree_of
from harness.workflow.changing import Changer
from harness.workflow.display import Display, make_display
from harness.workflow.explaining import explain
from harness.workflow.keys import cell_key
from harness.workflow.measuring import Measurement, measure, refused
from harness.workflow.preparing import Preparation
from harness.workflow.proving import Prover, cases
from harness.workflow.registry import paths
from harness.workflow.reporting import render
from harness.workflow.scheduler import Scheduler, Task
from harness.workflow.trying import Bench, Surroundings
from harness.workflow.versions import Versions

_NOTE_WIDTH = 300
PREPARING = 3
"""Things that are made at once, beside the cells: an R mostly waits for the network."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a plan is run.

    ``jobs`` cells run at once; ``None`` is one for each core.  ``partial`` says that the plan
    is a selection, which leaves the results of other cells as they are.  ``cran`` is the
    repository of R packages that no R brings; ``None`` takes that of the environment.
    ``bridges`` are what the user named for each path; the plan has them already.  ``anew`` are
    cells that are run whatever has a result, as ``fresh`` does for all.  ``report`` is off for a
    run that is a step of something else, which says itself what came of it.  With ``remedies``,
    what the catalogue of causes advises for the cells that did not pass is tried.  A cell that
    does not pass is run ``again`` so many times, to see whether it does so each time.
    """

    results: Path
    jobs: int | None = None
    fresh: bool = False
    quiet: bool = False
    partial: bool = False
    cran: str | None = None
    bridges: tuple[Named, ...] = ()
    anew: frozenset[str] = frozenset()
    report: bool = True
    remedies: bool = False
    again: int = 0


def run_plan(plan: Plan, settings: Settings) -> int:
    """Run the cells that have no result yet, write ``results.json``, print the report.

    Raises
    ------
    UsageError
        A bridge's source tree is none; nothing was run.
    MachineFault
        The results cannot be written; what is in the journal is whole, and a run with the
        same arguments goes on from there.
    KeyboardInterrupt
        After every cell that was running has been ended.
    """
    # A cell sees its folder at the same path, and a path that it sees must be whole.
    settings = msgspec.structs.replace(settings, results=settings.results.absolute())
    display = make_display(quiet=settings.quiet)
    store = FolderStore(default_root(), notify=display.note)
    # Before the journal is begun anew: a tree that cannot be had costs no result.
    trees = bring_trees(settings.bridges, store=store, notify=display.note)
    with Journal(settings.results, fresh=settings.fresh and not settings.partial) as journal:
        run = _Run(plan, settings, journal, display, Workshop(store=store, trees=trees))
        try:
            run.execute()
        finally:
            display.finished()
            save(load(settings.results), settings.results)
    if settings.report and not settings.quiet:
        sys.stdout.write(render(settings.results, "terminal", to_terminal=True))
    return _exit_code(plan, settings.results)


def _exit_code(plan: Plan, folder: Path) -> ExitCode:
    planned = {cell.id for cell in plan.cells}
    counts = Counter(cell.status for cell in load(folder).cells if cell.id in planned)
    return ExitCode.NOT_MEASURED if counts[Status.MISSING] else ExitCode.OK


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """What a run makes things in, and the source trees that it makes bridges from."""

    store: FolderStore
    trees: dict[str, SourceTree]


class _Run:
    """The state of one run: what is known of each cell, and who is told of it."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        journal: Journal,
        display: Display,
        workshop: Workshop,
    ) -> None:
        self.plan = plan
        self.workshop = workshop
        self.settings = settings
        self.journal = journal
        self.display = display
        self.cancel = threading.Event()
        self.paths = paths()
        cran = address_of(settings.cran)
        self.keys = {
            cell.id: cell_key(
                cell,
                self.paths[cell.axes.path],
                cran,
                "" if (tree := tree_of(cell, workshop.trees)) is None else tree.digest,
            )
            for cell in plan.cells
        }
        self.known = self._known()
        self.jobs = settings.jobs or len(os.sched_getaffinity(0))
        self.cran = cran
        self.pools = {"prepare": PREPARING, "cell": self.jobs}

    def _known(self) -> dict[str, CellRecord]:
        """Return the results that there are already for what is asked now."""
        journal = self.settings.results / "journal.jsonl"
        if self.settings.fresh or not journal.exists() or not journal.stat().st_size:
            return {}
        return {
            record.id: record
            for record in load(self.settings.results).cells
            if record.status is not Status.MISSING
            and record.key == self.keys.get(record.id)
            and record.id not in self.settings.anew
        }

    def execute(self) -> None:
        """Plan, prepare, measure; every event goes to the journal as it happens."""
        todo = [cell for cell in self.plan.cells if cell.id not in self.known]
        self._announce()
        if self.known and self.settings.report:
            self.display.note(
                f"{len(self.known)} cells have a result already; --fresh runs them anew"
            )
        self.display.started(len(todo), self.jobs)
        try:
            if todo:
                Scheduler(self.pools, self.cancel).run(self._tasks(todo))
            if self.settings.remedies:
                self._prove()
        except BaseException:
            _end_children()
            raise
        self.journal.append("run-finished", at=_now())

    def _announce(self) -> None:
        self.journal.append(
            "run-started",
            at=_now(),
            matrix=self.plan.matrix,
            harness=__version__,
            machine=msgspec.to_builtins(this_machine()),
        )
        cells = [
            {
                "id": cell.id,
                "axes": cell.axes.as_dict(),
                "key": self.keys[cell.id],
                "implied": cell.implied,
                "control": cell.control,
            }
            for cell in self.plan.cells
        ]
        self.journal.append(
            "planned", cells=cells, partial=self.settings.partial, whole=self.plan.whole
        )

    def _tasks(self, todo: list[Cell]) -> list[Task]:
        """Return what is to be done: things to prepare once, and the cells that need them."""
        preparation = self.preparation
        refusals = {cell.id: refused(cell, self.paths[cell.axes.path]) for cell in todo}
        tried = tuple(cell for cell in todo if refusals[cell.id] is None)
        # Before anything is installed: what cannot exist is said at once, and costs nothing.
        asked = msgspec.structs.replace(self.plan, cells=tried)
        preparation.resolve(asked, self.workshop.store, self.cancel)
        tasks: dict[str, Task] = {}
        for cell in todo:
            path = self.paths[cell.axes.path]
            refusal = refusals[cell.id]
            needs: set[str] = set()
            if refusal is None and not preparation.is_refused(cell):
                for name, make in self._preparations(cell, preparation):
                    needs.add(name)
                    # An R takes longest, so it is begun first.
                    first = -1 if name.startswith("R ") else 0
                    task = Task(name=name, pool="prepare", run=make, priority=first)
                    tasks.setdefault(name, task)
            if cell.control is not None and not preparation.is_refused(cell):
                needs.add(cell.control)
            tasks[cell.id] = Task(
                name=cell.id,
                pool="cell",
                run=partial(self._measure, cell, path, preparation, refusal),
                needs=frozenset(needs),
                # Others wait for the controls.
                priority=0 if cell.control is None else 1,
            )
        return list(tasks.values())

    @cached_property
    def provisioner(self) -> Provisioner:
        """Made when something is to be run: a run that has every result needs none."""
        return Provisioner(
            self.workshop.store,
            self.display.note,
            cran=self.settings.cran,
            trees=self.workshop.trees,
        )

    @cached_property
    def preparation(self) -> Preparation:
        """What cells need, remembered from the planned cells to the remedies."""
        return Preparation(
            self.provisioner,
            Resolver(self.workshop.store, self.provisioner.sources),
            tuple(self.paths.values()),
            self.display,
        )

    @staticmethod
    def _preparations(cell: Cell, preparation: Preparation) -> list[tuple[str, Callable[[], None]]]:
        python = preparation.python_name(cell)
        made: list[tuple[str, Callable[[], None]]] = [
            (python, partial(preparation.python, python, cell.axes))
        ]
        r = preparation.r_name(cell)
        if r is not None:
            made.append((r, partial(preparation.r, r, cell.axes)))
        return made

    def _measure(
        self,
        cell: Cell,
        path: IntegrationPath,
        preparation: Preparation,
        refusal: CellRecord | None,
    ) -> None:
        """Run one cell to its record; whatever goes wrong with it is its own."""
        self.display.cell_started(cell.id)
        self.journal.append("cell-started", id=cell.id, key=self.keys[cell.id], at=_now())
        try:
            record = refusal or self._measured(cell, path, preparation)
        except HarnessError:
            # The disk is full, or the like: no other cell would fare better.
            raise
        except Exception as error:  # noqa: BLE001 - one cell must not end the others
            record = _defect(cell, error)
        if self.cancel.is_set() and record.status is Status.MISSING:
            return
        record = explain(msgspec.structs.replace(record, key=self.keys[cell.id]))
        self.known[cell.id] = record
        self.journal.append("cell-finished", record=record)
        self.display.cell_finished(record)

    def _measured(self, cell: Cell, path: IntegrationPath, preparation: Preparation) -> CellRecord:
        """Run a cell, and again where it does not pass and that was asked for."""
        folder = self.settings.results / "cells" / cell.id
        measurement = Measurement(
            cell=cell,
            path=path,
            prepared=preparation.of_cell(cell, path),
            control=None if cell.control is None else self.known.get(cell.control),
            folder=folder,
            cancel=self.cancel,
            on_phase=partial(self.display.cell_phase, cell.id),
        )
        record = measure(measurement)
        attempts = [record.status]
        for number in range(2, self.settings.again + 2 if record.status.is_problem else 2):
            other = msgspec.structs.replace(measurement, folder=folder / f"attempt-{number}")
            status = measure(other).status
            if self.cancel.is_set():
                break
            attempts.append(status)
        if len(attempts) > 1:
            record = msgspec.structs.replace(record, attempts=tuple(attempts))
        return record

    def _prove(self) -> None:
        """Try the remedies of the cells that did not pass."""
        open_cases = list(cases(self.plan, self.known))
        if not open_cases:
            return
        bench = Bench(
            Surroundings(
                preparation=self.preparation,
                store=self.workshop.store,
                paths=self.paths,
                known=self.known,
                display=self.display,
                pools=self.pools,
                cancel=self.cancel,
                results=self.settings.results,
                cran=self.cran,
                trees=self.workshop.trees,
            )
        )
        registry = Registry(self.workshop.store, self.provisioner.sources)
        versions = Versions(registry, self.provisioner)
        changer = Changer(self.plan, versions, bench.variables)
        Prover(changer, bench, load(self.settings.results).cells, self._tell).prove(open_cases)

    def _tell(self, record: CellRecord, trial: Trial) -> None:
        self.journal.append("remedy-tried", id=record.id, key=record.key, trial=trial)
        said = {True: "verified", False: "of no help", None: "not tried"}[trial.verified]
        why = f": {trial.message}" if trial.message else ""
        change = f" ({trial.change})" if trial.change else ""
        text = f"remedy {trial.remedy}{change} {said} for {record.id}{why}"
        self.display.note(textwrap.shorten(text, _NOTE_WIDTH))


def _defect(cell: Cell, error: Exception) -> CellRecord:
    """Return the record of a cell that the harness itself could not deal with."""
    return CellRecord(
        id=cell.id,
        axes=cell.axes.as_dict(),
        status=Status.MISSING,
        message=f"the harness itself failed ({type(error).__name__}: {error}); please report it",
        evidence={"traceback": "".join(traceback.format_exception(error))},
        control=cell.control,
        implied=cell.implied,
    )


def _end_children() -> None:
    """End what provisioning had started; what it had half built is built anew next time."""
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
