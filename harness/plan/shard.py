"""Shards: the cells of a plan dealt out to K of N machines, each cell to one."""

from __future__ import annotations

import re
from collections import defaultdict

import msgspec

from harness.errors import UsageError
from harness.model.cell import Plan
from harness.plan.select import with_controls


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``K/N``, with 1 <= K <= N.

    Raises
    ------
    UsageError
        The text is not of that form.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard '{text}' is no shard; write K/N with K from 1 to N, such as 2/4")
    return int(found[1]), int(found[2])


def shard(plan: Plan, index: int, count: int) -> Plan:
    """Keep the cells of shard ``index`` (from 1) of ``count``, with their controls.

    Cells that share a Python environment stay together, so that it is built on one machine
    alone; an implied control runs in the shard of the cells that need it.
    """
    return msgspec.structs.replace(
        plan, cells=with_controls(plan, set(_dealt(plan, count)[index - 1]))
    )


def shards(plan: Plan, count: int) -> list[tuple[str, int]]:
    """Return those of ``count`` shards that have cells, as ``K/N``, with how many they have."""
    dealt = _dealt(plan, count)
    return [(f"{number}/{count}", len(cells)) for number, cells in enumerate(dealt, 1) if cells]


def _dealt(plan: Plan, count: int) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for cell in plan.cells:
        if not cell.implied:
            groups[cell.control or cell.id].append(cell.id)
    dealt: list[list[str]] = [[] for _ in range(count)]
    for _, members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        min(dealt, key=len).extend(members)
    return dealt
