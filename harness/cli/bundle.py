"""``harness bundle``: cells in one file, for a machine without a network."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import BRIDGE, CRAN, MATRIX, selection


@click.command(
    "bundle",
    short_help="Put cells into one file, for a machine without a network.",
    epilog="Example: harness bundle matrices/smoke.yaml --only '*r4.2.2*' -o cells.pyz",
)
@MATRIX
@selection
@click.option(
    "--output",
    "-o",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file to write.",
)
@click.option(
    "--system-site",
    is_flag=True,
    help="Leave Python and the framework out: the cells get those of the machine they come to.",
)
@CRAN
@BRIDGE
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def command(
    matrix: Path,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    file: Path,
    system_site: bool,
    cran: str | None,
    bridges: tuple[str, ...],
    quiet: bool,
) -> int:
    """Write everything that the cells of MATRIX need into one FILE.

    R, its packages, Pythons, frameworks and the harness itself: the machine that FILE is taken to
    needs no network, no R, no privileges and no namespaces, but a Python 3.7 or newer to begin
    with.  There, `python3 FILE --results DIR` runs the cells (so does `harness run --bundle FILE`,
    where the harness is installed), and `harness merge DIR --results OTHER` takes the results in.

    With --system-site the cells run with the Python that FILE is started with, or that `--python`
    names, and with the packages that are installed for it; a cell that asks for another version
    ends `unavailable`, and says which.

    \b
    Exit codes:
      0  the file is written, with all cells
      2  the matrix, the selection or a bridge's source tree is faulty
      3  the file is written, but a cell of it cannot run, and why is said
      4  this machine could not do it
    """
    from harness.bundle.making import make_bundle
    from harness.bundle.show import summary
    from harness.errors import ExitCode
    from harness.workflow.planning import make_plan

    plan = make_plan(matrix, only=only, where=where, shard=shard, cran=cran, bridges=bridges)
    made = make_bundle(
        plan,
        file,
        system_site=system_site,
        cran=cran,
        bridges=bridges,
        notify=(lambda _text: None) if quiet else (lambda text: click.echo(text, err=True)),
    )
    if not quiet:
        click.echo(summary(made, file))
    return ExitCode.NOT_MEASURED if made.refused else ExitCode.OK
