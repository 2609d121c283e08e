"""Runs tasks that need each other on a few threads, and stops all of them at once.

A task is ready when the tasks that it needs have ended, however they ended: what became of
them is for the task to look at.  Each pool has its own number of threads, so that building
an environment does not take the place of a cell.  A pool has them for each of its lanes: a task
that waits for something does not take the place of one that waits for something else.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

_Line = tuple[str, str]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do.

    Of the ready tasks of one lane of a pool, the one with the least ``priority`` is taken first.
    """

    name: str
    pool: str
    run: Callable[[], None]
    needs: frozenset[str] = frozenset()
    priority: int = 0
    lane: str = ""

    @property
    def line(self) -> _Line:
        """The tasks that it may have to wait for: those of its pool that are in its lane."""
        return self.pool, self.lane


class Scheduler:
    """Runs tasks until all have ended or ``cancel`` is set.

    Parameters
    ----------
    pools
        Number of threads by pool, of each lane.
    cancel
        Set from outside to stop: no task is started any more, and the running ones are
        expected to watch it, too.  Set by the scheduler when a task raises.
    """

    def __init__(self, pools: Mapping[str, int], cancel: threading.Event) -> None:
        self._pools = dict(pools)
        self._cancel = cancel
        self._changed = threading.Condition()
        self._ready: dict[_Line, list[tuple[int, int, Task]]] = defaultdict(list)
        self._open = 0
        self._waiting: dict[str, int] = {}
        self._dependents: dict[str, list[tuple[int, Task]]] = defaultdict(list)
        self._error: BaseException | None = None

    def run(self, tasks: Iterable[Task]) -> None:
        """Run all tasks; return when they have ended.

        Raises
        ------
        BaseException
            The first that a task raised, once the running tasks have ended; and
            ``KeyboardInterrupt``, once they were told to stop and did.
        """
        tasks = list(tasks)
        self._enter(tasks)
        threads = [
            threading.Thread(target=self._work, args=(line,), name=f"{line[0]}-{n}", daemon=True)
            for line, wanted in Counter(task.line for task in tasks).items()
            for n in range(min(self._pools[line[0]], wanted))
        ]
        for thread in threads:
            thread.start()
        try:
            self._wait()
        except KeyboardInterrupt:
            self._stop(None)
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._error is not None:
            raise self._error

    def _enter(self, tasks: list[Task]) -> None:
        names = {task.name for task in tasks}
        self._open = len(tasks)
        for index, task in enumerate(tasks):
            needs = task.needs & names
            if needs:
                self._waiting[task.name] = len(needs)
                for need in needs:
                    self._dependents[need].append((index, task))
            else:
                heapq.heappush(self._ready[task.line], (task.priority, index, task))

    def _wait(self) -> None:
        with self._changed:
            while self._open and not self._cancel.is_set():
                # With a time limit, because a wait without one is deaf to Ctrl-C.
                self._changed.wait(0.2)

    def _work(self, line: _Line) -> None:
        while (task := self._next(line)) is not None:
            try:
                task.run()
            except BaseException as error:  # noqa: BLE001 - handed to the caller of run()
                self._stop(error)
            self._ended(task)

    def _next(self, line: _Line) -> Task | None:
        with self._changed:
            while True:
                if self._cancel.is_set() or not self._open:
                    return None
                if self._ready[line]:
                    return heapq.heappop(self._ready[line])[2]
                self._changed.wait(0.5)

    def _ended(self, task: Task) -> None:
        with self._changed:
            self._open -= 1
            for index, dependent in self._dependents.pop(task.name, ()):
                self._waiting[dependent.name] -= 1
                if not self._waiting[dependent.name]:
                    heapq.heappush(
                        self._ready[dependent.line], (dependent.priority, index, dependent)
                    )
            self._changed.notify_all()

    def _stop(self, error: BaseException | None) -> None:
        with self._changed:
            self._error = self._error or error
            self._cancel.set()
            self._changed.notify_all()
