"""``harness expect``: the list of cells that are known not to pass."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(
    "expect",
    short_help="Keep the list of cells that are known not to pass.",
    epilog="Example: harness expect update .harness/results/smoke --expect expectations.yaml",
)
def command() -> None:
    """Keep the list of expectations that `harness gate` holds results against."""


@command.command(
    "update",
    short_help="Rewrite the list after a run.",
    epilog="Example: harness expect update .harness/results/smoke --expect expectations.yaml",
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--expect",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The list; made where it is not there.",
)
@click.option("--dry-run", is_flag=True, help="Print the new list, and write nothing.")
def update(folder: Path, expect: Path, *, dry_run: bool) -> int:
    """Rewrite the list of expectations as the results in DIR have it.

    Lines whose cells all pass are taken out, lines that cover too much are narrowed, and cells that
    nothing lists get new lines, together where they share a cause.  Why, and whose it is, you
    write: until then `harness gate` refuses the list.  Comments stay.  The results of a part of a
    matrix, or with cells that were not measured, are refused.
    """
    from harness.workflow.expecting import update_expectations

    updated = update_expectations(folder, expect, write=not dry_run)
    click.echo(updated.text if dry_run else updated.said, nl=False)
    if dry_run:
        for problem in updated.unmended:
            click.echo(problem, err=True)
    return updated.exit_code
