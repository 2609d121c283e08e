"""The cells of a run in the run's own process, each in a thread of the scheduler."""

from __future__ import annotations

from pathlib import Path

from harness.executors.base import Answer, Order, Perform, Watch


class LocalExecutor:
    """Measures in the thread that asks.

    Parameters
    ----------
    perform
        Measures one cell for which everything has been prepared.
    jobs
        Cells at once.
    """

    is_here = True

    def __init__(self, perform: Perform, jobs: int) -> None:
        self._perform = perform
        self.jobs = jobs
        self.places = jobs

    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        """Measure the cell now."""
        watch.on_start()
        return self._perform(order, folder, watch)

    def close(self) -> None:
        """There is nothing to let go of."""
