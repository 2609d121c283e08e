"""What is made of the news of a cluster, with a client that says what the test wants."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

import harness
from harness.errors import MachineFault
from harness.executors import dask
from harness.executors.base import Answer, Order, Watch
from harness.executors.dask import DaskExecutor, WorkerDefect
from harness.executors.worker import Parcel, carry_out, work
from harness.model.cell import Axes, Cell
from harness.model.document import Machine
from harness.model.record import CellRecord
from harness.model.status import Status

CPU = Cell(id="native__py3.11__cpu", axes=Axes(path="native", python="3.11"))
CUDA = Cell(id="cuda", axes=Axes(path="native", python="3.11", cuda="12"))


def passed(cell: Cell = CPU) -> CellRecord:
    return CellRecord(id=cell.id, axes=cell.axes.as_dict(), status=Status.PASS)


def parcel(**fields: Any) -> bytes:
    return msgspec.json.encode(Parcel(**fields))


class KilledWorker(Exception):
    """Of the name that Dask's own has."""


class FakeFuture:
    def __init__(self) -> None:
        self.value: bytes | Exception = b""
        self.cancelled = False
        self.listened = threading.Event()
        self.callback: Callable[[Any], None] = lambda _future: None

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        self.callback = call
        self.listened.set()

    def end(self, value: bytes | Exception) -> None:
        self.value = value
        assert self.listened.wait(10)
        self.callback(self)

    def result(self) -> bytes:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def cancel(self) -> None:
        self.cancelled = True


class FakeClient:
    """Runs ``story`` with each order that is submitted, in a thread of its own."""

    def __init__(self, story: Callable[[FakeClient, str, FakeFuture], None]) -> None:
        self.status = "running"
        self.story = story
        self.stated: dict[str, dict[str, float]] = {"tcp://w1": {}}
        self.versions: dict[str, Any] = {"tcp://w1": harness.__version__}
        self.hear: Callable[[Any], None] = lambda _event: None
        self.submitted: list[dict[str, Any]] = []
        self.futures: list[FakeFuture] = []
        self.closed = False
        self.asked: list[list[str] | None] = []
        """Whose version was asked for; ``None`` for everybody's."""
        self.scheduler: Exception | None = None
        """What becomes of a function that the scheduler is to call."""

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.versions, 2)

    def run(
        self, function: Any, workers: list[str] | None = None, on_error: str = "raise"
    ) -> dict[str, Any]:
        self.asked.append(workers)
        named = self.versions if workers is None else workers
        return {one: self.versions[one] for one in named if one in self.versions}

    def run_on_scheduler(self, function: Any) -> str:
        if self.scheduler is not None:
            raise self.scheduler
        return harness.__version__

    def join(self, worker: str, version: Any) -> None:
        """Add a worker."""
        self.stated[worker] = {}
        self.versions[worker] = version

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        workers = {worker: {"resources": has} for worker, has in self.stated.items()}
        return {"workers": workers, "n_workers": len(workers)}

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self.hear = handler

    def submit(self, function: Any, *arguments: Any, key: str, **options: Any) -> FakeFuture:
        future = FakeFuture()
        self.submitted.append({"key": key, "arguments": arguments, **options})
        self.futures.append(future)
        threading.Thread(target=self.story, args=(self, key, future)).start()
        return future

    def close(self) -> None:
        self.closed = True

    def start(self, key: str, worker: str) -> None:
        self.hear((0.0, {"key": key, "worker": worker}))

    def phase(self, key: str, phase: str) -> None:
        self.hear((0.0, {"key": key, "phase": phase}))


class Setting:
    """An executor on a fake client, and what it told."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        story: Callable[[FakeClient, str, FakeFuture], None],
    ) -> None:
        self.client = FakeClient(story)
        self.notes: list[str] = []
        self.phases: list[str] = []
        self.starts = 0
        self.cancel = threading.Event()
        monkeypatch.setattr(dask, "connect", lambda _address: self.client)

    def executor(self, jobs: int | None = None) -> DaskExecutor:
        return DaskExecutor("tcp://head:8786", never, jobs=jobs, notify=self.notes.append)

    @property
    def asked(self) -> list[tuple[str, ...] | None]:
        """The workers that each order was for."""
        return [one["workers"] for one in self.client.submitted]

    def measure(self, folder: Path, cell: Cell = CPU, **fields: Any) -> Answer:
        return self.on(self.executor(), folder, cell, **fields)

    def on(self, executor: DaskExecutor, folder: Path, cell: Cell = CPU, **fields: Any) -> Answer:
        watch = Watch(cancel=self.cancel, on_start=self._started, on_phase=self.phases.append)
        return executor.measure(Order(cell=cell, **fields), folder / "cell", watch)

    def _started(self) -> None:
        self.starts += 1


def never(order: Order, folder: Path, watch: Watch) -> Answer:
    raise AssertionError("it is for a worker to call")


def test_an_answer_comes_with_its_files_and_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.start(key, "tcp://w1")
        client.phase(key, "import")
        client.phase("another order", "op")
        future.end(parcel(record=passed(), machine=Machine(cores=64), files={"stdout": b"said"}))

    setting = Setting(monkeypatch, story)
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "old").write_text("of the run before")
    answer = setting.measure(tmp_path, key="k")
    assert answer == Answer(record=passed(), machine=Machine(cores=64))
    assert [file.name for file in (tmp_path / "cell").iterdir()] == ["stdout"]
    assert (setting.starts, setting.phases) == (1, ["import"])
    sent = msgspec.json.decode(setting.client.submitted[0]["arguments"][1], type=Order)
    assert (sent.cell, sent.key) == (CPU, "k")
    assert sent.run, "a worker tells one run from the next"


def test_a_worker_that_is_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.start(key, "tcp://w1")
        client.start(key, "tcp://w2")
        future.end(parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    assert setting.measure(tmp_path).record.lost_workers == 1
    assert setting.notes == [
        f"a worker was lost while it ran {CPU.id}, which is now run on tcp://w2"
    ]


def test_a_third_worker_does_not_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        for worker in ("w1", "w2", "w3"):
            client.start(key, worker)

    setting = Setting(monkeypatch, story)
    record = setting.measure(tmp_path).record
    assert (record.status, record.lost_workers) == (Status.MISSING, 2)
    assert "2 workers were lost" in (record.message or "")
    assert setting.client.futures[0].cancelled


def test_what_the_scheduler_gave_up_unstarted_is_given_to_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers die that had the order in their queue: they were not lost over it."""

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        if len(client.submitted) == 1:
            future.end(KilledWorker(key))
        else:
            client.start(key, "w9")
            future.end(parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    record = setting.measure(tmp_path).record
    assert (record.status, record.lost_workers) == (Status.PASS, 0)
    assert len({one["key"] for one in setting.client.submitted}) == 2


def test_losses_add_up_over_what_was_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.start(key, "w")
        future.end(KilledWorker(key))

    setting = Setting(monkeypatch, story)
    assert setting.measure(tmp_path).record.lost_workers == 2
    assert len(setting.client.submitted) == 2


def test_a_run_that_is_stopped_cancels_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.start(key, "w")
        setting.cancel.set()

    setting = Setting(monkeypatch, story)
    assert setting.measure(tmp_path).record.status is Status.MISSING
    assert setting.client.futures[0].cancelled


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"\x80\x04pickle", "sent what is no answer"),
        (b'{"record": {"id": 1}}', "sent what is no answer"),
        (ModuleNotFoundError("No module named 'harness'"), "install r-python-harness"),
        (ConnectionError("gone"), "head:8786 is gone; what was measured is kept"),
        (parcel(record=passed(), files={"../x": b""}), "which is refused"),
    ],
)
def test_what_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: bytes | Exception, said: str
) -> None:
    setting = Setting(monkeypatch, lambda _client, _key, future: future.end(value))
    with pytest.raises(MachineFault, match=said):
        setting.measure(tmp_path)


# -- workers that come later, with another harness


NO_HARNESS = ModuleNotFoundError("No module named 'harness'")


@pytest.mark.parametrize(
    ("version", "sent", "has"),
    [
        (NO_HARNESS, NO_HARNESS, "has no harness"),
        ("9.0", parcel(record=passed(), harness="9.0"), "has harness 9.0"),
        ("9.0", b'{"record": {"id": 1}}', "has harness 9.0"),
        ("9.0", AttributeError("module has no attribute 'work'"), "has harness 9.0"),
    ],
)
def test_a_worker_that_comes_with_another_harness_is_given_no_cells(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: Any,
    sent: bytes | Exception,
    has: str,
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        if len(client.submitted) == 1:
            client.join("tcp://late", version)
            future.end(sent)
        else:
            client.start(key, "tcp://w1")
            future.end(parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    executor = setting.executor()
    for _ in range(2):
        record = setting.on(executor, tmp_path).record
        assert (record.status, record.lost_workers) == (Status.PASS, 0)
    assert setting.asked == [None, ("tcp://w1",), ("tcp://w1",)]
    assert len(setting.notes) == 1
    assert setting.notes[0].startswith(f"tcp://late, a worker of head:8786, {has}, and this is")
    assert setting.notes[0].endswith("start them anew (it is given no cells)")
    del setting.client.stated["tcp://late"]
    setting.on(executor, tmp_path)
    assert setting.asked[3:] == [None], "it is gone"


def test_a_worker_that_comes_is_asked_before_the_next_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask gives its orders to one without the harness, which ends itself over them."""
    setting = Setting(monkeypatch, lambda _c, _k, future: future.end(parcel(record=passed())))
    executor = setting.executor()
    setting.on(executor, tmp_path)
    setting.client.join("tcp://late", NO_HARNESS)
    setting.client.join("tcp://good", harness.__version__)
    setting.client.join("tcp://gone", ConnectionError("reset"))
    for _ in range(2):
        setting.on(executor, tmp_path)
    assert setting.asked[0] is None
    assert setting.asked[1:] == [("tcp://gone", "tcp://good", "tcp://w1")] * 2
    assert len(setting.notes) == 1
    assert "tcp://late, a worker of head:8786, has no harness" in setting.notes[0]
    asked = [sorted(one) for one in setting.client.asked[1:] if one is not None]
    assert asked == [["tcp://gone", "tcp://good", "tcp://late"], ["tcp://gone"]]


def test_what_strangers_alone_can_take_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.join("tcp://late", NO_HARNESS)
        client.stated["tcp://late"] = {"GPU": 1}
        future.end(NO_HARNESS)

    setting = Setting(monkeypatch, story)
    record = setting.measure(tmp_path, CUDA).record
    assert record.status is Status.MISSING
    assert "cannot run it (No module named 'harness')" in (record.message or "")
    assert len(setting.client.submitted) == dask.STRANGERS


def test_where_strangers_alone_are_left_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.stated.clear()
        client.versions.clear()
        client.join("tcp://late", NO_HARNESS)
        future.end(NO_HARNESS)

    with pytest.raises(MachineFault, match="install r-python-harness"):
        Setting(monkeypatch, story).measure(tmp_path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NO_HARNESS, "the Dask scheduler at head:8786 has no harness, and this is harness"),
        (ConnectionError("reset"), "the Dask scheduler at head:8786 is gone"),
    ],
)
def test_a_scheduler_without_the_harness_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """It reads what it passes on."""
    setting = Setting(monkeypatch, lambda *_all: None)
    setting.client.scheduler = error
    with pytest.raises(MachineFault, match=said):
        setting.executor()
    assert setting.client.closed


# -- what a worker's machine cannot do


FULL = "/scratch: the disk\nis full"


def bad(*workers: str) -> Callable[[FakeClient, str, FakeFuture], None]:
    """Tell a story in which these workers take what they may take first, and fail."""

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        one = next(one for one in client.submitted if one["key"] == key)
        allowed = one["workers"] or tuple(client.stated)
        worker = next((bad for bad in workers if bad in allowed), allowed[0])
        client.start(key, worker)
        future.end(parcel(fault=FULL) if worker in workers else parcel(record=passed()))

    return story


def test_a_worker_that_cannot_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(monkeypatch, bad("tcp://w2"))
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}, "tcp://w3": {}}
    executor = setting.executor()
    assert setting.on(executor, tmp_path).record.status is Status.PASS
    assert setting.asked == [None, ("tcp://w1", "tcp://w3")]
    assert {one["allow_other_workers"] for one in setting.client.submitted} == {False}
    assert setting.on(executor, tmp_path).record.lost_workers == 0
    assert setting.asked[2:] == [("tcp://w1", "tcp://w3")], "the next cell keeps away from it"
    assert setting.notes == [
        (
            "tcp://w2, a worker of head:8786: /scratch: the disk is full "
            "(from now on, others are asked first)"
        )
    ]


def test_a_cell_that_two_workers_cannot_measure_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(monkeypatch, bad("tcp://w1", "tcp://w2"))
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}, "tcp://w3": {}}
    executor = setting.executor()
    record = setting.on(executor, tmp_path).record
    assert record.status is Status.MISSING
    assert record.message == f"no worker that was asked could measure it: {FULL}"
    assert setting.asked == [None, ("tcp://w2", "tcp://w3")]
    assert [note.partition(",")[0] for note in setting.notes] == ["tcp://w1", "tcp://w2"]
    assert setting.on(executor, tmp_path).record.status is Status.PASS


def test_where_no_worker_is_left_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(monkeypatch, bad("tcp://w1", "tcp://w2"))
    with pytest.raises(MachineFault, match=r"(?s)^tcp://w1, a worker of head:8786: /.*full$"):
        setting.measure(tmp_path)
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}}
    with pytest.raises(MachineFault, match=r"(?s)^tcp://w2, .*full \(no other worker is left\)$"):
        setting.measure(tmp_path)


def test_a_cell_goes_to_no_worker_that_has_not_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only GPU's machine is at fault: others would leave the cell waiting."""
    setting = Setting(monkeypatch, bad("tcp://gpu"))
    setting.client.stated = {"tcp://w1": {}, "tcp://gpu": {"GPU": 1}}
    executor = setting.executor()
    for _ in range(2):
        assert setting.on(executor, tmp_path, CUDA).record.status is Status.MISSING
    assert setting.asked == [None, None], "each is tried, as somebody may have mended the machine"
    assert setting.on(executor, tmp_path).record.status is Status.PASS
    assert setting.asked[2:] == [("tcp://w1",)]


def test_another_machine_is_asked_before_another_worker_of_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(monkeypatch, bad("tcp://a:1", "tcp://a:2"))
    setting.client.stated = {"tcp://a:1": {}, "tcp://a:2": {}, "tcp://b:1": {}}
    assert setting.measure(tmp_path).record.status is Status.PASS
    assert setting.asked == [None, ("tcp://b:1",)]


def test_a_worker_that_measures_again_is_as_good_as_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    told = threading.Event()

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        number = len(client.submitted)
        if number == 1:
            # It began before the other did, and ends well after it.
            client.start(key, "tcp://w1")
            told.set()
            assert held.wait(10)
            future.end(parcel(record=passed()))
        elif number == 2:
            client.start(key, "tcp://w1")
            future.end(parcel(fault=FULL))
        else:
            client.start(key, "tcp://w2")
            future.end(parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}}
    executor = setting.executor()
    first = threading.Thread(target=setting.on, args=(executor, tmp_path / "first"))
    first.start()
    assert told.wait(10)
    setting.on(executor, tmp_path / "second")
    held.set()
    first.join()
    setting.on(executor, tmp_path / "third")
    assert setting.asked == [None, None, ("tcp://w2",), None]


@pytest.mark.parametrize("has_begun", [False, True])
def test_an_order_follows_when_those_who_may_take_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_begun: bool
) -> None:
    """With Dask, a task that only certain workers may take waits for them for ever."""
    monkeypatch.setattr(dask, "_WORKERS_S", 0.0)
    monkeypatch.setattr(dask, "_LOOK_S", 0.01)

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        if len(client.submitted) == 1:
            client.start(key, "tcp://w1")
            future.end(parcel(fault=FULL))
        elif len(client.submitted) == 2:
            if has_begun:
                client.start(key, "tcp://w2")
            client.stated = {"tcp://w1": {}, "tcp://w3": {}}
        else:
            client.start(key, "tcp://w3")
            future.end(parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}}
    record = setting.measure(tmp_path).record
    assert (record.status, record.lost_workers) == (Status.PASS, int(has_begun))
    assert setting.asked == [None, ("tcp://w2",), ("tcp://w3",)]
    assert setting.client.futures[1].cancelled


def test_an_order_that_others_can_take_no_more_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "_WORKERS_S", 0.0)
    monkeypatch.setattr(dask, "_LOOK_S", 0.01)

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        if len(client.submitted) == 1:
            client.start(key, "tcp://w1")
            future.end(parcel(fault=FULL))
        else:
            client.stated = {"tcp://w1": {}}

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}}
    record = setting.measure(tmp_path).record
    assert (record.status, record.message) == (
        Status.MISSING,
        f"no worker that was asked could measure it: {FULL}",
    )


IMPORT = msgspec.structs.replace(CUDA, without_gpu="import")
LARGE: dict[str, float] = {"MEMORY": 16e9}
RESERVED: dict[str, float] = {"MEMORY": 8192 * 2**20}


@pytest.mark.parametrize(
    ("cell", "gone", "needs"),
    [(IMPORT, {"GPU": 1}, {"GPU": 1}), (CPU, LARGE, RESERVED)],
)
@pytest.mark.parametrize("has_begun", [False, True])
def test_what_only_a_worker_that_is_gone_could_give_is_asked_for_no_more(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cell: Cell,
    gone: dict[str, float],
    needs: dict[str, float],
    has_begun: bool,
) -> None:
    """With Dask, a task keeps what it was given with: it waits for that for ever."""
    monkeypatch.setattr(dask, "_WORKERS_S", 0.0)
    monkeypatch.setattr(dask, "_LOOK_S", 0.01)

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        if len(client.submitted) == 1:
            if has_begun:
                client.start(key, "tcp://w1")
            client.stated = {"tcp://w2": {}}
        else:
            client.start(key, "tcp://w2")
            future.end(parcel(record=passed(cell)))

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": gone, "tcp://w2": {}}
    record = setting.measure(tmp_path, cell).record
    assert (record.status, record.lost_workers) == (Status.PASS, int(has_begun))
    assert [one["resources"] for one in setting.client.submitted] == [needs, {}]
    assert setting.client.futures[0].cancelled


@pytest.mark.parametrize(
    ("cell", "has", "rest", "said"),
    [
        (CUDA, {"GPU": 1}, {"tcp://w2": {}}, "no worker of head:8786 has GPU=1: cells that need"),
        (CPU, {}, {}, "no worker of head:8786 is left: cells wait until one comes"),
    ],
)
def test_that_the_last_worker_for_an_order_is_gone_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cell: Cell,
    has: dict[str, float],
    rest: dict[str, dict[str, float]],
    said: str,
) -> None:
    monkeypatch.setattr(dask, "_WORKERS_S", 0.0)
    monkeypatch.setattr(dask, "_LOOK_S", 0.01)
    told = threading.Event()

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.stated = rest
        assert told.wait(10)
        client.stated = {"tcp://w3": has}
        client.start(key, "tcp://w3")
        future.end(parcel(record=passed(cell)))

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": has, **rest}
    executor = setting.executor()

    def note(text: str) -> None:
        setting.notes.append(text)
        told.set()

    monkeypatch.setattr(executor, "_notify", note)
    assert setting.on(executor, tmp_path, cell).record.status is Status.PASS
    assert len(setting.notes) == 1
    assert setting.notes[0].startswith(said)
    assert len(setting.client.submitted) == 1, "it is Dask's to keep"


def test_an_order_stays_where_another_worker_can_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is given anew is the last in the queue."""
    monkeypatch.setattr(dask, "_WORKERS_S", 0.0)
    monkeypatch.setattr(dask, "_LOOK_S", 0.01)
    looked = threading.Event()

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.stated = {"tcp://w2": {}, "tcp://w3": LARGE}
        assert looked.wait(10)
        client.start(key, "tcp://w2")
        future.end(parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}}
    executor = setting.executor()
    has_taker = executor._has_taker

    def looking(choice: Any, here: Any) -> bool:
        if "tcp://w3" in here:
            looked.set()
        return has_taker(choice, here)

    monkeypatch.setattr(executor, "_has_taker", looking)
    assert setting.on(executor, tmp_path).record.status is Status.PASS
    assert setting.asked == [None]


def test_orders_that_wait_ask_once_for_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(monkeypatch, lambda *_all: None)
    executor, whole = setting.executor(), setting.client.scheduler_info
    asked: list[int] = []

    def slowly(n_workers: int) -> dict[str, Any]:
        asked.append(n_workers)
        threading.Event().wait(0.05)
        return whole(n_workers)

    monkeypatch.setattr(setting.client, "scheduler_info", slowly)
    threads = [threading.Thread(target=executor._workers, args=(60.0,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_a_worker_that_nobody_knows_is_asked_no_third_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not say that it began."""
    setting = Setting(monkeypatch, lambda _client, _key, end: end.end(parcel(fault=FULL)))
    assert setting.measure(tmp_path).record.status is Status.MISSING
    assert len(setting.client.submitted) == 2


def test_how_many_workers_there_are_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask's own thread asks for their number alone, and may have come between."""
    setting = Setting(monkeypatch, lambda _c, _k, future: future.end(parcel(record=passed(CUDA))))
    setting.client.stated = {"tcp://w1": {"GPU": 1}}
    executor, whole = setting.executor(), setting.client.scheduler_info
    answers = iter([{"workers": {}, "n_workers": 1}])
    monkeypatch.setattr(
        setting.client, "scheduler_info", lambda n_workers: next(answers, None) or whole(n_workers)
    )
    setting.on(executor, tmp_path, CUDA)
    assert setting.notes == []


def test_a_defect_of_a_worker_is_the_cell_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = parcel(defect="ZeroDivisionError: division by zero")
    setting = Setting(monkeypatch, lambda _client, _key, future: future.end(value))
    with pytest.raises(WorkerDefect, match="division by zero"):
        setting.measure(tmp_path)


def test_a_scheduler_that_is_gone_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        client.status = "closed"

    with pytest.raises(MachineFault, match="is gone"):
        Setting(monkeypatch, story).measure(tmp_path)


@pytest.mark.parametrize(
    ("cell", "stated", "asked", "waits"),
    [
        (CPU, [{}], {}, False),
        (CPU, [], {}, True),
        (CUDA, [{}], {"GPU": 1}, True),
        (CUDA, [{}, {"GPU": 2}], {"GPU": 1}, False),
        (CPU, [{"MEMORY": 16e9}], {"MEMORY": 8192 * 2**20}, False),
        (CPU, [{"MEMORY": 1e9}], {"MEMORY": 8192 * 2**20}, True),
        (CUDA, [{"GPU": 1}, {"MEMORY": 16e9}], {"GPU": 1}, False),
        (
            CUDA,
            [{"GPU": 1, "MEMORY": 16e9}, {"MEMORY": 16e9}],
            {"GPU": 1, "MEMORY": 8192 * 2**20},
            False,
        ),
        (CUDA, [{"MEMORY": 16e9}], {"GPU": 1}, True),
        (CPU, [{"GPU": 1}, {"MEMORY": 16e9}], {"MEMORY": 8192 * 2**20}, False),
        (msgspec.structs.replace(CUDA, without_gpu="import"), [{}], {}, False),
        (msgspec.structs.replace(CUDA, without_gpu="import"), [{"GPU": 1}], {"GPU": 1}, False),
    ],
)
def test_what_a_worker_must_have(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cell: Cell,
    stated: list[dict[str, float]],
    asked: dict[str, float],
    waits: bool,
) -> None:
    setting = Setting(
        monkeypatch, lambda _client, _key, future: future.end(parcel(record=passed(cell)))
    )
    setting.client.stated = {f"tcp://w{n}": has for n, has in enumerate(stated)}
    setting.measure(tmp_path, cell)
    assert setting.client.submitted[0]["resources"] == asked
    assert any("wait until one comes" in note for note in setting.notes) is waits


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.0.1", "tcp://w2, a worker of head:8786, has harness 0.0.1"),
        (ImportError("no"), "has no"),
    ],
)
def test_another_harness_on_a_worker_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, version: Any, said: str
) -> None:
    setting = Setting(monkeypatch, lambda *_all: None)
    setting.client.versions["tcp://w2"] = version
    with pytest.raises(MachineFault, match=said):
        setting.executor()
    assert setting.client.closed


def test_how_much_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(monkeypatch, lambda *_all: None)
    assert (setting.executor().jobs, setting.executor().places) == (64, 2)
    assert (setting.executor(jobs=1).jobs, setting.executor(jobs=1).places) == (1, 1)
    setting.client.versions = {str(n): harness.__version__ for n in range(50)}
    assert (setting.executor().jobs, setting.executor().places) == (200, 100)
    setting.client.versions = {}
    assert setting.executor().places == 1
    assert any("has no worker yet" in note for note in setting.notes)


def test_a_machine_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(dask, "import_module", absent)
    with pytest.raises(MachineFault, match=r"pip install 'r-python-harness\[dask\]'"):
        dask.connect("tcp://head:8786")


# -- the worker's side


def done(perform: Any, folder: Path, order: bytes | None = None) -> Parcel:
    encoded = order or msgspec.json.encode(Order(cell=CPU))
    said = carry_out(perform, encoded, folder, Watch(cancel=threading.Event()))
    return msgspec.json.decode(said, type=Parcel)


def test_a_worker_sends_the_record_and_the_files(tmp_path: Path) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        folder.mkdir()
        (folder / "stdout").write_bytes(b"\xff")
        return Answer(record=passed(order.cell), machine=Machine(cores=3))

    sent = done(perform, tmp_path / "cell")
    assert sent == Parcel(record=passed(), machine=Machine(cores=3), files={"stdout": b"\xff"})


def test_a_worker_tells_what_its_machine_lacks(tmp_path: Path) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        raise MachineFault("no bubblewrap here")

    assert done(perform, tmp_path) == Parcel(fault="no bubblewrap here")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_is_the_worker_s_fault_and_no_defect(tmp_path: Path, number: int) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        raise OSError(number, os.strerror(number))

    sent = done(perform, tmp_path)
    assert not sent.defect
    assert sent.fault.startswith(f"{tmp_path}: ")
    assert sent.fault.endswith(", or start the worker with another --local-directory")


def test_a_disk_that_fills_while_a_cell_is_prepared_is_the_worker_s_fault(
    small_disk: Callable[..., Path],
) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        folder.mkdir()
        (folder / "requirements.lock").write_bytes(b"x" * 100_000)
        return Answer(record=passed(order.cell))

    disk = small_disk()
    told = done(perform, disk / "cell").fault
    assert told.startswith(f"{disk}/cell: the disk is full; free some space")


def test_cells_keep_away_from_a_worker_whose_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def story(client: FakeClient, key: str, future: FakeFuture) -> None:
        one = next(one for one in client.submitted if one["key"] == key)
        worker = next(iter(sorted(one["workers"] or client.stated)))
        client.start(key, worker)
        encoded, folder = one["arguments"][1], tmp_path / "worker"
        bad = carry_out(perform, encoded, folder, Watch(cancel=threading.Event()))
        future.end(bad if worker == "tcp://w1" else parcel(record=passed()))

    setting = Setting(monkeypatch, story)
    setting.client.stated = {"tcp://w1": {}, "tcp://w2": {}}
    executor = setting.executor()
    assert setting.on(executor, tmp_path).record.status is Status.PASS
    assert setting.on(executor, tmp_path).record.status is Status.PASS
    assert setting.asked == [None, ("tcp://w2",), ("tcp://w2",)]


def test_a_worker_without_room_to_begin_tells_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as an error of the system: that looks as if the scheduler had gone."""
    said: list[Any] = []
    here = SimpleNamespace(
        address="tcp://w1",
        local_directory=str(tmp_path / "gone"),
        get_current_task=lambda: "key",
        log_event=lambda _topic, event: said.append(event),
    )
    monkeypatch.setitem(
        sys.modules, "distributed", cast("Any", SimpleNamespace(get_worker=lambda: here))
    )
    sent = msgspec.json.decode(work(never, b"", "topic"), type=Parcel)
    assert sent.fault.startswith(f"{tmp_path}/gone: cannot be written (No such file")
    assert said == [{"key": "key", "worker": "tcp://w1"}]


@pytest.mark.parametrize("in_record", [True, False])
def test_what_json_cannot_hold_is_a_defect(tmp_path: Path, in_record: bool) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        if in_record:
            return Answer(record=msgspec.structs.replace(passed(), message="caf\udce9"))
        raise OSError("caf\udce9")

    defect = done(perform, tmp_path).defect
    assert defect.startswith("UnicodeEncodeError: " if in_record else r"OSError: caf\udce9")


FIRST = """
import sys, threading
from harness.executors import worker

def decode():
    together.wait()
    for _ in range(20):
        try:
            worker.PARCELS.decode(b'{"record": {}}')
        except ValueError:
            pass
        worker.carry_out(None, b'{"cell": {}}', None, None)

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
threads = [threading.Thread(target=decode) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("all is well")
"""


def test_several_threads_may_be_the_first_to_decode() -> None:
    """A process of its own, as it dies otherwise, and only the first time is dangerous."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", FIRST], capture_output=True, text=True, check=False
        )
        assert done.stdout == "all is well\n", (done.returncode, done.stderr)


def test_a_fault_may_name_what_json_cannot_hold(tmp_path: Path) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        raise MachineFault("caf\udce9: cannot be written")

    assert done(perform, tmp_path).fault == r"caf\udce9: cannot be written"


def test_a_worker_tells_what_is_wrong_with_itself(tmp_path: Path) -> None:
    def perform(order: Order, folder: Path, watch: Watch) -> Answer:
        raise ZeroDivisionError("division by zero")

    assert done(perform, tmp_path) == Parcel(defect="ZeroDivisionError: division by zero")
    assert "ValidationError" in done(never, tmp_path, b'{"cell": 1}').defect
