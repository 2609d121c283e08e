"""The scheduler: needs before those who need them, pools apart, and a stop that stops."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial

import pytest

from harness.workflow.scheduler import Scheduler, Task


def run(tasks: list[Task], *, cells: int = 2) -> None:
    Scheduler({"cell": cells, "prepare": 1}, threading.Event()).run(tasks)


def test_a_task_waits_for_what_it_needs() -> None:
    done: list[str] = []
    tasks = [
        Task(
            name="cell", pool="cell", run=lambda: done.append("cell"), needs=frozenset({"r", "py"})
        ),
        Task(name="r", pool="prepare", run=lambda: done.append("r")),
        Task(name="py", pool="prepare", run=lambda: done.append("py"), needs=frozenset({"r"})),
    ]
    run(tasks)
    assert done == ["r", "py", "cell"]


def test_what_is_needed_and_not_there_is_not_waited_for() -> None:
    done: list[str] = []
    run([Task(name="a", pool="cell", run=lambda: done.append("a"), needs=frozenset({"resumed"}))])
    assert done == ["a"]


def test_priority_then_order() -> None:
    done: list[int] = []
    tasks = [
        Task(name=str(n), pool="cell", run=lambda n=n: done.append(n), priority=n % 2)  # type: ignore[misc]
        for n in range(6)
    ]
    run(tasks, cells=1)
    assert done == [0, 2, 4, 1, 3, 5]


def test_no_more_run_at_once_than_the_pool_has_threads() -> None:
    running = 0
    most = 0
    mutex = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with mutex:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with mutex:
            running -= 1

    run([Task(name=str(n), pool="cell", run=work) for n in range(10)], cells=3)
    assert most == 3


def test_what_waits_in_one_lane_holds_up_no_other() -> None:
    freed = threading.Event()
    held: list[bool] = []
    tasks = [
        Task(name=str(n), pool="cell", lane="GPU", run=lambda: held.append(freed.wait(10)))
        for n in range(5)
    ]
    tasks.append(Task(name="control", pool="cell", run=lambda: None))
    tasks.append(Task(name="cpu", pool="cell", run=freed.set, needs=frozenset({"control"})))
    run(tasks)
    assert held == [True] * 5


def test_each_lane_has_the_threads_of_its_pool() -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    mutex = threading.Lock()

    def work(lane: str) -> None:
        with mutex:
            running[lane] += 1
            most[lane] = max(most[lane], running[lane])
        time.sleep(0.02)
        with mutex:
            running[lane] -= 1

    lanes = ("", "GPU")
    run(
        [
            Task(name=f"{lane} {n}", pool="cell", lane=lane, run=partial(work, lane))
            for lane in lanes
            for n in range(10)
        ],
        cells=3,
    )
    assert most == dict.fromkeys(lanes, 3)


def test_the_first_error_stops_the_rest_and_is_raised() -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("disk full")

    tasks = [Task(name="bad", pool="cell", run=fail)] + [
        Task(name=str(n), pool="cell", run=lambda: done.append("x"), needs=frozenset({"bad"}))
        for n in range(100)
    ]
    with pytest.raises(OSError, match="disk full"):
        run(tasks)
    assert not done


def test_cancel_from_outside_ends_the_run() -> None:
    cancel = threading.Event()
    started = threading.Event()

    def wait() -> None:
        started.set()
        cancel.wait(10)

    scheduler = Scheduler({"cell": 1}, cancel)
    threading.Thread(target=lambda: (started.wait(), cancel.set())).start()
    began = time.monotonic()
    scheduler.run([Task(name=str(n), pool="cell", run=wait) for n in range(5)])
    assert time.monotonic() - began < 5
