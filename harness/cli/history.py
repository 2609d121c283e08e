"""``harness history``: results of many runs, and the steps in them."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import text_or_json


@click.command(
    "history",
    short_help="Keep the times of many runs, and find where they changed.",
    epilog="Example: harness history nightly.sqlite .harness/results/latency",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@text_or_json()
def command(file: Path, folders: tuple[Path, ...], form: str) -> None:
    """Add the results in each DIR to the database FILE, and say where its series have steps.

    FILE is made where it is not there; results that are in it already change nothing. A series
    is of one cell, stage, machine, lock and version of the probe: nothing else is compared.
    Finding steps takes the package ruptures ('pip install ".[history]"' in a checkout).
    """
    from harness.history.show import as_json, as_text
    from harness.text import clean
    from harness.workflow.remembering import remember

    seen = remember(file, folders)
    click.echo(as_json(seen) if form == "json" else clean(as_text(seen)), nl=False)
