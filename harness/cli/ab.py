"""``harness ab``: whether head is slower than base."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    CRAN,
    MATRIX,
    QUIET,
    Amount,
    default_results,
    selection,
    text_or_json,
)


@click.command(
    "ab",
    short_help="Tell whether one version is slower than another.",
    epilog=(
        "Example: harness ab matrices/smoke.yaml --only 'reticulate*py3.11__jax*' "
        "--base bridge=default --head bridge=../reticulate@main"
    ),
)
@MATRIX
@selection
@click.option(
    "--base",
    multiple=True,
    required=True,
    metavar="KEY=VALUE",
    help=(
        "What head is held against: an axis (bridge, r, python, transport, ...), a package to pin, "
        "or 'env.NAME'; a bridge is a version, or a source tree as for 'harness run --bridge'. May "
        "be given several times."
    ),
)
@click.option(
    "--head",
    multiple=True,
    required=True,
    metavar="KEY=VALUE",
    help="What is judged, in the same way; the same value as base compares identical arms.",
)
@click.option(
    "--budget",
    type=Amount(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for measuring each cell; less is used where less will do.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Compare this stage alone, such as noop or framework_import; may be given several times.",
)
@click.option(
    "--margin",
    type=Amount(min=0, min_open=True, max=1),
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="The slowdown that is of no consequence.",
)
@click.option(
    "--plant",
    type=Amount(min=1),
    default=1.0,
    metavar="FACTOR",
    help="Slow head down on purpose by this factor, to see that it is found.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the results; by default .harness/results/ab-<matrix>.",
)
@CRAN
@click.option("--fresh", is_flag=True, help="Begin anew where a comparison was cut short.")
@text_or_json("'json' is for programs, and has every process that was run.")
@QUIET
def command(
    matrix: Path,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    base: tuple[str, ...],
    head: tuple[str, ...],
    budget: float,
    metrics: tuple[str, ...],
    margin: float,
    plant: float,
    results: Path | None,
    cran: str | None,
    fresh: bool,
    form: str,
    quiet: bool,
) -> int:
    """Tell whether the cells of MATRIX are slower with the values of head than with those of base.

    Both are run in pairs of fresh processes, one right after the other, in an order that is drawn
    beforehand. What is judged is the ratio of each pair. Two controls are run with them: identical
    processes, and the same work without a bridge; where one of them moves, the run is 'unproven'.

    \b
    Exit codes:
      0  ok or improved; also unproven, which says nothing of head
      1  regressed: head is slower, by more than the margin
      2  the matrix, the selection or a value is faulty
      3  inconclusive: nothing is proven; or a cell does not pass, so that it has no times
      4  this machine could not do it, or a cell is not to be had on it
    """
    from harness.latency.model import Rule
    from harness.workflow.arms import read_settings
    from harness.workflow.comparing import Settings
    from harness.workflow.planning import make_plan
    from harness.workflow.versus import Asked, as_json, as_text, check_metrics, compare

    check_metrics(metrics)
    plan = make_plan(matrix, only=only, where=where, shard=shard, cran=cran)
    answer = compare(
        Asked(
            plan=plan,
            base=read_settings(base, "--base"),
            head=read_settings(head, "--head"),
            settings=Settings(
                budget_s=budget, plant=plant, metrics=metrics, rule=Rule(margin=margin)
            ),
            results=results or default_results(f"ab-{plan.matrix}"),
            cran=cran,
            fresh=fresh,
            quiet=quiet,
        )
    )
    click.echo(as_json(answer) if form == "json" else as_text(answer), nl=False)
    return answer.comparison.exit_code
