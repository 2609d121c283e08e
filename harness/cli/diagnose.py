"""``harness diagnose``: the cause in a pasted log."""

from __future__ import annotations

import click

from harness.cli.options import text_or_json


@click.command(
    "diagnose",
    short_help="Name the cause in a pasted log.",
    epilog="Example: harness diagnose error.log",
)
@click.argument("file", metavar="FILE")
@text_or_json()
def command(file: str, form: str) -> int:
    """Name the cause in the log in FILE; '-' reads standard input.

    A log is whatever was printed when it failed, as it was printed, with all its noise.
    Nothing is run and nothing is looked up. The exit code is 1 where a cause was found and 0
    where none was; where nothing fits, no guess is made.
    """
    import sys

    from harness.causes import Evidence, diagnose
    from harness.causes.pasted import read_pasted
    from harness.causes.show import as_json, as_text
    from harness.errors import ExitCode
    from harness.text import clean

    text = read_pasted("standard input", sys.stdin.buffer) if file == "-" else read_pasted(file)
    diagnosis = diagnose(Evidence(text=text))
    click.echo(as_json(diagnosis) if form == "json" else clean(as_text(diagnosis)))
    return int(ExitCode.PROBLEM if diagnosis.causes else ExitCode.OK)
