"""``harness gate MATRIX --bridge NAME=PLACE --base BASE``: two bridges in the same cells.

The cells of both are run in turns, so that what changes meanwhile, on the machine or in a package
index, changes for both.  Controls have no bridge, and are run once.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import __version__
from harness.errors import MachineFault, NotMeasured, UsageError
from harness.folders import refuse_links
from harness.gate import (
    Expectations,
    Judgement,
    aligned,
    judge,
    load_expectations,
    with_latency,
    without_latency,
)
from harness.gate.align import Place, place_of
from harness.journal.writer import FILE_NAME, Journal
from harness.latency.model import Verdict
from harness.model.cell import Cell, Plan
from harness.model.document import Other, Results
from harness.model.environment import SourceTree
from harness.model.status import Status
from harness.provision.r.source import address_of
from harness.provision.store import FolderStore, default_root
from harness.results.load import load
from harness.results.machine import this_machine
from harness.results.save import save
from harness.workflow.arms import read_settings
from harness.workflow.bridges import Named, bring_trees, read_bridges, tree_of
from harness.workflow.comparing import Settings as LatencySettings
from harness.workflow.display import make_display
from harness.workflow.keys import cell_key
from harness.workflow.planning import make_plan
from harness.workflow.registry import paths
from harness.workflow.run import Settings, run_plan
from harness.workflow.versus import Asked, as_document, compare

RELEASED: Final = "released"
"""The bridge that comes with each R, or that the matrix names."""
LATENCY: Final = "latency"
BASE: Final = "base"
HEAD: Final = "head"
_VERSION: Final = re.compile(r"\d+(\.\d+)*([.\-]\w+)*")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared: in which cells, the bridge under test, and what it is held against.

    ``bridge`` is a value of ``--bridge``.  ``base`` is a git reference of the same tree, a
    version, a place of its own, or ``released``.  A cell that does not pass is run ``again`` so
    many times.  ``costs`` are results of last time, by whose times shards are dealt out.
    """

    matrix: Path
    bridge: str
    base: str
    results: Path
    only: tuple[str, ...] = ()
    where: str | None = None
    shard: str | None = None
    costs: Path | None = None
    cran: str | None = None
    jobs: int | None = None
    again: int = 2
    fresh: bool = False
    quiet: bool = False
    latency_s: float = 0.0
    """Time for comparing the latency of each cell that passes in both arms; 0 compares none."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two: its bridge, its cells, and where its results are.

    ``trees`` are copies of the source trees of its bridge, once they were brought.
    """

    name: str
    bridges: tuple[Named, ...]
    plan: Plan
    path: str
    folder: Path
    trees: dict[str, SourceTree] = {}

    def has(self, cell: Cell) -> bool:
        """Say whether a cell has the bridge; the others are controls."""
        return cell.axes.path == self.path

    def results(self) -> Results:
        """Return what is known of its cells: the folder may hold more, of an earlier matrix."""
        found = load(self.folder)
        ids = {cell.id for cell in self.plan.cells}
        cells = tuple(record for record in found.cells if record.id in ids)
        return msgspec.structs.replace(found, planned=tuple(one.id for one in cells), cells=cells)


def run_both(request: Request) -> tuple[Arm, Arm]:
    """Run the cells of both arms in turns; what has a result in ``request.results`` is kept.

    Raises
    ------
    UsageError
        A file, the selection or a bridge is faulty, or no cell has the bridge.
    MachineFault
        This machine could not do it.
    """
    display = make_display(quiet=request.quiet)
    refuse_links(request.results, BASE, HEAD, LATENCY)
    # Of each tree one copy for all turns, which may take an hour, in which its owner goes on
    # working on it; and before a journal is put aside: one that cannot be had costs no result.
    with FolderStore(default_root(), notify=display.note) as store:
        try:
            base, head = (
                msgspec.structs.replace(
                    arm, trees=bring_trees(arm.bridges, store=store, notify=display.note)
                )
                for arm in arms_of(request)
            )
        finally:
            display.finished()
        if head.trees and _digests(base) == _digests(head):
            sys.stderr.write(
                f"base and head are the same source of {request.bridge.partition('=')[0].strip()}: "
                "nothing that its code does can differ\n"
            )
        _run_in_turns(base, head, request)
    return base, head


def _digests(arm: Arm) -> set[str]:
    return {tree.digest for tree in arm.trees.values()}


def _run_in_turns(base: Arm, head: Arm, request: Request) -> None:
    keys = {arm.name: _keys(arm, request) for arm in (base, head)}
    if request.fresh:
        for arm in (base, head):
            _put_aside(arm.folder)
    turns = list(_turns(base, head, request.jobs))
    for arm in (base, head):
        _announce(arm, {cell.id: cell for turn in turns for cell in turn[arm.name]}, keys[arm.name])
    for number, turn in enumerate(turns):
        # What wanders on the machine does not always meet the same arm first.
        order = ((base, head), (head, base))[number % 2]
        for arm, other in (order, order[::-1]):
            cells = turn[arm.name]
            if not request.quiet:
                own = ", ".join(cell.id for cell in cells if arm.has(cell))
                sys.stderr.write(f"{arm.name}: {own}\n")
            _share_controls(other.folder, arm, [cell for cell in cells if not arm.has(cell)])
            run_plan(
                msgspec.structs.replace(arm.plan, cells=cells),
                Settings(
                    results=arm.folder,
                    jobs=request.jobs,
                    quiet=request.quiet,
                    partial=True,
                    cran=request.cran,
                    bridges=arm.bridges,
                    trees=arm.trees,
                    report=False,
                    again=request.again,
                ),
            )


def judge_both(base: Arm, head: Arm, expectations: Expectations | None = None) -> Judgement:
    """Judge the head, with the base for its baseline."""
    results = head.results()
    return judge(
        results,
        baseline=aligned(base.results(), results),
        expectations=expectations,
        today=dt.datetime.now(dt.UTC).date(),
        side_by_side=True,
    )


def gate_bridge(request: Request, expect: Path | None = None) -> Judgement:
    """Run both arms and judge; the list is read first, so that a fault in it costs no run.

    Where the latency was to be compared and could not be, standard error is told why.
    """
    expectations = None if expect is None else load_expectations(expect)
    base, head = run_both(request)
    judgement = judge_both(base, head, expectations)
    if not request.latency_s:
        return judgement
    try:
        lines = _latency(request, base, head)
    except (NotMeasured, MachineFault) as error:
        # What became of the cells holds all the same, and it took longest.  Also with `quiet`,
        # which is about progress.
        display = make_display()
        display.note(f"the latency was not compared: {error}")
        display.finished()
        return without_latency(judgement)
    return with_latency(judgement, lines)


def _latency(request: Request, base: Arm, head: Arm) -> list[dict[str, Any]]:
    """Compare the latency of both arms, in pairs, where both pass: a failure has no times."""
    ends = {arm.name: arm.results().cells for arm in (base, head)}
    passing = {
        name: {place_of(one.axes) for one in records if one.status is Status.PASS}
        for name, records in ends.items()
    }
    both = passing[BASE] & passing[HEAD]
    cells = tuple(
        cell for cell in head.plan.cells if head.has(cell) and place_of(cell.axes.as_dict()) in both
    )
    if not cells:
        raise NotMeasured("no cell passes with both bridges, and what fails has no times")
    for arm in (base, head):
        _check_unchanged(arm)
    (changed,) = head.bridges
    said = _base_of(request, changed)
    # The cells as the base ran them: the matrix may name a bridge that no R comes with.
    theirs = _counterparts(base)
    cells = tuple(theirs[place_of(cell.axes.as_dict())] for cell in cells)
    answer = compare(
        Asked(
            plan=msgspec.structs.replace(base.plan, cells=cells),
            base=read_settings(
                () if said is None else [f"bridge={said.partition('=')[2]}"], "--base"
            ),
            head=read_settings([f"bridge={request.bridge.partition('=')[2]}"], "--bridge"),
            settings=LatencySettings(budget_s=request.latency_s),
            results=request.results / LATENCY,
            cran=request.cran,
            fresh=request.fresh,
            quiet=request.quiet,
        )
    )
    document = as_document(answer)
    unproven = document["verdict"] == Verdict.UNPROVEN
    return [
        {**line, "verdict": str(Verdict.UNPROVEN if unproven else line["verdict"])}
        for line in document["comparisons"]
    ]


def _check_unchanged(arm: Arm) -> None:
    """Raise ``NotMeasured`` where the source of an arm's bridge is no more what its cells had."""
    try:
        with FolderStore(default_root()) as store:
            now = bring_trees(arm.bridges, store=store, notify=lambda _text: None)
    except UsageError as error:
        raise NotMeasured(str(error)) from None
    for one in arm.bridges:
        if one.place and now[one.package].digest != arm.trees[one.package].digest:
            raise NotMeasured(
                f"{one.place} has changed since its cells were run, and their verdict is of what "
                "it was then; leave it alone meanwhile, or name a commit: PLACE@REF"
            )


def arms_of(request: Request) -> tuple[Arm, Arm]:
    """Return base and head with the cells in which both can be."""
    (head,) = read_bridges([request.bridge])
    said = _base_of(request, head)
    base = read_bridges(() if said is None else (said,))
    # What is selected is the head's; the base has the same cells under other names.
    plans = [
        _plan(request, head.path, said, select=False),
        _plan(request, head.path, request.bridge, select=True),
    ]
    arms = (
        Arm(name=name, bridges=bridges, plan=plan, path=head.path, folder=request.results / name)
        for name, bridges, plan in zip((BASE, HEAD), (base, (head,)), plans, strict=True)
    )
    first, second = arms
    return first, second


def _base_of(request: Request, head: Named) -> str | None:
    """Return the base as a value of ``--bridge``; ``None`` for what the matrix has anyway."""
    base = request.base
    if base == RELEASED:
        return None
    # A folder that happens to have the name of a branch is not what is meant.
    is_place = base.startswith((".", "~")) or "/" in base or base.endswith(".tar.gz")
    if is_place and not base.startswith("git+"):
        is_place = Path(base).expanduser().exists()
    if is_place or _VERSION.fullmatch(base):
        return f"{head.path}={base}"
    if head.place is None:
        raise UsageError(
            f"--base {base}: this is no version and no folder, and --bridge names no source tree "
            f"of which it could be a git reference; write a version, a place, or '{RELEASED}'"
        )
    tree = head.place
    if "@" in tree.rpartition("/")[2]:
        tree = tree.rpartition("@")[0]
    return f"{head.path}={tree}@{base}"


def _plan(request: Request, path: str, bridge: str | None, *, select: bool) -> Plan:
    """Return the cells of the bridge's path with their controls."""
    # The shards of what is selected, as `harness plan` deals them out for the same query.
    where = f"path:{path}" + (f" and ({request.where})" if request.where else "")
    plan = make_plan(
        request.matrix,
        only=request.only if select else (),
        where=where if select else None,
        shard=request.shard if select else None,
        costs=request.costs if select else None,
        cran=request.cran,
        bridges=() if bridge is None else (bridge,),
    )
    own = [cell for cell in plan.cells if cell.axes.path == path]
    if not own:
        raise UsageError(
            f"{request.matrix}: no selected cell has the path {path}, so there is nothing in "
            "which the two bridges could be compared"
        )
    controls = {cell.control for cell in own}
    cells = tuple(cell for cell in plan.cells if cell in own or cell.id in controls)
    theirs = {cell.id for cell in plan.others if cell.axes.path == path}
    theirs |= {cell.control for cell in plan.others if cell.id in theirs and cell.control}
    others = tuple(cell for cell in plan.others if cell.id in theirs)
    # The whole stays that of the matrix: one path of several says nothing of the others.
    return msgspec.structs.replace(plan, cells=cells, others=others)


def _turns(base: Arm, head: Arm, jobs: int | None) -> Iterator[dict[str, tuple[Cell, ...]]]:
    """Deal the cells out in turns of as many as run at once, the same ones for both arms."""
    size = jobs or len(os.sched_getaffinity(0))
    counterparts = _counterparts(base)
    known = {arm.name: {cell.id: cell for cell in arm.plan.cells} for arm in (base, head)}
    own = [cell for cell in head.plan.cells if head.has(cell)]
    for start in range(0, len(own), size):
        turn = own[start : start + size]
        others = [counterparts[place_of(cell.axes.as_dict())] for cell in turn]
        yield {
            HEAD: _with_controls(turn, known[HEAD]),
            BASE: _with_controls(others, known[BASE]),
        }


def _counterparts(base: Arm) -> dict[Place, Cell]:
    """Return the cells of the base by what they are apart from their bridge."""
    # Where it has several bridges in one place, the first that the matrix names counts.
    return {place_of(cell.axes.as_dict()): cell for cell in base.plan.cells[::-1]}


def _with_controls(cells: list[Cell], known: dict[str, Cell]) -> tuple[Cell, ...]:
    controls = {cell.control: known[cell.control] for cell in cells if cell.control in known}
    return (*controls.values(), *cells)


def _keys(arm: Arm, request: Request) -> dict[str, str]:
    """Return, by cell, the digest of what is asked of it, as the run of its turn will have it."""
    known, cran = paths(), address_of(request.cran)
    return {
        cell.id: cell_key(
            cell,
            known[cell.axes.path],
            cran,
            "" if (tree := tree_of(cell, arm.trees)) is None else tree.digest,
        )
        for cell in arm.plan.cells
    }


def _announce(arm: Arm, cells: Mapping[str, Cell], keys: Mapping[str, str]) -> None:
    """Plan the cells of all turns, so that those are missing that a kill leaves without theirs."""
    planned = [
        {
            "id": cell.id,
            "axes": cell.axes.as_dict(),
            "key": keys[cell.id],
            "implied": cell.implied,
            "control": cell.control,
        }
        for cell in cells.values()
    ]
    others = [
        Other(id=cell.id, axes=cell.axes.as_dict(), control=cell.control, implied=cell.implied)
        for cell in arm.plan.others
    ]
    with Journal(arm.folder) as journal:
        journal.append(
            "run-started",
            at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            matrix=arm.plan.matrix,
            harness=__version__,
            machine=this_machine(),
        )
        journal.append("planned", cells=planned, partial=True, whole=arm.plan.whole, others=others)
        save(load(arm.folder), arm.folder)


def _share_controls(source: Path, arm: Arm, controls: list[Cell]) -> None:
    """Give an arm the controls that the other has run: they have no bridge."""
    if not (source / FILE_NAME).exists():
        return
    theirs = load(source)
    mine = load(arm.folder).cells if (arm.folder / FILE_NAME).exists() else ()
    has = {record.id for record in mine if record.status is not Status.MISSING}
    wanted = {cell.id for cell in controls} - has
    shared = [one for one in theirs.cells if one.id in wanted and one.status is not Status.MISSING]
    if not shared:
        return
    machine: dict[str, Any] = msgspec.to_builtins(theirs.machine)
    with Journal(arm.folder) as journal:
        journal.append(
            "run-started",
            at=theirs.started_at,
            matrix=arm.plan.matrix,
            harness=theirs.harness,
            machine=machine,
        )
        cells = [{"id": one.id, "axes": one.axes, "key": one.key} for one in shared]
        journal.append("planned", cells=cells, partial=True, whole=arm.plan.whole)
        for record in shared:
            journal.append("cell-finished", record=record)


def _put_aside(folder: Path) -> None:
    with Journal(folder, fresh=True) as journal:
        # One without an event is no journal of a run.
        journal.path.unlink()
    (folder / "results.json").unlink(missing_ok=True)
