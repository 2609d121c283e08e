"""``harness bisect``: where along an axis a cell starts to fail."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import BRIDGE, CRAN, MATRIX, QUIET, default_results, text_or_json


@click.command(
    "bisect",
    short_help="Find the value of an axis at which a cell starts to fail.",
    epilog=(
        "Example: harness bisect matrices/smoke.yaml 'reticulate-1.28*py3.11__jax*' "
        "--axis numpy --values 'every >=1.24'"
    ),
)
@MATRIX
@click.argument("cell", metavar="CELL")
@click.option(
    "--axis",
    required=True,
    metavar="AXIS",
    help="r, bridge, python, framework, cuda, or the name of a package to pin.",
)
@click.option(
    "--values",
    multiple=True,
    metavar="VALUES",
    help=(
        "Values to look among, with commas between them or one for each --values, or "
        "'every >=1.24' for all releases in a range (of R and Python, the newest of each series); "
        "by default those that MATRIX has."
    ),
)
@click.option("--exhaustive", is_flag=True, help="Run the cell at every value.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the results; by default .harness/results/bisect-<matrix>.",
)
@CRAN
@BRIDGE
@click.option("--fresh", is_flag=True, help="Run again what has a result.")
@text_or_json()
@QUIET
def command(
    matrix: Path,
    cell: str,
    axis: str,
    values: tuple[str, ...],
    exhaustive: bool,
    results: Path | None,
    cran: str | None,
    bridges: tuple[str, ...],
    fresh: bool,
    form: str,
    quiet: bool,
) -> int:
    """Find the value of AXIS at which CELL of MATRIX starts to fail, or to pass.

    CELL is a cell's id, or a shell pattern. It is run at both ends of the axis, and then where
    that tells most; values at which it cannot exist are stepped over. What has a result is not
    run again, so a search that was stopped goes on when the same command is given again.

    \b
    Exit codes:
      0  a boundary was found
      2  the matrix, the cell, the axis or a value is faulty
      3  no boundary can be told: both ends come out alike, or nothing could be run
      4  this machine could not do it
    """
    import msgspec

    from harness.text import clean
    from harness.workflow.bisecting import bisect, runner
    from harness.workflow.boundaries import as_json, as_text
    from harness.workflow.bridges import read_bridges
    from harness.workflow.planning import make_plan
    from harness.workflow.run import Settings
    from harness.workflow.series import series_of
    from harness.workflow.versions import versions_here

    plan = make_plan(matrix, cran=cran, bridges=bridges)
    series = series_of(plan, cell, axis, values, versions_here(cran) if values else None)
    folder = results or default_results(f"bisect-{plan.matrix}")
    settings = Settings(
        results=folder, cran=cran, bridges=read_bridges(bridges), fresh=fresh, quiet=quiet
    )
    options = [
        *(("--results", str(results)) if results else ()),
        *(("--cran", cran) if cran else ()),
        *(word for bridge in bridges for word in ("--bridge", bridge)),
    ]
    found = bisect(series, runner(series, settings), folder, every=exhaustive)
    found = msgspec.structs.replace(found, options=tuple(options))
    click.echo(as_json(found) if form == "json" else clean(as_text(found)), nl=False)
    return found.exit_code
