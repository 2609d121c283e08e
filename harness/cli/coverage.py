"""What ``--cover`` makes of a plan, for the verbs that take it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.cli.existence import Resolved
    from harness.model.cell import Plan
    from harness.workflow.covering import Chosen


def check(cover: int | None, require: tuple[str, ...], failed_in: Path | None) -> None:
    """Refuse the options that mean nothing without ``--cover``."""
    for name, given in (("--require", require), ("--failed-in", failed_in)):
        if given and cover is None:
            raise click.UsageError(f"{name} goes with --cover")


def asked(plan: Plan, *, quiet: bool) -> Resolved:
    """Ask whether the cells of a plan can exist, with progress unless it is to be ``quiet``."""
    from harness.cli.existence import Resolved, ask
    from harness.workflow.resolving import Progress, resolve_plan

    if not quiet:
        return ask(plan)
    last = [Progress(done=0, total=0, asked=0, seconds=0.0)]
    return Resolved(resolve_plan(plan, on_progress=last.append), last[-1])


def cover_plan(
    plan: Plan,
    resolved: Resolved,
    *,
    cover: int,
    require: tuple[str, ...],
    failed_in: Path | None,
    results: Path,
) -> Chosen:
    """Choose cells of a plan that cover it, among those that can exist here.

    ``results`` is the folder whose failures count where ``failed_in`` names no other.

    Raises
    ------
    UsageError
        A pattern fits no cell, or the results cannot be read.
    NotMeasured
        None of the cells can exist here.
    """
    from harness.errors import NotMeasured
    from harness.workflow.covering import Wish, choose, last_time
    from harness.workflow.resolving import Existence

    answers = resolved.answers
    out = {Existence.UNSATISFIABLE, Existence.UNAVAILABLE}
    wish = Wish(strength=cover, require=require, failed_in=last_time(failed_in, results))
    chosen = choose(plan, wish, lambda cell: answers[cell].status not in out)
    if not chosen.covering.chosen:
        reasons = Counter(answer.message for answer in answers.values() if answer.message)
        why = reasons.most_common(1)[0][0] if reasons else "the plan lists none"
        raise NotMeasured(f"{plan.source}: no cell can exist here, so there is none to take: {why}")
    return chosen


def shard_of(plan: Plan, shard: str | None, costs: Path | None = None) -> Plan:
    """Return one shard of the cells that were chosen: the choice comes first."""
    from harness.plan.shard import parse_shard
    from harness.plan.shard import shard as take_shard
    from harness.workflow.planning import costs_of

    return plan if shard is None else take_shard(plan, *parse_shard(shard), costs_of(costs))


def about(chosen: Chosen, resolved: Resolved) -> str:
    """Return what the choice reaches, and what it rests on where that is not known."""
    unknown = resolved.counts.get("unknown", 0)
    note = f"; {unknown:,} count as possible, for the index is out of reach" if unknown else ""
    return f"{chosen.sentence()}{note}"
