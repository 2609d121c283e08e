"""``harness report``: results for people and for programs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import RESULTS_FOLDER


@click.command(
    "report",
    short_help="Show results as a table, Markdown, JSON, CSV, JUnit XML or web pages.",
    epilog="Example: harness report .harness/results/smoke --format html --out tables",
)
@RESULTS_FOLDER
@click.option(
    "--format",
    "form",
    default="terminal",
    show_default=True,
    metavar="FORMAT",
    help=(
        "terminal, markdown, html, advice, readme, changes, feed, badges, json, compat, csv, "
        "parquet, junit, or one that a plugin adds."
    ),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help=(
        "Write to this file instead of standard output; a folder where the format has several "
        "files ('html', 'badges')."
    ),
)
@click.option(
    "--since",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Earlier results, of one run or several: 'changes', 'readme' and 'feed' say what changed.",
)
@click.option(
    "--site",
    default="",
    metavar="URL",
    help="The address at which the pages of 'html' are published, for links to them.",
)
def command(folder: Path, form: str, out: Path | None, since: tuple[Path, ...], site: str) -> None:
    """Report the results in DIR, a folder that 'harness run' wrote.

    A folder that holds 'results.json' alone will do; the logs of the cells are shown where they
    lie beside it.
    """
    from harness.workflow.reporting import options_of, render, write

    options = options_of(since, site)
    if out is not None:
        write(folder, form, out, options)
        return
    text = render(folder, form, to_terminal=True, options=options)
    click.echo(text, nl=not text.endswith("\n"))
