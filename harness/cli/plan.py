"""``harness plan``: the cells of a matrix."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    BRIDGE,
    COSTS,
    CRAN,
    MATRIX,
    covering,
    default_results,
    selection,
)

if TYPE_CHECKING:
    from harness.cli.existence import Resolved
    from harness.model.cell import Plan
    from harness.workflow.covering import Chosen


@click.command(
    "plan",
    short_help="List the cells of a matrix.",
    epilog="Example: harness plan matrices/smoke.yaml --where 'path:reticulate r:>=4.5'",
)
@MATRIX
@selection
@COSTS
@covering
@CRAN
@BRIDGE
@click.option(
    "--resolve",
    is_flag=True,
    help="Say of each cell whether it can exist, with its versions or the reason why not.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "github"]),
    default="table",
    show_default=True,
    help="'github' prints the object that a GitHub Actions matrix takes.",
)
@click.option(
    "--shards",
    type=click.IntRange(1, 256),
    metavar="N",
    help="With --format github: no more than N jobs, each with the 'shard' that it is to run.",
)
def command(
    matrix: Path,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    costs: Path | None,
    cover: int | None,
    require: tuple[str, ...],
    failed_in: Path | None,
    cran: str | None,
    bridges: tuple[str, ...],
    resolve: bool,
    form: str,
    shards: int | None,
) -> int:
    """List the cells of MATRIX, a YAML file, without running or installing anything.

    A control is the native cell in the same Python environment as another cell; one that the
    matrix does not list is added, and marked as such.

    With --resolve, uv's resolver is asked about every cell, and nothing is installed; to learn
    what a package needs that comes as source alone, uv runs its build.  `github` leaves out the
    cells that cannot exist.  The exit code is 3 where nothing is known of a cell, because the
    package index is out of reach.  --cover asks, too, and lists a few cells in which all values
    of the axes meet that can meet.
    """
    from harness.cli import coverage
    from harness.workflow.planning import make_plan

    coverage.check(cover, require, failed_in)
    if shards is not None and (form != "github" or shard is not None):
        raise click.UsageError("--shards goes with --format github, and without --shard")
    # A covering selection is of the whole plan; what is dealt out comes after it.
    first, later = (shard, None) if cover is None else (None, shard)
    plan = make_plan(
        matrix,
        only=only,
        where=where,
        shard=first,
        cran=cran,
        bridges=bridges,
        costs=costs,
    )
    show = {"table": _table, "json": _json, "github": _github}[form]
    if shards is not None:
        show = partial(_github_shards, count=shards, costs=costs)
    if not resolve and cover is None:
        sys.stdout.write(show(plan, None, None))
        return 0
    from harness.cli.existence import ask
    from harness.errors import ExitCode

    resolved = ask(plan)
    said = [resolved.summary()]
    chosen = None
    if cover is not None:
        chosen = coverage.cover_plan(
            plan,
            resolved,
            cover=cover,
            require=require,
            failed_in=failed_in,
            results=default_results(plan.matrix),
        )
        plan = coverage.shard_of(chosen.covering.plan, later, costs)
        said.append(coverage.about(chosen, resolved))
    sys.stdout.write(show(plan, resolved if resolve else None, chosen))
    if form != "table":
        click.echo("\n".join(said), err=True)
    elif chosen is not None:
        click.echo(f"\n{said[-1]}")
    return ExitCode.NOT_MEASURED if "unknown" in resolved.counts else ExitCode.OK


def _table(plan: Plan, resolved: Resolved | None, _chosen: Chosen | None) -> str:
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
    if resolved is not None:
        answers = resolved.answers
        columns.append(["can exist", *(answers[cell.id].status.value for cell in plan.cells)])
    columns = [column for column in columns if any(value != "-" for value in column[1:])]
    layout = "  ".join(f"{{:{max(map(len, column))}}}" for column in columns)
    lines = [layout.format(*row).rstrip() for row in zip(*columns, strict=True)]
    added = sum(cell.implied for cell in plan.cells)
    cells = "cell" if len(plan.cells) == 1 else "cells"
    note = f", {added} of them controls that others need" if added else ""
    ends = [f"{len(plan.cells)} {cells}{note}"]
    if resolved is not None:
        ends = [*filter(None, [resolved.reasons()]), resolved.summary()]
    return "\n".join(lines) + "\n\n" + "\n\n".join(ends) + "\n"


def _json(plan: Plan, resolved: Resolved | None, chosen: Chosen | None) -> str:
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
                **({} if resolved is None else {"resolve": resolved.answers[cell.id]}),
            }
            for cell in plan.cells
        ],
        **({} if resolved is None else {"resolve": resolved.as_dict()}),
        **({} if chosen is None else {"coverage": chosen.as_dict()}),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _github_shards(
    plan: Plan,
    resolved: Resolved | None,
    _chosen: Chosen | None,
    *,
    count: int,
    costs: Path | None,
) -> str:
    """One job a shard: GitHub takes 256 jobs, and each of them brings its environments anew."""
    import msgspec

    from harness.plan.shard import shards
    from harness.workflow.planning import costs_of

    del resolved
    jobs = [
        {
            "shard": shard.name,
            "cells": str(shard.cells),
            **({"seconds": f"{shard.cost_s:.0f}"} if costs else {}),
        }
        for shard in shards(plan, count, costs_of(costs))
    ]
    return msgspec.json.encode({"include": jobs}).decode() + "\n"


def _github(plan: Plan, resolved: Resolved | None, _chosen: Chosen | None) -> str:
    """One job a cell; a control runs inside the jobs of the cells that need it."""
    import msgspec

    jobs = [
        {"cell": cell.id, **{k: v or "" for k, v in cell.axes.as_dict().items()}}
        for cell in plan.cells
        if not cell.implied and (resolved is None or resolved.answers[cell.id].may_exist)
    ]
    return msgspec.json.encode({"include": jobs}).decode() + "\n"
