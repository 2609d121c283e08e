"""What does a planned cell cost the harness itself, and does its memory stay flat?

Runs plans of made-up cells through the whole of a run (plan, keys, scheduler, journal, results),
with an executor that answers at once, each plan in a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _measure import Bench, Figure

from harness.executors.base import Answer, Order, Watch
from harness.model.cell import Axes, Cell, Plan, cell_id
from harness.model.record import CellRecord, ProbeRecord, Stage
from harness.model.status import Phase, Status
from harness.provision.store import FolderStore
from harness.workflow.display import QuietDisplay
from harness.workflow.run import Settings, Workshop, execute

FEW, MANY = 1_000, 10_000
REPEAT = 2
LIMIT_MS = 5.0
LIMIT_KB = 16.0
"""Of memory for each further cell: its record, once in the results document and once in JSON."""


class Instant:
    """An executor that measures nothing; one cell in ten fails."""

    is_here = False
    jobs = 8
    places = 8

    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        """Return a record of the size that a small cell has."""
        del folder
        watch.on_start()
        cell = order.cell
        fails = int(cell.axes.python.rpartition(".")[2]) % 10 == 0
        stages = tuple(Stage(name=f"stage {n}", wall_s=0.1, cpu_s=0.1) for n in range(6))
        status = Status.FAIL if fails else Status.PASS
        record = CellRecord(
            id=cell.id,
            axes=cell.axes.as_dict(),
            status=status,
            phase=Phase.IMPORT if fails else None,
            message="ImportError: No module named 'made_up'" if fails else None,
            identity={"python": {"version": cell.axes.python, "executable": "ENV/bin/python"}},
            probes=(ProbeRecord(name="init", status=status, stages=stages),),
            control=cell.control,
        )
        return Answer(record=record)

    def close(self) -> None:
        """There is nothing to let go of."""


def plan_of(number: int) -> Plan:
    """Return a plan of so many cells, nine of ten with a control."""
    cells = []
    for group in range(number // 10):
        python = f"3.11.{group}"
        control = Axes(path="native", python=python)
        cells.append(Cell(id=cell_id(control), axes=control, probes=("init",)))
        for r in range(9):
            axes = Axes(path="system", python=python, r=f"4.{r}.0")
            cells.append(
                Cell(id=cell_id(axes), axes=axes, probes=("init",), control=cell_id(control))
            )
    return Plan(matrix="made-up", source="made-up", cells=tuple(cells), whole=number)


def once(number: int) -> dict[str, float]:
    """Run a plan; return seconds and MB at the peak."""
    plan = plan_of(number)
    with tempfile.TemporaryDirectory() as folder, FolderStore(Path(folder, "store")) as store:
        settings = Settings(results=Path(folder, "results"), quiet=True, report=False)
        workshop = Workshop(store=store, trees={}, remote=Instant())
        began = time.process_time()
        execute(plan, settings, QuietDisplay(), workshop)
        seconds = time.process_time() - began
        document = json.loads(Path(folder, "results", "results.json").read_bytes())
        measured = sum(cell["status"] != "missing" for cell in document["cells"])
    return {
        "measured": measured,
        "seconds": seconds,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> int:
    """Measure, and return the exit code."""
    if sys.argv[1:]:
        print(json.dumps(once(int(sys.argv[1]))))
        return 0
    found: dict[int, list[dict[str, float]]] = {FEW: [], MANY: []}
    for number in (FEW, MANY) * REPEAT:
        said = subprocess.run(
            [sys.executable, __file__, str(number)], check=True, capture_output=True
        )
        found[number].append(json.loads(said.stdout))
    few, many = found[FEW], found[MANY]
    for number, ran in found.items():
        if any(one["measured"] != number for one in ran):
            raise SystemExit(f"not all of {number} cells have a result: nothing can be concluded")
    growth = [
        (more["mb"] - less["mb"]) * 1024 / (MANY - FEW)
        for more, less in zip(many, few, strict=True)
    ]
    return Bench(
        "many_cells",
        "What does a planned cell cost the harness itself, and does its memory stay flat?",
        [
            Figure(
                f"processor time a cell, of {MANY} cells",
                "ms",
                [one["seconds"] * 1000 / MANY for one in many],
                LIMIT_MS,
            ),
            Figure(
                f"processor time a cell, of {FEW} cells",
                "ms",
                [one["seconds"] * 1000 / FEW for one in few],
            ),
            Figure("memory for each further cell", "KB", growth, LIMIT_KB),
            Figure(f"memory at its peak, {FEW} cells", "MB", [one["mb"] for one in few]),
            Figure(f"memory at its peak, {MANY} cells", "MB", [one["mb"] for one in many]),
        ],
        [
            (
                "Of a whole run with an executor that answers at once: keys, scheduler, "
                "explanation of each failure, journal, results document. Eight at a time, one "
                "cell in ten fails. Times are of the processor: they hold on a busy machine, too."
            )
        ],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())
