"""A pair of samples: two fresh processes, which go the way of every cell of a run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from harness.errors import MachineFault, NotMeasured
from harness.execute.events import read_events
from harness.folders import refuse_links, remove_tree
from harness.latency.model import METRICS, Times
from harness.latency.schedule import NO_BRIDGE, Pair
from harness.model.cell import Cell, Plan
from harness.model.environment import SourceTree
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.workflow.arms import Arm, Duel
from harness.workflow.bridges import bring_trees
from harness.workflow.display import Display
from harness.workflow.measuring import Measurement, measure, refused
from harness.workflow.preparing import Preparation, Prepared
from harness.workflow.registry import paths

_REQUEST: Final = {"call_seconds": "1"}
"""Small calls are repeated for a second, of which each of two processes that share a processor has
about half: 500 ticks of R's clock of processor time.  What takes the processor for some ten
milliseconds hits one of the two alone, and is to be little beside that.  In a third of it single
pairs of identical arms were seen to differ by a quarter; more processes would cost more."""
_WORKER: Final = "worker"
"""The whole of a Python that R calls once, on the path ``system``; its own stages are its own."""
_WHOLE: Final = (*(metric.name for metric in METRICS if metric.name != "process_start"), _WORKER)
"""What two processes of one path do together; they start at once anyhow."""
_CALLS: Final = ("noop", "echo")
"""What any two paths have in common; each process does what comes before by itself."""
_SHORTEST_S: Final = 0.01
"""Ten ticks of R's clock of processor time, which cannot tell what takes less from half as much
again; of a stage that is done once."""
_LOOK_S: Final = 0.005
_WAIT_S: Final = 0.2
"""With a limit, because a wait without one is deaf to Ctrl-C."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh process came to: its times by stage, and how long all of it took."""

    times: Mapping[str, Times]
    wall_s: float
    lock: str | None = None
    at: str = ""


class Provided(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a comparison with all that it needs to start."""

    cell: Cell
    prepared: Prepared
    variables: dict[str, str] = {}
    request: dict[str, str] = {}


class Sampler:
    """Runs fresh processes of the arms; everything that they need is made beforehand.

    Parameters
    ----------
    folder
        Where the logs of the last process of each arm are kept.
    """

    def __init__(
        self, duels: Sequence[Duel], folder: Path, display: Display, *, cran: str | None = None
    ) -> None:
        self._folder = folder
        self._display = display
        self._store = FolderStore(default_root(), notify=display.note)
        self._cran = cran
        self._pairs = 0
        self._made: dict[tuple[object, ...], Preparation] = {}
        self._arms = {duel.id: self._provide(duel) for duel in duels}
        orders: tuple[Pair, Pair] = (("base", "head"), ("head", "base"))
        logs = (
            self._logs(duel, arms, place).relative_to(folder).as_posix()
            for duel in duels
            for arms in orders
            for place in range(len(arms))
        )
        refuse_links(folder, "turns", *logs)

    def slow_down(self, duel: Duel, factor: float, metrics: Sequence[str]) -> None:
        """Slow head down on purpose by a factor, within the stages ``metrics``."""
        stages = " ".join(f"{name}={duel.clocks[name]}" for name in metrics)
        arms = self._arms[duel.id]
        asked = {"slow": f"{factor:g} {stages}"} if factor != 1 else {}
        arms["head"] = msgspec.structs.replace(arms["head"], request=asked)

    def tree(self, duel: Duel, arm: str) -> SourceTree | None:
        """Return the source that an arm's bridge was built from; ``None`` for a release."""
        return self._arms[duel.id][arm].prepared.bridge_tree

    def __call__(self, duel: Duel, arms: Pair) -> tuple[Process, Process]:
        """Run two processes side by side, stage by stage, to their end.

        Both have one and the same processor, each pair the next one: two processors of a machine
        that others use as well can differ by half.  Where they go through different stages, the
        second is started when the first has come to the first that they have in common.

        Raises
        ------
        NotMeasured
            One did not come to a good end; times of what failed say nothing.
        """
        turns = self._folder / "turns"
        with suppress(OSError):
            remove_tree(turns)
        turns.mkdir(parents=True)
        cancel = threading.Event()
        processors = sorted(os.sched_getaffinity(0))
        processor = processors[self._pairs % len(processors)]
        self._pairs += 1
        began = time.monotonic()

        def run(place: int) -> CellRecord:
            # Of this thread alone, which ends with the pair, and of what it starts.
            os.sched_setaffinity(0, {processor})
            return self._run(duel, arms, place, cancel)

        with ThreadPoolExecutor(max_workers=len(arms)) as pool:
            try:
                first = pool.submit(run, 0)
                while not (_is_alike(duel) or first.done() or any(turns.iterdir())):
                    time.sleep(_LOOK_S)
                second = pool.submit(run, 1)
                both = (first, second)
                while wait(both, timeout=_WAIT_S).not_done:
                    ended = [one.result().status for one in both if one.done()]
                    if any(status is not Status.PASS for status in ended):
                        # The other would wait for it.
                        cancel.set()
            except BaseException:
                cancel.set()
                raise
        records = list(zip((one.result() for one in both), arms, strict=True))
        # One that was cancelled says nothing: the other has the reason.
        for record, arm in sorted(records, key=lambda one: one[0].status is Status.MISSING):
            _refuse(record, arm)
        half = (time.monotonic() - began) / len(arms)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        one, other = (
            Process(
                times=times_of(record, self._logs(duel, arms, place) / "events.jsonl"),
                wall_s=round(half, 4),
                lock=record.lock,
                at=at,
            )
            for place, (record, _) in enumerate(records)
        )
        return one, other

    def _run(self, duel: Duel, arms: Pair, place: int, cancel: threading.Event) -> CellRecord:
        provided = self._arms[duel.id][arms[place]]
        cell = provided.cell
        turns = self._folder / "turns"
        stages = _WHOLE if _is_alike(duel) else _CALLS
        # The control without a bridge never waits for another process.
        clocks = {} if arms == NO_BRIDGE else {**duel.clocks, _WORKER: "wall"}
        together = ",".join(f"{name}={clocks.get(name, 'cpu')}" for name in stages)
        return measure(
            Measurement(
                cell=cell,
                path=paths()[cell.axes.path],
                prepared=provided.prepared,
                control=None,
                folder=self._logs(duel, arms, place),
                cancel=cancel,
                on_phase=lambda _phase: None,
                variables=provided.variables,
                request={
                    **_REQUEST,
                    **provided.request,
                    "turns": f"{place + 1} {together} {turns}",
                },
                shared=turns,
            )
        )

    def _logs(self, duel: Duel, arms: Pair, place: int) -> Path:
        cell = self._arms[duel.id][arms[place]].cell
        return self._folder / "cells" / f"{place + 1}-{arms[place]}" / cell.id

    def _provide(self, duel: Duel) -> dict[str, Provided]:
        arms = {"base": duel.base, "head": duel.head}
        provided = {
            name: Provided(
                cell=_once(arm.cell),
                prepared=self._prepare(arm, name),
                variables=arm.variables,
            )
            for name, arm in arms.items()
        }
        if duel.native is not None:
            native = Arm(cell=duel.native)
            axes = msgspec.structs.replace(duel.native.axes, framework=None)
            provided["native"] = Provided(
                cell=msgspec.structs.replace(duel.native, axes=axes),
                prepared=self._prepare(native, "native"),
            )
        return provided

    def _prepare(self, arm: Arm, name: str) -> Prepared:
        """Make what an arm needs; an arm with a tree of its own has its own preparation."""
        cell, path = arm.cell, paths()[arm.cell.axes.path]
        refusal = refused(cell, path)
        if refusal is not None:
            _refuse(refusal, name)
        preparation = self._preparation(arm)
        preparation.resolve(Plan(matrix="", source="", cells=(cell,)), self._store)
        if not preparation.is_refused(cell):
            python, r = preparation.python_name(cell), preparation.r_name(cell)
            if not preparation.has(python):
                preparation.python(python, cell.axes)
            if r is not None and not preparation.has(r):
                preparation.r(r, cell.axes)
        prepared = preparation.of_cell(cell, path)
        if prepared.refusal is not None:
            said = f"{name}: {cell.id} is {prepared.refusal.status}: {prepared.refusal.message}"
            here = prepared.refusal.status is Status.UNAVAILABLE
            raise MachineFault(said) if here else NotMeasured(said)
        return prepared

    def _preparation(self, arm: Arm) -> Preparation:
        key = tuple((one.package, one.place) for one in arm.bridges if one.place is not None)
        if key not in self._made:
            trees = bring_trees(arm.bridges, store=self._store, notify=self._display.note)
            provisioner = Provisioner(self._store, self._display.note, cran=self._cran, trees=trees)
            self._made[key] = Preparation(
                provisioner,
                Resolver(self._store, provisioner.sources),
                tuple(paths().values()),
                self._display,
            )
        return self._made[key]


def _is_alike(duel: Duel) -> bool:
    """Tell whether both arms go through the same stages."""
    one, other = duel.base.cell.axes, duel.head.cell.axes
    return (one.path, one.transport) == (other.path, other.transport)


def _once(cell: Cell) -> Cell:
    """Return a cell that is started once: of several backends of Keras, with the first."""
    framework = cell.axes.framework
    if framework is None:
        return cell
    one = msgspec.structs.replace(framework, backends=framework.backends[:1])
    return msgspec.structs.replace(cell, axes=msgspec.structs.replace(cell.axes, framework=one))


def times_of(record: CellRecord, events: Path) -> dict[str, Times]:
    """Return the times of the stages that can be compared, of one repetition each.

    ``events`` is the file of what the process said, which has the batches of its stages.
    """
    batches = {
        (event.get("probe"), event.get("name")): event.get("parts")
        for event in read_events(events).events
        if event.get("event") == "stage"
    }
    found: dict[str, Times] = {}
    for probe in record.probes:
        names = {metric.name for metric in METRICS if metric.probe == probe.name}
        for stage in probe.stages:
            if stage.name not in names:
                continue
            parts = _parts(batches.get((probe.name, stage.name)))
            each = max(stage.n, 1) / max(len(parts), 1)
            short = stage.n == 1 and (stage.cpu_s or 0.0) < _SHORTEST_S
            cpu = None if stage.cpu_s is None or short else _digits(stage.cpu_s / max(stage.n, 1))
            found[stage.name] = Times(
                _digits(stage.wall_s / max(stage.n, 1)),
                cpu,
                tuple((_digits(wall / each), _digits(spent / each)) for wall, spent in parts),
            )
    return found


def _parts(value: object) -> tuple[tuple[float, float], ...]:
    # The file of events is under the control of what is tested.
    try:
        return msgspec.convert(value, tuple[tuple[float, float], ...])
    except msgspec.ValidationError:
        return ()


def _digits(seconds: float) -> float:
    """Round to what a clock can tell: seven digits."""
    return float(f"{seconds:.7g}")


def _refuse(record: CellRecord, arm: str) -> None:
    if record.status is Status.PASS:
        return
    said = f"{arm}: {record.id} does not pass ({record.status}): {record.message}"
    if record.status is Status.UNAVAILABLE:
        raise MachineFault(said)
    raise NotMeasured(f"{said}; what fails has no times to compare")
