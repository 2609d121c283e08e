"""What a run asks of an executor: to carry out an order, wherever it can be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from harness.model.cell import Cell
from harness.model.document import Machine
from harness.model.record import CellRecord


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One cell to measure, with all that must be known of it somewhere else.

    ``key`` is the digest of what is asked and of the code that asks it; empty where the cell is
    none of the plan (the trial of a remedy).  ``control`` is the record of the cell's control.
    A cell that does not pass is run ``again`` so many times.  ``variables`` are set for the cell
    and ``unset`` taken away.  ``cran`` is the repository of R packages that no R brings.  ``run``
    tells the orders of one run from those of others.
    """

    cell: Cell
    key: str = ""
    control: CellRecord | None = None
    again: int = 0
    variables: dict[str, str] = {}
    unset: tuple[str, ...] = ()
    cran: str | None = None
    run: str = ""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """How an order that is carried out is followed, and stopped.

    ``cancel`` is set from outside, and whoever measures ends within a second or so.
    ``on_start`` is told when the cell's turn has come, ``on_phase`` of each phase.
    """

    cancel: threading.Event
    on_start: Callable[[], None] = lambda: None
    on_phase: Callable[[str], None] = lambda _phase: None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an order.

    ``machine`` is where the cell was measured, where that is not the machine of the run.
    """

    record: CellRecord
    machine: Machine | None = None


Perform = Callable[[Order, Path, Watch], Answer]
"""Carries out an order on the machine that it is called on; the logs go into the folder."""


def need(cell: Cell) -> str:
    """Name what a machine must have for a cell, by what may differ between machines.

    Where other machines measure, cells of different needs wait for different ones: many that wait
    for a GPU must not keep those from being ordered for which a machine is free.
    """
    # Without a GPU, those that import only may go anywhere.
    gpu = "" if cell.axes.cuda == "cpu" else f"GPU ({cell.without_gpu}), "
    return f"{gpu}{cell.limits.memory_mb} MB"


class Executor(Protocol):
    """Carries out orders; used by several threads at once.

    ``is_here`` says that the run's own process measures, so that it has to prepare what the
    cells need.  ``jobs`` is how many orders may be under way, of each need where it does not;
    ``places`` is how many cells are measured at a time, as far as that is known.
    """

    is_here: bool
    jobs: int
    places: int

    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        """Carry out an order; its logs are in ``folder`` when this returns.

        The record has the status ``missing`` where the cell was stopped before its end.

        Raises
        ------
        MachineFault
            No machine that there is could do it, and no other cell would fare better.
        """
        ...

    def close(self) -> None:
        """Let go of what was held; nothing is under way any more."""
        ...
