"""``harness run``: run what has no result yet."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import MATRIX, default_results, selection


@click.command(
    "run",
    short_help="Run the cells of a matrix that have no result yet.",
    epilog="Example: harness run matrices/smoke.yaml --where framework:jax --jobs 2",
)
@MATRIX
@selection
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the results; by default .harness/results/<matrix>.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cells that run at once; by default, one for each core.",
)
@click.option(
    "--cran",
    metavar="REPOSITORY",
    help=(
        "Where R packages come from that no R brings (rPython): the address of a CRAN-like "
        "repository, or a folder; by default $HARNESS_CRAN."
    ),
)
@click.option("--fresh", is_flag=True, help="Run every cell anew, whatever has a result.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def command(
    matrix: Path,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    results: Path | None,
    jobs: int | None,
    cran: str | None,
    fresh: bool,
    quiet: bool,
) -> int:
    """Run the cells of MATRIX, and print the table of results.

    What has a result in DIR is not run again, so a run that was stopped goes on when the same
    command is given again.

    \b
    Exit codes:
      0  every planned cell was measured, whatever came out of it
      2  the matrix or the selection is faulty
      3  a planned cell was not measured
      4  this machine could not do it
    """
    from harness.workflow.planning import make_plan
    from harness.workflow.run import Settings, run_plan

    plan = make_plan(matrix, only=only, where=where, shard=shard)
    settings = Settings(
        results=results or default_results(plan.matrix),
        jobs=jobs,
        fresh=fresh,
        cran=cran,
        quiet=quiet,
        partial=bool(only or where or shard),
    )
    return run_plan(plan, settings)
