"""``harness plan``: the cells of a matrix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import MATRIX, selection

if TYPE_CHECKING:
    from harness.model.cell import Plan


@click.command(
    "plan",
    short_help="List the cells of a matrix.",
    epilog="Example: harness plan matrices/smoke.yaml --where 'path:reticulate r:>=4.5'",
)
@MATRIX
@selection
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "github"]),
    default="table",
    show_default=True,
    help="'github' prints the object that a GitHub Actions matrix takes.",
)
def command(
    matrix: Path, only: tuple[str, ...], where: str | None, shard: str | None, form: str
) -> None:
    """List the cells of MATRIX, a YAML file, without running or installing anything.

    A control is the native cell in the same Python environment as another cell; one that the
    matrix does not list is added, and marked as such.
    """
    from harness.workflow.planning import make_plan

    plan = make_plan(matrix, only=only, where=where, shard=shard)
    show = {"table": _table, "json": _json, "github": _github}[form]
    sys.stdout.write(show(plan))


def _table(plan: Plan) -> str:
    """Columns of the axes; laid out by hand because it must do for 100,000 cells."""
    rows = [cell.axes.as_dict() for cell in plan.cells]
    axes: dict[str, None] = {}
    for row in rows:
        axes |= dict.fromkeys(row)
    columns = [
        ["cell", *(cell.id for cell in plan.cells)],
        *([axis, *(row.get(axis) or "-" for row in rows)] for axis in axes),
        ["", *("(control)" if cell.implied else "" for cell in plan.cells)],
    ]
    columns = [column for column in columns if any(value != "-" for value in column[1:])]
    layout = "  ".join(f"{{:{max(map(len, column))}}}" for column in columns)
    lines = [layout.format(*row).rstrip() for row in zip(*columns, strict=True)]
    added = sum(cell.implied for cell in plan.cells)
    cells = "cell" if len(plan.cells) == 1 else "cells"
    note = f", {added} of them controls that others need" if added else ""
    return "\n".join(lines) + f"\n\n{len(plan.cells)} {cells}{note}\n"


def _json(plan: Plan) -> str:
    import msgspec

    document = {
        "matrix": plan.matrix,
        "cells": [
            {
                "id": cell.id,
                "axes": cell.axes.as_dict(),
                "probes": cell.probes,
                "control": cell.control,
                "implied": cell.implied,
            }
            for cell in plan.cells
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _github(plan: Plan) -> str:
    """One job a cell; a control runs inside the jobs of the cells that need it."""
    import msgspec

    jobs = [
        {"cell": cell.id, **{k: v or "" for k, v in cell.axes.as_dict().items()}}
        for cell in plan.cells
        if not cell.implied
    ]
    return msgspec.json.encode({"include": jobs}).decode() + "\n"
