"""How many cells does a covering selection take, and how soon, beside what libraries find?

Each method runs in a process of its own, with a time limit.  What is not installed is left out:
covertable and allpairspy build covering arrays, ortools (CP-SAT) and python-sat (RC2, MaxSAT)
solve the set cover that it is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import itertools
import json
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from _measure import Bench, Failed, Figure
from msgspec.structs import replace

from harness.matrix.expand import control_axes
from harness.model.cell import Axes, Cell, Framework, Plan, cell_id
from harness.plan.cover import cover

PYTHONS: Final = {f"3.{minor}": (2011 + minor, 2016 + minor) for minor in range(8, 15)}
"""Years from which and to which there are builds of frameworks for a Python."""
FRAMEWORKS: Final = [
    *((Framework("tensorflow", f"2.{n}.0"), 2022 + n / 3 - 8 / 3) for n in range(8, 22)),
    *((Framework("keras", f"2.{n}.0", ("tensorflow",)), 2020 + n / 4) for n in range(8, 16)),
    *((Framework("keras", f"3.{n}.0", ("jax",)), 2023.9 + n * 0.18) for n in range(16)),
    *((Framework("torch", f"2.{n}.0"), 2022.8 + n * 0.27) for n in range(15)),
    *((Framework("jax", f"0.{n}.0"), 2022.4 + n * 0.35) for n in range(4, 13)),
]
CUDAS: Final = {
    "cpu": (2000.0, 2100.0),
    "11.8": (2022.0, 2024.5),
    "12.4": (2024.0, 2025.5),
    "12.8": (2025.0, 2026.5),
    "13.0": (2025.8, 2030.0),
}
NUMPYS: Final = {
    "": (2000.0, 2100.0, 2000),
    "<2": (2000.0, 2026.0, 2000),
    ">=2": (2024.3, 2100.0, 2020),
}
"""Years of the frameworks that go with a numpy, and of the first Python that does."""
MISSING: Final = 0.05
"""The share of cells that cannot exist for no reason that a rule could state."""
RS: Final = ("4.0.4", "4.1.2", "4.2.2", "4.3.3", "4.4.3", "4.5.0", "4.6.2")
RETICULATES: Final = ("1.18", "1.24", "1.28", "1.32", "1.35", "1.39", "1.41", "1.47")
RPY2S: Final = ("3.4.2", "3.5.9", "3.5.17", "3.6.9")
TRANSPORTS: Final = ("socket", "zmq", "http", "rserve")


def real(share: float) -> list[Axes]:
    """Return cells of the shape of a full matrix, of which a ``share`` can exist.

    A framework goes with the Pythons, the CUDA and the numpy of its time, a bridge with the
    Pythons and numpys that it knows, and one in twenty is missing without a rule.
    """
    cells: list[Axes] = []
    for (framework, year), python in itertools.product(FRAMEWORKS, PYTHONS):
        first, last = PYTHONS[python]
        for cuda, numpy in itertools.product(CUDAS, NUMPYS):
            begins, ends = CUDAS[cuda]
            since, until, python_since = NUMPYS[numpy]
            if (
                first + 0.6 <= year <= last
                and begins <= year < ends
                and since <= year < until
                and first >= python_since
            ):
                pins = (("numpy", numpy),) if numpy else ()
                base = Axes(path="native", python=python, framework=framework, cuda=cuda, pins=pins)
                cells.extend(axes for axes in _paths(base) if _can_exist(axes, share))
    return cells


def _paths(base: Axes) -> Iterator[Axes]:
    yield base
    for r in RS:
        yield replace(base, path="system", r=r)
        for transport in TRANSPORTS:
            yield replace(base, path="rpc", transport=transport, r=r)
        for bridge in RETICULATES:
            old = bridge in RETICULATES[:3]
            if not (old and (base.python >= "3.12" or base.pins == (("numpy", ">=2"),))):
                yield replace(base, path="reticulate", bridge=bridge, r=r)
        for bridge in RPY2S:
            if bridge != RPY2S[0] or r in RS[:4]:
                yield replace(base, path="rpy2", bridge=bridge, r=r)


def _can_exist(axes: Axes, share: float) -> bool:
    return MISSING <= _luck(cell_id(axes)) <= MISSING + (1 - MISSING) * share


def even(*sizes: int) -> list[Axes]:
    """Return cells of packages with so many versions each, of which one in five is missing."""
    points = itertools.product(*map(range, sizes))
    cells = [
        Axes(
            path="native",
            python="3.11",
            pins=tuple((f"p{axis}", f"=={value}") for axis, value in enumerate(point)),
        )
        for point in points
    ]
    return [axes for axes in cells if _luck(cell_id(axes)) >= 4 * MISSING]


def _luck(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") / 2**32


SHAPES: Final[dict[str, tuple[Callable[[], list[Axes]], int]]] = {
    "full matrix, pairs": (lambda: real(1), 2),
    "full matrix, triples": (lambda: real(1), 3),
    "tenth of it, pairs": (lambda: real(0.1), 2),
    "tenth of it, triples": (lambda: real(0.1), 3),
    "7 × 7 × 7 × 7, pairs": (lambda: even(7, 7, 7, 7), 2),
    "7 × 7 × 7 × 7, triples": (lambda: even(7, 7, 7, 7), 3),
    "8 × 6 × 5 × 4, triples": (lambda: even(8, 6, 5, 4), 3),
}

ALONE: Final = frozenset({"full matrix, pairs", "full matrix, triples"})
"""Shapes that are too large for the libraries."""

Rows = Sequence[Sequence[tuple[str, object]]]
"""Cells as the values of the axes that apply to them."""


def rows_of(cells: Sequence[Axes]) -> list[list[tuple[str, object]]]:
    """Return the values of cells; what a cell leaves to the resolver is the value ``any``."""
    pinned = sorted({name for axes in cells for name, _ in axes.pins})
    rows: list[list[tuple[str, object]]] = []
    for axes in cells:
        values = {**axes.as_dict(), **{name: dict(axes.pins).get(name, "any") for name in pinned}}
        rows.append([(axis, value) for axis, value in sorted(values.items()) if value is not None])
    return rows


def combinations_of(rows: Rows, strength: int) -> set[Any]:
    """Return all combinations of values in some rows."""
    return {some for row in rows for some in itertools.combinations(row, strength)}


# --- the methods: each returns the numbers of the cells that it takes ---------------------------


def own(cells: list[Axes], strength: int, limit: float) -> list[int]:
    """``harness.plan.cover``."""
    del limit
    made = tuple(
        Cell(
            id=cell_id(axes),
            axes=axes,
            control=None if axes.path == "native" else cell_id(control_axes(axes)),
        )
        for axes in cells
    )
    plan = Plan(matrix="bench", source="bench", cells=made)
    found = cover(plan, strength, [cell.id for cell in made])
    TOLD["bound"] = found.bound
    chosen = set(found.chosen)
    return [number for number, cell in enumerate(made) if cell.id in chosen]


def allpairspy(cells: list[Axes], strength: int, limit: float) -> list[int]:
    """Row by row, with a filter that knows every beginning of a row that some cell has."""
    del limit
    table, axes = _table(cells)
    beginnings = {row[:length] for row in table for length in range(len(axes) + 1)}
    parameters = [sorted({row[place] for row in table}) for place in range(len(axes))]
    pairs = import_module("allpairspy").AllPairs(
        parameters, filter_func=lambda row: tuple(row) in beginnings, n=strength
    )
    return _numbers(table, [tuple(row) for row in pairs])


def covertable(cells: list[Axes], strength: int, limit: float) -> list[int]:
    """With a constraint for every two and three axes, and one for the whole row."""
    del limit
    table, axes = _table(cells)
    factors = {axis: sorted({row[n] for row in table}) for n, axis in enumerate(axes)}
    constraints = []
    for size in (2, 3, len(axes)):
        for places in itertools.combinations(range(len(axes)), size):
            known = {tuple(row[place] for place in places) for row in table}
            names = [axes[place] for place in places]
            constraints.append(
                {
                    "operator": "fn",
                    "requires": names,
                    "evaluate": lambda row, names=names, known=known: (
                        tuple(row[name] for name in names) in known
                    ),
                }
            )
    made = import_module("covertable.main").Controller(
        factors, strength=strength, constraints=constraints
    )
    return _numbers(table, [tuple(row[axis] for axis in axes) for row in made.make()])


def cp_sat(cells: list[Axes], strength: int, limit: float) -> list[int]:
    """Set cover for CP-SAT: a variable a cell, a clause a combination; the best within a limit."""
    model_of = import_module("ortools.sat.python.cp_model")
    model = model_of.CpModel()
    taken = [model.new_bool_var("") for _ in cells]
    for holders in _holders(cells, strength):
        model.add_bool_or([taken[number] for number in holders])
    model.minimize(sum(taken))
    solver = model_of.CpSolver()
    solver.parameters.max_time_in_seconds = limit
    solver.parameters.num_workers = 1
    solver.solve(model)
    TOLD["bound"] = int(solver.best_objective_bound)
    return [number for number, variable in enumerate(taken) if solver.value(variable)]


def maxsat(cells: list[Axes], strength: int, limit: float) -> list[int]:
    """The same for RC2, which has an answer only once it is the best."""
    del limit
    formula = import_module("pysat.formula").WCNF()
    for holders in _holders(cells, strength):
        formula.append([number + 1 for number in holders])
    for number in range(len(cells)):
        formula.append([-number - 1], weight=1)
    with import_module("pysat.examples.rc2").RC2(formula) as solver:
        return [number - 1 for number in solver.compute() if number > 0]


METHODS: Final[dict[str, tuple[str, Callable[[list[Axes], int, float], list[int]]]]] = {
    "harness": ("harness", own),
    "allpairspy": ("allpairspy", allpairspy),
    "covertable": ("covertable", covertable),
    "CP-SAT": ("ortools", cp_sat),
    "RC2": ("pysat", maxsat),
}
TOLD: dict[str, float] = {}
"""What a method says beside its answer."""


def _table(cells: list[Axes]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return rows with a text on every axis, as libraries for covering arrays want them."""
    rows = [dict(row) for row in rows_of(cells)]
    axes = sorted({axis for row in rows for axis in row})
    return [tuple(str(row.get(axis, "-")) for axis in axes) for row in rows], axes


def _numbers(table: list[tuple[str, ...]], rows: list[tuple[str, ...]]) -> list[int]:
    known = {row: number for number, row in enumerate(table)}
    return [known[row] for row in rows]


def _holders(cells: list[Axes], strength: int) -> list[list[int]]:
    holders: dict[Any, list[int]] = defaultdict(list)
    for number, row in enumerate(rows_of(cells)):
        for some in itertools.combinations(row, strength):
            holders[some].append(number)
    return list(holders.values())


# --- what is measured ---------------------------------------------------------------------------


def one(method: str, shape: str, limit: float) -> None:
    """Run one method on one shape, hold its answer against the question, and print it."""
    make, strength = SHAPES[shape]
    cells = make()
    # CPU time, because a busy machine is no fault of a method; RLIMIT_CPU ends the process.
    began = time.process_time()
    if method != "harness":
        allowed = int(began + 1.5 * limit)
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, allowed))
    chosen = METHODS[method][1](cells, strength, limit)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = rows_of(cells)
    whole = combinations_of(rows, strength)
    covered = combinations_of([rows[number] for number in chosen], strength)
    told = {
        "candidates": len(cells),
        "cells": len(set(chosen)),
        "combinations": len(whole),
        "covered": len(covered),
        "cpu_s": seconds,
        "max_rss_mb": peak,
        **TOLD,
    }
    print(json.dumps(told))


def run(method: str, shape: str, limit: float) -> dict[str, float] | str:
    """Run one method in a process of its own; return what it printed, or why there is nothing."""
    command = [sys.executable, __file__, "--one", method, shape, "--limit", str(limit)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        return f"no answer within {1.5 * limit:.0f} s of CPU"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "SHAPE"))
    parser.add_argument("--limit", type=float, default=20.0, help="seconds of CPU for each method")
    asked = parser.parse_args()
    if asked.one:
        method, shape = asked.one
        one(method, shape, asked.limit)
        return 0
    figures = []
    notes = []
    for shape in SHAPES:
        said = []
        for method, (module, _) in METHODS.items():
            mine = method == "harness"
            if not mine and shape in ALONE:
                continue
            if importlib.util.find_spec(module) is None:
                said.append(f"{method} is not installed")
                continue
            answer = run(method, shape, asked.limit)
            if isinstance(answer, str):
                if mine:
                    raise Failed(f"{shape}: {answer}")
                said.append(f"{method} {answer}")
                continue
            if mine:
                candidates, every = answer["candidates"], answer["combinations"]
                head = f"{shape}, {candidates:,} candidates with {every:,} combinations"
                least = f"; no fewer than {answer['bound']:,} can do"
            left = answer["combinations"] - answer["covered"]
            short = f", but leaves {left:,} combinations out" if left else least if mine else ""
            said.append(f"{method} {answer['cells']:,} cells{short}")
            what = f"{shape}: {method}"
            figures.append(Figure(what, "s of CPU", [answer["cpu_s"]], 60 if mine else None))
            if mine:
                figures.append(Figure(what, "MB at the peak", [answer["max_rss_mb"]], 1000))
        notes.append(f"{head}: {'; '.join(said)}.")
    notes.append("With the libraries: `uv run --group bench-cover python bench/cover.py`.")
    return Bench(
        "cover", "How soon is a large matrix covered, and by how few?", figures, notes
    ).publish()


if __name__ == "__main__":
    sys.exit(main())
