"""Shards: the cells of a plan dealt out to K of N machines, each cell to one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from statistics import median
from typing import Final

import msgspec

from harness.errors import UsageError
from harness.model.cell import Cell, Plan
from harness.plan.select import with_controls

MOST: Final = 256
"""Shards of a plan: as many jobs as GitHub makes of one matrix."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell took last time, in seconds: its own run, and making what it needs."""

    run_s: float
    make_s: float = 0.0


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One of several shards: ``name`` is ``K/N``; ``cost_s`` is 0 where no times are known."""

    name: str
    cells: int
    cost_s: float


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``K/N``, with 1 <= K <= N <= ``MOST``.

    Raises
    ------
    UsageError
        The text is not of that form.
    """
    # Longer numbers than a plan has shards need not be read, nor would Python read the longest.
    found = re.fullmatch(r"0*([0-9]{1,9})/0*([0-9]{1,9})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MOST:
        raise UsageError(
            f"--shard '{text[:40]}' is no shard; write K/N with K from 1 to N and N up to {MOST}, "
            "such as 2/4"
        )
    return int(found[1]), int(found[2])


def shard(plan: Plan, index: int, count: int, costs: Mapping[str, Cost] | None = None) -> Plan:
    """Keep the cells of shard ``index`` (from 1) of ``count``, with their controls.

    Cells that share a Python environment stay together, so that it is built on one machine
    alone; an implied control runs in the shard of the cells that need it.  ``costs`` are those of
    last time by cell id: with them, shards take about as long as each other, without them, they
    have about as many cells.  All shards must be dealt out with the same.
    """
    dealt, _ = _dealt(plan, count, costs or {})
    cells = with_controls(plan, set(dealt[index - 1]))
    kept = {cell.id for cell in cells}
    others = tuple(cell for cell in plan.cells if cell.id not in kept)
    return msgspec.structs.replace(plan, cells=cells, others=others)


def shards(plan: Plan, count: int, costs: Mapping[str, Cost] | None = None) -> list[Shard]:
    """Return those of ``count`` shards that have cells."""
    dealt, loads = _dealt(plan, count, costs or {})
    return [
        Shard(name=f"{number}/{count}", cells=len(cells), cost_s=load if costs else 0.0)
        for number, (cells, load) in enumerate(zip(dealt, loads, strict=True), 1)
        if cells
    ]


def _dealt(
    plan: Plan, count: int, costs: Mapping[str, Cost]
) -> tuple[list[list[str]], list[float]]:
    """Deal out groups of cells, the costliest first, each to the shard with the least so far.

    That is at most a third worse than the best that there is (Graham 1969).
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        if not cell.implied:
            groups[cell.control or cell.id].append(cell)
    cost_of = _costs(plan.cells, costs)
    cost = {}
    for name, members in groups.items():
        ids = {cell.id for cell in members}
        # An implied control is run in the group's shard; without times, it does not count.
        cost[name] = _cost(ids | ({name} & cost_of.keys() if costs else set()), cost_of)
    dealt: list[list[str]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for name in sorted(groups, key=lambda name: (-cost[name], name)):
        least = min(range(count), key=lambda number: loads[number])
        dealt[least].extend(cell.id for cell in groups[name])
        loads[least] += cost[name]
    return dealt, loads


def _costs(cells: Iterable[Cell], costs: Mapping[str, Cost]) -> dict[str, Cost]:
    """Return what is known of each cell; one that is new costs as much as those of its path."""
    by_path: dict[str, list[Cost]] = defaultdict(list)
    plan = {cell.id: cell for cell in cells}
    for name, cell in plan.items():
        if name in costs:
            by_path[cell.axes.path].append(costs[name])
    every = [cost for known in by_path.values() for cost in known]
    return {
        name: costs.get(name) or _typical(by_path.get(cell.axes.path) or every)
        for name, cell in plan.items()
    }


def _typical(known: list[Cost]) -> Cost:
    if not known:
        return Cost(run_s=1.0)
    return Cost(
        run_s=median(cost.run_s for cost in known), make_s=median(cost.make_s for cost in known)
    )


def _cost(cells: Collection[str], costs: Mapping[str, Cost]) -> float:
    """Return what a group takes: what its cells share is made once."""
    return sum(costs[name].run_s for name in cells) + max(costs[name].make_s for name in cells)
