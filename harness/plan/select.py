"""Selection of cells by id and by query; controls follow the cells that need them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from harness.errors import UsageError
from harness.model.cell import Cell, Plan
from harness.query import compile_query


def select(plan: Plan, only: Sequence[str] = (), where: str | None = None) -> Plan:
    """Keep the cells whose id matches one of ``only`` and which ``where`` covers.

    The controls of what is kept are kept, too: without them a failure cannot be told from
    one of the Python environment.

    Raises
    ------
    UsageError
        Nothing is left, or the query is faulty.
    """
    if not only and where is None:
        return plan
    predicate = None if where is None else compile_query(where, query_keys(plan))
    patterns = [pattern.lower() for pattern in only]
    kept = {
        cell.id
        for cell in plan.cells
        if (not patterns or any(fnmatchcase(cell.id, pattern) for pattern in patterns))
        and (predicate is None or predicate({"id": cell.id, **cell.axes.as_dict()}))
    }
    if not kept:
        words = [f"--only '{pattern}'" for pattern in only]
        words += [f"--where '{where}'"] if where else []
        asked = " and ".join(words)
        raise UsageError(
            f"{plan.source}: none of the {len(plan.cells)} cells fits {asked}; "
            f"'harness plan {plan.source}' lists them"
        )
    return msgspec.structs.replace(plan, cells=with_controls(plan, kept))


def with_controls(plan: Plan, kept: set[str]) -> tuple[Cell, ...]:
    """Return the kept cells and their controls, in the order of the plan.

    A control that is there only for others' sake is marked as implied.
    """
    needed = {cell.control for cell in plan.cells if cell.id in kept and cell.control}
    return tuple(
        cell if cell.id in kept else msgspec.structs.replace(cell, implied=True)
        for cell in plan.cells
        if cell.id in kept or cell.id in needed
    )


def query_keys(plan: Plan) -> set[str]:
    """Return the names of the packages that some cell pins: keys of a query, too."""
    return {name for cell in plan.cells for name, _ in cell.axes.pins}
