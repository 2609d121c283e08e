"""``harness repro``: a folder that reproduces one cell without the harness."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import RESULTS_FOLDER


@click.command(
    "repro",
    short_help="Make a folder that reproduces a cell without the harness.",
    epilog="Example: harness repro .harness/results/smoke 'reticulate-1.28*py3.12__jax*'",
)
@RESULTS_FOLDER
@click.argument("cell", metavar="CELL")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder; by default, 'repro-CELL' in the working folder.",
)
def command(folder: Path, cell: str, out: Path | None) -> None:
    """Make a folder that does what CELL of the results in DIR did, without the harness.

    CELL is a cell's id, or a shell pattern that fits one cell.  The folder has a script of a few
    lines up to what failed, the exact versions, how to install them, and a README that fits into
    an issue.  A folder with something else in it is left alone.
    """
    from harness.repro import write
    from harness.workflow.reproducing import reproduce

    name, made = reproduce(folder, cell)
    out = out or Path(f"repro-{name}")
    write(made.files, out)
    click.echo(f"{out}/: {', '.join(sorted(made.files))}")
    for sentence in made.missing:
        click.echo(sentence)
    click.echo(f"README.md there says how to run it: {made.command}")
