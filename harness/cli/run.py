"""``harness run``: run what has no result yet."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import BRIDGE, COSTS, CRAN, covering, default_results, selection


@click.command(
    "run",
    short_help="Run the cells of a matrix that have no result yet.",
    epilog="Example: harness run matrices/smoke.yaml --where framework:jax --jobs 2",
)
@click.argument("matrix", type=click.Path(path_type=Path), required=False)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Run the cells of a file that `harness bundle` made, instead of those of a matrix.",
)
@click.option(
    "--python",
    metavar="EXE",
    help=(
        "For a bundle made with --system-site: the Python of this machine that has the framework; "
        "by default the first python3 on PATH."
    ),
)
@selection
@COSTS
@covering
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
    "--executor",
    default="local",
    show_default=True,
    metavar="local|dask://HOST:PORT",
    help="Where cells are measured: by this machine, or by the workers of a Dask cluster.",
)
@CRAN
@BRIDGE
@click.option("--fresh", is_flag=True, help="Run every cell anew, whatever has a result.")
@click.option(
    "--no-remedies",
    is_flag=True,
    help="Try no remedy for the cells that do not pass.",
)
@click.option(
    "--again",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Run a cell that does not pass N times more: one that then passes is flaky.",
)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def command(
    matrix: Path | None,
    bundle: Path | None,
    python: str | None,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    costs: Path | None,
    cover: int | None,
    require: tuple[str, ...],
    failed_in: Path | None,
    results: Path | None,
    jobs: int | None,
    executor: str,
    cran: str | None,
    bridges: tuple[str, ...],
    fresh: bool,
    no_remedies: bool,
    again: int,
    quiet: bool,
) -> int:
    """Run the cells of MATRIX, and print the table of results.

    With --bundle, the cells and all that they need come from one file, and no network is used.

    What has a result in DIR is not run again, so a run that was stopped goes on when the same
    command is given again.

    For each cell that does not pass and whose cause is known, the remedies that the harness can
    apply by itself, in an environment of its own, are tried; the table and `harness why` say which
    of them helped.

    \b
    Exit codes:
      0  every planned cell was measured, whatever came out of it
      2  the matrix, the selection or a bridge's source tree is faulty
      3  a planned cell was not measured, or not one of them could be had here
      4  this machine could not do it
    """
    from harness.cli import coverage
    from harness.workflow.bridges import read_bridges
    from harness.workflow.planning import make_plan
    from harness.workflow.run import Settings, run_plan

    if (matrix is None) == (bundle is None):
        raise click.UsageError("name a MATRIX, or a file of cells with --bundle FILE")
    if python is not None and bundle is None:
        raise click.UsageError("--python goes with --bundle")
    if bundle is not None and (cover or cran or bridges):
        raise click.UsageError("--cover, --cran and --bridge have no use with --bundle")
    if bundle is not None and executor != "local":
        raise click.UsageError("a bundle runs on this machine alone; leave --executor out")
    if bundle is not None and (costs or executor != "local"):
        raise click.UsageError("--costs and --executor have no use with --bundle")
    coverage.check(cover, require, failed_in)
    # A covering selection is of the whole plan; what is dealt out comes after it.
    first, later = (shard, None) if cover is None else (None, shard)
    prepared = None
    if bundle is not None:
        from harness.bundle.using import open_bundle, plan_of, preparation_of

        say = (lambda _text: None) if quiet else (lambda text: click.echo(text, err=True))
        opened = open_bundle(bundle, notify=say)
        plan = plan_of(opened, only=only, where=where, shard=shard)
        prepared = preparation_of(opened, python)
    else:
        assert matrix is not None
        plan = make_plan(
            matrix,
            only=only,
            where=where,
            shard=first,
            cran=cran,
            bridges=bridges,
            costs=costs,
        )
    folder = results or default_results(plan.matrix)
    if cover is not None:
        resolved = coverage.asked(plan, quiet=quiet)
        chosen = coverage.cover_plan(
            plan, resolved, cover=cover, require=require, failed_in=failed_in, results=folder
        )
        plan = coverage.shard_of(chosen.covering.plan, later, costs)
        if not quiet:
            click.echo(coverage.about(chosen, resolved), err=True)
    settings = Settings(
        results=folder,
        jobs=jobs,
        fresh=fresh,
        cran=cran,
        bridges=read_bridges(bridges),
        quiet=quiet,
        partial=bool(only or where or shard or cover),
        # What would be tried has to be fetched.
        remedies=not no_remedies and prepared is None,
        again=again,
        executor=executor,
        prepared=prepared,
    )
    return run_plan(plan, settings)
