"""``harness report``: results for people and for programs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import RESULTS_FOLDER


@click.command(
    "report",
    short_help="Show results as a table, Markdown, JSON, CSV or JUnit XML.",
    epilog="Example: harness report .harness/results/smoke --format markdown --out smoke.md",
)
@RESULTS_FOLDER
@click.option(
    "--format",
    "form",
    default="terminal",
    show_default=True,
    metavar="FORMAT",
    help="terminal, markdown, json, csv, junit, or one that a plugin adds.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write to this file instead of standard output.",
)
def command(folder: Path, form: str, out: Path | None) -> None:
    """Report the results in DIR, a folder that 'harness run' wrote.

    A folder that holds 'results.json' alone will do.
    """
    from harness.workflow.reporting import render, write_report

    text = render(folder, form, to_terminal=out is None)
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        write_report(out, text)
