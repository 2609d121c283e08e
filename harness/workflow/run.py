"""A run, from a plan to results: what ``harness run`` does, step by step."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

import msgspec
import psutil

from harness import __version__
from harness.errors import ExitCode, FileFault, HarnessError, UsageError, disk_fault
from harness.executors.address import LOCAL, read_executor
from harness.executors.base import Answer, Executor, Order, Watch, need
from harness.executors.local import LocalExecutor
from harness.folders import real, refuse_links
from harness.journal.writer import PREVIOUS, Journal
from harness.model.cell import Cell, Plan
from harness.model.document import Other
from harness.model.environment import SourceTree
from harness.model.record import CellRecord, Trial
from harness.model.status import Status
from harness.provision.provisioner import Provisioner
from harness.provision.r.source import address_of
from harness.provision.store import FolderStore, default_root
from harness.registry import Registry
from harness.resolve import Resolver
from harness.results.load import (
    DOCUMENT,
    JOURNAL,
    PACKED,
    NoRun,
    load,
    load_journal,
    read_events,
)
from harness.results.machine import this_machine
from harness.results.save import save
from harness.workflow.bridges import Named, bring_trees, tree_of
from harness.workflow.changing import Changer
from harness.workflow.display import Display, make_display
from harness.workflow.explaining import explain
from harness.workflow.keys import cell_key
from harness.workflow.measuring import refused
from harness.workflow.preparing import Preparation
from harness.workflow.proving import Prover, cases
from harness.workflow.registry import paths
from harness.workflow.reporting import render
from harness.workflow.scheduler import Scheduler, Task
from harness.workflow.trying import Bench, Surroundings
from harness.workflow.versions import Versions
from harness.workflow.working import carry_out, carry_out_elsewhere

_NOTE_WIDTH = 300
_GO_ON = " and run the same command again, which goes on where this run stopped"
_BOUNDED = frozenset({Status.TIMEOUT, Status.OOM})
"""How a cell ends that may end otherwise where it may take more."""
PREPARING = 3
"""Things that are made at once, beside the cells: an R mostly waits for the network."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a plan is run.

    ``jobs`` cells run at once; ``None`` is one for each core.  ``partial`` says that the plan
    is a selection, which leaves the results of other cells as they are.  ``cran`` is the
    repository of R packages that no R brings; ``None`` takes that of the environment.
    ``bridges`` are what the user named for each path; the plan has them already.  ``trees`` are
    their source trees, where they were brought already.  ``anew`` are
    cells that are run whatever has a result, as ``fresh`` does for all.  ``report`` is off for a
    run that is a step of something else, which says itself what came of it.  With ``remedies``,
    what the catalogue of causes advises for the cells that did not pass is tried.  A cell that
    does not pass is run ``again`` so many times, to see whether it does so each time.
    ``executor`` says where cells are measured: ``local``, or the address of a Dask scheduler.
    ``prepared`` is what cells need, where it was brought already: that of a bundle.
    """

    results: Path
    jobs: int | None = None
    fresh: bool = False
    quiet: bool = False
    partial: bool = False
    cran: str | None = None
    bridges: tuple[Named, ...] = ()
    trees: dict[str, SourceTree] | None = None
    anew: frozenset[str] = frozenset()
    report: bool = True
    remedies: bool = False
    again: int = 0
    executor: str = LOCAL
    prepared: Preparation | None = None


def run_plan(plan: Plan, settings: Settings) -> int:
    """Run the cells that have no result yet, write ``results.json``, print the report.

    Raises
    ------
    UsageError
        A bridge's source tree is none, or the executor, or what should be a folder of the results
        is a link; nothing was run.
    MachineFault
        The results cannot be written, or the cluster is out of reach; what is in the journal is
        whole, and a run with the same arguments goes on from there.
    KeyboardInterrupt
        After every cell that was running has been ended.
    """
    # A cell sees its folder at the same path, and a path that it sees must be whole.
    settings = msgspec.structs.replace(settings, results=real(settings.results))
    display = make_display(quiet=settings.quiet)
    # What it used is free when it has ended, also where the process goes on to other runs.
    with FolderStore(default_root(), notify=display.note) as store:
        # Before the journal is begun anew: a tree that cannot be had costs no result, nor does a
        # cluster out of reach.
        trees = settings.trees
        if trees is None:
            trees = bring_trees(settings.bridges, store=store, notify=display.note)
        remote = _remote(settings, trees, display)
        try:
            execute(plan, settings, display, Workshop(store=store, trees=trees, remote=remote))
        finally:
            if remote is not None:
                remote.close()
    if settings.report and not settings.quiet:
        sys.stdout.write(render(settings.results, "terminal", to_terminal=True))
    return exit_code_of(plan, settings.results)


_NOTHING_KNOWN = frozenset({Status.MISSING, Status.UNAVAILABLE, Status.SKIPPED})
"""How a cell ended of which nothing is known; that none can exist is known."""


def execute(plan: Plan, settings: Settings, display: Display, workshop: Workshop) -> None:
    """Run the cells that have no result yet, and write ``results.json``.  Raises as above."""
    # Now, and not after hours at the cell whose folder it is.
    refuse_links(settings.results, *(f"cells/{cell.id}" for cell in plan.cells))
    with Journal(settings.results, fresh=settings.fresh and not settings.partial) as journal:
        run = _Run(plan, settings, journal, display, workshop)
        try:
            run.execute()
        except BaseException:
            display.finished()
            # What ended the run is what to tell, also where its disk takes no results either.
            with suppress(HarnessError):
                save(load(settings.results), settings.results)
            raise
        display.finished()
        save(load(settings.results), settings.results)


def exit_code_of(plan: Plan, folder: Path) -> ExitCode:
    """Return how a run of ``plan`` ends: 3 where a cell, or every cell, was not measured."""
    planned = {cell.id for cell in plan.cells}
    counts = Counter(cell.status for cell in load(folder).cells if cell.id in planned)
    # Some cells cannot be had on any machine; a run without a single one that can says nothing.
    nothing = planned and not counts.keys() - _NOTHING_KNOWN
    return ExitCode.NOT_MEASURED if counts[Status.MISSING] or nothing else ExitCode.OK


def _remote(settings: Settings, trees: dict[str, SourceTree], display: Display) -> Executor | None:
    """Return what measures the cells elsewhere, or ``None`` where this process does."""
    address = read_executor(settings.executor)
    if address is None:
        return None
    if trees:
        raise UsageError(
            f"--executor {settings.executor}: the workers have not got the source tree of "
            f"{', '.join(sorted(trees))}; give --bridge a version, or run on this machine"
        )
    # Dask takes a second to load, and most runs do without.
    from harness.executors.dask import DaskExecutor

    return DaskExecutor(address, carry_out_elsewhere, jobs=settings.jobs, notify=display.note)


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """What a run makes things in, and the source trees that it makes bridges from.

    ``remote`` measures the cells, where this process does not.
    """

    store: FolderStore
    trees: dict[str, SourceTree]
    remote: Executor | None = None


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
        jobs = settings.jobs or len(os.sched_getaffinity(0))
        self.executor = workshop.remote or LocalExecutor(self._carry_out, jobs)
        self.cran = cran
        here = {"prepare": PREPARING} if self.executor.is_here else {}
        self.pools = {**here, "cell": self.executor.jobs}
        self.machine = this_machine()

    def _known(self) -> dict[str, CellRecord]:
        """Return the results that there are already for what is asked now.

        What could not be had is asked for again: a network, a mirror or a graphics card may be
        within reach by now.  So is what ended at a limit that the matrix has changed since.
        """
        # Also where nothing of it is asked for: what cannot be read now cannot be at the end.
        recorded = self._recorded()
        if self.settings.fresh:
            return {}
        other = self._ended_at_other_limits(recorded)
        return {
            record.id: record
            for record in recorded
            if record.status not in {Status.MISSING, Status.UNAVAILABLE}
            and record.key == self.keys.get(record.id)
            and record.id not in self.settings.anew
            and record.id not in other
        }

    def _ended_at_other_limits(self, recorded: Iterable[CellRecord]) -> set[str]:
        """Return the cells that ended at a limit of time or memory which is another one now."""
        ended = {record.id: record.key for record in recorded if record.status in _BOUNDED}
        if not ended:
            return set()
        then: dict[str, object] = {}
        for _, event in read_events(self.settings.results / JOURNAL):
            if event is not None and event.get("event") == "cell-finished":
                record = event["record"]
                if ended.get(record["id"]) == record.get("key", ""):
                    # Of a harness that kept none, nothing is known.
                    then[record["id"]] = event.get("limits")
        now = {cell.id: msgspec.to_builtins(cell.limits) for cell in self.plan.cells}
        return {name for name, limits in then.items() if limits and limits != now.get(name)}

    def _recorded(self) -> tuple[CellRecord, ...]:
        """Return what the folder's journal tells, also of what is not asked for now."""
        folder = self.settings.results
        told = _told(folder / JOURNAL)
        if told is not None:
            return told
        kept = next((name for name in (DOCUMENT, PACKED) if (folder / name).exists()), None)
        # Beside a journal that ``--fresh`` has put aside, they are of the run which that tells of.
        if kept is not None and not _tells_of_a_run(folder / PREVIOUS):
            # Made by `harness merge`, or brought here: the end of this run would write over it.
            raise UsageError(
                f"{folder} has {kept} and no journal of a run, so a run there would write over "
                "these results: name another folder with --results, and then put both together "
                "with `harness merge`"
            )
        return ()

    def execute(self) -> None:
        """Plan, prepare, measure; every event goes to the journal as it happens."""
        todo = [cell for cell in self.plan.cells if cell.id not in self.known]
        self._announce()
        if self.known and self.settings.report:
            self.display.note(
                f"{len(self.known)} cells have a result already; --fresh runs them anew"
            )
        self.display.started(len(todo), self.executor.places)
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
            machine=self.machine,
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
        others = [
            Other(id=cell.id, axes=cell.axes.as_dict(), control=cell.control, implied=cell.implied)
            for cell in self.plan.others
        ]
        self.journal.append(
            "planned",
            cells=cells,
            partial=self.settings.partial,
            whole=self.plan.whole,
            **({"others": others} if others else {}),
        )

    def _tasks(self, todo: list[Cell]) -> list[Task]:
        """Return what is to be done: things to prepare once, and the cells that need them."""
        refusals = {cell.id: self._refused(cell) for cell in todo}
        if self.executor.is_here:
            tried = tuple(cell for cell in todo if refusals[cell.id] is None)
            # Before anything is installed: what cannot exist is said at once, and costs nothing.
            asked = msgspec.structs.replace(self.plan, cells=tried)
            self.preparation.resolve(asked, self.workshop.store, self.cancel)
        tasks: dict[str, Task] = {}
        for cell in todo:
            refusal = refusals[cell.id]
            needs: set[str] = set()
            is_refused = self.executor.is_here and self.preparation.is_refused(cell)
            if self.executor.is_here and refusal is None and not is_refused:
                for name, make in self._preparations(cell, self.preparation):
                    needs.add(name)
                    # An R takes longest, so it is begun first.
                    first = -1 if name.startswith("R ") else 0
                    task = Task(name=name, pool="prepare", run=make, priority=first)
                    tasks.setdefault(name, task)
            if cell.control is not None and not is_refused:
                needs.add(cell.control)
            tasks[cell.id] = Task(
                name=cell.id,
                pool="cell",
                run=partial(self._measure, cell, refusal),
                needs=frozenset(needs),
                # Others wait for the controls.
                priority=0 if cell.control is None else 1,
                lane="" if self.executor.is_here else need(cell),
            )
        return list(tasks.values())

    def _refused(self, cell: Cell) -> CellRecord | None:
        """Return the record of a cell that need not be tried, wherever it would be."""
        refusal = refused(cell, self.paths[cell.axes.path])
        if refusal is None or self.executor.is_here or refusal.status is Status.UNSUPPORTED:
            return refusal
        # What this machine has not got, a worker may have.
        return None

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
        if self.settings.prepared is not None:
            return self.settings.prepared
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

    def _measure(self, cell: Cell, refusal: CellRecord | None) -> None:
        """Run one cell to its record; whatever goes wrong with it is its own."""
        begun = partial(self._begun, cell)
        machine = None
        try:
            if refusal is None:
                order = Order(
                    cell=cell,
                    key=self.keys[cell.id],
                    control=None if cell.control is None else self.known.get(cell.control),
                    again=self.settings.again,
                    cran=self.cran,
                )
                on_phase = partial(self.display.cell_phase, cell.id)
                answer = self.executor.measure(
                    order,
                    self.settings.results / "cells" / cell.id,
                    Watch(cancel=self.cancel, on_start=begun, on_phase=on_phase),
                )
                record, machine = answer.record, answer.machine
            else:
                begun()
                record = refusal
        except HarnessError:
            # The disk is full, or the like: no other cell would fare better.
            raise
        except Exception as error:  # noqa: BLE001 - one cell must not end the others
            if isinstance(error, OSError) and (
                fault := disk_fault(error, str(self.settings.results), _GO_ON)
            ):
                raise fault from None
            record = _defect(cell, error)
        if self.cancel.is_set() and record.status is Status.MISSING:
            return
        record = explain(msgspec.structs.replace(record, key=self.keys[cell.id]))
        self.known[cell.id] = record
        elsewhere = {} if machine in {None, self.machine} else {"machine": machine}
        bounded = {"limits": cell.limits} if record.status in _BOUNDED else {}
        self.journal.append("cell-finished", record=record, **elsewhere, **bounded)
        self.display.cell_finished(record)

    def _begun(self, cell: Cell) -> None:
        self.display.cell_started(cell.id)
        self.journal.append("cell-started", id=cell.id, key=self.keys[cell.id], at=_now())

    def _carry_out(self, order: Order, folder: Path, watch: Watch) -> Answer:
        """Measure a cell here, once what it needs has been made."""
        path = self.paths[order.cell.axes.path]
        prepared = self.preparation.of_cell(order.cell, path)
        return Answer(record=carry_out(order, prepared, folder, watch))

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
                executor=self.executor,
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


def _told(journal: Path) -> tuple[CellRecord, ...] | None:
    """Return the records of a journal; ``None`` where there is none, or it tells of no run."""
    if not journal.exists():
        return None
    try:
        return load_journal(journal).cells
    except NoRun:
        return None


def _tells_of_a_run(journal: Path) -> bool:
    """Tell whether a journal is that of a run, also where it cannot be read as a whole."""
    try:
        return _told(journal) is not None
    except FileFault:
        return True


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
