"""How soon is it known of a thousand cells whether they can exist?"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _measure import Bench, Failed, Figure

from harness.model.cell import Plan
from harness.programs import uv_program
from harness.provision.pipconfig import package_sources
from harness.provision.store import FolderStore
from harness.resolve import Absent, request
from harness.workflow.planning import make_plan
from harness.workflow.resolving import Existence, Progress, Pythons, resolve_plan

CELLS = 1000
LIMIT_S = 180.0
"""For all cells, where uv has what it needs and the harness has no answer."""
AGAIN_S = 2.0
"""For all cells, where every answer has been kept."""


def large_matrix(folder: Path) -> Path:
    """Write a matrix of 1,000 cells of which no two ask for the same: 4 x 25 x 10."""
    tensorflow = [f"tensorflow==2.{minor}.0" for minor in (13, 14, 15, 17, 18, 19, 20, 21)]
    jax = [f"jax==0.{rest}" for rest in ("4.30", "4.35", "5.3", "6.2", "7.2", "8.1", "10.2")]
    keras = [f"keras=={version}" for version in ("2.15.0", "3.5.0", "3.8.0", "3.10.0", "3.13.0")]
    on_jax = [f"keras[jax]=={version}" for version in ("3.5.0", "3.8.0", "3.10.0", "3.13.0")]
    exact = [f"2.{minor}.{patch}" for minor in range(4) for patch in (0, 1)]
    axes = {
        "path": ["native"],
        "python": ["3.10", "3.11", "3.12", "3.13"],
        "framework": [*tensorflow, *jax, *keras, *on_jax, "torch==2.13.0"],
        "numpy": [*exact, "<2", ">=2.1"],
    }
    file = folder / "resolve.yaml"
    file.write_text(json.dumps({"axes": axes, "controls": False}), encoding="utf-8")
    return file


def resolved(plan: Plan, folder: Path) -> tuple[float, int, Counter[Existence]]:
    """Resolve a plan with the answers kept in ``folder``; return seconds, questions, answers."""
    seen: list[Progress] = []
    with FolderStore(folder) as store:
        answers = resolve_plan(plan, store=store, on_progress=seen.append)
    counts = Counter(answer.status for answer in answers.values())
    if sum(counts.values()) != len(plan.cells) or counts[Existence.UNKNOWN]:
        raise Failed(f"not every cell has an answer: {dict(counts)}")
    return seen[-1].seconds, seen[-1].asked, counts


def one_by_one(plan: Plan, share: int, folder: Path) -> float:
    """Ask uv about some cells as by hand, one after the other; return seconds for all cells.

    With a cache of its own: what the harness asks for stays fresh in uv's for ten minutes.
    """
    sources = package_sources()
    env = {**sources.env, "UV_CACHE_DIR": str(folder / "uv")}
    with FolderStore(folder / "pythons") as store:
        pythons = Pythons(store)
        found = {cell.axes.python: pythons.find(cell.axes.python) for cell in plan.cells}
    cells = plan.cells[::share]
    began = time.perf_counter()
    for cell in cells:
        (folder / "r.in").write_text("\n".join(request(cell.axes).requirements))
        python = found[cell.axes.python]
        named = python.version if isinstance(python, Absent) else str(python.executable)
        subprocess.run(
            [uv_program(), "pip", "compile", "r.in", "--quiet", "--python", named,
             "--only-binary", ":all:", *sources.options],
            cwd=folder, env=env, check=False, capture_output=True,
        )  # fmt: skip
    return (time.perf_counter() - began) / len(cells) * len(plan.cells)


def cpu_s() -> float:
    """Return the CPU time of this process and of its children so far."""
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--share", type=int, default=23, help="every SHAREth cell is asked for by hand, too"
    )
    given = parser.parse_args()
    first: list[float] = []
    first_cpu: list[float] = []
    again: list[float] = []
    by_hand: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = make_plan(large_matrix(folder))
        if len(plan.cells) != CELLS:
            raise Failed(f"the matrix has {len(plan.cells)} cells, not {CELLS}")
        # An untimed round of both, which leaves the indexes' pages with uv.
        resolved(plan, folder / "warm")
        one_by_one(plan, given.share, folder)
        for number in range(given.repeat):  # interleaved: a busy minute hits all alike
            by_hand.append(one_by_one(plan, given.share, folder))
            began = cpu_s()
            seconds, asked, counts = resolved(plan, folder / f"answers-{number}")
            first.append(seconds)
            first_cpu.append(cpu_s() - began)
            again.append(resolved(plan, folder / f"answers-{number}")[0])
    ratios = [slow / quick for slow, quick in zip(by_hand, first, strict=True)]
    said = ", ".join(f"{number} {status.value}" for status, number in sorted(counts.items()))
    return Bench(
        "resolve",
        "How soon is it known of a thousand cells whether they can exist?",
        [
            Figure(f"{CELLS:,} different cells, no answer kept", "s", first, LIMIT_S),
            Figure("CPU time of that, uv's included", "s of CPU", first_cpu),
            Figure("the same, every answer kept", "s", again, AGAIN_S),
            Figure("uv by hand, once for each cell, one after the other", "s", by_hand),
            Figure("how many times as long that is", "times", ratios),
        ],
        [
            (
                f"Of the cells, {said}; {asked} questions went to uv, which had the pages of the "
                "indexes from a round before."
            ),
            f"By hand, every {given.share}th cell was asked for, and the time taken for all.",
        ],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())
