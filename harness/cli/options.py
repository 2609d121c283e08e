"""Options that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

MATRIX = click.argument("matrix", type=click.Path(path_type=Path), metavar="MATRIX")
RESULTS_FOLDER = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")

BRIDGE = click.option(
    "--bridge",
    "bridges",
    multiple=True,
    metavar="NAME=PLACE",
    help=(
        "Another bridge for all cells of a path: a version ('reticulate=1.40.0'), or its source "
        "tree: a folder, a .tar.gz, PATH@REF of a git repository, git+URL@REF; may be given once "
        "for each path."
    ),
)

CRAN = click.option(
    "--cran",
    metavar="REPOSITORY",
    help=(
        "Where R packages come from that no R brings (rPython, another reticulate than the R's "
        "own): the address of a CRAN-like repository, or a folder; by default $HARNESS_CRAN."
    ),
)


class Amount(click.FloatRange):
    """A number with a range, of which there is so much: no ``nan``, which is in every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; what has no end is none either: a run would have none."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no amount; write a number, such as 60", param, ctx)
        return number


QUIET = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")

COSTS = click.option(
    "--costs",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=(
        "With shards: results of last time (a folder, or its results.json), so that all shards "
        "take about as long; the same for each of them."
    ),
)


def text_or_json(text: str = "'json' is for programs.") -> Callable[[Command], Command]:
    """Return the option for what is printed for people, or for programs; ``text`` is its help."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help=text,
    )


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
            help=(
                "The cells of shard K of N, which is up to 256; all N shards together are the "
                "whole plan."
            ),
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def covering(command: Command) -> Command:
    """Add the options of a covering selection."""
    options = (
        click.option(
            "--cover",
            type=click.IntRange(1, 3),
            metavar="2|3",
            help=(
                "As few cells that can exist as will do for every pair (2) or triple (3) of axis "
                "values that can occur together."
            ),
        ),
        click.option(
            "--require",
            multiple=True,
            metavar="GLOB",
            help="With --cover: cells that are taken in any case; may be given several times.",
        ),
        click.option(
            "--failed-in",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help=(
                "With --cover: results of last time, whose failures are taken in any case; by "
                "default, those of the matrix where there are any."
            ),
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def default_results(matrix_name: str) -> Path:
    """Return the folder that holds a matrix's results where none is named."""
    return Path(".harness") / "results" / matrix_name
