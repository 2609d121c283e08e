"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

MATRIX = click.argument("matrix", type=click.Path(path_type=Path), metavar="MATRIX")
RESULTS_FOLDER = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")


def selection(command: Command) -> Command:
    """Add the options that select cells: SELECT of the documentation."""
    options = (
        click.option(
            "--only",
            multiple=True,
            metavar="GLOB",
            help="Cells whose id matches this shell pattern; may be given several times.",
        ),
        click.option(
            "--where",
            metavar="QUERY",
            help="Cells that fit this query: 'path:reticulate r:>=4.2 not framework:torch'.",
        ),
        click.option(
            "--shard",
            metavar="K/N",
            help="The cells of shard K of N; all N shards together are the whole plan.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def default_results(matrix_name: str) -> Path:
    """Return the folder that holds a matrix's results where none is named."""
    return Path(".harness") / "results" / matrix_name
