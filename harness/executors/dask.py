"""The cells of a run on the workers of a Dask cluster.

An order goes to a worker as JSON, and its answer comes back as JSON, with the files of the cell's
folder in it: nothing is unpickled here beyond what Dask itself exchanges.  The scheduler decides
which worker takes an order, and gives it to another where a worker dies; this module counts how
often that happens, and stops it after :data:`LOSSES`.

What a worker's machine cannot do (its disk is full, a program is missing) is that worker's: the
order is given to another, once, and later ones keep away from it as long as another will do.  A
worker that comes later with another harness, or none, is given no cells.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import __version__
from harness.errors import MachineFault
from harness.executors.base import Answer, Order, Perform, Watch
from harness.executors.files import unpack
from harness.executors.worker import PARCELS, Parcel, version_here, work
from harness.folders import remove_tree
from harness.model.cell import Cell
from harness.model.record import CellRecord
from harness.model.status import Status

LOSSES: Final = 2
"""So many workers may be lost over one cell: after the first, it is run elsewhere once."""
FAULTS: Final = 2
"""So many workers may be unable to measure one cell: after the first, another is asked once."""
STRANGERS: Final = 3
"""So many workers with another harness may take one order before it is given up."""
CONNECT_S: Final = 10.0
IN_FLIGHT: Final = 64
"""Orders that the scheduler is given at a time, at least: an adaptive cluster grows with them."""
GPU: Final = "GPU"
MEMORY: Final = "MEMORY"
_LOOK_S: Final = 0.5
_WORKERS_S: Final = 5.0
"""So old may be what is known of the workers while an order waits."""
_ASKS: Final = 3
_MIB: Final = 2**20


class _Ended(msgspec.Struct, frozen=True):
    """The future of an order has come to its end."""


class _Started(msgspec.Struct, frozen=True):
    """A worker has begun with an order."""

    worker: str


class _Phase(msgspec.Struct, frozen=True):
    """The cell of an order has got to a phase."""

    name: str


class _Moved(msgspec.Struct, frozen=True):
    """Other workers may take an order now than those that it was given to."""


_News = _Ended | _Started | _Phase | _Moved


class _Turn(msgspec.Struct, frozen=True):
    """What came of an order that the scheduler was given once.

    ``starts`` workers began with it, ``worker`` last.  There is no parcel where it was cancelled,
    where those workers were lost, or where others may take it now.
    """

    parcel: Parcel | None
    starts: int
    worker: str


class _Fault(msgspec.Struct, frozen=True):
    """What the machine of a worker could not do."""

    worker: str
    said: str


class _Choice(msgspec.Struct, frozen=True):
    """What a worker must have for an order, and the workers that may take it; ``None`` for any."""

    needs: dict[str, float]
    workers: tuple[str, ...] | None

    @property
    def is_nobody(self) -> bool:
        """Tell whether each worker that has what it takes has failed at something already."""
        return self.workers is not None and not self.workers


class _Stranger(Exception):
    """An order was taken by a worker that has another harness, or none; says what to do."""


class WorkerDefect(Exception):
    """The harness on a worker failed in a way that no user can cause."""


class DaskExecutor:
    """Gives orders to a Dask scheduler.

    Parameters
    ----------
    address
        As ``read_executor`` returns it.
    perform
        What a worker calls; a function of a module, which the worker imports itself.
    jobs
        Orders that the scheduler is given at a time; ``None`` for as many as keep it busy.
    notify
        Takes one-line messages for the user.

    Raises
    ------
    MachineFault
        Dask is not installed, no scheduler answers, the scheduler has no harness, or a worker has
        another one.
    """

    is_here = False

    def __init__(
        self,
        address: str,
        perform: Perform,
        *,
        jobs: int | None = None,
        notify: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._perform = perform
        self._notify = notify
        self._run = uuid.uuid4().hex
        self._guard = threading.Lock()
        self._asking = threading.Lock()
        self._flights: dict[str, queue.SimpleQueue[_News]] = {}
        self._count = 0
        self._told: set[str] = set()
        self._faulted: set[str] = set()
        self._known: set[str] = set()
        self._strange: set[str] = set()
        self._seen: tuple[float, Mapping[str, Mapping[str, float]]] = (0.0, {})
        self._client = connect(address)
        self._named = address.rpartition("://")[2]
        try:
            self._check_versions()
            threads = sum(self._client.nthreads().values())
            self._client.subscribe_topic(self._topic, self._hear)
        except BaseException:
            self.close()
            raise
        if not threads:
            notify(f"the Dask scheduler at {self._named} has no worker yet: cells wait for one")
        self.places = min(threads or 1, jobs or threads or 1)
        self.jobs = jobs or max(IN_FLIGHT, 2 * threads)

    @property
    def _topic(self) -> str:
        return f"harness-{self._run}"

    def close(self) -> None:
        """Leave the cluster; orders that are still under way are stopped there."""
        with suppress(Exception):
            self._client.close()

    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        """Have a worker carry out an order, and put the files of the cell into ``folder``."""
        lost = 0
        faults: list[_Fault] = []
        while True:
            turn = self._take_turn(order, watch, LOSSES - lost, faults)
            if turn is None:
                return Answer(record=_not_done(order.cell, faults, lost))
            parcel = turn.parcel
            if parcel is None and not watch.cancel.is_set():
                lost += turn.starts
                if lost >= LOSSES:
                    return Answer(record=_lost(order.cell, lost))
                # So many workers died that the scheduler gave the order up before its second turn,
                # or those are gone that alone might take it.
                continue
            # The last worker that began is the one that sent it.
            lost += max(turn.starts - 1, 0)
            if parcel is None or not parcel.fault or watch.cancel.is_set():
                break
            fault = _Fault(worker=turn.worker, said=parcel.fault)
            faults.append(fault)
            self._hold_against(fault)
            if len(faults) >= FAULTS:
                return Answer(record=_not_done(order.cell, faults, lost))
        if parcel is None or parcel.record is None:
            return Answer(record=_stopped(order.cell))
        with self._guard:
            # Somebody has freed its disk, or only one cell was too much for it.
            self._faulted.discard(turn.worker)
        with suppress(OSError):
            remove_tree(folder)
        unpack(parcel.files, folder)
        record = parcel.record
        if lost:
            record = msgspec.structs.replace(record, lost_workers=lost)
        return Answer(record=record, machine=parcel.machine)

    def _take_turn(
        self, order: Order, watch: Watch, losses: int, faults: list[_Fault]
    ) -> _Turn | None:
        """Give an order to who may take it; ``None`` where nobody may, or strangers alone do.

        What the last of those was is added to ``faults``.
        """
        said = ""
        for _ in range(STRANGERS):
            choice = self._choose(order.cell, faults)
            if choice.is_nobody:
                return None
            try:
                return self._ask(order, watch, losses, choice, faults)
            except _Stranger as error:
                said = str(error)
                self._pass_over_strangers(said)
        faults.append(_Fault(worker="", said=said))
        return None

    def _ask(
        self,
        order: Order,
        watch: Watch,
        losses: int,
        choice: _Choice,
        faults: Sequence[_Fault],
    ) -> _Turn:
        """Give an order to the scheduler, and return what came of it."""
        news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        starts, worker = 0, ""

        def has_moved() -> bool:
            # With Dask a choice stands for good: once those are gone, the order waits for ever.
            here = self._workers(_WORKERS_S)
            if worker in here or (choice.workers is None and self._has_taker(choice, here)):
                return False
            return self._choose(order.cell, faults, _WORKERS_S) != choice

        with self._flight(order.cell.id, news) as key:
            future = self._client.submit(
                work,
                self._perform,
                msgspec.json.encode(msgspec.structs.replace(order, run=self._run)),
                self._topic,
                key=key,
                pure=False,
                retries=0,
                resources=choice.needs,
                workers=choice.workers,
                allow_other_workers=False,
            )
            future.add_done_callback(lambda _future: news.put(_Ended()))
            try:
                while True:
                    match self._next(news, watch, has_moved):
                        case _Started(worker=worker):
                            starts += 1
                            if starts > losses:
                                # Whatever it is, it has ended as many workers as it may.
                                return _Turn(None, losses, worker)
                            if starts > 1:
                                self._notify(
                                    f"a worker was lost while it ran {order.cell.id}, which is "
                                    f"now run on {worker}"
                                )
                            watch.on_start()
                        case _Phase(name=name):
                            watch.on_phase(name)
                        case _Ended():
                            return _Turn(self._result(future), starts, worker)
                        case _Moved() | None:
                            return _Turn(None, starts, worker)
            finally:
                # On a worker that runs it still, the cell is ended by this.
                with suppress(Exception):
                    future.cancel()

    def _next(
        self, news: queue.SimpleQueue[_News], watch: Watch, has_moved: Callable[[], bool]
    ) -> _News | None:
        """Return the next thing that happens to an order; ``None`` when the run is stopped."""
        while not watch.cancel.is_set():
            with suppress(queue.Empty):
                return news.get(timeout=_LOOK_S)
            if self._client.status not in {"running", "connecting"}:
                raise self._gone()
            if has_moved():
                return _Moved()
        return None

    def _result(self, future: Any) -> Parcel | None:
        """Return what a worker sent; ``None`` where the scheduler gave the order up."""
        try:
            parcel = PARCELS.decode(future.result())
        except msgspec.MsgspecError as error:
            raise _Stranger(
                f"a worker of {self._named} sent what is no answer ({error}): what runs there is "
                f"not harness {__version__}"
            ) from None
        except (ImportError, AttributeError) as error:
            raise _Stranger(
                self._foreign(f"a worker of {self._named} cannot run it ({error})")
            ) from None
        except Exception as error:
            # By its name: the class is only there where Dask is.
            kind = type(error).__name__
            if kind == "KilledWorker":
                return None
            if "Cancelled" in kind or isinstance(error, OSError):
                raise self._gone() from None
            raise
        if parcel.harness != __version__:
            has = f"has harness {parcel.harness}"
            raise _Stranger(self._foreign(f"a worker of {self._named} {has}"))
        if parcel.defect:
            raise WorkerDefect(parcel.defect)
        return parcel

    def _choose(self, cell: Cell, faults: Sequence[_Fault] = (), within_s: float = 0.0) -> _Choice:
        """Say what a worker must have for a cell, and who may take it after these faults."""
        everybody = self._workers(within_s)
        with self._guard:
            stated = {one: has for one, has in everybody.items() if one not in self._strange}
        needs = self._needs(cell, stated)
        able = [worker for worker, has in stated.items() if _meets(has, needs)]
        if needs and not able:
            words = " ".join(f"{name}={amount:.0f}" for name, amount in sorted(needs.items()))
            self._say_once(
                f"no worker of {self._named} has {words}: cells that need it wait until one "
                f'comes; start it with: dask worker {self._named} --resources "{words}"'
            )
        elif not everybody and self._known:
            # That none has come yet was said at the start.
            self._say_once(f"no worker of {self._named} is left: cells wait until one comes")
        tried = {fault.worker for fault in faults}
        with self._guard:
            well = [worker for worker in able if worker not in self._faulted | tried]
        if len(well) == len(able) or not (well or faults):
            # Where each has failed at something, they may try this: it may be less.
            is_anybody = not able or len(stated) == len(everybody)
            return _Choice(needs, None if is_anybody else tuple(sorted(able)))
        # What one worker lacks, the others of its machine lack, too.
        machines = {_machine(worker) for worker in tried}
        elsewhere = [worker for worker in well if _machine(worker) not in machines]
        return _Choice(needs, tuple(sorted(elsewhere or well)))

    def _has_taker(self, choice: _Choice, here: Mapping[str, Mapping[str, float]]) -> bool:
        """Tell whether one of the workers has what an order for any of them was given with."""
        with self._guard:
            theirs = [has for one, has in here.items() if one not in self._strange]
        return any(_meets(has, choice.needs) for has in theirs)

    @staticmethod
    def _needs(cell: Cell, stated: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """Return what a worker must have for a cell: a GPU, and memory where workers state it."""
        needs: dict[str, float] = {}
        has_gpu = any(GPU in worker for worker in stated.values())
        if cell.axes.cuda != "cpu" and (cell.without_gpu == "skip" or has_gpu):
            needs[GPU] = 1
        # Not where only those state it that cannot take the cell: nobody would have both.
        if any(MEMORY in worker for worker in stated.values() if _meets(worker, needs)):
            needs[MEMORY] = cell.limits.memory_mb * _MIB
        return needs

    def _workers(self, within_s: float = 0.0) -> Mapping[str, Mapping[str, float]]:
        """Return what each worker has stated, by its address; as of so long ago at most."""
        if not within_s:
            return self._ask_workers()
        # Many orders wait: one of them asks for all.
        with self._asking:
            at, seen = self._seen
            return seen if time.monotonic() - at <= within_s else self._ask_workers()

    def _ask_workers(self) -> Mapping[str, Mapping[str, float]]:
        _at, seen = self._seen
        for _ in range(_ASKS):
            info = self._client.scheduler_info(n_workers=-1)
            workers = info["workers"]
            # Dask itself asks now and then how many there are, and that may have come between.
            if len(workers) >= info.get("n_workers", 0):
                seen = {one: dict(has.get("resources") or {}) for one, has in workers.items()}
                self._look_at(seen.keys())
                self._seen = (time.monotonic(), seen)
                break
        return seen

    def _hold_against(self, fault: _Fault) -> None:
        """Keep from a worker what others can take, and tell that once.

        Raises
        ------
        MachineFault
            No worker is left.
        """
        workers = self._workers()
        with self._guard:
            self._faulted.add(fault.worker)
            left = workers.keys() - self._faulted
        who = f"{fault.worker}, a worker" if fault.worker else "a worker"
        said = f"{who} of {self._named}: {fault.said}"
        if workers and not left:
            raise MachineFault(said if len(workers) == 1 else f"{said} (no other worker is left)")
        line = " ".join(said.split())
        self._say_once(f"{line} (from now on, others are asked first)", about=fault.worker)

    def _say_once(self, text: str, about: str = "") -> None:
        with self._guard:
            if (about or text) in self._told:
                return
            self._told.add(about or text)
        self._notify(text)

    @contextmanager
    def _flight(self, cell: str, news: queue.SimpleQueue[_News]) -> Iterator[str]:
        with self._guard:
            self._count += 1
            key = f"{self._topic}-{self._count}-{cell}"
            self._flights[key] = news
        try:
            yield key
        finally:
            with self._guard:
                del self._flights[key]

    def _hear(self, event: tuple[float, Any]) -> None:
        """Pass on what a worker says of an order; called by Dask's own thread."""
        said = event[1]
        with self._guard:
            news = self._flights.get(str(said.get("key")))
        if news is None:
            return
        if "phase" in said:
            news.put(_Phase(str(said["phase"])))
        else:
            news.put(_Started(str(said.get("worker"))))

    def _check_versions(self) -> None:
        """Refuse a cluster in which the scheduler, which reads orders, or a worker is none of ours.

        Raises
        ------
        MachineFault
            One of them has another harness, or none.
        """
        try:
            self._client.run_on_scheduler(version_here)
        except OSError:
            raise self._gone() from None
        except Exception:  # noqa: BLE001 - of any kind: it comes from there
            who = f"the Dask scheduler at {self._named} has no harness"
            raise MachineFault(self._foreign(who, "where it runs, and start it anew")) from None
        for worker, has in self._strangers().items():
            raise MachineFault(self._foreign(f"{worker}, a worker of {self._named}, {has}"))

    def _look_at(self, workers: Collection[str]) -> None:
        """Ask workers that have come since for their harness.

        One that has none ends itself when Dask gives it an order, and its nanny starts the next.
        """
        with self._guard:
            new = [worker for worker in workers if worker not in self._known | self._strange]
        if new:
            self._pass_over(self._strangers(new))

    def _strangers(self, workers: Collection[str] | None = None) -> dict[str, str]:
        """Return what harness workers have that have not this one, by their addresses.

        ``None`` asks all of them.
        """
        asked = None if workers is None else list(workers)
        try:
            found = self._client.run(version_here, workers=asked, on_error="return")
        except OSError:
            raise self._gone() from None
        with self._guard:
            self._known |= {worker for worker, has in found.items() if has == __version__}
        return {
            worker: f"has harness {version}" if isinstance(version, str) else "has no harness"
            for worker, version in sorted(found.items())
            # One that does not answer is gone.
            if version != __version__ and not isinstance(version, OSError)
        }

    def _pass_over_strangers(self, said: str) -> None:
        """Give no more orders to workers that have come with another harness.

        Raises
        ------
        MachineFault
            There is none, so that ``said`` has another reason; or no worker is left.
        """
        strangers = self._strangers()
        if not strangers:
            raise MachineFault(said)
        self._pass_over(strangers)
        if not self._workers().keys() - strangers.keys():
            raise MachineFault(said)

    def _pass_over(self, strangers: Mapping[str, str]) -> None:
        with self._guard:
            self._strange |= strangers.keys()
        for worker, has in strangers.items():
            who = f"{worker}, a worker of {self._named}, {has}"
            self._say_once(f"{self._foreign(who)} (it is given no cells)", about=worker)

    @staticmethod
    def _foreign(what: str, where: str = "where the workers run, and start them anew") -> str:
        return (
            f"{what}, and this is harness {__version__}: install r-python-harness {__version__} "
            f"{where}"
        )

    def _gone(self) -> MachineFault:
        return MachineFault(
            f"the Dask scheduler at {self._named} is gone; what was measured is kept, and the same "
            "command goes on from there when it is back"
        )


def connect(address: str) -> Any:
    """Return Dask's client of the scheduler at ``address``; half of its methods have no types.

    Raises
    ------
    MachineFault
        Dask is not installed, or no scheduler answers.
    """
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise MachineFault(
            "--executor dask://... takes the package distributed, which is not installed: "
            "pip install 'r-python-harness[dask]'"
        ) from None
    # What matters of it is told in a sentence; each of Dask's loggers has a handler of its own.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"distributed\b")
    is_file = address.startswith("/")
    if is_file and not Path(address).is_file():
        raise MachineFault(
            f"{address}: there is no such file; `dask scheduler --scheduler-file {address}` "
            "writes it"
        )
    where: dict[str, str] = {"scheduler_file" if is_file else "address": address}
    try:
        client = distributed.Client(
            **where, timeout=CONNECT_S, set_as_default=False, name="harness"
        )
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise MachineFault(
            f"no Dask scheduler answers at {address.rpartition('://')[2]} ({reason}); start one "
            "with `dask scheduler`, and name the address that it prints"
        ) from None
    return client


def _meets(has: Mapping[str, float], needs: Mapping[str, float]) -> bool:
    return all(has.get(name, 0) >= amount for name, amount in needs.items())


def _machine(worker: str) -> str:
    """Return the part of a worker's address that those of one machine share."""
    return worker.rpartition(":")[0]


def _lost(cell: Cell, workers: int) -> CellRecord:
    return _missing(
        cell,
        f"{workers} workers were lost while they ran this cell, so it was not tried again: "
        "their logs say why they ended (a time limit, their memory, a machine that went away)",
        lost=workers,
    )


def _not_done(cell: Cell, faults: Iterable[_Fault], lost: int) -> CellRecord:
    said = "; ".join(dict.fromkeys(fault.said for fault in faults))
    return _missing(cell, f"no worker that was asked could measure it: {said}", lost=lost)


def _stopped(cell: Cell) -> CellRecord:
    return _missing(cell, "cancelled")


def _missing(cell: Cell, message: str, *, lost: int = 0) -> CellRecord:
    return CellRecord(
        id=cell.id,
        axes=cell.axes.as_dict(),
        status=Status.MISSING,
        message=message,
        control=cell.control,
        implied=cell.implied,
        lost_workers=lost,
    )
